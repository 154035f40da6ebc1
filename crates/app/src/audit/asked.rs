//! What somebody who looks through the trail asks for, in words.

use std::net::IpAddr;

use cerrojo_domain::{Email, SessionId, UnixMillis, UserId, is_audit_kind};
use cerrojo_store::audit::find::{Doer, Filter};
use cerrojo_store::{Run, StoreError, users};

/// As typed; what is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Whom entries are about: a number, or the address of an account.
    pub user: Option<String>,
    /// Who did it: the same, or `operator`, `server`, `nobody`, `user`, `administrator`.
    pub by: Option<String>,
    /// A kind, or a group of kinds.
    pub kind: Option<String>,
    /// A session.
    pub session: Option<String>,
    /// A network address.
    pub address: Option<String>,
    /// From when on.
    pub since: Option<String>,
    /// Until when.
    pub until: Option<String>,
    /// The number of an entry: only older ones.
    pub before: Option<i64>,
}

/// Why it cannot be asked for.
#[derive(Debug)]
pub enum AskedError {
    /// No account has this address; of one that is gone only the number is known.
    NoUser(&'static str),
    /// There is no such kind.
    Kind,
    /// Sessions end for no such reason.
    Reason,
    /// Nobody of this kind ends any.
    Doer,
    /// It is no network address.
    Address,
    /// It is no time.
    Time(&'static str),
    /// The database.
    Store(StoreError),
}

impl From<StoreError> for AskedError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Asked {
    /// In the terms of the trail.
    ///
    /// # Errors
    /// [`AskedError`] says what is wrong, and where.
    pub async fn filter(self, run: &mut impl Run) -> Result<Filter, AskedError> {
        let user = match self.user {
            Some(user) => Some(person(run, &user, "user").await?),
            None => None,
        };
        let by = match self.by {
            Some(kind) if matches!(kind.as_str(), "operator" | "server" | "nobody" | "user" | "administrator") => {
                Some(Doer::Kind(kind))
            }
            Some(by) => Some(Doer::Person(person(run, &by, "by").await?)),
            None => None,
        };
        if self.kind.as_deref().is_some_and(|kind| !is_audit_kind(kind)) {
            return Err(AskedError::Kind);
        }
        let address = self.address.map(|text| text.parse::<IpAddr>().map_err(|_| AskedError::Address)).transpose()?;
        let time = |text: Option<String>, name| {
            text.map(|text| UnixMillis::parse(&text).ok_or(AskedError::Time(name))).transpose()
        };
        Ok(Filter {
            user,
            by,
            kind: self.kind,
            // Nothing has a name with a control character, and PostgreSQL takes no NUL.
            session: self.session.map(|id| SessionId::from_text(id.replace(char::is_control, " "))),
            address: address.map(|address| address.to_canonical().to_string()),
            since: time(self.since, "since")?,
            until: time(self.until, "until")?,
            before: self.before,
        })
    }
}

async fn person(run: &mut impl Run, text: &str, name: &'static str) -> Result<UserId, AskedError> {
    if let Ok(number) = text.parse() {
        return Ok(UserId(number));
    }
    // No other account's address, and nothing that the database does not take.
    let email = Email::parse(text).map_err(|_| AskedError::NoUser(name))?;
    let user = users::by_email(run, email.as_str()).await?;
    user.map(|user| user.id).ok_or(AskedError::NoUser(name))
}
