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
}

/// Declares statements: `NAME(number of binds) = text;`. In tests `ALL` lists them.
macro_rules! statements {
    ($($name:ident($binds:literal) = $text:expr;)+) => {
        $(
            const $name: $crate::statement::Statement =
                $crate::statement::Statement { name: stringify!($name), binds: $binds, text: || $text };
        )+

        /// Every statement of this file.
        #[cfg(test)]
        pub(crate) const ALL: &[$crate::statement::Statement] = &[$($name),+];
    };
}
pub(crate) use statements;
