//! Commands beside a running server, and without one.

use rustix::process::Signal;
use serde_json::json;

use crate::installation::{Installation, PASSWORD};

const ANA: &str = "ana@example.com";
const ROOT: &str = "root@example.com";

#[test]
fn users_are_added_before_the_first_start_and_beside_the_server() {
    let here = Installation::new();
    here.add_user("  ANA@Example.com ", "admin").ok();
    let server = here.serve();
    server.token(ANA);
    here.add_user("eva@example.com", "user").ok();
    server.token("eva@example.com");
    here.add_user(ANA, "user").refused(1, "another user has that e-mail address");
    let users = here.run(&["user", "list", "--json"]).ok().json();
    let emails: Vec<_> = users.as_array().unwrap().iter().map(|user| user["email"].clone()).collect();
    assert_eq!(emails, [json!("eva@example.com"), json!(ANA)]);
    assert!(here.run(&["user", "list"]).ok().out.contains("eva@example.com"));
    assert_eq!(here.run(&["user", "show", ANA, "--json"]).ok().json()["role_name"], "admin");
    here.run(&["user", "show", "nobody@example.com"]).refused(1, "there is no user nobody@example.com");
}

#[test]
fn a_session_that_the_operator_ends_is_dead_when_the_command_is_done() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (one, other, third) = (server.token(ANA), server.token(ANA), server.token(ANA));
    let listed = here.run(&["session", "list", "--user", ANA, "--json"]).ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let newest = listed[0]["id"].as_str().unwrap();
    here.run(&["session", "end", newest]).ok();
    assert_eq!([server.verify(&one), server.verify(&other), server.verify(&third)], [200, 200, 401]);
    here.run(&["session", "end", newest]).refused(1, "no live session");
    here.run(&["session", "end", "--user", ANA]).ok();
    assert_eq!([server.verify(&one), server.verify(&other)], [401, 401]);
    let ended = here.run(&["session", "list", "--user", ANA, "--ended", "--json"]).ok().json();
    assert_eq!(ended.as_array().unwrap().len(), 3);
    assert!(ended.as_array().unwrap().iter().all(|row| row["ended_by"] == "operator"), "{ended}");
    let after = server.token(ANA);
    here.run(&["session", "end", "--everyone"]).refused(2, "--yes");
    assert_eq!(server.verify(&after), 200);
    here.run(&["session", "end", "--everyone", "--yes"]).ok();
    assert_eq!(server.verify(&after), 401);
    server.token(ANA);
}

/// In another working directory than the server's there is nothing to change, and nothing is made that would look like it.
#[test]
fn what_changes_a_database_needs_one() {
    let here = Installation::new();
    for arguments in [
        &["session", "end", "--everyone", "--yes"][..],
        &["session", "end", "--user", ANA],
        &["user", "set-status", ANA, "inactive"],
        &["user", "delete", ANA, "--yes"],
        &["key", "rotate"],
        &["key", "retire", "k1", "--yes"],
        &["service", "add", "orders"],
        &["service", "remove", "orders", "--yes"],
    ] {
        here.run(arguments).refused(1, "there is no database at");
    }
    here.run(&["user", "list"]).refused(1, "there is no database at");
}

#[test]
fn a_session_that_has_expired_is_not_listed_as_live() {
    let here = Installation::new().with("CERROJO_TOKEN__TTL", "2s");
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let token = server.token(ANA);
    while server.verify(&token) == 200 {}
    let listed = || here.run(&["session", "list", "--user", ANA, "--json"]).ok().json();
    assert_eq!(listed(), json!([]));
    server.stop();
    assert_eq!(listed(), json!([]));
}

#[test]
fn a_change_by_the_operator_ends_every_session_of_the_user() {
    let here = Installation::new();
    here.add_user(ROOT, "admin").ok();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let bystander = server.token(ROOT);
    let token = server.token(ANA);
    here.run(&["user", "set-status", ANA, "active"]).ok();
    assert_eq!(server.verify(&token), 200, "an equal value ends nothing");
    here.run(&["user", "set-role", ANA, "admin"]).ok();
    assert_eq!(server.verify(&token), 401);
    let token = server.token(ANA);
    here.run(&["user", "set-status", ANA, "suspended"]).ok();
    assert_eq!(server.verify(&token), 401);
    assert_eq!(server.login(ANA, PASSWORD).status, 401);
    here.run(&["user", "set-status", ANA, "active"]).ok();
    let token = server.token(ANA);
    here.run_with_input(&["user", "set-password", ANA, "--password-stdin"], "another long passphrase\n").ok();
    assert_eq!(server.verify(&token), 401);
    assert_eq!(server.login(ANA, PASSWORD).status, 401);
    assert_eq!(server.login(ANA, "another long passphrase").status, 200);
    let token = server.login(ANA, "another long passphrase").body["data"]["token"].as_str().unwrap().to_owned();
    assert_eq!(server.verify(&token), 200);
    here.run(&["user", "force-reset", ANA]).refused(2, "--yes");
    assert_eq!(server.verify(&token), 200, "nothing is done that nobody confirmed");
    let said = here.run(&["user", "force-reset", ANA, "--yes"]).ok().out;
    assert!(said.contains("every session is over; no mail leaves"), "{said}");
    assert_eq!(server.verify(&token), 401);
    assert_eq!(server.login(ANA, "another long passphrase").status, 401);
    here.run(&["user", "delete", ANA]).refused(2, "--yes");
    here.run(&["user", "delete", ANA, "--yes"]).ok();
    assert_eq!(server.login(ANA, "another long passphrase").status, 401);
    here.run(&["user", "delete", ROOT, "--yes"]).refused(1, "last active administrator");
    assert_eq!(server.verify(&bystander), 200);
}

#[test]
fn users_are_looked_for_and_sorted() {
    let here = Installation::new();
    here.add_user(ROOT, "admin").ok();
    here.add_user(ANA, "user").ok();
    let found = |arguments: &[&str]| -> Vec<String> {
        let listed = here.run(&[&["user", "list", "--json"], arguments].concat()).ok().json();
        listed.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found(&[]), [ANA, ROOT]);
    assert_eq!(found(&["--sort", "registered_at"]), [ROOT, ANA]);
    assert_eq!(found(&["--sort=-email"]).len(), 2);
    assert_eq!(found(&["--search", &ANA.to_uppercase()]), [ANA]);
    assert_eq!(found(&["--search", "%"]), Vec::<String>::new());
    assert_eq!(found(&["--role", "admin", "--status", "active"]), [ROOT]);
    assert_eq!(found(&["--limit", "1", "--sort", "registered_at"]), [ROOT]);
    let ran = here.run(&["user", "list", "--limit", "1"]);
    assert!(ran.err.contains("These are the first 1; there are more."), "{}", ran.err);
    assert_eq!(ran.ok().out.lines().count(), 2);
    assert!(!here.run(&["user", "list", "--limit", "2"]).err.contains("there are more"));
    here.run(&["user", "list", "--limit", "10001"]).refused(2, "10001");
    here.run(&["user", "list", "--sort", "password"]).refused(2, "registered_at, name or email");
    here.run(&["user", "list", "--status", "asleep"]).refused(2, "active, inactive or suspended");
    here.run(&["user", "list", "--role", "nobody"]).refused(2, "there is no role");
    here.run(&["user", "list", "--search", &"a".repeat(201)]).refused(2, "200 characters");
}

#[test]
fn what_is_no_password_or_status_is_refused() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let set = ["user", "set-password", ANA, "--password-stdin"];
    here.run_with_input(&set, "").refused(1, "no password");
    here.run_with_input(&set, "one line\nand another\n").refused(1, "more than one line");
    here.run_with_input(&set, "short\n").refused(1, "fewer than 8");
    here.run_with_input(&set, "password1\n").refused(1, "too common");
    here.run(&["user", "set-status", ANA, "asleep"]).refused(1, "active, inactive or suspended");
    here.run(&["user", "set-role", ANA, "king"]).refused(2, "king");
}

#[test]
fn commands_without_a_server_are_remembered_by_the_next_one() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let (one, other) = (server.token(ANA), server.token(ANA));
    let id = here.run(&["session", "list", "--user", ANA, "--json"]).ok().json()[0]["id"].as_str().unwrap().to_owned();
    server.stop();
    here.run(&["session", "end", &id]).ok();
    let server = here.serve();
    assert_eq!([server.verify(&one), server.verify(&other)], [200, 401]);
}

#[test]
fn commands_take_turns() {
    let here = Installation::new();
    here.add_user(ROOT, "admin").ok();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let here = &here;
            scope.spawn(move || here.add_user(&format!("user{number}@example.com"), "user").ok());
        }
    });
    assert_eq!(here.run(&["user", "list", "--json"]).ok().json().as_array().unwrap().len(), 5);
    here.run(&["db", "check"]).ok();
}

#[test]
fn a_server_that_does_not_confirm_makes_the_command_say_so() {
    let here = Installation::new();
    here.add_user(ANA, "user").ok();
    let server = here.serve();
    let token = server.token(ANA);
    server.signal(Signal::STOP);
    let ran = here.run(&["session", "end", "--user", ANA]);
    server.signal(Signal::CONT);
    ran.refused(3, "has not confirmed");
    // It is in the log: whatever asks for the log to be known waits until the server knows it.
    here.add_user("eva@example.com", "user").ok();
    let eva = server.token("eva@example.com");
    here.run(&["session", "end", "--user", "eva@example.com"]).ok();
    assert_eq!([server.verify(&token), server.verify(&eva)], [401, 401]);
}

#[test]
fn looking_needs_a_database() {
    let here = Installation::new();
    for arguments in [&["user", "list"][..], &["key", "list"], &["db", "check"], &["db", "backup", "x.db"]] {
        here.run(arguments).refused(1, "there is no database");
    }
    assert!(!here.path("data/cerrojo.db").exists());
    here.run(&["db", "migrate"]).ok();
    assert!(here.run(&["db", "migrate"]).ok().out.contains("up to date"));
}
