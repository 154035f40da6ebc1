//! Pages for people, made on the server. They load nothing from elsewhere and carry no script in their text.

mod accent;
mod account;
mod admin;
mod devices;
mod endings;
mod faults;
mod first;
mod form;
mod language;
mod links;
mod looks;
pub(crate) mod missing;
mod next;
mod recover;
pub(crate) mod reference;
mod sample;
mod shown;
mod sign_in;
mod sign_out;
mod stage;
mod take_back;
mod told;
mod written;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};

use crate::Web;

pub use self::accent::Accent;
pub(crate) use self::language::Language;
pub use self::looks::{LARGEST_LOGO, Logo};
pub(crate) use self::written::Pages;

/// Scripts and styles of this server's alone, none of them inline; requests to this server alone; no frames, no forms that leave.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// What an operator can set about pages, already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSettings {
    /// What whoever runs the server is called.
    pub name: String,
    /// The colour of what can be pressed.
    pub accent: Accent,
    /// The picture beside the name, if there is one.
    pub logo: Option<Logo>,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { name: "Cerrojo".to_owned(), accent: Accent::default(), logo: None }
    }
}

macro_rules! routes {
    ($($path:literal => $methods:expr;)+) => {
        /// The paths of pages, for what counts requests by route.
        pub(crate) const PATHS: &[&str] = &[$($path),+];

        /// Every page. They are for people, and not in the description of the API.
        pub(crate) fn routes() -> Router<Web> {
            Router::new()$(.route($path, $methods))+
        }
    };
}

routes! {
    "/" => get(account::root);
    "/login" => get(sign_in::login_form).post(sign_in::login);
    "/register" => get(sign_in::register_form).post(sign_in::register);
    "/register/sent" => get(sign_in::register_sent);
    "/logout" => get(sign_out::form).post(sign_out::logout);
    "/logged-out" => get(sign_out::logged_out);
    "/done" => get(sign_out::done);
    "/forgot-password" => get(recover::forgot_form).post(recover::forgot);
    "/forgot-password/sent" => get(recover::forgot_sent);
    "/resend-verification" => get(recover::resend_form).post(recover::resend);
    "/reset-password" => get(links::reset_form).post(links::reset);
    "/verify-email" => get(links::verify_form).post(links::verify);
    "/accept-invitation" => get(links::accept_form).post(links::accept);
    "/not-me" => get(take_back::not_me_form).post(take_back::not_me);
    "/undo-email" => get(take_back::undo_form).post(take_back::undo);
    "/first-administrator" => get(first::form).post(first::make);
    "/account" => get(account::form).post(account::change);
    "/account/password" => get(account::password_form).post(account::change_password);
    "/account/data" => get(account::own_data);
    "/account/delete" => get(account::delete_form).post(account::delete);
    "/account/devices" => get(devices::list);
    "/account/devices/end" => get(devices::end_form).post(devices::end_one);
    "/account/devices/end-others" => post(devices::end_others);
    "/admin" => get(admin::overview::page);
    "/admin/users" => get(admin::users::list);
    "/admin/users/new" => get(admin::users::new).post(admin::users::add);
    "/admin/users/{id}" => get(admin::user::form).post(admin::user::save);
    "/admin/users/{id}/force-reset" => get(admin::acts::reset_form).post(admin::acts::force_reset);
    "/admin/users/{id}/data" => get(admin::acts::data_form).post(admin::acts::data);
    "/admin/users/{id}/delete" => get(admin::acts::delete_form).post(admin::acts::delete);
    "/admin/users/{id}/sessions" => get(admin::user_sessions::list);
    "/admin/users/{id}/sessions/end" => get(admin::user_sessions::end_form).post(admin::user_sessions::end);
    "/admin/invitations" => get(admin::invitations::list).post(admin::invitations::invite);
    "/admin/invitations/resend" => get(admin::invitations::resend_form).post(admin::invitations::resend);
    "/admin/invitations/revoke" => get(admin::invitations::revoke_form).post(admin::invitations::revoke);
    "/admin/endings" => get(admin::endings::page);
    "/admin/endings/events" => get(admin::endings_stream::events);
    "/admin/endings/all" => get(admin::endings::all_form).post(admin::endings::end_all);
    "/admin/audit" => get(admin::audit::page);
    "/admin/audit/export" => get(admin::export::form).post(admin::export::export);
    "/admin/keys" => get(admin::keys::page);
    "/admin/keys/rotate" => get(admin::keys::rotate_form).post(admin::keys::rotate);
    "/admin/keys/retire" => get(admin::keys::retire_form).post(admin::keys::retire);
    "/admin/mail" => get(admin::mail::page);
    "/admin/mail/test" => post(admin::mail::test);
    "/admin/mail/retry" => post(admin::mail::retry);
    "/admin/mail/drop" => get(admin::mail::drop_form).post(admin::mail::drop_one);
    "/pages/{file}" => get(looks::file);
}

/// A page in a language that was chosen by what the browser asks for.
fn html(text: String, language: Language) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(VARY, HeaderValue::from_static("Accept-Language"));
    response
}

/// A file that pages load, which names its own release in its address.
fn asset(text: &'static str, kind: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}
