//! Whatever the bytes, a guard says no, and says it without a panic: nobody signed them.

#![no_main]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListName, UnixMillis};
use cerrojo_guard::{Algorithm, Guard, Header, Policy, Refusal, SESSION_TYP, VerifyingKey, hostile, signing_input};
use libfuzzer_sys::fuzz_target;

/// The public point of RFC 7515, appendix A.3.
const POINT: [u8; 65] = [
    4, 127, 205, 206, 39, 112, 246, 196, 93, 65, 131, 203, 238, 111, 219, 75, 123, 88, 7, 51, 53, 123, 233, 239, 19,
    186, 207, 110, 60, 123, 209, 84, 69, 199, 241, 68, 205, 27, 189, 155, 126, 135, 44, 223, 237, 185, 238, 185, 244,
    179, 105, 93, 110, 169, 11, 36, 173, 138, 70, 35, 40, 133, 136, 229, 173,
];

/// A token as it would look, with a signature that is none: what the readings borrow their other parts from.
const LIKE: &str =
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2kiLCJzdWIiOiIxIn0.AAAA";

/// The same by a key of each algorithm.
static LIKES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let like = |algorithm: Algorithm| {
        let kid = KeyId::from_text(algorithm.name());
        let header = Header { alg: algorithm, typ: SESSION_TYP, kid };
        format!("{}.AAAA", signing_input(&header, &BTreeMap::from([("iss", "https://i"), ("sub", "1")])))
    };
    Algorithm::ALL.into_iter().map(like).chain([LIKE.to_owned()]).collect()
});

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_770_976_800_000)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(1000)
    }
}

static GUARD: LazyLock<Guard> = LazyLock::new(|| {
    let policy = Policy {
        issuer: "https://i".to_owned(),
        audience: "https://i".to_owned(),
        idle_timeout: None,
        cache_capacity: 100,
    };
    let guard = Guard::new(policy, Arc::new(Stopped));
    guard.add_key(KeyId::from_text("k"), VerifyingKey::Es256(POINT.to_vec()));
    for algorithm in Algorithm::ALL {
        let key = hostile::servers_key(algorithm).expect("a key");
        guard.add_key(KeyId::from_text(algorithm.name()), key.verifying_key().clone());
    }
    guard.open_list(&ListName::from_text("l"), 1024);
    guard.hold_lease_until(Duration::MAX);
    guard
});

fuzz_target!(|bytes: &[u8]| {
    for token in LIKES.iter().flat_map(|like| hostile::readings(bytes, like)) {
        assert_eq!(GUARD.check(&token), Err(Refusal::Invalid), "{token}");
    }
});
