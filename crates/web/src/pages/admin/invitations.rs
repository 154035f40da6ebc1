//! `/admin/invitations`: who was invited and has not come yet.

use axum::response::Response;
use cerrojo_app::administer::{self, Invitation, InviteError, NewInvitation, Page};
use cerrojo_domain::{ADMIN_ROLE, USER_ROLE};
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::query::Query;
use super::users::{Asks, role, roles};
use super::{Administrator, Consent, Weight};
use crate::api::invitations::InvitationView;
use crate::envelope::Text;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::{self, Problem};
use crate::query::is_name;

/// Invitations on one page, beside a form: it has at most 50 kB in all.
const ON_THIS_PAGE: i64 = 15;

const INVITATIONS: &str = "/admin/invitations";

async fn page(
    administrator: &Administrator,
    asked: Option<i64>,
    form: &Form,
    asks: Asks,
) -> Result<View<'static>, Problem> {
    let web = &administrator.stage.web;
    let roles_known = &web.settings.roles;
    let listed = administer::list_invitations(web, administrator.by(), asked, Some(ON_THIS_PAGE)).await;
    let Page { items, current_page, total_pages, total_items, .. } = listed.map_err(Problem::from)?;
    let invitations: Value =
        items.iter().map(|one| Value::from(Serde(InvitationView::new(one, roles_known)))).collect();
    let own = context! {
        here => "invitations",
        invitations => invitations,
        roles => roles(roles_known),
        page => current_page,
        pages => total_pages,
        total => total_items,
        asks => asks == Asks::Yes,
        confirms => administrator.confirms(),
        values => context! {
            name => form.typed("name"),
            email => form.typed("email"),
            role_id => role(form).unwrap_or(USER_ROLE),
        },
    };
    Ok(View::new("admin/invitations.html", own))
}

/// Those that can be accepted, and a form for another.
pub(in crate::pages) async fn list(administrator: Administrator, query: Query) -> Response {
    match page(&administrator, query.page(), &Form::default(), Asks::No).await {
        Ok(view) => administrator.show(view).await,
        Err(problem) => administrator.stage.fail(problem),
    }
}

/// Invites somebody.
pub(in crate::pages) async fn invite(form: Form, administrator: Administrator) -> Response {
    match invited(&form, &administrator).await {
        Ok(()) => administrator.stage.go_telling(INVITATIONS, &Told::Invited),
        Err(problem) => refused(&administrator, &form, problem).await,
    }
}

async fn invited(form: &Form, administrator: &Administrator) -> Result<(), Problem> {
    let role_id = role(form).ok_or(&problem::ROLE)?;
    if role_id == ADMIN_ROLE {
        administrator.confirm(form).await?;
    }
    let whom = NewInvitation { email: form.text("email"), name: form.text("name"), role_id };
    administer::invite(&administrator.stage.web, administrator.by(), whom).await?;
    Ok(())
}

async fn refused(administrator: &Administrator, form: &Form, problem: Problem) -> Response {
    match page(administrator, None, form, Asks::after(&problem)).await {
        Ok(view) => administrator.refuse(view, problem),
        Err(other) => administrator.stage.fail(other),
    }
}

/// What is done to an invitation that waits.
#[derive(Clone, Copy)]
enum Act {
    Resend,
    Revoke,
}

impl Act {
    fn consent(self) -> (Text, Text, (&'static str, Text)) {
        match self {
            Self::Resend => (
                Text { es: "Enviar otra vez una invitación", en: "Send an invitation again" },
                Text {
                    es: "Se envía otro enlace, que vale otra vez todo su plazo; el de antes deja de funcionar:",
                    en: "Another link is sent, which is good for its whole time again; the one of before works no more:",
                },
                ("/admin/invitations/resend", Text { es: "Enviar otra vez", en: "Send again" }),
            ),
            Self::Revoke => (
                Text { es: "Retirar una invitación", en: "Take an invitation back" },
                Text { es: "Su enlace deja de funcionar:", en: "Its link works no more:" },
                ("/admin/invitations/revoke", Text { es: "Retirar", en: "Take back" }),
            ),
        }
    }

    fn told(self) -> Told {
        match self {
            Self::Resend => Told::InvitationResent,
            Self::Revoke => Told::InvitationRevoked,
        }
    }
}

async fn waiting(administrator: &Administrator, id: &str) -> Result<Invitation, InviteError> {
    if !is_name(id) {
        return Err(InviteError::NotFound);
    }
    administer::invitation(&administrator.stage.web, administrator.by(), id).await
}

fn asked(administrator: &Administrator, invitation: &Invitation, act: Act) -> View<'static> {
    let (title, line, button) = act.consent();
    administrator.asks(Consent {
        here: "invitations",
        title,
        lines: vec![administrator.says(line).to_owned(), invitation.email.as_str().to_owned()],
        act: button,
        hidden: vec![("id", invitation.id.as_str().to_owned())],
        back: INVITATIONS,
        weight: Weight::Light,
    })
}

async fn ask(administrator: &Administrator, query: &Query, act: Act) -> Response {
    match waiting(administrator, &query.text("id").unwrap_or_default()).await {
        Ok(invitation) => administrator.show(asked(administrator, &invitation, act)).await,
        Err(error) => answer(administrator, Err(error), act).await,
    }
}

/// That of an administrator is a way to every account: it takes what inviting one takes.
async fn act_on(administrator: &Administrator, form: &Form, act: Act) -> Response {
    let invitation = match waiting(administrator, &form.typed("id")).await {
        Ok(invitation) => invitation,
        Err(error) => return answer(administrator, Err(error), act).await,
    };
    if invitation.role_id == ADMIN_ROLE
        && let Err(problem) = administrator.confirm(form).await
    {
        return administrator.refuse(asked(administrator, &invitation, act), problem);
    }
    let (web, id) = (&administrator.stage.web, invitation.id.as_str());
    let done = match act {
        Act::Resend => administer::resend_invitation(web, administrator.by(), id).await.map(drop),
        Act::Revoke => administer::revoke_invitation(web, administrator.by(), id).await,
    };
    answer(administrator, done, act).await
}

/// Where the password is asked for before an administrator's invitation is sent again.
pub(in crate::pages) async fn resend_form(administrator: Administrator, query: Query) -> Response {
    ask(&administrator, &query, Act::Resend).await
}

/// Sends one again, with another link.
pub(in crate::pages) async fn resend(form: Form, administrator: Administrator) -> Response {
    act_on(&administrator, &form, Act::Resend).await
}

/// Where the password is asked for before an administrator's invitation is taken back.
pub(in crate::pages) async fn revoke_form(administrator: Administrator, query: Query) -> Response {
    ask(&administrator, &query, Act::Revoke).await
}

/// Takes one back.
pub(in crate::pages) async fn revoke(form: Form, administrator: Administrator) -> Response {
    act_on(&administrator, &form, Act::Revoke).await
}

async fn answer(administrator: &Administrator, done: Result<(), InviteError>, act: Act) -> Response {
    match done {
        Ok(()) => administrator.stage.go_telling(INVITATIONS, &act.told()),
        // It was accepted, taken back or ran out while the page was looked at.
        Err(InviteError::NotFound) => administrator.stage.go_telling(INVITATIONS, &Told::InvitationWasGone),
        Err(error) => refused(administrator, &Form::default(), Problem::from(error)).await,
    }
}
