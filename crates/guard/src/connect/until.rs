//! A stream that stops with its session.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::Ended;

pin_project! {
    /// A stream that ends as soon as a session is over: for bodies and server-sent events.
    #[derive(Debug)]
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct UntilEnded<S> {
        #[pin]
        stream: S,
        ended: Option<Ended>,
    }
}

impl<S> UntilEnded<S> {
    /// `stream` until `ended` completes. Nothing of it is passed on after that.
    pub fn new(stream: S, ended: Ended) -> Self {
        Self { stream, ended: Some(ended) }
    }
}

impl<S: Stream> Stream for UntilEnded<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        // The end first: what is ready after it is not passed on.
        let goes_on = this.ended.as_mut().is_some_and(|ended| Pin::new(ended).poll(context).is_pending());
        if goes_on {
            return this.stream.poll_next(context);
        }
        *this.ended = None;
        Poll::Ready(None)
    }
}
