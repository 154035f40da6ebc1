//! What a signature costs, by algorithm, without a server: made, and checked in a token that the guard has not met.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{Clock as _, KeyId, ListName, SystemClock};
use cerrojo_guard::{
    Algorithm, Claims, Guard, Header, Policy, SESSION_TYP, SigningKey, Status, StatusList, attach_signature,
    signing_input,
};

use crate::failure::{Failure, Outcome};
use crate::figures::real;
use crate::load::elapsed;
use crate::place::Place;
use crate::table::{Report, Target};

const ISSUER: &str = "https://auth.example.org";
const LIST: &str = "LsT0aB1cD2eF3gH4iJ5kLm";
/// RSA keys take a while to make; this one is of the tests.
const RSA: &[u8] = include_bytes!("../../crates/guard/src/hostile/server.pk8");

const ROWS: [(Algorithm, &str, &str); 5] = [
    (Algorithm::Es256, "signing a token, ES256", "first check of a token, ES256"),
    (Algorithm::Ed25519, "signing a token, Ed25519", "first check of a token, Ed25519"),
    (Algorithm::EdDsa, "signing a token, EdDSA", "first check of a token, EdDSA"),
    (Algorithm::Rs256, "signing a token, RS256", "first check of a token, RS256"),
    (Algorithm::Hs256, "signing a token, HS256", "first check of a token, HS256"),
];

/// One algorithm's key, guard and times of each round, in microseconds.
struct Contender {
    key: SigningKey,
    guard: Guard,
    signing: Vec<f64>,
    checking: Vec<f64>,
}

/// Measures all of them in turn, one thread, beside ES256.
pub(crate) fn measure(place: &Place, report: &mut Report) -> Outcome<()> {
    let build = place.builds.first().ok_or_else(|| Failure("there is no build".to_owned()))?;
    let mut all = ROWS.iter().map(|(algorithm, ..)| Contender::new(*algorithm)).collect::<Outcome<Vec<_>>>()?;
    for _ in 0..=place.amounts.rounds {
        for contender in &mut all {
            contender.turn()?;
        }
    }
    // The first round does not count.
    for contender in &mut all {
        contender.signing.remove(0);
        contender.checking.remove(0);
    }
    let Some(usual) = all.first() else { return Ok(()) };
    for (contender, (_, signing, checking)) in all.iter().zip(ROWS) {
        report.judge(signing, build, Target::none().of_ratio("µs", &contender.signing, &usual.signing));
        report.judge(checking, build, Target::none().of_ratio("µs", &contender.checking, &usual.checking));
    }
    Ok(())
}

impl Contender {
    fn new(algorithm: Algorithm) -> Outcome<Self> {
        let key = match algorithm {
            Algorithm::Rs256 => SigningKey::from_pkcs8(algorithm, RSA),
            Algorithm::Hs256 => Some(SigningKey::shared(&[7; 32])),
            _ => SigningKey::generate_pkcs8(algorithm)
                .and_then(|pkcs8| SigningKey::from_pkcs8(algorithm, pkcs8.as_ref())),
        };
        let key = key.ok_or_else(|| Failure(format!("no key for {}", algorithm.name())))?;
        let policy =
            Policy { issuer: ISSUER.to_owned(), audience: ISSUER.to_owned(), idle_timeout: None, cache_capacity: 0 };
        let guard = Guard::new(policy, Arc::new(SystemClock::new()));
        guard.add_key(KeyId::from_text("k"), key.verifying_key().clone());
        guard.open_list(&ListName::from_text(LIST), 1000);
        guard.hold_lease_until(Duration::MAX);
        Ok(Self { key, guard, signing: Vec::new(), checking: Vec::new() })
    }

    fn turn(&mut self) -> Outcome<()> {
        let times = if self.key.algorithm() == Algorithm::Rs256 { 200 } else { 2000 };
        let begin = elapsed();
        let mut tokens = Vec::with_capacity(times);
        for _ in 0..times {
            tokens.push(black_box(self.token().ok_or_else(|| Failure("a key did not sign".to_owned()))?));
        }
        let signed = elapsed();
        for token in &tokens {
            if black_box(self.guard.check(token)).is_err() {
                return Err(Failure("a good token was refused".to_owned()));
            }
        }
        let checked = elapsed();
        self.signing.push(micros(signed.saturating_sub(begin), times));
        self.checking.push(micros(checked.saturating_sub(signed), times));
        Ok(())
    }

    fn token(&self) -> Option<String> {
        let now = SystemClock::new().now().seconds();
        let header = Header { alg: self.key.algorithm(), typ: SESSION_TYP, kid: KeyId::from_text("k") };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: "7".to_owned(),
            iat: now,
            exp: now + 86_400,
            jti: "jTiJtIjTiJtIjTiJtIjTiJ".to_owned(),
            sid: "sIdSiDsIdSiDsIdSiDsIdS".to_owned(),
            status: Status { status_list: StatusList { idx: 7, uri: format!("{ISSUER}/status-lists/{LIST}") } },
            user_id: 7,
            email: "ana@example.org".to_owned(),
            role_id: 2,
            name: "Ana Núñez".to_owned(),
        };
        let input = signing_input(&header, &claims);
        Some(attach_signature(&input, &self.key.sign(&input)?))
    }
}

fn micros(time: Duration, times: usize) -> f64 {
    time.as_secs_f64() * 1e6 / real(times)
}
