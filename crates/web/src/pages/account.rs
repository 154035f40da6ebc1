//! `/account`: one's profile, password and data.

use axum::response::{IntoResponse as _, Response};
use cerrojo_app::password::{self, PasswordChange};
use cerrojo_app::profile::{self, Profile, ProfileChange};
use cerrojo_app::{Caller, OwnDeletion, Reauthentication, Verification, leave};
use cerrojo_domain::{ADMIN_ROLE, Email};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use minijinja::context;

use super::form::Form;
use super::stage::{SignedIn, Stage, View, limited};
use super::told::Told;
use crate::api::personal;
use crate::client::Client;
use crate::cookie::KeptPages;
use crate::envelope::JSON;
use crate::problem::{self, Problem};
use crate::view::PersonalView;

/// Whether the person may delete the account here.
fn may_leave(stage: &Stage, caller: &Caller) -> bool {
    stage.web.settings.own_deletion == OwnDeletion::Allowed && caller.role_id != ADMIN_ROLE
}

fn page(stage: &Stage, caller: &Caller, (profile, name, email): (&Profile, &str, &str)) -> View<'static> {
    let settings = &stage.web.settings;
    let shows_confirmed = settings.verification != Verification::Off;
    let own = context! {
        here => "account",
        values => context! { name => name, email => email },
        pending => profile.pending_email.as_ref().map(Email::as_str),
        unconfirmed => shows_confirmed && !profile.user.email_verified,
        reauthenticates => settings.reauthentication == Reauthentication::Required,
        waits => settings.verification == Verification::Required,
        deletes => may_leave(stage, caller),
    };
    View::new("account.html", own)
}

/// Where whoever types nothing but the server's name wants to be.
pub(super) async fn root(stage: Stage) -> Response {
    stage.go("/account")
}

/// The profile.
pub(super) async fn form(SignedIn { stage, caller }: SignedIn) -> Response {
    match profile::read(&stage.web, &caller).await {
        Ok(profile) => {
            let (name, email) = (&profile.user.name, profile.user.email.as_str());
            stage.show(page(&stage, &caller, (&profile, name, email)).of(&caller)).await
        }
        Err(error) => stage.fail(error.into()),
    }
}

/// Changes it.
pub(super) async fn change(form: Form, SignedIn { stage, caller }: SignedIn, Client(origin): Client) -> Response {
    let before = match profile::read(&stage.web, &caller).await {
        Ok(before) => before,
        Err(error) => return stage.fail(error.into()),
    };
    let (name, email) = (form.typed("name"), form.typed("email"));
    let is_other = Email::parse(&email).is_ok_and(|email| email != before.user.email);
    let typed = ProfileChange {
        name: form.text("name"),
        email: form.text("email"),
        current_password: form.text("currentPassword"),
    };
    // The API leaves out what is not to change; a form has all of it.
    let blank = [(&name, &problem::NAME_MISSING), (&email, &problem::EMAIL_MISSING)];
    let blank = blank.into_iter().find(|(text, _)| text.trim().is_empty()).map(|(_, row)| Problem::from(row));
    let outcome = match blank {
        Some(problem) => Err(problem),
        None => profile::change(&stage.web, &caller, &origin, typed).await.map_err(Problem::from),
    };
    match outcome {
        Ok(_) if !is_other => stage.go_telling("/account", &Told::Saved),
        Ok(Profile { pending_email: Some(_), .. }) => stage.go_telling("/account", &Told::EmailWaits),
        Ok(_) => stage.go_telling("/account", &Told::EmailChanged),
        Err(problem) => stage.refuse_to(&caller, page(&stage, &caller, (&before, &name, &email)), problem),
    }
}

/// The address that a password manager knows the account by.
pub(super) async fn known_as(stage: &Stage, caller: &Caller) -> String {
    let profile = profile::read(&stage.web, caller).await;
    profile.map_or_else(|_| caller.email.clone(), |profile| profile.user.email.as_str().to_owned())
}

fn password_page(username: String) -> View<'static> {
    View::new("password.html", context! { here => "password", username => username })
}

/// Where the password is changed.
pub(super) async fn password_form(SignedIn { stage, caller }: SignedIn) -> Response {
    let page = password_page(known_as(&stage, &caller).await);
    stage.show(page.of(&caller)).await
}

/// Changes it.
pub(super) async fn change_password(
    form: Form,
    SignedIn { stage, caller }: SignedIn,
    Client(origin): Client,
) -> Response {
    let typed = PasswordChange { current: form.text("currentPassword"), new: form.text("newPassword") };
    match limited(password::change(&stage.web, &caller, &origin, typed).await) {
        Ok(()) => stage.go_telling("/account", &Told::PasswordChanged),
        Err(problem) => {
            let page = password_page(known_as(&stage, &caller).await);
            stage.refuse_to(&caller, page, problem)
        }
    }
}

/// All that is kept of the person, as a file.
pub(super) async fn own_data(SignedIn { stage, caller }: SignedIn, Client(origin): Client) -> Response {
    let view = match personal::own_view(&stage.web, &caller, &origin).await {
        Ok(view) => view,
        Err(problem) => return stage.fail(problem),
    };
    as_file(&stage, &view, "account.json")
}

/// What is kept of a person, as a file of this name.
pub(super) fn as_file(stage: &Stage, view: &PersonalView, name: &str) -> Response {
    let Ok(json) = serde_json::to_vec_pretty(view) else { return stage.fail((&problem::INTERNAL).into()) };
    let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) else {
        return stage.fail((&problem::INTERNAL).into());
    };
    let mut response = json.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CONTENT_DISPOSITION, disposition);
    response
}

fn delete_page(username: String) -> View<'static> {
    View::new("delete.html", context! { here => "account", username => username })
}

/// Where the account is deleted.
pub(super) async fn delete_form(SignedIn { stage, caller }: SignedIn) -> Response {
    if !may_leave(&stage, &caller) {
        return stage.fail((&problem::NO_ROUTE).into());
    }
    let page = delete_page(known_as(&stage, &caller).await);
    stage.show(page.of(&caller)).await
}

/// Deletes it.
pub(super) async fn delete(form: Form, SignedIn { stage, caller }: SignedIn, Client(origin): Client) -> Response {
    match limited(leave::leave(&stage.web, &caller, &origin, form.text("currentPassword")).await) {
        Ok(()) => stage.leaving(stage.go_telling("/done", &Told::Deleted), KeptPages::Forgotten),
        Err(problem) if problem.row == &problem::DELETION_OFF => stage.fail(problem),
        Err(problem) => {
            let page = delete_page(known_as(&stage, &caller).await);
            stage.refuse_to(&caller, page, problem)
        }
    }
}
