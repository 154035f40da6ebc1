//! `cerrojo doctor`: what an operator reads, of installations that are well and of such that are not.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use cerrojo_store::testing::Fresh;
use serde_json::{Value, json};

use crate::installation::{Installation, Ran};

/// A port of this machine that nobody listens on.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// One whose server is reached where it says.
fn installation() -> Installation {
    let address = format!("127.0.0.1:{}", free_port());
    Installation::new()
        .with("CERROJO_SERVER__LISTEN", &address)
        .with("CERROJO_SERVER__PUBLIC_URL", &format!("http://{address}"))
}

/// The finding of this check.
#[track_caller]
fn found(ran: &Ran, check: &str) -> Value {
    let all = ran.json();
    let found = all["checks"].as_array().unwrap().iter().find(|found| found["check"] == check);
    found.unwrap_or_else(|| panic!("{check} was not looked at: {ran:?}")).clone()
}

#[track_caller]
fn assert_found(ran: &Ran, check: &str, level: &str, parts: [&str; 2]) {
    let found = found(ran, check);
    assert_eq!(found["level"], level, "{found}");
    assert!(found["says"].as_str().unwrap().contains(parts[0]), "{found}");
    assert!(found["remedy"].as_str().unwrap_or_default().contains(parts[1]), "{found}");
}

fn doctor(here: &Installation) -> Ran {
    here.run(&["doctor", "--json"])
}

/// Every file below the folder, with what is in it.
fn all_files(folder: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(all_files(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            files.push((path.display().to_string(), std::fs::read(&path).unwrap(), changed));
        }
    }
    files.sort();
    files
}

fn on_both_engines(test: impl Fn(Installation)) {
    test(installation());
    let database = postgres();
    test(installation().with("CERROJO_DATABASE__URL", &database.url));
}

fn postgres() -> Fresh {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(Fresh::postgres())
}

#[test]
fn before_the_first_start_it_says_so_and_makes_nothing() {
    let here = installation();
    let ran = here.run(&["doctor"]).ok();
    assert!(ran.out.contains("-        database            there is none at"), "{}", ran.out);
    assert!(ran.out.contains("-        server              none runs here: `cerrojo serve`"), "{}", ran.out);
    assert!(ran.out.contains("\nno problems, "), "{}", ran.out);
    assert_eq!(all_files(&here.path(".")), []);
}

#[test]
fn an_installation_that_is_well_has_no_problem_while_its_server_runs_and_after() {
    on_both_engines(|here| {
        let server = here.serve();
        let ran = doctor(&here).ok();
        for check in ["database", "schema", "keys", "mail that waits", "server", "public URL", "key set", "nodes"] {
            assert_eq!(found(&ran, check)["level"], "ok", "{ran:?}");
        }
        server.stop();
        let before = all_files(&here.path("."));
        let ran = here.run(&["doctor", "--deep", "--json"]).ok();
        assert_eq!(found(&ran, "whole database")["level"], "ok", "{ran:?}");
        assert_eq!(found(&ran, "keys")["level"], "ok", "{ran:?}");
        assert_eq!(found(&ran, "server")["level"], "skipped", "{ran:?}");
        assert_eq!(all_files(&here.path(".")), before, "it writes nothing");
    });
}

#[test]
fn after_a_crash_it_leaves_the_write_ahead_log_alone() {
    let here = installation();
    here.serve().kill();
    let before = all_files(&here.path("."));
    let ran = doctor(&here).ok();
    assert_found(&ran, "database", "skipped", ["was not stopped cleanly", ""]);
    assert_eq!(all_files(&here.path(".")), before);
}

#[test]
fn warnings_fail_only_if_asked_to() {
    let here = installation().with("CERROJO_SERVER__PUBLIC_URL", "https://auth.example.com");
    let ran = doctor(&here).ok();
    assert_found(&ran, "proxy headers", "warning", ["server.trusted_proxies is empty", "set server.trusted_proxies"]);
    assert_found(&ran, "mail server", "warning", ["mail.url is not set", "cerrojo mail test"]);
    let ran = here.run(&["doctor", "--strict"]);
    assert_eq!((ran.exit, ran.err.as_str()), (Some(1), ""), "{ran:?}");
}

#[test]
fn settings_that_are_wrong_are_the_only_thing_looked_at() {
    let here = installation().with("CERROJO_TOKEN__TTL", "soon");
    let ran = doctor(&here);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert_found(&ran, "settings", "problem", ["CERROJO_TOKEN__TTL (token.ttl): expects a duration", "cerrojo config"]);
    assert_found(&ran, "everything else", "skipped", ["the settings have to be right first", ""]);
}

#[test]
fn files_that_others_may_read_or_change_are_problems_with_the_command_that_closes_them() {
    let here = installation();
    here.serve().stop();
    let set = |name: &str, mode| std::fs::set_permissions(here.path(name), Permissions::from_mode(mode)).unwrap();
    set("data/master.key", 0o644);
    set("data/cerrojo.db", 0o640);
    set("data", 0o777);
    std::fs::write(
        here.path("cerrojo.toml"),
        "[mail]\nurl = \"smtps://u:geheim@127.0.0.1:1\"\nfrom = \"a@example.com\"\n",
    )
    .unwrap();
    set("cerrojo.toml", 0o644);
    let ran = doctor(&here);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert_found(&ran, "master key file", "problem", ["can be read by others", "chmod 600 data/master.key"]);
    assert_found(&ran, "keys", "problem", ["can be read by others: chmod 600", ""]);
    assert_found(&ran, "database files", "problem", ["others can read", "chmod 600"]);
    assert_found(&ran, "folders", "problem", ["can replace what is in", "chmod o-w"]);
    assert_found(&ran, "settings file", "problem", ["mail.url is in it", "chmod o-rwx cerrojo.toml"]);
    assert!(!ran.out.contains("geheim"), "{}", ran.out);
}

#[test]
fn a_master_key_that_root_handed_over_to_the_servers_group_is_well() {
    // Only root can hand a file over.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let here = installation();
    here.serve().stop();
    for name in ["data/cerrojo.db", "data/cerrojo.db.position", "data/cerrojo.db.lock"] {
        let _ = std::os::unix::fs::chown(here.path(name), Some(4711), Some(4711));
    }
    std::os::unix::fs::chown(here.path("data/master.key"), Some(0), Some(4711)).unwrap();
    std::fs::set_permissions(here.path("data/master.key"), Permissions::from_mode(0o440)).unwrap();
    let ran = doctor(&here);
    assert_found(&ran, "master key file", "ok", ["handed over to the server's group", ""]);
    assert_found(&ran, "owners", "ok", ["belong to 4711", ""]);
    assert_found(&ran, "keys", "ok", ["opens all of them", ""]);
    std::fs::set_permissions(here.path("data/master.key"), Permissions::from_mode(0o444)).unwrap();
    assert_found(&doctor(&here), "master key file", "problem", ["can be read by others", "chmod 600"]);
}

#[test]
fn texts_of_mails_that_no_server_starts_with_are_a_problem() {
    let here = installation().with("CERROJO_MAIL__TEMPLATES", "texts");
    std::fs::create_dir(here.path("texts")).unwrap();
    std::fs::write(here.path("texts/reset.en.txt"), "Subject: A\n\n{{ nothing }}\n").unwrap();
    assert_found(&doctor(&here), "mail templates", "problem", ["mail.templates: ", "no server starts"]);
    std::fs::write(here.path("texts/reset.en.txt"), "Subject: A\n\n{{ link }}\n").unwrap();
    assert_found(&doctor(&here), "mail templates", "ok", ["can be used", ""]);
}

#[test]
fn another_master_key_and_a_lost_one_are_problems() {
    on_both_engines(|here| {
        here.serve().stop();
        let key = here.path("data/master.key");
        let own = std::fs::read(&key).unwrap();
        std::fs::remove_file(&key).unwrap();
        assert_found(&doctor(&here), "keys", "problem", ["master.key is not there", ""]);
        assert!(!key.exists());
        std::fs::write(&key, "ab".repeat(32)).unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        assert_found(&doctor(&here), "keys", "problem", ["sealed with another master key", ""]);
        std::fs::write(&key, own).unwrap();
        assert_found(&doctor(&here), "keys", "ok", ["opens all of them", ""]);
    });
}

#[test]
fn a_secret_that_was_retired_is_a_problem() {
    let here = installation()
        .with("CERROJO_TOKEN__ALGORITHM", "HS256")
        .with("CERROJO_TOKEN__SECRET", "geheimgeheimgeheimgeheimgeheim!!");
    here.serve().stop();
    let keys = here.run(&["key", "list", "--json"]).ok().json();
    let shared = keys.as_array().unwrap().iter().find(|key| key["algorithm"] == "HS256").unwrap();
    here.run(&["key", "retire", shared["id"].as_str().unwrap(), "--yes"]).ok();
    let ran = doctor(&here);
    assert_found(&ran, "keys", "problem", ["a key that was retired as compromised: set a new one", ""]);
    assert!(!ran.out.contains("geheimgeheim"), "{}", ran.out);
}

#[test]
fn a_mail_server_that_cannot_be_reached_or_speaks_otherwise_is_a_problem() {
    let here = installation().with("CERROJO_MAIL__FROM", "a@example.com");
    let nobody = format!("smtp://u:geheim@127.0.0.1:{}", free_port());
    let ran = doctor(&here.with("CERROJO_MAIL__URL", &nobody));
    assert_found(&ran, "mail server", "problem", ["refused", "look at host and port in mail.url"]);
    assert!(!ran.out.contains("geheim"), "{}", ran.out);
    // Speaks plain SMTP from the start.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("smtps://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mail.example.com ESMTP\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let here = installation().with("CERROJO_MAIL__FROM", "a@example.com").with("CERROJO_MAIL__URL", &plain);
    assert_found(&doctor(&here), "mail server", "problem", ["", "write smtp:// (STARTTLS"]);
    server.join().unwrap();
}

#[test]
fn old_tokens_that_are_still_accepted_after_their_time_are_told_of() {
    let here = installation()
        .with("CERROJO_MIGRATION__ACCEPT_OLD_TOKENS", "true")
        .with("CERROJO_MIGRATION__SECRET", "0123456789abcdef0123456789abcdef")
        .with("CERROJO_MIGRATION__UNTIL", "2026-01-01T00:00:00Z");
    let ran = doctor(&here).ok();
    assert_found(
        &ran,
        "old tokens",
        "warning",
        ["has passed", "take migration.accept_old_tokens and migration.secret out"],
    );
    assert!(!ran.out.contains("0123456789abcdef"), "{}", ran.out);
}

#[test]
fn another_installation_at_the_public_url_is_a_problem() {
    let other = installation();
    let others = other.serve();
    let here = installation().with("CERROJO_SERVER__PUBLIC_URL", &format!("http://{}", others.address));
    let server = here.serve();
    assert_found(&doctor(&here), "key set", "problem", ["of another database", "server.public_url"]);
    server.stop();
    others.stop();
}

#[test]
fn mail_that_waits_is_counted() {
    on_both_engines(|here| {
        here.add_user("ana@example.com", "user").ok();
        // Nobody listens on port 1.
        let here = here.with("CERROJO_MAIL__URL", "smtp://127.0.0.1:1").with("CERROJO_MAIL__FROM", "a@example.com");
        let server = here.serve();
        let asked = json!({ "email": "ana@example.com" });
        assert_eq!(server.request("POST /api/auth/forgot-password", None, Some(&asked)).status, 200);
        let ran = doctor(&here);
        assert_found(&ran, "mail that waits", "ok", ["1 wait, the oldest for 0 min", ""]);
        server.stop();
    });
}

#[test]
fn a_postgresql_that_would_forget_is_a_problem_though_no_node_starts_on_it() {
    let cluster = Cluster::with("-c fsync=off -c full_page_writes=off -c idle_session_timeout=60000");
    let here = installation().with("CERROJO_DATABASE__URL", &cluster.url);
    here.run(&["serve"]).refused(1, "fsync = off");
    let ran = doctor(&here);
    assert_eq!(ran.exit, Some(1), "{ran:?}");
    assert_found(&ran, "durability", "problem", ["fsync = off", "ALTER SYSTEM SET fsync = on"]);
    assert_found(&ran, "timeouts", "warning", ["idle_session_timeout", "ALTER ROLE"]);
    assert_found(&ran, "database clock", "ok", ["0.0 s from", ""]);
}

#[test]
fn a_postgresql_that_cannot_be_reached_is_a_problem_without_its_password() {
    // Nobody listens on port 1.
    let here = installation().with("CERROJO_DATABASE__URL", "postgres://u:geheim@127.0.0.1:1/d");
    let ran = doctor(&here);
    assert_found(&ran, "database", "problem", ["is the server running", "database.url"]);
    assert!(!ran.out.contains("geheim"), "{}", ran.out);
}

#[test]
fn what_nodes_and_failover_need_of_postgresql_is_looked_at() {
    let database = postgres();
    let here = installation()
        .with("CERROJO_DATABASE__URL", &format!("{}&options[synchronous_commit]=off", database.url))
        .with("CERROJO_DATABASE__FAILOVER", "synchronous")
        .with("CERROJO_DATABASE__CONNECTIONS", "900");
    let server = here.serve();
    let ran = doctor(&here);
    assert_found(&ran, "durability", "warning", ["synchronous_commit = off", "ALTER ROLE"]);
    assert_found(&ran, "failover", "problem", ["synchronous_standby_names is empty", "end-all"]);
    assert_found(&ran, "connections", "problem", ["1 nodes with database.connections = 900", "max_connections"]);
    assert_found(&ran, "nodes", "ok", ["1 alive and current", ""]);
    assert_found(&ran, "pooler", "ok", ["none", ""]);
    server.stop();
}

/// A PostgreSQL server of the test's own.
struct Cluster {
    folder: tempfile::TempDir,
    url: String,
}

const TOOL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/postgres-for-tests");

impl Cluster {
    fn with(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let started =
            Command::new(TOOL).arg("start").arg(folder.path().join("pg")).env("POSTGRES_OPTIONS", options).output();
        let started = started.unwrap();
        assert!(started.status.success(), "{started:?}");
        Self { folder, url: String::from_utf8(started.stdout).unwrap().trim().to_owned() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(TOOL).arg("stop").arg(self.folder.path().join("pg")).status();
    }
}
