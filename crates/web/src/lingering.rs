//! Closing a connection so that the last answer arrives.
//!
//! If a server closes while the client is still sending, the client's system may throw away an answer that nobody has read
//! yet (RFC 9112, section 9.6). So the writing half is closed first, and what still comes is read and thrown away for a
//! while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Most that is thrown away, in bytes.
const MOST: usize = 8 * 1024 * 1024;
/// Longest that it takes.
const LONGEST: Duration = Duration::from_secs(2);

/// A stream that is closed with patience.
pub(crate) struct Lingering<S> {
    stream: S,
    closing: Option<Closing>,
}

struct Closing {
    thrown_away: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Lingering<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, closing: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, closing } = self.get_mut();
        if closing.is_none() {
            std::task::ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        let closing =
            closing.get_or_insert_with(|| Closing { thrown_away: 0, deadline: Box::pin(tokio::time::sleep(LONGEST)) });
        let mut bytes = [0; 4096];
        while closing.thrown_away < MOST && closing.deadline.as_mut().poll(cx).is_pending() {
            let mut into = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *stream).poll_read(cx, &mut into) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !into.filled().is_empty() => closing.thrown_away += into.filled().len(),
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
