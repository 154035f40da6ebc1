//! Who waits for a hash: turns go round the address blocks, those from which the account signed in before first.

use std::collections::VecDeque;
use std::time::Duration;

use cerrojo_domain::AddressBlock;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::oneshot;
use tracing::Span;
use zeroize::Zeroizing;

use super::{Busy, Checked, Known, Turn};

/// After so many turns of known ones in a row one of the others has its turn, so that they never starve.
const KNOWN_IN_A_ROW: usize = 7;
/// The most jobs that wait, whatever the estimate says: a bound of memory.
const MOST_WAITING: usize = 10_000;

/// A job that waits.
pub(super) struct Job {
    pub(super) password: Zeroizing<String>,
    pub(super) task: Task,
    /// When it came, by the clock's elapsed time.
    pub(super) since: Duration,
    /// Of whoever asked.
    pub(super) asked: Span,
    /// Of its waiting.
    pub(super) waits: Span,
}

/// What is to be done with the password, and who wants to know.
pub(super) enum Task {
    Check { stored: Option<String>, reply: oneshot::Sender<Result<Checked, Busy>> },
    Make { reply: oneshot::Sender<Result<String, Busy>> },
}

impl Job {
    /// Whether whoever asked has gone away.
    fn is_abandoned(&self) -> bool {
        match &self.task {
            Task::Check { reply, .. } => reply.is_closed(),
            Task::Make { reply } => reply.is_closed(),
        }
    }

    /// Whoever has gone away in the meantime does not mind.
    fn refuse(self, busy: Busy) {
        match self.task {
            Task::Check { reply, .. } => drop(reply.send(Err(busy))),
            Task::Make { reply } => drop(reply.send(Err(busy))),
        }
    }
}

/// The jobs of one class, in turns: the front block is next, and goes to the end when it has had its turn.
#[derive(Default)]
struct Lane {
    blocks: VecDeque<(AddressBlock, VecDeque<Job>)>,
    waiting: usize,
}

impl Lane {
    fn push(&mut self, block: AddressBlock, job: Job) {
        self.waiting += 1;
        match self.blocks.iter_mut().find(|(other, _)| *other == block) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.blocks.push_back((block, VecDeque::from([job]))),
        }
    }

    fn pop(&mut self) -> Option<Job> {
        let (block, mut jobs) = self.blocks.pop_front()?;
        let job = jobs.pop_front();
        if !jobs.is_empty() {
            self.blocks.push_back((block, jobs));
        }
        self.waiting -= usize::from(job.is_some());
        job
    }

    /// How many of the lane have their turn before a job of `block` that comes now.
    fn ahead_of(&self, block: AddressBlock) -> usize {
        let own = self.blocks.iter().position(|(other, _)| *other == block);
        let before_it = own.and_then(|at| self.blocks.get(at)).map_or(0, |(_, jobs)| jobs.len());
        let turns = |(at, (_, jobs)): (usize, &(AddressBlock, VecDeque<Job>))| match own {
            Some(own) if at == own => before_it,
            Some(own) if at > own => jobs.len().min(before_it),
            _ => jobs.len().min(before_it + 1),
        };
        self.blocks.iter().enumerate().map(turns).sum()
    }

    /// Takes out the jobs that nobody waits for any more.
    fn drop_abandoned(&mut self) {
        for (_, jobs) in &mut self.blocks {
            jobs.retain(|job| !job.is_abandoned());
        }
        self.settle();
    }

    /// Takes out those that have waited longer than `longest`, to be refused. Each block's are in order of arrival.
    fn take_late(&mut self, now: Duration, longest: Duration) -> Vec<Job> {
        let mut late = Vec::new();
        for (_, jobs) in &mut self.blocks {
            while let Some(job) = jobs.pop_front_if(|job| job.is_abandoned() || now.saturating_sub(job.since) > longest)
            {
                late.push(job);
            }
        }
        if !late.is_empty() {
            self.settle();
        }
        late
    }

    fn settle(&mut self) {
        self.blocks.retain(|(_, jobs)| !jobs.is_empty());
        self.waiting = self.blocks.iter().map(|(_, jobs)| jobs.len()).sum();
    }
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Jobs that wait.
    pub(crate) waiting: usize,
    /// Jobs that threads are at.
    pub(crate) running: usize,
    /// Threads there are.
    pub(crate) threads: usize,
}

/// Everybody who waits.
pub(super) struct Queue {
    known: Lane,
    others: Lane,
    /// Turns of known ones since one of the others had one.
    known_in_a_row: usize,
    threads: usize,
    running: usize,
    longest_wait: Duration,
    pub(super) refused: Counter,
    /// A running average of what a job takes; `None` until one has been done.
    average: Option<Duration>,
}

impl Queue {
    pub(super) fn new(threads: usize, longest_wait: Duration) -> Self {
        let (known, others) = (Lane::default(), Lane::default());
        let refused = Counter::default();
        Self { known, others, known_in_a_row: 0, threads, running: 0, longest_wait, refused, average: None }
    }

    pub(super) fn load(&self) -> Load {
        let waiting = self.known.waiting + self.others.waiting;
        Load { waiting, running: self.running, threads: self.threads }
    }

    /// Lets a job wait.
    ///
    /// # Errors
    /// [`Busy`] if it would wait longer than anybody should.
    pub(super) fn push(&mut self, turn: Turn, job: Job) -> Result<(), Busy> {
        if self.refusal(turn).is_some() {
            // Those who went away may be all there is before it.
            self.known.drop_abandoned();
            self.others.drop_abandoned();
            if let Some(busy) = self.refusal(turn) {
                self.refused.inc();
                return Err(busy);
            }
        }
        match turn.known {
            Known::Yes => self.known.push(turn.block, job),
            Known::No => self.others.push(turn.block, job),
        }
        Ok(())
    }

    /// The next job, if anybody waits. Those who have waited too long are refused on the way.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Job> {
        let late = [self.known.take_late(now, self.longest_wait), self.others.take_late(now, self.longest_wait)];
        for job in late.into_iter().flatten() {
            self.refused.inc_by(u64::from(!job.is_abandoned()));
            job.refuse(self.busy(Duration::ZERO));
        }
        let others_turn = self.others.waiting > 0 && (self.known.waiting == 0 || self.known_in_a_row >= KNOWN_IN_A_ROW);
        let job = if others_turn {
            self.known_in_a_row = 0;
            self.others.pop()
        } else {
            let job = self.known.pop();
            self.known_in_a_row = (self.known_in_a_row + usize::from(job.is_some())).min(KNOWN_IN_A_ROW);
            job
        };
        self.running += usize::from(job.is_some());
        job
    }

    /// A job that [`Queue::pop`] gave out has been done.
    pub(super) fn done(&mut self, took: Duration) {
        self.running = self.running.saturating_sub(1);
        // A machine that slept meanwhile says nothing about the next job.
        let took = took.min(self.longest_wait);
        self.average = Some(self.average.map_or(took, |average| (average * 7 + took) / 8));
    }

    /// Why a job may not wait, if it may not.
    fn refusal(&self, turn: Turn) -> Option<Busy> {
        let wait = self.wait(turn);
        let full = self.known.waiting + self.others.waiting >= MOST_WAITING;
        (full || wait > self.longest_wait).then(|| self.busy(wait))
    }

    fn busy(&self, wait: Duration) -> Busy {
        Busy { retry_after: wait.saturating_sub(self.longest_wait).max(Duration::from_secs(1)) }
    }

    /// How long a job that comes now would wait for its turn.
    fn wait(&self, turn: Turn) -> Duration {
        let turns = match turn.known {
            Known::Yes => {
                let ahead = self.known.ahead_of(turn.block);
                ahead + self.others.waiting.min((self.known_in_a_row + ahead) / KNOWN_IN_A_ROW)
            }
            Known::No => {
                let ahead = self.others.ahead_of(turn.block);
                let known_turns = KNOWN_IN_A_ROW * (ahead + 1) - self.known_in_a_row;
                ahead + self.known.waiting.min(known_turns)
            }
        };
        let turns = turns + usize::from(self.running >= self.threads);
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        let threads = u32::try_from(self.threads.max(1)).unwrap_or(u32::MAX);
        self.average.unwrap_or_default().saturating_mul(turns) / threads
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
