//! What is shown of users and sessions.

use cerrojo_app::audit::{Listed, Said};
use cerrojo_app::login::SignedIn;
use cerrojo_app::personal::{Held, Personal};
use cerrojo_app::profile::Profile;
use cerrojo_app::sessions::{Ended, Session};
use cerrojo_app::{Settings, Verification};
use cerrojo_domain::{RoleId, SessionId, UnixMillis, User};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cookie::TokenForm;

/// A user.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    /// From 1, never used again.
    #[schema(example = 7, minimum = 1)]
    user_id: i64,
    /// The same number.
    #[schema(example = 7, minimum = 1)]
    id: i64,
    #[schema(example = "Ana Ruiz")]
    name: String,
    #[schema(example = "ana@example.com")]
    email: String,
    /// 1 is the administrator's.
    #[schema(example = 2)]
    role_id: RoleId,
    /// The role's name.
    #[schema(example = "user")]
    role: String,
    /// The role's name.
    #[schema(example = "user")]
    role_name: String,
    /// `active`, `inactive` or `suspended`.
    #[schema(value_type = String, example = "active")]
    status: &'static str,
    #[schema(example = "2026-02-13T10:00:00.000Z")]
    registration_date: String,
    /// When the user last signed in.
    #[schema(example = "2026-02-13T10:00:00.000Z", required)]
    last_session: Option<String>,
    /// Whether it was confirmed that mail reaches the user. Left out while the server does not confirm addresses
    /// (`register.verification`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = true)]
    email_verified: Option<bool>,
}

impl UserView {
    pub(crate) fn new(user: &User, settings: &Settings) -> Self {
        let role = settings.roles.name(user.role_id);
        Self {
            user_id: user.id.0,
            id: user.id.0,
            name: user.name.clone(),
            email: user.email.as_str().to_owned(),
            role_id: user.role_id,
            role: role.clone(),
            role_name: role,
            status: user.status.as_str(),
            registration_date: user.registration_date.rfc3339(),
            last_session: user.last_session.map(cerrojo_domain::UnixMillis::rfc3339),
            email_verified: (settings.verification != Verification::Off).then_some(user.email_verified),
        }
    }
}

/// `data` with the caller's own account in it.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct OneUser {
    user: UserView,
    /// The address that takes the place of the user's once it is confirmed; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "ana@example.org")]
    pending_email: Option<String>,
}

impl OneUser {
    pub(crate) fn new(profile: &Profile, settings: &Settings) -> Self {
        let Profile { user, pending_email } = profile;
        let pending_email = pending_email.as_ref().map(|email| email.as_str().to_owned());
        Self { user: UserView::new(user, settings), pending_email }
    }
}

/// A session just born.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = SignedIn)]
pub(crate) struct SignedInView {
    /// The bearer token: a JWT (RFC 9068). Left out where it was set as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    token: Option<String>,
    user: UserView,
    #[schema(example = 2)]
    role_id: RoleId,
    /// The role's name.
    #[schema(example = "user")]
    role: String,
    /// When the token expires.
    #[schema(example = "2026-02-14T10:00:00.000Z")]
    expires_at: String,
}

impl SignedInView {
    pub(crate) fn new(signed_in: SignedIn, settings: &Settings, form: TokenForm) -> Self {
        let user = UserView::new(&signed_in.user, settings);
        Self {
            token: (form == TokenForm::InAnswer).then_some(signed_in.token),
            role_id: user.role_id,
            role: user.role.clone(),
            user,
            expires_at: signed_in.expires_at.rfc3339(),
        }
    }
}

/// A session.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// The `sid` of its tokens.
    id: String,
    /// Whether it is the calling one.
    current: bool,
    /// What the client that signed in calls itself.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64) Firefox/148.0")]
    device: String,
    /// The network address that it was signed in from.
    #[schema(example = "203.0.113.9")]
    address: String,
    started_at: String,
    last_seen_at: String,
    expires_at: String,
    #[serde(flatten)]
    ended: Option<EndedView>,
}

/// How a session ended.
#[expect(clippy::struct_field_names, reason = "the contract's names, flattened into the session's")]
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct EndedView {
    #[schema(required = false)]
    ended_at: String,
    /// `logout`, `idle`, `expired`, `password_changed`, …
    #[schema(required = false, example = "logout")]
    ended_reason: String,
    /// `user`, `administrator`, `operator` or `server`; administrators see the number of the user as well
    /// (`administrator:7`).
    #[schema(required = false, example = "user")]
    ended_by: String,
    /// The network address that asked for it, where one did.
    #[schema(required = false)]
    ended_from: Option<String>,
}

/// `data` with sessions in it.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(crate) struct SessionsView {
    sessions: Vec<SessionView>,
}

/// Whose eyes a session is shown to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Its own user: who else ended it is told by kind only, and not from where.
    Owner,
    /// An administrator.
    Administrator,
}

impl SessionsView {
    /// `current` is the calling session.
    pub(crate) fn new(sessions: Vec<Session>, current: &SessionId, viewer: Viewer) -> Self {
        Self { sessions: sessions.into_iter().map(|session| session_view(session, current, viewer)).collect() }
    }
}

fn session_view(session: Session, current: &SessionId, viewer: Viewer) -> SessionView {
    SessionView {
        current: session.id == *current,
        id: session.id.as_str().to_owned(),
        device: session.device,
        address: session.address,
        started_at: session.started_at.rfc3339(),
        last_seen_at: session.last_seen_at.rfc3339(),
        expires_at: session.expires_at.rfc3339(),
        ended: session.ended.map(|ended| ended_view(ended, viewer)),
    }
}

fn ended_view(ended: Ended, viewer: Viewer) -> EndedView {
    let kind = ended.by.split(':').next().unwrap_or_default().to_owned();
    let (ended_by, ended_from) = match viewer {
        Viewer::Administrator => (ended.by, ended.place),
        Viewer::Owner if kind == "user" => (kind, ended.place),
        Viewer::Owner => (kind, None),
    };
    EndedView { ended_at: ended.at.rfc3339(), ended_reason: ended.reason, ended_by, ended_from }
}

/// All that is kept of a person.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Personal)]
pub(crate) struct PersonalView {
    user: UserView,
    /// The address that takes the place of the account's once it is confirmed; left out if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "ana@example.org")]
    pending_email: Option<String>,
    /// Addresses that the account had and can have back; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    held_emails: Vec<HeldEmailView>,
    sessions: Vec<SessionView>,
    addresses: Vec<AddressView>,
    mails: Vec<MailView>,
    /// What the audit trail says of the account, the newest first.
    audit: Vec<ActView>,
}

/// An address that the account had, and can have back by the link that was sent there.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = HeldEmail)]
pub(crate) struct HeldEmailView {
    #[schema(example = "ana@example.com")]
    email: String,
    until: String,
}

/// A network address (IPv6: a network) that the account signed in from.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = KnownAddress)]
pub(crate) struct AddressView {
    #[schema(example = "203.0.113.9")]
    address: String,
    last_seen_at: String,
}

/// A mail to the person.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Mail)]
pub(crate) struct MailView {
    kind: String,
    created_at: String,
    /// `null`: not yet.
    delivered_at: Option<String>,
}

/// Something that was done by or to the account.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = OwnAct)]
pub(crate) struct ActView {
    #[schema(example = "2026-02-13T10:00:00.000Z")]
    at: String,
    /// `session.began`, `password.changed`, …
    #[schema(example = "session.began")]
    kind: String,
    /// `user`, `administrator`, `operator`, `server` or `nobody`; administrators see the number of the user as well.
    #[schema(example = "user")]
    by: String,
    #[schema(required)]
    session_id: Option<String>,
    #[schema(example = "203.0.113.9", required)]
    address: Option<String>,
    #[schema(required)]
    device: Option<String>,
    #[schema(value_type = Object)]
    details: serde_json::Value,
    /// What it says of the person.
    #[schema(value_type = Option<Object>, required)]
    about: Option<serde_json::Value>,
}

impl ActView {
    fn new(Listed { said, .. }: Listed, viewer: Viewer) -> Self {
        let is_anothers = viewer == Viewer::Owner && said.actor_id.is_some() && said.actor_id != said.subject;
        let by = if viewer == Viewer::Administrator { doer(&said) } else { said.actor.clone() };
        Self {
            at: said.at.rfc3339(),
            by,
            details: json_of(&said.details),
            about: said.about.as_deref().map(json_of),
            kind: said.kind,
            session_id: said.session.filter(|_| !is_anothers),
            address: said.address.filter(|_| !is_anothers),
            device: said.device.filter(|_| !is_anothers),
        }
    }
}

/// Who did it, as `ended_by` names people.
pub(crate) fn doer(said: &Said) -> String {
    said.actor_id.map_or_else(|| said.actor.clone(), |id| format!("{}:{id}", said.actor))
}

/// What was written as JSON.
pub(crate) fn json_of(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_default()
}

impl PersonalView {
    /// `current` is the calling session.
    pub(crate) fn new(personal: Personal, settings: &Settings, (current, viewer): (&SessionId, Viewer)) -> Self {
        let Personal { user, pending_email, held_emails, sessions, addresses, mails, audit } = personal;
        let address = |(address, seen): (String, UnixMillis)| AddressView { address, last_seen_at: seen.rfc3339() };
        let held = |Held { email, until, .. }: Held| HeldEmailView {
            email: email.as_str().to_owned(),
            until: until.rfc3339(),
        };
        let mail = |(kind, created, delivered): (String, UnixMillis, Option<UnixMillis>)| MailView {
            kind,
            created_at: created.rfc3339(),
            delivered_at: delivered.map(UnixMillis::rfc3339),
        };
        Self {
            user: UserView::new(&user, settings),
            pending_email: pending_email.map(|email| email.as_str().to_owned()),
            held_emails: held_emails.into_iter().map(held).collect(),
            sessions: SessionsView::new(sessions, current, viewer).sessions,
            addresses: addresses.into_iter().map(address).collect(),
            mails: mails.into_iter().map(mail).collect(),
            audit: audit.into_iter().map(|listed| ActView::new(listed, viewer)).collect(),
        }
    }
}

/// How many sessions were ended.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct EndedCount {
    pub(crate) ended: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(by: &str) -> Ended {
        Ended { at: UnixMillis(0), reason: "admin".to_owned(), by: by.to_owned(), place: Some("192.0.2.1".to_owned()) }
    }

    #[test]
    fn owners_see_the_kind_of_whoever_ended_a_session() {
        let view = ended_view(ended("administrator:7"), Viewer::Owner);
        assert_eq!((view.ended_by.as_str(), view.ended_from), ("administrator", None));
        let view = ended_view(ended("user:3"), Viewer::Owner);
        assert_eq!((view.ended_by.as_str(), view.ended_from.as_deref()), ("user", Some("192.0.2.1")));
    }

    #[test]
    fn administrators_see_all_of_it() {
        let view = ended_view(ended("administrator:7"), Viewer::Administrator);
        assert_eq!((view.ended_by.as_str(), view.ended_from.as_deref()), ("administrator:7", Some("192.0.2.1")));
    }
}
