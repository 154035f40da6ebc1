//! An API on axum, with a WebSocket that closes when its session ends.
//!
//! ```sh
//! cargo run -p cerrojo-guard --features websocket --example axum_websocket -- https://auth.example.org
//! ```
//!
//! Then `GET /hello` with `Authorization: Bearer <token>`, and a WebSocket to `/live?token=<token>`, since browsers cannot
//! send headers with one. Log out: the socket gets the close code 4401 within moments.

use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::Message;
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use cerrojo_guard::axum::{Rejection, Session, SessionSocket};
use cerrojo_guard::{ConnectedGuard, Guard};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::time::interval;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let issuer = std::env::args().nth(1).ok_or("give the issuer, for example https://auth.example.org")?;
    let guard = Guard::connect(issuer).await?;
    let app = Router::new()
        .route("/hello", get(hello))
        .route("/live", get(live))
        .route("/metrics", get(metrics))
        .with_state(guard);
    axum::serve(TcpListener::bind("127.0.0.1:3000").await?, app).await?;
    Ok(())
}

async fn hello(Session(session): Session) -> String {
    format!("Hello {}", session.name)
}

#[derive(Deserialize)]
struct Ticket {
    token: String,
}

async fn live(
    State(guard): State<ConnectedGuard>,
    Query(ticket): Query<Ticket>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Rejection> {
    let session = guard.check(&ticket.token).await?;
    let ended = guard.watch(&session);
    Ok(upgrade.on_upgrade(async move |socket| {
        let mut socket = SessionSocket::new(socket, ended);
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            let go_on = tokio::select! {
                message = socket.recv() => message.is_some_and(|message| message.is_ok()),
                _ = ticks.tick() => socket.send(Message::text("tick")).await.is_ok(),
            };
            if !go_on {
                return;
            }
        }
    }))
}

async fn metrics(State(guard): State<ConnectedGuard>) -> String {
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = guard.write_metrics(&mut text);
    text
}
