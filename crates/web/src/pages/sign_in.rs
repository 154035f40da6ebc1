//! `/login` and `/register`.

use axum::response::Response;
use cerrojo_app::login::{self, Credentials, SignedIn};
use cerrojo_app::register::{self, Missing, NewAccount, RegisterError, Registered};
use cerrojo_app::{Limited, Registration, Verification};
use cerrojo_domain::Origin;
use minijinja::{Value, context};

use super::faults::{self, Faults};
use super::form::Form;
use super::next::Next;
use super::stage::{Asked, Stage, View, Visitor, limited, set_cookie};
use super::told::Told;
use crate::client::Client;
use crate::cookie::end_replaced;
use crate::problem::{self, Problem};

const ACCOUNT: &str = "/account";

/// Where one signs in.
pub(super) async fn login_form(mut stage: Stage, Asked { next, .. }: Asked) -> Response {
    match stage.visitor().await {
        Ok(Visitor::Person(_)) => return stage.go(next.as_ref().map_or(ACCOUNT, Next::as_str)),
        Ok(Visitor::Over(whose)) => stage.told = Some(Told::Ended(whose)),
        Ok(Visitor::Nobody) => {}
        Err(problem) => return stage.fail(problem),
    }
    let page = login_page(&stage, "", (next.as_ref(), Confirmed::Yes));
    let mut response = stage.show(page).await;
    if stage.token().is_some() {
        set_cookie(&mut response, stage.web.cookie().clear());
    }
    response
}

/// Whether nothing has to be confirmed first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    Yes,
    No,
}

fn login_page(stage: &Stage, email: &str, (next, confirmed): (Option<&Next>, Confirmed)) -> View<'static> {
    let own = context! {
        values => context! { email => email, next => next.map_or("", Next::as_str) },
        open => is_open(stage),
        unconfirmed => confirmed == Confirmed::No,
    };
    View::new("login.html", own)
}

fn is_open(stage: &Stage) -> bool {
    stage.web.settings.registration == Registration::Open
}

/// Signs in.
pub(super) async fn login(stage: Stage, Client(origin): Client, form: Form) -> Response {
    let next = Next::of(&form.typed("next"));
    let typed = Credentials { email: form.text("email"), password: form.text("password") };
    match limited(login::login(&stage.web, &origin, typed).await) {
        Ok(signed_in) => enter(&stage, &origin, (&signed_in, next.as_ref().map_or(ACCOUNT, Next::as_str))).await,
        Err(problem) => {
            let confirmed = if problem.row == &problem::UNVERIFIED { Confirmed::No } else { Confirmed::Yes };
            stage.refuse(login_page(&stage, &form.typed("email"), (next.as_ref(), confirmed)), problem)
        }
    }
}

/// Gives the browser its session, and ends the one that it had before.
async fn enter(stage: &Stage, origin: &Origin, (signed_in, to): (&SignedIn, &str)) -> Response {
    end_replaced(&stage.web, stage.token(), origin).await;
    let lasts = signed_in.expires_at.since(stage.web.clock.now());
    let mut response = stage.go(to);
    set_cookie(&mut response, stage.web.cookie().set(&signed_in.token, lasts));
    response
}

/// Where one registers.
pub(super) async fn register_form(stage: Stage) -> Response {
    if !is_open(&stage) {
        return stage.fail((&problem::REGISTER_CLOSED).into());
    }
    match stage.visitor().await {
        Ok(Visitor::Person(_)) => stage.go(ACCOUNT),
        Err(problem) => stage.fail(problem),
        Ok(Visitor::Nobody | Visitor::Over(_)) => stage.show(register_page(&Form::default())).await,
    }
}

fn register_page(form: &Form) -> View<'static> {
    let values = context! { name => form.typed("name"), email => form.typed("email") };
    View::new("register.html", context! { values => values })
}

/// Registers.
pub(super) async fn register(stage: Stage, Client(origin): Client, form: Form) -> Response {
    let typed = NewAccount { name: form.text("name"), email: form.text("email"), password: form.text("password") };
    let registered = register::register(&stage.web, &origin, typed).await;
    if let Limited { outcome: Err(RegisterError::Incomplete(missing)), quota } = registered {
        let faults = incomplete(&stage, &missing);
        let problem = Problem { quota, ..RegisterError::Incomplete(missing).into() };
        return stage.refuse_with(register_page(&form), problem, faults);
    }
    match limited(registered) {
        Ok(Registered::SignedIn(signed_in)) => enter(&stage, &origin, (&signed_in, ACCOUNT)).await,
        Ok(Registered::Waiting(_)) => stage.go("/register/sent"),
        Err(problem) if problem.row == &problem::REGISTER_CLOSED => stage.fail(problem),
        Err(problem) => stage.refuse(register_page(&form), problem),
    }
}

fn incomplete(stage: &Stage, missing: &[Missing]) -> Faults {
    let row = |missing: &Missing| match missing {
        Missing::Name => &problem::NAME_MISSING,
        Missing::Email => &problem::EMAIL_MISSING,
        Missing::Password => &problem::PASSWORD_MISSING,
    };
    missing.iter().flat_map(|missing| faults::of(&row(missing).into(), stage.language)).collect()
}

/// That a link is on its way.
pub(super) async fn register_sent(stage: Stage) -> Response {
    if stage.web.settings.verification == Verification::Off {
        return stage.fail((&problem::NO_ROUTE).into());
    }
    stage.show(View::new("sent.html", sent("confirm"))).await
}

/// What the page is given that says that a mail is on its way.
pub(super) fn sent(what: &str) -> Value {
    context! { what => what }
}
