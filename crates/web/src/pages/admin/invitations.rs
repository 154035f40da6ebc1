//! `/admin/invitations`: who was invited and has not come yet.

use axum::response::Response;
use cerrojo_app::administer::{self, InviteError, NewInvitation, Page};
use cerrojo_domain::{ADMIN_ROLE, USER_ROLE};
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::Administrator;
use super::asked::{ON_A_PAGE, Query};
use super::users::{Asks, role, roles};
use crate::api::invitations::InvitationView;
use crate::pages::form::Form;
use crate::pages::stage::View;
use crate::pages::told::Told;
use crate::problem::{self, Problem};
use crate::query::is_name;

const INVITATIONS: &str = "/admin/invitations";

async fn page(
    administrator: &Administrator,
    asked: Option<i64>,
    form: &Form,
    asks: Asks,
) -> Result<View<'static>, Problem> {
    let web = &administrator.stage.web;
    let roles_known = &web.settings.roles;
    let asked_for = (asked, Some(ON_A_PAGE));
    let listed = administer::list_invitations(web, administrator.by(), asked_for.0, asked_for.1).await;
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

/// Sends one again, with another link.
pub(in crate::pages) async fn resend(form: Form, administrator: Administrator) -> Response {
    let id = form.typed("id");
    let sent = if is_name(&id) {
        administer::resend_invitation(&administrator.stage.web, administrator.by(), &id).await.map(drop)
    } else {
        Err(InviteError::NotFound)
    };
    answer(&administrator, sent, &Told::InvitationResent).await
}

/// Takes one back.
pub(in crate::pages) async fn revoke(form: Form, administrator: Administrator) -> Response {
    let id = form.typed("id");
    let revoked = if is_name(&id) {
        administer::revoke_invitation(&administrator.stage.web, administrator.by(), &id).await
    } else {
        Err(InviteError::NotFound)
    };
    answer(&administrator, revoked, &Told::InvitationRevoked).await
}

async fn answer(administrator: &Administrator, done: Result<(), InviteError>, told: &Told) -> Response {
    match done {
        Ok(()) => administrator.stage.go_telling(INVITATIONS, told),
        // It was accepted, taken back or ran out while the page was looked at.
        Err(InviteError::NotFound) => administrator.stage.go_telling(INVITATIONS, &Told::InvitationWasGone),
        Err(error) => refused(administrator, &Form::default(), Problem::from(error)).await,
    }
}
