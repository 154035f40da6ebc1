//! Whoever talks to the server.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::{Call, Reply, TestApp};

/// A password that every policy accepts; all users of the kit have it at first.
pub const PASSWORD: &str = "Tormenta-verde-27";
/// Another one that every policy accepts.
pub const OTHER_PASSWORD: &str = "Nube-de-paso-4481";

/// How an actor shows its token.
#[derive(Clone, Copy)]
enum Shows {
    /// As a bearer token.
    Header,
    /// In the cookie, from a page of the server's own.
    Cookie,
}

/// Somebody with an address of their own, perhaps with an account and a session.
#[derive(Clone)]
pub struct Actor {
    app: TestApp,
    address: IpAddr,
    device: String,
    token: Option<String>,
    shows: Shows,
    /// The account's number; 0 for a visitor.
    pub id: i64,
    /// The account's name; empty for a visitor.
    pub name: String,
    /// The account's e-mail address; empty for a visitor.
    pub email: String,
}

impl Actor {
    pub(crate) fn visitor(app: &TestApp, address: IpAddr) -> Self {
        Self {
            app: app.clone(),
            address,
            device: "testkit/1.0".to_owned(),
            token: None,
            shows: Shows::Header,
            id: 0,
            name: String::new(),
            email: String::new(),
        }
    }

    /// This actor at another network address.
    ///
    /// # Panics
    /// If it is not one.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { address: address.parse().expect("an address"), ..self.clone() }
    }

    /// This actor calling another node.
    #[must_use]
    pub fn through(&self, node: &TestApp) -> Self {
        Self { app: node.clone(), ..self.clone() }
    }

    /// This actor in a browser, on a page of the server's own: its token is in the cookie.
    #[must_use]
    pub fn in_browser(&self) -> Self {
        Self { shows: Shows::Cookie, ..self.clone() }
    }

    /// This actor with another device (`User-Agent`).
    #[must_use]
    pub fn on(&self, device: &str) -> Self {
        Self { device: device.to_owned(), ..self.clone() }
    }

    /// The network address that this actor calls from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The session's token.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("somebody signed in")
    }

    /// The id of the session: the `sid` of its token.
    ///
    /// # Panics
    /// If there is no session.
    #[must_use]
    pub fn session_id(&self) -> String {
        crate::claims(self.token())["sid"].as_str().expect("a sid").to_owned()
    }

    /// This actor with another session of the same account.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request by any method, from this actor's address and device, with its token if it has one.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let call = Call::new(&self.app, method, path).at_address(self.address).header("user-agent", &self.device);
        match (&self.token, self.shows) {
            (Some(token), Shows::Header) => call.bearer(token),
            (Some(token), Shows::Cookie) => call.cookie(token).header("sec-fetch-site", "same-origin"),
            (None, _) => call,
        }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Call {
        self.call("DELETE", path)
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: Value) -> Call {
        self.call("POST", path).json(body)
    }

    /// PUT of JSON.
    pub fn put(&self, path: &str, body: Value) -> Call {
        self.call("PUT", path).json(body)
    }

    /// Tries to sign in; shows no token.
    pub async fn try_login(&self, email: &str, password: &str) -> Reply {
        self.post("/api/auth/login", json!({ "email": email, "password": password })).without("authorization").await
    }

    /// A further session of this actor's account, from the same address and device.
    pub async fn another_session(&self) -> Self {
        self.signed_in_with(PASSWORD).await
    }

    /// A further session of this actor's account, with this password.
    ///
    /// # Panics
    /// If the sign-in fails.
    pub async fn signed_in_with(&self, password: &str) -> Self {
        let reply = self.try_login(&self.email, password).await;
        assert_eq!(reply.status, 200, "{reply}");
        let data = reply.data();
        Self { token: Some(data["token"].as_str().expect("a token").to_owned()), ..self.clone() }
    }

    /// Ends this session by its own token and checks that the answer says so.
    pub async fn logout(&self) {
        self.call("POST", "/api/auth/logout").await.assert_ok(200, "Sesión cerrada exitosamente");
    }

    /// Whether this session is accepted. Anything but the 200 and the exact 401 of the contract fails the test.
    pub async fn is_in(&self) -> bool {
        let reply = self.get("/api/auth/verify").await;
        if reply.status == 200 {
            return true;
        }
        reply.assert_token_refused();
        false
    }

    /// Takes what a sign-in or a registration answered: the account and its token.
    pub(crate) fn with_account(self, data: &Value) -> Self {
        let user = &data["user"];
        Self {
            token: Some(data["token"].as_str().expect("a token").to_owned()),
            id: user["user_id"].as_i64().expect("a user_id"),
            name: user["name"].as_str().expect("a name").to_owned(),
            email: user["email"].as_str().expect("an email").to_owned(),
            ..self
        }
    }
}
