//! `/first-administrator`: what the link opens that a server without an administrator prints when it starts.

use axum::response::Response;
use cerrojo_app::administer::{self, FirstAdministrator};
use minijinja::context;

use super::form::{Form, LinkForm};
use super::links::{Kind, is_over};
use super::stage::{Asked, Stage, View, limited, without_referrer};
use super::told::Told;
use crate::client::Client;
use crate::problem;

fn page(form: &Form, token: &str) -> View<'static> {
    let values = context! { name => form.typed("name"), email => form.typed("email"), token => token };
    View::new("first.html", context! { values => values })
}

/// Where the first administrator says who that is.
pub(super) async fn form(stage: Stage, Asked { token, .. }: Asked) -> Response {
    without_referrer(match administer::first_works(&stage.web, &token).await {
        Ok(true) => stage.show(page(&Form::default(), &token)).await,
        Ok(false) => is_over(&stage, Kind::First),
        Err(trouble) => stage.fail(trouble.into()),
    })
}

/// Makes the account.
pub(super) async fn make(stage: Stage, Client(origin): Client, LinkForm(form, _): LinkForm) -> Response {
    let typed = FirstAdministrator {
        token: form.text("token"),
        name: form.text("name"),
        email: form.text("email"),
        password: form.text("password"),
    };
    without_referrer(match limited(administer::make_first(&stage.web, &origin, typed).await) {
        Ok(_) => stage.go_telling("/login?next=/admin", &Told::Accepted),
        Err(problem) if problem.row == &problem::INVITATION_TOKEN || problem.row == &problem::RESET_TOKEN_MISSING => {
            is_over(&stage, Kind::First)
        }
        Err(problem) => stage.refuse(page(&form, &form.typed("token")), problem),
    })
}
