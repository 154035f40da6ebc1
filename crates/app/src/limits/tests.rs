use std::net::IpAddr;

use cerrojo_domain::UnixMillis;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const RATE: Rate = Rate { count: 5, window: Duration::from_mins(15) };

#[derive(Default)]
struct HandClock(Mutex<Duration>);

impl HandClock {
    fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_770_000_000_000).plus(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

fn limits() -> (Arc<Limits>, Arc<HandClock>) {
    let clock = Arc::new(HandClock::default());
    (Limits::new(Some(RATE), Some(Rate { count: 3, ..RATE }), Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

fn block(address: &str) -> AddressBlock {
    AddressBlock::of(address.parse::<IpAddr>().unwrap())
}

fn nth(number: u32) -> AddressBlock {
    AddressBlock::of(IpAddr::V6((u128::from(0x2001_0db8_u32) << 96 | u128::from(number) << 64).into()))
}

fn moment(seconds: u64, time: i64) -> Moment {
    Moment { elapsed: Duration::from_secs(seconds), time: UnixMillis(time * 1000) }
}

#[test]
fn five_tries_then_none_until_the_window_is_over() {
    let (limits, clock) = limits();
    let home = block("192.0.2.1");
    for left in (0..5).rev() {
        let counted = limits.try_password("ana@example.com", home, Known::No).ok().unwrap();
        assert_eq!(counted.quota(), Some(Quota { limit: 5, remaining: left, reset: MINUTE * (11 + left) }));
        clock.advance(MINUTE);
    }
    let refused = limits.try_password("ana@example.com", home, Known::No).err().unwrap();
    assert_eq!(refused, Quota { limit: 5, remaining: 0, reset: 10 * MINUTE });
    assert!(
        limits.try_password("ana@example.com", home, Known::Yes).is_err(),
        "the pair's figure binds known ones too"
    );
    assert!(limits.try_password("ana@example.com", block("192.0.2.2"), Known::No).is_ok());
    assert!(limits.try_password("luis@example.com", home, Known::No).is_ok());

    clock.advance(10 * MINUTE);
    let again = limits.try_password("ana@example.com", home, Known::No).ok().unwrap();
    assert_eq!(again.quota().unwrap().remaining, 4);
}

#[test]
fn of_six_tries_at_once_five_pass() {
    let (limits, _) = limits();
    let start = std::sync::Barrier::new(6);
    let one = || {
        start.wait();
        limits.try_password("ana@example.com", block("192.0.2.1"), Known::No).is_ok()
    };
    let passed = std::thread::scope(|scope| {
        let all: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
        all.into_iter().filter_map(|thread| thread.join().ok()).filter(|passed| *passed).count()
    });
    assert_eq!(passed, 5);
}

#[test]
fn a_success_gives_back_what_it_took_and_no_more() {
    let (limits, clock) = limits();
    let try_it = || limits.try_password("ana@example.com", block("192.0.2.1"), Known::No);
    drop(try_it().ok().unwrap());
    drop(try_it().ok().unwrap());
    let success = try_it().ok().unwrap();
    assert_eq!(success.quota().unwrap().remaining, 2);
    assert_eq!(success.give_back().unwrap().remaining, 3);
    for _ in 0..30 {
        let _ = try_it().ok().unwrap().give_back();
    }
    assert_eq!(try_it().ok().unwrap().quota().unwrap().remaining, 2);

    let slow = try_it().ok().unwrap();
    clock.advance(15 * MINUTE);
    drop(try_it().ok().unwrap());
    assert_eq!(slow.give_back().unwrap().remaining, 4, "of an earlier window: nothing to give back");
}

#[test]
fn a_window_begins_with_a_try_that_stays_counted() {
    let (limits, clock) = limits();
    let try_it = || limits.try_password("ana@example.com", block("192.0.2.1"), Known::No).ok().unwrap();
    assert_eq!(try_it().give_back(), Some(Quota { limit: 5, remaining: 5, reset: 15 * MINUTE }));
    clock.advance(14 * MINUTE);
    assert_eq!(try_it().quota().unwrap().reset, 15 * MINUTE);
}

#[test]
fn an_address_has_ten_times_as_many_for_all_accounts() {
    let (limits, _) = limits();
    for number in 0..50 {
        assert!(limits.try_password(&format!("{number}@example.com"), block("192.0.2.1"), Known::No).is_ok());
    }
    let refused = limits.try_password("ana@example.com", block("192.0.2.1"), Known::Yes).err().unwrap();
    assert_eq!((refused.limit, refused.remaining), (50, 0));
    assert!(limits.try_password("ana@example.com", block("192.0.2.2"), Known::No).is_ok());
}

#[test]
fn an_account_has_twenty_times_as_many_and_they_do_not_bind_where_it_is_known() {
    let (limits, _) = limits();
    for number in 0..100 {
        assert!(limits.try_password("ana@example.com", nth(number), Known::No).is_ok());
    }
    let refused = limits.try_password("ana@example.com", nth(1000), Known::No).err().unwrap();
    assert_eq!((refused.limit, refused.remaining), (100, 0));
    let known = limits.try_password("ana@example.com", nth(2000), Known::Yes).ok().unwrap();
    assert_eq!(known.quota().map(|quota| (quota.limit, quota.remaining)), Some((5, 4)));
    assert!(limits.try_password("luis@example.com", nth(1000), Known::No).is_ok());
}

#[test]
fn a_refused_try_is_not_counted_anywhere() {
    let (limits, _) = limits();
    let home = block("192.0.2.1");
    for _ in 0..100 {
        let _ = limits.try_password("ana@example.com", home, Known::No).ok();
    }
    let elsewhere = limits.try_password("ana@example.com", block("192.0.2.2"), Known::No).ok().unwrap();
    assert_eq!(elsewhere.quota().map(|quota| quota.remaining), Some(4));
    for number in 0..45 {
        assert!(limits.try_password(&format!("{number}@example.com"), home, Known::No).is_ok());
    }
}

#[test]
fn an_ipv6_subscriber_is_one_address() {
    let (limits, _) = limits();
    for host in 1..=5 {
        assert!(limits.try_password("ana@example.com", block(&format!("2001:db8::{host}")), Known::No).is_ok());
    }
    assert!(limits.try_password("ana@example.com", block("2001:db8::ffff:1"), Known::No).is_err());
    assert!(limits.try_password("ana@example.com", block("2001:db8:0:1::1"), Known::No).is_ok());
}

#[test]
fn public_endpoints_count_requests_each_by_itself() {
    let (limits, clock) = limits();
    for left in (0..3).rev() {
        let quota = limits.request(Public::Register, block("192.0.2.1")).unwrap();
        assert_eq!(quota, Some(Quota { limit: 3, remaining: left, reset: 15 * MINUTE }));
    }
    let refused = limits.request(Public::Register, block("192.0.2.1"));
    assert_eq!(refused, Err(Quota { limit: 3, remaining: 0, reset: 15 * MINUTE }));
    assert!(limits.request(Public::Recover, block("192.0.2.1")).is_ok());
    assert!(limits.request(Public::Register, block("192.0.2.2")).is_ok());
    clock.advance(15 * MINUTE);
    assert!(limits.request(Public::Register, block("192.0.2.1")).is_ok());
}

#[test]
fn what_is_off_counts_nothing() {
    let limits = Limits::new(None, None, Arc::new(HandClock::default()));
    for _ in 0..1000 {
        let counted = limits.try_password("ana@example.com", block("192.0.2.1"), Known::No).ok().unwrap();
        assert_eq!(counted.quota(), None);
        assert_eq!(counted.give_back(), None);
        assert_eq!(limits.request(Public::Register, block("192.0.2.1")), Ok(None));
    }
}

fn exhausted(table: &mut Table, key: Key) {
    for _ in 0..5 {
        table.add(key, Duration::ZERO);
    }
}

#[test]
fn a_flood_of_made_up_accounts_does_not_wash_away_who_is_exhausted() {
    let mut table = Table::new(RATE, 1000);
    let victim = Key::new(Figure::Pair, "ana@example.com", Some(nth(0)));
    exhausted(&mut table, victim);
    for number in 0..20_000 {
        table.add(Key::new(Figure::Pair, &format!("{number}@example.com"), Some(nth(number))), Duration::ZERO);
    }
    assert_eq!(table.tightest([victim].into_iter(), Duration::ZERO).unwrap().remaining, 0);
    let keys = table.take_unsaved();
    assert!((875..=1000).contains(&keys.len()), "{}", keys.len());
}

#[test]
fn what_is_over_makes_room_first() {
    let mut table = Table::new(RATE, 100);
    for number in 0..50 {
        exhausted(&mut table, Key::new(Figure::Address, "", Some(nth(number))));
    }
    let late = Duration::from_mins(16);
    let kept = Key::new(Figure::Account, "ana@example.com", None);
    table.add(kept, late);
    for number in 100..160 {
        table.add(Key::new(Figure::Address, "", Some(nth(number))), late);
    }
    assert_eq!(table.tightest([kept].into_iter(), late).unwrap().remaining, 99);
    let left: Vec<_> = (100..160).map(|number| Key::new(Figure::Address, "", Some(nth(number)))).collect();
    assert!(left.into_iter().all(|key| table.tightest([key].into_iter(), late).unwrap().remaining == 49));
}

#[test]
fn even_when_all_are_exhausted_there_is_an_end() {
    let mut table = Table::new(RATE, 64);
    for number in 0..500 {
        exhausted(&mut table, Key::new(Figure::Pair, "", Some(nth(number))));
    }
    assert!(table.take_unsaved().len() <= 64);
}

#[test]
fn counters_survive_a_restart_with_what_is_left_of_their_window() {
    let mut before = Table::new(RATE, 100);
    let keys = [
        Key::new(Figure::Pair, "ana@example.com", Some(nth(1))),
        Key::new(Figure::Address, "", Some(nth(1))),
        Key::new(Figure::Account, "ana@example.com", None),
    ];
    for key in keys {
        exhausted(&mut before, key);
    }
    let unsaved = before.take_unsaved();
    let rows = before.stored(&unsaved, moment(60, 1000));
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.key.len() == 33 && row.count == 5 && row.resets_at == UnixMillis(1_840_000)));

    let restored = |time: i64| {
        let mut table = Table::new(RATE, 100);
        table.restore(&rows, moment(7, time));
        keys.map(|key| table.tightest([key].into_iter(), Duration::from_secs(7)).unwrap())
    };
    let quota = |limit, remaining, seconds| Quota { limit, remaining, reset: Duration::from_secs(seconds) };
    assert_eq!(restored(1100), [quota(5, 0, 740), quota(50, 45, 740), quota(100, 95, 740)]);
    assert_eq!(restored(0)[0], quota(5, 0, 900), "a clock stepped back does not make a window longer");
    assert_eq!(restored(1841)[0], quota(5, 5, 900));
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let mut table = Table::new(RATE, 100);
    let bad = ["", "p", "pxyz", "x00000000000000000000000000000001", "ñ", "p+0000000000000000000000000000001x"];
    let row = |key: &str| attempts::Counter { key: key.to_owned(), count: 5, resets_at: UnixMillis(1000) };
    table.restore(&bad.map(row), moment(0, 0));
    let key = Key::new(Figure::Pair, "ana@example.com", None);
    assert_eq!(table.tightest([key].into_iter(), Duration::ZERO).unwrap().remaining, 5);
}

#[test]
fn public_counters_are_not_stored() {
    let mut table = Table::new(RATE, 100);
    table.add(Key::new(Figure::Register, "", Some(nth(1))), Duration::ZERO);
    table.add(Key::new(Figure::Recover, "", Some(nth(1))), Duration::ZERO);
    assert_eq!((table.changes(), table.take_unsaved().len()), (0, 0));
}

#[test]
fn what_could_not_be_written_is_written_next_time() {
    let (limits, _) = limits();
    drop(limits.try_password("ana@example.com", block("192.0.2.1"), Known::No).ok().unwrap());
    let table = limits.login.as_ref().unwrap();
    let keys = lock(table).take_unsaved();
    assert_eq!(keys.len(), 3);
    drop(Unsaved { table, keys });
    let keys = lock(table).take_unsaved();
    assert_eq!(keys.len(), 3);
    Unsaved { table, keys }.are_saved();
    assert_eq!(lock(table).take_unsaved().len(), 0);
}

#[tokio::test]
async fn saved_counters_are_loaded_again_whoever_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("cerrojo.db").display());
    let options = cerrojo_store::OpenOptions::default();
    let store = Store::open(&url, options).await.unwrap();
    store.migrate().await.unwrap();

    let (before, clock) = limits();
    let home = block("192.0.2.1");
    for _ in 0..4 {
        drop(before.try_password("ana@example.com", home, Known::No).ok().unwrap());
    }
    let (one, two, three) = tokio::join!(before.save(&store), before.save(&store), before.save(&store));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(*before.saved.lock().await, 12, "every change");
    let _ = before.try_password("ana@example.com", home, Known::No).ok().unwrap().give_back();
    before.save(&store).await.unwrap();

    clock.advance(MINUTE);
    let after = Limits::new(Some(RATE), None, Arc::clone(&clock) as Arc<dyn Clock>);
    after.load(&store).await.unwrap();
    let last = after.try_password("ana@example.com", home, Known::No).ok().unwrap();
    assert_eq!(last.quota(), Some(Quota { limit: 5, remaining: 0, reset: 14 * MINUTE }));
    store.close().await;
}
