//! `/not-me` and `/undo-email`: what the links in notices open. Their buttons end everything of the account and lead to where a
//! password is chosen.

use axum::response::Response;
use cerrojo_app::take_back::{self, Notice};
use minijinja::context;

use super::faults::{self, Faults};
use super::form::LinkForm;
use super::links::{Kind, is_over};
use super::stage::{Asked, Stage, View, limited, without_referrer};
use super::told::Told;
use crate::client::Client;
use crate::problem::{self, Problem};

fn kind(notice: Notice) -> Kind {
    match notice {
        Notice::NewDevice => Kind::NotMe,
        Notice::EmailChanged => Kind::UndoEmail,
    }
}

fn page(notice: Notice, (email, token): (&str, &str)) -> View<'static> {
    let own = context! { kind => kind(notice).name(), values => context! { email => email, token => token } };
    View::new("take-back.html", own)
}

/// Where a sign-in is said to be somebody else's.
pub(super) async fn not_me_form(stage: Stage, asked: Asked) -> Response {
    open(&stage, Notice::NewDevice, &asked.token).await
}

/// Where a change of address is undone.
pub(super) async fn undo_form(stage: Stage, asked: Asked) -> Response {
    open(&stage, Notice::EmailChanged, &asked.token).await
}

async fn open(stage: &Stage, notice: Notice, token: &str) -> Response {
    without_referrer(match take_back::works(&stage.web, notice, token).await {
        Ok(Some(email)) => stage.show(page(notice, (email.as_str(), token))).await,
        Ok(None) => is_over(stage, kind(notice)),
        Err(trouble) => stage.fail(trouble.into()),
    })
}

/// Says so.
pub(super) async fn not_me(stage: Stage, client: Client, form: LinkForm) -> Response {
    take(&stage, client, (Notice::NewDevice, form)).await
}

/// Undoes it.
pub(super) async fn undo(stage: Stage, client: Client, form: LinkForm) -> Response {
    take(&stage, client, (Notice::EmailChanged, form)).await
}

async fn take(stage: &Stage, Client(origin): Client, (notice, LinkForm(form, _)): (Notice, LinkForm)) -> Response {
    let token = form.typed("token");
    without_referrer(match limited(take_back::take_back(&stage.web, &origin, (notice, form.text("token"))).await) {
        Ok(code) => stage.go_telling(&format!("/reset-password?token={code}"), &Told::TakenBack),
        Err(problem) if problem.row == &problem::RESET_TOKEN || problem.row == &problem::RESET_TOKEN_MISSING => {
            is_over(stage, kind(notice))
        }
        Err(problem) => again(stage, (notice, &token), problem).await,
    })
}

async fn again(stage: &Stage, (notice, token): (Notice, &str), problem: Problem) -> Response {
    let email = take_back::works(&stage.web, notice, token).await.ok().flatten();
    let email = email.map(|email| email.as_str().to_owned()).unwrap_or_default();
    let view = page(notice, (&email, token));
    if problem.row == &problem::EMAIL_TAKEN {
        let text = stage.language.pick(
            "Otra cuenta tiene ahora esta dirección. Habla con quien administra este sitio.",
            "Another account has this address now. Speak to whoever runs this site.",
        );
        return stage.refuse_with(view, problem, Faults::from([(faults::FORM, vec![text.to_owned()])]));
    }
    stage.refuse(view, problem)
}
