//! What a check says as keys, lists, time and the lease change.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListIndex, ListName, UnixMillis, UserId};
use cerrojo_guard::{Algorithm, Counts, Guard, Policy, Refusal, Refused, SigningKey, VerifyingKey, status_list};
use support::{CAPACITY, ISSUER, START, World, key};

const NOW: UnixMillis = UnixMillis(START * 1000);
const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn what_a_token_says_is_passed_on() {
    let world = World::new();
    let verified = world.guard.check(&world.token(42)).unwrap();
    assert_eq!(verified.session.as_str(), "sId0000000000000000042");
    assert_eq!(verified.user, UserId(7));
    assert_eq!(verified.email, "ana@example.org");
    assert_eq!(verified.name, "Ana O'Brien <b>ÿ");
    assert_eq!(verified.role_id, 2);
    assert_eq!(verified.expires_at, NOW.plus(Duration::from_hours(24)));
    assert_eq!((&verified.key, &verified.list, verified.index), (&world.kid, &world.list, ListIndex(42)));
}

#[test]
fn an_ended_session_is_refused_and_no_other() {
    let world = World::new();
    for index in [0, 1, 63, 64, 65, 1023, 1024, CAPACITY - 1] {
        let tokens = [world.token(index), world.token(index)];
        let neighbour = world.token((index + 1) % CAPACITY);
        let [seen, unseen] = &tokens;
        assert!(world.guard.check(seen).is_ok());
        world.end(index);
        assert_eq!(world.guard.check(seen), Err(Refusal::Invalid), "from the cache");
        assert_eq!(world.guard.check(unseen), Err(Refusal::Invalid), "verified afresh");
        assert!(world.guard.is_over(&world.list, ListIndex(index)));
        if index != 0 && index != 63 && index != 64 && index != 1023 && index != CAPACITY - 1 {
            assert!(!world.guard.is_over(&world.list, ListIndex((index + 1) % CAPACITY)));
            assert!(world.guard.check(&neighbour).is_ok());
        }
        world.guard.open_list(&world.list, CAPACITY);
        world.guard.seen(&world.list, ListIndex(index), NOW.plus(MINUTE));
        assert_eq!(world.guard.check(seen), Err(Refusal::Invalid), "over is for ever");
    }
}

#[test]
fn what_is_longer_than_a_token_may_be_is_refused_however_stale_the_guard_is() {
    let world = World::new();
    world.guard.hold_lease_until(Duration::ZERO);
    assert_eq!(world.guard.check(&world.token(7)), Err(Refusal::Unavailable));
    let long = format!("{}{}", world.token(7), "A".repeat(8 * 1024));
    assert_eq!(world.guard.check(&long), Err(Refusal::Invalid));
}

#[test]
fn an_expected_token_is_checked_like_any_other() {
    let world = World::new();
    let [first, second] = [world.token(7), world.token(8)];
    for token in [&first, &second] {
        world.guard.expect(token);
    }
    assert_eq!(world.guard.take_activity(), [], "nobody used them");
    world.end(7);
    assert_eq!(world.guard.check(&first), Err(Refusal::Invalid));
    assert!(world.guard.check(&second).is_ok());
    let forged = format!("{}A", &second[..second.len() - 1]);
    world.guard.expect(&forged);
    assert_eq!(world.guard.check(&forged).is_ok(), forged == second);
    world.guard.retire_key(&world.kid);
    world.guard.expect(&second);
    assert_eq!(world.guard.check(&second), Err(Refusal::Invalid));
}

#[test]
fn a_key_that_may_be_new_is_not_refused_for_good() {
    let world = World::new();
    let mut header = world.header();
    header.kid = KeyId::from_text("another");
    let token = world.sign(&header, &world.claims(1));
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "who is current knows every key");
    let now = world.clock.elapsed();
    let (later, soon) = (now + Duration::from_secs(5), now + Duration::from_secs(2));
    world.guard.hold_lease_and_keys_until(later, soon);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid));
    world.guard.hold_lease_and_keys_until(later, now);
    assert_eq!(world.guard.check(&token), Err(Refusal::Unavailable));
    assert!(world.guard.check(&world.token(1)).is_ok(), "known keys go on");
}

#[test]
fn a_token_of_a_place_beyond_its_list_is_refused() {
    let world = World::new();
    assert!(world.guard.check(&world.token(CAPACITY - 1)).is_ok());
    assert_eq!(world.guard.check(&world.token(CAPACITY)), Err(Refusal::Invalid));
    assert!(world.guard.is_over(&world.list, ListIndex(CAPACITY)));
    assert!(world.guard.end(&world.list, ListIndex(u32::MAX)), "refused already");
}

#[test]
fn a_list_is_known_before_its_tokens_are_good() {
    let world = World::new();
    let name = ListName::from_text("another");
    let mut claims = world.claims(3);
    claims.status.status_list.uri = format!("{ISSUER}/status-lists/another");
    let token = world.sign(&world.header(), &claims);
    let Err(Refusal::UnknownList(verified)) = world.guard.check(&token) else { panic!("nobody told of its list") };
    assert_eq!(verified.list, name);
    assert!(world.guard.is_over(&name, ListIndex(3)));
    assert_eq!(world.guard.list_bytes(&name), None);
    claims.exp = world.claims(3).iat;
    let expired = world.sign(&world.header(), &claims);
    assert_eq!(world.guard.check(&expired), Err(Refusal::Invalid), "its list need not be looked up");

    assert!(!world.guard.end(&name, ListIndex(4)), "not known yet");
    world.guard.open_list(&name, 8);
    assert!(world.guard.check(&token).is_ok());
    assert!(world.guard.is_over(&name, ListIndex(4)), "an ending told early is not lost");
    assert_eq!(world.guard.list_bytes(&name), Some(vec![0b0001_0000]));
}

#[test]
fn a_retired_list_is_refused_for_ever() {
    let world = World::new();
    let token = world.token(1);
    assert!(world.guard.check(&token).is_ok());
    world.guard.retire_list(&world.list);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "from the cache");
    assert_eq!(world.guard.check(&world.token(2)), Err(Refusal::Invalid), "verified afresh");
    assert_eq!(world.guard.list_bytes(&world.list), Some(vec![0xff; (CAPACITY / 8) as usize]));
    world.guard.open_list(&world.list, CAPACITY);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "opened again");
    assert!(world.guard.end(&world.list, ListIndex(1)));
    assert!(world.guard.is_over(&world.list, ListIndex(2)));

    let early = ListName::from_text("early");
    world.guard.retire_list(&early);
    world.guard.open_list(&early, 8);
    assert!(world.guard.is_over(&early, ListIndex(0)), "retired before it was known");
    assert_eq!(world.guard.list_bytes(&early), Some(vec![0xff]));
}

#[test]
fn when_everything_is_over_the_lists_that_were_known_are_retired() {
    let world = World::new();
    let (since, later) = (ListName::from_text("since"), ListName::from_text("later"));
    world.guard.open_list(&since, 8);
    let token = world.token(1);
    assert!(world.guard.check(&token).is_ok());
    let known = world.guard.lists();
    world.guard.open_list(&later, 8);
    for list in known.iter().filter(|list| **list != since) {
        world.guard.retire_list(list);
    }
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid));
    for list in [&since, &later] {
        assert!(!world.guard.is_over(list, ListIndex(0)));
    }
    for list in world.guard.lists() {
        world.guard.retire_list(&list);
    }
    for list in [&since, &later] {
        assert!(world.guard.is_over(list, ListIndex(0)));
    }
}

#[test]
fn a_retired_key_takes_its_tokens_with_it() {
    let world = World::new();
    let token = world.token(1);
    assert!(world.guard.check(&token).is_ok());
    let other = key(Algorithm::Es256);
    world.guard.add_key(world.kid.clone(), other.verifying_key().clone());
    assert!(world.guard.check(&world.token(2)).is_ok(), "a name never comes to mean another key");

    world.guard.retire_key(&world.kid);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "from the cache");
    assert_eq!(world.guard.check(&world.token(3)), Err(Refusal::Invalid), "verified afresh");
    world.guard.add_key(world.kid.clone(), world.signer.verifying_key().clone());
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "added again");
}

#[test]
fn a_key_retired_before_it_was_known_never_verifies() {
    let world = World::new();
    let early = KeyId::from_text("early");
    world.guard.retire_key(&early);
    world.guard.add_key(early.clone(), world.signer.verifying_key().clone());
    let mut header = world.header();
    assert!(world.guard.check(&world.sign(&header, &world.claims(1))).is_ok());
    header.kid = early;
    assert_eq!(world.guard.check(&world.sign(&header, &world.claims(1))), Err(Refusal::Invalid));
}

#[test]
fn a_retired_keys_tokens_are_told_from_forged_ones_and_never_accepted() {
    let world = World::new();
    let (mut header, late) = (world.header(), KeyId::from_text("late"));
    world.guard.add_retired_key(late.clone(), world.signer.verifying_key().clone());
    header.kid = late.clone();
    let token = world.sign(&header, &world.claims(1));
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    for _ in 0..2 {
        let refused = |token| world.guard.examine(token, Counts::AsUse).unwrap_err();
        assert_eq!(refused(&token), Refused { refusal: Refusal::Invalid, is_genuine: true });
        assert_eq!(refused(&forged), Refused { refusal: Refusal::Invalid, is_genuine: false });
        assert!(world.guard.identify(&token).is_some() && world.guard.identify(&forged).is_none());
        world.guard.add_key(late.clone(), world.signer.verifying_key().clone());
    }
    let live = world.token(2);
    world.guard.add_retired_key(world.kid.clone(), world.signer.verifying_key().clone());
    assert_eq!(world.guard.check(&live), Err(Refusal::Invalid), "one that was in use");
}

#[test]
fn a_check_that_counts_as_nothing_is_no_use() {
    let world = World::new();
    let token = world.token(1);
    assert!(world.guard.examine(&token, Counts::AsNothing).is_ok());
    assert_eq!(world.guard.take_activity(), []);
    assert!(world.guard.examine(&token, Counts::AsUse).is_ok());
    assert_eq!(world.guard.take_activity().len(), 1);
}

#[test]
fn expiry_comes_to_cached_tokens_too() {
    let world = World::new();
    let token = world.token(1);
    assert!(world.guard.check(&token).is_ok());
    world.clock.pass(Duration::from_millis(86_399_999));
    assert!(world.guard.check(&token).is_ok());
    world.clock.pass(Duration::from_millis(1));
    let Err(Refusal::Expired(expired)) = world.guard.check(&token) else { panic!("it has expired") };
    world.guard.end(&expired.list, expired.index);
    assert_eq!(
        world.guard.check(&token),
        Err(Refusal::Invalid),
        "once it is written down, there is nothing more to do"
    );
}

#[test]
fn without_a_lease_nothing_is_accepted() {
    let world = World::new();
    let (alive, dead) = (world.token(1), world.token(2));
    world.end(2);
    let elapsed = Duration::from_secs(1000);
    for (deadline, holds) in [
        (Duration::MAX, true),
        (elapsed + Duration::from_millis(1), true),
        (elapsed, false),
        (Duration::from_secs(940), false),
        (Duration::ZERO, false),
    ] {
        world.guard.hold_lease_until(deadline);
        assert_eq!(world.guard.holds_lease(), holds, "{deadline:?}");
        let verdict = world.guard.check(&alive).map(|_| ());
        assert_eq!(verdict, if holds { Ok(()) } else { Err(Refusal::Unavailable) }, "{deadline:?}");
        assert_eq!(world.guard.check(&dead), Err(Refusal::Invalid), "known dead, lease or not");
        assert_eq!(world.guard.check("nonsense"), Err(Refusal::Invalid));
    }
    let fresh = Guard::new(
        Policy { issuer: String::new(), audience: String::new(), idle_timeout: None, cache_capacity: 1 },
        world.clock.clone(),
    );
    assert!(!fresh.holds_lease(), "none before one was won");
}

#[test]
fn a_lease_runs_out_by_itself() {
    let world = World::new();
    let token = world.token(1);
    world.guard.hold_lease_until(Duration::from_secs(1002));
    assert!(world.guard.check(&token).is_ok());
    world.clock.pass(Duration::from_secs(2));
    assert_eq!(world.guard.check(&token), Err(Refusal::Unavailable));
}

/// Whenever the time of day is read, in the middle of a check, the guard wins a new lease.
#[derive(Default)]
struct LeaseWonBack(std::sync::OnceLock<std::sync::Weak<Guard>>);

impl Clock for LeaseWonBack {
    fn now(&self) -> UnixMillis {
        if let Some(guard) = self.0.get().and_then(std::sync::Weak::upgrade) {
            guard.hold_lease_until(Duration::from_secs(2000));
        }
        NOW
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(1000)
    }
}

#[test]
fn a_lease_won_back_during_a_check_does_not_cover_it() {
    let world = World::new();
    let clock = Arc::new(LeaseWonBack::default());
    let policy = Policy {
        issuer: ISSUER.to_owned(),
        audience: "https://api.example".to_owned(),
        idle_timeout: None,
        cache_capacity: 10,
    };
    let guard = Arc::new(Guard::new(policy, Arc::<LeaseWonBack>::clone(&clock)));
    guard.add_key(world.kid.clone(), world.signer.verifying_key().clone());
    guard.open_list(&world.list, CAPACITY);
    clock.0.set(Arc::downgrade(&guard)).unwrap();
    let token = world.token(1);
    guard.hold_lease_until(Duration::from_secs(999));
    assert_eq!(guard.check(&token), Err(Refusal::Unavailable), "what was looked at may be older than the new lease");
    assert!(guard.check(&token).is_ok(), "a check that begins under it is covered");
}

#[test]
fn an_unused_session_is_left_to_the_database() {
    let world = World::with(key(Algorithm::Es256), Some(10 * MINUTE));
    let (token, place) = (world.token(1), ListIndex(1));
    let Err(Refusal::Idle(verified)) = world.guard.check(&token) else { panic!("its last use is not known") };
    assert_eq!(verified.index, place);

    world.guard.seen(&world.list, place, NOW);
    assert!(world.guard.check(&token).is_ok());
    world.clock.pass(Duration::from_millis(599_999));
    assert!(world.guard.check(&token).is_ok(), "and this use counts");
    world.clock.pass(Duration::from_millis(599_999));
    assert!(world.guard.check(&token).is_ok());
    world.clock.pass(10 * MINUTE);
    assert!(matches!(world.guard.check(&token), Err(Refusal::Idle(_))));
    assert!(matches!(world.guard.check(&token), Err(Refusal::Idle(_))), "a refused check is no use");
    world.guard.hold_lease_until(Duration::ZERO);
    assert!(matches!(world.guard.check(&token), Err(Refusal::Idle(_))), "the database decides, so no lease is needed");
    world.guard.hold_lease_until(Duration::MAX);
    world.guard.seen(&world.list, place, NOW.plus(29 * MINUTE));
    assert!(world.guard.check(&token).is_ok(), "the database knew of a newer use");
    world.clock.pass(20 * MINUTE);
    world.end(1);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid), "over goes before idle");
}

#[test]
fn an_idle_session_of_a_retired_list_is_invalid() {
    let world = World::with(key(Algorithm::Es256), Some(MINUTE));
    let token = world.token(1);
    assert!(matches!(world.guard.check(&token), Err(Refusal::Idle(_))));
    world.guard.retire_list(&world.list);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid));
}

#[test]
fn activity_is_told_once() {
    let world = World::new();
    assert!(world.guard.take_activity().is_empty());
    assert!(world.guard.check(&world.token(1)).is_ok());
    world.clock.pass(MINUTE);
    assert!(world.guard.check(&world.token(1)).is_ok());
    assert!(world.guard.check(&world.token(2000)).is_ok());
    world.guard.seen(&world.list, ListIndex(3), NOW);
    let told = world.guard.take_activity();
    let later = NOW.plus(MINUTE);
    assert_eq!(
        told,
        [(world.list.clone(), ListIndex(1), later), (world.list.clone(), ListIndex(2000), later)],
        "the latest use of each, and nothing that came from the database"
    );
    assert!(world.guard.take_activity().is_empty());
    assert!(world.guard.check(&world.token(1)).is_ok());
    assert_eq!(world.guard.take_activity().len(), 1);
}

#[test]
fn a_time_from_the_database_does_not_hide_activity() {
    let world = World::new();
    assert!(world.guard.check(&world.token(1)).is_ok());
    let later = NOW.plus(MINUTE);
    world.guard.seen(&world.list, ListIndex(1), later);
    assert!(world.guard.check(&world.token(1)).is_ok());
    assert_eq!(world.guard.take_activity(), [(world.list.clone(), ListIndex(1), later)]);
}

#[test]
fn a_refused_check_is_no_activity() {
    let world = World::new();
    let token = world.token(1);
    world.guard.hold_lease_until(Duration::ZERO);
    assert_eq!(world.guard.check(&token), Err(Refusal::Unavailable));
    world.guard.hold_lease_until(Duration::MAX);
    world.end(1);
    assert_eq!(world.guard.check(&token), Err(Refusal::Invalid));
    assert!(world.guard.take_activity().is_empty());
    assert_eq!(world.guard.last_seen(&world.list, ListIndex(1)), None);
}

#[test]
fn the_later_time_of_use_stays() {
    let world = World::new();
    let place = ListIndex(9);
    assert_eq!(world.guard.last_seen(&world.list, place), None);
    for (told, known) in [(5, 5), (3, 5), (5, 5), (8, 8), (-4, 8)] {
        world.guard.seen(&world.list, place, UnixMillis(told));
        assert_eq!(world.guard.last_seen(&world.list, place), Some(UnixMillis(known)));
    }
    world.guard.seen(&world.list, ListIndex(CAPACITY + 500), NOW);
    assert_eq!(world.guard.last_seen(&world.list, ListIndex(CAPACITY + 500)), None, "beyond the list");
    assert_eq!(world.guard.last_seen(&ListName::from_text("x"), place), None);
}

#[test]
fn the_time_of_day_is_read_once_a_check() {
    let world = World::with(key(Algorithm::Es256), Some(MINUTE));
    world.guard.seen(&world.list, ListIndex(1), NOW);
    let token = world.token(1);
    for _ in ["verified afresh", "from the cache"] {
        let before = world.clock.readings.load(Ordering::Relaxed);
        assert!(world.guard.check(&token).is_ok());
        assert_eq!(world.clock.readings.load(Ordering::Relaxed) - before, 1);
    }
}

#[test]
fn more_tokens_than_the_cache_holds_are_verified_all_the_same() {
    let world = World::new();
    let tokens: Vec<String> = (0..2500).map(|index| world.token(index)).collect();
    world.end(7);
    for round in 0..2 {
        for (index, token) in tokens.iter().enumerate() {
            assert_eq!(world.guard.check(token).is_ok(), index != 7, "{index} in round {round}");
        }
    }
}

#[test]
fn a_guard_without_a_cache_works() {
    let world = World::new();
    let policy = Policy {
        issuer: ISSUER.to_owned(),
        audience: "https://api.example".to_owned(),
        idle_timeout: None,
        cache_capacity: 0,
    };
    let guard = Guard::new(policy, world.clock.clone());
    guard.add_key(world.kid.clone(), world.signer.verifying_key().clone());
    guard.open_list(&world.list, CAPACITY);
    guard.hold_lease_until(Duration::MAX);
    let token = world.token(1);
    assert!(guard.check(&token).is_ok());
    assert!(guard.check(&token).is_ok());
    assert!(guard.end(&world.list, ListIndex(1)));
    assert_eq!(guard.check(&token), Err(Refusal::Invalid));
}

#[test]
fn a_key_that_breaks_its_kinds_rule_verifies_nothing() {
    let world = World::with(SigningKey::shared(b"short"), None);
    assert_eq!(world.guard.check(&world.token(1)), Err(Refusal::Invalid));
    let world = World::new();
    world.guard.add_key(KeyId::from_text("x"), VerifyingKey::Es256(vec![0; 65]));
    let mut header = world.header();
    header.kid = KeyId::from_text("x");
    assert_eq!(world.guard.check(&world.sign(&header, &world.claims(1))), Err(Refusal::Invalid));
}

#[test]
fn a_lists_bytes_say_what_the_guard_says() {
    let world = World::new();
    for index in [0, 3, 4, 5, 7, 8, 9, 13, 15, CAPACITY - 1] {
        world.end(index);
    }
    let bytes = world.guard.list_bytes(&world.list).unwrap();
    assert_eq!(bytes.len(), (CAPACITY / 8) as usize);
    assert!(bytes.starts_with(&[0xb9, 0xa3]), "the draft's example");
    for index in 0..CAPACITY {
        let over = world.guard.is_over(&world.list, ListIndex(index));
        assert_eq!(status_list::is_set(&bytes, index), Some(over));
    }
}

/// Checks in many threads while sessions end: whatever begins after `end` has returned is refused.
#[test]
fn nothing_is_accepted_after_its_end_has_returned() {
    let world = World::new();
    let tokens: Vec<String> = (0..64).map(|index| world.token(index)).collect();
    let ended = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while ended.load(Ordering::Acquire) < tokens.len() {
                    let over = ended.load(Ordering::Acquire);
                    for token in &tokens[..over] {
                        assert_eq!(world.guard.check(token), Err(Refusal::Invalid));
                    }
                    for token in &tokens[over..] {
                        let _either = world.guard.check(token);
                    }
                }
            });
        }
        for index in 0..64 {
            assert!(world.guard.end(&world.list, ListIndex(index)));
            ended.fetch_add(1, Ordering::Release);
            std::thread::yield_now();
        }
    });
}
