//! Keyrings over a database of their own.

use std::sync::Arc;

use cerrojo_domain::{Fact, Random, SystemClock, SystemRandom};
use cerrojo_guard::status_list::{EncodedList, StatusListClaims};
use cerrojo_guard::{Guard, KeySet, Policy, STATUS_LIST_TOKEN, verify_jws};
use cerrojo_store::{OpenOptions, Store, log};
use zeroize::Zeroizing;

use super::*;
use crate::{Algorithm, Lease, Secret};

struct Place {
    store: Store,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("cerrojo.db").display());
        let store = Store::open(&url, OpenOptions::default()).await.unwrap();
        store.migrate().await.unwrap();
        Self { store, _folder: folder }
    }

    async fn open(&self, master: u8, algorithm: Algorithm) -> Result<Keyring, KeyError> {
        self.open_as(master, algorithm, Lease::Holder).await
    }

    async fn open_as(&self, master: u8, algorithm: Algorithm, lease: Lease) -> Result<Keyring, KeyError> {
        self.open_drawing(master, algorithm, (lease, Arc::new(SystemRandom))).await
    }

    async fn open_drawing(
        &self,
        master: u8,
        algorithm: Algorithm,
        (lease, random): (Lease, Arc<dyn Random>),
    ) -> Result<Keyring, KeyError> {
        let clock = Arc::new(SystemClock::new());
        let policy = Policy {
            issuer: "https://auth.example.com".to_owned(),
            audience: "https://auth.example.com".to_owned(),
            idle_timeout: None,
            cache_capacity: 10,
        };
        Keyring::open(KeyringParts {
            store: &self.store,
            guard: Arc::new(Guard::new(policy, clock.clone())),
            clock,
            random,
            master: MasterKey::parse(&format!("{master:02x}").repeat(32)).unwrap(),
            algorithm,
            earlier_secret: None,
            lease,
        })
        .await
    }

    async fn rows(&self) -> Vec<cerrojo_store::keys::Key> {
        cerrojo_store::keys::all(&mut self.store.reader()).await.unwrap()
    }
}

fn shared(byte: u8) -> Algorithm {
    Algorithm::Hs256(Secret(Zeroizing::new(vec![byte; 32])))
}

fn claims() -> StatusListClaims {
    let status_list = EncodedList::new(&[0; 8]);
    StatusListClaims { sub: "https://auth.example.com/status-lists/x".to_owned(), iat: 1, exp: 2, ttl: 3, status_list }
}

#[tokio::test]
async fn the_first_keys_are_in_the_log_and_open_again() {
    let place = Place::new().await;
    assert!(!Keyring::is_sealed(&place.store).await.unwrap());
    let first = place.open(1, Algorithm::Es256).await.unwrap();
    assert!(Keyring::is_sealed(&place.store).await.unwrap());
    let rows = place.rows().await;
    assert_eq!(rows.len(), 2);
    let log = log::after(&mut place.store.reader(), 0, 10).await.unwrap();
    for row in &rows {
        assert!(log.iter().any(|entry| entry.fact == Fact::KeyAdded { key: row.id.clone() }));
    }
    let again = place.open(1, Algorithm::Es256).await.unwrap();
    assert_eq!(place.rows().await.len(), 2);
    assert_eq!(again.session_signer().unwrap().key(), first.session_signer().unwrap().key());
    assert_eq!(again.jwks(), first.jwks());

    let token = again.sign_status_list(&claims()).await.unwrap();
    let payload = verify_jws(&token, STATUS_LIST_TOKEN, &KeySet::from_jwks(&first.jwks())).unwrap();
    assert_eq!(payload.json().unwrap()["ttl"], 3);
}

#[tokio::test]
async fn another_master_key_opens_nothing_and_changes_nothing() {
    let place = Place::new().await;
    place.open(1, Algorithm::Es256).await.unwrap();
    assert!(matches!(place.open(2, Algorithm::Es256).await, Err(KeyError::WrongMasterKey)));
    assert_eq!(place.rows().await.len(), 2);
    place.open(1, Algorithm::Es256).await.unwrap();
}

#[tokio::test]
async fn a_shared_secret_signs_and_is_never_shown() {
    let place = Place::new().await;
    let keyring = place.open(1, shared(7)).await.unwrap();
    assert!(keyring.session_signer().unwrap().key().as_str().starts_with("hs-"));
    let rows = place.rows().await;
    assert_eq!(rows.len(), 2);
    let given = rows.iter().find(|row| row.algorithm == "HS256").unwrap();
    assert!(given.sealed.is_empty() && given.public.is_empty());
    let jwks = keyring.jwks();
    let shown = jwks["keys"].as_array().unwrap();
    assert_eq!(shown.len(), 1);
    assert!(shown.iter().all(|jwk| jwk["kty"] == "EC" && jwk.get("d").is_none() && jwk.get("k").is_none()));
}

/// It signs when it has been known for a while, also to processes that start meanwhile.
#[tokio::test]
async fn a_key_of_another_algorithm_waits_for_its_turn() {
    let place = Place::new().await;
    let before = place.open(1, Algorithm::Es256).await.unwrap().session_signer().unwrap().key().clone();
    for algorithm in [shared(7), Algorithm::Ed25519, Algorithm::EdDsa, Algorithm::Rs256] {
        for _ in 0..2 {
            let keyring = place.open(1, algorithm.clone()).await.unwrap();
            let signing = keyring.session_signer().unwrap().key().clone();
            let rows = place.rows().await;
            let row = rows.iter().find(|row| row.id == signing).unwrap();
            assert!(row.algorithm != algorithm.of_sessions().name() && !row.public.is_empty());
        }
    }
    // Back to ES256: its key is known, though perhaps not for as long as it takes.
    let keyring = place.open(1, Algorithm::Es256).await.unwrap();
    assert_eq!(place.rows().await.iter().filter(|row| row.algorithm == "ES256").count(), 2);
    assert!(keyring.session_jwks()["keys"].as_array().unwrap().iter().any(|jwk| jwk["kid"] == before.as_str()));
}

#[tokio::test]
async fn a_retired_secret_is_refused_and_one_retired_meanwhile_stops_signing() {
    let place = Place::new().await;
    let keyring = place.open(1, shared(7)).await.unwrap();
    let id = keyring.session_signer().unwrap().key().clone();
    let mut tx = place.store.begin_ending().await.unwrap();
    cerrojo_store::keys::set_retired(&mut tx, &id, UnixMillis(5)).await.unwrap();
    tx.commit().await.unwrap();

    keyring.refresh(&place.store).await.unwrap();
    assert!(matches!(keyring.session_signer(), Err(Trouble::Unavailable(_))));
    assert!(matches!(place.open(1, shared(7)).await, Err(KeyError::RetiredSecret)));
    assert_ne!(*place.open(1, shared(8)).await.unwrap().session_signer().unwrap().key(), id);
}

#[tokio::test]
async fn a_sealed_half_in_another_row_does_not_open() {
    let place = Place::new().await;
    place.open(1, Algorithm::Es256).await.unwrap();
    let rows = place.rows().await;
    let mut tx = place.store.begin().await.unwrap();
    cerrojo_store::keys::reseal(&mut tx, &rows[0].id, &rows[1].sealed).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(place.open(1, Algorithm::Es256).await, Err(KeyError::Trouble(Trouble::Internal(_)))));
}

#[tokio::test]
async fn a_command_beside_a_server_makes_no_keys() {
    let place = Place::new().await;
    place.open(1, shared(7)).await.unwrap();
    let before = place.rows().await.len();
    let guest = place.open_as(1, Algorithm::Es256, Lease::Guest).await.unwrap();
    assert_eq!(place.rows().await.len(), before);
    assert!(guest.session_signer().is_err());
    assert!(matches!(place.open_as(2, Algorithm::Es256, Lease::Guest).await, Err(KeyError::WrongMasterKey)));
}

/// Gives nothing before it is let.
struct Held {
    wanted: tokio::sync::mpsc::UnboundedSender<()>,
    let_go: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Random for Held {
    fn fill(&self, bytes: &mut [u8]) {
        let _ = self.wanted.send(());
        // An error: let go, for good.
        let _ = self.let_go.lock().unwrap().recv();
        SystemRandom.fill(bytes);
    }
}

/// However long an RSA key takes: everything else goes on, on this one thread, and the head row is free.
#[tokio::test]
async fn while_a_key_is_made_nothing_is_held() {
    let place = Place::new().await;
    let (wanted, mut is_wanted) = tokio::sync::mpsc::unbounded_channel();
    let (let_go, held) = std::sync::mpsc::channel();
    let random = Arc::new(Held { wanted, let_go: std::sync::Mutex::new(held) });
    let opening = place.open_drawing(1, Algorithm::Rs256, (Lease::Holder, random));
    let meanwhile = async {
        is_wanted.recv().await.unwrap();
        let tx = place.store.begin_ending().await.unwrap();
        tx.commit().await.unwrap();
        assert!(place.rows().await.is_empty(), "it is still being made");
        drop(let_go);
    };
    let (opened, ()) = tokio::join!(opening, meanwhile);
    assert!(opened.unwrap().session_signer().is_ok());
    let rows = place.rows().await;
    assert!(rows.len() == 2 && rows.iter().all(|row| row.algorithm == "RS256"));
}
