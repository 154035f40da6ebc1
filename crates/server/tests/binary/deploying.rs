//! What packages and containers need of the binary: secrets in files, a health check, manual pages.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

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
fn a_file_with_a_secret_that_others_can_read_or_change_is_warned_of() {
    const SAID: &str =
        "mail.url_file: mail-url can be read or changed by everybody on this machine: chmod o-rwx mail-url";
    let here = with_mail_url("smtps://ana:geheim@127.0.0.1:1\n");
    let set = |mode| std::fs::set_permissions(here.path(URL.1), std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o644, 0o602] {
        set(mode);
        let ran = here.run(&["config", "check"]).ok();
        assert!(ran.err.contains(&format!("warning: {SAID}")), "{ran:?}");
    }
    assert!(here.serve().stopped().contains(SAID));
    let told = |check: &str| {
        let all = here.run(&["doctor", "--json"]).json();
        all["checks"].as_array().unwrap().iter().find(|found| found["check"] == check).cloned()
    };
    assert_eq!(told("secret file").unwrap()["level"], "problem");
    assert_eq!(told("settings").unwrap()["level"], "ok", "it is said once");
    set(0o640);
    assert_eq!(told("secret file"), None);
    assert!(!here.run(&["config", "check"]).ok().err.contains("mail-url"));
}

#[test]
fn health_takes_no_other_servers_word() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let asked = Installation::new().with("CERROJO_SERVER__LISTEN", &address).run(&["health"]);
        asked.refused(1, "that is no answer of Cerrojo's; where the server listens elsewhere");
        other.join().unwrap();
    }
}

#[test]
fn only_secrets_have_files_of_their_own() {
    let here = Installation::new().with("CERROJO_SERVER__LISTEN_FILE", "listen");
    here.run(&["config", "check"]).refused(1, "CERROJO_SERVER__LISTEN_FILE: there is no such setting");
}

#[test]
fn health_asks_the_running_server() {
    let here = Installation::new();
    let server = here.serve();
    let address = server.address.to_string();
    let asked = here.with("CERROJO_SERVER__LISTEN", &address);
    assert!(asked.run(&["health"]).ok().out.contains("/health/ready: 200"));
    assert!(asked.run(&["health", "--live"]).ok().out.contains("/health/live: 200"));
    server.stop();
    let ran = asked.run(&["health"]).refused(1, "does not answer");
    assert!(ran.err.contains("set server.listen to that"), "{ran:?}");
}

#[test]
fn health_asks_over_tls_where_the_server_speaks_it() {
    let here = Installation::new()
        .with("CERROJO_SERVER__PUBLIC_URL", "https://auth.example.com")
        .with("CERROJO_SERVER__TLS_CERTIFICATE", "certificate.pem")
        .with("CERROJO_SERVER__TLS_KEY", "key.pem");
    let made = rcgen::generate_simple_self_signed(["auth.example.com".to_owned()]).unwrap();
    std::fs::write(here.path("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(here.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(here.path("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = here.serve();
    let asked = here.with("CERROJO_SERVER__LISTEN", &server.address.to_string());
    let said = asked.run(&["health"]).ok().out;
    assert!(said.starts_with("https://") && said.contains("/health/ready: 200"), "{said}");
    server.stop();
}

#[test]
fn health_knows_no_address_without_a_port() {
    Installation::new().with("CERROJO_SERVER__LISTEN", "127.0.0.1:0").run(&["health"]).refused(1, "port 0");
}

#[test]
fn manual_pages_are_written_for_every_command_and_for_the_settings() {
    let here = Installation::new();
    here.run(&["man", "pages"]).ok();
    let page = |name: &str| std::fs::read_to_string(here.path("pages").join(name)).unwrap();
    let add = page("man1/cerrojo-user-add.1");
    assert!(add.contains("\\-\\-password\\-stdin") && add.contains(".SH EXAMPLES"), "{add}");
    assert!(page("man1/cerrojo.1").contains("cerrojo\\-user(1)"));
    let settings = page("man5/cerrojo.toml.5");
    for said in ["SH [database]", "CERROJO_SERVER__PUBLIC_URL", "https://auth.example.com"] {
        assert!(settings.contains(said), "{said}: {settings}");
    }
    let reference = here.run(&["config", "reference"]).ok().out;
    let sections = reference.lines().filter_map(|line| line.strip_prefix("## "));
    for section in sections {
        assert!(settings.contains(&format!(".SH [{section}]")), "{section}");
    }
}
