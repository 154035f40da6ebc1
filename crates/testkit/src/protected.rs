//! Every endpoint that takes a session's token.

use serde_json::{Value, json};

use crate::{Actor, Call, OTHER_PASSWORD, PASSWORD};

/// What to ask an endpoint for.
#[derive(Clone, Copy, Debug)]
pub struct Protected {
    /// Its method.
    pub method: &'static str,
    /// Its path as the description writes it.
    pub path: &'static str,
    /// A request that changes nothing is refused for its own sake with this status; `None`: there is no such request.
    pub harmless: Option<u16>,
}

const fn endpoint(method: &'static str, path: &'static str, harmless: Option<u16>) -> Protected {
    Protected { method, path, harmless }
}

/// All of them.
pub const PROTECTED: [Protected; 26] = [
    endpoint("POST", "/api/auth/logout", None),
    endpoint("GET", "/api/auth/verify", Some(200)),
    endpoint("GET", "/api/auth/profile", Some(200)),
    endpoint("PUT", "/api/auth/profile", Some(400)),
    endpoint("DELETE", "/api/auth/profile", Some(403)),
    endpoint("GET", "/api/auth/profile/data", Some(200)),
    endpoint("PUT", "/api/auth/password", Some(400)),
    endpoint("GET", "/api/auth/events", Some(200)),
    endpoint("POST", "/api/auth/activity", Some(200)),
    endpoint("GET", "/api/auth/sessions", Some(200)),
    endpoint("DELETE", "/api/auth/sessions/{id}", Some(404)),
    endpoint("POST", "/api/auth/logout-all", None),
    endpoint("POST", "/api/auth/logout-others", None),
    endpoint("GET", "/api/admin/users", Some(200)),
    endpoint("GET", "/api/admin/users/{id}", Some(200)),
    endpoint("PUT", "/api/admin/users/{id}", Some(400)),
    endpoint("DELETE", "/api/auth/users/{id}", Some(404)),
    endpoint("POST", "/api/admin/users/{id}/force-reset", Some(404)),
    endpoint("GET", "/api/admin/users/{id}/data", Some(200)),
    endpoint("GET", "/api/admin/users/{id}/sessions", Some(200)),
    endpoint("DELETE", "/api/admin/users/{id}/sessions", Some(404)),
    endpoint("GET", "/api/admin/audit", Some(200)),
    endpoint("GET", "/api/admin/invitations", Some(200)),
    endpoint("POST", "/api/admin/invitations", Some(400)),
    endpoint("POST", "/api/admin/invitations/{id}/resend", Some(404)),
    endpoint("DELETE", "/api/admin/invitations/{id}", Some(404)),
];

impl Protected {
    /// A request by `caller` that succeeds if it has a live session and is an administrator: on its own account, or on the
    /// one of `target`. Nobody who is an administrator deletes the own one.
    pub fn in_earnest(&self, caller: &Actor, target: &Actor) -> Call {
        let id = if self.path.contains("sessions/{id}") { caller.session_id() } else { target.id.to_string() };
        let body = match (self.method, self.path) {
            ("PUT", "/api/auth/password") => json!({ "currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD }),
            ("DELETE", "/api/auth/profile") => json!({ "currentPassword": PASSWORD }),
            ("POST", "/api/admin/invitations") => json!({ "email": format!("invitada{id}@example.com") }),
            ("PUT", _) => json!({ "name": "Cambiado" }),
            _ => Value::Null,
        };
        self.call(caller, &id, body)
    }

    /// What such a request is answered.
    #[must_use]
    pub fn status_in_earnest(&self) -> u16 {
        match (self.method, self.path) {
            ("DELETE", "/api/auth/profile") => 403,
            ("POST", "/api/admin/invitations") => 201,
            // There is no invitation of that name.
            (_, "/api/admin/invitations/{id}" | "/api/admin/invitations/{id}/resend") => 404,
            _ => 200,
        }
    }

    /// A request by `caller` that changes nothing, and the status that it gets if its session is live and it is an
    /// administrator.
    #[must_use]
    pub fn harmless(&self, caller: &Actor) -> Option<(Call, u16)> {
        let status = self.harmless?;
        let id = if status == 404 { "987654321".to_owned() } else { caller.id.to_string() };
        let body = if self.method == "PUT" { json!({}) } else { Value::Null };
        Some((self.call(caller, &id, body), status))
    }

    fn call(&self, caller: &Actor, id: &str, body: Value) -> Call {
        let call = caller.call(self.method, &self.path.replace("{id}", id));
        if body.is_null() { call } else { call.json(body) }
    }
}
