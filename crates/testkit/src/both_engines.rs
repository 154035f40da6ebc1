//! The same test on SQLite and on PostgreSQL.

use crate::{Options, TestApp};

/// What a database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of the test's own.
    Sqlite,
    /// A database of the test's own on the server that `CERROJO_TEST_POSTGRES` names.
    Postgres,
}

impl Engine {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];
}

/// Runs a test on a fresh server of each engine; a failure says which it was.
pub async fn on_both_engines(test: impl AsyncFn(TestApp)) {
    on_both_engines_with(|_| {}, test).await;
}

/// Runs a test on a fresh server of each engine, set up as `set` wants it.
pub async fn on_both_engines_with(set: impl Fn(&mut Options), test: impl AsyncFn(TestApp)) {
    for engine in Engine::BOTH {
        let _named = NameWhenPanicking(engine);
        let mut options = Options::default();
        set(&mut options);
        test(TestApp::start(engine, options).await).await;
    }
}

struct NameWhenPanicking(Engine);

impl Drop for NameWhenPanicking {
    #[expect(clippy::print_stderr, reason = "cargo test shows it beside the panic")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was on {:?}", self.0);
        }
    }
}
