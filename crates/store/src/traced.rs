//! Spans of traces: transactions, and each statement by its name. Values are in none.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument as _, Span, trace_span};

use crate::errors::Result;
use crate::statement::Statement;

/// One statement, by itself or of whatever is current.
pub(crate) fn statement(statement: Statement) -> Span {
    named(statement.name)
}

fn named(name: &'static str) -> Span {
    trace_span!(
        target: "cerrojo_traces", "statement",
        otel.name = name, otel.kind = "client", db.query.summary = name, error.type = Empty, otel.status_code = Empty,
    )
}

/// A transaction, from its BEGIN to its end.
pub(crate) fn transaction() -> Span {
    trace_span!(target: "cerrojo_traces", "transaction")
}

/// A step of a transaction that is no statement of a table's.
pub(crate) fn step(transaction: &Span, name: &'static str) -> Span {
    transaction.in_scope(|| named(name))
}

/// What comes of `work`, and in the span if that is an error.
pub(crate) fn within<F: Future>(span: Span, work: F) -> Within<F> {
    Within { work: work.instrument(span) }
}

pin_project! {
    /// A future of its own: an `async` block would keep room for the work twice, in every future that it is part of.
    pub(crate) struct Within<F> {
        #[pin]
        work: Instrumented<F>,
    }
}

impl<T, F: Future<Output = Result<T>>> Future for Within<F> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let done = ready!(this.work.as_mut().poll(context));
        if let Err(error) = &done {
            let span = this.work.span();
            span.record("error.type", error.kind());
            span.record("otel.status_code", "ERROR");
        }
        Poll::Ready(done)
    }
}
