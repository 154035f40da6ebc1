//! What a check costs, in one run, so that the ratios mean something on any machine.
//!
//! ```sh
//! cargo run --release -p cerrojo-guard --example speed
//! ```
//!
//! Each row is the quickest of many rounds that take turns, each after one that is not measured. "Without the bit" is signature and claims alone, or finding the
//! token among those verified; "with" is the whole check: key, expiry, bit, deadline, and noting the use.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement is run by hand; it borrows the tests' server"
)]

#[path = "../tests/fake/mod.rs"]
mod fake;
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use cerrojo_domain::{Clock, KeyId, ListName, SystemClock};
use cerrojo_guard::{Guard, Policy};
use fake::{AUDIENCE, Fake, LIST};

const ROUNDS: usize = 200;
/// Tokens; few enough that all are cached, many enough that a processor's caches do not hold everything of each.
const TOKENS: usize = 128;

type Row<'a> = (&'a str, Box<dyn Fn(&str) + 'a>);

#[tokio::main]
async fn main() {
    let fake = Fake::start().await;
    fake.world().lists.get_mut(LIST).unwrap().clear();
    let connected = fake.guard().await;
    let cached = core(&fake, TOKENS * 4);
    let uncached = core(&fake, 0);
    let tokens: Vec<String> = (0..TOKENS).map(|index| fake.token(LIST, u32::try_from(index).unwrap())).collect();
    println!("{} tokens of {} bytes, one thread", TOKENS, tokens[0].len());
    let rows: Vec<Row<'_>> = vec![
        ("uncached, without the bit", Box::new(|token| assert!(black_box(uncached.identify(token)).is_some()))),
        ("uncached, with the bit", Box::new(|token| assert!(black_box(uncached.check(token)).is_ok()))),
        ("cached, without the bit", Box::new(|token| assert!(black_box(cached.identify(token)).is_some()))),
        ("cached, with the bit", Box::new(|token| assert!(black_box(cached.check(token)).is_ok()))),
        ("cached, connected, check_now", Box::new(|token| assert!(black_box(connected.check_now(token)).is_ok()))),
        ("cached, connected, check", Box::new(|token| assert!(at_once(connected.check(token)).is_ok()))),
    ];
    let quickest = tokio::task::block_in_place(|| measure(&rows, &tokens));
    for ((name, _), nanos) in rows.iter().zip(&quickest) {
        println!("{name:<32} {nanos:>9.0} ns");
    }
    println!("the bit, uncached: x {:.3}", quickest[1] / quickest[0]);
    println!("the bit, cached:   x {:.3} (+ {:.0} ns)", quickest[3] / quickest[2], quickest[3] - quickest[2]);
    println!("connected:         x {:.3}, awaited x {:.3}", quickest[4] / quickest[3], quickest[5] / quickest[3]);
    println!("cached / uncached: x {:.4}", quickest[3] / quickest[1]);
}

/// What is in memory is answered without waiting.
fn at_once<T>(answer: impl Future<Output = T>) -> T {
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => black_box(answer),
        Poll::Pending => panic!("it waits"),
    }
}

fn core(fake: &Fake, cache_capacity: usize) -> Guard {
    let policy =
        Policy { issuer: fake.issuer.clone(), audience: AUDIENCE.to_owned(), idle_timeout: None, cache_capacity };
    let guard = Guard::new(policy, Arc::new(SystemClock::new()));
    guard.add_key(KeyId::from_text(fake::KID), fake.verifying_key());
    guard.open_list(&ListName::from_text(LIST), 1000);
    guard.hold_lease_until(Duration::from_hours(1_000_000));
    guard
}

fn measure(rows: &[Row<'_>], tokens: &[String]) -> Vec<f64> {
    let clock = SystemClock::new();
    let mut quickest = vec![f64::INFINITY; rows.len()];
    for _ in 0..ROUNDS {
        for ((_, run), quickest) in rows.iter().zip(&mut quickest) {
            for token in tokens {
                run(token);
            }
            let begin = clock.elapsed();
            for token in tokens {
                run(token);
            }
            *quickest = quickest.min(per_check(clock.elapsed().checked_sub(begin).unwrap(), tokens.len()));
        }
    }
    quickest
}

#[allow(clippy::cast_precision_loss, reason = "far below what a float holds exactly")]
fn per_check(time: Duration, checks: usize) -> f64 {
    time.as_nanos() as f64 / checks as f64
}
