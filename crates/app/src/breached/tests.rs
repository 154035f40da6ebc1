//! Lists that are built, asked and broken.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use ring::digest::{SHA256, digest};

use super::format::{Header, PAGE, RECORD};
use super::*;

/// A list of these records, and the bytes of its file.
fn built(records: &[u64], memory: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let mut build = Build::begin(&path, memory, Overwrite::Nothing).unwrap();
    for record in records {
        build.push(*record).unwrap();
    }
    let Built { count, bytes: size } = build.end(|_| ()).unwrap();
    assert_eq!(names(folder.path()), ["list"]);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(size, bytes.len() as u64);
    assert_eq!(count, records.iter().collect::<BTreeSet<_>>().len() as u64);
    bytes
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A list over memory that counts how often it is read.
struct Counted<'a>(&'a [u8], &'a Cell<u32>);

impl Bytes for Counted<'_> {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.1.set(self.1.get() + 1);
        self.0.read_exact_at(buffer, at)
    }
}

/// Splitmix64: spread as evenly as hashes are.
fn spread(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A whole list with whatever records, in whatever order.
fn sealed(records: &[u64]) -> Vec<u8> {
    let body: Vec<u8> = records.iter().flat_map(|record| record.to_be_bytes()).collect();
    let sha256 = digest(&SHA256, &body).as_ref().try_into().unwrap();
    let mut bytes = Header { count: records.len() as u64, sha256 }.to_bytes().to_vec();
    bytes.extend(body);
    bytes
}

#[test]
fn a_record_is_the_start_of_sha_1() {
    // FIPS 180-4's example.
    assert_eq!(record_of(b"abc"), 0xA999_3E36_4706_816A);
    assert_eq!(record_of_sha1(&[1, 2, 3]), None);
}

#[test]
fn lists_of_nothing_of_one_and_around_a_page_are_asked_at_their_ends() {
    for count in [0, 1, 2, 511, 512, 513, 1024, 1025, 3000] {
        let records: Vec<u64> = (0..count).map(|number| (number + 1) * 1_000_000_007).collect();
        let bytes = built(&records, 1 << 20);
        let list = List::over(&bytes[..]).unwrap();
        assert_eq!(list.count(), count);
        list.verify(|_| ()).unwrap();
        for record in &records {
            assert!(list.contains(*record).unwrap(), "{record} of {count}");
            assert!(!list.contains(record - 1).unwrap() && !list.contains(record + 1).unwrap());
        }
        for absent in [0, 1, u64::MAX, u64::MAX - 1] {
            assert!(!list.contains(absent).unwrap(), "{absent} of {count}");
        }
    }
}

#[test]
fn the_least_and_the_greatest_record_there_can_be_are_found() {
    let bytes = built(&[u64::MAX, 0], 1 << 20);
    let list = List::over(&bytes[..]).unwrap();
    for (record, is_in) in [(0, true), (u64::MAX, true), (1, false), (u64::MAX - 1, false)] {
        assert_eq!(list.contains(record).unwrap(), is_in, "{record}");
    }
}

#[test]
fn the_same_list_comes_of_the_same_records_in_any_order_and_any_memory() {
    // With room for eight, runs are merged in three levels.
    let count = 40_000_u64;
    let records: Vec<u64> = (0..count).map(|number| spread(number % (count - 5))).collect();
    let in_memory = built(&records, 1 << 24);
    let sorted: Vec<u64> = records.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    assert!(in_memory == sealed(&sorted));
    for memory in [8 * RECORD, 1000 * RECORD, 39_999 * RECORD] {
        assert!(built(&records, memory) == in_memory, "{memory} bytes of memory");
        assert!(built(&sorted, memory) == in_memory, "in order, {memory} bytes of memory");
    }
}

#[test]
fn a_list_of_hashes_is_asked_in_three_reads() {
    let sorted: BTreeSet<u64> = (0..1_000_000).map(spread).collect();
    let bytes = sealed(&sorted.iter().copied().collect::<Vec<_>>());
    let reads = Cell::new(0);
    let list = List::over(Counted(&bytes, &reads)).unwrap();
    let mut most = 0;
    for number in 0..2000 {
        reads.set(0);
        // Every second one is absent.
        let record = spread(number * 1000);
        assert_eq!(list.contains(record).unwrap(), sorted.contains(&record));
        most = most.max(reads.get());
    }
    assert!(most <= 3, "{most} reads");
}

#[test]
fn no_list_takes_many_reads() {
    // As far from hashes as can be: guesses by proportion are all wrong.
    let mut records: Vec<u64> = (0..200_000).collect();
    records.extend((0..63).map(|power| (1_u64 << power) + 200_000));
    records.sort_unstable();
    records.dedup();
    let bytes = sealed(&records);
    let reads = Cell::new(0);
    let list = List::over(Counted(&bytes, &reads)).unwrap();
    for record in [0, 1, 100_000, 199_999, 200_005, 1 << 40, u64::MAX] {
        reads.set(0);
        assert_eq!(list.contains(record).unwrap(), records.binary_search(&record).is_ok());
        assert!(reads.get() <= 20, "{} reads", reads.get());
    }
}

#[test]
fn what_is_no_whole_list_is_refused_and_says_why() {
    let good = sealed(&[1, 2, 3]);
    let refused = |bytes: &[u8]| List::over(bytes).map(|list| list.count()).unwrap_err().to_string();
    for nothing in [&b""[..], b"password\n", &[0; PAGE], &good[..PAGE - 1]] {
        assert!(refused(nothing).contains("no list of breached passwords"), "{}", refused(nothing));
    }
    assert!(refused(&good[..good.len() - 1]).contains("cut off: it has 4119 bytes of 4120"));
    assert!(refused(&good[..PAGE]).contains("cut off"));
    assert!(refused(&[&good[..], &[0; RECORD]].concat()).contains("longer or shorter"));
    let mut other = good.clone();
    other[11] = 2;
    assert!(refused(&other).contains("version 2, this program reads 1"), "{}", refused(&other));
    for at in [12, 13, 15, 16, 23, 24, 55, 56, 1000, PAGE - 1] {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        assert!(refused(&damaged).contains("header is damaged"), "byte {at}: {}", refused(&damaged));
    }
    // Sealed as it should be, with a size that there cannot be.
    for count in [u64::MAX, u64::MAX / 8, 1 << 61] {
        let header = Header { count, sha256: [0; 32] }.to_bytes();
        assert!(refused(&[&header[..], &[0; RECORD]].concat()).contains("the list is"));
    }
}

#[test]
fn records_that_are_out_of_order_or_changed_are_noticed() {
    let mut records: Vec<u64> = (0..5000).map(|number| number * 1000).collect();
    records.swap(1, 4000);
    let bytes = sealed(&records);
    let list = List::over(&bytes[..]).unwrap();
    assert!(matches!(list.verify(|_| ()), Err(ListError::Unordered)));
    assert!(matches!(list.contains(2000), Err(ListError::Unordered)), "a search that comes by notices too");
    assert!(matches!(List::over(&sealed(&[7, 7])[..]).unwrap().verify(|_| ()), Err(ListError::Unordered)));
    let mut changed = sealed(&[10, 20, 30]);
    changed[PAGE + 15] ^= 1;
    assert!(matches!(List::over(&changed[..]).unwrap().verify(|_| ()), Err(ListError::Checksum)));
}

proptest! {
    #[test]
    fn a_list_has_what_was_put_into_it_and_nothing_else(
        records in prop::collection::vec(prop_oneof![any::<u64>(), 0..2000_u64, u64::MAX - 2000..=u64::MAX], 0..1500),
        asked in prop::collection::vec(any::<u64>(), 20),
        room in 1..2000_usize,
    ) {
        let set: BTreeSet<u64> = records.iter().copied().collect();
        let bytes = built(&records, room * RECORD);
        let list = List::over(&bytes[..]).unwrap();
        list.verify(|_| ()).unwrap();
        let near = records.iter().flat_map(|record| [*record, record.wrapping_add(1), record.wrapping_sub(1)]);
        for record in near.chain(asked) {
            prop_assert_eq!(list.contains(record).unwrap(), set.contains(&record));
        }
    }

    /// The header is right and the records are anything: it ends, reads little, and never finds what is not there.
    #[test]
    fn whatever_the_records_are_a_search_ends(
        records in prop::collection::vec(prop_oneof![any::<u64>(), 0..3_u64], 0..4000),
        asked in prop::collection::vec(prop_oneof![any::<u64>(), 0..3_u64], 20),
    ) {
        let bytes = sealed(&records);
        let reads = Cell::new(0);
        let list = List::over(Counted(&bytes, &reads)).unwrap();
        for record in asked.into_iter().chain(records.iter().copied().take(20)) {
            reads.set(0);
            if let Ok(true) = list.contains(record) {
                prop_assert!(records.contains(&record));
            }
            prop_assert!(reads.get() <= 20);
        }
        prop_assert_eq!(list.verify(|_| ()).is_ok(), records.is_sorted_by(|one, next| one < next));
    }

    /// A good list, changed in places or cut.
    #[test]
    fn a_broken_list_does_no_harm(
        changes in prop::collection::vec((0..PAGE + 80, any::<u8>()), 0..6),
        keep in prop_oneof![3 => Just(usize::MAX), 1 => 0..PAGE + 90],
        asked in any::<u64>(),
    ) {
        let mut bytes = sealed(&(0..10).map(|number| spread(number) | 1).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        bytes.truncate(keep);
        if let Ok(list) = List::over(&bytes[..]) {
            let _ = list.contains(asked);
            let _ = list.verify(|_| ());
        }
    }
}

#[test]
fn nothing_is_written_over_but_a_list_that_may_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let begin = |overwrite| Build::begin(&path, 1 << 10, overwrite).map(|_| ()).map_err(|error| error.to_string());
    std::fs::write(&path, "my own notes").unwrap();
    assert!(begin(Overwrite::Nothing).unwrap_err().contains("exists"));
    assert!(begin(Overwrite::List).unwrap_err().contains("is not replaced"));
    assert_eq!(std::fs::read(&path).unwrap(), b"my own notes");
    // A damaged list may go.
    std::fs::write(&path, &sealed(&[1, 2, 3])[..PAGE + 3]).unwrap();
    assert!(begin(Overwrite::Nothing).is_err());
    let mut build = Build::begin(&path, 1 << 10, Overwrite::List).unwrap();
    build.push(5).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), PAGE as u64 + 3, "until the end the old one stands");
    build.end(|_| ()).unwrap();
    assert!(List::open(&path).unwrap().contains(5).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o600);
    assert_eq!(names(folder.path()), ["list"]);
}

#[test]
fn a_link_goes_on_leading_where_it_leads() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("list"), folder.path().join("link"));
    std::fs::write(&path, sealed(&[1])).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let mut build = Build::begin(&link, 1 << 10, Overwrite::List).unwrap();
    build.push(2).unwrap();
    build.end(|_| ()).unwrap();
    assert!(link.is_symlink());
    assert!(List::open(&path).unwrap().contains(2).unwrap());
}

#[test]
fn two_builds_do_not_mix_and_what_one_left_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let first = Build::begin(&path, 1 << 10, Overwrite::Nothing).unwrap();
    let second = Build::begin(&path, 1 << 10, Overwrite::Nothing).map(|_| ()).unwrap_err();
    assert!(matches!(second, BuildError::Busy(_)), "{second}");
    assert_eq!(names(folder.path()), ["list.new"], "the one that was refused took nothing away");
    drop(first);
    assert!(names(folder.path()).is_empty());
    // As a killed build leaves it.
    std::fs::write(folder.path().join("list.new"), vec![7; 100_000]).unwrap();
    let mut build = Build::begin(&path, 1 << 10, Overwrite::Nothing).unwrap();
    build.push(3).unwrap();
    build.end(|_| ()).unwrap();
    List::open(&path).unwrap().verify(|_| ()).unwrap();
    assert_eq!(names(folder.path()), ["list"]);
}

#[test]
fn what_is_no_file_is_no_list() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(List::open(folder.path()), Err(ListError::NotAList)));
    assert!(matches!(List::open(&folder.path().join("none")), Err(ListError::Io(_))));
    assert!(Build::begin(&folder.path().join("no/list"), 1 << 10, Overwrite::Nothing).is_err());
}
