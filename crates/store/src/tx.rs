//! Write transactions. Only an [`EndingTx`] can end sessions or write to the log.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use cerrojo_domain::{EndReason, Entry, Fact, Position, Random, SessionId, UnixMillis};

use tracing::Span;

use crate::audit::{self, Act, Stamp, StampBox};
use crate::bind::Bind;
use crate::commits::{self, WitnessBox};
use crate::db::{Open, Run, sealed};
use crate::errors::{Result, StoreError};
use crate::log;
use crate::row::Row;
use crate::statement::Statement;
use crate::traced;

/// A write transaction that ends nothing. Rolled back when dropped.
///
/// Once a statement has failed, or was given up half-way, it can only be dropped: PostgreSQL would answer the COMMIT of
/// such a transaction with a silent rollback.
pub struct Tx {
    open: Open,
    random: Arc<dyn Random>,
    failed: bool,
    /// Whoever is told of the commit; a migration's is not counted.
    witness: Option<WitnessBox>,
    /// Who knows of process and request.
    stamp: StampBox,
    /// Ends with it.
    span: Span,
}

impl Tx {
    pub(crate) fn new(open: Open, random: Arc<dyn Random>) -> Self {
        Self { open, random, failed: false, witness: None, stamp: StampBox::default(), span: Span::none() }
    }

    /// In traces it is this span.
    pub(crate) fn shown(self, span: Span) -> Self {
        Self { span, ..self }
    }

    pub(crate) fn stamped(self, stamp: &StampBox) -> Self {
        Self { stamp: Arc::clone(stamp), ..self }
    }

    pub(crate) fn stamp(&self) -> Option<&Arc<dyn Stamp>> {
        self.stamp.get()
    }

    pub(crate) fn counted(self, witness: &WitnessBox) -> Self {
        Self { witness: Some(Arc::clone(witness)), ..self }
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if it may or may not have happened; otherwise it has not.
    pub async fn commit(mut self) -> Result<()> {
        self.check()?;
        let counts = self.witness.is_some() && self.open.is_sqlite();
        let number = if counts { Some(commits::count_one(&mut self).await?) } else { None };
        let committed = traced::within(traced::step(&self.span, "COMMIT"), self.open.commit()).await;
        if let Some(witness) = self.witness.as_ref().and_then(|place| place.get()) {
            match (&committed, number) {
                (Ok(()), Some(number)) => witness.committed(number),
                (Err(StoreError::OutcomeUnknown(cause)), _) => witness.outcome_unknown(cause),
                _ => {}
            }
        }
        committed
    }

    /// Runs a statement that gives no rows; how many it touched.
    pub(crate) async fn execute(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<u64> {
        self.check()?;
        self.failed = true;
        let span = self.span.in_scope(|| traced::statement(statement));
        let touched = traced::within(span, self.open.execute(statement, binds)).await?;
        self.failed = false;
        Ok(touched)
    }

    /// Runs a statement that should touch one row at most; whether it did.
    pub(crate) async fn hits(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<bool> {
        Ok(self.execute(statement, binds).await? > 0)
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.open.is_sqlite()
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    fn check(&self) -> Result<()> {
        if self.failed {
            return Err(StoreError::Broken("an earlier statement of this transaction failed".to_owned()));
        }
        Ok(())
    }
}

impl sealed::Run for Tx {
    async fn rows(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<Vec<Row>> {
        self.check()?;
        self.failed = true;
        let span = self.span.in_scope(|| traced::statement(statement));
        let rows = traced::within(span, self.open.rows(statement, binds)).await?;
        self.failed = false;
        Ok(rows)
    }
}

impl Run for Tx {}

/// A write transaction that holds the log's head row, taken first: numbers are gapless and in commit order, and no two
/// transactions that end sessions run at once. Derefs to [`Tx`]. The only thing sessions can be ended in.
///
/// Entries get their numbers at once and are written when it commits; reading the log in the same transaction does not
/// show them.
pub struct EndingTx {
    tx: Tx,
    taken: Position,
    head: Position,
    unwritten: Vec<(Entry, UnixMillis)>,
    ended: Vec<(EndReason, u64)>,
    /// What the audit trail is to say of them.
    acts: Vec<Act>,
}

impl EndingTx {
    /// Takes the head row of the log.
    pub(crate) async fn take(mut tx: Tx) -> Result<Self> {
        let head = log::take_head(&mut tx).await?;
        Ok(Self { tx, taken: head.clone(), head, unwritten: Vec::new(), ended: Vec::new(), acts: Vec::new() })
    }

    /// The log's last position, counting what this transaction has appended.
    #[must_use]
    pub fn head(&self) -> &Position {
        &self.head
    }

    /// The log's last position before this transaction.
    #[must_use]
    pub fn taken(&self) -> &Position {
        &self.taken
    }

    /// How many sessions it ends, by reason; one reason may be there several times.
    #[must_use]
    pub fn ended(&self) -> &[(EndReason, u64)] {
        &self.ended
    }

    pub(crate) fn note_ended(&mut self, reason: EndReason, count: usize) {
        if count > 0 {
            self.ended.push((reason, u64::try_from(count).unwrap_or(u64::MAX)));
        }
    }

    pub(crate) fn note_act(&mut self, act: Act) {
        self.acts.push(act);
    }

    /// Says of each session that this transaction ends and has not written yet, by which request that was asked for.
    pub fn name_requests(&mut self, of: impl Fn(&SessionId) -> Option<String>) {
        for act in &mut self.acts {
            act.request = act.session.as_ref().and_then(&of);
        }
    }

    /// Writes the entries, then makes everything durable.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if it may or may not have happened; otherwise it has not.
    pub async fn commit(mut self) -> Result<()> {
        self.write_entries().await?;
        self.tx.commit().await
    }

    /// Writes the entries that were appended: what fails here fails before COMMIT is sent. [`EndingTx::commit`] does it
    /// for whoever has not.
    pub async fn write_entries(&mut self) -> Result<()> {
        if !self.acts.is_empty() {
            let acts = std::mem::take(&mut self.acts);
            audit::record_all(&mut self.tx, acts).await?;
        }
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.unwritten);
        log::write(&mut self.tx, &entries, &self.head).await
    }

    /// Gives `fact` the next number and a mark of its own.
    pub(crate) fn append(&mut self, fact: Fact, at: UnixMillis) -> Entry {
        self.head = Position { number: self.head.number.saturating_add(1), mark: log::mark(self.tx.random()) };
        let entry = Entry { position: self.head.clone(), fact };
        self.unwritten.push((entry.clone(), at));
        entry
    }
}

impl Deref for EndingTx {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for EndingTx {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl sealed::Run for EndingTx {
    async fn rows(&mut self, statement: Statement, binds: Vec<Bind>) -> Result<Vec<Row>> {
        self.tx.rows(statement, binds).await
    }
}

impl Run for EndingTx {}
