//! Work that many ask for and one does for all.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// What was made last, and how many had asked before it was begun.
pub(crate) struct Together<T> {
    asked: AtomicU64,
    last: Mutex<(u64, Option<T>)>,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self { asked: AtomicU64::new(0), last: Mutex::new((0, None)) }
    }
}

impl<T: Clone> Together<T> {
    /// What `work` makes, begun after this call. Whoever asks while somebody is at it shares what is made after that,
    /// however many they are.
    pub(crate) async fn make<E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel);
        let mut last = self.last.lock().await;
        if let (begun, Some(made)) = &*last
            && *begun > number
        {
            return Ok(made.clone());
        }
        let begun = self.asked.load(Ordering::Acquire);
        let made = work.await?;
        *last = (begun, Some(made.clone()));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::Together;

    #[tokio::test]
    async fn those_who_wait_share_what_is_begun_after_they_asked() {
        let together = Together::default();
        let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let work = || {
            let (begun, go) = (Arc::clone(&begun), Arc::clone(&go));
            async move {
                let number = begun.fetch_add(1, Ordering::Relaxed);
                go.acquire().await.map(tokio::sync::SemaphorePermit::forget).map(|()| number)
            }
        };
        let first = together.make(work());
        let rest = async {
            let all = (together.make(work()), together.make(work()), together.make(work()));
            tokio::join!(all.0, all.1, all.2)
        };
        let release = async { go.add_permits(2) };
        let (first, rest, ()) = tokio::join!(first, rest, release);
        assert_eq!(first.unwrap(), 0);
        assert_eq!((rest.0.unwrap(), rest.1.unwrap(), rest.2.unwrap()), (1, 1, 1));
    }
}
