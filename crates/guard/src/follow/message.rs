//! What events and answers say, read strictly; only what is named here is looked at.

use std::fmt;
use std::time::Duration;

use cerrojo_domain::{KeyId, ListIndex, ListName};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::Fault;
use crate::claims::is_list_name;
use crate::keys::KeySet;
use crate::status_list;

/// A place in the log: only ever given back to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(String);

const LONGEST_POSITION: usize = 128;
/// Sessions of one list.
const LARGEST_LIST: u32 = 1 << 24;
const LONGEST_KEY_ID: usize = 128;

impl Position {
    /// At most 128 printable ASCII characters without spaces.
    #[must_use]
    pub fn from_text(text: String) -> Option<Self> {
        let fits = (1..=LONGEST_POSITION).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then_some(Self(text))
    }

    /// The position as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What holds for the whole server: `hello`, and the same in an answer to polling. The incarnation is only compared.
#[derive(Debug, Deserialize)]
pub(super) struct Terms {
    pub(super) issuer: Option<String>,
    pub(super) audience: String,
    pub(super) incarnation: Value,
    pub(super) heartbeat: Option<u64>,
    pub(super) report: Option<u64>,
}

/// `heartbeat`, and what most others have too.
#[derive(Debug, Deserialize)]
pub(super) struct Elapsed {
    pub(super) elapsed: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Goodbye {
    pub(super) retry: u64,
}

/// `list`, or the answer to looking one up.
#[derive(Debug, Deserialize)]
struct RawList {
    name: String,
    capacity: u32,
    lst: String,
}

/// One list as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListState {
    pub(crate) name: ListName,
    pub(crate) capacity: u32,
    pub(crate) bitmap: Vec<u8>,
}

/// The end of a snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct RawSnapshot {
    incarnation: Option<Value>,
    keys: Value,
    retired_keys: Option<Vec<String>>,
    lists: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) incarnation: Option<Value>,
    pub(super) keys: KeySet,
    /// Those whose absence from `keys` says nothing.
    pub(super) retired_keys: Vec<KeyId>,
    pub(super) lists: Vec<ListName>,
}

/// What the log has since.
#[derive(Debug, Deserialize)]
pub(super) struct RawEntries {
    ended: Option<Endings>,
    retired_lists: Option<Vec<String>>,
    retired_keys: Option<Vec<String>>,
    keys: Option<Value>,
}

#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) ended: Vec<(ListName, Vec<ListIndex>)>,
    pub(super) retired_lists: Vec<ListName>,
    pub(super) retired_keys: Vec<KeyId>,
    pub(super) keys: Option<KeySet>,
}

/// An answer to polling, what is in [`Terms`] and [`RawEntries`] apart.
#[derive(Debug, Deserialize)]
pub(super) struct RawPolled {
    pub(super) elapsed: u64,
    pub(super) position: String,
    pub(super) snapshot: Option<WholeSnapshot>,
}

/// A snapshot in one piece.
#[derive(Debug, Deserialize)]
pub(super) struct WholeSnapshot {
    keys: Value,
    retired_keys: Option<Vec<String>>,
    lists: Vec<RawList>,
}

/// Members of `ended`; one that is there twice counts twice.
#[derive(Debug)]
struct Endings(Vec<(String, Vec<ListIndex>)>);

impl<'de> Deserialize<'de> for Endings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Endings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of arrays")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Endings, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Endings(all))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Reads a message; `part` says which if it cannot be.
pub(super) fn read<'a, T: Deserialize<'a>>(data: &'a [u8], part: &'static str) -> Result<T, Fault> {
    serde_json::from_slice(data).map_err(|_| Fault::Malformed(part))
}

fn list_name(text: String) -> Result<ListName, Fault> {
    if is_list_name(&text) { Ok(ListName::from_text(text)) } else { Err(Fault::Malformed("the name of a list")) }
}

fn list_names(texts: Vec<String>) -> Result<Vec<ListName>, Fault> {
    texts.into_iter().map(list_name).collect()
}

fn key_set(keys: &Value) -> Result<KeySet, Fault> {
    keys.get("keys").and_then(Value::as_array).ok_or(Fault::Malformed("keys"))?;
    Ok(KeySet::from_jwks(keys))
}

fn key_id(text: String) -> Result<KeyId, Fault> {
    if (1..=LONGEST_KEY_ID).contains(&text.len()) {
        Ok(KeyId::from_text(text))
    } else {
        Err(Fault::Malformed("the name of a key"))
    }
}

fn key_ids(texts: Option<Vec<String>>) -> Result<Vec<KeyId>, Fault> {
    texts.unwrap_or_default().into_iter().map(key_id).collect()
}

impl ListState {
    /// The list's name.
    #[must_use]
    pub fn name(&self) -> &ListName {
        &self.name
    }

    /// Reads a `list` event's data or the answer to looking a list up.
    pub fn read(data: &[u8]) -> Result<Self, Fault> {
        read::<RawList>(data, "list")?.check()
    }
}

impl RawList {
    fn check(self) -> Result<ListState, Fault> {
        if !(1..=LARGEST_LIST).contains(&self.capacity) {
            return Err(Fault::Malformed("capacity"));
        }
        let bytes = self.capacity.div_ceil(u8::BITS) as usize;
        let bitmap = status_list::decode(&self.lst, bytes).map_err(|_| Fault::Malformed("lst"))?;
        if bitmap.len() != bytes {
            return Err(Fault::Malformed("lst"));
        }
        Ok(ListState { name: list_name(self.name)?, capacity: self.capacity, bitmap })
    }
}

impl RawSnapshot {
    pub(super) fn check(self) -> Result<Snapshot, Fault> {
        Ok(Snapshot {
            incarnation: self.incarnation,
            keys: key_set(&self.keys)?,
            retired_keys: key_ids(self.retired_keys)?,
            lists: list_names(self.lists)?,
        })
    }
}

impl RawEntries {
    pub(super) fn check(self) -> Result<Entries, Fault> {
        let ended = self.ended.map(|ended| ended.0).unwrap_or_default().into_iter();
        Ok(Entries {
            ended: ended.map(|(name, indexes)| Ok((list_name(name)?, indexes))).collect::<Result<_, Fault>>()?,
            retired_lists: list_names(self.retired_lists.unwrap_or_default())?,
            retired_keys: key_ids(self.retired_keys)?,
            keys: self.keys.as_ref().map(key_set).transpose()?,
        })
    }
}

impl WholeSnapshot {
    /// The lists one by one, so that not all of them are unpacked at a time.
    pub(super) fn check(self) -> Result<(Snapshot, impl Iterator<Item = Result<ListState, Fault>>), Fault> {
        let names = self.lists.iter().map(|list| list_name(list.name.clone())).collect::<Result<_, _>>()?;
        let (keys, retired_keys) = (key_set(&self.keys)?, key_ids(self.retired_keys)?);
        let snapshot = Snapshot { incarnation: None, keys, retired_keys, lists: names };
        Ok((snapshot, self.lists.into_iter().map(RawList::check)))
    }
}

impl Goodbye {
    pub(super) fn pause(&self) -> Duration {
        Duration::from_millis(self.retry)
    }
}
