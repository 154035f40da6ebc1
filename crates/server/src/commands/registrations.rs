//! `cerrojo user registrations` and what belongs to it: people who have no account yet.

use cerrojo_app::administer;
use cerrojo_domain::{Clock as _, Email, SystemClock};
use cerrojo_store::registrations::{self, Registration};
use cerrojo_store::{Run, StoreError};
use serde_json::{Value, json};

use crate::cli::Shape;
use crate::config::Configuration;
use crate::failure::Failure;
use crate::{open, out};

/// Shown at most: anybody can register.
const MOST: i64 = 10_000;

pub(super) async fn list(configuration: &Configuration, shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo user registrations").await?;
    let all = registrations::waiting(&mut read.store.reader(), SystemClock::new().now(), MOST).await?;
    if shape.json {
        out::line(&super::json(&all.iter().map(as_json).collect()));
    } else {
        let rows: Vec<Vec<String>> = all.iter().map(as_row).collect();
        out::table(&["EMAIL", "NAME", "REGISTERED", "UNTIL", "MORE THAN ONCE"], &rows);
        if all.len() >= usize::try_from(MOST).unwrap_or(usize::MAX) {
            out::line(&format!("and perhaps more: these are the {MOST} newest"));
        }
    }
    read.close().await;
    Ok(())
}

pub(super) async fn forget(configuration: &Configuration, email: &str) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo user forget-registration").await?;
    let email = Email::from_stored(Email::fold(email));
    if !administer::forget_waiting(&opened.app, &email).await? {
        return Err(Failure::new(format!("{} has no registration that waits", out::tame(email.as_str()))));
    }
    out::line(&format!("the registration of {} is forgotten; its links work no more", out::tame(email.as_str())));
    opened.close().await;
    Ok(())
}

/// Nobody has this address; or nobody yet.
pub(super) async fn nobody(run: &mut impl Run, email: &str) -> Result<Failure, StoreError> {
    let waiting = registrations::by_email(run, &Email::fold(email)).await?;
    let now = SystemClock::new().now();
    let Some(waiting) = waiting.filter(|waiting| now < waiting.expires_at) else {
        return Ok(super::user::nobody(email));
    };
    Ok(Failure::new(format!(
        "there is no user {} yet: the address was registered at {} and has to be confirmed until {} \
         (`cerrojo user registrations`)",
        out::tame(email),
        waiting.registered_at.rfc3339(),
        waiting.expires_at.rfc3339(),
    )))
}

fn as_row(one: &Registration) -> Vec<String> {
    vec![
        out::tame(one.email.as_str()),
        out::tame(&one.name),
        one.registered_at.rfc3339(),
        one.expires_at.rfc3339(),
        if one.is_contested { "yes" } else { "no" }.to_owned(),
    ]
}

fn as_json(one: &Registration) -> Value {
    json!({
        "email": one.email.as_str(),
        "name": one.name,
        "registered_at": one.registered_at.rfc3339(),
        "expires_at": one.expires_at.rfc3339(),
        "more_than_once": one.is_contested,
    })
}
