//! A service's guard beside the server itself.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock as _, SystemClock};
use cerrojo_guard::{ConnectError, ConnectedGuard, Denied, Guard, Over};

use crate::installation::{Installation, Server};

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

async fn connect(issuer: &str) -> ConnectedGuard {
    Guard::connect_with(issuer).max_staleness(BOUND).connect().await.unwrap()
}

/// How long it takes until this holds.
async fn until(mut holds: impl FnMut() -> bool) -> Duration {
    let clock = SystemClock::new();
    let begin = clock.elapsed();
    loop {
        if holds() {
            return clock.elapsed().saturating_sub(begin);
        }
        assert!(clock.elapsed().saturating_sub(begin) < Duration::from_secs(20), "it does not come to hold");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
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
        let guard = connect(&issuer).await;
        let mut delays = Vec::new();
        for _ in 0..20 {
            let token = server.token(ANA);
            let verified = guard.check(&token).await.unwrap();
            let watched = guard.watch(&verified);
            logout(&server, &token).await;
            delays.push(until(|| guard.check_now(&token) == Err(Denied::Invalid)).await);
            assert_eq!(watched.await, Over::Ended);
            assert!(guard.staleness() < BOUND);
        }
        delays.sort();
        assert!(delays[19] < BOUND, "{delays:?}");
    });
}

#[test]
fn a_server_that_stops_and_comes_back_is_followed_again() {
    let (here, issuer) = here();
    let server = Arc::new(here.serve());
    runtime().block_on(async {
        let guard = connect(&issuer).await;
        let [live, dead] = [server.token(ANA), server.token(ANA)];
        assert!(guard.check(&live).await.is_ok() && guard.check(&dead).await.is_ok());
        logout(&server, &dead).await;
        until(|| guard.check_now(&dead) == Err(Denied::Invalid)).await;
        let Ok(server) = Arc::try_unwrap(server) else { panic!("nobody else holds it") };
        server.kill();
        let lasted = until(|| guard.check_now(&live) == Err(Denied::Unavailable)).await;
        assert!(lasted <= BOUND + Duration::from_millis(200), "{lasted:?}");
        assert_eq!(guard.check(&dead).await, Err(Denied::Invalid), "over stays over");
        let server = Arc::new(here.serve());
        until(|| guard.check_now(&live).is_ok()).await;
        logout(&server, &live).await;
        until(|| guard.check_now(&live) == Err(Denied::Invalid)).await;
    });
}

#[test]
fn a_session_that_is_used_only_in_a_service_is_not_idle() {
    let (here, issuer) = here();
    let here = here.with("CERROJO_SESSION__IDLE_TIMEOUT", "4s");
    let secret = here.run(&["service", "add", "orders"]).ok().out.trim().to_owned();
    let server = here.serve();
    runtime().block_on(async {
        let wrong = Guard::connect_with(&issuer).credentials("orders", "not the secret").connect().await;
        assert!(matches!(wrong, Err(ConnectError::Credentials)), "{wrong:?}");
        let guard = Guard::connect_with(&issuer).credentials("orders", secret).connect().await.unwrap();
        let [used, unused] = [server.token(ANA), server.token(ANA)];
        for _ in 0..40 {
            assert!(guard.check(&used).await.is_ok());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!((server.verify(&used), server.verify(&unused)), (200, 401));
        until(|| guard.check_now(&unused) == Err(Denied::Invalid)).await;
    });
}
