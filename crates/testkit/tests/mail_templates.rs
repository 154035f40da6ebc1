//! Texts of mails that an operator puts in the place of the built-in ones.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::sync::Arc;

use cerrojo_app::StartError;
use cerrojo_testkit::{OTHER_PASSWORD, on_both_engines, on_both_engines_with};
use serde_json::json;
use tempfile::TempDir;

const FORGOT: &str = "/api/auth/forgot-password";

fn folder(name: &str, text: &str) -> Arc<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    Arc::new(folder)
}

#[tokio::test]
async fn an_operators_own_text_is_sent() {
    let folder = folder("reset.es.txt", "Subject: ACME\n\nPulsa: {{ link }}\nDesde {{ address }}\n");
    on_both_engines_with(
        |options| options.settings.mail_templates = Some(folder.path().to_owned()),
        async |app| {
            app.user("ana").await;
            app.visitor().at("192.0.2.7").post(FORGOT, json!({ "email": "ana@example.com" })).await;
            let mail = app.mails().await.remove(0);
            let link = format!("http://127.0.0.1:4000/reset-password?token={}", mail.reset_code());
            assert_eq!(mail.text, format!("Pulsa: {link}\nDesde 192.0.2.7\n"));
            assert_eq!((mail.subject.as_str(), mail.html.as_str()), ("ACME", ""));
            let body = json!({ "token": mail.reset_code(), "newPassword": OTHER_PASSWORD });
            assert_eq!(app.visitor().post("/api/auth/reset-password", body).await.status, 200);
            assert_eq!(app.mails().await[1].subject, "Tu contraseña ha cambiado", "the others are as they were");
        },
    )
    .await;
}

#[tokio::test]
async fn a_reset_mail_is_not_lost_for_a_template() {
    // Fine with the samples that it is tried with, and not with everything that comes.
    let text = "Subject: ACME\n\n{% if device == 'curl' %}{{ device / 2 }}{% endif %}{{ link }}\n";
    let folder = folder("reset.es.txt", text);
    on_both_engines_with(
        |options| options.settings.mail_templates = Some(folder.path().to_owned()),
        async |app| {
            app.user("ana").await;
            app.visitor().on("curl/8.5.0").post(FORGOT, json!({ "email": "ana@example.com" })).await;
            let mail = app.mails().await.remove(0);
            assert_eq!(mail.subject, "Restablece tu contraseña");
            let body = json!({ "token": mail.reset_code(), "newPassword": OTHER_PASSWORD });
            assert_eq!(app.visitor().post("/api/auth/reset-password", body).await.status, 200);
        },
    )
    .await;
}

#[tokio::test]
async fn no_server_starts_on_templates_that_are_wrong() {
    let folder = folder("reset.es.txt", "Subject: ACME\n\nNo link at all\n");
    on_both_engines(async |app| {
        app.crash().await;
        app.set(|options| options.settings.mail_templates = Some(folder.path().to_owned()));
        let Err(StartError::Templates(told)) = app.try_run().await else { panic!("it starts") };
        assert!(
            told.to_string().ends_with("reset.es.txt: the link is missing: write {{ link }} where it belongs"),
            "{told}"
        );
        app.set(|options| options.settings.mail_templates = None);
        app.run().await;
    })
    .await;
}
