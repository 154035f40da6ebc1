//! `cerrojo user invite` and what belongs to it.

use cerrojo_app::administer::{self, By, Invitation, InviteError, MOST_INVITATIONS, NewInvitation};
use cerrojo_domain::{Clock as _, Email, Roles, SystemClock};
use cerrojo_store::invitations;
use serde_json::{Value, json};

use crate::cli::Shape;
use crate::config::{Configuration, MailRoute};
use crate::failure::Failure;
use crate::{open, out};

pub(super) async fn invite(configuration: &Configuration, whom: NewInvitation) -> Result<(), Failure> {
    let opened = open::to_add(configuration, "cerrojo user invite").await?;
    let roles = &configuration.app.roles;
    match &configuration.mail {
        MailRoute::Smtp { .. } => {
            let invitation = administer::invite(&opened.app, By::Operator, whom).await?;
            out::line(&format!("{}; the mail leaves with the running server", told(&invitation, roles)));
        }
        MailRoute::Outbox { .. } => {
            let (invitation, link) = administer::invite_by_hand(&opened.app, whom).await?;
            hand_over(&told(&invitation, roles), &link);
        }
    }
    opened.close().await;
    Ok(())
}

fn hand_over(told: &str, link: &str) {
    out::line(&format!("{told}; no mail leaves as long as mail.url is not set, so hand over this link:"));
    out::line(link);
}

pub(super) async fn resend(configuration: &Configuration, email: &str) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo user resend-invitation").await?;
    let id = find(&opened.app, email).await?.id;
    let roles = &configuration.app.roles;
    match &configuration.mail {
        MailRoute::Smtp { .. } => {
            let invitation = administer::resend_invitation(&opened.app, By::Operator, id.as_str()).await?;
            out::line(&format!("{}; another mail leaves with the running server", told(&invitation, roles)));
        }
        MailRoute::Outbox { .. } => {
            let (invitation, link) = administer::resend_invitation_by_hand(&opened.app, id.as_str()).await?;
            hand_over(&told(&invitation, roles), &link);
        }
    }
    opened.close().await;
    Ok(())
}

async fn find(app: &cerrojo_app::App, email: &str) -> Result<Invitation, Failure> {
    let found = invitations::by_email(&mut app.store.reader(), &Email::fold(email)).await?;
    found.ok_or_else(|| Failure::new(format!("{} has no invitation that waits", out::tame(email))))
}

fn told(invitation: &Invitation, roles: &Roles) -> String {
    let (email, role) = (invitation.email.as_str(), roles.name(invitation.role_id));
    format!("invited {email} as {role}, until {}", invitation.expires_at.rfc3339())
}

pub(super) async fn list(configuration: &Configuration, shape: Shape) -> Result<(), Failure> {
    let read = open::to_read(configuration, "cerrojo user invitations").await?;
    let now = SystemClock::new().now();
    let all = invitations::page(&mut read.store.reader(), now, (0, MOST_INVITATIONS)).await?;
    let roles = &configuration.app.roles;
    if shape.json {
        out::line(&super::json(&all.iter().map(|one| as_json(one, roles)).collect()));
    } else {
        let rows: Vec<Vec<String>> = all.iter().map(|one| as_row(one, roles)).collect();
        out::table(&["EMAIL", "NAME", "ROLE", "INVITED BY", "INVITED", "UNTIL"], &rows);
    }
    read.close().await;
    Ok(())
}

pub(super) async fn revoke(configuration: &Configuration, email: &str) -> Result<(), Failure> {
    let opened = open::to_change(configuration, "cerrojo user revoke-invitation").await?;
    let invitation = find(&opened.app, email).await?;
    administer::revoke_invitation(&opened.app, By::Operator, invitation.id.as_str()).await?;
    out::line(&format!("the invitation of {} works no more", invitation.email.as_str()));
    opened.close().await;
    Ok(())
}

fn as_row(one: &Invitation, roles: &Roles) -> Vec<String> {
    vec![
        out::tame(one.email.as_str()),
        out::tame(one.name.as_deref().unwrap_or_default()),
        roles.name(one.role_id),
        one.invited_by.map_or_else(|| "operator".to_owned(), |by| by.user.to_string()),
        one.created_at.rfc3339(),
        one.expires_at.rfc3339(),
    ]
}

/// Named as the API names them.
fn as_json(one: &Invitation, roles: &Roles) -> Value {
    json!({
        "id": one.id,
        "email": one.email.as_str(),
        "name": one.name,
        "role_id": one.role_id,
        "role": roles.name(one.role_id),
        "invited_by": one.invited_by.map(|by| by.user),
        "created_at": one.created_at.rfc3339(),
        "expires_at": one.expires_at.rfc3339(),
    })
}

impl From<InviteError> for Failure {
    fn from(error: InviteError) -> Self {
        Self::new(match error {
            InviteError::Admin(error) => return error.into(),
            InviteError::EmailMissing => "an e-mail address is needed".to_owned(),
            InviteError::HasAccount => "there is an account of that address already: `cerrojo user show` shows it".to_owned(),
            InviteError::Invited => {
                "that address was invited already and has not accepted yet: `cerrojo user resend-invitation` sends another \
                 link, `cerrojo user revoke-invitation` takes the invitation back"
                    .to_owned()
            }
            InviteError::TooMany => format!("{MOST_INVITATIONS} invitations wait already: revoke some"),
            InviteError::NotFound => "there is no such invitation".to_owned(),
            InviteError::TooManyMails => "three invitations went to that address within an hour: try again later".to_owned(),
        })
    }
}
