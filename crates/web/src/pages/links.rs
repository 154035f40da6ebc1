//! What links in mails open: a page with a button. Whatever only looks at links uses none up.

use axum::response::Response;
use cerrojo_app::accept::{self, Acceptance};
use cerrojo_app::confirm;
use cerrojo_app::recover::{self, Reset};
use cerrojo_app::{Trouble, Verification};
use minijinja::context;

use super::form::{Form, LinkForm, Sent};
use super::stage::{Asked, Stage, View, Visitor, limited, without_referrer};
use super::told::Told;
use crate::client::Client;
use crate::problem::{self, Problem, Row};

/// What a link is for, as its page when it works no more says.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Reset,
    Verify,
    Invitation,
    NotMe,
    UndoEmail,
    First,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Invitation => "invitation",
            Self::NotMe => "not-me",
            Self::UndoEmail => "undo-email",
            Self::First => "first",
        }
    }

    fn row(self) -> &'static Row {
        match self {
            Self::Reset | Self::NotMe | Self::UndoEmail => &problem::RESET_TOKEN,
            Self::Verify => &problem::VERIFICATION_TOKEN,
            Self::Invitation | Self::First => &problem::INVITATION_TOKEN,
        }
    }
}

/// The link works no more, and where to get another one.
pub(super) fn is_over(stage: &Stage, kind: Kind) -> Response {
    let verifies = stage.web.settings.verification != Verification::Off;
    let own = context! { kind => kind.name(), verifies => verifies };
    stage.refuse(View::new("link-over.html", own), kind.row().into())
}

/// The page if the link works.
async fn open(stage: &Stage, works: Result<bool, Trouble>, (kind, view): (Kind, View<'_>)) -> Response {
    without_referrer(match works {
        Ok(true) => stage.show(view).await,
        Ok(false) => is_over(stage, kind),
        Err(trouble) => stage.fail(trouble.into()),
    })
}

/// What came of the form.
fn used(stage: &Stage, outcome: Result<&Told, Problem>, (kind, view): (Kind, View<'_>)) -> Response {
    without_referrer(match outcome {
        Ok(told) => stage.go_telling("/done", told),
        Err(problem) if problem.row == kind.row() || problem.row == &problem::RESET_TOKEN_MISSING => {
            is_over(stage, kind)
        }
        Err(problem) => stage.refuse(view, problem),
    })
}

fn reset_page(token: &str) -> View<'static> {
    View::new("reset-password.html", context! { values => context! { token => token } })
}

/// Where a forgotten password is set anew.
pub(super) async fn reset_form(stage: Stage, Asked { token, .. }: Asked) -> Response {
    let works = recover::works(&stage.web, &token).await;
    open(&stage, works, (Kind::Reset, reset_page(&token))).await
}

/// Sets it.
pub(super) async fn reset(stage: Stage, Client(origin): Client, LinkForm(form, _): LinkForm) -> Response {
    let typed = Reset { token: form.text("token"), new_password: form.text("newPassword") };
    let outcome = limited(recover::reset(&stage.web, &origin, typed).await);
    used(&stage, outcome.map(|()| &Told::Reset), (Kind::Reset, reset_page(&form.typed("token"))))
}

fn verify_page(token: &str) -> View<'static> {
    View::new("verify-email.html", context! { values => context! { token => token } })
}

/// Where an address is confirmed.
pub(super) async fn verify_form(stage: Stage, Asked { token, .. }: Asked) -> Response {
    let works = confirm::works(&stage.web, &token).await;
    open(&stage, works, (Kind::Verify, verify_page(&token))).await
}

/// Confirms it.
pub(super) async fn verify(stage: Stage, Client(origin): Client, LinkForm(form, sent): LinkForm) -> Response {
    let caller = match stage.visitor().await {
        Ok(Visitor::Person(caller)) if sent == Sent::ByUs => Some(caller),
        Ok(_) => None,
        Err(problem) => return without_referrer(stage.fail(problem)),
    };
    let outcome = limited(confirm::confirm(&stage.web, &origin, caller.as_ref(), form.text("token")).await);
    used(&stage, outcome.map(|_| &Told::Confirmed), (Kind::Verify, verify_page(&form.typed("token"))))
}

fn accept_page(email: &str, (name, token): (&str, &str)) -> View<'static> {
    let values = context! { email => email, name => name, token => token };
    View::new("invitation.html", context! { values => values })
}

/// Where an invitation is accepted.
pub(super) async fn accept_form(stage: Stage, Asked { token, .. }: Asked) -> Response {
    without_referrer(match accept::invited(&stage.web, &token).await {
        Ok(Some((email, name))) => stage.show(accept_page(email.as_str(), (&name.unwrap_or_default(), &token))).await,
        Ok(None) => is_over(&stage, Kind::Invitation),
        Err(trouble) => stage.fail(trouble.into()),
    })
}

/// Accepts it.
pub(super) async fn accept(stage: Stage, Client(origin): Client, LinkForm(form, _): LinkForm) -> Response {
    let typed = Acceptance { token: form.text("token"), name: form.text("name"), password: form.text("password") };
    let outcome = limited(accept::accept(&stage.web, &origin, typed).await);
    let is_looked_up = outcome.as_ref().is_err_and(|problem| problem.row != &problem::TOO_MANY_REQUESTS);
    let email = if is_looked_up { invited(&stage, &form).await } else { String::new() };
    let view = accept_page(&email, (&form.typed("name"), &form.typed("token")));
    used(&stage, outcome.map(|_| &Told::Accepted), (Kind::Invitation, view))
}

/// Whose account it is to be, for the form that is shown again.
async fn invited(stage: &Stage, form: &Form) -> String {
    let found = accept::invited(&stage.web, &form.typed("token")).await;
    found.ok().flatten().map(|(email, _)| email.as_str().to_owned()).unwrap_or_default()
}
