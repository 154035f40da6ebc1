//! Refused sign-ins and whatever else strangers cause: anybody can cause as many as the limits let through, so their entries
//! are bounded, and what is left out is counted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cerrojo_domain::{Actor, AuditKind};
use cerrojo_store::audit::{self, Act};

use crate::{App, Trouble};

const HOUR: Duration = Duration::from_hours(1);

/// Whom it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// An account that exists: its owner will want to know.
    Account,
    /// Nobody who is known.
    Nobody,
}

impl About {
    /// Entries that a node writes in an hour, at most: of strangers under a million in a year of nothing else. The limits of
    /// sign-ins keep what one account has far below.
    const fn most(self) -> u32 {
        match self {
            Self::Account => 2000,
            Self::Nobody => 100,
        }
    }
}

/// How many were written in this hour.
#[derive(Default)]
pub(super) struct Failures {
    of_accounts: Mutex<Counted>,
    of_nobody: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    /// Begins with the first of them, by the clock's elapsed time.
    since: Option<Duration>,
    written: u32,
    left_out: u64,
    /// Of hours that are over.
    owed: u64,
}

impl Counted {
    fn end_hour(&mut self, now: Duration) {
        if self.since.is_some_and(|since| now.saturating_sub(since) >= HOUR) {
            self.owed = self.owed.saturating_add(std::mem::take(&mut self.left_out));
            (self.since, self.written) = (None, 0);
        }
    }
}

impl Failures {
    /// Whether there is room for another entry; otherwise it is counted.
    pub(crate) fn have_room(&self, about: About, now: Duration) -> bool {
        let mut counted = self.counted(about);
        counted.end_hour(now);
        counted.since.get_or_insert(now);
        if counted.written >= about.most() {
            counted.left_out = counted.left_out.saturating_add(1);
            return false;
        }
        counted.written += 1;
        true
    }

    /// Once the hour is over, how many were left out, in one entry.
    pub(super) async fn say_what_was_left_out(&self, app: &App) -> Result<(), Trouble> {
        let now = app.clock.elapsed();
        let [of_accounts, of_nobody] = [About::Account, About::Nobody].map(|about| self.left_out(about, now));
        if of_accounts == 0 && of_nobody == 0 {
            return Ok(());
        }
        let act = Act::new(AuditKind::Omitted, app.clock.now())
            .by(Actor::Server)
            .with("of_accounts", of_accounts)
            .with("of_nobody", of_nobody);
        let mut tx = app.store.begin().await?;
        audit::record(&mut tx, act).await?;
        tx.commit().await?;
        for (about, said) in [(About::Account, of_accounts), (About::Nobody, of_nobody)] {
            let mut counted = self.counted(about);
            counted.owed = counted.owed.saturating_sub(said);
        }
        Ok(())
    }

    /// In hours that are over.
    fn left_out(&self, about: About, now: Duration) -> u64 {
        let mut counted = self.counted(about);
        counted.end_hour(now);
        counted.owed
    }

    fn counted(&self, about: About) -> MutexGuard<'_, Counted> {
        let counted = match about {
            About::Account => &self.of_accounts,
            About::Nobody => &self.of_nobody,
        };
        counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_so_many_and_the_next_as_many_again() {
        let failures = Failures::default();
        let most = usize::try_from(About::Nobody.most()).unwrap();
        let written = |at: u64| {
            let at = Duration::from_secs(at);
            (0..most * 2).filter(|_| failures.have_room(About::Nobody, at)).count()
        };
        assert_eq!(written(10), most);
        assert_eq!(written(3_609), 0);
        assert!(failures.have_room(About::Account, Duration::from_secs(3_609)), "strangers take nobody's room");
        assert_eq!(failures.left_out(About::Nobody, Duration::from_secs(3_609)), 0, "the hour is not over");
        let counted = u64::try_from(most * 3).unwrap();
        assert_eq!(failures.left_out(About::Nobody, Duration::from_secs(3_610)), counted);
        assert_eq!(written(3_610), most);
        // Also where somebody goes on all the time.
        assert_eq!(written(7_210), most);
        let again = counted + u64::try_from(most).unwrap();
        assert_eq!(failures.left_out(About::Nobody, Duration::from_secs(7_211)), again);
    }
}
