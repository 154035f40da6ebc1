//! "It was not me", and a changed address that is changed back: what the links in notices do, and what nobody else can do with them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::{Reauthentication, Verification};
use cerrojo_testkit::browser::{Browser, form, moved, says, text};
use cerrojo_testkit::{
    Actor, OTHER_PASSWORD, Options, PASSWORD, SentMail, TestApp, on_both_engines, on_both_engines_with,
};
use serde_json::json;

const DAY: Duration = Duration::from_hours(24);
const OF_NEW_DEVICE: &str = "Nuevo inicio de sesión en tu cuenta";
const OF_CHANGE: &str = "El email de tu cuenta ha cambiado";

/// The newest mail of this subject to this address.
async fn mail(app: &TestApp, (to, subject): (&str, &str)) -> SentMail {
    let mails = app.mails().await;
    mails.into_iter().rev().find(|mail| mail.to == to && mail.subject == subject).unwrap()
}

/// The path of the link in it.
fn link(mail: &SentMail, page: &str) -> String {
    let path = format!("/{page}?token={}", mail.reset_code());
    for part in [&mail.text, &mail.html] {
        assert!(part.contains(&format!("{}{path}", cerrojo_testkit::PUBLIC_URL)), "{part}");
    }
    path
}

/// Somebody who knows Ana's password signs in; the link that she gets.
async fn intruder_of(app: &TestApp, ana: &Actor) -> (Actor, String) {
    let intruder = ana.at("203.0.113.66").another_session().await;
    let notice = mail(app, (&ana.email, OF_NEW_DEVICE)).await;
    (intruder, link(&notice, "not-me"))
}

/// Opens a link, presses its button, and sets a password where that leads.
async fn press(app: &TestApp, link: &str, (wanted, password): (&str, &str)) {
    let mut browser = Browser::of(app);
    let page = browser.get(link).await;
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    says(&text(&page), wanted);
    let (path, code) = link.split_once("?token=").unwrap();
    let reply = browser.send(path, &[("token", code)]).await;
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let (place, page) = browser.follow(moved(&reply)).await;
    assert!(place.starts_with("/reset-password?token="), "{place}");
    says(&page, "Nobody else can get in");
    let (_, code) = place.split_once("token=").unwrap();
    let (place, _) = browser.send_and_follow("/reset-password", &[("token", code), ("newPassword", password)]).await;
    assert_eq!(place, "/done");
}

async fn assert_works_no_more(app: &TestApp, link: &str) {
    let mut browser = Browser::of(app);
    let page = browser.get(link).await;
    assert_eq!(page.status, 401, "{page}");
    says(&text(&page), "This link works no more");
    let (path, code) = link.split_once("?token=").unwrap();
    let reply = browser.send(path, &[("token", code)]).await;
    assert_eq!(reply.status, 401, "{reply}");
}

async fn change_address(who: &Actor, to: &str) -> Actor {
    let reply = who.put("/api/auth/profile", json!({ "email": to, "currentPassword": PASSWORD })).await;
    assert_eq!(reply.status, 200, "{reply}");
    let mut changed = who.clone();
    to.clone_into(&mut changed.email);
    changed
}

fn notify(options: &mut Options) {
    options.settings.verification = Verification::Notify;
}

/// Somebody whose address is confirmed.
async fn confirmed(app: &TestApp, name: &str) -> Actor {
    let person = app.user(name).await;
    let token = app.link_code(&person.email).await;
    assert_eq!(app.visitor().post("/api/auth/verify-email", json!({ "token": token })).await.status, 200);
    person
}

#[tokio::test]
async fn this_was_not_me_ends_everything_and_begins_a_reset() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (intruder, link) = intruder_of(&app, &ana).await;
        let looked = Browser::of(&app).get(&link).await;
        assert_eq!(looked.status, 200);
        assert!(ana.is_in().await && intruder.is_in().await, "a scanner that looks at the link does nothing");

        let (_, code) = link.split_once("?token=").unwrap();
        let mut browser = Browser::of(&app);
        let (place, _) = browser.send_and_follow("/not-me", &[("token", code)]).await;
        assert!(!ana.is_in().await && !intruder.is_in().await, "every session is over at once");
        let reply = intruder.try_login(&ana.email, PASSWORD).await;
        assert_eq!(reply.status, 401, "what the intruder knows is worth nothing before there is another: {reply}");
        let (_, reset) = place.split_once("token=").unwrap();
        let fields = [("token", reset), ("newPassword", OTHER_PASSWORD)];
        assert_eq!(browser.send_and_follow("/reset-password", &fields).await.0, "/done");
        assert!(ana.signed_in_with(OTHER_PASSWORD).await.is_in().await);
        assert_works_no_more(&app, &link).await;

        let before = app.mails().await.len();
        intruder.try_login(&ana.email, OTHER_PASSWORD).await;
        assert_eq!(app.mails().await.len(), before + 1, "from where the intruder came is news again");
    })
    .await;
}

#[tokio::test]
async fn the_trail_says_that_the_account_was_taken_back() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (_, link) = intruder_of(&app, &ana).await;
        press(&app, &link, ("Was it not you?", OTHER_PASSWORD)).await;
        let admin = app.admin().await;
        app.tick().await;
        let path = format!("/api/admin/audit?user={}&kind=account.taken_back", ana.id);
        let reply = admin.get(&path).await;
        assert_eq!(reply.status, 200, "{reply}");
        let entries = reply.data()["entries"].as_array().unwrap().clone();
        assert_eq!(entries.len(), 1, "{reply}");
        assert_eq!(entries[0]["details"]["notice"], "not_me");
    })
    .await;
}

#[tokio::test]
async fn it_works_also_after_the_intruder_changed_the_password_and_asked_for_more_links() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (intruder, link) = intruder_of(&app, &ana).await;
        let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        assert_eq!(intruder.put("/api/auth/password", body).await.status, 200);
        ana.at("203.0.200.1").signed_in_with(OTHER_PASSWORD).await;
        app.mails().await;
        press(&app, &link, ("Was it not you?", "una tercera contraseña 9")).await;
        assert!(!intruder.is_in().await);
        assert_eq!(ana.try_login(&ana.email, OTHER_PASSWORD).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn the_link_ends_with_its_time_the_account_and_the_address() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let (_, link) = intruder_of(&app, &ana).await;
        let moved_on = change_address(&ana, "ana@example.org").await;
        assert_works_no_more(&app, &link).await;
        assert!(moved_on.is_in().await, "who reads the mail of before is not asked any more");

        let eva = app.user("eva").await;
        let (_, link) = intruder_of(&app, &eva).await;
        let admin = app.admin().await;
        let suspended = json!({ "status": "suspended" });
        assert_eq!(admin.put(&format!("/api/admin/users/{}", eva.id), suspended).await.status, 200);
        assert_works_no_more(&app, &link).await;

        let leo = app.user("leo").await;
        let (_, link) = intruder_of(&app, &leo).await;
        app.clock.advance(7 * DAY);
        assert_works_no_more(&app, &link).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_is_good_for_what_it_was_mailed_for_alone() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let (_, not_me) = intruder_of(&app, &ana).await;
        let code = not_me.split_once("token=").unwrap().1;
        let body = json!({ "token": code, "newPassword": OTHER_PASSWORD });
        assert_eq!(app.visitor().post("/api/auth/reset-password", body).await.status, 401);
        assert_eq!(app.visitor().post("/api/auth/verify-email", json!({ "token": code })).await.status, 401);
        assert_works_no_more(&app, &format!("/undo-email?token={code}")).await;
        let reset = app.reset_code(&ana.email).await;
        assert_works_no_more(&app, &format!("/not-me?token={reset}")).await;
        for odd in ["", "x", &"a".repeat(43), "%00", "../../x"] {
            assert_works_no_more(&app, &format!("/not-me?token={odd}")).await;
        }
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_changed_address_is_undone_from_the_old_one() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let intruder = ana.at("203.0.113.66").another_session().await;
        let intruder = change_address(&intruder, "mala@example.org").await;
        let first = link(&mail(&app, ("ana@example.com", OF_CHANGE)).await, "undo-email");
        // Neither another change nor another password, nor a change to and fro, makes the first link worth nothing.
        let token = app.link_code("mala@example.org").await;
        app.visitor().post("/api/auth/verify-email", json!({ "token": token })).await;
        let intruder = change_address(&intruder, "peor@example.org").await;
        let of_intruder = link(&mail(&app, ("mala@example.org", OF_CHANGE)).await, "undo-email");
        let body = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        assert_eq!(intruder.put("/api/auth/password", body).await.status, 200);

        press(&app, &first, ("ana@example.com", "una tercera contraseña 9")).await;
        assert!(!intruder.is_in().await);
        assert_eq!(app.visitor().try_login("peor@example.org", OTHER_PASSWORD).await.status, 401);
        let back = ana.signed_in_with("una tercera contraseña 9").await;
        let profile = back.get("/api/auth/profile").await.data();
        assert_eq!(profile["user"]["email"], "ana@example.com");
        assert_eq!(profile["user"]["email_verified"], true);
        let told = mail(&app, ("peor@example.org", OF_CHANGE)).await;
        assert!(!told.text.contains("token="), "who is told of the undoing cannot undo that: {}", told.text);
        assert_works_no_more(&app, &of_intruder).await;
        assert_works_no_more(&app, &first).await;
        assert!(back.is_in().await);
    })
    .await;
}

/// The link in the newest notice that this address is no longer the account's.
async fn undo_link(app: &TestApp, email: &str) -> String {
    link(&mail(app, (email, OF_CHANGE)).await, "undo-email")
}

async fn confirm(app: &TestApp, email: &str) {
    let token = app.link_code(email).await;
    assert_eq!(app.visitor().post("/api/auth/verify-email", json!({ "token": token })).await.status, 200);
}

#[tokio::test]
async fn an_intruders_own_links_make_no_end_of_the_owners() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let intruder = change_address(&ana.at("203.0.113.66").another_session().await, "mala@example.org").await;
        let owners = undo_link(&app, "ana@example.com").await;
        // «It was not me», read in the intruder's mailbox.
        let intruder = intruder.at("198.51.100.7").another_session().await;
        let own = link(&mail(&app, ("mala@example.org", OF_NEW_DEVICE)).await, "not-me");
        press(&app, &own, ("Was it not you?", OTHER_PASSWORD)).await;
        // And the undoing of a further change.
        let mut intruder = intruder.signed_in_with(OTHER_PASSWORD).await;
        intruder.put("/api/auth/profile", json!({ "email": "peor@example.org" })).await;
        let own = undo_link(&app, "mala@example.org").await;
        press(&app, &own, ("mala@example.org", PASSWORD)).await;
        intruder.email = "mala@example.org".to_owned();
        let intruder = intruder.signed_in_with(PASSWORD).await;
        assert!(intruder.is_in().await);

        press(&app, &owners, ("ana@example.com", "una tercera contraseña 9")).await;
        assert!(!intruder.is_in().await);
        assert!(ana.signed_in_with("una tercera contraseña 9").await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn once_the_owner_has_shown_the_address_the_intruders_links_are_worth_nothing() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let intruder = change_address(&ana.at("203.0.113.66").another_session().await, "mala@example.org").await;
        app.mails().await;
        confirm(&app, "mala@example.org").await;
        let intruder = change_address(&intruder, "ana@example.com").await;
        let trap = undo_link(&app, "mala@example.org").await;
        let body = json!({ "token": app.reset_code("ana@example.com").await, "newPassword": OTHER_PASSWORD });
        assert_eq!(app.visitor().post("/api/auth/reset-password", body).await.status, 200);
        assert!(!intruder.is_in().await);
        assert_works_no_more(&app, &trap).await;
        assert!(ana.signed_in_with(OTHER_PASSWORD).await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn changing_to_and_fro_takes_nothing_from_the_owner() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let intruder = ana.at("203.0.113.66").another_session().await;
        // No mail leaves in between: what a notice says is decided when it does.
        let intruder = change_address(&intruder, "mala@example.org").await;
        let intruder = change_address(&intruder, "ana@example.com").await;
        let profile = intruder.get("/api/auth/profile").await.data();
        assert_eq!(profile["user"]["email_verified"], true, "it was confirmed before");
        let intruder = change_address(&intruder, "peor@example.org").await;
        press(&app, &undo_link(&app, "ana@example.com").await, ("ana@example.com", OTHER_PASSWORD)).await;
        assert!(!intruder.is_in().await);
        assert!(ana.signed_in_with(OTHER_PASSWORD).await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn mail_that_leaves_late_has_no_link_for_who_was_put_out_meanwhile() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let intruder = change_address(&ana.at("203.0.113.66").another_session().await, "mala@example.org").await;
        let owners = undo_link(&app, "ana@example.com").await;
        confirm(&app, "mala@example.org").await;
        app.mailbox.go_down();
        change_address(&intruder, "peor@example.org").await;
        app.mails().await;
        press(&app, &owners, ("ana@example.com", OTHER_PASSWORD)).await;
        app.mailbox.come_back();
        app.clock.advance(Duration::from_mins(2));
        let told = mail(&app, ("mala@example.org", OF_CHANGE)).await;
        assert!(!told.text.contains("token="), "{}", told.text);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_was_never_confirmed_or_that_an_administrator_changed_is_not_given_back() {
    on_both_engines_with(notify, async |app| {
        let ana = app.user("ana").await;
        change_address(&ana, "ana@example.org").await;
        let told = mail(&app, ("ana@example.com", OF_CHANGE)).await;
        assert!(!told.text.contains("token="), "it may have been typed wrong: {}", told.text);

        let eva = confirmed(&app, "eva").await;
        let eva = change_address(&eva, "eva@example.org").await;
        let link = link(&mail(&app, ("eva@example.com", OF_CHANGE)).await, "undo-email");
        let admin = app.admin().await;
        let path = format!("/api/admin/users/{}", eva.id);
        assert_eq!(admin.put(&path, json!({ "email": "eva@example.net" })).await.status, 200);
        let told = mail(&app, ("eva@example.org", OF_CHANGE)).await;
        assert!(!told.text.contains("token="), "{}", told.text);
        assert_works_no_more(&app, &link).await;
    })
    .await;
}

#[tokio::test]
async fn nobody_takes_the_old_address_while_it_can_be_had_back() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let changed = change_address(&ana, "ana@example.org").await;
        let taken = json!({ "name": "mala", "email": "ana@example.com", "password": PASSWORD });
        assert_eq!(app.visitor().post("/api/auth/register", taken.clone()).await.status, 409);
        let mala = app.user("mala").await;
        let reply = mala.put("/api/auth/profile", json!({ "email": "ana@example.com" })).await;
        assert_eq!(reply.status, 409, "{reply}");
        let mine = changed.get("/api/auth/profile/data").await.data();
        assert_eq!(mine["held_emails"][0]["email"], "ana@example.com");
        let back = change_address(&changed, "ana@example.com").await;
        assert!(back.is_in().await, "oneself may have it back at any time");
        change_address(&back, "ana@example.org").await;
        app.clock.advance(7 * DAY);
        assert_eq!(app.visitor().post("/api/auth/register", taken).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn it_is_not_undone_after_a_week_or_where_somebody_else_was_given_the_address() {
    on_both_engines_with(notify, async |app| {
        let ana = confirmed(&app, "ana").await;
        let changed = change_address(&ana, "ana@example.org").await;
        let undo = link(&mail(&app, ("ana@example.com", OF_CHANGE)).await, "undo-email");
        let (admin, other) = (app.admin().await, app.user("eva").await);
        let path = format!("/api/admin/users/{}", other.id);
        assert_eq!(admin.put(&path, json!({ "email": "ana@example.com" })).await.status, 200);
        let (path, code) = undo.split_once("?token=").unwrap();
        let reply = Browser::of(&app).send(path, &[("token", code)]).await;
        assert_eq!(reply.status, 409, "{reply}");
        says(&text(&reply), "Another account has this address now.");
        assert!(changed.is_in().await);
        app.clock.advance(7 * DAY);
        assert_works_no_more(&app, &undo).await;
    })
    .await;
}

#[tokio::test]
async fn a_confirmed_change_can_be_undone_as_well() {
    let required = |options: &mut Options| {
        options.settings.verification = Verification::Required;
        options.settings.reauthentication = Reauthentication::Required;
    };
    on_both_engines_with(required, async |app| {
        let admin = app.admin().await;
        let added = admin.post("/api/admin/invitations", json!({ "email": "ana@example.com", "name": "ana" })).await;
        assert_eq!(added.status, 201, "{added}");
        let token = app.link_code("ana@example.com").await;
        let accepted = json!({ "token": token, "name": "ana", "password": PASSWORD });
        assert_eq!(app.visitor().post("/api/auth/accept-invitation", accepted).await.status, 201);
        let mut ana = app.visitor();
        ana.email = "ana@example.com".to_owned();
        let ana = ana.another_session().await;
        change_address(&ana, "ana@example.org").await;
        let token = app.link_code("ana@example.org").await;
        let reply = ana.post("/api/auth/verify-email", json!({ "token": token })).await;
        assert_eq!(reply.status, 200, "{reply}");
        let undo = link(&mail(&app, ("ana@example.com", OF_CHANGE)).await, "undo-email");
        press(&app, &undo, ("ana@example.com", OTHER_PASSWORD)).await;
        assert!(!ana.is_in().await);
        assert!(ana.signed_in_with(OTHER_PASSWORD).await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn whoever_is_given_another_way_in_by_an_administrator_is_taken_from_by_no_link() {
    on_both_engines_with(notify, async |app| {
        let (admin, ana) = (app.admin().await, confirmed(&app, "ana").await);
        let (_, not_me) = intruder_of(&app, &ana).await;
        change_address(&ana, "ana@example.org").await;
        let undo = undo_link(&app, "ana@example.com").await;
        let changed = change_address(&ana, "ana@example.com").await;
        change_address(&changed, "ana@example.org").await;
        assert_eq!(admin.post(&format!("/api/admin/users/{}/force-reset", ana.id), json!({})).await.status, 200);
        for link in [not_me, undo] {
            assert_works_no_more(&app, &link).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_password_that_was_made_worth_nothing_is_not_chosen_again() {
    on_both_engines(async |app| {
        let (admin, ana) = (app.admin().await, app.user("ana").await);
        let (_, link) = intruder_of(&app, &ana).await;
        let mut browser = Browser::of(&app);
        let (path, code) = link.split_once("?token=").unwrap();
        let (place, _) = browser.send_and_follow(path, &[("token", code)]).await;
        let code = place.split_once("token=").unwrap().1.to_owned();
        let chosen = async |code: &str, password: &str| {
            app.visitor().post("/api/auth/reset-password", json!({ "token": code, "newPassword": password })).await
        };
        let reply = chosen(&code, PASSWORD).await;
        assert_eq!(reply.status, 400, "{reply}");
        assert!(String::from_utf8_lossy(&reply.body).contains("ha dejado de valer"), "{reply}");
        assert_eq!(chosen(&code, OTHER_PASSWORD).await.status, 200, "the link stays good");
        assert_eq!(admin.post(&format!("/api/admin/users/{}/force-reset", ana.id), json!({})).await.status, 200);
        assert_eq!(ana.try_login(&ana.email, OTHER_PASSWORD).await.status, 401);
        let code = app.link_code(&ana.email).await;
        assert_eq!(chosen(&code, OTHER_PASSWORD).await.status, 400);
        assert_eq!(chosen(&code, PASSWORD).await.status, 200);
        assert!(ana.signed_in_with(PASSWORD).await.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn without_pages_the_notices_have_no_links() {
    let without = |options: &mut Options| {
        (options.settings.not_me_link, options.settings.undo_link) = (None, None);
    };
    on_both_engines_with(without, async |app| {
        let ana = app.user("ana").await;
        ana.at("203.0.113.66").another_session().await;
        let notice = mail(&app, (&ana.email, OF_NEW_DEVICE)).await;
        assert!(!notice.text.contains("http") && notice.text.contains("cámbiala ahora"), "{}", notice.text);
    })
    .await;
}

#[tokio::test]
async fn the_first_administrator_is_made_by_a_link_and_nobody_after() {
    on_both_engines(async |app| {
        let inside = app.inside();
        assert!(cerrojo_app::administer::lacks_administrator(&inside).await.unwrap());
        let codes = [
            cerrojo_app::administer::offer_first(&inside).await.unwrap(),
            cerrojo_app::administer::offer_first(&inside).await.unwrap(),
        ];
        let mut browser = Browser::of(&app);
        let link = format!("/first-administrator?token={}", codes[0]);
        says(&text(&browser.get(&link).await), "Make the first administrator");
        let fields =
            |code, email, password| [("token", code), ("name", "Jefa"), ("email", email), ("password", password)];
        for (email, password, status) in [("", PASSWORD, 400), ("jefa", PASSWORD, 400), ("jefa@example.com", "1", 400)]
        {
            let reply = browser.send("/first-administrator", &fields(&codes[0], email, password)).await;
            assert_eq!(reply.status, status, "{reply}");
        }
        let made = fields(&codes[0], "jefa@example.com", PASSWORD);
        let (place, _) = browser.send_and_follow("/first-administrator", &made).await;
        assert_eq!(place, "/login?next=/admin");
        let signed_in = [("email", "jefa@example.com"), ("password", PASSWORD), ("next", "/admin")];
        assert_eq!(browser.send_and_follow("/login", &signed_in).await.0, "/admin");
        for code in &codes {
            let again = fields(code, "otra@example.com", PASSWORD);
            assert_eq!(browser.send("/first-administrator", &again).await.status, 401);
            let link = format!("/first-administrator?token={code}");
            assert_works_no_more(&app, &link).await;
        }
        assert_eq!(app.visitor().try_login("otra@example.com", PASSWORD).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_press_the_first_link_at_once_one_becomes_administrator() {
    on_both_engines(async |app| {
        let inside = app.inside();
        let mut sent = Vec::new();
        for number in 0..4 {
            let code = cerrojo_app::administer::offer_first(&inside).await.unwrap();
            let email = format!("jefa{number}@example.com");
            let fields = [("token", &*code), ("name", "Jefa"), ("email", &*email), ("password", PASSWORD)];
            let call = form(Browser::of(&app).call("POST", "/first-administrator"), &fields);
            sent.push(call.header("sec-fetch-site", "same-origin"));
        }
        let mut answers: Vec<u16> = app.together(sent).await.iter().map(|reply| reply.status).collect();
        answers.sort_unstable();
        assert_eq!(answers, [303, 401, 401, 401]);
    })
    .await;
}
