//! Who is invited, and whose address is confirmed, as an operator has it.

use serde_json::json;

use crate::installation::Installation;

const PASSWORD: &str = "Tormenta-verde-27";

#[test]
fn without_a_mail_server_the_link_is_printed_and_works_once() {
    let here = Installation::new().with("CERROJO_REGISTER__OPEN", "false");
    let ran = here.run(&["user", "invite", "ana@example.com", "--role", "admin", "--name", "Ana Ruiz"]).ok();
    assert!(ran.out.contains("invited ana@example.com as admin, until 20"), "{}", ran.out);
    let (_, code) = ran.out.trim_end().split_once("http://127.0.0.1:4000/accept-invitation?token=").unwrap();
    assert!(code.len() >= 22 && !ran.err.contains(code), "{code}");
    assert!(!here.path("data/outbox").exists() || std::fs::read_dir(here.path("data/outbox")).unwrap().count() == 0);
    let listed = here.run(&["user", "invitations", "--json"]).ok();
    assert_eq!(listed.json()[0]["email"], "ana@example.com");
    assert_eq!(listed.json()[0]["invited_by"], json!(null));
    assert!(!listed.out.contains(code));

    let server = here.serve();
    let body = json!({ "token": code, "password": PASSWORD });
    let accepted = server.request("POST /api/auth/accept-invitation", None, Some(&body));
    assert_eq!((accepted.status, &accepted.body["data"]["role"]), (201, &json!("admin")));
    assert_eq!(server.request("POST /api/auth/accept-invitation", None, Some(&body)).status, 401);
    assert_eq!(server.login("ana@example.com", PASSWORD).status, 200);
    let shown = here.run(&["user", "show", "ana@example.com"]).ok().out;
    assert!(shown.contains("verified      yes\n"), "{shown}");
    // Beside the running server.
    here.run(&["user", "invite", "ana@example.com"]).refused(1, "there is an account of that address already");
    let invited = here.run(&["user", "invite", "eva@example.com"]).ok();
    here.run(&["user", "invite", "EVA@example.com"])
        .refused(1, "`cerrojo user revoke-invitation` takes the invitation back");
    let ran = here.run(&["user", "resend-invitation", "EVA@example.com"]).ok();
    let link = |text: &str| text.split_once("accept-invitation?token=").map(|(_, code)| code.trim_end().to_owned());
    let (first, second) = (link(&invited.out).unwrap(), link(&ran.out).unwrap());
    assert_ne!(first, second);
    let accepts = |code: &str| {
        let body = json!({ "token": code, "name": "Eva", "password": "corta" });
        server.request("POST /api/auth/accept-invitation", None, Some(&body)).body["code"].clone()
    };
    let longer = json!({ "token": first, "name": "Eva", "password": PASSWORD });
    assert_eq!(server.request("POST /api/auth/accept-invitation", None, Some(&longer)).status, 401);
    assert_eq!(accepts(&second), "VALIDATION_ERROR", "the new one is good");
    here.run(&["user", "resend-invitation", "lola@example.com"]).refused(1, "has no invitation that waits");
    let table = here.run(&["user", "invitations"]).ok().out;
    assert!(table.contains("INVITED BY") && table.contains("eva@example.com") && table.contains("operator"), "{table}");
    here.run(&["user", "revoke-invitation", "eva@example.com"]).ok();
    here.run(&["user", "revoke-invitation", "eva@example.com"]).refused(1, "has no invitation that waits");
    here.run(&["user", "invite", "eva@example.com", "--role", "owner"]).refused(2, "there is no role");
    here.run(&["user", "invite", "eva"]).refused(1, "that is no e-mail address");
    assert!(!server.stopped().contains(code), "no code is in the log");
}

#[test]
fn with_a_mail_server_the_mail_waits_for_it_and_no_link_is_printed() {
    let here =
        Installation::new().with("CERROJO_MAIL__URL", "smtp://127.0.0.1:9").with("CERROJO_MAIL__FROM", "a@example.com");
    let ran = here.run(&["user", "invite", "ana@example.com"]).ok();
    assert!(ran.out.contains("the mail leaves with the running server") && !ran.out.contains("token="), "{}", ran.out);
    let waiting = here.run(&["mail", "list", "--json"]).ok().json();
    assert_eq!(waiting[0]["kind"], "invitation");
}

#[test]
fn people_who_have_no_account_yet_are_seen_and_forgotten() {
    let here = Installation::new().with("CERROJO_REGISTER__VERIFICATION", "required");
    let server = here.serve();
    for (email, password) in
        [("ana@example.com", PASSWORD), ("ana@example.com", PASSWORD), ("eva@example.com", PASSWORD)]
    {
        let body = json!({ "name": "Ana\u{1b}[2J", "email": email, "password": password });
        let refused = server.request("POST /api/auth/register", None, Some(&body));
        assert_eq!(refused.status, 400, "no control characters: {}", refused.body);
        let body = json!({ "name": "Ana", "email": email, "password": password });
        assert_eq!(server.request("POST /api/auth/register", None, Some(&body)).status, 202);
    }
    let listed = here.run(&["user", "registrations", "--json"]).ok().json();
    let more: Vec<_> = listed.as_array().unwrap().iter().map(|one| (&one["email"], &one["more_than_once"])).collect();
    assert_eq!(more, [(&json!("eva@example.com"), &json!(false)), (&json!("ana@example.com"), &json!(true))]);
    for command in [["user", "show"], ["user", "data"]] {
        let told = here.run(&[&command[..], &["ana@example.com"]].concat());
        told.refused(1, "there is no user ana@example.com yet: the address was registered at 20");
    }
    here.run(&["user", "forget-registration", "ANA@example.com"]).ok();
    here.run(&["user", "forget-registration", "ana@example.com"]).refused(1, "has no registration that waits");
    here.run(&["user", "show", "ana@example.com"]).refused(1, "there is no user ana@example.com\n");
    let table = here.run(&["user", "registrations"]).ok().out;
    assert!(
        table.contains("MORE THAN ONCE") && table.contains("eva@example.com") && !table.contains("ana@"),
        "{table}"
    );
    server.stop();
}

#[test]
fn a_user_is_shown_by_number_too() {
    let here = Installation::new();
    here.add_user("ana@example.com", "user").ok();
    let by_address = here.run(&["user", "show", "ana@example.com", "--json"]).ok().json();
    let number = by_address["user_id"].to_string();
    assert_eq!(here.run(&["user", "show", &number, "--json"]).ok().json(), by_address);
    here.run(&["user", "show", "99999"]).refused(1, "there is no user 99999");
}

#[test]
fn an_operator_says_whose_address_is_confirmed_and_takes_that_along() {
    let here = Installation::new().with("CERROJO_REGISTER__VERIFICATION", "required");
    let add = ["user", "add", "--email", "ana@example.com", "--name", "Ana", "--email-verified", "--password-stdin"];
    here.run_with_input(&add, &format!("{PASSWORD}\n")).ok();
    here.add_user("eva@example.com", "user").ok();
    let verified = |here: &Installation, email: &str| {
        here.run(&["user", "show", email, "--json"]).ok().json()["email_verified"].as_bool().unwrap()
    };
    assert!(verified(&here, "ana@example.com") && !verified(&here, "eva@example.com"));
    let ran = here.run(&["user", "set-email-verified", "eva@example.com", "true"]).ok();
    assert!(ran.out.contains("nothing ended") && verified(&here, "eva@example.com"), "{}", ran.out);
    here.run(&["user", "set-email-verified", "ana@example.com", "false"]).ok();
    here.run(&["user", "set-email-verified", "ana@example.com", "perhaps"]).refused(2, "perhaps");
    let server = here.serve();
    assert_eq!(server.login("ana@example.com", PASSWORD).status, 200, "whoever is made here has nothing to confirm");
    server.stop();

    for file in ["all.csv", "all.jsonl"] {
        here.run(&["user", "export", file]).ok();
        let there = Installation::new();
        std::fs::copy(here.path(file), there.path(file)).unwrap();
        there.run(&["user", "import", file]).ok();
        assert!(!verified(&there, "ana@example.com") && verified(&there, "eva@example.com"), "{file}");
    }
}

#[test]
fn an_import_understands_how_others_write_that_an_address_was_confirmed() {
    let here = Installation::new();
    let rows = [
        ("a@example.com", "true", Some(true)),
        ("b@example.com", "0", Some(false)),
        ("c@example.com", "2024-02-13 10:00:00", Some(true)),
        ("d@example.com", "", Some(false)),
        ("e@example.com", "\\N", Some(false)),
        ("f@example.com", "f", Some(false)),
        ("g@example.com", "quizá", None),
    ];
    let table = rows.iter().fold("id,email,email_verified_at\n".to_owned(), |table, (email, value, _)| {
        let number = u32::from(email.as_bytes()[0]);
        table + &format!("{number},{email},{value}\n")
    });
    std::fs::write(here.path("users.csv"), table).unwrap();
    let ran = here.run(&["user", "import", "users.csv"]).refused(1, "1 were refused");
    let told = "line 8: g@example.com: whether the address was confirmed is \"quizá\": true, false, or the date on which it was";
    assert!(ran.err.contains(told), "{}", ran.err);
    let there = here.run(&["user", "list", "--json"]).ok().json();
    for (email, _, verified) in rows {
        let found = there.as_array().unwrap().iter().find(|user| user["email"] == email);
        assert_eq!(found.map(|user| user["email_verified"].as_bool().unwrap()), verified, "{email}");
    }
}

#[test]
fn what_nobody_could_confirm_is_warned_of() {
    let here = Installation::new().with("CERROJO_REGISTER__VERIFICATION", "required");
    let ran = here.run(&["config", "check"]).ok();
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("register.verification is required, and mail.url is not set"), "{said}");
    let here = here.with("CERROJO_REGISTER__VERIFICATION", "always");
    here.run(&["config", "check"]).refused(1, "expects off, notify or required");
    let here = Installation::new().with("CERROJO_MAIL__VERIFY_LINK", "https://app.example.com/confirm");
    here.run(&["config", "check"]).refused(1, "mail.verify_link");
}
