//! What holds for any token and any list.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use cerrojo_domain::{ListIndex, ListName, strict_json};
use cerrojo_guard::{Refusal, hostile, status_list};
use proptest::prelude::*;
use support::World;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// Changing a token in any one place makes it invalid, or it says exactly the same.
    #[test]
    fn a_changed_byte_never_changes_what_is_claimed(at in any::<prop::sample::Index>(), byte in 0_u8..128, how in 0_u8..3) {
        let world = World::new();
        let good = world.token(5);
        let verified = world.guard.check(&good).unwrap();
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => { bytes.remove(at); }
        }
        let changed = String::from_utf8(bytes).unwrap();
        match world.guard.check(&changed) {
            Ok(same) => prop_assert_eq!(same, verified),
            Err(refusal) => prop_assert_eq!(refusal, Refusal::Invalid),
        }
    }

    #[test]
    fn arbitrary_text_is_refused_quietly(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let world = World::new();
        let good = world.token(5);
        prop_assert!(world.guard.check(&good).is_ok());
        prop_assert_eq!(world.guard.check(&text), Err(Refusal::Invalid));
        for token in hostile::readings(&bytes, &good) {
            prop_assert_eq!(world.guard.check(&token), Err(Refusal::Invalid));
        }
    }

    #[test]
    fn a_list_keeps_exactly_what_was_ended(capacity in 1_u32..5000, ended in prop::collection::btree_set(0_u32..6000, 0..200)) {
        let world = World::new();
        let name = ListName::from_text("another");
        world.guard.open_list(&name, capacity);
        for index in &ended {
            prop_assert!(world.guard.end(&name, ListIndex(*index)));
        }
        let bytes = world.guard.list_bytes(&name).unwrap();
        prop_assert_eq!(bytes.len(), capacity.div_ceil(8) as usize);
        let again = status_list::decode(&status_list::encode(&bytes), bytes.len()).unwrap();
        prop_assert_eq!(&again, &bytes);
        let set: BTreeSet<u32> = (0..capacity).filter(|index| status_list::is_set(&again, *index) == Some(true)).collect();
        let expected: BTreeSet<u32> = ended.into_iter().filter(|index| *index < capacity).collect();
        prop_assert_eq!(set, expected);
    }

    #[test]
    fn any_bytes_survive_the_wire(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert_eq!(status_list::decode(&status_list::encode(&bytes), 3000).unwrap(), bytes);
    }

    #[test]
    fn decoding_never_goes_beyond_its_bound(lst in "[A-Za-z0-9_-]{0,200}", max in 0_usize..64) {
        if let Ok(bytes) = status_list::decode(&lst, max) {
            prop_assert!(bytes.len() <= max);
        }
        let real = status_list::encode(&vec![7; max + 1]);
        prop_assert_eq!(status_list::decode(&real, max), Err(status_list::DecodeError::TooLarge));
    }

    /// What the strict reader accepts, the lenient one reads the same; what that refuses, it refuses.
    #[test]
    fn strict_json_accepts_less_and_reads_the_same(text in r#"[\[\]{}:,"a-c0-9\\u .tre-]{0,40}"#) {
        if let Ok(value) = strict_json::parse(text.as_bytes()) {
            prop_assert_eq!(value, serde_json::from_str::<serde_json::Value>(&text).unwrap());
        }
    }
}
