//! A checker for models of protocols: every interleaving is explored.
#![expect(clippy::indexing_slicing, reason = "a model that is wrong about its own indexes fails its tests by panicking")]

mod checker;

pub use checker::{Model, Outcome, explore};
