//! What the address of a list asks for. Whatever cannot be meant is passed over: a page is shown all the same.

use cerrojo_app::administer::{UserSearch, UserSort};
use cerrojo_domain::{RoleId, Status};

use super::query::{Query, encoded};

/// Items of a list on one page: it has at most 50 kB in all.
pub(super) const ON_A_PAGE: i64 = 25;

impl Query {
    /// Which page of the list, if it says that.
    pub(super) fn page(&self) -> Option<i64> {
        self.number("page").filter(|page| *page >= 1)
    }

    /// Which users.
    pub(super) fn users(&self) -> UserSearch {
        UserSearch {
            text: self.typed("search").to_owned(),
            status: self.text("status").as_deref().and_then(Status::parse),
            role_id: self.text("role_id").and_then(|role| role.parse::<RoleId>().ok()),
            sort: self.text("sort").as_deref().and_then(UserSort::parse).unwrap_or_default(),
        }
    }
}

/// What asks for these users again, without their order; ends in `&` unless it is empty.
pub(super) fn query_of(search: &UserSearch) -> String {
    let role = search.role_id.map(|role| role.to_string());
    let status = search.status.map(Status::as_str);
    let pairs = [("search", Some(search.text.trim())), ("status", status), ("role_id", role.as_deref())];
    let given = pairs.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    given.map(|(name, value)| format!("{name}={}&", encoded(value))).collect::<Vec<String>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(text.as_bytes())
    }

    #[test]
    fn what_is_asked_for_is_asked_for_again() {
        let typed = "search=%C3%B1u+%26%3C%25&status=suspended&role_id=3&sort=-name&page=2";
        let search = query(typed).users();
        assert_eq!((search.text.as_str(), search.status, search.role_id), ("ñu &<%", Some(Status::Suspended), Some(3)));
        assert_eq!(search.sort, UserSort::NameDown);
        let again = query_of(&search);
        assert_eq!(query(&format!("{again}sort=-name")).users(), search);
        assert_eq!(query_of(&UserSearch::default()), "");
    }

    #[test]
    fn what_cannot_be_meant_is_passed_over() {
        let search = query("status=asleep&role_id=x&sort=password_hash&page=-1").users();
        assert_eq!(search, UserSearch::default());
        for odd in ["page=0", "page=x", "page=99999999999999999999", "page=%zz", ""] {
            assert_eq!(query(odd).page(), None, "{odd}");
        }
        assert_eq!(query("page=7").page(), Some(7));
    }
}
