//! An app in process, for tests: through the real router, as actors, with a clock that only moves when told, seeded
//! randomness and a mailbox in memory, on both engines.
//!
//! ```no_run
//! use cerrojo_testkit::on_both_engines;
//!
//! # async fn a_token_that_was_logged_out_is_dead() {
//! on_both_engines(async |app| {
//!     let ana = app.user("ana").await;
//!     ana.logout().await;
//!     ana.get("/api/auth/profile").await.assert_token_refused();
//! })
//! .await;
//! # }
//! ```
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test kit fails tests by panicking")]

mod actor;
mod both_engines;
pub mod browser;
mod call;
mod clock;
mod database;
mod events;
mod exposition;
mod files;
pub mod history;
mod mailbox;
mod old_tokens;
mod pause;
mod protected;
mod random;
mod test_app;
mod tokens;

pub use actor::{Actor, OTHER_PASSWORD, PASSWORD};
pub use both_engines::{Engine, on_both_engines, on_both_engines_with};
pub use call::{Call, Reply, assert_has};
pub use clock::{BEGINNING, ManualClock};
pub use events::{Event, Events, Picture};
pub use exposition::{Exposed, Exposition};
pub use files::Files;
pub use mailbox::{Mailbox, SentMail};
pub use old_tokens::{OLD_SECRET, another_applications_tokens, hs256, old_token};
pub use pause::Pause;
pub use protected::{PROTECTED, Protected};
pub use random::SeededRandom;
pub use test_app::{Options, PUBLIC_URL, TestApp};
pub use tokens::{claims, header_of, is_signed};
