//! The endpoints, one file an area. Each handler names what it takes, calls one verb and says what it did.

mod admin;
mod audit;
mod confirm;
mod events;
pub(crate) mod guards;
mod health;
mod introspect;
pub(crate) mod invitations;
mod login;
mod logout;
pub(crate) mod openapi;
mod password;
pub(crate) mod personal;
mod profile;
mod recover;
mod register;
mod sessions;
mod verify;
mod well_known;

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Web;
use crate::pages::missing::Reader;
use crate::pages::reference;
use crate::problem;

/// Every route there is, with its documentation: there is no other way to add one.
pub(crate) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(login::login))
        .routes(routes!(logout::logout))
        .routes(routes!(register::register))
        .routes(routes!(profile::read, profile::change, personal::delete_own))
        .routes(routes!(personal::own))
        .routes(routes!(password::change))
        .routes(routes!(recover::forgot))
        .routes(routes!(recover::reset))
        .routes(routes!(confirm::verify_email))
        .routes(routes!(confirm::resend))
        .routes(routes!(confirm::accept_invitation))
        .routes(routes!(verify::verify))
        .routes(routes!(events::events))
        .routes(routes!(events::activity))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::end_one))
        .routes(routes!(sessions::logout_all))
        .routes(routes!(sessions::logout_others))
        .routes(routes!(admin::list_users))
        .routes(routes!(admin::user, admin::update_user))
        .routes(routes!(admin::delete_user))
        .routes(routes!(admin::force_reset))
        .routes(routes!(personal::of_user))
        .routes(routes!(admin::user_sessions, admin::end_user_sessions))
        .routes(routes!(audit::list))
        .routes(routes!(invitations::list, invitations::invite))
        .routes(routes!(invitations::resend))
        .routes(routes!(invitations::revoke))
        .routes(routes!(well_known::jwks))
        .routes(routes!(well_known::status_list))
        .routes(routes!(well_known::status_lists))
        .routes(routes!(well_known::metadata))
        .routes(routes!(introspect::introspect))
        .routes(routes!(guards::events))
        .routes(routes!(guards::entries))
        .routes(routes!(guards::list))
        .routes(routes!(guards::activity))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(openapi::openapi_json))
        .routes(routes!(reference::page))
        .routes(routes!(reference::file))
}

/// 404.
pub(crate) async fn not_found(reader: Reader) -> Response {
    reader.told((&problem::NO_ROUTE).into())
}

/// 204 to `OPTIONS`, 405 to any other method that a route does not have. The router adds `Allow`.
pub(crate) async fn other_method(method: Method, reader: Reader) -> Response {
    if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        reader.told((&problem::OTHER_METHOD).into())
    }
}
