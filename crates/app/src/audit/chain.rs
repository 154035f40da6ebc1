//! Macs and digests of the chain.

use cerrojo_domain::Random;
use cerrojo_store::audit::chain::{Commitment, Head, Link, Place, Said, hex};
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::keys::MasterKey;

/// What the chain is made with: HMAC-SHA-256 (RFC 2104) under a key that is derived from the master key for this alone. Who has
/// the database and not this key can neither add an entry nor mend the chain behind one that was changed.
pub struct TrailKey(hmac::Key);

impl TrailKey {
    /// Derives it.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &master.compare_by(&["cerrojo audit trail"], b"key")))
    }

    /// Puts an entry behind one with the mac `before`.
    pub(super) fn link(&self, (position, before): (i64, &str), said: Said, random: &dyn Random) -> Link {
        let origin = commit(random, &[said.address.as_deref(), said.device.as_deref()]);
        let about = commit(random, &[said.about.as_deref()]);
        let mut link = Link { position, said, origin, about, mac: String::new() };
        link.mac = self.mac(before, &link);
        link
    }

    /// The mac that an entry has to have behind one with the mac `before`.
    pub(super) fn mac(&self, before: &str, link: &Link) -> String {
        let Link { position, said, origin, about, .. } = link;
        let mut bytes = Bytes::of("entry");
        bytes.text(before);
        for number in [Some(*position), Some(said.id), Some(said.at.0), said.actor_id, said.subject] {
            bytes.number(number);
        }
        let texts =
            [Some(&said.kind), Some(&said.actor), said.session.as_ref(), said.request.as_ref(), said.node.as_ref()];
        for text in texts.into_iter().chain([Some(&said.details), origin.digest.as_ref(), about.digest.as_ref()]) {
            bytes.text_or_none(text.map(String::as_str));
        }
        self.sign(&bytes)
    }

    /// The end of the chain, confirmed.
    pub(super) fn end_at(&self, position: i64, mac: &str) -> Place {
        self.place("end", position, mac)
    }

    /// The place behind which the chain begins, confirmed.
    pub(super) fn begin_at(&self, position: i64, mac: &str) -> Place {
        self.place("begin", position, mac)
    }

    /// Whether both places are those that a server wrote. Nothing is confirmed of a trail that has not begun.
    pub(super) fn confirms(&self, head: &Head) -> bool {
        let never = Place::default();
        let is_ours =
            |place: &Place, what| *place == never || is_same(&self.place(what, place.position, &place.mac), place);
        is_ours(&head.last, "end") && is_ours(&head.anchor, "begin")
    }

    fn place(&self, what: &str, position: i64, mac: &str) -> Place {
        let mut bytes = Bytes::of(what);
        bytes.number(Some(position));
        bytes.text(mac);
        Place { position, mac: mac.to_owned(), seal: self.sign(&bytes) }
    }

    fn sign(&self, Bytes(bytes): &Bytes) -> String {
        hex(hmac::sign(&self.0, bytes).as_ref())
    }
}

/// What is behind no entry.
pub(super) fn never(random: &dyn Random) -> String {
    format!("unconfirmed:{}", hex(&random.bytes::<16>()))
}

fn is_same(one: &Place, other: &Place) -> bool {
    one.seal.as_bytes().ct_eq(other.seal.as_bytes()).into()
}

/// Binds the chain to what is personal without telling it: once the salt is erased, trying all addresses finds nothing.
fn commit(random: &dyn Random, parts: &[Option<&str>]) -> Commitment {
    if parts.iter().all(Option::is_none) {
        return Commitment::default();
    }
    let salt = hex(&random.bytes::<16>());
    Commitment { digest: Some(digest(&salt, parts)), salt: Some(salt) }
}

/// HMAC-SHA-256 of what is personal under the salt.
fn digest(salt: &str, parts: &[Option<&str>]) -> String {
    let mut bytes = Bytes::of("personal");
    for part in parts {
        bytes.text_or_none(*part);
    }
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes()), &bytes.0).as_ref())
}

/// What is found where something personal was committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It is what was there when the entry was made, nothing included.
    Same,
    /// It was erased, with the salt.
    Erased,
    /// It is something else.
    Another,
}

/// Looks at one personal part of an entry.
pub(super) fn held(commitment: &Commitment, parts: &[Option<&str>]) -> Held {
    let is_nothing = parts.iter().all(Option::is_none);
    match (&commitment.salt, &commitment.digest) {
        (None, None) if is_nothing => Held::Same,
        (None, Some(_)) if is_nothing => Held::Erased,
        (Some(salt), Some(committed)) if digest(salt, parts) == *committed => Held::Same,
        _ => Held::Another,
    }
}

/// Fields one behind the other, each after its length, so that no two entries give the same bytes.
struct Bytes(Vec<u8>);

impl Bytes {
    fn of(what: &str) -> Self {
        let mut bytes = Self(Vec::with_capacity(512));
        bytes.text("cerrojo audit 1");
        bytes.text(what);
        bytes
    }

    fn number(&mut self, number: Option<i64>) {
        self.0.push(u8::from(number.is_some()));
        self.0.extend(number.unwrap_or(0).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u64).to_be_bytes());
        self.0.extend(text.as_bytes());
    }

    fn text_or_none(&mut self, text: Option<&str>) {
        self.0.push(u8::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use cerrojo_domain::{SystemRandom, UnixMillis};

    use super::*;

    fn said() -> Said {
        Said {
            id: 7,
            at: UnixMillis(1_000),
            kind: "session.began".to_owned(),
            actor: "user".to_owned(),
            actor_id: Some(3),
            subject: Some(3),
            session: Some("s".to_owned()),
            request: None,
            node: Some("n".to_owned()),
            details: "{}".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            device: Some(String::new()),
            about: None,
        }
    }

    fn key(byte: u8) -> TrailKey {
        TrailKey::new(&MasterKey::parse(&format!("{byte:02x}").repeat(32)).unwrap())
    }

    #[test]
    fn a_mac_is_over_every_part_of_an_entry_the_one_before_and_the_key() {
        let link = key(1).link((5, "before"), said(), &SystemRandom);
        let right = key(1).mac("before", &link);
        assert_eq!(link.mac, right);
        assert_ne!(key(2).mac("before", &link), right);
        assert_ne!(key(1).mac("befor", &link), right);
        let changes: [fn(&mut Link); 12] = [
            |link| link.position += 1,
            |link| link.said.id += 1,
            |link| link.said.at = UnixMillis(1_001),
            |link| link.said.kind.push('x'),
            |link| link.said.actor = "administrator".to_owned(),
            |link| link.said.actor_id = None,
            |link| link.said.subject = Some(4),
            |link| link.said.session = Some(String::new()),
            |link| link.said.request = link.said.node.take(),
            |link| link.said.details = "{\"a\":1}".to_owned(),
            |link| link.origin.digest = None,
            |link| link.about.digest = link.origin.digest.clone(),
        ];
        for change in changes {
            let mut other = link.clone();
            change(&mut other);
            assert_ne!(key(1).mac("before", &other), right, "{other:?}");
        }
    }

    #[test]
    fn what_is_personal_can_be_erased_and_not_exchanged() {
        let link = key(1).link((5, "before"), said(), &SystemRandom);
        let parts = [link.said.address.as_deref(), link.said.device.as_deref()];
        assert_eq!(held(&link.origin, &parts), Held::Same);
        assert_eq!(held(&link.origin, &[Some("192.0.2.2"), Some("")]), Held::Another);
        assert_eq!(held(&link.origin, &[Some("192.0.2.1"), None]), Held::Another);
        let erased = Commitment { salt: None, ..link.origin.clone() };
        assert_eq!(held(&erased, &[None, None]), Held::Erased);
        assert_eq!(held(&erased, &parts), Held::Another);
        assert_eq!(held(&link.about, &[None]), Held::Same);
        assert_eq!(held(&link.about, &[Some("x")]), Held::Another);
        assert_ne!(link.origin, key(1).link((5, "before"), said(), &SystemRandom).origin, "the salt is another");
    }

    #[test]
    fn an_end_is_no_beginning_and_nobody_else_makes_either() {
        let key = key(1);
        let head = |last: Place, anchor: Place| Head { last, anchor };
        assert!(key.confirms(&Head::default()));
        assert!(key.confirms(&head(key.end_at(5, "m"), key.begin_at(2, "n"))));
        for wrong in [
            head(key.begin_at(5, "m"), Place::default()),
            head(key.end_at(5, "m"), key.end_at(2, "n")),
            head(Place { position: 4, ..key.end_at(5, "m") }, Place::default()),
            head(Place { mac: "x".to_owned(), ..key.end_at(5, "m") }, Place::default()),
            head(Place { seal: String::new(), ..key.end_at(5, "m") }, Place::default()),
        ] {
            assert!(!key.confirms(&wrong), "{wrong:?}");
        }
    }
}
