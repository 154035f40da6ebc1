//! Use cases on an app in process, without HTTP.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod keys_and_lists;
mod place;
mod recovery;
