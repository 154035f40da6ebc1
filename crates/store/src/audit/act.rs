//! What an entry of the audit trail says.

use std::net::IpAddr;

use cerrojo_domain::{Actor, AuditKind, Origin, SessionId, UnixMillis, UserId};
use serde_json::{Map, Value, json};

/// Who knows of which process and which request something is written for: one for all transactions of a store.
pub trait Stamp: Send + Sync + 'static {
    /// The name of the process; none for a command.
    fn node(&self) -> Option<String>;
    /// The name of the request that the calling task is at.
    fn request(&self) -> Option<String>;
}

/// What was done, by whom, to whom. Never a secret, a token, a password or a code.
#[derive(Clone, Debug)]
#[must_use = "an act is recorded in the transaction that does it"]
pub struct Act {
    kind: AuditKind,
    at: UnixMillis,
    by: Option<Actor>,
    subject: Option<UserId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) request: Option<String>,
    details: Map<String, Value>,
    address: Option<IpAddr>,
    device: Option<String>,
    about: Map<String, Value>,
}

impl Act {
    /// Done at this time, by nobody who is known, to nobody.
    pub fn new(kind: AuditKind, at: UnixMillis) -> Self {
        Self {
            kind,
            at,
            by: None,
            subject: None,
            session: None,
            request: None,
            details: Map::new(),
            address: None,
            device: None,
            about: Map::new(),
        }
    }

    /// Who did it.
    pub fn by(self, actor: Actor) -> Self {
        Self { by: Some(actor), ..self }
    }

    /// Whose account or sessions it is about.
    pub fn to(self, subject: UserId) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// The session that began or ended; of any other act, the one by which it was done.
    pub fn in_session(self, session: &SessionId) -> Self {
        Self { session: Some(session.clone()), ..self }
    }

    /// From where. Personal: it is the actor's, and erased with that account; of nobody, the subject's.
    pub fn from(self, origin: &Origin) -> Self {
        Self { device: Some(clean(&origin.device)), ..self.from_address(Some(origin.address)) }
    }

    /// The same where only the address is known.
    pub fn from_address(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// For which request, if another task writes it than the one that is at it.
    pub fn for_request(self, request: Option<String>) -> Self {
        Self { request, ..self }
    }

    /// Something about the act that is nobody's personal data.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), cleaned(value.into()));
        self
    }

    /// Something that is the subject's personal data, such as an address; left out of an act that has no subject, since it
    /// would be erased with nobody.
    pub fn with_personal(mut self, name: &str, value: impl Into<Value>) -> Self {
        if self.subject.is_some() {
            self.about.insert(name.to_owned(), cleaned(value.into()));
        }
        self
    }

    /// As statements take it, written by this process and, if it does not say so itself, for this request.
    pub(crate) fn as_json(&self, node: Option<&str>, request: Option<&str>) -> Value {
        let (actor, actor_id) = self.actor();
        json!({
            "at": self.at.0,
            "kind": self.kind.as_str(),
            "actor": actor,
            "actor_id": actor_id,
            "subject": self.subject.map(|subject| subject.0),
            "session_id": self.session.as_ref().map(SessionId::as_str),
            "request_id": self.request.as_deref().or(request).map(clean),
            "node": node,
            "details": self.details(),
            "address": self.address.map(|address| address.to_string()),
            "device": self.device,
            "about": (!self.about.is_empty()).then(|| Value::from(self.about.clone()).to_string()),
        })
    }

    /// The kind of whoever did it, and the number of a person.
    pub(crate) fn actor(&self) -> (&'static str, Option<i64>) {
        match self.by {
            None => ("nobody", None),
            Some(Actor::User(id)) => ("user", Some(id.0)),
            Some(Actor::Administrator(id)) => ("administrator", Some(id.0)),
            Some(Actor::Operator) => ("operator", None),
            Some(Actor::Server) => ("server", None),
        }
    }

    pub(crate) fn details(&self) -> String {
        Value::from(self.details.clone()).to_string()
    }
}

/// Names of requests and devices come from elsewhere, and PostgreSQL takes no NUL.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn cleaned(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text)),
        other => other,
    }
}
