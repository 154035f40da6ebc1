//! Telling the server which sessions were used.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_domain::{ListIndex, ListName, UnixMillis};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::pause;
use super::shared::Shared;

/// How often uses are collected when the server does not want to know.
const USUAL: Duration = Duration::from_mins(1);
const SHORTEST: Duration = Duration::from_millis(100);
/// Uses that are kept while they cannot be sent.
const MOST: usize = 200_000;
/// Uses in one request: fewer than 64 KiB, whatever the names and numbers are.
const BATCH: usize = 600;

type Uses = HashMap<(ListName, ListIndex), UnixMillis>;

/// Reports until it is aborted.
pub(super) async fn report(shared: Arc<Shared>, has_credentials: bool) {
    let mut uses = Uses::new();
    loop {
        let interval = shared.follower().report();
        // A fifth of the time is for the way.
        sleep(pause::about(interval.map_or(USUAL, |interval| (interval * 7 / 10).max(SHORTEST)))).await;
        let taken = shared.guard().map(|guard| guard.take_activity()).unwrap_or_default();
        if !has_credentials || shared.follower().report().is_none() {
            uses.clear();
            continue;
        }
        for (list, index, at) in taken {
            add(&mut uses, (list, index), at);
        }
        send(&shared, &mut uses).await;
    }
}

fn add(uses: &mut Uses, place: (ListName, ListIndex), at: UnixMillis) {
    let full = uses.len() >= MOST;
    match uses.entry(place) {
        Entry::Occupied(mut last) => {
            let last = last.get_mut();
            *last = (*last).max(at);
        }
        Entry::Vacant(new) if !full => {
            new.insert(at);
        }
        Entry::Vacant(_) => {}
    }
}

/// Sends all, a batch at a time; what is not written down stays.
async fn send(shared: &Shared, uses: &mut Uses) {
    let address = format!("{}/activity", shared.endpoint);
    while !uses.is_empty() {
        let batch: Vec<_> = uses.iter().take(BATCH).map(|(place, at)| (place.clone(), *at)).collect();
        let body = body(&batch, shared.clock.now());
        if let Err(trouble) = shared.client.post(&address, body).await {
            tracing::warn!(error = %trouble, session.count = uses.len(), "uses of sessions could not be reported");
            return;
        }
        shared.counts.reported.fetch_add(batch.len() as u64, std::sync::atomic::Ordering::Relaxed);
        for (place, at) in batch {
            if uses.get(&place) == Some(&at) {
                uses.remove(&place);
            }
        }
    }
}

fn body(batch: &[((ListName, ListIndex), UnixMillis)], now: UnixMillis) -> String {
    let mut lists: HashMap<&str, Vec<(u32, u128)>> = HashMap::new();
    for ((list, index), at) in batch {
        lists.entry(list.as_str()).or_default().push((index.0, now.since(*at).as_millis()));
    }
    let uses: serde_json::Map<String, Value> = lists
        .into_iter()
        .map(|(list, uses)| {
            let pairs = uses.into_iter().map(|(index, ago)| json!([index, u64::try_from(ago).unwrap_or(u64::MAX)]));
            (list.to_owned(), pairs.collect())
        })
        .collect();
    json!({ "uses": uses }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_stays_below_what_the_server_takes() {
        let list = |number: usize| ListName::from_text(format!("{number:-<64}"));
        let at = |number: usize| ((list(number), ListIndex(u32::MAX)), UnixMillis(0));
        let lists: Vec<_> = (0..BATCH).map(at).collect();
        let longest = body(&lists, UnixMillis(366 * 86_400_000));
        assert!(longest.len() > BATCH * 90 && longest.len() < 64 * 1024);
        let one_list: Vec<_> = lists.iter().map(|((_, index), at)| ((list(0), *index), *at)).collect();
        assert!(body(&one_list, UnixMillis(366 * 86_400_000)).len() < 64 * 1024);
    }

    #[test]
    fn the_later_use_counts_and_there_is_a_bound() {
        let mut uses = Uses::new();
        let place = |index| (ListName::from_text("a"), ListIndex(index));
        add(&mut uses, place(0), UnixMillis(5));
        add(&mut uses, place(0), UnixMillis(3));
        assert_eq!(uses.get(&place(0)), Some(&UnixMillis(5)));
        for index in 0..u32::try_from(MOST).unwrap() + 10 {
            add(&mut uses, place(index), UnixMillis(7));
        }
        assert_eq!(uses.len(), MOST);
        let text: Value = serde_json::from_str(&body(&[(place(4), UnixMillis(7))], UnixMillis(10))).unwrap();
        assert_eq!(text, json!({ "uses": { "a": [[4, 3]] } }));
    }
}
