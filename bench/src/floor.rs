//! The floor: one fixed answer from the bare HTTP framework, served the way the server serves.

use std::net::Ipv4Addr;
use std::path::Path;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use crate::answer::Answer;
use crate::failure::Outcome;

/// As the server has it.
const LONGEST_HEAD: usize = 64 * 1024;

#[derive(Clone)]
struct Fixed {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Serves the answer in `file` on a loopback port, for ever.
pub(crate) fn serve(file: &Path, port: u16) -> Outcome<()> {
    let answer: Answer = serde_json::from_slice(&std::fs::read(file)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(accept(router(fixed(answer)?), port))
}

/// Without the fields that the framework adds by itself.
fn fixed(answer: Answer) -> Outcome<Fixed> {
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        if !["date", "content-length", "connection"].contains(&name.as_str()) {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
    }
    Ok(Fixed { status: StatusCode::from_u16(answer.status)?, headers, body: answer.body.into() })
}

fn router(fixed: Fixed) -> Router {
    Router::new()
        .route("/api/auth/verify", any(give))
        .route("/api/auth/profile", any(give))
        .route("/api/auth/logout", any(give))
        .fallback(give)
        .with_state(fixed)
}

async fn give(State(fixed): State<Fixed>) -> Response {
    let mut response = Response::new(Body::from(fixed.body));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers;
    response
}

async fn accept(router: Router, port: u16) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream, router.clone()));
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    // The generator closes its connections as it likes.
    let _ = http1::Builder::new().max_buf_size(LONGEST_HEAD).serve_connection(TokioIo::new(stream), service).await;
}
