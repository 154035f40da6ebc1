//! `/forgot-password` and `/resend-verification`: where a link is asked for.

use axum::response::Response;
use cerrojo_app::{Verification, confirm, recover};
use minijinja::context;

use super::form::Form;
use super::sign_in::sent;
use super::stage::{Stage, View, limited};
use crate::client::Client;
use crate::problem;

fn page(template: &'static str, form: &Form) -> View<'static> {
    View::new(template, context! { values => context! { email => form.typed("email") } })
}

/// Where one says whose password was forgotten.
pub(super) async fn forgot_form(stage: Stage) -> Response {
    stage.show(page("forgot-password.html", &Form::default())).await
}

/// Asks for the link.
pub(super) async fn forgot(stage: Stage, Client(origin): Client, form: Form) -> Response {
    match limited(recover::forgot(&stage.web, &origin, form.text("email")).await) {
        Ok(()) => stage.go("/forgot-password/sent"),
        Err(problem) => stage.refuse(page("forgot-password.html", &form), problem),
    }
}

/// That a link is on its way, if there is such an account.
pub(super) async fn forgot_sent(stage: Stage) -> Response {
    stage.show(View::new("sent.html", sent("reset"))).await
}

/// Where one asks for the link that confirms an address.
pub(super) async fn resend_form(stage: Stage) -> Response {
    if stage.web.settings.verification == Verification::Off {
        return stage.fail((&problem::NO_ROUTE).into());
    }
    stage.show(page("resend.html", &Form::default())).await
}

/// Asks for it.
pub(super) async fn resend(stage: Stage, Client(origin): Client, form: Form) -> Response {
    match limited(confirm::resend(&stage.web, &origin, form.text("email")).await) {
        Ok(()) => stage.go("/register/sent"),
        Err(problem) if problem.row == &problem::VERIFICATION_OFF => stage.fail(problem),
        Err(problem) => stage.refuse(page("resend.html", &form), problem),
    }
}
