//! The birth of a session: under the credentials it was checked against, or not at all.

use std::sync::Arc;

use cerrojo_domain::{
    Actor, AuditKind, EndReason, Ending, Entry, KeyId, ListIndex, ListName, Origin, RoleId, SessionId, UnixMillis, User,
};
use cerrojo_guard::{Claims, Status, StatusList};
use cerrojo_store::audit::{self, Act};
use cerrojo_store::sessions::NewSession;
use cerrojo_store::{EndingTx, StoreError, Tx, known_addresses, lists, sessions, users};

use crate::keys::SessionSigner;
use crate::lists::For;
use crate::metrics::Notice;
use crate::{App, NewDeviceNotice, Trouble, end, mail, request};

/// A session just born.
pub struct SignedIn {
    /// The JWT.
    pub token: String,
    /// The user as of now.
    pub user: User,
    /// The session's id.
    pub session: SessionId,
    /// The token's `exp`.
    pub expires_at: UnixMillis,
}

/// What a session needs before its transaction: no lock is held while it is got.
pub(crate) struct Cradle {
    id: SessionId,
    list: ListName,
    index: ListIndex,
    key: KeyId,
    signer: Arc<SessionSigner>,
    started_at: UnixMillis,
    expires_at: UnixMillis,
    jti: String,
    /// How many sessions the user may have with this one.
    most: Option<i64>,
    notice: NewDeviceNotice,
    /// From when on an address counts as known.
    known_since: UnixMillis,
    newness: Newness,
}

/// Whether it is news to the account's owner where a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newness {
    /// It is not: the account signed in from that network lately, or never signed in at all.
    None,
    /// It is, and is told.
    Told,
    /// It is, and was told often enough today.
    Often,
    /// It is, and nobody is told of such things here.
    Off,
}

/// Reserves a place and chooses the key, for a session of a user of this role.
pub(crate) async fn prepare(app: &App, role: RoleId) -> Result<Cradle, Trouble> {
    let rules = app.settings.session_rules(role);
    let signer = app.keys.session_signer()?;
    let started_at = app.clock.now();
    // `exp` counts whole seconds (RFC 7519, section 2): the session lives exactly as long as its token.
    let life = rules.max_age.map_or(app.settings.token_ttl, |most| most.min(app.settings.token_ttl));
    let expires_at = UnixMillis(started_at.plus(life).seconds().saturating_mul(1000));
    let (list, index) = app.blocks.take(app, (For::SignIn, expires_at)).await?;
    let jti = SessionId::new(&*app.random).to_string();
    let id = SessionId::new(&*app.random);
    let most = rules.max_per_user.map(i64::from);
    let key = signer.key().clone();
    let (notice, known_since) = (app.settings.new_device, started_at.minus(app.settings.retention.known_addresses));
    let newness = Newness::None;
    Ok(Cradle { id, list, index, key, signer, started_at, expires_at, jti, most, notice, known_since, newness })
}

/// What became of a sign-in in its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Birth {
    /// The session is in the transaction.
    Born,
    /// The user's epoch was raised, or the user is no longer active.
    Lost,
    /// The list was retired meanwhile: everything is over, try again with another.
    ListRetired,
    /// The user has as many sessions as one may have.
    Full,
}

/// Looks again at what was checked, under the users row's lock, and only then makes the session.
pub(crate) async fn in_tx(tx: &mut Tx, cradle: &mut Cradle, user: &User, origin: &Origin) -> Result<Birth, StoreError> {
    let looked = look_again(tx, cradle, user).await?;
    if looked != Birth::Born {
        return Ok(looked);
    }
    if let Some(most) = cradle.most
        && sessions::count_live(tx, user.id, cradle.started_at).await? >= most
    {
        return Ok(Birth::Full);
    }
    lay(tx, cradle, (user, origin)).await
}

/// The same in a transaction that may end sessions: the oldest ones end, as many as there would be too many.
pub(crate) async fn in_the_place_of_others(
    tx: &mut EndingTx,
    cradle: &mut Cradle,
    (user, origin): (&User, &Origin),
) -> Result<(Birth, Vec<Entry>), StoreError> {
    let looked = look_again(tx, cradle, user).await?;
    if looked != Birth::Born {
        return Ok((looked, Vec::new()));
    }
    let mut entries = Vec::new();
    if let Some(most) = cradle.most {
        let live = sessions::count_live(tx, user.id, cradle.started_at).await?;
        let too_many = live.saturating_add(1).saturating_sub(most);
        let oldest = sessions::oldest_live(tx, user.id, (cradle.started_at, too_many.max(0))).await?;
        let (actor, place) = (Actor::User(user.id), Some(origin.address));
        let ending = Ending { reason: EndReason::SessionLimit, actor, at: cradle.started_at, place };
        entries = end::these_in_tx(tx, oldest, &ending).await?;
    }
    Ok((lay(tx, cradle, (user, origin)).await?, entries))
}

async fn look_again(tx: &mut Tx, cradle: &Cradle, user: &User) -> Result<Birth, StoreError> {
    if !users::sign_in(tx, user.id, user.epoch, cradle.started_at).await? {
        return Ok(Birth::Lost);
    }
    let is_retired = lists::held(tx, &cradle.list).await?.is_none_or(|list| list.retired);
    Ok(if is_retired { Birth::ListRetired } else { Birth::Born })
}

async fn lay(tx: &mut Tx, cradle: &mut Cradle, (user, origin): (&User, &Origin)) -> Result<Birth, StoreError> {
    let session = NewSession {
        id: cradle.id.clone(),
        user: user.id,
        list: cradle.list.clone(),
        index: cradle.index,
        key: cradle.key.clone(),
        started_at: cradle.started_at,
        expires_at: cradle.expires_at,
        device: origin.device.clone(),
        address: Some(origin.address),
    };
    sessions::insert(tx, &session).await?;
    let act = Act::new(AuditKind::SessionBegan, cradle.started_at).by(Actor::User(user.id)).to(user.id);
    audit::record(tx, act.in_session(&cradle.id).from(origin)).await?;
    cradle.newness = newness(tx, cradle, (user, origin)).await?;
    known_addresses::note(tx, user.id, origin.block(), cradle.started_at).await?;
    Ok(Birth::Born)
}

/// Looks whether the account signed in from there before, and writes the mail if not. What the client calls itself does not
/// count: whoever has the password can say the same.
async fn newness(tx: &mut Tx, cradle: &Cradle, (user, origin): (&User, &Origin)) -> Result<Newness, StoreError> {
    let mut known = known_addresses::of_user(tx, user.id).await?;
    known.retain(|(_, seen_at)| *seen_at >= cradle.known_since);
    let here = origin.block();
    if known.iter().any(|(block, _)| block.parse().is_ok_and(|block| here.is_near(block))) {
        // It is known as long as the address is; the account may sleep longer.
        users::note_signed_in(tx, user.id).await?;
        return Ok(Newness::None);
    }
    let is_first = users::note_first(tx, user).await?;
    if is_first && known.is_empty() {
        return Ok(Newness::None);
    }
    if cradle.notice == NewDeviceNotice::Off {
        return Ok(Newness::Off);
    }
    let is_told = mail::tell_new_device(tx, user, (&cradle.id, origin), cradle.started_at).await?;
    Ok(if is_told { Newness::Told } else { Newness::Often })
}

/// What is to be done about it once it is committed.
fn announce(app: &App, cradle: &Cradle, user: &User) {
    let notice = match cradle.newness {
        Newness::None => return,
        Newness::Told => Notice::Sent,
        Newness::Often => Notice::Limited,
        Newness::Off => Notice::Off,
    };
    app.metrics.new_places.count(notice);
    tracing::info!(user.id = %user.id, session.id = %cradle.id, "a session began from a new place");
    if notice == Notice::Sent {
        app.mail_waiting.notify_one();
    }
}

/// Commits a birth in the place of others and gives the token out when their endings are known wherever yes could be said.
pub(crate) async fn commit_in_the_place_of_others(
    app: &App,
    (tx, entries): (EndingTx, Vec<Entry>),
    cradle: Cradle,
    user: User,
) -> Result<SignedIn, Trouble> {
    let (signer, claims) = (Arc::clone(&cradle.signer), claims(app, &cradle, &user));
    // Before: nobody else has the place, whatever becomes of the transaction.
    app.guard.seen(&cradle.list, cradle.index, cradle.started_at);
    end::commit(app, tx, entries).await?;
    sign(app, (signer, &claims), cradle, user).await
}

/// Commits the birth and gives the token out.
pub(crate) async fn commit(app: &App, tx: Tx, cradle: Cradle, user: User) -> Result<SignedIn, Trouble> {
    let (signer, claims) = (Arc::clone(&cradle.signer), claims(app, &cradle, &user));
    let shared = app.shared()?;
    // A caller that goes away must not leave a session whose first use is not known.
    let committed = tokio::spawn(request::carried(async move {
        tx.commit().await?;
        shared.guard.seen(&cradle.list, cradle.index, cradle.started_at);
        Ok::<_, Trouble>(cradle)
    }));
    let cradle = committed.await.map_err(|error| Trouble::Unavailable(format!("sign-in interrupted: {error}")))??;
    sign(app, (signer, &claims), cradle, user).await
}

/// Only after the transaction: with RSA it takes some milliseconds, for which no row is held. A session whose token fails here is nobody's.
async fn sign(
    app: &App,
    (signer, claims): (Arc<SessionSigner>, &Claims),
    cradle: Cradle,
    user: User,
) -> Result<SignedIn, Trouble> {
    announce(app, &cradle, &user);
    let token = signer.sign(claims).await?;
    app.guard.expect(&token);
    let user = User { last_session: Some(cradle.started_at), ..user };
    Ok(SignedIn { token, user, session: cradle.id, expires_at: cradle.expires_at })
}

fn claims(app: &App, cradle: &Cradle, user: &User) -> Claims {
    let Cradle { id, list, index, started_at, expires_at, jti, .. } = cradle;
    let issuer = &app.settings.public_url;
    Claims {
        iss: issuer.clone(),
        aud: app.settings.audience.clone(),
        sub: user.id.to_string(),
        iat: started_at.seconds(),
        exp: expires_at.seconds(),
        jti: jti.clone(),
        sid: id.to_string(),
        status: Status { status_list: StatusList { idx: index.0, uri: format!("{issuer}/status-lists/{list}") } },
        user_id: user.id.0,
        email: user.email.as_str().to_owned(),
        role_id: user.role_id,
        name: user.name.clone(),
    }
}
