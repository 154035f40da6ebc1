//! The layer, the extractors and the socket, over HTTP.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod fake;
mod support;

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use cerrojo_guard::ConnectedGuard;
use cerrojo_guard::axum::{Rejection, RequireSession, Session, SessionSocket};
use fake::{Fake, LIMIT, LIST, until};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt as _;

fn app(guard: &ConnectedGuard) -> Router {
    let admin = Router::new()
        .route("/admin", get(async || "for administrators"))
        .layer(RequireSession::new(guard.clone()).of_roles(&[1]));
    let behind = Router::new()
        .route("/behind", get(async |Extension(session): Extension<Session>| session.name.clone()))
        .route("/both", get(async |session: Session| session.email.clone()))
        .layer(RequireSession::new(guard.clone()));
    Router::new()
        .route("/extracted", get(async |Session(session): Session| session.session.to_string()))
        .route(
            "/maybe",
            get(async |session: Option<Session>| session.map_or("nobody".to_owned(), |it| it.name.clone())),
        )
        .route("/role", get(async |session: Session| session.require_role(&[1]).map(|()| "in")))
        .route("/own", get(own))
        .route("/socket", get(socket))
        .merge(behind)
        .merge(admin)
        .with_state(guard.clone())
}

async fn own(session: Result<Session, Rejection>) -> Result<String, (StatusCode, &'static str)> {
    session.map(|session| session.name.clone()).map_err(|_| (StatusCode::IM_A_TEAPOT, "my own answer"))
}

async fn socket(State(guard): State<ConnectedGuard>, session: Session, upgrade: WebSocketUpgrade) -> Response {
    let ended = guard.watch(&session.0);
    upgrade.on_upgrade(async move |socket| {
        let mut socket = SessionSocket::new(socket, ended);
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                break;
            }
        }
    })
}

async fn ask(app: &Router, path: &str, authorization: Option<&str>) -> (StatusCode, String, Response<()>) {
    let mut request = Request::get(path);
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    (parts.status, body, Response::from_parts(parts, ()))
}

const EVERYWHERE: [&str; 5] = ["/extracted", "/behind", "/both", "/role", "/admin"];

#[tokio::test]
async fn who_has_no_good_token_is_told_so_as_the_standard_says() {
    let fake = Fake::start().await;
    let app = app(&fake.guard().await);
    let ended = format!("Bearer {}", fake.token(LIST, 0));
    let twice = "Basic YTpi";
    for path in EVERYWHERE {
        for (sent, challenge) in [
            (None, "Bearer"),
            (Some(twice), "Bearer"),
            (Some("Bearer"), "Bearer"),
            (Some("Bearer  "), "Bearer"),
            (Some("Bearer nonsense"), "Bearer error=\"invalid_token\""),
            (Some(&*ended), "Bearer error=\"invalid_token\""),
        ] {
            let (status, body, response) = ask(&app, path, sent).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{path} {sent:?}");
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
            assert_eq!(
                serde_json::from_str::<Value>(&body).unwrap(),
                json!({ "success": false, "message": "Token no proporcionado o inválido", "code": "UNAUTHORIZED" })
            );
        }
    }
    assert_eq!(ask(&app, "/own", None).await.0, StatusCode::IM_A_TEAPOT);
}

#[tokio::test]
async fn what_is_more_or_longer_than_a_token_is_invalid_as_it_is_to_the_server() {
    let fake = Fake::start().await;
    let app = app(&fake.guard().await);
    let good = format!("Bearer {}", fake.token(LIST, 7));
    let (inner, after) = (good.replacen('.', ". ", 1), format!("{good} x"));
    let long = format!("{good}{}", "A".repeat(8 * 1024));
    let tab = good.replacen('.', ".\t", 1);
    let many = format!("{good}, {good}");
    for path in EVERYWHERE {
        for values in [
            &[&*inner][..],
            &[&*tab],
            &[&*after],
            &[&*many],
            &[&*long],
            &[&*good, &*good],
            &[&*good, "Basic YTpi"],
            &["Basic YTpi", "Basic YTpi"],
            &[&*good, ""],
            &["Bearer a\u{f1}b"],
        ] {
            let mut request = Request::get(path);
            for value in values {
                request = request.header(header::AUTHORIZATION, *value);
            }
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {values:?}");
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer error=\"invalid_token\"", "{values:?}");
        }
        assert_ne!(ask(&app, path, Some(&good)).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn who_has_one_is_let_in_as_far_as_the_role_goes() {
    let fake = Fake::start().await;
    let app = app(&fake.guard().await);
    let good = format!("bearer {}", fake.token(LIST, 7));
    for (path, says) in
        [("/extracted", "sId7"), ("/behind", "Ana"), ("/both", "ana@example.org"), ("/maybe", "Ana"), ("/own", "Ana")]
    {
        let (status, body, _) = ask(&app, path, Some(&good)).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, says), "{path}");
    }
    for path in ["/role", "/admin"] {
        let (status, body, _) = ask(&app, path, Some(&good)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(body.contains("\"FORBIDDEN\""));
    }
    assert_eq!(ask(&app, "/maybe", None).await.1, "nobody");
    assert_eq!(ask(&app, "/maybe", Some("Bearer nonsense")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&app, "/maybe", Some("Basic YTpi")).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_cannot_be_said_is_503_and_what_is_over_stays_401() {
    let fake = Fake::start().await;
    let guard = fake.tight_guard().await;
    let app = app(&guard);
    fake.world().faults.streams = Some(StatusCode::SERVICE_UNAVAILABLE);
    fake.world().faults.entries = Some(StatusCode::SERVICE_UNAVAILABLE);
    fake.say_goodbye();
    until(|| !guard.is_current()).await;
    let good = format!("Bearer {}", fake.token(LIST, 7));
    for path in EVERYWHERE {
        let (status, body, response) = ask(&app, path, Some(&good)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
        assert!(body.contains("\"UNAVAILABLE\"") && !response.headers().contains_key(header::WWW_AUTHENTICATE));
        let ended = format!("Bearer {}", fake.token(LIST, 0));
        assert_eq!(ask(&app, path, Some(&ended)).await.0, StatusCode::UNAUTHORIZED);
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A socket of the service, which has echoed something.
async fn opened(fake: &Fake, guard: &ConnectedGuard) -> Socket {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app(guard);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let request =
        tokio_tungstenite::tungstenite::ClientRequestBuilder::new(format!("ws://{address}/socket").parse().unwrap())
            .with_header("Authorization", format!("Bearer {}", fake.token(LIST, 7)));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    socket
}

#[tokio::test]
async fn what_comes_over_a_socket_is_a_use_of_its_session() {
    let fake = Fake::start().await;
    fake.world().faults.report = Some(150);
    let guard = fake.options().credentials("a", "b").connect().await.unwrap();
    let mut socket = opened(&fake, &guard).await;
    let reports = || fake.world().activity.iter().filter(|told| told["uses"][LIST][0][0] == 7).count();
    until(|| reports() > 0).await;
    // Told of all that was until now.
    let last = fake.token(LIST, 8);
    guard.check(&last).await.unwrap();
    until(|| fake.world().activity.last().is_some_and(|told| told["uses"][LIST].to_string().contains("[8,"))).await;
    let before = reports();
    socket.send(Message::text("still here")).await.unwrap();
    until(|| reports() > before).await;
}

/// The code of the close frame, and what came before it.
async fn closed(fake: &Fake, guard: &ConnectedGuard, over: impl AsyncFnOnce()) -> (u16, usize) {
    let mut socket = opened(fake, guard).await;
    over().await;
    let mut echoes = 0;
    loop {
        let _ = socket.send(Message::text("still there?")).await;
        match tokio::time::timeout(LIMIT, socket.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), echoes),
            Some(Ok(_)) => echoes += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_socket_closes_when_its_session_ends() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let end = async || {
        fake.end(LIST, 7);
        until(|| guard.check_now(&fake.token(LIST, 7)).is_err()).await;
    };
    assert_eq!(closed(&fake, &guard, end).await, (4401, 0));
}

#[tokio::test]
async fn a_socket_closes_when_nobody_knows() {
    let fake = Fake::start().await;
    // It must not become stale before the socket is open.
    let guard = fake.options().max_staleness(Duration::from_secs(10)).connect().await.unwrap();
    let lose = async || {
        fake.world().faults.streams = Some(StatusCode::SERVICE_UNAVAILABLE);
        fake.world().faults.entries = Some(StatusCode::SERVICE_UNAVAILABLE);
        fake.say_goodbye();
        until(|| !guard.is_current()).await;
    };
    assert_eq!(closed(&fake, &guard, lose).await, (1013, 0));
}
