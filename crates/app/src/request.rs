//! Which request something is done for: so that every line of the log that comes of one can say so.

use tokio::task::futures::TaskLocalFuture;
use tracing::Instrument as _;

/// Longest name of a request, in bytes.
pub const LONGEST: usize = 64;

tokio::task_local! {
    static REQUEST: RequestId;
}

/// The name of a request: up to [`LONGEST`] bytes. No secret, and it guards nothing.
#[derive(Clone, Copy, Debug)]
pub struct RequestId {
    bytes: [u8; LONGEST],
    length: usize,
}

impl RequestId {
    /// A longer one is cut off.
    #[must_use]
    pub fn new(name: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        let length = name.len().min(LONGEST);
        bytes.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Self { bytes, length }
    }

    /// As text; empty if it is none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// What `work` does, it does for this request.
pub fn within<F: Future>(id: RequestId, work: F) -> TaskLocalFuture<RequestId, F> {
    REQUEST.scope(id, work)
}

/// The request that the calling task is at, if it is at one.
#[must_use]
pub fn current() -> Option<RequestId> {
    REQUEST.try_with(|id| *id).ok()
}

/// `work`, wherever it goes on, for the request that the calling task is at, and in its span.
pub(crate) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let id = current();
    let work = work.in_current_span();
    async move {
        match id {
            Some(id) => within(id, work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_for_a_request_knows_its_name_wherever_it_goes_on() {
        let name = || current().map(|id| id.as_str().to_owned());
        assert_eq!(name(), None);
        let within = within(RequestId::new(b"a-1"), async {
            let further = tokio::spawn(carried(async move { name() }));
            (name(), further.await.unwrap())
        });
        assert_eq!(within.await, (Some("a-1".to_owned()), Some("a-1".to_owned())));
        assert_eq!(tokio::spawn(carried(async move { name() })).await.unwrap(), None);
        assert_eq!(RequestId::new(&[b'x'; 100]).as_str().len(), LONGEST);
    }
}
