//! Keys while sessions live, and the lists that tell of their endings.

use std::time::Duration;

use crate::place::{PASSWORD, Place, place};
use cerrojo_app::keys::{self, RotateError};
use cerrojo_app::{Algorithm, Secret, status_list};
use cerrojo_domain::{KeyId, ListName};
use cerrojo_guard::status_list::{decode, is_set};
use cerrojo_guard::{KeySet, STATUS_LIST_TOKEN, verify_jws};
use zeroize::Zeroizing;

async fn state(place: &Place, id: &KeyId) -> &'static str {
    keys::list(&place.app).await.unwrap().into_iter().find(|row| row.id == *id).unwrap().state
}

/// The list's bitmap as a reader with our JWK Set sees it.
async fn bitmap(place: &Place, name: &ListName) -> Vec<u8> {
    let served = status_list::token(&place.app, name).await.unwrap().unwrap();
    let payload = verify_jws(&served.token, STATUS_LIST_TOKEN, &KeySet::from_jwks(&place.app.keys.jwks())).unwrap();
    let claims = payload.json().unwrap();
    assert_eq!(claims["sub"], format!("https://auth.example.com/status-lists/{name}"));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    decode(claims["status_list"]["lst"].as_str().unwrap(), 1 << 20).unwrap()
}

#[tokio::test]
async fn a_rotated_key_goes_on_verifying() {
    let place = place(Algorithm::Es256).await;
    let token = place.register("ana@example.com").await.token;
    let old = place.app.guard.check(&token).unwrap().key.clone();
    assert_eq!(state(&place, &old).await, "signing");
    let new = keys::rotate(&place.app).await.unwrap();
    // Others have to learn of it first.
    assert_eq!((state(&place, &old).await, state(&place, &new).await), ("signing", "verifying"));
    place.clock.forward(keys::RIPENS);
    assert_eq!((state(&place, &old).await, state(&place, &new).await), ("verifying", "signing"));
    assert!(place.is_good(&token));
    let later = place.login(PASSWORD).await.unwrap().token;
    assert_eq!(place.app.guard.check(&later).unwrap().key, new);
    assert_eq!(place.app.keys.jwks()["keys"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_retired_key_takes_its_sessions_with_it() {
    let place = place(Algorithm::Es256).await;
    let dead = place.register("ana@example.com").await.token;
    let old = place.app.guard.check(&dead).unwrap().key.clone();
    keys::rotate(&place.app).await.unwrap();
    place.clock.forward(keys::RIPENS);
    let live = place.login(PASSWORD).await.unwrap().token;
    let signing = place.app.guard.check(&live).unwrap().key.clone();

    assert_eq!(keys::retire(&place.app, &old).await.unwrap(), 1);
    assert!(!place.is_good(&dead) && place.is_good(&live));
    assert_eq!(keys::retire(&place.app, &old).await.unwrap(), 0);

    assert_eq!(keys::retire(&place.app, &signing).await.unwrap(), 1);
    assert!(!place.is_good(&live));
    let again = place.login(PASSWORD).await.unwrap().token;
    assert!(place.is_good(&again));
    assert_eq!(state(&place, &signing).await, "retired");
    let shown = place.app.keys.jwks().to_string();
    assert!(!shown.contains(signing.as_str()) && !shown.contains(old.as_str()));
    assert!(matches!(keys::retire(&place.app, &KeyId::from_text("x")).await, Err(RotateError::NotFound)));
}

#[tokio::test]
async fn a_shared_secret_is_not_rotated_and_can_be_retired() {
    let place = place(Algorithm::Hs256(Secret(Zeroizing::new(vec![7; 32])))).await;
    let token = place.register("ana@example.com").await.token;
    assert!(place.is_good(&token));
    assert!(matches!(keys::rotate(&place.app).await, Err(RotateError::GivenSecret)));
    let key = place.app.guard.check(&token).unwrap().key.clone();
    assert_eq!(keys::retire(&place.app, &key).await.unwrap(), 1);
    assert!(!place.is_good(&token));
    assert!(place.login(PASSWORD).await.is_err());
}

#[tokio::test]
async fn an_ending_is_in_the_list_at_once() {
    let place = place(Algorithm::Es256).await;
    let token = place.register("ana@example.com").await.token;
    let caller = place.app.guard.check(&token).unwrap();
    assert_eq!(is_set(&bitmap(&place, &caller.list).await, caller.index.0), Some(false));
    cerrojo_app::end::logout(&place.app, &caller, &crate::place::origin()).await.unwrap();
    let bits = bitmap(&place, &caller.list).await;
    assert_eq!(is_set(&bits, caller.index.0), Some(true));
    assert_eq!(bits.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
}

#[tokio::test]
async fn a_list_is_signed_again_when_it_has_aged() {
    let place = place(Algorithm::Es256).await;
    let token = place.register("ana@example.com").await.token;
    let name = place.app.guard.check(&token).unwrap().list.clone();
    let first = status_list::token(&place.app, &name).await.unwrap().unwrap();
    let same = status_list::token(&place.app, &name).await.unwrap().unwrap();
    assert_eq!((&first.token, &first.version), (&same.token, &same.version));
    place.clock.forward(Duration::from_secs(2));
    let later = status_list::token(&place.app, &name).await.unwrap().unwrap();
    assert_ne!(first.version, later.version);
    assert!(status_list::token(&place.app, &ListName::from_text("x")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_node_without_a_lease_signs_no_list() {
    let place = place(Algorithm::Es256).await;
    let token = place.register("ana@example.com").await.token;
    let name = place.app.guard.check(&token).unwrap().list.clone();
    status_list::token(&place.app, &name).await.unwrap().unwrap();
    place.app.guard.hold_lease_until(Duration::ZERO);
    assert!(status_list::token(&place.app, &name).await.is_err());
}
