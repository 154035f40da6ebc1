//! Mail, as an operator looks at it.

use std::net::TcpListener;

use serde_json::json;

use crate::installation::Installation;

/// A port of this machine that nobody listens on.
fn nobody_listens() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("smtp://127.0.0.1:{port}")
}

#[test]
fn a_message_is_sent_by_the_settings_as_they_are() {
    let here = Installation::new();
    let ran = here.run(&["mail", "test", "ana@example.com"]).ok();
    assert!(ran.out.contains("written into data/outbox: no mail leaves as long as mail.url is not set"), "{}", ran.out);
    let files: Vec<_> = std::fs::read_dir(here.path("data/outbox")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let written = std::fs::read_to_string(&files[0]).unwrap();
    assert!(written.contains("To: ana@example.com") && written.contains("Correo de prueba"), "{written}");
    assert!(!here.path("data/cerrojo.db").exists(), "no database is needed");
    here.run(&["mail", "test", "nobody"]).refused(2, "nobody is no e-mail address");
    let here = here.with("CERROJO_MAIL__URL", &nobody_listens()).with("CERROJO_MAIL__FROM", "a@example.com");
    here.run(&["mail", "test", "ana@example.com"]).refused(1, "the mail server did not take it");
}

#[test]
fn what_waits_is_listed_with_what_went_wrong() {
    let here =
        Installation::new().with("CERROJO_MAIL__FROM", "a@example.com").with("CERROJO_MAIL__URL", &nobody_listens());
    here.add_user("ana@example.com", "user").ok();
    let server = here.serve();
    let asked = json!({ "email": "ana@example.com" });
    assert_eq!(server.request("POST /api/auth/forgot-password", None, Some(&asked)).status, 200);
    let listed = || here.run(&["mail", "list", "--json"]).ok().json();
    // The server tries by itself; how soon is its own affair.
    let tried = (0..600).map(|_| listed()).find(|listed| !listed[0]["last_error"].is_null());
    let job = tried.expect("it was tried")[0].clone();
    assert_eq!((&job["kind"], &job["attempts"], &job["delivered_at"]), (&json!("reset"), &json!(1), &json!(null)));
    let table = here.run(&["mail", "list"]).ok().out;
    assert!(table.contains("LAST ERROR") && table.contains(job["last_error"].as_str().unwrap()), "{table}");
    server.stop();
}

#[test]
fn what_was_delivered_is_listed_if_asked_for() {
    let here = Installation::new();
    here.add_user("ana@example.com", "user").ok();
    let server = here.serve();
    let asked = json!({ "email": "ana@example.com" });
    assert_eq!(server.request("POST /api/auth/forgot-password", None, Some(&asked)).status, 200);
    let listed = || here.run(&["mail", "list", "--all", "--json"]).ok().json();
    let delivered = (0..600).map(|_| listed()).find(|listed| listed[0]["delivered_at"].is_string());
    let job = delivered.expect("it was delivered")[0].clone();
    assert_eq!((&job["user_id"], &job["next_at"], &job["last_error"]), (&json!(1), &json!(null), &json!(null)));
    assert_eq!(here.run(&["mail", "list", "--json"]).ok().json(), json!([]));
    server.stop();
}

#[test]
fn letters_can_be_looked_at() {
    let here = Installation::new().with("CERROJO_LOCALE__DEFAULT", "en");
    let text = here.run(&["mail", "preview", "reset"]).ok().out;
    assert!(text.starts_with("Reset your password\n\n") && text.contains("token=only-a-preview"), "{text}");
    for letter in ["reset", "password-changed", "email-changed"] {
        let page = here.run(&["mail", "preview", letter, "--html"]).ok().out;
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("lang=\"en\""), "{page}");
    }
    here.run(&["mail", "preview", "greeting"]).refused(2, "password-changed");
}
