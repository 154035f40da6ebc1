//! `/admin/users/{id}/sessions`: where a user is signed in, what ended and why, and ending it.

use axum::response::Response;
use cerrojo_app::administer::{self, AdminError};
use cerrojo_app::sessions::{Session, Show};
use cerrojo_domain::SessionId;
use minijinja::context;
use minijinja::value::Serde;

use super::about::About;
use super::users::Asks;
use crate::cookie::KeptPages;
use crate::pages::form::Form;
use crate::pages::stage::{Asked, View};
use crate::pages::told::{Told, Whose};
use crate::problem::Problem;
use crate::query::is_name;
use crate::view::{SessionsView, Viewer};

/// Live sessions that are shown; a page has at most 50 kB in all.
const MOST_LIVE: usize = 25;
/// The same of those that have ended, the newest.
const MOST_ENDED: usize = 25;

fn place(about: &About) -> String {
    format!("{}/sessions", about.path())
}

/// The live ones by last use, and those that ended.
pub(in crate::pages) async fn list(about: About) -> Response {
    let administrator = &about.administrator;
    let (web, id) = (&administrator.stage.web, about.user.id);
    let all = match administer::user_sessions(web, administrator.by(), id, Show::WithEnded).await {
        Ok(all) => all,
        Err(error) => return administrator.stage.fail(error.into()),
    };
    let (mut live, mut ended): (Vec<Session>, Vec<Session>) = all.into_iter().partition(|one| one.ended.is_none());
    live.sort_by_key(|one| std::cmp::Reverse(one.last_seen_at));
    ended.sort_by_key(|one| std::cmp::Reverse(one.ended.as_ref().map(|ended| ended.at)));
    let (count, left_out) = (live.len(), live.len().saturating_sub(MOST_LIVE));
    live.truncate(MOST_LIVE);
    ended.truncate(MOST_ENDED);
    let shown = |sessions| Serde(SessionsView::new(sessions, &administrator.caller.session, Viewer::Administrator));
    let own = context! {
        here => "users",
        user => about.shown(),
        live => shown(live),
        ended => shown(ended),
        count => count,
        left_out => left_out,
        confirms => administrator.confirms(),
    };
    administrator.show(View::new("admin/user-sessions.html", own)).await
}

fn end_page(about: &About, id: &str) -> View<'static> {
    let own = context! {
        here => "users",
        user => about.shown(),
        is_own => about.is_own(),
        asks => Asks::of(&about.administrator) == Asks::Yes,
        values => context! { id => id },
    };
    View::new("admin/user-sessions-end.html", own)
}

/// What ending does, and where the password is asked for.
pub(in crate::pages) async fn end_form(about: About, Asked { id, .. }: Asked) -> Response {
    about.administrator.show(end_page(&about, &id)).await
}

/// Ends one, or all of them where the form says so: one that lost a field ends nothing.
pub(in crate::pages) async fn end(form: Form, about: About) -> Response {
    let administrator = &about.administrator;
    let id = form.typed("id");
    let all = form.text("all").as_deref() == Some("true");
    if all != id.is_empty() {
        return administrator.stage.go_telling(&place(&about), &Told::UserSessionWasOver);
    }
    if let Err(problem) = administrator.confirm(&form).await {
        return administrator.refuse(end_page(&about, &id), problem);
    }
    let (web, user) = (&administrator.stage.web, about.user.id);
    let is_of_here = about.is_own() && (all || id == administrator.caller.session.as_str());
    let done = if all {
        administer::end_user_sessions(web, administrator.by(), user).await.map(|_| Told::UserSessionsEnded)
    } else if is_name(&id) {
        let session = SessionId::from_text(id.clone());
        let ended = administer::end_user_session(web, administrator.by(), user, &session).await;
        ended.map(|()| Told::UserSessionEnded)
    } else {
        Err(AdminError::NotFound)
    };
    match done {
        Ok(_) if is_of_here => {
            let told = Told::SignedOut(Some(Whose::of(&administrator.caller)));
            administrator.stage.leaving(administrator.stage.go_telling("/logged-out", &told), KeptPages::Forgotten)
        }
        Ok(told) => administrator.stage.go_telling(&place(&about), &told),
        Err(AdminError::NotFound) => administrator.stage.go_telling(&place(&about), &Told::UserSessionWasOver),
        Err(error) => administrator.refuse(end_page(&about, &id), Problem::from(error)),
    }
}
