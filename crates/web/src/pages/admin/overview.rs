//! `/admin`: how the whole is.

use axum::response::Response;
use minijinja::context;

use super::Administrator;
use crate::pages::stage::View;

/// How the whole is.
pub(in crate::pages) async fn page(administrator: Administrator) -> Response {
    administrator.show(View::new("admin/overview.html", context! { here => "overview" })).await
}
