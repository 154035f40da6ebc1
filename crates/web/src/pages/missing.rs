//! What browsers are shown where there is nothing.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::header::ACCEPT;
use http::request::Parts;

use super::stage::Stage;
use crate::Web;
use crate::problem::Problem;

/// Somebody who wants a page: a browser that was sent to an address, where the server has pages.
pub(crate) struct Reader(Option<Stage>);

impl FromRequestParts<Web> for Reader {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let accepts = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !accepts.contains("text/html") {
            return Ok(Self(None));
        }
        Ok(Self(Stage::from_request_parts(parts, web).await.ok()))
    }
}

impl Reader {
    /// The problem as a page to whoever reads pages, as the contract has it to everybody else.
    pub(crate) fn told(&self, problem: Problem) -> Response {
        match &self.0 {
            Some(stage) => stage.fail(problem),
            None => problem.into_response(),
        }
    }
}
