//! What the nodes of one installation have to agree on: each says so in its lease, as hashes, and looks at what others say.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cerrojo_store::leases::Lease;

use crate::keys::MasterKey;
use crate::settings::{Algorithm, Failover, NewDeviceNotice, OldTokens, Registration, Required, Settings};

/// What a node says of its settings, and what it last heard of the others'.
pub(crate) struct Agreement {
    said: String,
    heard: Mutex<String>,
}

impl Agreement {
    pub(crate) fn new(settings: &Settings, master: &MasterKey) -> Self {
        Self { said: of(settings, master), heard: Mutex::default() }
    }

    /// For the node's lease.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// Warns of nodes with other settings, once for as long as it is the same.
    pub(crate) fn compare(&self, leases: &[Lease]) {
        let others: Vec<&Lease> = leases.iter().filter(|lease| lease.settings != self.said).collect();
        let mut said: Vec<&str> = others.iter().map(|lease| lease.settings.as_str()).collect();
        // A node that joined anew, under another name beside its old one, says nothing new.
        said.sort_unstable();
        said.dedup();
        let now = said.join("\n");
        let before = std::mem::replace(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner), now.clone());
        if before == now {
            return;
        }
        for lease in others {
            let differing = differing(&[&self.said, &lease.settings]).swap_remove(0);
            if !differing.is_empty() {
                let settings = differing.join(", ");
                tracing::warn!(node.about = %lease.about, settings = %settings, "another node has other settings: give every node the same");
            }
        }
    }
}

/// `name=hash` for each of these settings, with spaces between. The hashes are made with the master key, which all nodes have
/// and whoever reads the database has not: nobody tries secrets on them.
fn of(settings: &Settings, master: &MasterKey) -> String {
    let algorithm = settings.algorithm.of_sessions().name();
    let secret: &[u8] = match (&settings.algorithm, &settings.earlier_secret) {
        (Algorithm::Hs256(secret), _) | (_, Some(secret)) => &secret.0,
        _ => &[],
    };
    let idle = settings.idle_timeout.map_or(0, |idle| idle.as_millis());
    let failover = if settings.failover == Failover::Synchronous { "synchronous" } else { "end-all" };
    let open = settings.registration == Registration::Open;
    let old_tokens = settings.old_tokens.as_ref().map(of_old_tokens).unwrap_or_default();
    let rules = [
        format!("{:?}", settings.max_age),
        format!("{:?}", settings.max_per_user),
        format!("{:?}", settings.when_full),
        format!("{:?}", settings.by_role),
        format!("{:?}", settings.verification),
    ];
    let [max_age, max_per_user, when_full, by_role, verification] = &rules;
    let said: [(&str, &[u8]); 15] = [
        ("server.public_url", settings.public_url.as_bytes()),
        ("token.algorithm", algorithm.as_bytes()),
        ("token.secret", secret),
        ("token.audience", settings.audience.as_bytes()),
        ("token.ttl", &settings.token_ttl.as_millis().to_be_bytes()),
        ("session.idle_timeout", &idle.to_be_bytes()),
        ("database.failover", failover.as_bytes()),
        ("register.open", &[u8::from(open)]),
        ("migration", &old_tokens),
        ("session.max_age", max_age.as_bytes()),
        ("session.max_per_user", max_per_user.as_bytes()),
        ("session.when_full", when_full.as_bytes()),
        ("session.by_role", by_role.as_bytes()),
        ("mail.new_device", &[u8::from(settings.new_device == NewDeviceNotice::Sent)]),
        ("register.verification", verification.as_bytes()),
    ];
    let hashed = said.map(|(name, value)| {
        let [a, b, c, d, ..] = master.compare_by(&["settings", name], value);
        format!("{name}={:08x}", u32::from_be_bytes([a, b, c, d]))
    });
    hashed.join(" ")
}

/// Everything that decides whether a token of another application is accepted, none of it to be taken for the next.
fn of_old_tokens(OldTokens { secret, user_claim, require, issued_before, until }: &OldTokens) -> Vec<u8> {
    let mut said = Vec::new();
    let required = require.iter().flat_map(|Required { claim, value }| [claim.as_bytes(), value.as_bytes()]);
    for part in [&secret.0[..], user_claim.as_bytes()].into_iter().chain(required) {
        said.extend(part.len().to_be_bytes());
        said.extend(part);
    }
    for time in [issued_before, until] {
        said.extend(time.map_or(i64::MIN, |time| time.0).to_be_bytes());
    }
    said
}

/// Of nodes that say this of themselves, in which settings each differs from what more than half of those say who speak of
/// it. A release that knows fewer settings is not held to the others.
#[must_use]
pub fn differing(said: &[&str]) -> Vec<Vec<String>> {
    let mut votes: HashMap<&str, HashMap<&str, usize>> = HashMap::new();
    for (name, hash) in said.iter().flat_map(|text| each(text)) {
        *votes.entry(name).or_default().entry(hash).or_default() += 1;
    }
    let differs = |(name, hash): (&str, &str)| {
        let of_name = votes.get(name)?;
        let all: usize = of_name.values().sum();
        let same = of_name.get(hash).copied().unwrap_or_default();
        (same < all && same * 2 <= all).then(|| name.to_owned())
    };
    said.iter().map(|text| each(text).filter_map(differs).collect()).collect()
}

fn each(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(' ').filter_map(|pair| pair.split_once('='))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cerrojo_domain::SystemRandom;

    use super::differing;
    use crate::Settings;
    use crate::keys::MasterKey;

    fn of(settings: &Settings) -> String {
        super::of(settings, &MasterKey::parse(&"5a".repeat(32)).unwrap())
    }

    #[test]
    fn what_is_said_means_nothing_without_the_master_key() {
        let settings = Settings::for_url("https://auth.example.com");
        let other = super::of(&settings, &MasterKey::generate(&SystemRandom));
        let said = of(&settings);
        assert!(said.split(' ').zip(other.split(' ')).all(|(one, other)| one != other), "{said} {other}");
    }

    #[test]
    fn whoever_is_in_the_minority_differs_and_of_two_both() {
        let usual = Settings::for_url("https://auth.example.com");
        let other = Settings { idle_timeout: Some(Duration::from_mins(5)), ..usual.clone() };
        let (usual, other) = (of(&usual), of(&other));
        let idle = vec!["session.idle_timeout".to_owned()];
        assert_eq!(differing(&[&usual, &usual]), [vec![], Vec::<String>::new()]);
        assert_eq!(differing(&[&usual, &other, &usual]), [vec![], idle.clone(), vec![]]);
        assert_eq!(differing(&[&usual, &other]), [idle.clone(), idle]);
    }

    #[test]
    fn a_release_that_says_less_is_not_held_to_the_rest() {
        let usual = of(&Settings::for_url("https://auth.example.com"));
        assert_eq!(differing(&[&usual, "", "server.public_url=00000000 later=1"])[1], Vec::<String>::new());
        assert_eq!(differing(&[&usual, &usual, "server.public_url=00000000 later=1"])[2], ["server.public_url"]);
    }
}
