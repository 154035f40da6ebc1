//! `/logout`, `/logged-out`, and what says that something was done.

use axum::response::Response;
use cerrojo_app::authenticate::{AuthError, Counts, Showing, authenticate};
use cerrojo_app::end::{self, LogoutError};
use cerrojo_domain::Origin;
use http::HeaderMap;
use minijinja::context;

use super::form::Form;
use super::stage::{Stage, View, Visitor};
use super::told::{Told, Whose};
use crate::client::Client;
use crate::cookie::{KeptPages, MOST_TOKENS};
use crate::problem::{self, Problem};

/// A button that signs out: to open a link does not.
pub(super) async fn form(stage: Stage) -> Response {
    match stage.visitor().await {
        Ok(Visitor::Person(caller)) => stage.show(View::new("logout.html", context! {}).of(&caller)).await,
        Ok(Visitor::Over(whose)) => match known_to_be_over(&stage).await {
            Ok(()) => stage.leaving(stage.go_telling("/logged-out", &Told::SignedOut(whose)), KeptPages::Left),
            Err(problem) => stage.fail(problem),
        },
        Ok(Visitor::Nobody) => stage.go("/logged-out"),
        Err(problem) => stage.fail(problem),
    }
}

/// On every node: what is said of it next is so.
async fn known_to_be_over(stage: &Stage) -> Result<(), Problem> {
    if let Some(token) = stage.token() {
        end::known_to_be_over(&stage.web, token).await?;
    }
    Ok(())
}

/// Signs out. Whoever has no session, or one that is over, is told so and not refused.
pub(super) async fn logout(stage: Stage, Client(origin): Client, headers: HeaderMap, _: Form) -> Response {
    let outcome = match stage.token() {
        Some(_) => sign_out(&stage, &origin).await,
        None => sign_out_of_all(&stage, &origin, &headers).await,
    };
    match outcome {
        Ok(told) => stage.leaving(stage.go_telling("/logged-out", &told), KeptPages::Forgotten),
        // Whether the session is over is not known, so it is not said: the button is there again.
        Err(problem) => stage.refuse(View::new("logout.html", context! {}), problem),
    }
}

async fn sign_out(stage: &Stage, origin: &Origin) -> Result<Told, Problem> {
    match stage.visitor().await? {
        Visitor::Nobody => Ok(Told::SignedOut(None)),
        Visitor::Over(whose) => {
            known_to_be_over(stage).await?;
            Ok(Told::SignedOut(whose))
        }
        Visitor::Person(caller) => match end::logout(&stage.web, &caller, origin).await {
            Ok(()) | Err(LogoutError::AlreadyEnded) => Ok(Told::SignedOut(Some(Whose::of(&caller)))),
            Err(error) => Err(error.into()),
        },
    }
}

/// Over plain http another host of the domain may have put a cookie beside ours. Which is the person's is not known, so for
/// everything else there is none; but whoever signs out is out of every one.
async fn sign_out_of_all(stage: &Stage, origin: &Origin, headers: &HeaderMap) -> Result<Told, Problem> {
    let tokens = stage.web.cookie().tokens(headers);
    if tokens.len() > MOST_TOKENS {
        return Err((&problem::WRONG_INPUT).into());
    }
    for token in tokens {
        let showing = Showing { token: &token, from: None, counts: Counts::AsNothing };
        let caller = match authenticate(&stage.web, showing).await {
            Ok(caller) => caller,
            Err(AuthError::Invalid | AuthError::Over) => {
                end::known_to_be_over(&stage.web, &token).await?;
                continue;
            }
            Err(AuthError::Trouble(trouble)) => return Err(trouble.into()),
        };
        match end::logout(&stage.web, &caller, origin).await {
            Ok(()) | Err(LogoutError::AlreadyEnded) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Told::SignedOut(None))
}

/// That no session is open here any more; or that one is.
pub(super) async fn logged_out(stage: Stage) -> Response {
    match stage.visitor().await {
        Ok(Visitor::Person(caller)) => stage.show(View::new("logout.html", context! {}).of(&caller)).await,
        Ok(Visitor::Nobody | Visitor::Over(_)) => stage.show(View::new("signed-out.html", context! {})).await,
        // The browser holds a token, and whether that still is a session cannot be said now.
        Err(problem) => stage.fail(problem),
    }
}

/// What was done, by whoever need not be signed in.
pub(super) async fn done(stage: Stage) -> Response {
    match (&stage.told, stage.visitor().await) {
        (None, Ok(Visitor::Person(_))) => stage.go("/account"),
        (None, _) => stage.go("/login"),
        (Some(_), visitor) => {
            let signed_in = matches!(visitor, Ok(Visitor::Person(_)));
            stage.show(View::new("done.html", context! { signed_in => signed_in })).await
        }
    }
}
