//! The pages for people, by forms and cookies, without scripts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::time::Duration;

use cerrojo_app::{OwnDeletion, Reauthentication, Verification};
use cerrojo_testkit::browser::{Browser, encoded, form, moved, says, text};
use cerrojo_testkit::{Actor, OTHER_PASSWORD, PASSWORD, on_both_engines, on_both_engines_with};
use serde_json::json;

const FOR_ANYBODY: [&str; 9] = [
    "/login",
    "/register",
    "/register/sent",
    "/forgot-password",
    "/forgot-password/sent",
    "/resend-verification",
    "/logged-out",
    "/login?next=/account",
    "/logged-out?x=y",
];
const OF_ACCOUNTS: [&str; 5] =
    ["/account", "/account/password", "/account/delete", "/account/devices", "/account/devices/end"];

/// Every page with all that it takes.
fn all_there_is(options: &mut cerrojo_testkit::Options) {
    options.settings.verification = Verification::Notify;
    options.settings.own_deletion = OwnDeletion::Allowed;
    options.settings.reauthentication = Reauthentication::Required;
}

#[tokio::test]
async fn every_page_is_whole_in_both_languages_and_carries_no_script_in_its_text() {
    on_both_engines_with(all_there_is, async |app| {
        let mut browser = Browser::of(&app);
        let mut pages = Vec::new();
        for path in FOR_ANYBODY {
            pages.push((
                path,
                browser.get(path).await,
                browser.call("GET", path).header("accept-language", "es").await,
            ));
        }
        browser.register("ana").await;
        for path in OF_ACCOUNTS.into_iter().chain(["/logout"]) {
            pages.push((
                path,
                browser.get(path).await,
                browser.call("GET", path).header("accept-language", "es").await,
            ));
        }
        for (path, en, es) in &pages {
            for (page, language) in [(en, "en"), (es, "es")] {
                assert_eq!(page.status, 200, "{path}: {page}");
                assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
                assert_eq!(page.header("content-language"), Some(language));
                assert_eq!(page.header("cache-control"), Some("no-store"));
                assert_eq!(page.header("referrer-policy"), Some("same-origin"));
                assert_eq!(page.header("x-frame-options"), Some("DENY"));
                let policy = page.header("content-security-policy").unwrap();
                assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
                let text = text(page);
                says(&text, &format!("<html lang=\"{language}\">"));
                for wrong in ["<script>", " style=", " onclick", "javascript:", "http://", "https://"] {
                    assert!(!text.contains(wrong), "{path} has {wrong}");
                }
            }
            assert_ne!(text(en), text(es), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_page_has_fifty_kilobytes_at_most_in_all() {
    on_both_engines_with(all_there_is, async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        for _ in 0..20 {
            let other = browser.person.try_login("ana@example.com", PASSWORD).await;
            browser.person.with_token(other.data()["token"].as_str().unwrap()).logout().await;
            browser.person.try_login("ana@example.com", PASSWORD).await;
            browser.person.try_login("ana@example.com", PASSWORD).await;
        }
        let page = text(&browser.get("/account/devices").await);
        says(&page, "More sessions are open than are shown");
        let mut whole = page.len();
        for part in page.split("/pages/").skip(1) {
            let file = browser.get(&format!("/pages/{}", part.split('"').next().unwrap())).await;
            assert_eq!(file.status, 200);
            assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
            whole += file.body.len();
        }
        assert!(whole < 50_000, "{whole} bytes");
        assert_eq!(app.visitor().get("/pages/other.css").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn a_person_registers_signs_out_and_signs_in_again() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        let (place, page) = browser.follow("/account".to_owned()).await;
        assert_eq!(place, "/login?next=/account");
        says(&page, "<h1>Sign in</h1>");
        browser.register("ana").await;
        let held = browser.token();
        assert!(browser.person.with_token(&held).is_in().await, "it is an ordinary token");
        assert_eq!(browser.get("/login").await.header("location"), Some("/account"));

        let (place, page) = browser.send_and_follow("/logout", &[]).await;
        assert_eq!(place, "/logged-out");
        says(&page, "You are signed out");
        says(&page, "ana@example.com");
        says(&page, "It was signed out on that device.");
        assert!(!browser.person.with_token(&held).is_in().await);
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
        assert!(!text(&browser.get("/logged-out").await).contains("ana@"), "it is told once");

        let fields = [("email", "ana@example.com"), ("password", "wrong"), ("next", "/account/devices")];
        let reply = browser.send("/login", &fields).await;
        assert_eq!(reply.status, 401);
        let page = text(&reply);
        says(&page, "The email address or the password is wrong.");
        says(&page, "value=\"ana@example.com\"");
        says(&page, "name=\"next\" value=\"/account/devices\"");
        assert!(!page.contains("wrong\""), "no password comes back");
        let fields = [("email", "ana@example.com"), ("password", PASSWORD), ("next", "/account/devices")];
        let (place, page) = browser.send_and_follow("/login", &fields).await;
        assert_eq!(place, "/account/devices");
        says(&page, "This device");
    })
    .await;
}

#[tokio::test]
async fn a_browser_that_signs_in_anew_leaves_no_session_behind() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let before = browser.token();
        browser.sign_in("ana@example.com", PASSWORD).await;
        assert_ne!(browser.token(), before);
        assert!(!browser.person.with_token(&before).is_in().await);
    })
    .await;
}

#[tokio::test]
async fn who_knows_a_sessions_id_alone_is_told_nothing() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let token = browser.token();
        let session = browser.person.with_token(&token).get("/api/auth/sessions").await.data()["sessions"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        browser.send("/logout", &[]).await;
        let sealed = browser.cookies.values().next().unwrap().clone();
        let forged = [
            format!("signed-out.{session}"),
            sealed.replacen("signed-out", "ended", 1),
            format!("{}0", &sealed[..sealed.len() - 1]),
        ];
        for note in forged.into_iter().filter(|note| *note != sealed) {
            let page =
                text(&app.visitor().call("GET", "/logged-out").header("cookie", format!("cerrojo-done={note}")).await);
            assert!(!page.contains("ana@") && !page.contains("<time"), "{note}: {page}");
        }
        // Nor by the right one once its minute is over.
        app.clock.advance(std::time::Duration::from_secs(61));
        let page = text(&browser.get("/logged-out").await);
        assert!(!page.contains("ana@"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn a_node_that_cannot_know_says_of_no_session_that_it_is_over() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        if app.engine() == cerrojo_testkit::Engine::Sqlite {
            return;
        }
        app.stop_beating();
        app.clock.advance(std::time::Duration::from_secs(5));
        for path in ["/logged-out", "/logout", "/login", "/account"] {
            let reply = browser.get(path).await;
            assert_eq!(reply.status, 503, "{path}: {reply}");
            assert!(!text(&reply).contains("You are signed out"), "{path}");
        }
        let reply = browser.send("/logout", &[]).await;
        assert_eq!(reply.status, 503, "{reply}");
        assert!(!browser.cookies.is_empty(), "and the cookie stays");
    })
    .await;
}

#[tokio::test]
async fn a_data_file_is_recorded_also_from_the_page() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        assert_eq!(browser.get("/account/data").await.status, 200);
        let acts =
            browser.person.with_token(&browser.token()).get("/api/auth/profile/data").await.data()["audit"].clone();
        assert_eq!(acts.to_string().matches("data.exported").count(), 2, "{acts}");
    })
    .await;
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let session = [
            "/login",
            "/register",
            "/logout",
            "/forgot-password",
            "/resend-verification",
            "/account",
            "/account/password",
            "/account/delete",
            "/account/devices/end",
            "/account/devices/end-others",
        ];
        let links = ["/reset-password", "/verify-email", "/accept-invitation"];
        let others =
            [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")];
        let fields = [("email", "ana@example.com"), ("password", PASSWORD), ("token", "x"), ("newPassword", "y")];
        for path in session.into_iter().chain(links) {
            let bare = form(browser.call("POST", path), &fields);
            let refused = others.iter().map(|(name, value)| bare.clone().header(name, value)).chain([bare.clone()]);
            for call in refused {
                let reply = call.await;
                assert_eq!(reply.status, 403, "{path}: {reply}");
                assert!(reply.header("set-cookie").is_none(), "{path}");
                says(&text(&reply), "This form was not sent from a page of this site.");
            }
            let kept_back = bare.header("origin", "null").await;
            assert_eq!(kept_back.status == 403, session.contains(&path), "{path}: {kept_back}");
        }
        assert!(browser.person.with_token(&browser.token()).is_in().await, "nobody was signed out");
        let own = form(browser.call("POST", "/login"), &fields).header("origin", cerrojo_testkit::PUBLIC_URL).await;
        assert_eq!(own.status, 303, "{own}");
    })
    .await;
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    on_both_engines(async |app| {
        app.user("ana").await;
        for next in ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\r\nb: c", "javascript:x"]
        {
            let mut browser = Browser::of(&app);
            let page = text(&browser.get(&format!("/login?next={}", encoded(next))).await);
            assert!(!page.contains("name=\"next\""), "{next}");
            let fields = [("email", "ana@example.com"), ("password", PASSWORD), ("next", next)];
            assert_eq!(moved(&browser.send("/login", &fields).await), "/account", "{next}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_reset_link_is_used_by_its_button_and_once() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let mut browser = Browser::of(&app);
        let (place, page) = browser.send_and_follow("/forgot-password", &[("email", "ana@example.com")]).await;
        assert_eq!(place, "/forgot-password/sent");
        says(&page, "If that address has an account here");
        let code = app.link_code("ana@example.com").await;
        let link = format!("/reset-password?token={code}");
        for _ in 0..3 {
            let reply = browser.get(&link).await;
            assert_eq!((reply.status, reply.header("referrer-policy")), (200, Some("no-referrer")));
            let page = text(&reply);
            assert_eq!(page.matches(&code).count(), 1, "in the form alone");
            says(&page, &format!("name=\"token\" value=\"{code}\""));
        }
        let reply = browser.send("/reset-password", &[("token", &code), ("newPassword", "1234567")]).await;
        assert_eq!((reply.status, reply.header("referrer-policy")), (400, Some("no-referrer")));
        says(&text(&reply), "at least 8 characters");
        says(&text(&reply), "aria-invalid=\"true\"");
        assert!(ana.is_in().await, "nothing was done yet");
        let fields = [("token", &*code), ("newPassword", OTHER_PASSWORD)];
        let reply = browser.send("/reset-password", &fields).await;
        assert_eq!(moved(&reply), "/done");
        let (_, page) = browser.follow("/done".to_owned()).await;
        says(&page, "Your password has changed");
        assert!(!ana.is_in().await);
        for reply in [browser.get(&link).await, browser.send("/reset-password", &fields).await] {
            assert_eq!(reply.status, 401);
            says(&text(&reply), "This link works no more");
            says(&text(&reply), "href=\"/forgot-password\"");
            assert!(!text(&reply).contains(&code));
        }
        browser.sign_in("ana@example.com", OTHER_PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_link_that_expired_or_is_none_says_so() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        app.clock.advance(Duration::from_hours(1));
        let mut browser = Browser::of(&app);
        for path in ["/reset-password", "/verify-email", "/accept-invitation"] {
            for query in [format!("?token={code}"), "?token=".to_owned(), String::new(), "?token=a&token=b".to_owned()]
            {
                let reply = browser.get(&format!("{path}{query}")).await;
                assert_eq!(reply.status, 401, "{path}{query}");
                says(&text(&reply), "This link works no more");
            }
            assert_eq!(browser.send(path, &[]).await.status, 401, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_is_confirmed_by_a_button_before_anybody_signs_in() {
    on_both_engines_with(
        |options| options.settings.verification = Verification::Required,
        async |app| {
            let mut browser = Browser::of(&app);
            let fields = [("name", "Ana"), ("email", "ana@example.com"), ("password", PASSWORD)];
            let (place, page) = browser.send_and_follow("/register", &fields).await;
            assert_eq!(place, "/register/sent");
            says(&page, "Look at your mail");
            let reply = browser.send("/login", &fields).await;
            assert_eq!(reply.status, 403);
            says(&text(&reply), "href=\"/resend-verification\"");
            let code = app.link_code("ana@example.com").await;
            let link = format!("/verify-email?token={code}");
            for _ in 0..2 {
                assert_eq!(browser.get(&link).await.status, 200);
            }
            let (_, page) = browser.send_and_follow("/verify-email", &[("token", &code)]).await;
            says(&page, "Email address confirmed");
            says(&page, "href=\"/login\"");
            assert_eq!(browser.get(&link).await.status, 401);
            browser.sign_in("ana@example.com", PASSWORD).await;
            let mut other = Browser::of(&app);
            other.send("/register", &[("name", "Berta"), ("email", "berta@example.com"), ("password", PASSWORD)]).await;
            let before = app.mails().await.len();
            let (place, _) = other.send_and_follow("/resend-verification", &[("email", "berta@example.com")]).await;
            assert_eq!(place, "/register/sent");
            assert_eq!(app.mails().await.len(), before + 1);

            let fields = [("name", "Ana"), ("email", "otra@example.com")];
            let (_, page) = browser.send_and_follow("/account", &fields).await;
            says(&page, "Confirm your new address");
            says(&page, "otra@example.com");
            let code = app.link_code("otra@example.com").await;
            browser.send_and_follow("/verify-email", &[("token", &code)]).await;
            says(&browser.follow("/account".to_owned()).await.1, "value=\"otra@example.com\"");
        },
    )
    .await;
}

#[tokio::test]
async fn who_is_invited_chooses_a_name_and_a_password() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let invitation = json!({ "email": "ana@example.com", "name": "Ana \"<b>" });
        assert_eq!(admin.post("/api/admin/invitations", invitation).await.status, 201);
        let code = app.link_code("ana@example.com").await;
        let mut browser = Browser::of(&app);
        let page = text(&browser.get(&format!("/accept-invitation?token={code}")).await);
        says(&page, "ana@example.com");
        says(&page, "value=\"Ana &quot;&lt;b&gt;\"");
        let reply = browser.send("/accept-invitation", &[("token", &code), ("name", "Ana"), ("password", "")]).await;
        assert_eq!(reply.status, 400);
        says(&text(&reply), "Choose a password.");
        says(&text(&reply), "ana@example.com");
        let fields = [("token", &*code), ("name", "Ana"), ("password", PASSWORD)];
        let (_, page) = browser.send_and_follow("/accept-invitation", &fields).await;
        says(&page, "Your account is ready");
        browser.sign_in("ana@example.com", PASSWORD).await;
    })
    .await;
}

#[tokio::test]
async fn a_sign_out_never_ends_in_an_error() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let mut nobody = Browser::of(&app);
        let mut stranger = Browser::of(&app);
        stranger.cookies.insert("cerrojo".to_owned(), "a.b.c".to_owned());
        let (mut ended, mut expired) = (Browser::of(&app), Browser::of(&app));
        ended.register("ana").await;
        expired.register("berta").await;
        let ana = ended.person.with_token(&ended.token()).get("/api/auth/profile").await.data()["user"]["id"].clone();
        admin
            .delete(&format!("/api/admin/users/{ana}/sessions"))
            .await
            .assert_ok(200, "Sesiones cerradas exitosamente");
        let (_, page) = ended.send_and_follow("/logout", &[]).await;
        says(&page, "ana@example.com");
        says(&page, "an administrator");
        app.clock.advance(Duration::from_hours(25));
        let (_, page) = expired.send_and_follow("/logout", &[]).await;
        says(&page, "You are signed out");
        for browser in [&mut nobody, &mut stranger, &mut ended] {
            let (place, page) = browser.send_and_follow("/logout", &[]).await;
            assert_eq!(place, "/logged-out");
            says(&page, "No session is open in this browser.");
            assert!(browser.cookies.is_empty());
        }
        for browser in [&mut nobody, &mut stranger] {
            assert_eq!(browser.follow("/logout".to_owned()).await.0, "/logged-out", "opened as a link");
        }
    })
    .await;
}

#[tokio::test]
async fn to_open_a_link_signs_nobody_out() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        for path in ["/logout", "/logged-out"] {
            let reply = browser.get(path).await;
            assert_eq!(reply.status, 200);
            says(&text(&reply), "You are signed in as");
        }
        assert!(browser.person.with_token(&browser.token()).is_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ended_elsewhere_says_why_and_leads_back() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let other = browser.person.try_login("ana@example.com", PASSWORD).await;
        let other = browser.person.with_token(other.data()["token"].as_str().unwrap());
        let change = json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD });
        assert_eq!(other.put("/api/auth/password", change).await.status, 200);
        let (place, page) = browser.follow("/account/devices".to_owned()).await;
        assert_eq!(place, "/login?next=/account/devices");
        says(&page, "Your session has ended");
        says(&page, "The password of the account was changed.");
        says(&page, "name=\"next\" value=\"/account/devices\"");
        assert!(browser.cookies.is_empty());
    })
    .await;
}

#[tokio::test]
async fn devices_are_seen_and_ended() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let berta = app.user("berta").await;
        let phone = browser.person.on("Mozilla/5.0 (iPhone) Safari/604.1");
        let signed_in = async |device: &Actor| {
            let reply = device.try_login("ana@example.com", PASSWORD).await;
            device.with_token(reply.data()["token"].as_str().unwrap())
        };
        let (one, two, three) = (signed_in(&phone).await, signed_in(&phone).await, signed_in(&phone).await);
        let page = text(&browser.get("/account/devices").await);
        assert_eq!(page.matches("Safari, iPhone</h2>").count(), 3, "{page}");
        assert_eq!(page.matches("This device").count(), 1);
        says(&page, &format!("value=\"{}\"", one.session_id()));
        let (_, page) = browser.send_and_follow("/account/devices/end", &[("id", &one.session_id())]).await;
        says(&page, "Session ended");
        says(&page, "You ended it from another device.");
        assert!(!one.is_in().await && two.is_in().await);
        for over in [one.session_id(), berta.session_id(), "x y".to_owned(), String::new()] {
            let (_, page) = browser.send_and_follow("/account/devices/end", &[("id", &over)]).await;
            says(&page, "That session is not open");
        }
        assert!(berta.is_in().await, "somebody else's");
        let (_, page) = browser.send_and_follow("/account/devices/end-others", &[]).await;
        says(&page, "All other sessions are over");
        assert!(!two.is_in().await && !three.is_in().await);
        let own = browser.person.with_token(&browser.token()).session_id();
        let (place, page) = browser.send_and_follow("/account/devices/end", &[("id", &own)]).await;
        assert_eq!(place, "/logged-out");
        says(&page, "ana@example.com");
    })
    .await;
}

#[tokio::test]
async fn the_password_is_asked_for_where_the_settings_say_so() {
    on_both_engines_with(all_there_is, async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let other = browser.person.try_login("ana@example.com", PASSWORD).await;
        let other = browser.person.with_token(other.data()["token"].as_str().unwrap());
        let id = other.session_id();
        says(&text(&browser.get("/account/devices").await), &format!("href=\"/account/devices/end?id={id}\""));
        says(&text(&browser.get(&format!("/account/devices/end?id={id}")).await), "name=\"currentPassword\"");
        for (password, status) in [("", 400), ("wrong", 401)] {
            let fields = [("id", &*id), ("currentPassword", password)];
            let reply = browser.send("/account/devices/end", &fields).await;
            assert_eq!(reply.status, status, "{reply}");
            says(&text(&reply), &format!("name=\"id\" value=\"{id}\""));
            let reply = browser.send("/account/devices/end-others", &fields[1..]).await;
            assert_eq!(reply.status, status, "{reply}");
        }
        assert!(other.is_in().await);
        browser.send_and_follow("/account/devices/end-others", &[("currentPassword", PASSWORD)]).await;
        assert!(!other.is_in().await);
        let fields = [("name", "Ana"), ("email", "otra@example.com"), ("currentPassword", "")];
        let reply = browser.send("/account", &fields).await;
        assert_eq!(reply.status, 400);
        says(&text(&reply), "Enter your current password.");
        says(&text(&reply), "value=\"otra@example.com\"");
    })
    .await;
}

#[tokio::test]
async fn the_account_is_changed_by_its_forms() {
    on_both_engines(async |app| {
        app.user("berta").await;
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let name = "Ana <script>alert(1)</script> \"Ñ\"";
        let (_, page) = browser.send_and_follow("/account", &[("name", name), ("email", "ANA@example.com")]).await;
        says(&page, "Changes saved");
        says(&page, "value=\"Ana &lt;script&gt;alert(1)&lt;");
        assert!(!page.contains("<script>"), "{page}");
        for (fields, status, words) in [
            ([("name", ""), ("email", "ana@example.com")], 400, "Enter your name."),
            ([("name", "Ana"), ("email", " ")], 400, "Enter your email address."),
            ([("name", "Ana"), ("email", "ana")], 400, "such as name@example.com"),
            ([("name", "Ana"), ("email", "berta@example.com")], 409, "Another account has this email address already."),
        ] {
            let reply = browser.send("/account", &fields).await;
            assert_eq!(reply.status, status, "{reply}");
            says(&text(&reply), words);
        }
        let (_, page) = browser.send_and_follow("/account", &[("name", "Ana"), ("email", "otra@example.com")]).await;
        says(&page, "Email address changed");

        let reply =
            browser.send("/account/password", &[("currentPassword", "x"), ("newPassword", OTHER_PASSWORD)]).await;
        assert_eq!(reply.status, 401);
        says(&text(&reply), "The current password is wrong.");
        assert!(!text(&reply).contains(OTHER_PASSWORD));
        let fields = [("currentPassword", PASSWORD), ("newPassword", OTHER_PASSWORD)];
        let (_, page) = browser.send_and_follow("/account/password", &fields).await;
        says(&page, "Password changed");

        let data = browser.get("/account/data").await;
        assert_eq!(data.header("content-disposition"), Some("attachment; filename=\"account.json\""));
        assert_eq!(data.header("cache-control"), Some("no-store"));
        assert_eq!(data.json()["user"]["email"], "otra@example.com");
        assert_eq!(browser.get("/account/delete").await.status, 404, "not where the settings do not allow it");
        assert_eq!(browser.send("/account/delete", &[("currentPassword", OTHER_PASSWORD)]).await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn an_account_is_deleted_with_its_password_where_that_is_allowed() {
    on_both_engines_with(
        |options| options.settings.own_deletion = OwnDeletion::Allowed,
        async |app| {
            let mut browser = Browser::of(&app);
            browser.register("ana").await;
            says(&text(&browser.get("/account").await), "href=\"/account/delete\"");
            for (password, status) in [("", 400), ("wrong", 401)] {
                assert_eq!(browser.send("/account/delete", &[("currentPassword", password)]).await.status, status);
            }
            let held = browser.token();
            let (place, page) = browser.send_and_follow("/account/delete", &[("currentPassword", PASSWORD)]).await;
            assert_eq!(place, "/done");
            says(&page, "Your account is deleted");
            assert!(browser.cookies.is_empty());
            assert!(!browser.person.with_token(&held).is_in().await);
            assert_eq!(
                browser.send("/login", &[("email", "ana@example.com"), ("password", PASSWORD)]).await.status,
                401
            );
        },
    )
    .await;
}

#[tokio::test]
async fn what_was_left_out_is_named_beside_its_field() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let mut browser = Browser::of(&app);
        let page = text(&browser.send("/register", &[("name", " "), ("email", ""), ("password", "")]).await);
        for (field, words) in [("name", "your name."), ("email", "your email address."), ("password", "a password.")] {
            says(&page, words);
            says(&page, &format!("<a href=\"#{field}\">"));
            says(&page, &format!("id=\"{field}-fault\""));
        }
        says(&page, "<title>Error: Create an account");
        says(&page, "role=\"alert\" tabindex=\"-1\" autofocus");
        let taken = [("name", "Ana"), ("email", "ana@example.com"), ("password", PASSWORD)];
        let reply = browser.send("/register", &taken).await;
        assert_eq!(reply.status, 409);
        says(&text(&reply), "There is an account with this email address already.");
        assert!(!text(&reply).contains(PASSWORD));
    })
    .await;
}

#[tokio::test]
async fn pages_are_limited_as_the_api_is_and_say_when_to_come_back() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let mut browser = Browser::of(&app);
        let wrong = [("email", "ana@example.com"), ("password", "wrong")];
        for _ in 0..5 {
            assert_eq!(browser.send("/login", &wrong).await.status, 401);
        }
        let reply = browser.send("/login", &wrong).await;
        assert_eq!((reply.status, reply.number("retry-after")), (429, 900));
        says(&text(&reply), "There were too many attempts. Try again in 15 minutes.");
        assert_eq!(browser.person.try_login("ana@example.com", PASSWORD).await.status, 429, "one limit for both");
    })
    .await;
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    on_both_engines(async |app| {
        let browser = Browser::of(&app);
        let send = |kind: &str, body: &str| {
            let call = browser.call("POST", "/login").header("sec-fetch-site", "same-origin");
            call.header("content-type", kind).body(body)
        };
        let form = "application/x-www-form-urlencoded";
        for (kind, body, status) in [
            ("application/json", "{}", 415),
            ("multipart/form-data; boundary=x", "--x--", 415),
            (form, "email=a&email=b", 400),
            (form, "email=%00", 400),
            (form, "email=%ff", 400),
        ] {
            let reply = send(kind, body).await;
            assert_eq!(reply.status, status, "{kind} {body}: {reply}");
            assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        }
        assert_eq!(send(form, &format!("email={}", "a".repeat(70_000))).await.status, 413);
    })
    .await;
}

#[tokio::test]
async fn browsers_are_shown_a_page_where_there_is_nothing_and_programs_the_contracts_words() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        let reply = browser.get("/nothing/here").await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("text/html; charset=utf-8")));
        says(&text(&reply), "There is nothing here");
        let reply = browser.take(browser.call("DELETE", "/login")).await;
        assert_eq!((reply.status, reply.header("content-type")), (405, Some("text/html; charset=utf-8")));
        assert!(reply.header("allow").is_some_and(|allow| allow.contains("POST")), "{reply}");
        app.visitor().get("/nothing/here").await.assert_code(404, "NOT_FOUND");
        app.visitor().delete("/login").await.assert_code(405, "METHOD_NOT_ALLOWED");
        app.visitor().get("/nothing").header("accept", "*/*").await.assert_code(404, "NOT_FOUND");
    })
    .await;
}

#[tokio::test]
async fn where_the_settings_have_them_off_there_are_no_pages() {
    on_both_engines_with(
        |options| options.http.pages = None,
        async |app| {
            let browser = Browser::of(&app);
            for path in FOR_ANYBODY.into_iter().chain(OF_ACCOUNTS).chain(["/reset-password?token=x", "/pages/x.css"]) {
                browser.call("GET", path).await.assert_code(404, "NOT_FOUND");
            }
        },
    )
    .await;
}

#[tokio::test]
async fn a_closed_registration_is_said_and_not_offered() {
    let closed = |options: &mut cerrojo_testkit::Options| {
        options.settings.registration = cerrojo_app::Registration::Closed;
    };
    on_both_engines_with(closed, async |app| {
        let mut browser = Browser::of(&app);
        assert!(!text(&browser.get("/login").await).contains("/register"));
        let fields = [("name", "Ana"), ("email", "ana@example.com"), ("password", PASSWORD)];
        for reply in [browser.get("/register").await, browser.send("/register", &fields).await] {
            assert_eq!(reply.status, 403);
            says(&text(&reply), "Accounts cannot be created here");
        }
    })
    .await;
}

#[tokio::test]
async fn passwords_are_typed_unseen_and_password_managers_know_them() {
    on_both_engines_with(all_there_is, async |app| {
        let mut browser = Browser::of(&app);
        let mut pages = vec![text(&browser.get("/login").await), text(&browser.get("/register").await)];
        browser.register("ana").await;
        for path in ["/account/password", "/account/delete", "/account/devices/end"] {
            pages.push(text(&browser.get(path).await));
        }
        app.mails().await;
        let code = app.reset_code("ana@example.com").await;
        pages.push(text(&browser.get(&format!("/reset-password?token={code}")).await));
        for page in pages {
            let fields: Vec<&str> = page.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
            let passwords: Vec<&&str> = fields
                .iter()
                .filter(|field| field.to_lowercase().contains("name=\"") && field.contains("assword\""))
                .collect();
            assert!(!passwords.is_empty(), "{page}");
            for field in passwords {
                assert!(field.contains("type=\"password\""), "{field}");
                let known = ["autocomplete=\"current-password\"", "autocomplete=\"new-password\""];
                assert!(known.iter().any(|known| field.contains(known)), "{field}");
                assert!(!field.contains("maxlength") && !field.contains("onpaste"), "{field}");
            }
        }
        let page = text(&browser.get("/login").await);
        assert!(page.is_empty(), "signed in already");
    })
    .await;
}

#[tokio::test]
async fn every_page_of_an_account_has_the_way_out() {
    on_both_engines_with(all_there_is, async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        for path in OF_ACCOUNTS {
            let page = text(&browser.get(path).await);
            says(&page, "<form method=\"post\" action=\"/logout\"><button id=\"sign-out\"");
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_below_a_path_links_to_its_own_pages() {
    let below = |options: &mut cerrojo_testkit::Options| {
        options.settings = cerrojo_app::Settings {
            password: options.settings.password.clone(),
            ..cerrojo_app::Settings::for_url("https://example.com/auth")
        };
    };
    on_both_engines_with(below, async |app| {
        let mut browser = Browser::of(&app);
        let page = text(&browser.get("/login").await);
        for place in ["action=\"/auth/login\"", "href=\"/auth/pages/pages-", "href=\"/auth/forgot-password\""] {
            says(&page, place);
        }
        let fields = [("name", "Ana"), ("email", "ana@example.com"), ("password", PASSWORD)];
        let reply = browser.send("/register", &fields).await;
        assert_eq!(moved(&reply), "/auth/account");
        assert!(browser.cookies.contains_key("__Host-cerrojo"), "{:?}", browser.cookies);
    })
    .await;
}

#[tokio::test]
async fn password_managers_are_told_the_address_in_force() {
    on_both_engines_with(all_there_is, async |app| {
        let mut browser = Browser::of(&app);
        browser.register("ana").await;
        let fields = [("name", "ana"), ("email", "otra@example.com"), ("currentPassword", PASSWORD)];
        assert_eq!(browser.send_and_follow("/account", &fields).await.0, "/account");
        for path in ["/account/password", "/account/delete", "/account/devices/end"] {
            says(&text(&browser.get(path).await), "value=\"otra@example.com\" autocomplete=\"username\"");
        }
    })
    .await;
}

#[tokio::test]
async fn whoever_signs_out_is_out_of_every_cookie_of_that_name() {
    on_both_engines(async |app| {
        let (mut browser, mut other) = (Browser::of(&app), Browser::of(&app));
        browser.register("ana").await;
        other.register("mala").await;
        let planted = "cerrojo=x; ".repeat(9);
        let both = format!("{planted}cerrojo={}; cerrojo={}", other.token(), browser.token());
        let call = app.visitor().call("POST", "/logout").header("cookie", both);
        let reply = form(call, &[]).header("sec-fetch-site", "same-origin").await;
        assert_eq!(moved(&reply), "/logged-out");
        let too_many = app.visitor().call("POST", "/logout").header("cookie", "cerrojo=x; ".repeat(40));
        let reply = form(too_many, &[]).header("sec-fetch-site", "same-origin").await;
        assert_eq!(reply.status, 400, "it does not say that it is done: {reply}");
        for token in [browser.token(), other.token()] {
            assert!(!app.visitor().with_token(&token).is_in().await);
        }
    })
    .await;
}

#[tokio::test]
async fn the_servers_name_alone_leads_to_where_one_signs_in_or_to_the_account() {
    on_both_engines(async |app| {
        let mut browser = Browser::of(&app);
        let (place, _) = browser.follow("/".to_owned()).await;
        assert_eq!(place, "/login?next=/account");
        browser.register("ana").await;
        assert_eq!(browser.follow("/".to_owned()).await.0, "/account");
    })
    .await;
}
