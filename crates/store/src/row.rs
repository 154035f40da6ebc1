//! Rows of either engine, read by position.

use cerrojo_domain::{ListIndex, UnixMillis, UserId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::errors::{Result, StoreError};

/// A row that a statement gave.
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
}

macro_rules! getters {
    ($($name:ident: $type:ty),+ $(,)?) => {
        $(
            pub(crate) fn $name(&self, column: usize) -> Result<$type> {
                match self {
                    Self::Sqlite(row) => row.try_get::<$type, usize>(column),
                    Self::Postgres(row) => row.try_get::<$type, usize>(column),
                }
                .map_err(|error| StoreError::Broken(error.to_string()))
            }
        )+
    };
}

impl Row {
    getters! {
        int: i64,
        int_or_null: Option<i64>,
        text: String,
        text_or_null: Option<String>,
        bytes: Vec<u8>,
    }

    pub(crate) fn time(&self, column: usize) -> Result<UnixMillis> {
        self.int(column).map(UnixMillis)
    }

    pub(crate) fn time_or_null(&self, column: usize) -> Result<Option<UnixMillis>> {
        Ok(self.int_or_null(column)?.map(UnixMillis))
    }

    pub(crate) fn user(&self, column: usize) -> Result<UserId> {
        self.int(column).map(UserId)
    }

    pub(crate) fn index(&self, column: usize) -> Result<ListIndex> {
        self.small(column).map(ListIndex)
    }

    /// A number that fits into 32 bits.
    pub(crate) fn small(&self, column: usize) -> Result<u32> {
        u32::try_from(self.int(column)?).map_err(|_| StoreError::odd("a list's index"))
    }
}
