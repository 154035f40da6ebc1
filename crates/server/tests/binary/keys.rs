//! Master key and signing keys.

use std::os::unix::fs::PermissionsExt as _;

use crate::installation::{Installation, header};

const ANA: &str = "ana@example.com";

#[test]
fn a_sealed_database_without_its_master_key_is_refused() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let key = std::fs::read_to_string(here.path("data/master.key")).unwrap();
    std::fs::remove_file(here.path("data/master.key")).unwrap();
    let ran = here.run(&["serve"]).refused(1, "master.key");
    assert!(ran.err.contains("put the file back") && ran.err.contains("CERROJO_KEYS__MASTER_KEY"), "{ran:?}");
    assert!(!here.path("data/master.key").exists(), "a new one must not be made");
    let here = here.with("CERROJO_KEYS__MASTER_KEY", &"00".repeat(32));
    here.run(&["serve"]).refused(1, "another master key");
    let here = here.with("CERROJO_KEYS__MASTER_KEY", key.trim());
    here.serve().token(ANA);
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    std::fs::set_permissions(here.path("data/master.key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    here.run(&["serve"]).refused(1, "chmod 600");
}

#[test]
fn rotation_beside_the_server_changes_what_signs_and_ends_nothing() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let old = server.token(ANA);
    here.run(&["key", "rotate"]).ok();
    let new = server.token(ANA);
    assert_ne!(header(&old)["kid"], header(&new)["kid"]);
    assert_eq!([server.verify(&old), server.verify(&new)], [200, 200]);
    let jwks = server.request("GET /.well-known/jwks.json", None, None).body;
    let published: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
    assert!(published.contains(&header(&old)["kid"]) && published.contains(&header(&new)["kid"]), "{jwks}");
    let listed = here.run(&["key", "list", "--json"]).ok().json();
    let state = |token: &str| {
        let kid = header(token)["kid"].clone();
        listed.as_array().unwrap().iter().find(|row| row["id"] == kid).unwrap()["state"].clone()
    };
    assert_eq!([state(&old), state(&new)], ["verifying", "signing"]);

    let kid = header(&old)["kid"].as_str().unwrap().to_owned();
    here.run(&["key", "retire", &kid]).refused(2, "--yes");
    here.run(&["key", "retire", &kid, "--yes"]).ok();
    assert_eq!([server.verify(&old), server.verify(&new)], [401, 200]);
    here.run(&["key", "retire", "nonsense", "--yes"]).refused(1, "no such key");
    server.kill();
    let server = here.serve();
    assert_eq!([server.verify(&old), server.verify(&new)], [401, 200]);
}

#[test]
fn retiring_the_key_that_signs_makes_another_first() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let old = server.token(ANA);
    here.run(&["key", "retire", header(&old)["kid"].as_str().unwrap(), "--yes"]).ok();
    assert_eq!(server.verify(&old), 401);
    let new = server.token(ANA);
    assert_ne!(header(&old)["kid"], header(&new)["kid"]);
}

#[test]
fn hs256_signs_with_the_given_secret_and_does_not_publish_it() {
    let here = Installation::new()
        .with("CERROJO_TOKEN__ALGORITHM", "HS256")
        .with("CERROJO_TOKEN__SECRET", "geheimgeheimgeheimgeheimgeheim!!");
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let token = server.token(ANA);
    assert_eq!(header(&token)["alg"], "HS256");
    let jwks = server.request("GET /.well-known/jwks.json", None, None).body;
    assert!(jwks["keys"].as_array().unwrap().iter().all(|key| key["kty"] == "EC"), "{jwks}");
    here.run(&["key", "rotate"]).refused(1, "token.secret");
    server.stop();
    let server = here.serve();
    assert_eq!(server.verify(&token), 200);
}

#[test]
fn a_secret_or_address_that_is_changed_and_changed_back_ends_nothing_and_the_operator_does() {
    let (secret, url) = ("CERROJO_TOKEN__SECRET", "CERROJO_SERVER__PUBLIC_URL");
    let (first, second) = ("first-first-first-first-first-first!", "second-second-second-second-second");
    let here = Installation::new().with("CERROJO_TOKEN__ALGORITHM", "HS256").with(secret, first);
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let token = server.token(ANA);
    server.stop();
    let verified = |here: &Installation| {
        let server = here.serve();
        let status = server.verify(&token);
        server.stop();
        status
    };
    let here = here.with(secret, second);
    assert_eq!(verified(&here), 401);
    let here = here.with(secret, first).with(url, "http://127.0.0.1:4001");
    assert_eq!(verified(&here), 401);
    let here = here.with(url, "http://127.0.0.1:4000");
    assert_eq!(verified(&here), 200);
    here.run(&["session", "end", "--everyone", "--yes"]).ok();
    assert_eq!(verified(&here), 401);
}
