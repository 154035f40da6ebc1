//! Entries in the chain, its head, and where it begins.

use std::collections::BTreeSet;

use cerrojo_domain::{UnixMillis, UserId};
use serde_json::{Value, json};

use crate::bind::binds;
use crate::db::{self, Run};
use crate::errors::{Result, StoreError};
use crate::log;
use crate::row::Row;
use crate::statement::statements;
use crate::tx::Tx;

macro_rules! head {
    () => {
        "position, mac, seal, anchor_position, anchor_mac, anchor_seal"
    };
}

/// Whether the person `$owner` is still there; so is nobody. Somebody else who was given the number later by an import is not that
/// person. That is looked for only where something `$erased`.
macro_rules! is_there {
    ($owner:literal, $erased:literal) => {
        concat!(
            "CAST(CASE WHEN ",
            $owner,
            " IS NULL THEN 1 WHEN NOT EXISTS (SELECT 1 FROM users WHERE user_id = ",
            $owner,
            ") THEN 0 WHEN ",
            $erased,
            " AND (EXISTS (SELECT 1 FROM audit AS later WHERE later.subject = ",
            $owner,
            " AND later.id >= audit.id AND later.kind = 'account.deleted') \
             OR EXISTS (SELECT 1 FROM audit_waiting AS later WHERE later.subject = ",
            $owner,
            " AND later.kind = 'account.deleted')) THEN 0 ELSE 1 END AS BIGINT)"
        )
    };
}

statements! {
    TAKE(0) = concat!("UPDATE audit_head SET position = position WHERE one = 1 RETURNING ", head!());
    HEAD(0) = concat!("SELECT ", head!(), ", COALESCE((SELECT max(position) FROM audit), 0) FROM audit_head WHERE one = 1");
    HIGHEST(0) = "SELECT COALESCE(max(position), 0) FROM audit";
    SET_HEAD(4) = "UPDATE audit_head SET position = $1, mac = $2, seal = $3, \
         last_id = CASE WHEN last_id < $4 THEN $4 ELSE last_id END WHERE one = 1";
    SET_ANCHOR(3) = "UPDATE audit_head SET anchor_position = $1, anchor_mac = $2, anchor_seal = $3 WHERE one = 1";
    CUT(1) = "DELETE FROM audit WHERE position <= $1";
    TAKE_WAITING(1) = concat!(
        "DELETE FROM audit_waiting WHERE id IN (SELECT id FROM audit_waiting ORDER BY id LIMIT $1) RETURNING id, ",
        super::said!());
    WHO_IS_THERE(1) = "SELECT user_id FROM users WHERE user_id IN (SELECT value FROM json_each($1))",
        postgres = "SELECT user_id FROM users \
         WHERE user_id = ANY (ARRAY(SELECT CAST(json_array_elements_text(CAST($1 AS JSON)) AS BIGINT)))";
    APPEND(1) = concat!(
        "INSERT INTO audit (id, ", super::said!(), ", position, origin_salt, origin_digest, about_salt, about_digest, mac) SELECT \
         value ->> 'id', value ->> 'at', value ->> 'kind', value ->> 'actor', \
         value ->> 'actor_id', value ->> 'subject', value ->> 'session_id', \
         value ->> 'request_id', value ->> 'node', value ->> 'details', \
         value ->> 'address', value ->> 'device', value ->> 'about', \
         value ->> 'position', value ->> 'origin_salt', value ->> 'origin_digest', \
         value ->> 'about_salt', value ->> 'about_digest', value ->> 'mac' \
         FROM json_each($1)"),
        postgres = concat!(
        "INSERT INTO audit (id, ", super::said!(), ", position, origin_salt, origin_digest, about_salt, about_digest, mac) \
         SELECT id, ", super::said!(), ", position, origin_salt, origin_digest, about_salt, about_digest, mac \
         FROM json_to_recordset(CAST($1 AS JSON)) AS act \
         (id BIGINT, at BIGINT, kind TEXT, actor TEXT, actor_id BIGINT, subject BIGINT, session_id TEXT, request_id TEXT, \
         node TEXT, details TEXT, address TEXT, device TEXT, about TEXT, position BIGINT, origin_salt TEXT, \
         origin_digest TEXT, about_salt TEXT, about_digest TEXT, mac TEXT)");
    AFTER(2) = concat!(
        "SELECT id, ", super::said!(), ", position, origin_salt, origin_digest, about_salt, about_digest, mac, ",
        is_there!("COALESCE(audit.actor_id, audit.subject)", "origin_salt IS NULL AND origin_digest IS NOT NULL"), ", ",
        is_there!("audit.subject", "about_salt IS NULL AND about_digest IS NOT NULL"),
        " FROM audit WHERE position > $1 ORDER BY position LIMIT $2");
}

/// An entry as an act wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its number: in the order in which acts wrote them, which need not be that of their commits.
    pub id: i64,
    /// When.
    pub at: UnixMillis,
    /// An [`cerrojo_domain::AuditKind`], or one of a later release.
    pub kind: String,
    /// `user`, `administrator`, `operator`, `server` or `nobody`.
    pub actor: String,
    /// The number of a person.
    pub actor_id: Option<i64>,
    /// Whom it is about.
    pub subject: Option<i64>,
    /// Which session.
    pub session: Option<String>,
    /// For which request.
    pub request: Option<String>,
    /// Which process wrote it.
    pub node: Option<String>,
    /// JSON.
    pub details: String,
    /// Personal, the actor's.
    pub address: Option<String>,
    /// Personal, the actor's.
    pub device: Option<String>,
    /// JSON. Personal, the subject's.
    pub about: Option<String>,
}

impl Said {
    /// Whose the address and the device are.
    #[must_use]
    pub fn owner_of_origin(&self) -> Option<UserId> {
        self.actor_id.or(self.subject).map(UserId)
    }
}

/// A salt, and the digest of something personal with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commitment {
    /// Gone once the personal part was erased.
    pub salt: Option<String>,
    /// None if there was nothing personal.
    pub digest: Option<String>,
}

/// An entry in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// From 1, without gaps.
    pub position: i64,
    /// What it says.
    pub said: Said,
    /// Of address and device.
    pub origin: Commitment,
    /// Of what is said of the subject.
    pub about: Commitment,
    /// Over the mac before and all of this.
    pub mac: String,
}

/// An entry that was read, and whether those are there whose personal parts it has or had (nobody always is).
pub struct Found {
    /// It.
    pub link: Link,
    /// Of the address and the device.
    pub is_origins_owner_there: bool,
    /// Of what is said of the subject.
    pub is_subject_there: bool,
}

/// A place in the chain, confirmed by a seal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// 0: before the first entry.
    pub position: i64,
    /// The entry's.
    pub mac: String,
    /// A mac over both; empty while there never was an entry.
    pub seal: String,
}

/// Where the chain is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Its last entry.
    pub last: Place,
    /// The last entry that was removed because it was old enough.
    pub anchor: Place,
}

/// Takes the chain's row: whoever else wants to write to the chain waits until the transaction ends.
pub async fn take(tx: &mut Tx) -> Result<Head> {
    head_of(db::row(tx, TAKE, binds![]).await?.as_ref())
}

/// Where the chain is, and the highest position that any entry has.
pub async fn head(run: &mut impl Run) -> Result<(Head, i64)> {
    let row = db::row(run, HEAD, binds![]).await?;
    let highest = row.as_ref().map_or(Ok(0), |row| row.int(6))?;
    Ok((head_of(row.as_ref())?, highest))
}

/// The highest position that any entry has.
pub async fn highest(run: &mut impl Run) -> Result<i64> {
    db::number(run, HIGHEST, binds![]).await
}

/// Takes entries that wait, the oldest first, at most `limit`. Only under [`take`].
pub async fn take_waiting(tx: &mut Tx, limit: i64) -> Result<Vec<Said>> {
    let rows = tx_rows(tx, limit).await?;
    let mut taken: Vec<Said> = rows.iter().map(said).collect::<Result<_>>()?;
    taken.sort_by_key(|said| said.id);
    Ok(taken)
}

async fn tx_rows(tx: &mut Tx, limit: i64) -> Result<Vec<Row>> {
    db::rows(tx, TAKE_WAITING, binds![limit]).await
}

/// Which of these people are there.
pub async fn who_is_there(tx: &mut Tx, people: &BTreeSet<UserId>) -> Result<BTreeSet<UserId>> {
    let people: Value = people.iter().map(|id| id.0).collect();
    db::rows(tx, WHO_IS_THERE, binds![people.to_string()]).await?.iter().map(|row| row.user(0)).collect()
}

/// Appends entries and moves the head to `last`. Only under [`take`].
pub async fn append(tx: &mut Tx, links: &[Link], last: &Place) -> Result<()> {
    let rows: Value = links.iter().map(as_json).collect();
    tx.execute(APPEND, binds![rows.to_string()]).await.map_err(|error| match error {
        StoreError::Taken => StoreError::Broken("the audit trail has an entry where the next one belongs".to_owned()),
        error => error,
    })?;
    let last_id = links.iter().map(|link| link.said.id).max().unwrap_or(0);
    tx.execute(SET_HEAD, binds![last.position, last.mac.as_str(), last.seal.as_str(), last_id]).await.map(drop)
}

/// Removes the entries up to `anchor`, which tells where the chain begins from then on. Only under [`take`].
pub async fn cut(tx: &mut Tx, anchor: &Place) -> Result<u64> {
    tx.execute(SET_ANCHOR, binds![anchor.position, anchor.mac.as_str(), anchor.seal.as_str()]).await?;
    tx.execute(CUT, binds![anchor.position]).await
}

/// Entries behind `position`, in order, at most `limit`.
pub async fn after(run: &mut impl Run, position: i64, limit: i64) -> Result<Vec<Found>> {
    run.rows(AFTER, binds![position, limit]).await?.iter().map(found).collect()
}

fn head_of(row: Option<&Row>) -> Result<Head> {
    let row = row.ok_or_else(|| StoreError::Broken("the audit trail has no head row".to_owned()))?;
    let place = |at: usize| Ok(Place { position: row.int(at)?, mac: row.text(at + 1)?, seal: row.text(at + 2)? });
    Ok(Head { last: place(0)?, anchor: place(3)? })
}

pub(super) fn said(row: &Row) -> Result<Said> {
    Ok(Said {
        id: row.int(0)?,
        at: row.time(1)?,
        kind: row.text(2)?,
        actor: row.text(3)?,
        actor_id: row.int_or_null(4)?,
        subject: row.int_or_null(5)?,
        session: row.text_or_null(6)?,
        request: row.text_or_null(7)?,
        node: row.text_or_null(8)?,
        details: row.text(9)?,
        address: row.text_or_null(10)?,
        device: row.text_or_null(11)?,
        about: row.text_or_null(12)?,
    })
}

fn found(row: &Row) -> Result<Found> {
    let link = Link {
        said: said(row)?,
        position: row.int(13)?,
        origin: Commitment { salt: row.text_or_null(14)?, digest: row.text_or_null(15)? },
        about: Commitment { salt: row.text_or_null(16)?, digest: row.text_or_null(17)? },
        mac: row.text(18)?,
    };
    Ok(Found { link, is_origins_owner_there: row.int(19)? == 1, is_subject_there: row.int(20)? == 1 })
}

fn as_json(link: &Link) -> Value {
    let Link { position, said, origin, about, mac } = link;
    json!({
        "position": position, "id": said.id, "at": said.at.0, "kind": said.kind, "actor": said.actor,
        "actor_id": said.actor_id, "subject": said.subject, "session_id": said.session, "request_id": said.request,
        "node": said.node, "details": said.details, "address": said.address, "device": said.device, "about": said.about,
        "origin_salt": origin.salt, "origin_digest": origin.digest, "about_salt": about.salt,
        "about_digest": about.digest, "mac": mac,
    })
}

/// Bytes as they are stored.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    log::hex(bytes)
}
