//! `/admin`: what administrators see and do. Every act is done by the same function of `cerrojo_app` as by the API.

mod about;
pub(super) mod acts;
mod asked;
pub(super) mod invitations;
pub(super) mod overview;
pub(super) mod user;
pub(super) mod user_sessions;
pub(super) mod users;

use axum::extract::FromRequestParts;
use axum::response::Response;
use cerrojo_app::administer::By;
use cerrojo_app::{Caller, account};
use cerrojo_domain::{ADMIN_ROLE, Origin};
use http::request::Parts;

use super::form::Form;
use super::stage::{SignedIn, Stage, View, limited};
use crate::Web;
use crate::client::Client;
use crate::problem::{self, Problem};

/// An administrator who is signed in. Whoever is signed in and is none is refused; whoever is not signed in gets to the page
/// where one does.
pub(super) struct Administrator {
    pub(super) stage: Stage,
    pub(super) caller: Caller,
    pub(super) origin: Origin,
}

impl Administrator {
    /// On whose word, and from where.
    pub(super) fn by(&self) -> By<'_> {
        By::Administrator(&self.caller, &self.origin)
    }

    /// Whether the password is asked for before what hurts somebody.
    pub(super) fn confirms(&self) -> bool {
        !account::is_fresh(&self.stage.web, &self.caller)
    }

    /// Lets an act go on that hurts somebody: after a sign-in of lately, or with the password in the form.
    pub(super) async fn confirm(&self, form: &Form) -> Result<(), Problem> {
        let password = form.text("currentPassword");
        limited(account::confirm(&self.stage.web, &self.caller, &self.origin, password).await)
    }

    /// Shows a page.
    pub(super) async fn show(&self, view: View<'_>) -> Response {
        self.stage.show(view.of(&self.caller)).await
    }

    /// Shows a page again, with what was wrong.
    pub(super) fn refuse(&self, view: View<'_>, problem: Problem) -> Response {
        self.stage.refuse_to(&self.caller, view, problem)
    }
}

impl FromRequestParts<Web> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let SignedIn { stage, caller } = SignedIn::from_request_parts(parts, web).await?;
        if caller.role_id != ADMIN_ROLE {
            return Err(stage.fail((&problem::NOT_ADMINISTRATOR).into()));
        }
        let Ok(Client(origin)) = Client::from_request_parts(parts, web).await;
        Ok(Self { stage, caller, origin })
    }
}
