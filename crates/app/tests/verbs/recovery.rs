//! A forgotten password: the job, the mail, the link.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::place::{Place, origin, place};
use cerrojo_app::Algorithm;
use cerrojo_app::administer::{By, UserChange, update_user};
use cerrojo_app::mail::deliver_due;
use cerrojo_app::recover::{ForgotError, Reset, ResetError, forgot, reset};
use cerrojo_store::outbox;

const NEW: &str = "otra contraseña larga";

async fn ask(place: &Place, email: &str) {
    forgot(&place.app, &origin(), Some(email.to_owned())).await.outcome.unwrap();
}

async fn use_code(place: &Place, code: &str, password: &str) -> Result<(), ResetError> {
    let typed = Reset { token: Some(code.to_owned()), new_password: Some(password.to_owned()) };
    reset(&place.app, &origin(), typed).await.outcome
}

/// The code in the only mail there is.
fn code(place: &Place) -> String {
    let [mail] = <[_; 1]>::try_from(place.mails()).unwrap();
    assert_eq!(mail.to, "ana@example.com");
    let (_, rest) = mail.text.split_once("https://auth.example.com/reset-password?token=").unwrap();
    rest.lines().next().unwrap().to_owned()
}

async fn asked_code(place: &Place) -> String {
    ask(place, "ANA@example.com ").await;
    assert_eq!(deliver_due(&place.app).await.unwrap(), 1);
    code(place)
}

#[tokio::test]
async fn a_link_sets_the_password_once_and_ends_every_session() {
    let place = place(Algorithm::Es256).await;
    let before = place.register("ana@example.com").await.token;
    assert!(place.is_good(&before));
    let code = asked_code(&place).await;
    assert_eq!(code.len(), 43);

    assert!(matches!(use_code(&place, &code, "corta").await, Err(ResetError::Flawed(_))));
    assert!(place.is_good(&before));
    use_code(&place, &code, NEW).await.unwrap();
    assert!(!place.is_good(&before));
    assert!(place.login(crate::place::PASSWORD).await.is_err());
    let after = place.login(NEW).await.unwrap().token;

    assert!(matches!(use_code(&place, &code, NEW).await, Err(ResetError::InvalidToken)));
    assert!(place.is_good(&after));
    assert_eq!(deliver_due(&place.app).await.unwrap(), 1);
    let mails = place.mails();
    assert_eq!(mails[0].subject, "Tu contraseña ha cambiado");
    assert!(mails[0].text.contains("192.0.2.7"));
}

#[tokio::test]
async fn of_two_uses_at_once_one_works() {
    let place = place(Algorithm::Es256).await;
    place.register("ana@example.com").await;
    let code = asked_code(&place).await;
    let (one, other) = tokio::join!(use_code(&place, &code, NEW), use_code(&place, &code, NEW));
    assert_ne!(one.is_ok(), other.is_ok());
}

#[tokio::test]
async fn a_link_is_void_after_an_hour_and_after_whatever_raises_the_epoch() {
    let place = place(Algorithm::Es256).await;
    let user = place.register("ana@example.com").await.user;
    let late = asked_code(&place).await;
    place.clock.forward(Duration::from_hours(1));
    assert!(matches!(use_code(&place, &late, NEW).await, Err(ResetError::InvalidToken)));

    let void = asked_code(&place).await;
    for status in ["suspended", "active"] {
        let change = UserChange { status: Some(status.to_owned()), ..UserChange::default() };
        update_user(&place.app, By::Operator, user.id, change).await.unwrap();
        assert!(matches!(use_code(&place, &void, NEW).await, Err(ResetError::InvalidToken)));
    }
    let good = asked_code(&place).await;
    use_code(&place, &good, NEW).await.unwrap();
}

#[tokio::test]
async fn an_unknown_account_leaves_a_job_and_no_mail() {
    let place = place(Algorithm::Es256).await;
    ask(&place, "nobody@example.com").await;
    assert_eq!(outbox::pending(&mut place.app.store.reader()).await.unwrap(), 1);
    assert_eq!(deliver_due(&place.app).await.unwrap(), 0);
    assert_eq!(outbox::pending(&mut place.app.store.reader()).await.unwrap(), 0);
    assert!(place.mails().is_empty());
}

#[tokio::test]
async fn an_account_gets_three_reset_mails_an_hour() {
    let place = place(Algorithm::Es256).await;
    place.register("ana@example.com").await;
    for _ in 0..5 {
        ask(&place, "ana@example.com").await;
    }
    assert_eq!(deliver_due(&place.app).await.unwrap(), 3);
    assert_eq!(place.mails().len(), 3);
    place.clock.forward(Duration::from_mins(61));
    asked_code(&place).await;
}

#[tokio::test]
async fn a_mail_server_that_is_down_delays_a_mail() {
    let place = place(Algorithm::Es256).await;
    place.register("ana@example.com").await;
    place.letterbox.down.store(true, Ordering::Relaxed);
    ask(&place, "ana@example.com").await;
    assert_eq!(deliver_due(&place.app).await.unwrap(), 0);
    place.letterbox.down.store(false, Ordering::Relaxed);
    assert_eq!(deliver_due(&place.app).await.unwrap(), 0);
    place.clock.forward(Duration::from_mins(1));
    assert_eq!(deliver_due(&place.app).await.unwrap(), 1);
    use_code(&place, &code(&place), NEW).await.unwrap();

    place.letterbox.down.store(true, Ordering::Relaxed);
    ask(&place, "ana@example.com").await;
    for _ in 0..30 {
        deliver_due(&place.app).await.unwrap();
        place.clock.forward(Duration::from_hours(1));
    }
    assert_eq!(outbox::pending(&mut place.app.store.reader()).await.unwrap(), 0);
}

#[tokio::test]
async fn what_was_not_given_is_named() {
    let place = place(Algorithm::Es256).await;
    let origin = origin();
    assert!(matches!(forgot(&place.app, &origin, None).await.outcome, Err(ForgotError::EmailMissing)));
    let blank = forgot(&place.app, &origin, Some("  ".to_owned())).await;
    assert!(matches!(blank.outcome, Err(ForgotError::EmailMissing)));
    let wrong = forgot(&place.app, &origin, Some("ana".to_owned())).await;
    assert!(matches!(wrong.outcome, Err(ForgotError::Email)));
    let typed = Reset { token: None, new_password: None };
    assert!(matches!(reset(&place.app, &origin, typed).await.outcome, Err(ResetError::TokenMissing)));
    let typed = Reset { token: Some("x".to_owned()), new_password: Some(String::new()) };
    assert!(matches!(reset(&place.app, &origin, typed).await.outcome, Err(ResetError::PasswordMissing)));
    assert!(matches!(use_code(&place, "x", NEW).await, Err(ResetError::InvalidToken)));
}
