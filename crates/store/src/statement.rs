//! Statements are constants, declared so that a test can visit every one of them.

/// One statement: a text with `$1` placeholders that both engines read, and how many values it takes.
#[derive(Clone, Copy)]
pub struct Statement {
    /// The constant's name, for errors.
    pub(crate) name: &'static str,
    /// How many values it takes: `$1` to `$binds`.
    pub(crate) binds: usize,
    /// The text.
    pub(crate) text: fn() -> &'static str,
    /// The same for PostgreSQL, where only that engine has what it needs.
    pub(crate) postgres: fn() -> &'static str,
}

/// Declares statements: `NAME(number of binds) = text;`, or `NAME(number of binds) = text, postgres = text;`. In tests
/// `ALL` lists them.
macro_rules! statements {
    (@postgres $text:expr) => { $text };
    (@postgres $text:expr, $postgres:expr) => { $postgres };
    ($($name:ident($binds:literal) = $text:expr $(, postgres = $postgres:expr)?;)+) => {
        $(
            const $name: $crate::statement::Statement = $crate::statement::Statement {
                name: stringify!($name),
                binds: $binds,
                text: || $text,
                postgres: || $crate::statement::statements!(@postgres $text $(, $postgres)?),
            };
        )+

        /// Every statement of this file.
        #[cfg(test)]
        #[allow(dead_code, reason = "the statements of a test are visited by no other")]
        pub(crate) const ALL: &[$crate::statement::Statement] = &[$($name),+];
    };
}
pub(crate) use statements;
