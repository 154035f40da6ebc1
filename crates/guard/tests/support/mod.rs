//! A guard with one key and one list, the signer to it, and a clock that only moves when told.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListIndex, ListName, UnixMillis};
use cerrojo_guard::hostile::servers_key;
use cerrojo_guard::{
    Algorithm, Claims, Guard, Header, Policy, SESSION_TYP, SigningKey, Status, StatusList, attach_signature,
    signing_input,
};

pub(crate) const ISSUER: &str = "https://cerrojo.example";
pub(crate) const CAPACITY: u32 = 5000;
/// 2026-02-13T10:00:00Z
pub(crate) const START: i64 = 1_770_976_800;

pub(crate) struct StoppedClock {
    now: AtomicI64,
    elapsed: AtomicU64,
    pub(crate) readings: AtomicU64,
}

impl Clock for StoppedClock {
    fn now(&self) -> UnixMillis {
        self.readings.fetch_add(1, Ordering::Relaxed);
        UnixMillis(self.now.load(Ordering::Relaxed))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::Relaxed))
    }
}

impl StoppedClock {
    pub(crate) fn at(now: i64) -> Self {
        Self { now: AtomicI64::new(now), elapsed: AtomicU64::new(1_000_000), readings: AtomicU64::new(0) }
    }

    pub(crate) fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.elapsed.fetch_add(millis, Ordering::Relaxed);
        self.now.fetch_add(i64::try_from(millis).unwrap(), Ordering::Relaxed);
    }
}

/// What signs.
pub(crate) fn key(algorithm: Algorithm) -> SigningKey {
    servers_key(algorithm).unwrap()
}

pub(crate) struct World {
    pub(crate) clock: Arc<StoppedClock>,
    pub(crate) guard: Guard,
    pub(crate) signer: SigningKey,
    pub(crate) kid: KeyId,
    pub(crate) list: ListName,
}

impl World {
    /// ES256, no idle timeout, a lease that does not run out.
    pub(crate) fn new() -> Self {
        Self::of(Algorithm::Es256)
    }

    /// The same with another algorithm.
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        Self::with(key(algorithm), None)
    }

    pub(crate) fn with(signer: SigningKey, idle_timeout: Option<Duration>) -> Self {
        let clock = Arc::new(StoppedClock::at(START * 1000));
        let policy = Policy {
            issuer: ISSUER.to_owned(),
            audience: "https://api.example".to_owned(),
            idle_timeout,
            cache_capacity: 1000,
        };
        let guard = Guard::new(policy, Arc::<StoppedClock>::clone(&clock));
        let kid = KeyId::from_text("kOpQ7dVvA1w2x3y4z5A6Bc");
        let list = ListName::from_text("LsT0aB1cD2eF3gH4iJ5kLm");
        guard.add_key(kid.clone(), signer.verifying_key().clone());
        guard.open_list(&list, CAPACITY);
        guard.hold_lease_until(Duration::MAX);
        Self { clock, guard, signer, kid, list }
    }

    pub(crate) fn claims(&self, index: u32) -> Claims {
        Claims {
            iss: ISSUER.to_owned(),
            aud: "https://api.example".to_owned(),
            sub: "7".to_owned(),
            iat: START,
            exp: START + 86_400,
            jti: "jTiJtIjTiJtIjTiJtIjTiJ".to_owned(),
            sid: format!("sId{index:019}"),
            status: Status {
                status_list: StatusList { idx: index, uri: format!("{ISSUER}/status-lists/{}", self.list) },
            },
            user_id: 7,
            email: "ana@example.org".to_owned(),
            role_id: 2,
            name: "Ana O'Brien <b>ÿ".to_owned(),
        }
    }

    pub(crate) fn header(&self) -> Header {
        Header { alg: self.signer.algorithm(), typ: SESSION_TYP, kid: self.kid.clone() }
    }

    pub(crate) fn sign(&self, header: &impl serde::Serialize, claims: &impl serde::Serialize) -> String {
        // The header as any JSON, so that a test can say what `Header` cannot.
        let usual = Header { alg: Algorithm::Es256, typ: SESSION_TYP, kid: self.kid.clone() };
        let payload = signing_input(&usual, claims).split_once('.').unwrap().1.to_owned();
        let header = base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            serde_json::to_vec(header).unwrap(),
        );
        let input = format!("{header}.{payload}");
        let signature = self.signer.sign(&input).unwrap();
        attach_signature(&input, &signature)
    }

    /// A valid token of the session at this place.
    pub(crate) fn token(&self, index: u32) -> String {
        self.sign(&self.header(), &self.claims(index))
    }

    pub(crate) fn end(&self, index: u32) {
        assert!(self.guard.end(&self.list, ListIndex(index)));
    }
}
