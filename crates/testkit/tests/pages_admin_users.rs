//! The administrators' pages about users, their sessions and invitations, by forms and cookies, without scripts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::administer::{self, AdminError, By, UserChange};
use cerrojo_domain::{Status, UserId};
use cerrojo_testkit::browser::{Browser, encoded, fields, form, moved, says, text};
use cerrojo_testkit::{Actor, OTHER_PASSWORD, PASSWORD, Reply, TestApp, on_both_engines, on_both_engines_with};
use serde_json::{Value, json};

/// No character takes more bytes on a page.
const WORST: &str = "'";
const STALE: Duration = Duration::from_mins(11);
const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert(2)</script>";

/// The administrator `jefa` (1) in a browser, signed in just now, and the same with the API.
async fn administrator(app: &TestApp) -> (Browser, Actor) {
    let jefa = app.admin().await;
    let mut browser = Browser::of(app);
    browser.sign_in(&jefa.email, PASSWORD).await;
    (browser, jefa)
}

/// An address as long as one may be, of characters that take many bytes on a page.
fn worst_address(number: usize) -> String {
    let host = ["b".repeat(61), "c".repeat(61), "d".repeat(61)].join(".");
    format!("{}{number:03}@{host}.es", WORST.repeat(61))
}

fn page_of(user: &Actor) -> String {
    format!("/admin/users/{}", user.id)
}

/// What the page of a user sends if nobody touches a field.
fn untouched<'a>(name: &'a str, email: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("shown_name", name),
        ("name", name),
        ("shown_email", email),
        ("email", email),
        ("shown_email_verified", "false"),
        ("shown_status", "active"),
        ("status", "active"),
        ("shown_role_id", "2"),
        ("role_id", "2"),
    ]
}

/// The same with these fields typed into, or added.
fn edited<'a>(
    mut fields: Vec<(&'static str, &'a str)>,
    edits: &[(&'static str, &'a str)],
) -> Vec<(&'static str, &'a str)> {
    for (name, value) in edits {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

async fn user_of(jefa: &Actor, id: i64) -> Value {
    jefa.get(&format!("/api/admin/users/{id}")).await.data()
}

#[track_caller]
fn refused(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{reply}");
    says(&text(reply), words);
}

#[tokio::test]
async fn users_are_looked_for_on_a_page() {
    on_both_engines(async |app| {
        let (mut browser, _) = administrator(&app).await;
        for number in 0..30 {
            app.clock.advance(Duration::from_secs(1));
            app.user(&format!("persona{number:02}")).await;
        }
        let page = text(&browser.get("/admin/users").await);
        assert_eq!(page.matches("<th role=\"rowheader\"").count(), 25);
        says(&page, "31 users");
        says(&page, "persona29@example.com");
        assert!(!page.contains("persona04@"));
        says(&page, "href=\"/admin/users?sort=-registered_at&amp;page=2\"");
        let page = text(&browser.get("/admin/users?page=2").await);
        says(&page, "persona04@example.com");
        says(&page, "rel=\"prev\"");
        let page = text(&browser.get("/admin/users?search=PERSONA1&sort=name").await);
        says(&page, "10 users");
        says(&page, "value=\"PERSONA1\"");
        says(&page, "aria-sort=\"ascending\"");
        assert!(page.find("persona10@").unwrap() < page.find("persona19@").unwrap());
        let page = text(&browser.get("/admin/users?role_id=1&status=active").await);
        says(&page, "One user");
        says(&page, "jefa@example.com");
        for nobody in ["status=suspended", "search=%25", "search=nadie&page=4", "search=persona&page=99"] {
            says(&text(&browser.get(&format!("/admin/users?{nobody}")).await), "Nobody matches what you look for.");
        }
        for odd in ["page=0", "page=x", "status=x", "role_id=x", "sort=x", "page=99999999999999999999", "%zz", "search"]
        {
            let page = text(&browser.get(&format!("/admin/users?{odd}")).await);
            says(&page, "31 users");
        }
        let long = browser.get(&format!("/admin/users?search={}", "x".repeat(20_000))).await;
        refused(&long, 400, "up to 200 characters");
        assert!(long.body.len() < 50_000);
        refused(&browser.get("/admin/users?search=a%00b").await, 400, "id=\"search-fault\"");
    })
    .await;
}

#[tokio::test]
async fn a_page_of_users_has_fifty_kilobytes_at_most_in_all() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        for number in 0..25 {
            let ana = app.user(&format!("{}{number}", "a".repeat(60))).await;
            let worst = json!({ "name": WORST.repeat(200), "email": worst_address(number) });
            assert_eq!(jefa.put(&format!("/api/admin/users/{}", ana.id), worst).await.status, 200);
            let worst =
                json!({ "name": WORST.repeat(200), "email": worst_address(100 + number), "role_id": 1 + number % 2 });
            assert_eq!(jefa.post("/api/admin/invitations", worst).await.status, 201);
        }
        app.clock.advance(STALE);
        let luis = app.user("luis").await;
        for _ in 0..40 {
            luis.another_session().await;
            luis.another_session().await.logout().await;
        }
        let of = |act: &str| ["/admin/users/2", act].concat();
        let sessions = format!("{}/sessions", page_of(&luis));
        let mut paths = vec![page_of(&luis), sessions, "/admin/users".to_owned(), "/admin/invitations".to_owned()];
        paths.extend(["", "/force-reset", "/data", "/delete", "/sessions", "/sessions/end"].map(of));
        for (path, language) in paths.iter().flat_map(|path| [(path, "en"), (path, "es")]) {
            let reply = browser.call("GET", path).header("accept-language", language).await;
            assert_eq!(reply.status, 200, "{path}");
            let (page, mut whole) = (text(&reply), reply.body.len());
            for part in page.split("/pages/").skip(1) {
                whole += browser.get(&format!("/pages/{}", part.split('"').next().unwrap())).await.body.len();
            }
            assert!(whole < 50_000, "{path}: {whole} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn a_user_is_added_and_may_sign_in() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        says(&text(&browser.get("/admin/users/new").await), "id=\"add-user\"");
        let fields = [("name", "Ana"), ("email", "ana@example.com"), ("password", OTHER_PASSWORD), ("role_id", "2")];
        for (field, value, words) in [
            ("name", " ", "Enter your name."),
            ("email", "no", "such as name@example.com"),
            ("email", "jefa@example.com", "Another account has this email address already."),
            ("password", "1234567", "at least 8 characters"),
            ("role_id", "99", "Choose one of the roles."),
            ("role_id", "x", "Choose one of the roles."),
        ] {
            let reply = browser.send("/admin/users/new", &edited(fields.to_vec(), &[(field, value)])).await;
            assert!(reply.status == 400 || reply.status == 409, "{reply}");
            says(&text(&reply), words);
            says(&text(&reply), &format!("id=\"{field}-fault\""));
            assert!(!text(&reply).contains(OTHER_PASSWORD));
        }
        let (place, page) = browser.send_and_follow("/admin/users/new", &fields).await;
        assert_eq!(place, "/admin/users/2");
        says(&page, "User added");
        assert_eq!(app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await.status, 200);
        let audit = jefa.get("/api/admin/audit?kind=account.created&user=2").await.data();
        assert_eq!(audit["entries"][0]["by"], "administrator:1");
    })
    .await;
}

#[tokio::test]
async fn what_is_changed_is_changed_and_nothing_else() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let path = page_of(&ana);
        says(&text(&browser.get(&path).await), "name=\"shown_email\" value=\"ana@example.com\"");
        let shown = untouched("ana", "ana@example.com");
        let (place, page) = browser.send_and_follow(&path, &shown).await;
        assert_eq!(place, path);
        says(&page, "There was nothing to save");

        let (_, page) = browser
            .send_and_follow(&path, &edited(shown.clone(), &[("name", "Ana Ruiz"), ("email_verified", "true")]))
            .await;
        says(&page, "The sessions go on as they were.");
        assert!(ana.is_in().await);
        assert_eq!(user_of(&jefa, ana.id).await["name"], "Ana Ruiz");

        let shown = untouched("Ana Ruiz", "ana@example.com");
        let (_, page) = browser.send_and_follow(&path, &edited(shown.clone(), &[("status", "suspended")])).await;
        says(&page, "All sessions of this account are over.");
        says(&page, "<option value=\"suspended\" selected>");
        assert!(!ana.is_in().await);
        assert_eq!(user_of(&jefa, ana.id).await["status"], "suspended");
        for (field, value, words) in [
            ("name", "", "Enter your name."),
            ("email", "jefa@example.com", "Another account has this email address already."),
            ("status", "asleep", "Choose one of the statuses."),
            ("role_id", "99", "Choose one of the roles."),
        ] {
            let now = [("shown_status", "suspended"), ("status", "suspended"), (field, value)];
            let reply = browser.send(&path, &edited(shown.clone(), &now)).await;
            assert!(reply.status == 400 || reply.status == 409, "{reply}");
            says(&text(&reply), words);
        }
        let now = user_of(&jefa, ana.id).await;
        assert_eq!((&now["status"], &now["name"]), (&json!("suspended"), &json!("Ana Ruiz")));
    })
    .await;
}

#[tokio::test]
async fn two_administrators_do_not_undo_each_others_changes() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let path = page_of(&ana);
        let shown = untouched("ana", "ana@example.com");
        // The other one suspends her while this page is open.
        let change = json!({ "status": "suspended", "name": "Ana de otra" });
        assert_eq!(jefa.put(&format!("/api{path}"), change).await.status, 200);
        let (_, page) = browser.send_and_follow(&path, &edited(shown.clone(), &[("email_verified", "true")])).await;
        says(&page, "Changes saved");
        let now = user_of(&jefa, ana.id).await;
        assert_eq!((&now["status"], &now["name"]), (&json!("suspended"), &json!("Ana de otra")));

        let reply = browser.send(&path, &edited(shown.clone(), &[("name", "Ana mía")])).await;
        refused(&reply, 409, "Somebody changed it meanwhile.");
        let page = text(&reply);
        says(&page, "It is now «Ana de otra».");
        says(&page, "name=\"name\" type=\"text\" autocomplete=\"off\" required value=\"Ana mía\"");
        says(&page, "name=\"shown_name\" value=\"Ana de otra\"");
        assert_eq!(user_of(&jefa, ana.id).await["name"], "Ana de otra");
        let again = edited(shown, &[("name", "Ana mía"), ("shown_name", "Ana de otra")]);
        browser.send_and_follow(&path, &again).await;
        assert_eq!(user_of(&jefa, ana.id).await["name"], "Ana mía");
    })
    .await;
}

/// A refused page as a browser sends it again, with these fields typed into.
fn again<'a>(page: &'a [(String, String)], edits: &[(&'static str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = page.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let kept = kept.filter(|(name, _)| !edits.iter().any(|(edited, _)| edited == name));
    kept.chain(edits.iter().copied()).collect()
}

#[tokio::test]
async fn a_refused_page_sent_again_undoes_no_change_of_another_administrator() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let path = page_of(&ana);
        let opened = fields(&text(&browser.get(&path).await), "user");
        let change = json!({ "status": "suspended", "name": "Ana de otra" });
        assert_eq!(jefa.put(&format!("/api{path}"), change).await.status, 200);
        let taken = again(&opened, &[("email", "jefa@example.com")]);
        let reply = browser.send(&path, &taken).await;
        refused(&reply, 409, "Another account has this email address already.");
        let shown = fields(&text(&reply), "user");
        assert!(shown.contains(&("email".to_owned(), "jefa@example.com".to_owned())), "what was typed stays");
        let (_, page) = browser.send_and_follow(&path, &again(&shown, &[("email", "ana2@example.com")])).await;
        says(&page, "Changes saved");
        let now = user_of(&jefa, ana.id).await;
        let members = (&now["email"], &now["status"], &now["name"]);
        assert_eq!(members, (&json!("ana2@example.com"), &json!("suspended"), &json!("Ana de otra")));

        // The same with a password that is missing, by way of which most pages come again.
        let opened = fields(&text(&browser.get(&path).await), "user");
        assert_eq!(jefa.put(&format!("/api{path}"), json!({ "status": "active" })).await.status, 200);
        app.clock.advance(STALE);
        let reply = browser.send(&path, &again(&opened, &[("email", "ana3@example.com")])).await;
        refused(&reply, 400, "Enter your current password.");
        let shown = fields(&text(&reply), "user");
        browser.send_and_follow(&path, &again(&shown, &[("currentPassword", PASSWORD)])).await;
        let now = user_of(&jefa, ana.id).await;
        assert_eq!((&now["email"], &now["status"]), (&json!("ana3@example.com"), &json!("active")));
    })
    .await;
}

/// Every act that hurts somebody: where it is sent to, and what with.
fn hurting(user: &Actor) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let path = page_of(user);
    let shown = || untouched("ana", "ana@example.com");
    vec![
        (path.clone(), edited(shown(), &[("status", "inactive")])),
        (path.clone(), edited(shown(), &[("role_id", "1")])),
        (path.clone(), edited(shown(), &[("email", "otra@example.com")])),
        (path.clone(), edited(shown(), &[("email_verified", "true")])),
        (format!("{path}/force-reset"), vec![]),
        (format!("{path}/data"), vec![]),
        (format!("{path}/delete"), vec![]),
        (format!("{path}/sessions/end"), vec![("all", "true")]),
        (
            "/admin/users/new".to_owned(),
            vec![("name", "Eva"), ("email", "eva@example.com"), ("password", PASSWORD), ("role_id", "1")],
        ),
        ("/admin/invitations".to_owned(), vec![("email", "eva@example.com"), ("role_id", "1")]),
    ]
}

#[tokio::test]
async fn what_hurts_takes_a_recent_sign_in_or_the_password() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        app.clock.advance(STALE);
        let before = user_of(&jefa, ana.id).await;
        for (path, fields) in hurting(&ana) {
            for (typed, status, words) in
                [(None, 400, "Enter your current password."), (Some("not it"), 401, "The current password is wrong.")]
            {
                let typed = typed.map(|password| ("currentPassword", password));
                let sent: Vec<_> = fields.iter().copied().chain(typed).collect();
                let reply = browser.send(&path, &sent).await;
                refused(&reply, status, words);
                says(&text(&reply), "name=\"currentPassword\"");
                assert!(!text(&reply).contains("not it"), "{path}");
            }
            app.clock.advance(Duration::from_mins(16));
            jefa.another_session().await;
        }
        assert_eq!(user_of(&jefa, ana.id).await, before, "nothing was changed");
        assert!(ana.is_in().await);
        assert_eq!(app.visitor().try_login("ana@example.com", PASSWORD).await.status, 200);
        assert_eq!(jefa.get("/api/admin/invitations").await.json()["data"], json!([]));
        let failed = jefa.get("/api/admin/audit?kind=account.reauthentication_failed&limit=100").await.data();
        assert_eq!(failed["entries"].as_array().unwrap().len(), hurting(&ana).len(), "each wrong one is on record");
        let exported = jefa.get("/api/admin/audit?kind=data.exported").await.data();
        assert_eq!(exported["entries"], json!([]));

        for (path, fields) in [hurting(&ana)[0].clone(), hurting(&ana)[3].clone()] {
            let sent: Vec<_> = fields.iter().copied().chain([("currentPassword", PASSWORD)]).collect();
            assert_eq!(browser.send(&path, &sent).await.status, 303, "{path}");
        }
        assert!(!ana.is_in().await);
        assert_eq!(user_of(&jefa, ana.id).await["status"], "inactive");
        assert_eq!(
            browser.send(&format!("{}/delete", page_of(&ana)), &[]).await.status,
            400,
            "it is asked for each time"
        );
    })
    .await;
}

#[tokio::test]
async fn wrong_passwords_before_what_hurts_are_counted() {
    on_both_engines(async |app| {
        let (mut browser, _) = administrator(&app).await;
        let ana = app.user("ana").await;
        app.clock.advance(STALE);
        let path = format!("{}/delete", page_of(&ana));
        for _ in 0..5 {
            assert_eq!(browser.send(&path, &[("currentPassword", "not it")]).await.status, 401);
        }
        let mut last = browser.send(&path, &[("currentPassword", "not it")]).await;
        for _ in 0..60 {
            if last.status == 429 {
                break;
            }
            last = browser.send(&path, &[("currentPassword", "not it")]).await;
        }
        refused(&last, 429, "There were too many attempts.");
        assert!(last.header("retry-after").is_some());
        assert_eq!(browser.send(&path, &[("currentPassword", PASSWORD)]).await.status, 429);
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_forced_reset_takes_the_password_away_and_sends_a_link() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let other = ana.another_session().await;
        let path = format!("{}/force-reset", page_of(&ana));
        let page = text(&browser.get(&path).await);
        says(&page, "ana@example.com");
        says(&page, "Five an hour are sent at most");
        let (place, page) = browser.send_and_follow(&path, &[]).await;
        assert_eq!(place, page_of(&ana));
        says(&page, "Password made void");
        says(&page, "a link goes by mail, five an hour at most");
        assert!(!ana.is_in().await && !other.is_in().await);
        app.visitor().try_login("ana@example.com", PASSWORD).await.assert_code(401, "INVALID_CREDENTIALS");
        app.visitor().try_login("ana@example.com", "").await.assert_code(400, "VALIDATION_ERROR");
        let mails = app.mails().await;
        assert_eq!(mails.last().unwrap().subject, "Elige una contraseña nueva");
        let code = app.link_code("ana@example.com").await;
        let typed = json!({ "token": code, "newPassword": OTHER_PASSWORD });
        app.visitor()
            .post("/api/auth/reset-password", typed)
            .await
            .assert_ok(200, "Contraseña restablecida exitosamente");
        assert_eq!(app.visitor().try_login("ana@example.com", OTHER_PASSWORD).await.status, 200);
        let entry = jefa.get("/api/admin/audit?kind=password.reset_forced").await.data()["entries"][0].clone();
        assert_eq!((&entry["by"], &entry["user_id"]), (&json!("administrator:1"), &json!(ana.id)));
        let (_, page) = browser.follow(format!("{}/sessions", page_of(&ana))).await;
        says(&page, "The password of the account was changed.");
    })
    .await;
}

#[tokio::test]
async fn sessions_are_shown_with_who_ended_them_and_are_ended() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let phone = ana.on("Mozilla/5.0 (iPhone) Safari/604.1").another_session().await;
        let third = ana.another_session().await;
        ana.another_session().await.logout().await;
        let path = format!("{}/sessions", page_of(&ana));
        let page = text(&browser.get(&path).await);
        for words in ["Safari, iPhone", &*phone.session_id(), "It was signed out on that device.", "the person"] {
            says(&page, words);
        }
        let end = format!("{path}/end");
        let (place, page) = browser.send_and_follow(&end, &[("id", &phone.session_id())]).await;
        assert_eq!(place, path);
        says(&page, "That device has no access to the account any more.");
        says(&page, "An administrator ended it.");
        says(&page, "<a href=\"/admin/users/1\">administrator 1</a>");
        assert!(!phone.is_in().await && ana.is_in().await && third.is_in().await);
        for over in [phone.session_id(), "no session".to_owned(), "x".to_owned(), jefa.session_id()] {
            let (_, page) = browser.send_and_follow(&end, &[("id", &over)]).await;
            says(&page, "That session is not open");
        }
        assert!(jefa.is_in().await, "somebody else's session is not ended by way of this user");
        for lost in [&[][..], &[("id", "")], &[("all", "")], &[("all", "true"), ("id", "x")]] {
            let (_, page) = browser.send_and_follow(&end, lost).await;
            says(&page, "That session is not open");
        }
        assert!(ana.is_in().await && third.is_in().await, "a form that lost a field ends nothing");
        let all = fields(&text(&browser.get(&end).await), "end");
        let (_, page) = browser.send_and_follow(&end, &again(&all, &[])).await;
        says(&page, "No session is open.");
        assert!(!ana.is_in().await && !third.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn an_administrator_who_ends_the_own_session_is_signed_out() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let own = jefa.with_token(&browser.token()).session_id();
        let (place, page) = browser.send_and_follow("/admin/users/1/sessions/end", &[("id", &own)]).await;
        assert_eq!(place, "/logged-out");
        says(&page, "You are signed out");
        assert!(browser.cookies.is_empty());
        assert!(jefa.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_user_is_deleted_after_a_page_that_names_who_it_is() {
    on_both_engines(async |app| {
        let (mut browser, _) = administrator(&app).await;
        let ana = app.user("ana").await;
        let path = format!("{}/delete", page_of(&ana));
        let page = text(&browser.get(&path).await);
        for words in ["ana@example.com", "It cannot be undone.", "Delete for ever"] {
            says(&page, words);
        }
        assert!(ana.is_in().await, "to look does nothing");
        let (place, page) = browser.send_and_follow(&path, &[]).await;
        assert_eq!(place, "/admin/users");
        says(&page, "Account deleted");
        assert!(!page.contains("ana@example.com"));
        assert!(!ana.is_in().await);
        refused(&browser.get(&page_of(&ana)).await, 404, "There is no account with that number.");
        assert_eq!(browser.send(&path, &[]).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_persons_data_is_downloaded_and_that_is_on_record() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let path = format!("{}/data", page_of(&ana));
        says(&text(&browser.get(&path).await), "audit trail");
        let reply = browser.send(&path, &[]).await;
        assert_eq!(reply.status, 200, "{reply}");
        let name = format!("attachment; filename=\"user-{}.json\"", ana.id);
        assert_eq!(reply.header("content-disposition"), Some(&*name));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.json()["user"]["email"], "ana@example.com");
        assert!(!text(&reply).contains("argon2"));
        let entry = jefa.get("/api/admin/audit?kind=data.exported").await.data()["entries"][0].clone();
        assert_eq!((&entry["by"], &entry["user_id"]), (&json!("administrator:1"), &json!(ana.id)));
    })
    .await;
}

#[tokio::test]
async fn an_administrators_invitation_is_sent_again_or_taken_back_with_the_password() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        for (email, role) in [("eva@example.com", 1), ("luz@example.com", 2)] {
            let invited = jefa.post("/api/admin/invitations", json!({ "email": email, "role_id": role })).await;
            assert_eq!(invited.status, 201);
        }
        let listed = jefa.get("/api/admin/invitations").await.json()["data"].clone();
        let of = |email: &str| listed.as_array().unwrap().iter().find(|one| one["email"] == email).unwrap().clone();
        let (eva, luz) = (of("eva@example.com"), of("luz@example.com"));
        app.clock.advance(STALE);
        let first = app.link_code("eva@example.com").await;
        let page = text(&browser.get("/admin/invitations").await);
        let id = eva["id"].as_str().unwrap();
        for (act, words) in [("resend", "eva@example.com"), ("revoke", "Its link works no more:")] {
            let path = format!("/admin/invitations/{act}");
            says(&page, &format!("href=\"{path}?id={id}\""));
            says(&text(&browser.get(&format!("{path}?id={id}")).await), words);
            let reply = browser.send(&path, &[("id", id)]).await;
            refused(&reply, 400, "Enter your current password.");
            assert!(fields(&text(&reply), "consent").contains(&("id".to_owned(), id.to_owned())));
            let wrong = [("id", id), ("currentPassword", "not it")];
            refused(&browser.send(&path, &wrong).await, 401, "The current password is wrong.");
        }
        assert_eq!(jefa.get("/api/admin/invitations").await.json()["data"], listed, "nothing was prolonged");
        assert_eq!(browser.get(&format!("/accept-invitation?token={first}")).await.status, 200);
        let luz = luz["id"].as_str().unwrap();
        let (_, page) = browser.send_and_follow("/admin/invitations/revoke", &[("id", luz)]).await;
        says(&page, "Invitation taken back");
        let right = [("id", id), ("currentPassword", PASSWORD)];
        let (_, page) = browser.send_and_follow("/admin/invitations/resend", &right).await;
        says(&page, "Invitation sent again");
        let (_, page) = browser.send_and_follow("/admin/invitations/revoke", &right).await;
        says(&page, "Invitation taken back");
        says(&page, "No invitation is waiting.");
        for act in ["resend", "revoke"] {
            let (_, page) = browser.follow(format!("/admin/invitations/{act}?id={id}")).await;
            says(&page, "That invitation is not waiting any more");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_sends_an_invitation_too_often_is_asked_for_no_password() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        jefa.post("/api/admin/invitations", json!({ "email": "eva@example.com" })).await;
        let id = jefa.get("/api/admin/invitations").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
        let mut last = browser.send("/admin/invitations/resend", &[("id", &id)]).await;
        for _ in 0..20 {
            app.mails().await;
            if last.status == 429 {
                break;
            }
            last = browser.send("/admin/invitations/resend", &[("id", &id)]).await;
        }
        refused(&last, 429, "Several invitations went to this address already.");
        assert!(!text(&last).contains("currentPassword"));
    })
    .await;
}

#[tokio::test]
async fn what_somebody_else_changed_is_told_in_words() {
    on_both_engines(async |app| {
        let (browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let path = page_of(&ana);
        let change = json!({ "status": "suspended", "role_id": 1 });
        assert_eq!(jefa.put(&format!("/api{path}"), change).await.status, 200);
        let shown = edited(untouched("ana", "ana@example.com"), &[("shown_role_id", "3")]);
        let mine = edited(shown, &[("status", "inactive"), ("role_id", "2")]);
        let call = form(browser.call("POST", &path), &mine).header("sec-fetch-site", "same-origin");
        let reply = call.header("accept-language", "es").await;
        refused(&reply, 409, "Ahora es «Suspendido».");
        says(&text(&reply), "Ahora es «Administrador».");
    })
    .await;
}

#[tokio::test]
async fn a_clash_about_a_box_to_tick_stands_beside_it() {
    on_both_engines(async |app| {
        let (mut browser, _) = administrator(&app).await;
        let ana = app.user("ana").await;
        // A box has two values, so that only a page that is out of order can clash.
        let mine = [("shown_email_verified", "?"), ("email_verified", "true")];
        let reply = browser.send(&page_of(&ana), &edited(untouched("ana", "ana@example.com"), &mine)).await;
        refused(&reply, 409, "<a href=\"#email_verified\">");
        says(&text(&reply), "id=\"email_verified-fault\"><p>It is now «Not confirmed».");
        says(&text(&reply), "aria-describedby=\"email_verified-fault\" aria-invalid=\"true\"");
    })
    .await;
}

#[tokio::test]
async fn a_change_is_judged_again_by_what_there_is_when_it_is_made() {
    on_both_engines(async |app| {
        app.admin().await;
        let ana = app.user("ana").await;
        let id = UserId(ana.id);
        let inside = app.inside();
        let seen = administer::user_by_email(&inside, "ana@example.com").await.unwrap();
        let change = |status: &str, name: &str| UserChange {
            status: Some(status.to_owned()),
            name: Some(name.to_owned()),
            seen: Some(seen.clone()),
            ..UserChange::default()
        };
        let other = UserChange { status: Some("suspended".to_owned()), ..UserChange::default() };
        administer::update_user(&inside, By::Operator, id, other).await.unwrap();
        let refused = administer::update_user(&inside, By::Operator, id, change("inactive", "Ana")).await;
        assert!(matches!(refused, Err(AdminError::Changed)));
        let now = administer::user_by_email(&inside, "ana@example.com").await.unwrap();
        assert_eq!((now.status, &*now.name), (Status::Suspended, "ana"), "nor is anything else changed");
        let same = administer::update_user(&inside, By::Operator, id, change("suspended", "Ana")).await.unwrap();
        assert_eq!((same.status, &*same.name), (Status::Suspended, "Ana"), "what both want is no clash");
    })
    .await;
}

#[tokio::test]
async fn addresses_with_any_letters_are_typed_on_every_page() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let jose = app.user("josé").await;
        let path = page_of(&jose);
        let mut visitor = Browser::of(&app);
        for path in ["/login", "/register", "/forgot-password"] {
            let page = text(&visitor.get(path).await);
            says(&page, "name=\"email\" type=\"text\"");
            says(&page, "inputmode=\"email\"");
        }
        for path in ["/account", "/admin/users/new", "/admin/invitations", &*path] {
            let page = text(&browser.get(path).await);
            says(&page, "name=\"email\" type=\"text\"");
            assert!(!page.contains("type=\"email\""), "browsers send nothing of such a form: {path}");
        }
        let opened = fields(&text(&browser.get(&path).await), "user");
        let (_, page) = browser.send_and_follow(&path, &again(&opened, &[("status", "suspended")])).await;
        says(&page, "Changes saved");
        assert_eq!(user_of(&jefa, jose.id).await["status"], "suspended");
    })
    .await;
}

/// Turns the direction of what follows it, up to the end of the paragraph.
const TURNING: &str = "\u{202E})moc.elpmaxe@bueno(";

#[tokio::test]
async fn no_name_turns_the_direction_of_what_stands_beside_it() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let invitation = [("email", "eva@example.com"), ("role_id", "2")];
        let (_, page) = browser.send_and_follow("/admin/invitations", &invitation).await;
        says(&page, "<bdi id=\"whom-1\">eva@example.com</bdi>");
        // Names that were brought along from elsewhere stay as they are.
        app.database().run(format!("UPDATE users SET name = '{TURNING}'")).await;
        let (whole, short) = (format!("<bdi>{TURNING}</bdi>"), format!("<bdi>{}</bdi>", &TURNING[3..]));
        for act in ["", "/force-reset", "/data", "/delete", "/sessions", "/sessions/end"] {
            let page = text(&browser.get(&format!("{}{act}", page_of(&ana))).await);
            says(&page, &whole);
            assert!(!page.split("</title>").next().unwrap().contains('\u{202E}'), "{act}");
            assert!(act.is_empty() || page.contains("<bdi class=\"address\">ana@example.com</bdi>"), "{act}");
        }
        let page = text(&browser.get("/admin/users").await);
        says(&page, &short);
        says(&page, "<bdi>ana@example.com</bdi>");
        let mut own = Browser::of(&app);
        own.sign_in("ana@example.com", PASSWORD).await;
        says(&text(&own.get("/logout").await), &whole);
        let (_, page) = own.send_and_follow("/logout", &[]).await;
        says(&page, &whole);
        app.tick().await;
        says(&text(&browser.get("/admin/endings").await), &short);
        says(&text(&browser.get("/admin/mail").await), "<bdi>jefa@example.com</bdi>");

        own.sign_in("ana@example.com", PASSWORD).await;
        let kept = [("name", TURNING), ("email", "ana2@example.com"), ("currentPassword", PASSWORD)];
        let (_, page) = own.send_and_follow("/account", &kept).await;
        says(&page, "ana2@example.com");
        assert_eq!(user_of(&jefa, ana.id).await["name"], TURNING);
    })
    .await;
}

#[tokio::test]
async fn nobody_takes_a_name_that_turns_the_direction_of_writing_or_is_not_seen() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let marks = "\u{61C}\u{200E}\u{200F}\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\u{2066}\u{2067}\u{2068}\u{2069}";
        let unseen = "\u{AD}\u{180E}\u{200B}\u{2060}\u{2064}\u{3164}\u{FEFF}\u{FFA0}";
        for mark in marks.chars().chain(unseen.chars()) {
            let name = json!({ "name": format!("Ana{mark}") });
            jefa.put(&format!("/api{}", page_of(&ana)), name).await.assert_code(400, "VALIDATION_ERROR");
        }
        let name = format!("Ana {TURNING}");
        ana.put("/api/auth/profile", json!({ "name": name })).await.assert_code(400, "VALIDATION_ERROR");
        let body = json!({ "name": name, "email": "eva@example.com", "password": PASSWORD });
        app.visitor().post("/api/auth/register", body).await.assert_code(400, "VALIDATION_ERROR");
        let words = "without line breaks, signs that are not seen, or marks that change the direction of text";
        let new = [("name", &*name), ("email", "eva@example.com"), ("password", PASSWORD), ("role_id", "2")];
        refused(&browser.send("/admin/users/new", &new).await, 400, words);
        let invitation = [("name", &*name), ("email", "eva@example.com"), ("role_id", "2")];
        refused(&browser.send("/admin/invitations", &invitation).await, 400, words);
        browser.send_and_follow("/admin/invitations", &invitation[1..]).await;
        let code = app.link_code("eva@example.com").await;
        let accepted = [("token", &*code), ("name", &*name), ("password", PASSWORD)];
        refused(&Browser::of(&app).send("/accept-invitation", &accepted).await, 400, words);
        // Letters of every script are taken, also of those that are written the other way, and what joins them.
        assert_eq!(ana.put("/api/auth/profile", json!({ "name": "می\u{200C}خواهم 👩\u{200D}💻" })).await.status, 200);
        assert_eq!(ana.put("/api/auth/profile", json!({ "name": "آنا أبو خليل" })).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn people_are_invited_again_and_no_more() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        says(&text(&browser.get("/admin/invitations").await), "No invitation is waiting.");
        let invite = "/admin/invitations";
        let fields = [("name", "Eva <b>"), ("email", "eva@example.com"), ("role_id", "2")];
        let (place, page) = browser.send_and_follow(invite, &fields).await;
        assert_eq!(place, invite);
        says(&page, "Invitation sent");
        says(&page, "Eva &lt;b&gt;");
        let first = app.link_code("eva@example.com").await;
        refused(&browser.send(invite, &fields).await, 409, "id=\"email-fault\"");
        for (email, status, words) in [
            ("", 400, "Enter your email address."),
            ("no", 400, "such as name@example.com"),
            ("jefa@example.com", 409, "There is an account with this email address already."),
        ] {
            let reply = browser.send(invite, &[("email", email), ("name", "Luz"), ("role_id", "2")]).await;
            refused(&reply, status, words);
            says(&text(&reply), "value=\"Luz\"");
        }
        let id = jefa.get("/api/admin/invitations").await.json()["data"][0]["id"].as_str().unwrap().to_owned();
        let (_, page) = browser.send_and_follow("/admin/invitations/resend", &[("id", &id)]).await;
        says(&page, "Invitation sent again");
        let second = app.link_code("eva@example.com").await;
        assert_ne!(first, second);
        let (_, page) = browser.send_and_follow("/admin/invitations/revoke", &[("id", &id)]).await;
        says(&page, "Invitation taken back");
        refused(&app.visitor().call("GET", &format!("/accept-invitation?token={second}")).await, 401, "no");
        for gone in [&*id, "", "no such", "../users"] {
            for act in ["resend", "revoke"] {
                let (_, page) = browser.send_and_follow(&format!("/admin/invitations/{act}"), &[("id", gone)]).await;
                says(&page, "That invitation is not waiting any more");
            }
        }
    })
    .await;
}

const PAGES: [&str; 9] = [
    "/admin/users",
    "/admin/users/new",
    "/admin/users/2",
    "/admin/users/2/force-reset",
    "/admin/users/2/data",
    "/admin/users/2/delete",
    "/admin/users/2/sessions",
    "/admin/users/2/sessions/end",
    "/admin/invitations",
];
const FORMS: [&str; 9] = [
    "/admin/users/new",
    "/admin/users/2",
    "/admin/users/2/force-reset",
    "/admin/users/2/data",
    "/admin/users/2/delete",
    "/admin/users/2/sessions/end",
    "/admin/invitations",
    "/admin/invitations/resend",
    "/admin/invitations/revoke",
];

#[tokio::test]
async fn only_administrators_get_to_these_pages() {
    on_both_engines(async |app| {
        app.admin().await;
        let ana = app.user("ana").await;
        let mut browser = Browser::of(&app);
        for path in PAGES {
            let place = moved(&browser.get(path).await);
            assert_eq!(place, format!("/login?next={path}"));
        }
        for path in FORMS {
            assert_eq!(moved(&browser.send(path, &[]).await), "/login?next=/account", "{path}");
        }
        browser.sign_in("ana@example.com", PASSWORD).await;
        for path in PAGES {
            refused(&browser.get(path).await, 403, "These pages are for administrators only.");
        }
        for path in FORMS {
            refused(&browser.send(path, &[("currentPassword", PASSWORD)]).await, 403, "for administrators only");
        }
        assert!(ana.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn forms_of_other_sites_do_nothing() {
    on_both_engines(async |app| {
        let (browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        for path in FORMS {
            let fields = [("status", "suspended"), ("email", "mala@example.com"), ("role_id", "1"), ("name", "Mala")];
            let bare = form(browser.call("POST", path), &fields);
            for (header, value) in [
                ("origin", "https://evil.example"),
                ("origin", "null"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("x-nothing", ""),
            ] {
                let reply = bare.clone().header(header, value).await;
                refused(&reply, 403, "This form was not sent from a page of this site.");
            }
        }
        assert!(ana.is_in().await);
        assert_eq!(user_of(&jefa, ana.id).await["status"], "active");
        assert_eq!(jefa.get("/api/admin/invitations").await.json()["data"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn whoever_was_an_administrator_is_led_to_where_one_signs_in() {
    on_both_engines(async |app| {
        let (mut browser, _) = administrator(&app).await;
        let otra = app.admin_named("otra").await;
        let ana = app.user("ana").await;
        let demoted = otra.put("/api/admin/users/1", json!({ "role_id": 2 })).await;
        assert_eq!(demoted.status, 200);
        let place = moved(&browser.send(&format!("{}/delete", page_of(&ana)), &[]).await);
        assert_eq!(place, "/login?next=/account");
        says(&text(&browser.get(&place).await), "The role of the account was changed.");
        assert!(ana.is_in().await);
        assert!(browser.cookies.is_empty());
        browser.sign_in("jefa@example.com", PASSWORD).await;
        assert_eq!(browser.get("/admin/users").await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn nobody_takes_away_the_own_role_nor_that_of_the_last_administrator() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let page = text(&browser.get("/admin/users/1").await);
        for absent in ["name=\"status\"", "/force-reset", "/delete"] {
            assert!(!page.contains(absent), "{absent}");
        }
        let shown = untouched("jefa", "jefa@example.com");
        for edit in [("status", "inactive"), ("role_id", "2")] {
            let sent = edited(shown.clone(), &[("shown_role_id", "1"), ("role_id", "1"), edit]);
            refused(&browser.send("/admin/users/1", &sent).await, 403, "only another one can do that to your account");
        }
        for act in ["delete", "force-reset"] {
            refused(&browser.send(&format!("/admin/users/1/{act}"), &[]).await, 403, "only another one");
        }
        assert!(jefa.is_in().await);
        let (_, page) = browser
            .send_and_follow(
                "/admin/users/1",
                &edited(shown, &[("shown_role_id", "1"), ("role_id", "1"), ("name", "La jefa")]),
            )
            .await;
        says(&page, "Changes saved");
        assert_eq!(user_of(&jefa, 1).await["role_id"], 1);
    })
    .await;
}

#[tokio::test]
async fn what_people_call_themselves_is_text_wherever_it_stands() {
    on_both_engines(async |app| {
        let (mut browser, jefa) = administrator(&app).await;
        let ana = app.user("ana").await;
        let hostile = ana.on(HOSTILE).another_session().await;
        let renamed = json!({ "name": HOSTILE });
        assert_eq!(jefa.put(&format!("/api{}", page_of(&ana)), renamed).await.status, 200);
        jefa.post("/api/admin/invitations", json!({ "email": "eva@example.com", "name": HOSTILE })).await;
        let search = format!("/admin/users?search={}", encoded(HOSTILE));
        for path in PAGES.into_iter().chain([&*search]) {
            let page = text(&browser.get(path).await);
            for wrong in ["<script>", "<img", "\"><"] {
                assert!(!page.contains(wrong) || wrong == "\"><" && !page.contains("\"><img"), "{path} has {wrong}");
            }
        }
        says(&text(&browser.get("/admin/users").await), "&lt;script&gt;alert(2)");
        let typed =
            edited(untouched("ana", "ana@example.com"), &[("name", HOSTILE), ("email", HOSTILE), ("role_id", HOSTILE)]);
        for path in ["/admin/users/new", "/admin/users/2", "/admin/invitations"] {
            let page = text(&browser.send(path, &typed).await);
            assert!(!page.contains("<script>") && !page.contains("<img"), "{path}");
        }
        assert!(hostile.is_in().await);
    })
    .await;
}

#[tokio::test]
async fn numbers_that_name_nobody_lead_to_a_page_that_says_so() {
    on_both_engines(async |app| {
        let (mut browser, _) = administrator(&app).await;
        for id in ["0", "-1", "999", "1.5", "99999999999999999999", "abc", "%00", "%ff", "1%20", "..%2f1", "1;drop"] {
            for rest in ["", "/force-reset", "/data", "/delete", "/sessions", "/sessions/end"] {
                let path = format!("/admin/users/{id}{rest}");
                let reply = browser.get(&path).await;
                assert_eq!(reply.status, 404, "{path}: {reply}");
                says(&text(&reply), "There is nothing here");
                if rest != "/sessions" {
                    assert_eq!(browser.send(&path, &[]).await.status, 404, "{path}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn after_signing_in_one_is_on_the_page_that_was_wanted_and_nowhere_else() {
    on_both_engines(async |app| {
        app.admin().await;
        let mut browser = Browser::of(&app);
        let wanted = "/admin/users?search=a%26b&sort=name&page=2";
        let place = moved(&browser.get(wanted).await);
        let page = text(&browser.get(&place).await);
        says(&page, "name=\"next\"");
        let fields = [("email", "jefa@example.com"), ("password", PASSWORD), ("next", wanted)];
        assert_eq!(moved(&browser.send("/login", &fields).await), wanted);
        for evil in ["//evil.example", "https://evil.example/admin", "/\\evil.example"] {
            let fields = [("name", "Ana"), ("next", evil), ("shown_name", "jefa")];
            assert_eq!(moved(&browser.send("/admin/users/1", &fields).await), "/admin/users/1");
        }
    })
    .await;
}

#[tokio::test]
async fn every_page_is_whole_in_both_languages_with_more_roles_and_confirmed_addresses() {
    let more = |options: &mut cerrojo_testkit::Options| {
        options.settings.verification = cerrojo_app::Verification::Notify;
        options.settings.roles = cerrojo_domain::Roles::new([(3, "operator".to_owned())]).unwrap();
    };
    on_both_engines_with(more, async |app| {
        let (mut browser, _) = administrator(&app).await;
        app.user("ana").await;
        app.clock.advance(STALE);
        for path in PAGES {
            let en = browser.get(path).await;
            let es = browser.call("GET", path).header("accept-language", "es").await;
            for (page, language) in [(&en, "en"), (&es, "es")] {
                assert_eq!(page.status, 200, "{path}: {page}");
                assert_eq!(page.header("cache-control"), Some("no-store"));
                let policy = page.header("content-security-policy").unwrap();
                assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
                let page = text(page);
                says(&page, &format!("<html lang=\"{language}\">"));
                says(&page, "aria-current=\"page\"");
                for wrong in ["<script>", " style=", " onclick", "javascript:", "http://", "https://"] {
                    assert!(!page.contains(wrong), "{path} has {wrong}");
                }
            }
            assert_ne!(text(&en), text(&es), "{path}");
        }
        says(&text(&browser.get("/admin/users").await), "<option value=\"3\">operator</option>");
    })
    .await;
}
