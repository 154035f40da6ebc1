//! What administrators and the operator do to accounts.

mod accounts;
mod change;
mod endings;
mod first;
mod import;
mod invite;
mod one_session;
mod reset;

use cerrojo_domain::password::PasswordFlaw;
use cerrojo_domain::{ADMIN_ROLE, Actor, EmailError, EndReason, Ending, Origin, RoleId, User};
use cerrojo_store::Run;

pub use accounts::{AddedUser, add_user, delete_user, forget_waiting, list_users, user, user_by_email};
pub(crate) use accounts::{forget_registration, remove};
pub use cerrojo_store::invitations::Invitation;
pub use cerrojo_store::user_search::{LONGEST as LONGEST_SEARCH, Search as UserSearch, Sort as UserSort};
pub use change::update_user;
pub use endings::{
    end_everything, end_everything_by, end_everything_restored, end_session, end_user_sessions, user_sessions,
};
pub use first::{
    FIRST_TTL, FirstAdministrator, FirstError, first_works, lacks_accounts, lacks_administrator, make_first,
    offer_first,
};
pub use import::{foresee_import, import_users};
pub(crate) use invite::make_code;
pub use invite::{
    InviteError, MOST_INVITATIONS, NewInvitation, invitation, invite, invite_by_hand, list_invitations,
    resend_invitation, resend_invitation_by_hand, revoke_invitation,
};

pub use one_session::end_user_session;
pub use reset::force_reset;

use crate::account::if_live;
use crate::{App, Caller, Trouble};

/// On whose word.
#[derive(Clone, Copy)]
pub enum By<'a> {
    /// Over HTTP; the role is checked.
    Administrator(&'a Caller, &'a Origin),
    /// On the command line.
    Operator,
}

impl By<'_> {
    pub(crate) fn check_role(self) -> Result<(), AdminError> {
        match self {
            // A changed role ends every session, so what the token says is so.
            Self::Administrator(caller, _) if caller.role_id != ADMIN_ROLE => Err(AdminError::NotAdministrator),
            _ => Ok(()),
        }
    }

    /// Gives the transaction back if the session may still change something: asked after the users row.
    pub(crate) async fn check_session<T: Run>(self, app: &App, tx: T) -> Result<T, AdminError> {
        match self {
            Self::Administrator(caller, _) => if_live(app, tx, caller).await?.ok_or(AdminError::SessionOver),
            Self::Operator => Ok(tx),
        }
    }

    pub(crate) fn ending(self, app: &App, reason: EndReason) -> Ending {
        let (actor, place) = match self {
            Self::Administrator(caller, origin) => (Actor::Administrator(caller.user), Some(origin.address)),
            Self::Operator => (Actor::Operator, None),
        };
        Ending { reason, actor, at: app.clock.now(), place }
    }

    fn is(self, user: &User) -> bool {
        matches!(self, Self::Administrator(caller, _) if crate::account::is_own(caller, user.id))
    }
}

/// What is to change; a value equal to the stored one changes and ends nothing.
#[derive(Default)]
pub struct UserChange {
    /// As typed.
    pub name: Option<String>,
    /// As typed.
    pub email: Option<String>,
    /// Number of a role.
    pub role_id: Option<RoleId>,
    /// As typed: `active`, `inactive`, `suspended`.
    pub status: Option<String>,
    /// Whether the address is to count as confirmed.
    pub email_verified: Option<bool>,
    /// On the command line only.
    pub password: Option<String>,
    /// The account as it was when the change was judged: where somebody changed the same to something else since, nothing is changed.
    pub seen: Option<User>,
}

/// A page of a list.
pub struct Page<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// From 1.
    pub current_page: i64,
    /// At least 1.
    pub total_pages: i64,
    /// As asked for, 1 to 1000.
    pub page_size: i64,
    /// In all.
    pub total_items: i64,
}

/// Items on a page if nobody says how many.
const PAGE: i64 = 100;
/// Items on a page at most.
const LARGEST_PAGE: i64 = 1000;

/// Which page: its number, from 1, how many items it has at most, and how many come before it.
fn asked(page: Option<i64>, limit: Option<i64>) -> (i64, i64, i64) {
    let page_size = limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let current_page = page.unwrap_or(1).max(1);
    (current_page, page_size, (current_page - 1).saturating_mul(page_size))
}

impl<T> Page<T> {
    fn new(items: Vec<T>, (current_page, page_size): (i64, i64), total_items: i64) -> Self {
        let total_pages = total_items.saturating_add(page_size - 1).div_euclid(page_size).max(1);
        Self { items, current_page, total_pages, page_size, total_items }
    }
}

/// Why not.
#[derive(Debug)]
pub enum AdminError {
    /// 403 "Acceso denegado: se requiere rol de administrador".
    NotAdministrator,
    /// 404.
    NotFound,
    /// 400 "No hay datos para actualizar".
    Nothing,
    /// 400 "Formato de email inválido".
    Email,
    /// 400: blank, over 200 characters, or with some that control something or turn the direction of writing.
    Name,
    /// 409 `CONFLICT`.
    EmailTaken,
    /// 409: somebody changed the same meanwhile.
    Changed,
    /// 400 "Rol inválido".
    Role,
    /// 400 "Estado inválido".
    Status,
    /// 400: what is looked for is over 200 characters long, or has control characters.
    Search,
    /// The password that the operator gave is not accepted.
    Password(Vec<PasswordFlaw>),
    /// 403: one's own role, activity or deletion.
    OneSelf,
    /// 403: the last administrator stays.
    LastAdministrator,
    /// 401: the calling session ended meanwhile.
    SessionOver,
    /// 503 or 500.
    Trouble(Trouble),
}

impl<E: Into<Trouble>> From<E> for AdminError {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<EmailError> for AdminError {
    fn from(_: EmailError) -> Self {
        Self::Email
    }
}
