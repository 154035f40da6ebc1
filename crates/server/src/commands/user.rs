//! `cerrojo user`.

use cerrojo_app::administer::{self, AddedUser, By, NewInvitation, UserChange};
use cerrojo_app::personal::{self, Held, Personal};
use cerrojo_domain::{Clock as _, Email, RoleId, Roles, Status, SystemClock, UnixMillis, User as Account, UserId};
use cerrojo_store::user_search::{self, LONGEST, Search};
use cerrojo_store::users;
use serde_json::{Value, json};

use super::{export, import, invite, registrations, session};
use crate::cli::{Shape, User, WhichUsers};
use crate::config::{Configuration, MailRoute};
use crate::failure::Failure;
use crate::{ask, open, out};

pub(crate) async fn run(command: User, configuration: &Configuration) -> Result<(), Failure> {
    match command {
        User::Add { email, name, role, email_verified, password: _ } => {
            let role_id = role_named(&configuration.app.roles, &role)?;
            let password = ask::password()?;
            add(configuration, AddedUser { name, email, password, role_id, email_verified }).await
        }
        User::Invite { email, name, role } => {
            let role_id = role_named(&configuration.app.roles, &role)?;
            invite::invite(configuration, NewInvitation { email: Some(email), name, role_id }).await
        }
        User::Invitations { shape } => invite::list(configuration, shape).await,
        User::ResendInvitation { email } => invite::resend(configuration, &email).await,
        User::RevokeInvitation { email } => invite::revoke(configuration, &email).await,
        User::Registrations { shape } => registrations::list(configuration, shape).await,
        User::ForgetRegistration { email } => registrations::forget(configuration, &email).await,
        User::List { whom, shape } => list(configuration, whom, shape).await,
        User::Show { email, shape } => show(configuration, &email, shape).await,
        User::Data { email } => data(configuration, &email).await,
        User::SetStatus { email, status } => {
            change(configuration, &email, UserChange { status: Some(status), ..UserChange::default() }).await
        }
        User::SetRole { email, role } => {
            let role_id = Some(role_named(&configuration.app.roles, &role)?);
            change(configuration, &email, UserChange { role_id, ..UserChange::default() }).await
        }
        User::SetEmailVerified { email, verified } => {
            let change_of = UserChange { email_verified: Some(verified), ..UserChange::default() };
            change(configuration, &email, change_of).await
        }
        User::SetPassword { email, password: _ } => {
            let password = Some(ask::password()?);
            change(configuration, &email, UserChange { password, ..UserChange::default() }).await
        }
        User::ForceReset { email, consent } => {
            let what = format!("The password of {} will be void, and every session will be over.", out::tame(&email));
            ask::consent(consent, &what)?;
            force_reset(configuration, &email).await
        }
        User::Import(command) => import::run(command, configuration).await,
        User::Export { file, format, without_passwords } => {
            export::run(export::Export { file: &file, format, without_passwords }, configuration).await
        }
        User::Delete { email, consent } => {
            ask::consent(consent, &format!("{} will be deleted for ever.", out::tame(&email)))?;
            delete(configuration, &email).await
        }
    }
}

/// A role by its name or number.
pub(super) fn role_named(roles: &Roles, text: &str) -> Result<RoleId, Failure> {
    let by_number = || text.parse().ok().filter(|id| roles.exists(*id));
    roles.by_name(text).or_else(by_number).ok_or_else(|| {
        Failure::usage(format!(
            "there is no role \"{}\": admin, user, or one that is declared under [roles]",
            out::tame(text)
        ))
    })
}

async fn add(configuration: &Configuration, user: AddedUser) -> Result<(), Failure> {
    let opened = open::to_add(configuration, "cerrojo user add").await?;
    let user = administer::add_user(&opened.app, By::Operator, user).await?;
    out::line(&format!(
        "added {} as user {} ({})",
        user.email.as_str(),
        user.id,
        configuration.app.roles.name(user.role_id)
    ));
    opened.close().await;
    Ok(())
}

async fn change(configuration: &Configuration, email: &str, change: UserChange) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo user set").await?;
    let before = find(&opened.app, email).await?;
    let after = administer::update_user(&opened.app, By::Operator, before.id, change).await?;
    let roles = &configuration.app.roles;
    let shown = format!("{}: {}, {}", after.email.as_str(), roles.name(after.role_id), after.status.as_str());
    let over = after.epoch != before.epoch;
    out::line(&if over { format!("{shown}; every session is over") } else { format!("{shown}; nothing ended") });
    opened.close().await;
    Ok(())
}

async fn force_reset(configuration: &Configuration, email: &str) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo user force-reset").await?;
    let user = find(&opened.app, email).await?;
    let user = administer::force_reset(&opened.app, By::Operator, user.id).await?;
    let link = match (&configuration.mail, user.status) {
        (_, Status::Inactive | Status::Suspended) => "no link is sent, because the account is not active",
        (MailRoute::Smtp { .. }, Status::Active) => {
            "a link leaves by mail with the running server, five an hour at most: later the person asks for one as for a forgotten password"
        }
        (MailRoute::Outbox { .. }, Status::Active) => {
            "no mail leaves as long as mail.url is not set: the link is in the outbox"
        }
    };
    out::line(&format!("{}: the password works no more and every session is over; {link}", user.email.as_str()));
    opened.close().await;
    Ok(())
}

async fn delete(configuration: &Configuration, email: &str) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo user delete").await?;
    let user = find(&opened.app, email).await?;
    administer::delete_user(&opened.app, By::Operator, user.id).await?;
    out::line(&format!("deleted {} (user {}); every session is over", user.email.as_str(), user.id));
    opened.close().await;
    Ok(())
}

/// The account of an address.
pub(super) async fn find(app: &cerrojo_app::App, email: &str) -> Result<Account, Failure> {
    match administer::user_by_email(app, email).await {
        Err(administer::AdminError::NotFound) => Err(registrations::nobody(&mut app.store.reader(), email).await?),
        found => Ok(found?),
    }
}

/// Nobody has this address.
pub(super) fn nobody(email: &str) -> Failure {
    Failure::new(format!("there is no user {}", out::tame(email)))
}

async fn list(configuration: &Configuration, whom: WhichUsers, shape: Shape) -> Result<(), Failure> {
    let roles = &configuration.app.roles;
    let role_id = whom.role.map(|role| role_named(roles, &role)).transpose()?;
    let text = whom.search.unwrap_or_default();
    let search = Search { text, status: whom.status, role_id, sort: whom.sort };
    if !search.is_fit() {
        return Err(Failure::usage(format!("--search takes {LONGEST} characters at most, without control characters")));
    }
    let read = open::to_read(configuration, "cerrojo user list").await?;
    // In one piece: each question reads and sorts all users.
    let mut all = user_search::page(&mut read.store.reader(), &search, (0, i64::from(whom.limit) + 1)).await?;
    let most = usize::from(whom.limit);
    let are_more = all.len() > most;
    all.truncate(most);
    if shape.json {
        out::line(&super::json(&all.iter().map(|user| as_json(user, roles)).collect()));
    } else {
        let rows: Vec<Vec<String>> = all.iter().map(|user| as_row(user, roles)).collect();
        out::table(&["ID", "EMAIL", "NAME", "ROLE", "STATUS", "REGISTERED", "LAST SESSION"], &rows);
    }
    if are_more {
        out::note(&format!(
            "These are the first {most}; there are more. Narrow it down, or write all users with `cerrojo user export`."
        ));
    }
    read.close().await;
    Ok(())
}

async fn show(configuration: &Configuration, email: &str, shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo user show").await?;
    let mut run = read.store.reader();
    let found = match email.parse() {
        Ok(number) => users::by_id(&mut run, UserId(number)).await?,
        Err(_) => users::by_email(&mut run, &Email::fold(email)).await?,
    };
    let Some(user) = found else { return Err(registrations::nobody(&mut run, email).await?) };
    let roles = &configuration.app.roles;
    if shape.json {
        out::line(&super::json(&as_json(&user, roles)));
    } else {
        let names = ["id", "email", "name", "role", "status", "registered", "last session"];
        for (name, value) in names.iter().zip(as_row(&user, roles)) {
            out::line(&format!("{name:13} {value}"));
        }
        out::line(&format!("{:13} {}", "verified", if user.email_verified { "yes" } else { "no" }));
    }
    read.close().await;
    Ok(())
}

/// All that is kept of a person.
async fn data(configuration: &Configuration, email: &str) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo user data").await?;
    let mut run = read.store.snapshot().await?;
    let found = users::by_email(&mut run, &Email::fold(email)).await?;
    let Some(user) = found else { return Err(registrations::nobody(&mut run, email).await?) };
    drop(run);
    let now = SystemClock::new().now();
    personal::record_operators(&read.store, Some(user.id), now).await?;
    let mut run = read.store.snapshot().await?;
    let kept = (now, configuration.app.retention);
    let Personal { user, pending_email, held_emails, sessions, addresses, mails, audit } =
        personal::of(&mut run, user.id, kept).await?.ok_or_else(|| nobody(email))?;
    drop(run);
    let address =
        |(address, seen): &(String, UnixMillis)| json!({ "address": address, "last_seen_at": seen.rfc3339() });
    let held = |Held { email, until, .. }: &Held| json!({ "email": email.as_str(), "until": until.rfc3339() });
    let mail = |(kind, created, delivered): &(String, UnixMillis, Option<UnixMillis>)| {
        let delivered = delivered.map(UnixMillis::rfc3339);
        json!({ "kind": kind, "created_at": created.rfc3339(), "delivered_at": delivered })
    };
    let told = json!({
        "user": as_json(&user, &configuration.app.roles),
        "pending_email": pending_email.as_ref().map(Email::as_str),
        "held_emails": held_emails.iter().map(held).collect::<Vec<_>>(),
        "sessions": sessions.iter().map(session::as_json).collect::<Vec<_>>(),
        "addresses": addresses.iter().map(address).collect::<Vec<_>>(),
        "mails": mails.iter().map(mail).collect::<Vec<_>>(),
        "audit": audit.iter().map(cerrojo_app::audit::as_json).collect::<Vec<_>>(),
    });
    out::line(&super::json(&told));
    read.close().await;
    Ok(())
}

fn as_row(user: &Account, roles: &Roles) -> Vec<String> {
    let rest = cells(
        (&user.email, &user.name),
        (user.role_id, user.status),
        (user.registration_date, user.last_session),
        roles,
    );
    std::iter::once(user.id.to_string()).chain(rest).collect()
}

/// What a row shows of a user behind the number.
pub(super) fn cells(
    (email, name): (&Email, &str),
    (role_id, status): (RoleId, Status),
    (registered, last_session): (UnixMillis, Option<UnixMillis>),
    roles: &Roles,
) -> [String; 6] {
    [
        out::tame(email.as_str()),
        out::tame(name),
        roles.name(role_id),
        status.as_str().to_owned(),
        registered.rfc3339(),
        last_session.map_or_else(|| "never".to_owned(), UnixMillis::rfc3339),
    ]
}

/// Named as the API names them.
pub(super) fn as_members(user: &Account, roles: &Roles) -> Vec<(&'static str, Value)> {
    vec![
        ("user_id", json!(user.id)),
        ("email", json!(user.email.as_str())),
        ("name", json!(user.name)),
        ("role_id", json!(user.role_id)),
        ("role_name", json!(roles.name(user.role_id))),
        ("status", json!(user.status.as_str())),
        ("registration_date", json!(user.registration_date.rfc3339())),
        ("last_session", json!(user.last_session.map(UnixMillis::rfc3339))),
        ("email_verified", json!(user.email_verified)),
    ]
}

fn as_json(user: &Account, roles: &Roles) -> Value {
    as_members(user, roles).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
