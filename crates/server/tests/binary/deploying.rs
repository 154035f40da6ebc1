//! What packages and containers need of the binary: secrets in files, a health check, manual pages.

use crate::installation::Installation;

const URL: (&str, &str) = ("CERROJO_MAIL__URL_FILE", "mail-url");
const FROM: (&str, &str) = ("CERROJO_MAIL__FROM", "a@example.com");

fn with_mail_url(text: &str) -> Installation {
    let here = Installation::new().with(FROM.0, FROM.1).with(URL.0, URL.1);
    std::fs::write(here.path(URL.1), text).unwrap();
    here
}

#[test]
fn a_secret_can_stand_in_a_file_that_the_environment_names() {
    let here = with_mail_url("smtps://ana:geheim@mail.example.com\n");
    let shown = here.run(&["config", "show", "--json"]).ok().json();
    assert_eq!(shown["mail.url"]["value"], "smtps://ana:***@mail.example.com");
    assert_eq!(shown["mail.url"]["origin"], "file mail-url");
}

#[test]
fn a_secret_can_stand_in_a_file_that_the_settings_name() {
    let here = Installation::new();
    std::fs::write(here.path("cerrojo.toml"), "[token]\nalgorithm = \"HS256\"\nsecret_file = \"secret\"\n").unwrap();
    here.run(&["config", "check"]).refused(1, "token.secret_file: secret: cannot be read");
    std::fs::write(here.path("secret"), "geheim\n").unwrap();
    let ran = here.run(&["config", "check"]).refused(1, "secret: token.secret: expects 32 bytes");
    assert!(!ran.err.contains("geheim"), "{ran:?}");
    std::fs::write(here.path("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    here.run(&["config", "check"]).ok();
    // What the environment says goes over what the file says, however each says it.
    let here = here.with("CERROJO_TOKEN__SECRET", "fedcba9876543210fedcba9876543210");
    let shown = here.run(&["config", "show", "--json"]).ok().json();
    assert_eq!(shown["token.secret"]["origin"], "env CERROJO_TOKEN__SECRET");
}

#[test]
fn a_secret_and_a_file_for_it_from_the_same_place_are_refused() {
    let here = with_mail_url("smtps://mail.example.com").with("CERROJO_MAIL__URL", "smtps://other.example.com");
    here.run(&["config", "check"]).refused(1, "mail.url and mail.url_file are both set");
    let here = Installation::new();
    std::fs::write(here.path("secret"), "0123456789abcdef0123456789abcdef").unwrap();
    let both = "[token]\nsecret = \"0123456789abcdef0123456789abcdef\"\nsecret_file = \"secret\"\n";
    std::fs::write(here.path("cerrojo.toml"), both).unwrap();
    here.run(&["config", "check"]).refused(1, "token.secret and token.secret_file are both set");
}

#[test]
fn a_file_without_a_secret_in_it_is_refused() {
    with_mail_url("\n")
        .run(&["config", "check"])
        .refused(1, "CERROJO_MAIL__URL_FILE (mail.url_file): mail-url: is empty");
    with_mail_url(&"x".repeat(70_000)).run(&["config", "check"]).refused(1, "longer than 64 KiB");
}

#[test]
fn only_secrets_have_files_of_their_own() {
    let here = Installation::new().with("CERROJO_SERVER__LISTEN_FILE", "listen");
    here.run(&["config", "check"]).refused(1, "CERROJO_SERVER__LISTEN_FILE: there is no such setting");
}
