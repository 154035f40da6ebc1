//! `/admin/users`: look for users, and add one.

use axum::response::Response;
use cerrojo_app::administer::{self, AddedUser, AdminError, Page, UserSearch};
use cerrojo_domain::{RoleId, Roles, Status, USER_ROLE, User};
use minijinja::{Value, context};

use super::Administrator;
use super::about::{path, shown};
use super::asked::{ON_A_PAGE, query_of};
use super::query::Query;
use crate::pages::faults::Faults;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::{self, Problem};

/// The roles that there are to choose from.
pub(super) fn roles(roles: &Roles) -> Value {
    roles.iter().map(|(id, name)| context! { id => id, name => name }).collect()
}

/// The users that are looked for.
pub(in crate::pages) async fn list(administrator: Administrator, query: Query) -> Response {
    let (web, mut search) = (&administrator.stage.web, query.users());
    search.role_id = search.role_id.filter(|role| web.settings.roles.exists(*role));
    let asked = (query.page(), Some(ON_A_PAGE));
    match administer::list_users(web, administrator.by(), &search, asked).await {
        Ok(page) => administrator.show(list_page(&administrator, &search, Some(page))).await,
        Err(error @ AdminError::Search) => {
            let (es, en) = (
                "Lo que se busca puede tener hasta 200 caracteres, sin caracteres de control.",
                "What is looked for can have up to 200 characters, without control characters.",
            );
            let faults = Faults::from([("search", vec![administrator.stage.language.pick(es, en).to_owned()])]);
            let view = list_page(&administrator, &UserSearch::default(), None).of(&administrator.caller);
            administrator.stage.refuse_with(view, Problem::from(error), faults)
        }
        Err(error) => administrator.refuse(list_page(&administrator, &search, None), Problem::from(error)),
    }
}

fn list_page(administrator: &Administrator, search: &UserSearch, page: Option<Page<User>>) -> View<'static> {
    let web = &administrator.stage.web;
    let page = page.unwrap_or(Page { items: vec![], current_page: 1, total_pages: 1, page_size: 1, total_items: 0 });
    let users: Value = page.items.iter().map(|user| shown(web, user)).collect();
    let own = context! {
        here => "users",
        users => users,
        roles => roles(&web.settings.roles),
        page => page.current_page,
        pages => page.total_pages,
        total => page.total_items,
        query => query_of(search),
        values => context! {
            search => search.text.as_str(),
            status => search.status.map(Status::as_str),
            role_id => search.role_id,
            sort => search.sort.as_str(),
        },
    };
    View::new("admin/users.html", own)
}

fn new_page(administrator: &Administrator, form: &Form, asks: Asks) -> View<'static> {
    let settings = &administrator.stage.web.settings;
    let own = context! {
        here => "users",
        roles => roles(&settings.roles),
        asks => asks == Asks::Yes,
        values => context! {
            name => form.typed("name"),
            email => form.typed("email"),
            role_id => role(form).unwrap_or(USER_ROLE),
            email_verified => form.text("email_verified").is_some(),
        },
    };
    View::new("admin/user-new.html", own)
}

/// Whether a page asks for the administrator's password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Yes,
    No,
}

impl Asks {
    /// After a sign-in of long ago.
    pub(super) fn of(administrator: &Administrator) -> Self {
        if administrator.confirms() { Self::Yes } else { Self::No }
    }

    /// Only now that the password turned out to be missing or wrong.
    pub(super) fn after(problem: &Problem) -> Self {
        let of_password = [
            &problem::CURRENT_PASSWORD,
            &problem::CURRENT_PASSWORD_MISSING,
            &problem::TOO_MANY_PASSWORDS,
            &problem::TOO_MANY_LOGINS,
        ];
        if of_password.contains(&problem.row) { Self::Yes } else { Self::No }
    }
}

/// The role that was chosen.
pub(super) fn role(form: &Form) -> Option<RoleId> {
    form.text("role_id")?.parse().ok()
}

/// Where a user is added.
pub(in crate::pages) async fn new(administrator: Administrator) -> Response {
    let asks = Asks::of(&administrator);
    administrator.show(new_page(&administrator, &Form::default(), asks)).await
}

/// Adds one.
pub(in crate::pages) async fn add(form: Form, administrator: Administrator) -> Response {
    match added(&form, &administrator).await {
        Ok(user) => administrator.stage.go_telling(&path(&user), &Told::UserAdded),
        Err(problem) => {
            let asks = Asks::of(&administrator);
            administrator.refuse(new_page(&administrator, &form, asks), problem)
        }
    }
}

async fn added(form: &Form, administrator: &Administrator) -> Result<User, Problem> {
    let (name, email, password) = (form.typed("name"), form.typed("email"), form.typed("password"));
    let blank =
        [(&name, &problem::NAME_MISSING), (&email, &problem::EMAIL_MISSING), (&password, &problem::PASSWORD_MISSING)];
    if let Some((_, row)) = blank.into_iter().find(|(text, _)| text.trim().is_empty()) {
        return Err(row.into());
    }
    let role_id = role(form).ok_or(&problem::ROLE)?;
    administrator.confirm(form).await?;
    let email_verified = form.text("email_verified").is_some();
    let user = AddedUser { name, email, password, role_id, email_verified };
    Ok(administer::add_user(&administrator.stage.web, administrator.by(), user).await?)
}
