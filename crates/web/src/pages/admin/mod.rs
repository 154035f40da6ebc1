//! `/admin`: what administrators see and do. Every act is done by the same function of `cerrojo_app` as by the API.

mod about;
pub(super) mod acts;
mod asked;
pub(super) mod audit;
pub(super) mod endings;
pub(super) mod endings_stream;
pub(super) mod export;
pub(super) mod invitations;
pub(super) mod keys;
pub(super) mod mail;
pub(super) mod overview;
mod query;
pub(super) mod user;
pub(super) mod user_sessions;
pub(super) mod users;
mod words;

use axum::extract::FromRequestParts;
use axum::response::Response;
use cerrojo_app::administer::By;
use cerrojo_app::{Caller, account};
use cerrojo_domain::{ADMIN_ROLE, Origin};
use http::request::Parts;
use minijinja::context;

use super::form::Form;
use super::stage::{SignedIn, Stage, View, limited};
use crate::Web;
use crate::client::Client;
use crate::envelope::Text;
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

    /// A text in the reader's language.
    pub(super) fn says(&self, text: Text) -> &'static str {
        self.stage.language.pick(text.es, text.en)
    }

    /// The page that asks whether something is to be done that hurts somebody.
    pub(super) fn asks(&self, consent: Consent) -> View<'static> {
        let Consent { here, title, lines, act: (action, button), hidden, back, weight } = consent;
        let own = context! {
            here => here,
            title => self.says(title),
            lines => lines,
            action => action,
            button => self.says(button),
            hidden => hidden,
            back => back,
            grave => weight == Weight::Grave,
            confirms => self.confirms(),
        };
        View::new("admin/consent.html", own)
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

/// What is asked before something is done that hurts somebody.
pub(super) struct Consent {
    /// Among which pages it is.
    pub(super) here: &'static str,
    pub(super) title: Text,
    /// What will happen.
    pub(super) lines: Vec<String>,
    /// Where the form goes, and what its button says.
    pub(super) act: (&'static str, Text),
    /// What it is about.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// Where who does not want it goes.
    pub(super) back: &'static str,
    pub(super) weight: Weight,
}

/// Whether something can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nobody loses anything.
    Light,
    /// There is no way back.
    Grave,
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
