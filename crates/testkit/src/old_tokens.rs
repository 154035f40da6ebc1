//! Tokens of the application that users come from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_app::{OldTokens, Secret};
use ring::hmac;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{Actor, TestApp};

/// What the other application signs with.
pub const OLD_SECRET: &str = "a secret of the old application, long enough";

/// The setting that accepts its tokens.
#[must_use]
pub fn another_applications_tokens() -> OldTokens {
    OldTokens {
        secret: Secret(Zeroizing::new(OLD_SECRET.as_bytes().to_vec())),
        user_claim: "user_id".to_owned(),
        require: Vec::new(),
        issued_before: None,
        until: None,
    }
}

/// A JWT signed with HS256.
#[must_use]
pub fn hs256(secret: &str, header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

/// As the other application signs it.
#[must_use]
pub fn old_token(claims: &Value) -> String {
    hs256(OLD_SECRET, &json!({ "alg": "HS256", "typ": "JWT" }), claims)
}

impl TestApp {
    /// Makes a user one who was imported.
    pub async fn came_from_another_application(&self, user: &Actor) {
        let text = format!("UPDATE users SET old_tokens = 1, old_tokens_since = 0 WHERE user_id = {}", user.id);
        cerrojo_store::testing::execute(self.database_url(), text).await;
    }

    /// The user with a token that the other application gave out now, for a day.
    #[must_use]
    pub fn old_session(&self, user: &Actor, device: &str) -> Actor {
        let now = self.inside().clock.now().seconds();
        let claims = json!({ "user_id": user.id, "device": device, "iat": now, "exp": now + 86_400 });
        user.with_token(&old_token(&claims))
    }
}
