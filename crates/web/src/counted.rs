//! Answers of endpoints that are limited: what is left of the limit travels with them, whatever they say.

use axum::response::{IntoResponse, Response};
use cerrojo_app::{Limited, Quota};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, StatusCode};

use crate::problem::Problem;

static LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Seconds for `Retry-After` on a 429 of which no figure is known.
const A_MINUTE: u64 = 60;

/// An outcome, and what is left of the limit.
pub(crate) struct Counted<A> {
    outcome: Result<A, Problem>,
    quota: Option<Quota>,
}

impl<A> Counted<A> {
    /// What a use case said. If the body was of no use (`flaw`), the use case was given nothing, for the sake of counting,
    /// and the client is told about its body, unless the limit is exhausted.
    pub(crate) fn new<D, E: Into<Problem>>(
        limited: Limited<Result<D, E>>,
        flaw: Option<Problem>,
        answer: impl FnOnce(D) -> A,
    ) -> Self {
        let quota = limited.quota;
        let outcome = limited.outcome.map_err(E::into);
        let outcome = match (outcome, flaw) {
            (Err(problem), Some(_)) if problem.row.status == StatusCode::TOO_MANY_REQUESTS => Err(problem),
            (_, Some(flaw)) => Err(flaw),
            (outcome, None) => outcome.map(answer),
        };
        Self { outcome, quota }
    }
}

impl<A: IntoResponse> IntoResponse for Counted<A> {
    fn into_response(self) -> Response {
        match self.outcome {
            Ok(answer) => {
                let mut response = answer.into_response();
                put_quota(response.headers_mut(), self.quota, StatusCode::OK);
                response
            }
            Err(problem) => Problem { quota: self.quota.or(problem.quota), ..problem }.into_response(),
        }
    }
}

/// `RateLimit-*` (draft-ietf-httpapi-ratelimit-headers-06) and, on a 429, `Retry-After`; seconds are rounded up.
pub(crate) fn put_quota(headers: &mut HeaderMap, quota: Option<Quota>, status: StatusCode) {
    let reset = quota.map(|quota| quota.reset.as_secs() + u64::from(quota.reset.subsec_nanos() > 0));
    if let (Some(quota), Some(reset)) = (quota, reset) {
        headers.insert(&LIMIT, quota.limit.into());
        headers.insert(&REMAINING, quota.remaining.into());
        headers.insert(&RESET, reset.into());
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, reset.unwrap_or(A_MINUTE).max(1).into());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cerrojo_app::login::LoginError;

    use super::*;
    use crate::envelope::Answer;
    use crate::messages;
    use crate::problem;

    fn headers(outcome: Result<(), LoginError>, flaw: Option<Problem>) -> (StatusCode, Vec<Option<String>>) {
        let quota = Some(Quota { limit: 5, remaining: 2, reset: Duration::from_millis(1_001) });
        let counted = Counted::new(Limited { outcome, quota }, flaw, |()| Answer::plain(messages::SESSION_CLOSED));
        let response = counted.into_response();
        let names = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"];
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (response.status(), names.into_iter().map(header).collect())
    }

    fn some(values: [&str; 3]) -> Vec<Option<String>> {
        values.into_iter().map(|value| Some(value.to_owned())).collect()
    }

    #[test]
    fn what_is_left_is_said_whatever_the_outcome() {
        let left = [some(["5", "2", "2"]), vec![None]].concat();
        assert_eq!(headers(Ok(()), None), (StatusCode::OK, left.clone()));
        assert_eq!(headers(Err(LoginError::Credentials), None), (StatusCode::UNAUTHORIZED, left.clone()));
        let flaw = Problem::from(&problem::BROKEN_JSON);
        assert_eq!(headers(Err(LoginError::Incomplete), Some(flaw)), (StatusCode::BAD_REQUEST, left));
    }

    #[test]
    fn an_exhausted_limit_comes_before_a_broken_body_and_says_when() {
        let exhausted = [some(["5", "2", "2"]), vec![Some("2".to_owned())]].concat();
        let flaw = Problem::from(&problem::BROKEN_JSON);
        assert_eq!(headers(Err(LoginError::TooMany), Some(flaw)), (StatusCode::TOO_MANY_REQUESTS, exhausted));
    }
}
