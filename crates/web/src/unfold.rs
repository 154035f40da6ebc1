//! Bodies that are made while they are sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use hyper::body::{Frame, SizeHint};

/// What makes a body, piece by piece.
pub(crate) trait Pieces: Send + Sized + 'static {
    /// The next piece; `None`: that was all. Asked for only when what was made before is on its way.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;

    /// Whether that was all, once nothing more came. If not, the connection is broken off: what was sent must not be taken for
    /// the whole.
    fn is_whole(&self) -> bool {
        true
    }
}

/// There would have been more.
#[derive(Debug)]
pub(crate) struct BrokenOff;

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the rest of it could not be made")
    }
}

impl std::error::Error for BrokenOff {}

type Making<P> = Pin<Box<dyn Future<Output = Result<Option<(P, Bytes)>, BrokenOff>> + Send>>;

/// The body of what `pieces` makes.
pub(crate) fn body<P: Pieces>(pieces: P) -> Body {
    Body::new(Unfolding { making: Some(make(pieces)) })
}

fn make<P: Pieces>(mut pieces: P) -> Making<P> {
    Box::pin(async move {
        match pieces.next().await {
            Some(piece) => Ok(Some((pieces, piece))),
            None if pieces.is_whole() => Ok(None),
            None => Err(BrokenOff),
        }
    })
}

struct Unfolding<P> {
    making: Option<Making<P>>,
}

impl<P: Pieces> HttpBody for Unfolding<P> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Some(making) = self.making.as_mut() else { return Poll::Ready(None) };
        let made = ready!(making.as_mut().poll(cx));
        // What held the last piece's maker is gone before the end is told.
        self.making = None;
        let (pieces, piece) = match made {
            Ok(Some(made)) => made,
            Ok(None) => return Poll::Ready(None),
            Err(broken) => return Poll::Ready(Some(Err(broken))),
        };
        self.making = Some(make(pieces));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

/// In the extensions of an answer: something of its body leaves at least so often, and no more often than that need it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sparse(pub(crate) Duration);

/// nginx gathers answers unless it is told not to.
static ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An event stream, of which something comes at least so often.
pub(crate) fn events(body: Body, heartbeat: Duration) -> Response {
    let mut response = Response::new(body);
    response.extensions_mut().insert(Sparse(heartbeat));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(&ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// A body that is there already; `kept` is dropped when it was sent.
pub(crate) fn holding<T: Send + Unpin + 'static>(bytes: Bytes, kept: T) -> Body {
    Body::new(Holding(Some((bytes, kept))))
}

struct Holding<T>(Option<(Bytes, T)>);

impl<T: Unpin> HttpBody for Holding<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.0.as_mut().map(|(bytes, _)| std::mem::take(bytes)).unwrap_or_default();
        if bytes.is_empty() {
            self.0 = None;
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |(bytes, _)| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    /// So many pieces, and then either the end or nothing more.
    struct Few(usize, bool);

    impl Pieces for Few {
        async fn next(&mut self) -> Option<Bytes> {
            self.0 = self.0.checked_sub(1)?;
            Some(Bytes::from_static(b"x"))
        }

        fn is_whole(&self) -> bool {
            self.1
        }
    }

    #[tokio::test]
    async fn what_could_not_be_made_to_its_end_does_not_look_whole() {
        let whole = body(Few(3, true)).collect().await.unwrap().to_bytes();
        assert_eq!(whole, "xxx");
        assert!(body(Few(3, false)).collect().await.is_err());
    }
}
