//! Spans of traces: where the time of a request goes. Nothing that anybody sends is in them, and nobody's address.
//!
//! They have a target of their own, which no log shows. Unless traces are sent, one costs a look at a flag.

use tracing::field::Empty;
use tracing::{Span, trace_span};

/// A password waits for its turn.
pub(crate) fn password_waits() -> Span {
    trace_span!(target: "cerrojo_traces", "password waits")
}

/// It is hashed, in another thread.
pub(crate) fn password_hash(of: &Span) -> Span {
    trace_span!(target: "cerrojo_traces", parent: of, "password hash")
}

/// Somebody waits for an ending of one session.
pub(crate) fn ending() -> Span {
    trace_span!(target: "cerrojo_traces", "ending")
}

/// It is written, perhaps with others.
pub(crate) fn ending_is_written(of: &Span) -> Span {
    trace_span!(target: "cerrojo_traces", parent: of, "ending is written")
}

/// It is committed, and the other nodes learn of it.
pub(crate) fn ending_gets_known(of: &Span) -> Span {
    trace_span!(target: "cerrojo_traces", parent: of, "ending gets known")
}

/// A mail is delivered: a trace of its own, since no request waits for it.
pub(crate) fn mail(kind: &str, attempts: i64) -> Span {
    trace_span!(
        target: "cerrojo_traces", parent: None, "mail",
        otel.kind = "consumer", mail.kind = kind, mail.attempts = attempts,
        error.type = Empty, otel.status_code = Empty,
    )
}

/// The mail server takes it, or does not.
pub(crate) fn mail_leaves() -> Span {
    trace_span!(
        target: "cerrojo_traces", "mail leaves",
        otel.kind = "client", error.type = Empty, otel.status_code = Empty,
    )
}

/// What a span is of went wrong, in this way.
pub(crate) fn failed(span: &Span, how: &str) {
    span.record("error.type", how);
    span.record("otel.status_code", "ERROR");
}
