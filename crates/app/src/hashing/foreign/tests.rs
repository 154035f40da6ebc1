use super::{Foreign, Format, adopt, firebase, node};
use crate::hashing::Unreadable;
use crate::hashing::schemes::{Memory, Stored};

/// What the hashes below are of, unless it is said. They were made by Node's `crypto`.
const PASSWORD: &str = "caballo grapa 7";

fn is_of(text: &str, password: &str) -> bool {
    Stored::parse(text).is_ok_and(|stored| stored.is_of(password, &mut Memory::default()))
}

fn assert_adopted(format: &Format, foreign: Foreign<'_>, password: &str) {
    let text = adopt(format, foreign).unwrap_or_else(|error| panic!("{foreign:?}: {error:?}"));
    assert!(is_of(&text, password), "{foreign:?} became {text}");
    for wrong in [&format!("{password} "), "", "caballo grapa 8"] {
        assert!(!is_of(&text, wrong), "{foreign:?}");
    }
    assert_eq!(adopt(&Format::Telling, hash(&text)), Ok(text.clone()), "what is kept says what it is");
}

fn hash(hash: &str) -> Foreign<'_> {
    Foreign { hash, ..Foreign::default() }
}

#[test]
fn hashes_that_say_what_they_are() {
    for text in [
        // Django.
        "pbkdf2_sha256$1200$seasalt$cE0OZ0pAOxhvRsJad5Q/PHG9JI/nqxfLX2VjvqZmlvI=",
        "pbkdf2_sha1$1200$seasalt$RK3c2658eWFaKDZamJQTXWEhILA=",
        "scrypt$4096$seasalt$8$1$v0K0yC5FHRced/aKgXMfwNJwGwveb2P2IhBhqbRlIcvRbZawxMZ8U73BKe4af1NvOkAPPsbbxOGOn45GMG87jA==",
        // ASP.NET Core Identity, version 3 with SHA-512 and version 2.
        "AQAAAAIAAAfQAAAAEAARIjNEVWZ3iJmqu8zd7v+zs0WQjFkEtoxR+DT9HOM65TzjcCJGlYkXWGWtegCUQA==",
        "AAARIjNEVWZ3iJmqu8zd7v8M4niabC1Pomi0hecOCs5scIkXqHUZ2IiPuYvuGtXwuA==",
        // PHC strings, and passlib's.
        "$pbkdf2-sha512$i=2500$ABEiM0RVZneImaq7zN3u/w$kFRGYK6iYVpWQlm/eBOyrWj0OuFpQ7wiag5YZEgG02e0a/KbCPnFJiNQZFpkbO2IdVc0Kx4yP69AtsSL5kLmoQ",
        "$pbkdf2-sha256$2900$ABEiM0RVZneImaq7zN3u/w$2Q5m6Lg313WL8c/4Ea28FWCkH722lUNZeBge9qEto3M",
        "$scrypt$ln=12,r=8,p=1$ABEiM0RVZneImaq7zN3u/w$NKFSZDnG8ajuWnPTh5lKNU/3qbuWZRf7ZqsJgnPvPZQ",
    ] {
        assert_adopted(&Format::Telling, hash(text), PASSWORD);
    }
    // Of ASP.NET Core's own tests, Argon2's reference and crypt_blowfish's.
    let net = "AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw==";
    assert_adopted(&Format::Telling, hash(net), "my password");
    for argon2 in [
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        "$argon2i$v=16$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "argon2$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ] {
        assert_adopted(&Format::Telling, hash(argon2), "password");
    }
    assert_adopted(
        &Format::Telling,
        hash("bcrypt$$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        "U*U",
    );
}

#[test]
fn hashes_of_keycloak() {
    let secret = r#"{"value":"gAyWPl1ekqjTPlzqSf7s5ffwI4WQRY5yW1XvOiz7TfZDqM7FRGgTCclxtcgqracvCTdJxaH9/Z9MWxshEBZ6Ew==","salt":"ABEiM0RVZneImaq7zN3u/w==","additionalParameters":{}}"#;
    let parameters = r#"{"hashIterations":2700,"algorithm":"pbkdf2-sha256","additionalParameters":{}}"#;
    let foreign = Foreign { hash: secret, salt: None, parameters: Some(parameters) };
    assert_adopted(&Format::Telling, foreign, PASSWORD);
    let argon2 = Foreign {
        hash: r#"{"value":"nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4=","salt":"c29tZXNhbHQ="}"#,
        salt: None,
        parameters: Some(
            r#"{"hashIterations":2,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["256"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}"#,
        ),
    };
    assert_adopted(&Format::Telling, argon2, "password");
}

const SALT: &str = "00112233445566778899aabbccddeeff";

#[test]
fn hashes_of_nodes_crypto() {
    let scrypt = "c83ddb159050585725e6d09f72e005870d3a5707f70978f7c2481d29c749c1d92f95629f927698223adb1c9a7e45cb373b34fc045f0bfdd5970a5e4fdd9526fa";
    let usual = Format::Node(node("node-scrypt").unwrap());
    for side_by_side in [format!("{SALT}:{scrypt}"), format!("{scrypt}.{SALT}")] {
        assert_adopted(&usual, hash(&side_by_side), PASSWORD);
    }
    assert_adopted(&usual, Foreign { hash: scrypt, salt: Some(SALT), parameters: None }, PASSWORD);
    let bcrypt = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    assert_adopted(&usual, hash(bcrypt), "U*U");
    let other = Format::Node(node("node-scrypt,N=4096,p=2,salt=hex").unwrap());
    assert_adopted(&other, hash(&format!("{SALT}$CTWjEBKGxJvMtwpvYSPS5qHGumV7Rbl/FV33PvOcN2M=")), PASSWORD);
    let pbkdf2 = "777519b556a06983439293235ac0683c47f5f5b66b69f69c82b8c84046e2c88478e819ca422da5b5344e203895836c96b02344bcac813374cbf0cd70d3213272";
    let format = Format::Node(node("node-pbkdf2,iterations=1000,digest=sha512").unwrap());
    assert_adopted(&format, Foreign { hash: pbkdf2, salt: Some(SALT), parameters: None }, PASSWORD);
    for wrong in [
        "node",
        "node-scrypt,N=5",
        "node-scrypt,iterations=1",
        "node-pbkdf2",
        "node-pbkdf2,iterations=0,digest=sha1",
        "node-pbkdf2,digest=md5",
        "node-scrypt,salt",
    ] {
        assert!(node(wrong).is_err(), "{wrong}");
    }
}

/// The example of Firebase's own `scrypt` repository.
#[test]
fn hashes_of_firebase() {
    let console = "hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==,\n  base64_salt_separator: Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}\n";
    let format = Format::Firebase(firebase(console).unwrap());
    let foreign = Foreign {
        hash: "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==",
        salt: Some("42xEC+ixf3L2lw=="),
        parameters: None,
    };
    assert_adopted(&format, foreign, "user1password");
    for (told, instead) in [("SCRYPT", "BCRYPT"), ("mem_cost", "x"), ("rounds: 8", "rounds: x"), ("Bw==", "%")] {
        assert!(firebase(&console.replace(told, instead)).is_err(), "{told}");
    }
}

#[test]
fn what_nobody_can_check_is_not_taken_over() {
    let dear = [
        "pbkdf2_sha256$20000000$seasalt$cE0OZ0pAOxhvRsJad5Q/PHG9JI/nqxfLX2VjvqZmlvI=",
        "$scrypt$ln=24,r=8,p=1$ABEiM0RVZneImaq7zN3u/w$NKFSZDnG8ajuWnPTh5lKNU/3qbuWZRf7ZqsJgnPvPZQ",
        "$scrypt$ln=10,r=4294967295,p=4294967295$ABEiM0RVZneImaq7zN3u/w$NKFSZDnG8ajuWnPTh5lKNU/3qbuWZRf7ZqsJgnPvPZQ",
        "$scrypt$ln=1,r=1,p=524288$ABEiM0RVZneImaq7zN3u/w$NKFSZDnG8ajuWnPTh5lKNU/3qbuWZRf7ZqsJgnPvPZQ",
        "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ];
    for text in dear {
        assert_eq!(adopt(&Format::Telling, hash(text)), Err(Unreadable::TooDear), "{text}");
    }
    for text in [
        "",
        "secret",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "pbkdf2_sha256$0$seasalt$cE0OZ0pAOxhvRsJad5Q/PHG9JI/nqxfLX2VjvqZmlvI=",
        "pbkdf2_md5$1200$seasalt$cE0OZ0pAOxhvRsJad5Q=",
        "pbkdf2_sha256$1200$seasalt$AAAA",
        "scrypt$4095$seasalt$8$1$v0K0yC5FHRced/aKgXMfwNJwGwveb2P2IhBhqbRlIcs=",
        "$pbkdf2_sha256$i=2500$ABEiM0RVZneImaq7zN3u/w$kFRGYK6iYVpWQlm/eBOyrWj0OuFpQ7wiag5YZEgG02e0a/KbCPnFJiNQZFpkbO2IdVc0Kx4yP69AtsSL5kLmoQ",
        "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$argon2x$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "AQAAAAkAAAfQAAAAEAARIjNEVWZ3iJmqu8zd7v+zs0WQjFkEtoxR+DT9HOM65TzjcCJGlYkXWGWtegCUQA==",
        "AQAAAAIAAAfQ/////wARIjNEVWZ3iJmqu8zd7v+zs0WQjFkEtoxR+DT9HOM65TzjcCJGlYkXWGWtegCUQA==",
    ] {
        assert!(adopt(&Format::Telling, hash(text)).is_err(), "{text}");
    }
}
