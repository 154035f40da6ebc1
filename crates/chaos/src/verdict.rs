//! What a run came to.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use cerrojo_testkit::history::{Circumstances, Event, Fault, Seen, judge_under};

use crate::faults::Disturbance;
use crate::moment;
use crate::record::Record;

/// How long after one node refused a session another may accept it, if the logout was never answered: both leases' terms
/// and a busy machine's slowness.
const AGREEMENT: Duration = Duration::from_secs(10);
/// Convicted sessions of which everything is shown.
const SHOWN: usize = 3;

/// The figures.
#[derive(Debug)]
pub struct Verdict {
    /// Checks made.
    pub checks: usize,
    /// Logouts and other endings that were answered with success.
    pub endings: usize,
    /// What the judge found.
    pub violations: Vec<Fault>,
    /// All that was seen of the sessions that it is about.
    pub evidence: Vec<Event>,
    /// Answers that no client expects, and how often.
    pub oddities: BTreeMap<String, u64>,
    /// Checks of sessions that nobody had begun to end, outside of disturbances: answered 200, and made.
    pub untouched: (usize, usize),
    /// Those that were not answered 200, in words.
    pub silent: Vec<String>,
    /// What became of each disturbance.
    pub disturbances: Vec<Struck>,
}

/// What one disturbance did.
#[derive(Debug)]
pub struct Struck {
    /// Which.
    pub name: String,
    /// From its end until every node served again; none if one did not.
    pub until_served: Option<Duration>,
    /// The longest time without a logout answered by a node that was not struck; none if all were.
    pub stood_still: Option<Duration>,
    /// Checks of live sessions at nodes that were not struck meanwhile: answered 200, and made.
    pub others: (usize, usize),
}

impl Verdict {
    /// Judges what was seen.
    #[must_use]
    pub fn of(record: &Record, disturbances: &[Disturbance]) -> Self {
        let events = record.events();
        let disturbed = disturbances.iter().map(|one| (one.from, one.over())).collect();
        let circumstances = Circumstances { disturbed, agreement: Some(moment::nanoseconds(AGREEMENT)) };
        let violations = judge_under(&circumstances, &events);
        let count = |is: &dyn Fn(&Seen) -> bool| events.iter().filter(|event| is(&event.seen)).count();
        let steady = steady(&events);
        let calm = |event: &&Event| {
            !circumstances.disturbed.iter().any(|(from, to)| event.begun <= *to && event.answered >= *from)
        };
        Self {
            checks: count(&|seen| matches!(seen, Seen::Accepted(_) | Seen::Refused(_) | Seen::Unanswered(_))),
            endings: count(&|seen| matches!(seen, Seen::LoggedOut(_) | Seen::Ended(_))),
            evidence: evidence(&events, &violations),
            violations,
            oddities: oddities(record, disturbances),
            silent: steady
                .iter()
                .copied()
                .filter(calm)
                .filter(|event| is_no_yes(event))
                .map(|event| when(event, disturbances))
                .collect(),
            untouched: share(steady.iter().copied().filter(calm)),
            disturbances: disturbances.iter().map(|one| struck(one, &events, &steady)).collect(),
        }
    }
}

fn oddities(record: &Record, disturbances: &[Disturbance]) -> BTreeMap<String, u64> {
    let mut oddities = record.oddities();
    // A node that still asks the old primary does not know of accounts that the new one has.
    let beside: Vec<_> =
        disturbances.iter().filter(|one| one.had_two_primaries()).map(|one| (one.from, one.over())).collect();
    let is_odd = |(begun, answered): &(u64, u64)| !beside.iter().any(|(from, to)| begun <= to && answered >= from);
    let lost = record.lost_accounts().iter().filter(|lost| is_odd(lost)).count();
    if lost > 0 {
        oddities.insert("a sign-in with the right password was refused".to_owned(), lost as u64);
    }
    oddities
}

fn is_no_yes(event: &Event) -> bool {
    !matches!(event.seen, Seen::Accepted(_))
}

/// Where in a run something was.
fn when(event: &Event, disturbances: &[Disturbance]) -> String {
    let before = disturbances.iter().rfind(|one| one.from <= event.begun);
    let after = before.map_or("before anything was broken".to_owned(), |one| {
        format!("{:?} after {one} was over", moment::between(one.over(), event.begun))
    });
    let took = moment::between(event.begun, event.answered);
    format!("node {}, {after}, after {took:?}: {:?}", event.node, event.seen)
}

/// Everything about the first few sessions that were convicted of something, in the order in which it began.
fn evidence(events: &[Event], violations: &[Fault]) -> Vec<Event> {
    let sessions: Vec<&String> = violations.iter().filter_map(session).take(SHOWN).collect();
    let mut about: Vec<Event> = Vec::new();
    for event in events {
        let seen = match &event.seen {
            Seen::Ended(of) => Seen::Ended(of.iter().filter(|one| sessions.contains(one)).cloned().collect()),
            Seen::MayHaveEnded(of) => {
                Seen::MayHaveEnded(of.iter().filter(|one| sessions.contains(one)).cloned().collect())
            }
            seen => seen.clone(),
        };
        let is_meant = match &seen {
            Seen::Ended(of) | Seen::MayHaveEnded(of) => !of.is_empty(),
            Seen::Accepted(one)
            | Seen::Refused(one)
            | Seen::Unanswered(one)
            | Seen::LoggedOut(one)
            | Seen::WasOver(one)
            | Seen::SignedIn { session: one, .. } => sessions.contains(&one),
            Seen::PasswordOver(_) => false,
        };
        if is_meant {
            about.push(Event { seen, ..event.clone() });
        }
    }
    about.sort_by_key(|event| event.begun);
    about
}

fn session(fault: &Fault) -> Option<&String> {
    match fault {
        Fault::AcceptedAfterEnding { session, .. }
        | Fault::AcceptedAfterRefusal { session, .. }
        | Fault::AcceptedLongAfterRefusal { session, .. }
        | Fault::SignedInWithOldPassword { session, .. }
        | Fault::RefusedUntouched { session, .. }
        | Fault::OverUntouched { session, .. }
        | Fault::EndedTwice { session } => Some(session),
        Fault::TooFewAnswers { .. } => None,
    }
}

/// What is asked of a cluster beside the guarantee.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So soon after a fault's end every node serves again.
    pub served: Duration,
    /// So long logouts may stand still at nodes that were not struck.
    pub stood_still: Duration,
    /// So many of a thousand checks of live sessions at nodes that were not struck are answered 200.
    pub others: usize,
}

impl Limits {
    /// What is promised, on a machine that does nothing else.
    pub const PROMISED: Self =
        Self { served: Duration::from_secs(5), stood_still: Duration::from_secs(3), others: 999 };
    /// What can be asked on a machine that is busy with other things: that it comes back by itself.
    pub const BUSY: Self = Self { served: Duration::from_secs(20), stood_still: Duration::MAX, others: 900 };
}

impl Verdict {
    /// Whether all of it is as it has to be.
    #[must_use]
    pub fn holds(&self, limits: Limits) -> bool {
        self.violations.is_empty() && self.oddities.is_empty() && self.disturbances.iter().all(|one| one.holds(limits))
    }
}

impl Struck {
    fn holds(&self, limits: Limits) -> bool {
        let (yes, made) = self.others;
        self.until_served.is_some_and(|time| time <= limits.served)
            && self.stood_still.is_none_or(|time| time <= limits.stood_still)
            && yes * 1000 >= made * limits.others
    }
}

/// Checks of sessions that nobody had begun to end yet.
fn steady(events: &[Event]) -> Vec<&Event> {
    let mut touched: HashMap<&String, u64> = HashMap::new();
    for event in events {
        let sessions = match &event.seen {
            Seen::LoggedOut(session) | Seen::WasOver(session) => std::slice::from_ref(session),
            Seen::Ended(sessions) | Seen::MayHaveEnded(sessions) => sessions,
            _ => continue,
        };
        for session in sessions {
            let at = touched.entry(session).or_insert(event.begun);
            *at = event.begun.min(*at);
        }
    }
    let is_steady = |event: &&Event| match &event.seen {
        Seen::Accepted(session) | Seen::Refused(session) | Seen::Unanswered(session) => {
            touched.get(session).is_none_or(|at| *at > event.answered)
        }
        _ => false,
    };
    events.iter().filter(is_steady).collect()
}

fn share<'a>(checks: impl Iterator<Item = &'a Event>) -> (usize, usize) {
    checks.fold((0, 0), |(yes, made), event| (yes + usize::from(matches!(event.seen, Seen::Accepted(_))), made + 1))
}

fn struck(one: &Disturbance, events: &[Event], steady: &[&Event]) -> Struck {
    let is_other = |event: &Event| one.spared(event.node);
    let meanwhile = |event: &Event| event.begun >= one.from && event.answered <= one.over();
    let others = (0..one.served.len()).any(|node| one.spared(node));
    let served: Option<Vec<u64>> = one.served.iter().copied().collect();
    Struck {
        name: one.to_string(),
        until_served: served.map(|all| moment::between(one.healed, all.into_iter().max().unwrap_or(one.healed))),
        stood_still: others.then(|| stood_still(one, events.iter().filter(|event| is_other(event)))),
        others: share(steady.iter().copied().filter(|event| is_other(event) && meanwhile(event))),
    }
}

fn stood_still<'a>(one: &Disturbance, events: impl Iterator<Item = &'a Event>) -> Duration {
    let end = one.healed;
    let logouts = events.filter(|event| matches!(event.seen, Seen::LoggedOut(_))).map(|event| event.answered);
    let mut answered: Vec<u64> = logouts.filter(|at| (one.from..end).contains(at)).collect();
    answered.push(end);
    answered.sort_unstable();
    let mut last = one.from;
    let gap = |at: u64| moment::between(std::mem::replace(&mut last, at), at);
    answered.into_iter().map(gap).max().unwrap_or_default()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (yes, made) = self.untouched;
        writeln!(f, "{} checks, {} endings answered", self.checks, self.endings)?;
        writeln!(f, "live sessions outside of faults: {} answered 200", percent(yes, made))?;
        let time = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        writeln!(f, "{:44} {:>12} {:>14} {:>22}", "fault", "served after", "logouts stood", "others' live sessions")?;
        for one in &self.disturbances {
            let (served, stood) = (one.until_served, one.stood_still);
            let served = served.map_or("never".to_owned(), |served| time(Some(served)));
            let others = if one.others.1 > 0 { percent(one.others.0, one.others.1) } else { "-".to_owned() };
            writeln!(f, "{:44} {served:>12} {:>14} {others:>22}", one.name, time(stood))?;
        }
        for silent in self.silent.iter().take(20) {
            writeln!(f, "no 200: {silent}")?;
        }
        for (oddity, times) in self.oddities.iter().take(20) {
            writeln!(f, "odd, {times} times: {oddity}")?;
        }
        writeln!(f, "{} violations", self.violations.len())?;
        for violation in self.violations.iter().take(20) {
            writeln!(f, "  {violation}")?;
        }
        for event in self.evidence.iter().take(100) {
            let Event { begun, answered, node, seen } = event;
            writeln!(f, "  node {node} from {begun} to {answered}: {seen:?}")?;
        }
        Ok(())
    }
}

fn percent(part: usize, whole: usize) -> String {
    // Rounded down, so that 100 % is all of them.
    let thousandths = (part * 100_000).checked_div(whole).unwrap_or(0);
    format!("{}.{:03} % of {whole}", thousandths / 1000, thousandths % 1000)
}
