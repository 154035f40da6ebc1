//! `/account/devices`: where one is signed in, and where one was.

use axum::response::Response;
use cerrojo_app::sessions::{self, Session, SessionsError, Show};
use cerrojo_app::{Caller, Reauthentication};
use cerrojo_domain::SessionId;
use minijinja::context;
use minijinja::value::Serde;

use super::account::known_as;
use super::form::Form;
use super::stage::{Asked, SignedIn, Stage, View};
use super::told::{Told, Whose};
use crate::client::Client;
use crate::cookie::KeptPages;
use crate::problem::Problem;
use crate::query::is_name;
use crate::view::{SessionsView, Viewer};

/// Live sessions that are shown; a page has at most 50 kB in all.
const MOST_LIVE: usize = 30;
/// The same of those that have ended, the newest.
const MOST_ENDED: usize = 15;

const DEVICES: &str = "/account/devices";

fn reauthenticates(stage: &Stage) -> bool {
    stage.web.settings.reauthentication == Reauthentication::Required
}

/// All of them: this one, the other live ones by last use, and those that ended.
pub(super) async fn list(SignedIn { stage, caller }: SignedIn) -> Response {
    let all = match sessions::list(&stage.web, &caller, Show::WithEnded).await {
        Ok(all) => all,
        Err(trouble) => return stage.fail(trouble.into()),
    };
    let (mut live, mut ended): (Vec<Session>, Vec<Session>) = all.into_iter().partition(|one| one.ended.is_none());
    live.sort_by_key(|one| (one.id != caller.session, std::cmp::Reverse(one.last_seen_at)));
    ended.sort_by_key(|one| std::cmp::Reverse(one.ended.as_ref().map(|ended| ended.at)));
    let others = live.len().saturating_sub(1);
    let left_out = live.len().saturating_sub(MOST_LIVE);
    live.truncate(MOST_LIVE);
    ended.truncate(MOST_ENDED);
    let shown = |sessions| Serde(SessionsView::new(sessions, &caller.session, Viewer::Owner));
    let own = context! {
        here => "devices",
        live => shown(live),
        ended => shown(ended),
        others => others,
        left_out => left_out,
        reauthenticates => reauthenticates(&stage),
    };
    stage.show(View::new("devices.html", own).of(&caller)).await
}

async fn end_page(stage: &Stage, caller: &Caller, id: &str) -> View<'static> {
    let username = known_as(stage, caller).await;
    View::new("devices-end.html", context! { here => "devices", username => username, values => context! { id => id } })
}

/// Where the password is asked for before others end, if it is.
pub(super) async fn end_form(SignedIn { stage, caller }: SignedIn, Asked { id, .. }: Asked) -> Response {
    if !reauthenticates(&stage) {
        return stage.go(DEVICES);
    }
    stage.show(end_page(&stage, &caller, &id).await.of(&caller)).await
}

/// Ends one.
pub(super) async fn end_one(form: Form, SignedIn { stage, caller }: SignedIn, Client(origin): Client) -> Response {
    let name = form.typed("id");
    if !is_name(&name) {
        return stage.go_telling(DEVICES, &Told::OneWasOver);
    }
    let id = SessionId::from_text(name.clone());
    match sessions::end_one(&stage.web, &caller, &origin, (&id, form.text("currentPassword"))).await {
        Ok(()) if id == caller.session => stage
            .leaving(stage.go_telling("/logged-out", &Told::SignedOut(Some(Whose::of(&caller)))), KeptPages::Forgotten),
        Ok(()) => stage.go_telling(DEVICES, &Told::OneEnded),
        Err(SessionsError::NotFound) => stage.go_telling(DEVICES, &Told::OneWasOver),
        Err(error) => refused(&stage, &caller, (&name, error)).await,
    }
}

/// Ends all but this one.
pub(super) async fn end_others(form: Form, SignedIn { stage, caller }: SignedIn, Client(origin): Client) -> Response {
    match sessions::logout_others(&stage.web, &caller, &origin, form.text("currentPassword")).await {
        Ok(()) => stage.go_telling(DEVICES, &Told::OthersEnded),
        Err(error) => refused(&stage, &caller, ("", error)).await,
    }
}

async fn refused(stage: &Stage, caller: &Caller, (id, error): (&str, SessionsError)) -> Response {
    stage.refuse_to(caller, end_page(stage, caller, id).await, Problem::from(error))
}
