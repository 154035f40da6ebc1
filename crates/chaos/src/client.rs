//! Somebody with an account, who asks any node and writes down what came of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cerrojo_testkit::history::{Event, Seen};
use serde_json::{Value, json};

use crate::http::{Answer, Connection, Request};
use crate::moment;
use crate::record::Record;

/// How long a check is waited for: a client of a service waits no longer.
const CHECK: Duration = Duration::from_secs(1);
/// How long everything else is.
const CHANGE: Duration = Duration::from_secs(4);

/// A session that somebody signed in.
#[derive(Debug)]
pub struct Session {
    /// Its name in the record.
    pub name: String,
    token: String,
}

impl Session {
    /// The same session in other hands.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { name: self.name.clone(), token: self.token.clone() }
    }
}

/// What came of an operation that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It was done.
    Done,
    /// It was refused (401).
    Refused,
    /// It may have been done or not.
    Unknown,
}

/// An account, and connections to all nodes.
#[derive(Debug)]
pub struct Client {
    record: Arc<Record>,
    connections: Vec<Connection>,
    name: String,
    /// How often the password was changed.
    password: u32,
    /// A sign-in was refused: the account, or its newest password, is not there any more.
    is_lost: bool,
    /// Acts beside somebody who changes the password: a refused sign-in is nothing odd.
    is_rival: bool,
    /// How long everything but checks is waited for.
    patience: Duration,
}

impl Client {
    /// Somebody whose account is yet to be registered under this name.
    #[must_use]
    pub fn new(record: &Arc<Record>, nodes: &[SocketAddr], name: &str) -> Self {
        let connections = nodes.iter().copied().map(Connection::to).collect();
        Self {
            record: Arc::clone(record),
            connections,
            name: name.to_owned(),
            password: 0,
            is_lost: false,
            is_rival: false,
            patience: CHANGE,
        }
    }

    /// The same person at another machine.
    #[must_use]
    pub fn beside(&self) -> Self {
        let connections = self.connections.iter().map(Connection::again).collect();
        Self {
            record: Arc::clone(&self.record),
            connections,
            name: self.name.clone(),
            password: self.password,
            is_lost: false,
            is_rival: true,
            patience: self.patience,
        }
    }

    /// The same person, who waits for as long as a server waits for other nodes, and longer.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patience: Duration::from_secs(20), ..self }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.connections.len()
    }

    /// Whether a sign-in was refused, as happens when the database went back.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    fn email(&self) -> String {
        format!("{}@example.com", self.name)
    }

    fn ask(&mut self, node: usize, request: Request<'_>) -> Option<Answer> {
        let answer = self.connections.get_mut(node)?.ask(request).ok()?;
        if !matches!(answer.status, 200 | 201 | 401 | 503) {
            self.record.wondered(format!("{} {}: {}", answer.status, request.line, answer.body));
        }
        Some(answer)
    }

    fn change(&mut self, node: usize, (line, token): (&str, Option<&str>), body: &Value) -> Option<Answer> {
        let patience = self.patience;
        self.ask(node, Request { line, token, body: Some(body), patience })
    }

    /// Makes the account; whether that is certain.
    pub fn register(&mut self, node: usize) -> bool {
        self.ask_for_account(node).is_some_and(|answer| answer.status == 201)
    }

    /// Makes the account at a node that nothing was done to.
    ///
    /// # Panics
    /// With the answer if it was not made.
    pub fn expect_account(&mut self, node: usize) {
        let asked = moment::now();
        let answer = self.ask_for_account(node);
        let took = moment::between(asked, moment::now());
        let is_made = answer.as_ref().is_some_and(|answer| answer.status == 201);
        assert!(is_made, "an account cannot be made at node {node}: {answer:?} after {took:?}");
    }

    fn ask_for_account(&mut self, node: usize) -> Option<Answer> {
        let body = json!({ "name": "Somebody", "email": self.email(), "password": secret(self.password) });
        self.change(node, ("POST /api/auth/register", None), &body)
    }

    /// Signs in.
    pub fn sign_in(&mut self, node: usize) -> Option<Session> {
        let begun = moment::now();
        let body = json!({ "email": self.email(), "password": secret(self.password) });
        let answer = self.change(node, ("POST /api/auth/login", None), &body)?;
        if answer.status == 401 && !self.is_rival {
            self.is_lost = true;
            self.record.lost_account(begun);
        }
        if answer.status != 200 {
            return None;
        }
        let token = answer.body["data"]["token"].as_str()?.to_owned();
        // The signature is as random as the session, and need not be taken apart.
        let name = token.get(token.len().saturating_sub(16)..)?.to_owned();
        let seen = Seen::SignedIn { session: name.clone(), password: format!("{} {}", self.name, self.password) };
        self.record.saw(node, begun, seen);
        Some(Session { name, token })
    }

    /// Asks a node whether the session is good; whether it said yes.
    pub fn check(&mut self, node: usize, session: &Session) -> bool {
        let begun = moment::now();
        let request =
            Request { line: "GET /api/auth/verify", token: Some(&session.token), body: None, patience: CHECK };
        let status = self.ask(node, request).map(|answer| answer.status);
        let name = session.name.clone();
        let seen = match status {
            Some(200) => Seen::Accepted(name),
            Some(401) => Seen::Refused(name),
            _ => Seen::Unanswered(name),
        };
        self.record.saw(node, begun, seen);
        status == Some(200)
    }

    /// Asks every node, beginning with one.
    pub fn check_everywhere(&mut self, first: usize, session: &Session) {
        for node in 0..self.nodes() {
            self.check((first + node) % self.nodes(), session);
        }
    }

    /// Logs the session out.
    pub fn log_out(&mut self, node: usize, session: &Session) -> Came {
        let begun = moment::now();
        let status = self.change(node, ("POST /api/auth/logout", Some(&session.token)), &Value::Null);
        let came = came(status.as_ref());
        let name = session.name.clone();
        let seen = match came {
            Came::Done => Seen::LoggedOut(name),
            Came::Refused => Seen::WasOver(name),
            Came::Unknown => Seen::MayHaveEnded(vec![name]),
        };
        self.record.saw(node, begun, seen);
        came
    }

    /// Logs out all sessions of the account, by one of them. `all` is every session there is, that one included.
    pub fn log_out_all(&mut self, node: usize, session: &Session, all: &[Session]) -> Came {
        let begun = moment::now();
        let answer = self.change(node, ("POST /api/auth/logout-all", Some(&session.token)), &json!({}));
        self.came_of_many(node, begun, (answer.as_ref(), all))
    }

    /// Changes the password by one session. `others` are all others there are, also those that are being signed in.
    pub fn change_password(
        &mut self,
        node: usize,
        session: &Session,
        others: impl FnOnce() -> Vec<Session>,
    ) -> (Came, Vec<Session>) {
        let begun = moment::now();
        let body = json!({ "currentPassword": secret(self.password), "newPassword": secret(self.password + 1) });
        let answer = self.change(node, ("PUT /api/auth/password", Some(&session.token)), &body);
        let answered = moment::now();
        let others = others();
        // What was signed in meanwhile, under the old password, is over as well.
        let came = self.came_of_many(node, begun, (answer.as_ref(), &others));
        if came == Came::Done {
            let old = format!("{} {}", self.name, self.password);
            self.record.add(Event { begun, answered, node, seen: Seen::PasswordOver(old) });
            self.password += 1;
        }
        (came, others)
    }

    fn came_of_many(&mut self, node: usize, begun: u64, (answer, sessions): (Option<&Answer>, &[Session])) -> Came {
        let names = sessions.iter().map(|session| session.name.clone()).collect();
        let came = came(answer);
        match came {
            Came::Done => self.record.saw(node, begun, Seen::Ended(names)),
            Came::Unknown => self.record.saw(node, begun, Seen::MayHaveEnded(names)),
            Came::Refused => {}
        }
        came
    }
}

fn came(answer: Option<&Answer>) -> Came {
    match answer.map(|answer| answer.status) {
        Some(200) => Came::Done,
        Some(401) => Came::Refused,
        _ => Came::Unknown,
    }
}

fn secret(number: u32) -> String {
    format!("Ribera-honda-{number}")
}
