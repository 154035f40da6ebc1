//! Status lists as anybody may read them (draft-ietf-oauth-status-list), and where everything is (RFC 8414).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::io::Read as _;

use cerrojo_guard::status_list::{decode, is_set};
use cerrojo_guard::{KeySet, STATUS_LIST_TOKEN, verify_jws};
use cerrojo_testkit::{Actor, PUBLIC_URL, TestApp, on_both_engines};
use serde_json::{Value, json};

fn place_of(actor: &Actor) -> (String, u32) {
    let claims = cerrojo_testkit::claims(actor.token());
    let place = &claims["status"]["status_list"];
    let path = place["uri"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
    (path.to_owned(), place["idx"].as_u64().unwrap().try_into().unwrap())
}

/// What a Status List Token says to a reader that has nothing but the JWK set.
async fn read(app: &TestApp, token: &str) -> Value {
    let jwks = app.visitor().get("/.well-known/jwks.json").await.json();
    verify_jws(token, STATUS_LIST_TOKEN, &KeySet::from_jwks(&jwks)).unwrap().json().unwrap()
}

#[tokio::test]
async fn the_metadata_names_what_there_is() {
    on_both_engines(async |app| {
        let reply = app.visitor().get("/.well-known/oauth-authorization-server").await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let metadata = reply.json();
        assert_eq!(metadata["issuer"], PUBLIC_URL);
        assert_eq!(metadata["introspection_endpoint_auth_methods_supported"], json!(["client_secret_basic"]));
        assert_eq!(metadata["response_types_supported"], json!([]));
        for member in ["jwks_uri", "status_list_aggregation_endpoint"] {
            let path = metadata[member].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
            assert_eq!(app.visitor().get(path).await.status, 200, "{member}");
        }
        assert_eq!(metadata["introspection_endpoint"], format!("{PUBLIC_URL}/api/auth/introspect"));
        assert_eq!(metadata["cerrojo_guard_endpoint"], format!("{PUBLIC_URL}/api/guards"));
    })
    .await;
}

#[tokio::test]
async fn a_verifier_of_others_finds_every_list_and_the_ended_in_it() {
    on_both_engines(async |app| {
        assert_eq!(app.visitor().get("/status-lists").await.json(), json!({ "status_lists": [] }));
        let (ana, eva) = (app.user("ana").await, app.user("eva").await);
        ana.logout().await;
        let all = app.visitor().get("/status-lists").await.json();
        let (path, ended) = place_of(&ana);
        assert_eq!(all, json!({ "status_lists": [format!("{PUBLIC_URL}{path}")] }));
        let claims = read(&app, &String::from_utf8(app.visitor().get(&path).await.body).unwrap()).await;
        assert_eq!(claims["sub"], format!("{PUBLIC_URL}{path}"));
        assert_eq!(claims["status_list"]["bits"], 1);
        assert_eq!(claims["status_list"]["aggregation_uri"], format!("{PUBLIC_URL}/status-lists"));
        let bits = decode(claims["status_list"]["lst"].as_str().unwrap(), 1 << 20).unwrap();
        assert_eq!((is_set(&bits, ended), is_set(&bits, place_of(&eva).1)), (Some(true), Some(false)));
    })
    .await;
}

#[tokio::test]
async fn a_list_travels_compressed_where_that_is_asked_for() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (path, _) = place_of(&ana);
        let plain = app.visitor().get(&path).await;
        let packed = app.visitor().get(&path).header("accept-encoding", "gzip, br").await;
        assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
        assert_ne!(plain.header("etag"), packed.header("etag"));
        for reply in [&plain, &packed] {
            assert_eq!(reply.header("content-type"), Some("application/statuslist+jwt"));
            let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
            assert!(vary.iter().any(|value| *value == "Accept-Encoding"), "{reply}");
        }
        let again = |etag: &str, coding: &str| {
            app.visitor().get(&path).header("if-none-match", etag).header("accept-encoding", coding)
        };
        let (plain, packed) = (plain.header("etag").unwrap(), packed.header("etag").unwrap());
        assert_eq!(again(plain, "identity").await.status, 304);
        assert_eq!(again(packed, "gzip").await.status, 304);
        assert_eq!(again(plain, "gzip").await.status, 200);
        assert_eq!(again(packed, "gzip;q=0").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_status_at_another_time_is_not_kept() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (path, _) = place_of(&ana);
        for query in ["time=1686925000", "time=", "time", "time=x&time=y"] {
            app.visitor().get(&format!("{path}?{query}")).await.assert_code(501, "NOT_IMPLEMENTED");
        }
        assert_eq!(app.visitor().get(&format!("{path}?times=1")).await.status, 200);
    })
    .await;
}
