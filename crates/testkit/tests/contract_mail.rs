//! Mail: who gets which, in which language, and what happens when the mail server is down.

use std::time::Duration;

use cerrojo_app::Locale;
use cerrojo_domain::{Clock as _, UserId};
use cerrojo_store::outbox;
use cerrojo_testkit::{OTHER_PASSWORD, PASSWORD, on_both_engines, on_both_engines_with};
use serde_json::json;

const FORGOT: &str = "/api/auth/forgot-password";

#[tokio::test]
async fn a_reset_mail_carries_the_link() {
    on_both_engines(async |app| {
        app.user("ana").await;
        app.visitor()
            .post(FORGOT, json!({ "email": " ANA@Example.com" }))
            .await
            .assert_ok(200, "Si el email está registrado, recibirás instrucciones para restablecer tu contraseña");
        let mails = app.mails().await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, "ana@example.com");
        let link = format!("http://127.0.0.1:4000/reset-password?token={}", mails[0].reset_code());
        assert!(mails[0].text.contains(&link), "{}", mails[0].text);
        assert!(mails[0].html.contains(&link), "{}", mails[0].html);
        assert!(mails[0].text.contains("contraseña"), "{}", mails[0].text);
        assert!(!mails[0].subject.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_link_is_a_configured_address() {
    on_both_engines_with(
        |options| options.settings.reset_link = "https://app.example.com/nueva-clave/{token}".to_owned(),
        async |app| {
            app.user("ana").await;
            app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
            let mails = app.mails().await;
            assert!(mails[0].text.contains("https://app.example.com/nueva-clave/"), "{}", mails[0].text);
            assert!(!mails[0].text.contains("{token}"), "{}", mails[0].text);
        },
    )
    .await;
}

#[tokio::test]
async fn mail_can_be_english() {
    on_both_engines_with(
        |options| options.settings.locale = Locale::En,
        async |app| {
            app.user("ana").await;
            app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
            let mails = app.mails().await;
            assert!(mails[0].text.contains("password") && !mails[0].text.contains("contraseña"), "{}", mails[0].text);
        },
    )
    .await;
}

#[tokio::test]
async fn an_account_gets_three_reset_mails_an_hour() {
    on_both_engines(async |app| {
        app.user("ana").await;
        for _ in 0..6 {
            let reply = app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
            assert_eq!(reply.status, 200, "{reply}");
            app.clock.advance(Duration::from_mins(1));
            app.tick().await;
        }
        assert_eq!(app.mails().await.len(), 3);
        app.clock.advance(Duration::from_hours(1));
        app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
        assert_eq!(app.mails().await.len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_requests_bring_three_mails_at_most() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let calls: Vec<_> = (0..8).map(|_| app.visitor().post(FORGOT, json!({ "email": "ana@example.com" }))).collect();
        for reply in app.together(calls).await {
            assert_eq!(reply.status, 200, "{reply}");
        }
        assert_eq!(app.mails().await.len(), 3);
        app.clock.advance(Duration::from_hours(2));
        assert_eq!(app.mails().await.len(), 3, "what was too much is dropped, not kept for later");
    })
    .await;
}

#[tokio::test]
async fn a_changed_password_is_told() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        ana.put("/api/auth/password", json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD }))
            .await
            .assert_ok(200, "Contraseña actualizada exitosamente");
        let mails = app.mails().await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, "ana@example.com");
        for secret in [PASSWORD, OTHER_PASSWORD] {
            assert!(!mails[0].text.contains(secret) && !mails[0].html.contains(secret));
        }
    })
    .await;
}

#[tokio::test]
async fn a_reset_password_is_told() {
    on_both_engines(async |app| {
        app.user("ana").await;
        let code = app.reset_code("ana@example.com").await;
        let reply = app
            .visitor()
            .post("/api/auth/reset-password", json!({ "token": code, "newPassword": OTHER_PASSWORD }))
            .await;
        assert_eq!(reply.status, 200, "{reply}");
        let mails = app.mails().await;
        assert_eq!(mails.len(), 2);
        assert!(!mails[1].text.contains("token="), "{}", mails[1].text);
    })
    .await;
}

#[tokio::test]
async fn a_changed_email_is_told_to_the_old_address() {
    on_both_engines(async |app| {
        let admin = app.admin().await;
        let ana = app.user("ana").await;
        ana.put("/api/auth/profile", json!({ "email": "ana@example.org" }))
            .await
            .assert_ok(200, "Perfil actualizado exitosamente");
        let mails = app.mails().await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to, "ana@example.com");
        admin
            .put(&format!("/api/admin/users/{}", ana.id), json!({ "email": "ana@example.net" }))
            .await
            .assert_ok(200, "Usuario actualizado exitosamente");
        let mails = app.mails().await;
        assert_eq!(mails.len(), 2);
        assert_eq!(mails[1].to, "ana@example.org");
    })
    .await;
}

#[tokio::test]
async fn a_name_cannot_write_into_the_mail() {
    on_both_engines(async |app| {
        let body = json!({ "name": "<img src=x onerror=alert(1)>", "email": "ana@example.com", "password": PASSWORD });
        app.visitor().post("/api/auth/register", body).await.assert_ok(201, "Usuario registrado exitosamente");
        app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
        let mails = app.mails().await;
        assert!(!mails[0].html.contains("<img"), "{}", mails[0].html);
    })
    .await;
}

#[tokio::test]
async fn a_mail_server_that_is_down_delays_mail_and_no_request() {
    on_both_engines(async |app| {
        app.user("ana").await;
        app.mailbox.go_down();
        let reply = app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert!(app.mails().await.is_empty());
        app.mailbox.come_back();
        app.restart().await;
        app.clock.advance(Duration::from_mins(10));
        let mails = app.mails().await;
        assert_eq!(mails.len(), 1);
        let body = json!({ "token": mails[0].reset_code(), "newPassword": OTHER_PASSWORD });
        let reply = app.visitor().post("/api/auth/reset-password", body).await;
        assert_eq!(reply.status, 200, "{reply}");
    })
    .await;
}

#[tokio::test]
async fn a_mail_of_a_later_release_is_left_to_it() {
    on_both_engines(async |app| {
        let ana = app.user("ana").await;
        let inside = app.inside();
        let write = async |kind: &str| {
            let mut tx = inside.store.begin().await.unwrap();
            let (user, now) = (Some(UserId(ana.id)), app.clock.now());
            outbox::insert(&mut tx, kind, user, "{\"of\": \"another form\"}", now).await.unwrap();
            tx.commit().await.unwrap();
        };
        let waiting = async || outbox::standing(&mut inside.store.reader(), outbox::Which::Waiting, 50).await.unwrap();
        for number in 0..40 {
            write(&format!("later_{number}")).await;
        }
        // However many there are, they keep nobody waiting.
        app.visitor().post(FORGOT, json!({ "email": "ana@example.com" })).await;
        assert_eq!(app.mails().await.len(), 1);
        for _ in 0..5 {
            app.clock.advance(Duration::from_mins(2));
            assert_eq!(app.mails().await.len(), 1);
        }
        let left = waiting().await;
        assert_eq!(left.len(), 40);
        for job in left {
            assert!(job.attempts == 0 && job.next_at.since(app.clock.now()) <= Duration::from_mins(1), "{job:?}");
        }
        // Nor do they wait for ever.
        app.clock.advance(Duration::from_hours(25));
        app.mails().await;
        assert!(waiting().await.is_empty());
    })
    .await;
}
