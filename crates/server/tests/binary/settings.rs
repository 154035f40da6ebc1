//! Settings: what is refused, what is shown, what is generated from them.

use std::fs::Permissions;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::installation::Installation;

#[test]
fn an_unknown_key_is_refused_with_the_file_and_a_suggestion() {
    let here = Installation::new();
    std::fs::write(here.path("cerrojo.toml"), "[token]\ntll = \"1h\"\n").unwrap();
    let ran = here.run(&["serve"]).refused(1, "cerrojo.toml: token.tll");
    assert!(ran.err.contains("did you mean token.ttl?"), "{ran:?}");
    assert!(!here.path("data").exists());
}

#[test]
fn a_bad_value_is_refused_with_the_variable_and_what_is_expected() {
    let here = Installation::new().with("CERROJO_SESSION__IDLE_TIMEOUT", "soon");
    let ran = here.run(&["config", "check"]).refused(1, "CERROJO_SESSION__IDLE_TIMEOUT (session.idle_timeout)");
    assert!(ran.err.contains("expects a duration") && ran.err.contains("got \"soon\""), "{ran:?}");
}

#[test]
fn a_file_that_is_named_has_to_exist_and_to_be_toml() {
    let here = Installation::new();
    here.run(&["--config", "missing.toml", "config", "check"]).refused(1, "missing.toml");
    std::fs::write(here.path("bad.toml"), "[token]\nsecret = \"geheim\n").unwrap();
    let ran = here.run(&["--config", "bad.toml", "config", "check"]).refused(1, "bad.toml: line");
    assert!(!ran.err.contains("geheim"), "{ran:?}");
    std::fs::write(here.path("good.toml"), "[token]\nttl = \"2h\"\n").unwrap();
    here.run(&["config", "check", "--config", "good.toml"]).ok();
}

#[test]
fn a_file_of_the_working_directory_that_a_stranger_may_have_put_there_has_to_be_named() {
    let here = Installation::new();
    std::fs::write(here.path("cerrojo.toml"), "[token]\nttl = \"2h\"\n").unwrap();
    here.run(&["config", "check"]).ok();
    std::fs::set_permissions(here.path("cerrojo.toml"), Permissions::from_mode(0o666)).unwrap();
    let ran = here.run(&["config", "check"]).refused(1, "is in the working directory and can be changed by others");
    assert!(ran.err.contains("name it: --config cerrojo.toml"), "{ran:?}");
    here.run(&["--config", "cerrojo.toml", "config", "check"]).ok();
    std::fs::set_permissions(here.path("cerrojo.toml"), Permissions::from_mode(0o644)).unwrap();
    // Only root can give a file away.
    if std::os::unix::fs::chown(here.path("cerrojo.toml"), Some(4711), None).is_ok() {
        here.run(&["config", "check"]).refused(1, "belongs to another user");
        here.run(&["--config", "cerrojo.toml", "config", "check"]).ok();
    }
}

#[test]
fn a_working_directory_that_may_not_be_searched_is_passed_over() {
    let here = Installation::new();
    std::fs::write(here.path("cerrojo.toml"), "[token]\nttl = \"soon\"\n").unwrap();
    std::fs::set_permissions(here.path("."), Permissions::from_mode(0o700)).unwrap();
    // Only root can become a user who may not look into the folder that it is in.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o755)).unwrap();
    let binary = elsewhere.path().join("cerrojo");
    std::fs::copy(env!("CARGO_BIN_EXE_cerrojo"), &binary).unwrap();
    let shown = here
        .here("setpriv")
        .args(["--reuid=4711", "--regid=4711", "--clear-groups"])
        .arg(&binary)
        .args(["config", "check"])
        .output()
        .unwrap();
    assert!(shown.status.success(), "{shown:?}");
}

#[test]
fn the_environment_wins_over_the_file_and_both_are_named() {
    let here = Installation::new().with("CERROJO_TOKEN__TTL", "2h");
    std::fs::write(here.path("cerrojo.toml"), "[token]\nttl = \"1h\"\naudience = \"shop\"\n").unwrap();
    let shown = here.run(&["config", "show", "--json"]).ok().json();
    assert_eq!(shown["token.ttl"]["value"], "2h");
    assert_eq!(shown["token.ttl"]["origin"], "env CERROJO_TOKEN__TTL");
    assert_eq!(shown["token.audience"]["origin"], "file cerrojo.toml");
    assert_eq!(shown["session.idle_timeout"]["origin"], "default");
}

#[test]
fn secrets_are_masked() {
    let here = Installation::new()
        .with("CERROJO_TOKEN__ALGORITHM", "HS256")
        .with("CERROJO_TOKEN__SECRET", "geheimgeheimgeheimgeheimgeheim!!")
        .with("CERROJO_KEYS__MASTER_KEY", &"ab".repeat(32))
        .with("CERROJO_MAIL__FROM", "a@example.com")
        .with("CERROJO_MAIL__URL", "smtps://ana:geheim@mail.example.com");
    for arguments in [&["config", "show"][..], &["config", "show", "--json"]] {
        let ran = here.run(arguments).ok();
        assert!(!ran.out.contains("geheim") && !ran.out.contains("abab"), "{ran:?}");
        assert!(ran.out.contains("smtps://ana:***@mail.example.com"), "{ran:?}");
    }
}

#[test]
fn the_reference_in_docs_is_up_to_date() {
    let written = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SETTINGS.md")).unwrap();
    let generated = Installation::new().run(&["config", "reference"]).ok().out;
    assert!(written == generated, "run: cargo run -- config reference > docs/SETTINGS.md");
}

#[test]
fn a_server_that_is_not_there_is_told_of_and_its_password_is_not() {
    // Nobody listens on port 1.
    let here = Installation::new().with("CERROJO_DATABASE__URL", "postgres://u:geheim@127.0.0.1:1/d");
    for arguments in [&["serve"][..], &["user", "list"], &["db", "migrate"], &["cluster", "status"]] {
        let ran = here.run(arguments).refused(1, "database.url");
        assert!(ran.err.contains("refused") && ran.err.contains("is the server running"), "{ran:?}");
        assert!(!ran.err.contains("geheim"), "{ran:?}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let here = Installation::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(here.run(&["completions", shell]).ok().out.contains("cerrojo"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let here = Installation::new();
    let mut child =
        here.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(said, "");
}

#[test]
fn what_is_not_understood_exits_with_2() {
    let here = Installation::new();
    here.run(&["frobnicate"]).refused(2, "frobnicate");
    here.run(&["user", "add", "--email", "a@example.com", "--name", "A"]).refused(2, "--password-stdin");
    here.run(&["session", "end"]).refused(2, "--everyone");
    here.run(&["--listen", "127.0.0.1:1", "user", "list"]).refused(2, "--listen");
    here.run_with_input(
        &["user", "add", "--email", "a@example.com", "--name", "A", "--role", "king", "--password-stdin"],
        "x",
    )
    .refused(2, "king");
}

#[test]
fn a_look_at_the_settings_makes_nothing() {
    let here = Installation::new();
    here.run(&["config", "check"]).ok();
    here.run(&["config", "show"]).ok();
    here.run(&["mail", "preview", "reset"]).ok();
    assert!(!here.path("data").exists());
}
