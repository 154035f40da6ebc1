//! Whom a page of an administrator's is about.

use axum::extract::FromRequestParts;
use axum::response::Response;
use cerrojo_app::administer;
use cerrojo_domain::User;
use http::request::Parts;
use minijinja::Value;
use minijinja::value::Serde;

use super::Administrator;
use crate::Web;
use crate::problem::{self, Problem};
use crate::query::UserPath;
use crate::view::UserView;

/// An administrator, and the user in the path. Whatever names nobody leads to the page that says so.
pub(in crate::pages) struct About {
    pub(super) administrator: Administrator,
    pub(super) user: User,
}

impl About {
    /// The user as pages show it.
    pub(super) fn shown(&self) -> Value {
        shown(&self.administrator.stage.web, &self.user)
    }

    /// Whether it is the administrator's own account.
    pub(super) fn is_own(&self) -> bool {
        self.administrator.caller.user == self.user.id
    }

    /// The path of the user's page.
    pub(super) fn path(&self) -> String {
        path(&self.user)
    }
}

/// The path of a user's page.
pub(super) fn path(user: &User) -> String {
    format!("/admin/users/{}", user.id)
}

/// A user as pages show it.
pub(super) fn shown(web: &Web, user: &User) -> Value {
    Value::from(Serde(UserView::new(user, &web.settings)))
}

impl FromRequestParts<Web> for About {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let administrator = Administrator::from_request_parts(parts, web).await?;
        let Ok(UserPath(id)) = UserPath::from_request_parts(parts, web).await else {
            return Err(administrator.stage.fail((&problem::NO_USER).into()));
        };
        match administer::user(web, administrator.by(), id).await {
            Ok(user) => Ok(Self { administrator, user }),
            Err(error) => Err(administrator.stage.fail(Problem::from(error))),
        }
    }
}
