//! Values for placeholders. Each has a type even when it is NULL: PostgreSQL needs that to choose operators.

use cerrojo_domain::{Email, KeyId, ListIndex, ListName, SessionId, Status, UnixMillis, UserId};
use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use crate::errors::{Result, StoreError};
use crate::statement::Statement;

/// A value for a placeholder.
pub enum Bind {
    /// BIGINT.
    Int(Option<i64>),
    /// TEXT.
    Text(Option<String>),
    /// BYTEA, BLOB.
    Bytes(Vec<u8>),
}

macro_rules! binds {
    ($($value:expr),* $(,)?) => { vec![$($crate::bind::Bind::from($value)),*] };
}
pub(crate) use binds;

macro_rules! bind_from {
    ($($from:ty: $value:ident => $bind:expr;)+) => {
        $(impl From<$from> for Bind { fn from($value: $from) -> Self { $bind } })+
    };
}

bind_from! {
    i64: value => Self::Int(Some(value));
    Option<i64>: value => Self::Int(value);
    u32: value => Self::Int(Some(i64::from(value)));
    UnixMillis: value => Self::Int(Some(value.0));
    UserId: value => Self::Int(Some(value.0));
    Option<UserId>: value => Self::Int(value.map(|id| id.0));
    ListIndex: value => Self::Int(Some(i64::from(value.0)));
    &str: value => Self::Text(Some(value.to_owned()));
    String: value => Self::Text(Some(value));
    Option<String>: value => Self::Text(value);
    &SessionId: value => Self::from(value.as_str());
    &ListName: value => Self::from(value.as_str());
    &KeyId: value => Self::from(value.as_str());
    &Email: value => Self::from(value.as_str());
    Status: value => Self::from(value.as_str());
    Option<Status>: value => Self::Text(value.map(|status| status.as_str().to_owned()));
    &[u8]: value => Self::Bytes(value.to_vec());
}

/// The values as the driver wants them. SQLite's takes a missing value for NULL without a word, so they are counted here.
macro_rules! arguments {
    ($name:ident, $arguments:ty) => {
        pub(crate) fn $name(statement: Statement, binds: Vec<Bind>) -> Result<$arguments> {
            if binds.len() != statement.binds {
                let (name, takes, got) = (statement.name, statement.binds, binds.len());
                return Err(StoreError::Broken(format!("{name} takes {takes} values and was given {got}")));
            }
            let mut arguments = <$arguments>::default();
            arguments.reserve(binds.len(), 0);
            for bind in binds {
                match bind {
                    Bind::Int(value) => Arguments::add(&mut arguments, value),
                    Bind::Text(value) => Arguments::add(&mut arguments, value),
                    Bind::Bytes(value) => Arguments::add(&mut arguments, value),
                }
                .map_err(|error| StoreError::Broken(format!("{}: a value was not taken: {error}", statement.name)))?;
            }
            Ok(arguments)
        }
    };
}

arguments!(for_sqlite, SqliteArguments);
arguments!(for_postgres, PgArguments);
