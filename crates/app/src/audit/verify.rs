//! Whether the chain holds. It can be asked while servers write to it: entries that come meanwhile are not looked at, and if
//! the oldest ones are removed meanwhile it goes on where the chain begins then.

use cerrojo_store::audit::chain::{self, Found, Head, Place};
use cerrojo_store::{Store, StoreError};

use super::chain::{Held, TrailKey, held};

/// Entries read at once.
const CHUNK: i64 = 1000;
/// Faults that are told one by one; of more the number.
const MOST: usize = 100;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The entry, or the mac of the one before, is not what was written.
    Changed,
    /// Entries are missing before this one.
    Missing,
    /// Address, device or what is said of the subject are not what was written.
    PersonalChanged,
    /// They were erased though the person is still there.
    ErasedWithoutCause,
    /// The trail ends here, before its head.
    CutOff,
    /// The head is not what a server wrote, or is not of the last entry.
    Head,
    /// The mark of where the trail begins is not what a server wrote.
    Anchor,
    /// There are entries behind the head.
    BehindHead,
    /// The entry that was noted elsewhere is not in the trail any more: another is in its place.
    NotedIsAnother,
    /// It is behind the end: entries were removed, or the database is an older copy.
    NotedIsBehindEnd,
    /// It was removed because it was old enough.
    NotedIsRemoved,
}

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The position in the chain.
    pub position: i64,
    /// What.
    pub wrong: Wrong,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Entries looked at.
    pub entries: u64,
    /// Those of which something personal was erased with its person's account.
    pub erased: u64,
    /// The last entry before the oldest that is there; 0: nothing was removed.
    pub begins_after: i64,
    /// The last entry that was looked at, and its mac.
    pub last: (i64, String),
    /// Entries that are not in the chain yet, and so are not verified.
    pub waiting: i64,
    /// The first faults.
    pub faults: Vec<Fault>,
    /// How many there are in all.
    pub wrong: u64,
}

impl Report {
    fn add(&mut self, position: i64, wrong: Wrong) {
        self.wrong = self.wrong.saturating_add(1);
        if self.faults.len() < MOST {
            self.faults.push(Fault { position, wrong });
        }
    }
}

/// Steps along the chain.
pub(super) struct Walk {
    position: i64,
    /// `None`: it is not known, because entries are missing.
    mac: Option<String>,
}

impl Walk {
    pub(super) fn from(anchor: &Place) -> Self {
        Self { position: anchor.position, mac: Some(anchor.mac.clone()) }
    }

    /// Whether the next entry belongs there; what is wrong if not. Goes on behind it.
    pub(super) fn step(&mut self, key: &TrailKey, found: &Found) -> Option<Wrong> {
        let link = &found.link;
        let is_missing = link.position != self.position.saturating_add(1);
        let before = self.mac.replace(link.mac.clone()).filter(|_| !is_missing);
        self.position = link.position;
        if is_missing {
            return Some(Wrong::Missing);
        }
        if before.is_some_and(|before| key.mac(&before, link) != link.mac) {
            return Some(Wrong::Changed);
        }
        personal(found)
    }
}

fn personal(found: &Found) -> Option<Wrong> {
    let (link, said) = (&found.link, &found.link.said);
    let origin = held(&link.origin, &[said.address.as_deref(), said.device.as_deref()]);
    let about = held(&link.about, &[said.about.as_deref()]);
    if origin == Held::Another || about == Held::Another {
        return Some(Wrong::PersonalChanged);
    }
    let is_without_cause =
        (origin == Held::Erased && found.is_origins_owner_there) || (about == Held::Erased && found.is_subject_there);
    is_without_cause.then_some(Wrong::ErasedWithoutCause)
}

fn is_erased(found: &Found) -> bool {
    [&found.link.origin, &found.link.about].iter().any(|part| part.digest.is_some() && part.salt.is_none())
}

/// What to verify with.
pub struct Verifying<'a> {
    /// The trail.
    pub store: &'a Store,
    /// What it was made with.
    pub key: &'a TrailKey,
    /// A position and its mac that were noted elsewhere.
    pub noted: Option<(i64, String)>,
}

/// Looks at every entry. `progress` is told how many of how many were looked at.
pub async fn verify(verifying: Verifying<'_>, mut progress: impl FnMut(u64, u64)) -> Result<Report, StoreError> {
    let Verifying { store, key, noted } = verifying;
    let (head, highest) = chain::head(&mut store.control()).await?;
    let mut report = Report { begins_after: head.anchor.position, ..Report::default() };
    look_at_ends(key, &head, &mut report);
    if highest > head.last.position {
        report.add(highest, Wrong::BehindHead);
    }
    let mut noted = noted.as_ref();
    if let Some((position, mac)) = noted.take_if(|(position, _)| *position <= head.anchor.position) {
        if *position != head.anchor.position {
            report.add(*position, Wrong::NotedIsRemoved);
        } else if *mac != head.anchor.mac {
            report.add(*position, Wrong::NotedIsAnother);
        }
    }
    let total = u64::try_from(head.last.position.saturating_sub(head.anchor.position)).unwrap_or(0);
    let mut walk = Walk::from(&head.anchor);
    let mut anchor = head.anchor.clone();
    while walk.position < head.last.position {
        let some = chain::after(&mut store.reader(), walk.position, CHUNK).await?;
        if some.first().is_none_or(|first| first.link.position != walk.position.saturating_add(1))
            && let Some(moved) = begins_now(store, key, &anchor).await?
            && moved.position > walk.position
        {
            report.begins_after = moved.position;
            walk = Walk::from(&moved);
            anchor = moved;
            continue;
        }
        let within = some.iter().take_while(|found| found.link.position <= head.last.position);
        let mut any = false;
        for found in within {
            any = true;
            if let Some((_, mac)) = noted.take_if(|(position, _)| *position == found.link.position)
                && *mac != found.link.mac
            {
                report.add(found.link.position, Wrong::NotedIsAnother);
            }
            if let Some(wrong) = walk.step(key, found) {
                report.add(found.link.position, wrong);
            }
            report.entries += 1;
            report.erased += u64::from(is_erased(found));
        }
        if !any {
            break;
        }
        progress(report.entries, total);
    }
    finish(&mut report, (&head, &walk), noted);
    report.waiting = cerrojo_store::audit::waiting(&mut store.reader()).await?;
    Ok(report)
}

fn look_at_ends(key: &TrailKey, head: &Head, report: &mut Report) {
    let alone = |last: &Place, anchor: &Place| Head { last: last.clone(), anchor: anchor.clone() };
    if !key.confirms(&alone(&head.last, &Place::default())) {
        report.add(head.last.position, Wrong::Head);
    }
    if head.last.position < head.anchor.position {
        report.add(head.last.position, Wrong::Head);
    }
    if !key.confirms(&alone(&Place::default(), &head.anchor)) {
        report.add(head.anchor.position, Wrong::Anchor);
    }
}

/// Where the chain begins now, if that was moved by a server.
async fn begins_now(store: &Store, key: &TrailKey, before: &Place) -> Result<Option<Place>, StoreError> {
    let (now, _) = chain::head(&mut store.control()).await?;
    Ok((now.anchor != *before && key.confirms(&now)).then_some(now.anchor))
}

fn finish(report: &mut Report, (head, walk): (&Head, &Walk), noted: Option<&(i64, String)>) {
    let mac = walk.mac.clone().unwrap_or_default();
    if walk.position < head.last.position {
        report.add(walk.position, Wrong::CutOff);
    } else if walk.position == head.last.position && mac != head.last.mac {
        report.add(head.last.position, Wrong::Head);
    }
    if let Some((position, _)) = noted {
        let wrong = if *position > head.last.position { Wrong::NotedIsBehindEnd } else { Wrong::NotedIsAnother };
        report.add(*position, wrong);
    }
    report.last = (walk.position, mac);
}
