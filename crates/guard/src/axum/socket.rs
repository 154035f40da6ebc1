//! A WebSocket that closes when its session is over.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::time::timeout;

use crate::connect::{Ended, Over};

/// Of the range for applications (RFC 6455, section 7.4.2): what 401 is to a request.
const UNAUTHORIZED: u16 = 4401;
/// Registered as "Try Again Later".
const TRY_AGAIN_LATER: u16 = 1013;
/// How long a peer may take for the last message.
const PATIENCE: Duration = Duration::from_secs(1);

/// A WebSocket under a session. When that is over the peer gets a close frame, 4401 if the session has ended or its token
/// has expired, 1013 if the guard cannot say; nothing is received or sent after that.
#[derive(Debug)]
pub struct SessionSocket {
    socket: WebSocket,
    ended: Ended,
    over: Option<Over>,
}

impl SessionSocket {
    /// This socket until `ended` completes.
    #[must_use]
    pub fn new(socket: WebSocket, ended: Ended) -> Self {
        Self { socket, ended, over: None }
    }

    /// The next message, which counts as a use of the session; `None` when the peer is gone or the session is over.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        if self.over.is_some() {
            return None;
        }
        let over = tokio::select! {
            biased;
            over = &mut self.ended => over,
            message = self.socket.recv() => {
                if let Some(Ok(Message::Text(_) | Message::Binary(_))) = &message {
                    self.ended.used();
                }
                return message;
            }
        };
        self.close(over).await;
        None
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The socket's own, or that the session is over.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        let closed = || Error::new("the session is over");
        if self.over.is_some() {
            return Err(closed());
        }
        let over = tokio::select! {
            biased;
            over = &mut self.ended => over,
            sent = self.socket.send(message) => return sent,
        };
        self.close(over).await;
        Err(closed())
    }

    /// Why the session is over, once it is.
    pub async fn over(&mut self) -> Option<Over> {
        if self.over.is_none() {
            let over = poll_fn(|context| {
                Poll::Ready(match Future::poll(Pin::new(&mut self.ended), context) {
                    Poll::Ready(over) => Some(over),
                    Poll::Pending => None,
                })
            });
            if let Some(over) = over.await {
                self.close(over).await;
            }
        }
        self.over
    }

    async fn close(&mut self, over: Over) {
        self.over = Some(over);
        let (code, reason) = match over {
            Over::Ended => (UNAUTHORIZED, "session ended"),
            Over::Expired => (UNAUTHORIZED, "session expired"),
            Over::Unavailable => (TRY_AGAIN_LATER, "session cannot be checked"),
        };
        let frame = CloseFrame { code, reason: reason.into() };
        // A peer that does not read it is cut off when the socket is dropped.
        let _ = timeout(PATIENCE, self.socket.send(Message::Close(Some(frame)))).await;
    }
}
