//! What can go wrong with a database, as far as a caller can act on it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::error::ErrorKind;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// What went wrong. None of the texts holds a bound value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// A UNIQUE or PRIMARY KEY constraint said no. The transaction can only be dropped.
    Taken,
    /// Not to be had now: pool timeout, busy, connection lost before COMMIT was sent. Nothing was changed.
    Unavailable(String),
    /// COMMIT was sent and its outcome is not known. On SQLite this is an I/O error: the process must end, since only
    /// a fresh start reads from the disk what became of it.
    OutcomeUnknown(String),
    /// Anything else: a defect, a broken database or one that this program must not work on. Nothing was committed.
    Broken(String),
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, StoreError>;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("the value is taken"),
            Self::Unavailable(cause) => write!(f, "the database is not available: {cause}"),
            Self::OutcomeUnknown(cause) => write!(f, "the outcome of COMMIT is not known: {cause}"),
            Self::Broken(cause) => write!(f, "the database cannot be used: {cause}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl StoreError {
    /// Which of them it is, as figures and traces name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Unavailable(_) => "unavailable",
            Self::OutcomeUnknown(_) => "outcome_unknown",
            Self::Broken(_) => "broken",
        }
    }

    /// What an error of a statement, of a BEGIN or of opening a connection means.
    pub(crate) fn before_commit(error: &sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Database(cause) if cause.kind() == ErrorKind::UniqueViolation => Self::Taken,
            sqlx::Error::Database(cause) if passes_by(&**cause) => Self::Unavailable(text),
            sqlx::Error::Database(cause) if is_damaged(&**cause) => Self::Broken(format!(
                "{text} (is it a copy that was put beside another one's -wal file? Put a backup in place with \
                 `cerrojo db restore FILE`)"
            )),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unavailable(text),
            _ => Self::Broken(text),
        }
    }

    /// What an error of the first connection to a PostgreSQL server means, with what to do about it where the server says why
    /// (SQLSTATE: PostgreSQL's appendix A).
    pub(crate) fn at_opening(error: &sqlx::Error) -> Self {
        let advice = match error {
            sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::ConnectionRefused => {
                "nobody listens there: is the server running, and are host and port right?"
            }
            sqlx::Error::Database(cause) => match cause.code().as_deref() {
                Some("28P01" | "28000") => {
                    "look at user and password; characters such as # / ? @ have to be percent-encoded in a URL (# is %23)"
                }
                Some("3D000") => "make it first: createdb --owner USER DATABASE",
                _ => return Self::before_commit(error),
            },
            _ => return Self::before_commit(error),
        };
        match Self::before_commit(error) {
            Self::Unavailable(cause) => Self::Unavailable(format!("{cause} ({advice})")),
            Self::Broken(cause) => Self::Broken(format!("{cause} ({advice})")),
            failed => failed,
        }
    }

    /// What an error of COMMIT means. Only SQLite's BUSY and LOCKED say for certain that nothing was committed.
    pub(crate) fn at_commit(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(cause) if is_locked(&**cause) => Self::Unavailable(error.to_string()),
            _ => Self::OutcomeUnknown(error.to_string()),
        }
    }

    /// What an error of a statement means that is a transaction of its own: `Ok` if PostgreSQL refused it before it
    /// committed. Whatever ends a connection, and every other code, may come after the commit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it was not sent, [`StoreError::OutcomeUnknown`] otherwise.
    pub(crate) fn refused_or_unknown(error: &sqlx::Error) -> Result<()> {
        match error {
            sqlx::Error::Database(cause) if is_refused(&**cause) => Ok(()),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Err(Self::before_commit(error)),
            _ => Err(Self::OutcomeUnknown(error.to_string())),
        }
    }

    /// A stored value that this program cannot have written.
    pub(crate) fn odd(what: &str) -> Self {
        Self::Broken(format!("{what} holds a value that does not belong there"))
    }
}

/// How many failed, by kind: unavailable, outcome unknown, broken. A value that was taken is no failure. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(Arc<[AtomicU64; 3]>);

impl Failures {
    /// Counts what failed, which it returns.
    pub(crate) fn note(&self, error: StoreError) -> StoreError {
        let [unavailable, unknown, broken] = &*self.0;
        let counter = match &error {
            StoreError::Taken => return error,
            StoreError::Unavailable(_) => unavailable,
            StoreError::OutcomeUnknown(_) => unknown,
            StoreError::Broken(_) => broken,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        error
    }

    /// The same for what failed before a COMMIT.
    pub(crate) fn before_commit(&self, error: &sqlx::Error) -> StoreError {
        self.note(StoreError::before_commit(error))
    }

    pub(crate) fn read(&self) -> [(&'static str, u64); 3] {
        let [unavailable, unknown, broken] = &*self.0;
        [("unavailable", unavailable), ("outcome_unknown", unknown), ("broken", broken)]
            .map(|(kind, count)| (kind, count.load(Ordering::Relaxed)))
    }
}

/// Whether PostgreSQL says that it went no further than to a statement that failed: data (22), constraints (23), a
/// transaction that only reads (25001, 25006, 25P02), no such prepared statement (26), serialisation and deadlock (40001,
/// 40P01), names and rights (42), no room (53100, 53200, 54), locks (55), what it cannot do (0A), a function's own (P0).
fn is_refused(cause: &dyn sqlx::error::DatabaseError) -> bool {
    const REFUSED: [&str; 15] =
        ["22", "23", "25001", "25006", "25P02", "26", "40001", "40P01", "42", "53100", "53200", "54", "55", "0A", "P0"];
    let Some(error) = cause.try_downcast_ref::<PgDatabaseError>() else { return false };
    matches!(error.severity(), PgSeverity::Error) && REFUSED.iter().any(|class| error.code().starts_with(class))
}

/// SQLite's primary result code (the low byte of the extended one), if the error is SQLite's.
fn sqlite_code(cause: &dyn sqlx::error::DatabaseError) -> Option<i64> {
    cause.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    cause.code()?.parse::<i64>().ok().map(|code| code & 0xff)
}

fn is_locked(cause: &dyn sqlx::error::DatabaseError) -> bool {
    const BUSY: i64 = 5;
    const LOCKED: i64 = 6;
    matches!(sqlite_code(cause), Some(BUSY | LOCKED))
}

fn is_damaged(cause: &dyn sqlx::error::DatabaseError) -> bool {
    const CORRUPT: i64 = 11;
    const NOT_A_DATABASE: i64 = 26;
    matches!(sqlite_code(cause), Some(CORRUPT | NOT_A_DATABASE))
}

/// Whether the same statement may well succeed later. SQLite: busy, locked, disk full. PostgreSQL: connection trouble
/// (class 08), resources (53), operator intervention (57), deadlock or serialisation (40), lock not available (55P03), an
/// error of the system below it (58), a transaction that stood still for too long (25P03), and a server that only reads
/// (25006): after a failover the address may lead to one that is being promoted.
fn passes_by(cause: &dyn sqlx::error::DatabaseError) -> bool {
    const FULL: i64 = 13;
    if let Some(code) = sqlite_code(cause) {
        return is_locked(cause) || code == FULL;
    }
    cause.code().is_some_and(|code| {
        ["08", "25006", "25P03", "40", "53", "55P03", "57", "58"].iter().any(|class| code.starts_with(class))
    })
}
