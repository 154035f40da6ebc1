//! A connected guard against a server in process that has every fault that servers and networks have.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod fake;
mod support;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use axum::http::StatusCode;
use cerrojo_domain::{Clock as _, SystemClock};
use cerrojo_guard::{ConnectError, Denied, Ended, Guard, Options, Over};
use fake::{BOUND, Fake, HEARTBEAT, LIMIT, LIST, until};
use futures_util::FutureExt as _;
use serde_json::json;

#[tokio::test]
async fn an_ended_session_is_refused_at_once_and_whoever_watches_is_told() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let [token, other] = [fake.token(LIST, 7), fake.token(LIST, 8)];
    let verified = guard.check(&token).await.unwrap();
    assert_eq!(guard.check(&fake.token(LIST, 0)).await, Err(Denied::Invalid), "ended before");
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    guard.on_end(move |what| telling.lock().unwrap().push(format!("{what:?}")));
    let watched = tokio::spawn(guard.watch(&verified));
    let still = guard.watch(&guard.check(&other).await.unwrap());

    fake.end(LIST, 7);
    until(|| guard.check_now(&token) == Err(Denied::Invalid)).await;
    assert_eq!(watched.await.unwrap(), Over::Ended);
    until(|| told.lock().unwrap().len() == 1).await;
    assert!(guard.check(&other).await.is_ok());
    assert_eq!(still.now_or_never(), None, "the other one goes on");
    assert_eq!(guard.watch(&verified).await, Over::Ended, "it is over already");
}

/// Somebody who waits, and whether they were woken.
#[derive(Default)]
struct Waiting(AtomicBool);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Waiting {
    /// What it says when it is asked once; `None`: to wait.
    fn poll(self: &Arc<Self>, ended: &mut Ended) -> Option<Over> {
        match Pin::new(ended).poll(&mut Context::from_waker(&Waker::from(Arc::clone(self)))) {
            Poll::Ready(over) => Some(over),
            Poll::Pending => None,
        }
    }

    fn was_woken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn whoever_waits_is_woken_when_a_session_ends_and_when_nobody_knows() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let [token, other] = [fake.token(LIST, 7), fake.token(LIST, 8)];
    let mut ending = guard.watch(&guard.check(&token).await.unwrap());
    let mut going_on = guard.watch(&guard.check(&other).await.unwrap());
    let (first, second) = (Arc::<Waiting>::default(), Arc::<Waiting>::default());
    assert_eq!((first.poll(&mut ending), second.poll(&mut going_on)), (None, None));
    fake.end(LIST, 7);
    until(|| guard.check_now(&token) == Err(Denied::Invalid)).await;
    assert!(first.was_woken() && !second.was_woken());
    assert_eq!((first.poll(&mut ending), second.poll(&mut going_on)), (Some(Over::Ended), None));
    fake.tell(json!({ "retired_lists": [LIST] }));
    until(|| guard.check_now(&other) == Err(Denied::Invalid)).await;
    assert!(second.was_woken());

    let fake = Fake::start().await;
    let guard = fake.tight_guard().await;
    let token = fake.token(LIST, 7);
    let mut verified = None;
    until(|| {
        verified = guard.check_now(&token).ok();
        verified.is_some()
    })
    .await;
    fake.world().faults.streams = Some(StatusCode::SERVICE_UNAVAILABLE);
    fake.world().faults.entries = Some(StatusCode::SERVICE_UNAVAILABLE);
    fake.say_goodbye();
    let waiting = Arc::<Waiting>::default();
    let mut watched = guard.watch(&verified.unwrap());
    let mut said = waiting.poll(&mut watched);
    if said.is_none() {
        until(|| {
            // Everybody looks by themselves once a minute.
            assert!(guard.staleness() < LIMIT / 2);
            waiting.was_woken()
        })
        .await;
        said = waiting.poll(&mut watched);
    }
    assert_eq!(said, Some(Over::Unavailable));
}

#[tokio::test]
async fn a_retired_list_and_an_expiry_end_what_is_watched() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let mut life = Duration::from_secs(1);
    let short = loop {
        // A slow machine may find it expired already.
        life *= 2;
        if let Ok(verified) = guard.check(&fake.token_for(LIST, 9, life)).await {
            break verified;
        }
    };
    assert_eq!(guard.watch(&short).await, Over::Expired);
    let verified = guard.check(&fake.token(LIST, 7)).await.unwrap();
    let watched = tokio::spawn(guard.watch(&verified));
    fake.tell(json!({ "retired_lists": [LIST] }));
    assert_eq!(watched.await.unwrap(), Over::Ended);
    assert_eq!(guard.check(&fake.token(LIST, 8)).await, Err(Denied::Invalid));
}

#[tokio::test]
async fn an_unknown_list_is_looked_up_once_for_all_who_wait() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    fake.world().hidden.insert("new".to_owned(), BTreeSet::from([3]));
    fake.world().faults.look_up_time = Duration::from_millis(100);
    let tokens: Vec<_> = (0..50).map(|index| fake.token("new", index)).collect();
    assert_eq!(guard.check_now(&tokens[0]), Err(Denied::Unavailable), "it cannot wait");
    let checks: Vec<_> = tokens
        .iter()
        .map(|token| {
            let (guard, token) = (guard.clone(), token.clone());
            tokio::spawn(async move { guard.check(&token).await.is_ok() })
        })
        .collect();
    let mut accepted = Vec::new();
    for check in checks {
        accepted.push(check.await.unwrap());
    }
    assert_eq!(fake.world().looked_up, 1);
    assert!(accepted.iter().enumerate().all(|(index, accepted)| *accepted == (index != 3)));
    assert!(guard.check_now(&tokens[5]).is_ok());

    for _ in 0..3 {
        assert_eq!(guard.check(&fake.token("none", 1)).await, Err(Denied::Invalid));
        assert_eq!(guard.check_now(&fake.token("none", 2)), Err(Denied::Invalid));
    }
    assert_eq!(fake.world().looked_up, 2, "that there is none is remembered");
    let forged = format!("{}AAAA", fake.token("forged", 1));
    assert_eq!(guard.check(&forged).await, Err(Denied::Invalid));
    assert_eq!(fake.world().looked_up, 2, "nothing is asked for a bad signature");
    fake.world().faults.look_ups = Some(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(guard.check(&fake.token("unclear", 1)).await, Err(Denied::Unavailable));
}

#[tokio::test]
async fn an_expired_token_of_an_unknown_list_is_refused_without_a_look_up() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    fake.world().hidden.insert("new".to_owned(), BTreeSet::new());
    let expired = fake.token_for("new", 3, Duration::ZERO);
    assert_eq!(guard.check_now(&expired), Err(Denied::Invalid));
    assert_eq!(guard.check(&expired).await, Err(Denied::Invalid));
    assert_eq!(fake.world().looked_up, 0);
    assert!(guard.check(&fake.token("new", 3)).await.is_ok());
    assert_eq!(fake.world().looked_up, 1);
}

#[tokio::test]
async fn endings_of_a_list_are_not_lost_while_it_is_looked_up() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    fake.world().hidden.insert("new".to_owned(), BTreeSet::new());
    fake.end("new", 4);
    fake.end(LIST, 5);
    until(|| guard.check_now(&fake.token(LIST, 5)) == Err(Denied::Invalid)).await;
    assert_eq!(guard.check(&fake.token("new", 4)).await, Err(Denied::Invalid));
    assert!(guard.check(&fake.token("new", 5)).await.is_ok());
}

#[tokio::test]
async fn a_server_that_is_gone_makes_everything_unavailable_within_the_bound() {
    let fake = Fake::start().await;
    let guard = fake.tight_guard().await;
    let [token, ended] = [fake.token(LIST, 7), fake.token(LIST, 0)];
    let mut verified = None;
    until(|| {
        verified = guard.check_now(&token).ok();
        verified.is_some()
    })
    .await;
    let watched = tokio::spawn(guard.watch(&verified.unwrap()));
    fake.world().faults.streams = Some(StatusCode::SERVICE_UNAVAILABLE);
    fake.world().faults.entries = Some(StatusCode::SERVICE_UNAVAILABLE);
    fake.say_goodbye();
    let clock = SystemClock::new();
    until(|| {
        let begun = clock.elapsed();
        let checked = guard.check_now(&token);
        let last_word = fake.world().last_word;
        assert!(checked.is_err() || begun < last_word + BOUND, "accepted {:?} after it", begun.checked_sub(last_word));
        // Until the stream has seen it, a heartbeat may still come.
        fake.world().open_streams == 0 && checked == Err(Denied::Unavailable)
    })
    .await;
    assert_eq!(watched.await.unwrap(), Over::Unavailable);
    assert_eq!(guard.check(&ended).await, Err(Denied::Invalid), "over stays over");
    assert!(!guard.is_current() && guard.staleness() >= BOUND);

    fake.end(LIST, 7);
    fake.world().faults.streams = None;
    until(|| guard.check_now(&token) == Err(Denied::Invalid)).await;
    until(|| guard.check_now(&fake.token(LIST, 8)).is_ok()).await;
}

#[tokio::test]
async fn a_buffer_on_the_way_does_not_make_old_news_fresh() {
    let fake = Fake::start().await;
    let delay = BOUND + HEARTBEAT;
    fake.world().faults.delay = delay;
    fake.world().faults.entries = Some(StatusCode::NOT_FOUND);
    let guard = fake.tight_guard().await;
    let token = fake.token(LIST, 7);
    let clock = SystemClock::new();
    let mut first = None;
    until(|| {
        assert_eq!(guard.check_now(&token), Err(Denied::Unavailable));
        let staleness = guard.staleness();
        assert!(staleness + Duration::from_millis(10) >= delay, "{staleness:?}");
        let fresh = clock.elapsed().saturating_sub(staleness);
        // Several heartbeats were read since.
        fresh >= *first.get_or_insert(fresh) + HEARTBEAT * 3
    })
    .await;
}

#[tokio::test]
async fn while_the_stream_lies_in_a_buffer_polling_tells() {
    let fake = Fake::start().await;
    fake.world().faults.delay = Duration::from_hours(1);
    let guard = fake.tight_guard().await;
    let token = fake.token(LIST, 7);
    until(|| guard.check_now(&token).is_ok()).await;
    fake.end(LIST, 7);
    until(|| guard.check_now(&token) == Err(Denied::Invalid)).await;
    assert!(fake.world().polled >= 2);
}

#[tokio::test]
async fn without_streams_polling_keeps_the_bound() {
    let clock = SystemClock::new();
    let fake = Fake::start().await;
    fake.world().faults.streams = Some(StatusCode::TOO_MANY_REQUESTS);
    let begun = clock.elapsed();
    let guard = fake.tight_guard().await;
    let token = fake.token(LIST, 7);
    until(|| fake.world().polled >= 3 && guard.check_now(&token).is_ok()).await;
    fake.end(LIST, 7);
    let ended = clock.elapsed();
    until(|| {
        let begun = clock.elapsed();
        let checked = guard.check_now(&token);
        assert!(checked.is_err() || begun < ended + BOUND);
        checked == Err(Denied::Invalid)
    })
    .await;
    let asked = fake.world().asked_after.len();
    let polled = fake.world().polled;
    let lasted = clock.elapsed().saturating_sub(begun);
    let most = |pause: Duration| 1 + usize::try_from(lasted.as_millis() / pause.as_millis()).unwrap();
    assert!(asked <= most(Duration::from_secs(1)), "it leaves the server alone as long as that wishes");
    assert!(polled <= most(Duration::from_millis(900)), "{polled} in {lasted:?}");
}

#[tokio::test]
async fn what_was_cut_off_in_the_midst_of_an_event_is_asked_for_again() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let token = fake.token(LIST, 7);
    fake.end(LIST, 6);
    until(|| guard.check_now(&fake.token(LIST, 6)).is_err()).await;
    fake.world().faults.cut_at = Some(40);
    fake.end(LIST, 7);
    until(|| guard.check_now(&token) == Err(Denied::Invalid)).await;
    assert_eq!(fake.world().asked_after, [None, Some("1".to_owned())]);
}

#[tokio::test]
async fn a_silent_stream_is_given_up_and_goodbye_is_followed() {
    let fake = Fake::start().await;
    fake.world().faults.silent = true;
    fake.world().faults.heartbeat = HEARTBEAT;
    let guard = fake.guard().await;
    assert!(fake.world().polled >= 1, "the first snapshot came by polling");
    until(|| fake.world().asked_after.len() >= 2).await;
    fake.world().faults.silent = false;
    until(|| fake.world().spoken >= 1).await;
    let asked = fake.world().asked_after.len();
    fake.say_goodbye();
    let token = fake.token(LIST, 7);
    until(|| {
        assert!(guard.check_now(&token).is_ok(), "it goes on with what it has");
        fake.world().asked_after.len() > asked
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_right_is_not_applied() {
    let huge = format!("event: list\ndata: {}", "x".repeat(5 * 1024 * 1024));
    let bomb = json!({ "name": "a", "capacity": 4_000_000_000_u32, "lst": "" });
    for wrong in [huge, format!("event: list\ndata: {bomb}\n\n"), "event: entries\ndata: {\n\n".to_owned()] {
        let fake = Fake::start().await;
        fake.world().faults.extra = Some(wrong.into_bytes());
        let guard = fake.guard().await;
        assert!(guard.check(&fake.token(LIST, 7)).await.is_ok());
        until(|| fake.world().asked_after.len() == 2).await;
        assert!(metrics(&guard).contains("cerrojo_guard_faults_total 1\n"));
    }
}

fn metrics(guard: &cerrojo_guard::ConnectedGuard) -> String {
    let mut text = String::new();
    guard.write_metrics(&mut text).unwrap();
    text
}

/// What is said when the time is up: of that which was last wrong, so that there must have been time for it to go wrong.
async fn says(options: impl Fn() -> Options, what: &str) {
    let mut within = Duration::from_millis(700);
    loop {
        let said = options().start_within(within).connect().await.unwrap_err().to_string();
        if said.contains(what) {
            return;
        }
        within *= 2;
        assert!(within < LIMIT, "{said}");
    }
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_said() {
    let fake = Fake::start().await;
    let error = |options: Options| async { options.connect().await.unwrap_err() };

    for issuer in
        ["http://auth.example.org", "https://a.example/", "ftp://a.example", "auth.example.org", "", "https://a:b@c"]
    {
        assert!(matches!(error(Guard::connect_with(issuer)).await, ConnectError::Issuer(_)), "{issuer}");
    }
    for bound in [Duration::from_millis(1999), Duration::from_secs(301)] {
        assert!(matches!(error(fake.options().max_staleness(bound)).await, ConnectError::Option(_)));
    }
    assert!(matches!(error(fake.options().hs256_secret("short")).await, ConnectError::Option(_)));
    let missing = Guard::connect_with("https://a.example").ca_file("no such file");
    assert!(matches!(error(missing).await, ConnectError::Roots(_)));

    fake.world().faults.metadata_issuer = Some("https://elsewhere.example".to_owned());
    assert!(matches!(error(fake.options()).await, ConnectError::Metadata(_)));
    fake.world().faults.metadata_issuer = None;
    fake.world().faults.issuer = Some("https://elsewhere.example".to_owned());
    says(|| fake.options(), "another issuer").await;
    fake.world().faults.issuer = None;
    fake.world().faults.moved = Some(format!("{}/elsewhere", fake.issuer));
    // Redirects are not followed.
    says(|| fake.options(), "302").await;
    fake.world().faults.moved = None;
    fake.world().faults.authorization = Some("Basic YTpi");
    assert!(matches!(error(fake.options()).await, ConnectError::Credentials));
    assert!(fake.options().credentials("a", "b").connect().await.is_ok());
    fake.world().faults.authorization = None;

    says(|| Guard::connect_with("http://127.0.0.1:9"), "refused").await;
}

#[tokio::test]
async fn tls_is_trusted_only_as_far_as_its_root() {
    let fake = Fake::start_tls().await;
    let guard = fake.options().ca_file(fake::CA_FILE).connect().await.unwrap();
    let token = fake.token(LIST, 7);
    assert!(guard.check(&token).await.is_ok());
    fake.end(LIST, 7);
    until(|| guard.check_now(&token) == Err(Denied::Invalid)).await;
    says(|| fake.options(), "certificate").await;
    let other_name = fake.issuer.replace("localhost", "127.0.0.1");
    says(|| Guard::connect_with(&other_name).ca_file(fake::CA_FILE), "certificate").await;
}

/// The places of [`LIST`] that were reported, with how long ago they were used.
fn reported(fake: &Fake) -> Vec<(u64, i64)> {
    let world = fake.world();
    let uses = world.activity.iter().filter_map(|told| told["uses"][LIST].as_array()).flatten();
    let mut uses: Vec<_> = uses.map(|one| (one[0].as_u64().unwrap(), one[1].as_i64().unwrap())).collect();
    uses.sort_unstable();
    uses
}

fn places(uses: &[(u64, i64)]) -> Vec<u64> {
    uses.iter().map(|(place, _)| *place).collect()
}

#[tokio::test]
async fn uses_are_reported_and_those_that_could_not_be_are_kept() {
    let fake = Fake::start().await;
    fake.world().faults.report = Some(300);
    fake.world().faults.activity = Some(StatusCode::SERVICE_UNAVAILABLE);
    let guard = fake.options().credentials("a", "b").connect().await.unwrap();
    let clock = SystemClock::new();
    let begun = clock.now();
    guard.check(&fake.token(LIST, 3)).await.unwrap();
    let noted = clock.now();
    guard.check(&fake.token(LIST, 4)).await.unwrap();
    until(|| fake.world().refused_activity.len() >= 3).await;
    guard.check(&fake.token(LIST, 5)).await.unwrap();
    fake.world().faults.activity = None;
    until(|| reported(&fake).len() >= 3).await;
    let uses = reported(&fake);
    assert_eq!(places(&uses), [3, 4, 5]);
    assert!(uses.iter().all(|(_, ago)| *ago <= clock.now().0 - begun.0), "{uses:?}");
    // The report that was taken was written after the one before it was refused.
    let refused = fake.world().refused_activity.clone();
    let kept = refused.last().unwrap().0 - noted.0;
    assert!(uses[0].1 >= kept, "when it was, not when it was told: {uses:?}, kept for {kept} ms");
}

#[tokio::test]
async fn without_credentials_nothing_is_told() {
    let fake = Fake::start().await;
    fake.world().faults.report = Some(150);
    let stranger = fake.guard().await;
    stranger.check(&fake.token(LIST, 6)).await.unwrap();
    let named = fake.options().credentials("a", "b").connect().await.unwrap();
    // Both would report as often.
    for place in 10..15 {
        named.check(&fake.token(LIST, place)).await.unwrap();
        until(|| places(&reported(&fake)).contains(&u64::from(place))).await;
    }
    assert!(!places(&reported(&fake)).contains(&6));
    assert_eq!(fake.world().nameless_activity, 0);
}

#[tokio::test]
async fn the_last_clone_takes_the_follower_with_it() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let watched = guard.watch(&guard.check(&fake.token(LIST, 7)).await.unwrap());
    let clone = guard.clone();
    drop(guard);
    assert!(clone.check(&fake.token(LIST, 7)).await.is_ok());
    until(|| fake.world().open_streams == 1).await;
    drop(clone);
    assert_eq!(watched.await, Over::Unavailable);
    until(|| fake.world().open_streams == 0).await;
}

#[tokio::test]
async fn a_stream_stops_with_its_session() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let verified = guard.check(&fake.token(LIST, 7)).await.unwrap();
    let polled = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&polled);
    let endless = Endless(counting);
    let mut stream = Box::pin(cerrojo_guard::UntilEnded::new(endless, guard.watch(&verified)));
    let mut next =
        async || std::future::poll_fn(|context| futures_core::Stream::poll_next(stream.as_mut(), context)).await;
    assert_eq!(next().await, Some(1));
    fake.end(LIST, 7);
    until(|| guard.check_now(&fake.token(LIST, 7)).is_err()).await;
    assert_eq!(next().await, None);
    assert_eq!(next().await, None);
    assert_eq!(polled.load(Ordering::Relaxed), 1);
}

struct Endless(Arc<AtomicUsize>);

impl futures_core::Stream for Endless {
    type Item = usize;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<usize>> {
        Poll::Ready(Some(self.0.fetch_add(1, Ordering::Relaxed) + 1))
    }
}

#[tokio::test]
async fn metrics_say_what_happened() {
    let fake = Fake::start().await;
    let guard = fake.guard().await;
    let _ = guard.check(&fake.token(LIST, 7)).await;
    let _ = guard.check(&fake.token(LIST, 0)).await;
    let _ = guard.check("nonsense").await;
    let text = metrics(&guard);
    for line in [
        "cerrojo_guard_checks_total{outcome=\"accepted\"} 1\n",
        "cerrojo_guard_checks_total{outcome=\"refused\"} 2\n",
        "cerrojo_guard_checks_total{outcome=\"unavailable\"} 0\n",
        "cerrojo_guard_streams_total 1\n",
        "cerrojo_guard_max_staleness_seconds 300\n",
        "# TYPE cerrojo_guard_staleness_seconds gauge\n",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}
