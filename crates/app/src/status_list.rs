//! The wire form of the lists: Token Status List tokens (draft-ietf-oauth-status-list, section 5.1).

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cerrojo_domain::ListName;
use cerrojo_guard::status_list::{EncodedList, StatusListClaims, encode};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::sha256::sha256;
use crate::{App, Trouble, picture};

/// How long a token may be used at all.
const LIFETIME: Duration = Duration::from_mins(10);
/// After how many seconds a reader should fetch a list again (`ttl`).
const FRESH: u64 = 5;
/// How long a token is served again while no bit changes, so that its `iat` says how fresh it is.
const SERVED: Duration = Duration::from_secs(1);
/// A list that nobody asked for in this time is no longer kept ready.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// What is served.
#[derive(Clone, Debug)]
pub struct ListToken {
    /// Compact JWS.
    pub token: Arc<str>,
    /// What the token is known by: a hash of it, in base64url.
    pub version: String,
    /// How many seconds a cache may keep it.
    pub max_age: u64,
    gzipped: Arc<OnceLock<Arc<[u8]>>>,
}

impl ListToken {
    /// A token and what it is known by.
    #[must_use]
    pub fn new(token: &str, max_age: u64) -> Self {
        let version = URL_SAFE_NO_PAD.encode(sha256(token.as_bytes()));
        Self { token: token.into(), version, max_age, gzipped: Arc::default() }
    }

    /// The token compressed (RFC 1952), once for all who ask for it.
    #[must_use]
    pub fn gzipped(&self) -> Arc<[u8]> {
        Arc::clone(self.gzipped.get_or_init(|| {
            // The list in it is compressed already: what is left to gain is base64's third, and the fastest level has it.
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory does not fail.
            let packed = encoder.write_all(self.token.as_bytes()).and_then(|()| encoder.finish());
            packed.unwrap_or_default().into()
        }))
    }
}

/// The tokens served last. One is built at a time for each list, however many ask.
#[derive(Default)]
pub struct StatusListTokens {
    places: Mutex<HashMap<ListName, Arc<Place>>>,
}

#[derive(Default)]
struct Place {
    built: tokio::sync::Mutex<Option<Built>>,
    asked: Mutex<Duration>,
}

struct Built {
    /// When the bits were read.
    read_at: Duration,
    signed_at: Duration,
    bits: [u8; 32],
    compressed: String,
    served: ListToken,
}

/// The signed token (`typ` `statuslist+jwt`) of a list; `None`: no such list. Whatever ended before the call shows in it.
///
/// # Errors
/// [`Trouble::Unavailable`] where this node cannot show that it is current: a fresh `iat` would be a guess.
pub async fn token(app: &App, name: &ListName) -> Result<Option<ListToken>, Trouble> {
    let asked = app.clock.elapsed();
    if app.guard.list_bytes(name).is_none() && !picture::is_in_use(app, name).await? {
        return Ok(None);
    }
    let Some(place) = place(app, name, asked) else { return Ok(None) };
    let mut built = place.built.lock().await;
    let (iat, read_at) = (app.clock.now(), app.clock.elapsed());
    if !app.guard.holds_lease() {
        return Err(Trouble::Unavailable("the lists of this node may not be current".to_owned()));
    }
    // Read while this request waited: it holds all that ended before the request came.
    if let Some(ready) = built.as_ref().filter(|ready| asked < ready.read_at && !is_old(ready, read_at)) {
        return Ok(Some(ready.served.clone()));
    }
    let Some(bytes) = app.guard.list_bytes(name) else { return Ok(None) };
    let bits = sha256(&bytes);
    let compressed = match built.take() {
        Some(mut ready) if ready.bits == bits => {
            if !is_old(&ready, read_at) {
                ready.read_at = read_at;
                return Ok(Some(built.insert(ready).served.clone()));
            }
            ready.compressed
        }
        _ => compress(bytes).await?,
    };
    let addresses = format!("{}/status-lists", app.settings.public_url);
    let claims = StatusListClaims {
        sub: format!("{addresses}/{name}"),
        iat: iat.seconds(),
        exp: iat.plus(LIFETIME).seconds(),
        ttl: FRESH,
        status_list: EncodedList { bits: 1, lst: compressed.clone(), aggregation_uri: Some(addresses) },
    };
    let token = app.keys.sign_status_list(&claims).await?;
    let served = ListToken::new(&token, FRESH);
    *built = Some(Built { read_at, signed_at: read_at, bits, compressed, served: served.clone() });
    Ok(Some(served))
}

fn is_old(ready: &Built, now: Duration) -> bool {
    now.saturating_sub(ready.signed_at) >= SERVED
}

/// Where a list's token is kept. Only lists that exist get a place.
fn place(app: &App, name: &ListName, now: Duration) -> Option<Arc<Place>> {
    let mut places = app.status_list_tokens.places.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(place) = places.get(name) {
        *place.asked.lock().unwrap_or_else(PoisonError::into_inner) = now;
        return Some(Arc::clone(place));
    }
    app.guard.list_bytes(name)?;
    places
        .retain(|_, place| now.saturating_sub(*place.asked.lock().unwrap_or_else(PoisonError::into_inner)) < FORGOTTEN);
    let place = Arc::new(Place { asked: Mutex::new(now), ..Place::default() });
    places.insert(name.clone(), Arc::clone(&place));
    Some(place)
}

/// Off the threads that answer requests: a large list takes some milliseconds.
async fn compress(bytes: Vec<u8>) -> Result<String, Trouble> {
    let lst = tokio::task::spawn_blocking(move || encode(&bytes)).await;
    lst.map_err(|error| Trouble::Internal(format!("a status list could not be compressed: {error}")))
}
