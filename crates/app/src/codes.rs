//! Codes that are mailed: 256 random bits, of which only the hash is kept. Each works once, and for a time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::UnixMillis;
use cerrojo_store::audit::chain::hex;
use cerrojo_store::codes::{self, Code, Purpose};
use cerrojo_store::{StoreError, Tx};

use crate::App;
use crate::sha256::sha256;

/// Makes a code. One that was made for the same before works no more, unless it is of a kind that somebody else could have made
/// anew, who would make the earlier one void so: anybody can ask for a link that sets a password, whoever got into an account
/// signs in again and changes its address again, and whoever starts a second node starts it beside the first. Whoever uses one of
/// them makes an end of the others.
pub(crate) async fn make(
    app: &App,
    tx: &mut Tx,
    (purpose, subject): (Purpose, &str),
    (bound_to, expires_at): (&str, UnixMillis),
) -> Result<String, StoreError> {
    if !stays(purpose) {
        codes::void(tx, subject, purpose).await?;
    }
    let code = URL_SAFE_NO_PAD.encode(app.random.bytes::<32>());
    let (subject, bound_to) = (subject.to_owned(), bound_to.to_owned());
    codes::insert(tx, &Code { code_hash: hash(&code), purpose, subject, bound_to, expires_at }).await?;
    Ok(code)
}

fn stays(purpose: Purpose) -> bool {
    matches!(
        purpose,
        Purpose::Reset | Purpose::ResetRegistration | Purpose::NotMe | Purpose::UndoEmail | Purpose::FirstAdministrator
    )
}

/// The code that was typed, if there is one and its time is not over. It is not used up. Nobody guesses 256 bits, so what the
/// time tells about one tells nothing.
pub(crate) async fn look_up(app: &App, typed: &str) -> Result<Option<Code>, StoreError> {
    if !is_shaped(typed) {
        return Ok(None);
    }
    let found = codes::find(&mut app.store.reader(), &hash(typed)).await?;
    Ok(found.filter(|code| is_in_time(app, code)))
}

/// Whether it could be one: what could not costs no query.
fn is_shaped(typed: &str) -> bool {
    typed.len() == 43 && typed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Uses it up; whether it was there, just so. Of all who try, one hears yes.
pub(crate) async fn use_up(app: &App, tx: &mut Tx, code: &Code) -> Result<bool, StoreError> {
    let taken = codes::take(tx, &code.code_hash).await?;
    Ok(taken.is_some_and(|taken| taken == *code && is_in_time(app, &taken)))
}

fn is_in_time(app: &App, code: &Code) -> bool {
    app.clock.now() < code.expires_at
}

/// What is stored of a code: SHA-256 in hex. A code is random enough to need no slow hash.
fn hash(code: &str) -> String {
    hex(&sha256(code.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_has_the_shape_that_is_looked_up() {
        assert!(is_shaped(&URL_SAFE_NO_PAD.encode([0xff; 32])));
        for other in ["", "x", &"a".repeat(42), &"a".repeat(44), &"+".repeat(43), &"ñ".repeat(21)] {
            assert!(!is_shaped(other), "{other}");
        }
    }

    #[test]
    fn a_code_is_stored_as_its_sha_256() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
