//! The audit trail, as an operator has it.

use serde_json::{Value, json};

use crate::installation::{Installation, Ran};

const ANA: &str = "ana@example.com";

/// An installation in which Ana signed in twice, and the operator ended the first of these sessions. Its id.
fn lived_in() -> (Installation, String) {
    let here = Installation::new();
    here.add_user(ANA, "admin").ok();
    let server = here.serve();
    server.token(ANA);
    let session =
        here.run(&["session", "list", "--user", ANA, "--json"]).ok().json()[0]["id"].as_str().unwrap().to_owned();
    server.token(ANA);
    let formula = json!({ "email": ANA, "password": "wrong" });
    assert_eq!(server.request("POST /api/auth/login", None, Some(&formula)).status, 401);
    here.run(&["session", "end", &session]).ok();
    let log = server.stopped();
    assert!(log.contains("the audit trail is at this entry") && log.contains("audit.position="), "{log}");
    (here, session)
}

fn kinds(ran: &Ran) -> Vec<String> {
    ran.json().as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_answers_who_ended_this_session() {
    let (here, session) = lived_in();
    let listed = here.run(&["audit", "list", "--session", &session, "--json"]).ok();
    assert_eq!(kinds(&listed), ["session.ended", "session.began"]);
    let ended = &listed.json()[0];
    assert_eq!(
        (&ended["by"], &ended["details"], &ended["sealed"]),
        (&json!("operator"), &json!({ "reason": "operator" }), &json!(true))
    );
    let table = here.run(&["audit", "list", "--session", &session]).ok().out;
    assert!(table.starts_with("POSITION  TIME") && table.contains("reason=operator"), "{table}");

    assert_eq!(
        kinds(&here.run(&["audit", "list", "--kind", "sign_in", "--since", "1h", "--json"]).ok()),
        ["sign_in.failed"]
    );
    let few = here.run(&["audit", "list", "--user", ANA, "--limit", "2", "--json"]).ok();
    let (_, hint) = few.err.split_once("--before ").expect("what to ask for to see older ones");
    let before = hint.split(' ').next().unwrap();
    let older = here.run(&["audit", "list", "--user", ANA, "--before", before, "--json"]).ok();
    assert_eq!(few.json().as_array().unwrap().len(), 2);
    assert_eq!(kinds(&older).last().map(String::as_str), Some("account.created"));
    let started = here.run(&["audit", "list", "--kind", "server.started", "--by", "server", "--json"]).ok().json();
    assert!(started[0]["details"]["about"].as_str().unwrap().contains("127.0.0.1"), "{started}");
    here.run(&["audit", "list", "--user", "eva@example.com"]).refused(1, "of one that was deleted give the number");
    here.run(&["audit", "list", "--kind", "sess"]).refused(2, "sess");
    here.run(&["audit", "list", "--since", "yesterday"]).refused(2, "so long ago");
    here.run(&["audit", "list", "--address", "x"]).refused(2, "--address");
}

#[test]
fn it_is_verified_beside_the_server_and_tells_where_it_was_changed() {
    let (here, session) = lived_in();
    let server = here.serve();
    let noted = here.run(&["audit", "head"]).ok().out.trim_end().to_owned();
    let verified = here.run(&["audit", "verify", "--head", &noted]).ok().out;
    assert!(verified.contains("the chain holds") && verified.contains("\nhead "), "{verified}");
    here.run(&["audit", "verify", "--head", "7"]).refused(2, "POSITION:MAC");
    let later = format!("99999:{}", noted.split_once(':').unwrap().1);
    here.run(&["audit", "verify", "--head", &later])
        .refused(1, "position 99999: the entry given with --head is behind the end");
    server.stop();

    let entry =
        here.run(&["audit", "list", "--session", &session, "--json"]).ok().json()[0]["position"].as_i64().unwrap();
    let file = format!("sqlite:{}", here.path("data/cerrojo.db").display());
    let change = format!("UPDATE audit SET actor = 'server' WHERE position = {entry}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(cerrojo_store::testing::execute(&file, change));
    let told = here.run(&["audit", "verify"]).refused(1, "the audit trail does not hold: 1 fault");
    assert!(told.err.contains(&format!("position {entry}: the entry is not what a server wrote there")), "{told:?}");
}

#[test]
fn it_is_taken_elsewhere_whole_and_without_formulas() {
    let (here, _) = lived_in();
    here.run(&["audit", "export", "audit.jsonl"]).ok();
    let lines = std::fs::read_to_string(here.path("audit.jsonl")).unwrap();
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries[0]["position"], 1);
    assert!(entries.iter().zip(1..).all(|(entry, position)| entry["position"] == position), "the oldest first");
    let out = here.run(&["audit", "export"]).ok().out;
    assert_eq!(out, lines, "standard output if no file is said, and the same again");
    here.run(&["audit", "export", "audit.csv", "--since", "1h"]).ok();
    let csv = std::fs::read_to_string(here.path("audit.csv")).unwrap();
    assert!(csv.starts_with("id,sealed,position,at,kind,by,"), "{csv}");
    assert_eq!(csv.lines().count(), entries.len() + 1);
    here.run(&["audit", "export", "audit.csv"]).refused(1, "audit.csv");
    here.run(&["audit", "export", "audit.txt"]).refused(2, "--format");
    assert_eq!(here.run(&["audit", "export", "--until", "2020-01-01"]).ok().out, "");
}

#[test]
fn a_restored_copy_has_a_whole_trail_and_not_the_later_entries() {
    let (here, _) = lived_in();
    here.run(&["db", "backup", "copy.db"]).ok();
    let server = here.serve();
    server.token(ANA);
    server.stop();
    let noted = here.run(&["audit", "head"]).ok().out.trim_end().to_owned();
    here.run(&["db", "restore", "copy.db", "--yes"]).ok();
    let server = here.serve();
    server.stop();
    let verified = here.run(&["audit", "verify"]).ok().out;
    assert!(verified.contains("the chain holds"), "{verified}");
    let over = here.run(&["audit", "list", "--kind", "session.everything_ended", "--json"]).ok().json();
    assert_eq!((&over[0]["by"], &over[0]["details"]), (&json!("operator"), &json!({ "reason": "restored" })));
    assert_eq!(here.run(&["audit", "verify", "--head", &noted]).exit, Some(1), "that state is not this one's past");
}

#[test]
fn exports_of_people_are_in_it() {
    let (here, _) = lived_in();
    let data = here.run(&["user", "data", ANA]).ok().json();
    assert_eq!(data["audit"][0]["kind"], "data.exported");
    here.run(&["user", "export", "all.jsonl"]).ok();
    let listed = here.run(&["audit", "list", "--kind", "data", "--json"]).ok().json();
    assert_eq!((&listed[0]["details"], &listed[0]["sealed"]), (&json!({ "all": true }), &json!(false)));
    assert_eq!((&listed[1]["by"], &listed[1]["user_id"]), (&json!("operator"), &data["user"]["user_id"]));
    let verified = here.run(&["audit", "verify"]).ok().out;
    assert!(verified.contains("2 more are not in the chain yet"), "{verified}");
}
