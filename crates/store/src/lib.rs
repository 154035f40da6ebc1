//! The only SQL of Cerrojo. One file a table, one text a query for both engines.
//!
//! Stub interface; see the plan.
#![allow(missing_docs, unused_variables, clippy::todo, clippy::unused_async)]

use std::net::IpAddr;

use cerrojo_domain::*;

pub enum StoreError {
    /// A UNIQUE or PRIMARY KEY constraint said no.
    Taken,
    /// Not to be had now: pool timeout, busy, connection lost before COMMIT was sent. Nothing was changed.
    Unavailable(String),
    /// COMMIT was sent and its outcome is not known.
    OutcomeUnknown(String),
    /// Anything else: a defect or a broken database.
    Broken(String),
}
pub type Result<T> = std::result::Result<T, StoreError>;

/// The database of one installation.
pub struct Store {}
/// A write transaction that ends nothing. Rolled back when dropped.
pub struct Tx {}
/// A write transaction that holds the log's head row, taken first. Derefs to `Tx`. The only thing sessions can be ended in.
pub struct EndingTx {}
/// Reads outside a write transaction.
pub struct Reader {}
/// What statements run on: `Tx`, `EndingTx` (through deref) or `Reader`.
pub trait Run {}
impl Run for Tx {}
impl Run for Reader {}

pub struct OpenOptions { pub readers: u32 }

impl Store {
    /// `sqlite:PATH` (folder is made if missing; file made mode 0600) or `postgres://…`. Does not migrate.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self> { todo!() }
    pub async fn migrate(&self) -> Result<Vec<String>> { todo!() }
    pub async fn schema_is_current(&self) -> Result<bool> { todo!() }
    pub async fn begin(&self) -> Result<Tx> { todo!() }
    pub async fn begin_ending(&self) -> Result<EndingTx> { todo!() }
    /// Reads each by itself, from the pool.
    pub fn reader(&self) -> Reader { todo!() }
    /// All reads see one state (SQLite deferred transaction on a reader; PostgreSQL REPEATABLE READ, READ ONLY).
    pub async fn snapshot(&self) -> Result<Reader> { todo!() }
    pub async fn close(&self) { todo!() }
}
impl Tx { pub async fn commit(self) -> Result<()> { todo!() } }
impl EndingTx { pub async fn commit(self) -> Result<()> { todo!() } }
impl std::ops::Deref for EndingTx { type Target = Tx; fn deref(&self) -> &Tx { todo!() } }
impl std::ops::DerefMut for EndingTx { fn deref_mut(&mut self) -> &mut Tx { todo!() } }

pub mod users {
    use super::*;
    pub struct NewUser { pub name: String, pub email: Email, pub password_hash: String, pub role_id: RoleId, pub status: Status, pub registered_at: UnixMillis }
    /// What changes; `None` stays as it is.
    #[derive(Default)]
    pub struct Change { pub name: Option<String>, pub email: Option<Email>, pub password_hash: Option<String>, pub role_id: Option<RoleId>, pub status: Option<Status>, pub raise_epoch: bool }
    /// `Taken` if the e-mail is. The number comes from `counters` in the same transaction.
    pub async fn insert(tx: &mut Tx, user: &NewUser) -> Result<User> { todo!() }
    pub async fn by_id(run: &mut impl Run, id: UserId) -> Result<Option<User>> { todo!() }
    pub async fn by_email(run: &mut impl Run, email: &str) -> Result<Option<User>> { todo!() }
    /// Newest first.
    pub async fn page(run: &mut impl Run, offset: i64, limit: i64) -> Result<Vec<User>> { todo!() }
    pub async fn count(run: &mut impl Run) -> Result<i64> { todo!() }
    pub async fn count_active_with_role(run: &mut impl Run, role: RoleId) -> Result<i64> { todo!() }
    /// `UPDATE users SET last_session … WHERE user_id AND epoch AND status = 'active'`; whether it hit.
    pub async fn sign_in(tx: &mut Tx, id: UserId, epoch: i64, at: UnixMillis) -> Result<bool> { todo!() }
    /// Locks the row by writing it. Only if the epoch is still `epoch`; the row as it is then.
    pub async fn change(tx: &mut Tx, id: UserId, epoch: i64, change: &Change) -> Result<Option<User>> { todo!() }
    /// Takes the row's lock without changing anything (UPDATE … SET epoch = epoch); the row as it is then.
    pub async fn lock(tx: &mut Tx, id: UserId) -> Result<Option<User>> { todo!() }
    /// Compare-and-set of the hash, epoch kept: upgrading bcrypt or parameters at sign-in.
    pub async fn upgrade_hash(tx: &mut Tx, id: UserId, old: &str, new: &str) -> Result<bool> { todo!() }
    pub async fn delete(tx: &mut EndingTx, id: UserId) -> Result<bool> { todo!() }
}

pub mod sessions {
    use super::*;
    pub struct NewSession { pub id: SessionId, pub user: UserId, pub list: ListName, pub index: ListIndex, pub key: KeyId, pub started_at: UnixMillis, pub expires_at: UnixMillis, pub device: String, pub address: IpAddr }
    #[derive(Clone, Debug)]
    pub struct Session { pub id: SessionId, pub user: UserId, pub list: ListName, pub index: ListIndex, pub device: String, pub address: String, pub started_at: UnixMillis, pub last_seen_at: UnixMillis, pub expires_at: UnixMillis, pub ended: Option<Ended> }
    #[derive(Clone, Debug)]
    pub struct Ended { pub at: UnixMillis, pub reason: String, pub by: String, pub place: Option<String> }
    pub async fn insert(tx: &mut Tx, session: &NewSession) -> Result<()> { todo!() }
    pub async fn by_id(run: &mut impl Run, id: &SessionId) -> Result<Option<Session>> { todo!() }
    /// Not ended (whatever the clock says).
    pub async fn is_live(run: &mut impl Run, id: &SessionId) -> Result<bool> { todo!() }
    /// Live ones newest first; with `ended_since` also those that ended at or after that time, after them.
    pub async fn of_user(run: &mut impl Run, user: UserId, ended_since: Option<UnixMillis>) -> Result<Vec<Session>> { todo!() }
    /// last_seen_at = max(stored, at), in one transaction's statements; ended ones are left alone.
    pub async fn saw(tx: &mut Tx, list: &ListName, index: ListIndex, at: UnixMillis) -> Result<()> { todo!() }
    /// Ids of live sessions whose expires_at <= now.
    pub async fn expired(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<SessionId>> { todo!() }
    /// Ids of live sessions with last_seen_at <= not_seen_since.
    pub async fn idle(run: &mut impl Run, not_seen_since: UnixMillis, limit: i64) -> Result<Vec<SessionId>> { todo!() }
    /// Ids of live sessions whose key is retired as compromised (a sign-in that raced the retiring).
    pub async fn signed_by_retired(run: &mut impl Run, limit: i64) -> Result<Vec<SessionId>> { todo!() }
    /// (list, index) of all ended sessions of lists that are not retired.
    pub async fn ended_bits(run: &mut impl Run) -> Result<Vec<(ListName, Vec<ListIndex>)>> { todo!() }
    /// (list, index, last_seen_at) of all live ones, for the idle timeout.
    pub async fn live_activity(run: &mut impl Run) -> Result<Vec<(ListName, ListIndex, UnixMillis)>> { todo!() }
    pub async fn last_seen(run: &mut impl Run, id: &SessionId) -> Result<Option<UnixMillis>> { todo!() }
    /// Deletes at most `limit` rows that ended before `before` and whose list is retired; never the newest session of all.
    pub async fn sweep(tx: &mut Tx, before: UnixMillis, limit: i64) -> Result<u64> { todo!() }
}

pub mod endings {
    use super::*;
    pub enum Which<'a> {
        One(&'a SessionId),
        /// Only if last_seen_at <= the time.
        IdleSince(&'a SessionId, UnixMillis),
        OfUser(UserId),
        OthersOf(UserId, &'a SessionId),
        SignedBy(&'a KeyId),
    }
    /// Ends what is live of `which`, in order of session ids, and appends one log entry each (fact SessionEnded).
    /// The statement that ends is later than any that locked the users row. Returns the entries, in order.
    pub async fn end(tx: &mut EndingTx, which: Which<'_>, ending: &Ending) -> Result<Vec<Entry>> { todo!() }
    /// Ends every live session by one entry (fact EverythingOver, new incarnation), retires every list.
    pub async fn end_everything(tx: &mut EndingTx, incarnation: &str, ending: &Ending) -> Result<Entry> { todo!() }
}

pub mod log {
    use super::*;
    /// Appends facts other than endings (KeyAdded, KeyRetired, ListRetired).
    pub async fn append(tx: &mut EndingTx, fact: Fact, at: UnixMillis) -> Result<Entry> { todo!() }
    pub async fn head(run: &mut impl Run) -> Result<Position> { todo!() }
    pub async fn incarnation(run: &mut impl Run) -> Result<String> { todo!() }
    /// Entries with number > after, in order, at most `limit`.
    pub async fn after(run: &mut impl Run, after: i64, limit: i64) -> Result<Vec<Entry>> { todo!() }
    pub async fn at(run: &mut impl Run, number: i64) -> Result<Option<Entry>> { todo!() }
}

pub mod lists {
    use super::*;
    #[derive(Clone, Debug)]
    pub struct List { pub name: ListName, pub capacity: u32, pub created_at: UnixMillis, /** every token in it expires at or before this */ pub expires_by: UnixMillis, pub retired: bool }
    pub struct Block { pub list: ListName, pub first: u32, pub len: u32 }
    /// Reserves up to `len` indexes in an unretired list with expires_by = `expires_by`; makes a list named `fresh` if there is none with room. A transaction of its own.
    pub async fn reserve(store: &Store, wanted: &Wanted<'_>) -> Result<(List, Block)> { todo!() }
    pub struct Wanted<'a> { pub expires_by: UnixMillis, pub len: u32, pub capacity: u32, pub fresh: &'a ListName, pub now: UnixMillis }
    /// All that are not retired.
    pub async fn in_use(run: &mut impl Run) -> Result<Vec<List>> { todo!() }
    pub async fn by_name(run: &mut impl Run, name: &ListName) -> Result<Option<List>> { todo!() }
    /// Names of unretired lists with expires_by <= `before`.
    pub async fn outlived(run: &mut impl Run, before: UnixMillis) -> Result<Vec<ListName>> { todo!() }
    /// Marks it; the entry is `log::append(ListRetired)` in the same transaction.
    pub async fn retire(tx: &mut EndingTx, name: &ListName) -> Result<bool> { todo!() }
}

pub mod leases {
    use super::*;
    /// Forgets all rows and inserts this one (SQLite: the holder of the file lock).
    pub async fn take_only(store: &Store, node: &str, applied: i64) -> Result<()> { todo!() }
    pub async fn set_applied(store: &Store, node: &str, applied: i64) -> Result<()> { todo!() }
    pub async fn give_back(store: &Store, node: &str) -> Result<()> { todo!() }
    /// (node, turn, applied)
    pub async fn all(run: &mut impl Run) -> Result<Vec<(String, i64, i64)>> { todo!() }
}

pub mod keys {
    use super::*;
    #[derive(Clone)]
    pub struct Key { pub id: KeyId, /** "ES256" | "HS256" */ pub algorithm: String, /** what it signs: "session" | "status_list" */ pub purpose: String, pub public: Vec<u8>, /** sealed private half; empty when given by the settings */ pub sealed: Vec<u8>, pub created_at: UnixMillis, /** no longer signs, still verifies */ pub rotated_at: Option<UnixMillis>, /** nothing it signed is accepted */ pub retired_at: Option<UnixMillis> }
    pub async fn insert(tx: &mut EndingTx, key: &Key) -> Result<()> { todo!() }
    pub async fn all(run: &mut impl Run) -> Result<Vec<Key>> { todo!() }
    pub async fn set_rotated(tx: &mut EndingTx, id: &KeyId, at: UnixMillis) -> Result<bool> { todo!() }
    pub async fn set_retired(tx: &mut EndingTx, id: &KeyId, at: UnixMillis) -> Result<bool> { todo!() }
    /// Rewrites sealed halves under another master key.
    pub async fn reseal(tx: &mut Tx, id: &KeyId, sealed: &[u8]) -> Result<()> { todo!() }
}

pub mod meta {
    use super::*;
    /// Small facts about the installation: "master_key_check" …
    pub async fn get(run: &mut impl Run, name: &str) -> Result<Option<String>> { todo!() }
    pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<()> { todo!() }
}

pub mod reset_links {
    use super::*;
    /// `code_hash`: hex SHA-256 of the code.
    pub struct Link { pub code_hash: String, pub user: UserId, pub epoch: i64, pub expires_at: UnixMillis }
    pub async fn insert(tx: &mut Tx, link: &Link) -> Result<()> { todo!() }
    /// DELETE … RETURNING: works once.
    pub async fn take(tx: &mut Tx, code_hash: &str) -> Result<Option<Link>> { todo!() }
    /// Without using it up.
    pub async fn find(run: &mut impl Run, code_hash: &str) -> Result<Option<Link>> { todo!() }
    pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> { todo!() }
}

pub mod outbox {
    use super::*;
    /// `body` is JSON of app's choosing. No secret in it.
    #[derive(Clone, Debug)]
    pub struct Job { pub id: i64, pub kind: String, pub user: Option<UserId>, pub body: String, pub created_at: UnixMillis, pub attempts: i64, pub next_at: UnixMillis }
    pub async fn insert(tx: &mut Tx, kind: &str, user: Option<UserId>, body: &str, at: UnixMillis) -> Result<()> { todo!() }
    /// Unsent jobs with next_at <= now, oldest first.
    pub async fn due(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<Job>> { todo!() }
    pub async fn next_due(run: &mut impl Run) -> Result<Option<UnixMillis>> { todo!() }
    /// Compare-and-set on attempts: attempts + 1, next_at = `next_at`; whether this caller got it.
    pub async fn claim(tx: &mut Tx, job: &Job, next_at: UnixMillis) -> Result<bool> { todo!() }
    pub async fn done(tx: &mut Tx, id: i64, user: Option<UserId>, at: UnixMillis) -> Result<()> { todo!() }
    pub async fn drop_job(tx: &mut Tx, id: i64) -> Result<()> { todo!() }
    pub async fn pending(run: &mut impl Run) -> Result<i64> { todo!() }
    /// How many of `kind` were done for `user` at or after `since`.
    pub async fn done_since(run: &mut impl Run, kind: &str, user: UserId, since: UnixMillis) -> Result<i64> { todo!() }
    pub async fn sweep(tx: &mut Tx, done_before: UnixMillis) -> Result<u64> { todo!() }
}

pub mod attempts {
    use super::*;
    /// A limit's counter. `key` is opaque (a hash made by app).
    #[derive(Clone, Debug)]
    pub struct Counter { pub key: String, pub count: i64, pub resets_at: UnixMillis }
    /// Upsert of all of them.
    pub async fn save(tx: &mut Tx, counters: &[Counter]) -> Result<()> { todo!() }
    /// Those with resets_at > now, at most `limit`, latest first.
    pub async fn load(run: &mut impl Run, now: UnixMillis, limit: i64) -> Result<Vec<Counter>> { todo!() }
    pub async fn sweep(tx: &mut Tx, now: UnixMillis) -> Result<u64> { todo!() }
}

pub mod known_addresses {
    use super::*;
    /// Upsert, then keeps only the newest 20 of the user.
    pub async fn note(tx: &mut Tx, user: UserId, block: AddressBlock, at: UnixMillis) -> Result<()> { todo!() }
    pub async fn is_known(run: &mut impl Run, user: UserId, block: AddressBlock, since: UnixMillis) -> Result<bool> { todo!() }
    pub async fn sweep(tx: &mut Tx, before: UnixMillis) -> Result<u64> { todo!() }
}

pub mod sqlite {
    //! What only SQLite has.
    use super::*;
    use std::path::Path;
    /// Online, consistent copy into a file that must not exist (VACUUM INTO), mode 0600, fsynced.
    pub async fn backup(store: &Store, to: &Path) -> Result<()> { todo!() }
    /// PRAGMA integrity_check and foreign_key_check; problems as lines.
    pub async fn check(store: &Store) -> Result<Vec<String>> { todo!() }
    /// PRAGMA data_version of a reader: changes when another process wrote.
    pub async fn data_version(store: &Store) -> Result<i64> { todo!() }
}
