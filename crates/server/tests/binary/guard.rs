//! A service's guard beside the server itself.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock as _, SystemClock};
use cerrojo_guard::{ConnectError, ConnectedGuard, Denied, Guard, Over};

use crate::installation::{Installation, Server, header};

const ANA: &str = "ana@example.com";
const BOUND: Duration = Duration::from_secs(2);

/// An installation whose address is known before it starts, since it is the issuer.
fn here() -> (Installation, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let issuer = format!("http://127.0.0.1:{port}");
    let here = Installation::new()
        .with("CERROJO_SERVER__PUBLIC_URL", &issuer)
        .with("CERROJO_SERVER__LISTEN", &format!("127.0.0.1:{port}"))
        .with("CERROJO_LIMITS__LOGIN", "off");
    here.add_user(ANA, "user").ok();
    (here, issuer)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A bound that no pause of the machine reaches.
const LOOSE: Duration = Duration::from_mins(5);

async fn connect(issuer: &str, bound: Duration) -> ConnectedGuard {
    Guard::connect_with(issuer).max_staleness(bound).start_within(LIMIT).connect().await.unwrap()
}

/// Longer than anything takes.
const LIMIT: Duration = Duration::from_mins(1);

/// Waits until this holds. The limit is for tests that fail; what takes longer on a slow machine is awaited all the same.
async fn until(mut holds: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    let begin = clock.elapsed();
    while !holds() {
        assert!(clock.elapsed().saturating_sub(begin) < LIMIT, "it does not come to hold");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// Waits until this token is denied like that. By the guard's bound no check may say yes that was begun more than that after
/// `since`, from which on the token was over or nothing was heard.
async fn until_denied(guard: &ConnectedGuard, token: &str, denied: Denied, since: Duration) {
    let clock = SystemClock::new();
    until(|| {
        let begun = clock.elapsed();
        let checked = guard.check_now(token);
        assert!(checked.is_err() || begun < since + guard.max_staleness(), "accepted too long");
        checked == Err(denied)
    })
    .await;
}

async fn logout(server: &Arc<Server>, token: &str) {
    let (server, token) = (Arc::clone(server), token.to_owned());
    assert_eq!(tokio::task::spawn_blocking(move || server.logout(&token)).await.unwrap(), 200);
}

#[test]
fn a_session_that_was_logged_out_is_refused_by_services_within_moments() {
    let (here, issuer) = here();
    let server = Arc::new(here.serve());
    runtime().block_on(async {
        let (tight, loose) = (connect(&issuer, BOUND).await, connect(&issuer, LOOSE).await);
        for _ in 0..20 {
            let token = server.token(ANA);
            let verified = loose.check(&token).await.unwrap();
            until(|| tight.check_now(&token).is_ok()).await;
            let watched = loose.watch(&verified);
            logout(&server, &token).await;
            let since = SystemClock::new().elapsed();
            until_denied(&tight, &token, Denied::Invalid, since).await;
            assert_eq!(watched.await, Over::Ended);
            assert_eq!(loose.check_now(&token), Err(Denied::Invalid));
        }
    });
}

#[test]
fn a_server_that_stops_and_comes_back_is_followed_again() {
    let (here, issuer) = here();
    let server = Arc::new(here.serve());
    runtime().block_on(async {
        let guard = connect(&issuer, BOUND).await;
        let [live, dead] = [server.token(ANA), server.token(ANA)];
        until(|| guard.check_now(&live).is_ok()).await;
        logout(&server, &dead).await;
        until(|| guard.check_now(&dead) == Err(Denied::Invalid)).await;
        let Ok(server) = Arc::try_unwrap(server) else { panic!("nobody else holds it") };
        server.kill();
        let killed = SystemClock::new().elapsed();
        until_denied(&guard, &live, Denied::Unavailable, killed).await;
        assert_eq!(guard.check(&dead).await, Err(Denied::Invalid), "over stays over");
        let server = Arc::new(here.serve());
        until(|| guard.check_now(&live).is_ok()).await;
        logout(&server, &live).await;
        until(|| guard.check_now(&live) == Err(Denied::Invalid)).await;
    });
}

/// Waits until a guard that has lost its server is current again, and accepts this.
async fn accepted(guard: &ConnectedGuard, token: &str) {
    let clock = SystemClock::new();
    let begin = clock.elapsed();
    loop {
        match guard.check(token).await {
            Ok(_) => return,
            Err(denied) => assert_eq!(denied, Denied::Unavailable, "{}", header(token)),
        }
        assert!(clock.elapsed().saturating_sub(begin) < LIMIT, "it does not come back");
    }
}

/// An operator changes the algorithm and restarts; nobody does anything in the service, and nobody is signed out.
#[test]
fn the_algorithm_changes_under_a_guard_that_goes_on() {
    const SECRET: &str = "geheimgeheimgeheimgeheimgeheim!!";
    let (here, issuer) = here();
    let mut here = here.with("CERROJO_TOKEN__SECRET", SECRET);
    let mut server = Arc::new(here.serve());
    runtime().block_on(async {
        let connecting = Guard::connect_with(&issuer).max_staleness(LOOSE).start_within(LIMIT).hs256_secret(SECRET);
        let guard = connecting.connect().await.unwrap();
        let mut tokens = vec![server.token(ANA)];
        for algorithm in ["RS256", "Ed25519", "HS256", "EdDSA", "ES256"] {
            let Ok(stopped) = Arc::try_unwrap(server) else { panic!("nobody else holds it") };
            stopped.stop();
            here = here.with("CERROJO_TOKEN__ALGORITHM", algorithm);
            server = Arc::new(here.serve());
            let listed = here.run(&["key", "list"]).ok().out;
            assert!(listed.contains(algorithm), "{listed}");
            loop {
                let next = server.token(ANA);
                // Whatever it is signed with: at no time is it refused.
                accepted(&guard, &next).await;
                let signed = header(&next)["alg"] == algorithm;
                tokens.push(next);
                if signed {
                    break;
                }
            }
            for token in &tokens {
                assert!(guard.check(token).await.is_ok() && server.verify(token) == 200);
            }
        }
        for token in [tokens.first().unwrap(), tokens.last().unwrap()] {
            logout(&server, token).await;
            until(|| guard.check_now(token) == Err(Denied::Invalid)).await;
        }
    });
}

#[test]
fn a_session_that_is_used_only_in_a_service_is_not_idle() {
    let (here, issuer) = here();
    let here = here.with("CERROJO_SESSION__IDLE_TIMEOUT", "15s");
    let secret = here.run(&["service", "add", "orders"]).ok().out.trim().to_owned();
    let server = here.serve();
    runtime().block_on(async {
        let wrong = Guard::connect_with(&issuer).credentials("orders", "not the secret").connect().await;
        assert!(matches!(wrong, Err(ConnectError::Credentials)), "{wrong:?}");
        let guard = Guard::connect_with(&issuer).credentials("orders", secret).max_staleness(LOOSE);
        let guard = guard.start_within(LIMIT).connect().await.unwrap();
        let [used, unused] = [server.token(ANA), server.token(ANA)];
        let idle = guard.watch(&guard.check(&unused).await.unwrap());
        let mut idle = std::pin::pin!(tokio::time::timeout(Duration::from_secs(90), idle));
        let over = loop {
            tokio::select! {
                over = &mut idle => break over,
                () = tokio::time::sleep(Duration::from_millis(200)) => assert!(guard.check(&used).await.is_ok()),
            }
        };
        assert_eq!(over.ok(), Some(Over::Ended));
        assert_eq!((server.verify(&used), server.verify(&unused)), (200, 401));
    });
}
