//! Looking for users.

use cerrojo_domain::{ADMIN_ROLE, Status, USER_ROLE, UnixMillis};

use super::person;
use crate::Store;
use crate::testing::on_both_engines;
use crate::user_search::{self, Search, Sort};
use crate::users::{self, NewUser};

const PEOPLE: [(&str, &str, i64, Status); 7] = [
    ("Ñandú Álvarez", "nandu@example.com", USER_ROLE, Status::Active),
    ("ana ruiz", "zeta@example.com", ADMIN_ROLE, Status::Active),
    ("Bruno 100% O'Neil", "b_runo@example.com", USER_ROLE, Status::Suspended),
    ("Ána Ruiz", "ana@example.org", USER_ROLE, Status::Active),
    ("Ольга", "ольга@пример.com", 3, Status::Inactive),
    ("José \\ García", "7seas@example.com", USER_ROLE, Status::Active),
    ("<b>\"x\"</b>", "bxruno@example.com", ADMIN_ROLE, Status::Suspended),
];

async fn fill(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    for (place, (name, email, role_id, status)) in (0..).zip(PEOPLE) {
        let registered_at = UnixMillis(1_000 + place);
        let new = NewUser { role_id, status, registered_at, ..person(name, email) };
        users::insert(&mut tx, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn found(store: &Store, search: &Search) -> Vec<i64> {
    let all = user_search::page(&mut store.reader(), search, (0, 100)).await.unwrap();
    let numbers: Vec<i64> = all.iter().map(|user| user.id.0).collect();
    let counted = user_search::count(&mut store.reader(), search).await.unwrap();
    assert_eq!(counted, i64::try_from(numbers.len()).unwrap(), "{search:?}");
    numbers
}

fn text(text: &str) -> Search {
    Search { text: text.to_owned(), ..Search::default() }
}

#[tokio::test]
async fn users_are_found_by_a_part_of_name_or_address_or_by_number() {
    on_both_engines(async |store| {
        fill(&store).await;
        for (typed, expected) in [
            ("ana ruiz", &[4, 2][..]),
            ("ANA", &[4, 2]),
            ("ñandu", &[1]),
            ("nandú", &[1]),
            ("ALVAREZ", &[1]),
            ("  Garcia ", &[6]),
            ("Ольга", &[5]),
            ("ОЛЬГА", &[5]),
            ("@EXAMPLE.org", &[4]),
            ("7", &[7, 6]),
            ("2", &[2]),
            ("99999999999999999999999999", &[]),
            ("%", &[3]),
            ("_", &[3]),
            ("b_r", &[3]),
            ("\\", &[6]),
            ("o'n", &[3]),
            ("<B>\"", &[7]),
            ("' OR 1=1 --", &[]),
            ("", &[7, 6, 5, 4, 3, 2, 1]),
            ("   ", &[7, 6, 5, 4, 3, 2, 1]),
        ] {
            assert_eq!(found(&store, &text(typed)).await, expected, "{typed}");
        }
    })
    .await;
}

#[tokio::test]
async fn users_are_filtered_by_status_and_role_together_with_what_is_looked_for() {
    on_both_engines(async |store| {
        fill(&store).await;
        let of = |text: &str, status, role_id| Search { text: text.to_owned(), status, role_id, sort: Sort::Oldest };
        for (search, expected) in [
            (of("", Some(Status::Suspended), None), &[3, 7][..]),
            (of("", Some(Status::Suspended), Some(ADMIN_ROLE)), &[7]),
            (of("", None, Some(ADMIN_ROLE)), &[2, 7]),
            (of("", None, Some(99)), &[]),
            (of("ruiz", Some(Status::Active), Some(USER_ROLE)), &[4]),
            (of("ruiz", Some(Status::Inactive), None), &[]),
        ] {
            assert_eq!(found(&store, &search).await, expected, "{search:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn users_are_sorted_alike_on_both_engines_and_come_in_pages() {
    on_both_engines(async |store| {
        fill(&store).await;
        let sorted = async |sort| found(&store, &Search { sort, ..Search::default() }).await;
        assert_eq!(sorted(Sort::Newest).await, [7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(sorted(Sort::Oldest).await, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(sorted(Sort::Name).await, [7, 2, 4, 3, 6, 1, 5], "accents and cases do not part people");
        assert_eq!(sorted(Sort::NameDown).await, [5, 1, 6, 3, 4, 2, 7]);
        assert_eq!(sorted(Sort::Email).await, [6, 4, 3, 7, 1, 2, 5]);
        assert_eq!(sorted(Sort::EmailDown).await, [5, 2, 1, 7, 3, 4, 6]);
        let mut seen = Vec::new();
        for offset in [0, 3, 6, 9] {
            let search = Search { sort: Sort::Name, ..Search::default() };
            let page = user_search::page(&mut store.reader(), &search, (offset, 3)).await.unwrap();
            seen.extend(page.iter().map(|user| user.id.0));
        }
        assert_eq!(seen, [7, 2, 4, 3, 6, 1, 5], "each is on one page");
    })
    .await;
}

#[test]
fn what_cannot_be_looked_for_is_known_before() {
    for fit in ["", "ana", &"ñ".repeat(user_search::LONGEST), "%_\\'\""] {
        assert!(text(fit).is_fit(), "{fit}");
    }
    for other in ["a\0b", "a\nb", &"a".repeat(user_search::LONGEST + 1)] {
        assert!(!text(other).is_fit(), "{other:?}");
    }
}

#[test]
fn every_order_is_read_back() {
    for sort in Sort::ALL {
        assert_eq!(Sort::parse(sort.as_str()), Some(*sort));
    }
    for other in ["", "-", "--name", "NAME", "user_id", "password_hash", "name;"] {
        assert_eq!(Sort::parse(other), None, "{other}");
    }
}
