//! Says of JSON Web Signatures whether they are valid, so that public test vectors can drive the guard's verification.
//!
//! Reads lines of `{"jwks": {"keys": […]}, "token": "…"}` and writes for each `{"valid": true}`, or `{"valid": false,
//! "reason": "…"}`. It judges the signature and the header, as strictly as the guard does, with four differences: any `typ`
//! and any payload will do, shared secrets (`kty` `oct`) are read, a header without `kid`, or any header if the key has no
//! `kid`, means the only key of a set of one, and a key that does not say its algorithm is for that of the header, if it can be.
//!
//! ```sh
//! cargo run -p cerrojo-guard --example verify_lines < vectors.jsonl
//! ```

use std::io::{self, BufRead as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::strict_json;
use cerrojo_guard::{Jws, SESSION_TOKEN, VerifyingKey};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let verdict = match judge(&line) {
            Ok(()) => json!({ "valid": true }),
            Err(reason) => json!({ "valid": false, "reason": reason }),
        };
        writeln!(out, "{verdict}")?;
    }
    Ok(())
}

fn judge(line: &[u8]) -> Result<(), String> {
    // Lenient here: the line is the driver's, and what it quotes may well contain U+0000.
    let line: Value = serde_json::from_slice(line).map_err(|_| "the line is not JSON")?;
    let keys = line.pointer("/jwks/keys").and_then(Value::as_array).ok_or("the line has no JWK set")?;
    let token = line.get("token").and_then(Value::as_str).ok_or("the line has no token")?;
    let jws = Jws::parse(token, SESSION_TOKEN.max_bytes).map_err(|error| error.to_string())?;
    let mut jwk = choose(keys, jws.kid())?.clone();
    if let Some(members) = jwk.as_object_mut() {
        members.entry("alg").or_insert_with(|| json!(jws.algorithm()));
    }
    let key = key(&jwk)?;
    jws.verify(&key).map(|_| ()).map_err(|error| error.to_string())
}

/// The key of exactly this `kid`, or the only one there is.
fn choose<'a>(keys: &'a [Value], kid: Option<&str>) -> Result<&'a Value, String> {
    if let [only] = keys
        && (kid.is_none() || only.get("kid").is_none())
    {
        return Ok(only);
    }
    let kid = kid.ok_or("no kid, and the set has not exactly one key")?;
    let mut named = keys.iter().filter(|jwk| jwk.get("kid").and_then(Value::as_str) == Some(kid));
    match (named.next(), named.next()) {
        (Some(jwk), None) => Ok(jwk),
        (None, _) => Err("kid names no key".to_owned()),
        (Some(_), Some(_)) => Err("kid names several keys".to_owned()),
    }
}

fn key(jwk: &Value) -> Result<VerifyingKey, String> {
    let jwk = strict_json::parse(jwk.to_string().as_bytes()).map_err(|error| error.to_string())?;
    if jwk.get("kty").and_then(Value::as_str) != Some("oct") {
        return VerifyingKey::from_jwk(&jwk).map_err(|error| error.to_string());
    }
    if jwk.get("alg").is_some_and(|alg| alg != "HS256") || jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err("a secret for something else than HS256".to_owned());
    }
    let secret = jwk.get("k").and_then(Value::as_str).ok_or("a secret without k")?;
    URL_SAFE_NO_PAD.decode(secret).map(VerifyingKey::Hs256).map_err(|_| "a secret that is not base64url".to_owned())
}
