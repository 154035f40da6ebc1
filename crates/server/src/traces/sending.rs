//! The task that sends spans, some hundred at a time, and tries again for a while what was not taken.

use std::time::Duration;

use cerrojo_app::metrics::SpanFate;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::collector::{Collector, NotTaken};
use super::queue::Waiting;

/// Spans sent at once, at most.
const BATCH: usize = 512;
/// How long spans wait for company.
const GATHERING: Duration = Duration::from_secs(2);
/// How often one batch is sent, at most.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Sending {
    pub(super) collector: Collector,
    pub(super) resource: ResourceAttributesWithSchema,
    pub(super) waiting: Waiting,
    pub(super) stopping: watch::Receiver<bool>,
}

impl Sending {
    /// Until it is told to stop; then sends what is left.
    pub(super) async fn run(mut self, mut spans: mpsc::Receiver<SpanData>) {
        let mut stopping = self.stopping.clone();
        let mut batch = Vec::with_capacity(BATCH);
        let mut is_told = false;
        loop {
            let is_over = tokio::select! {
                biased;
                () = told_to(&mut stopping) => true,
                () = gather(&mut spans, &mut batch) => false,
            };
            if is_over {
                // What is there is still received, nothing more taken.
                spans.close();
                if batch.is_empty() && spans.recv_many(&mut batch, BATCH).await == 0 {
                    return;
                }
            }
            if !batch.is_empty() {
                self.deliver(std::mem::take(&mut batch), &mut is_told).await;
            }
        }
    }

    /// `is_told`: whether it was warned since something was taken last.
    async fn deliver(&mut self, batch: Vec<SpanData>, is_told: &mut bool) {
        let count = batch.len();
        let encoded = group_spans_by_resource_and_scope(batch, &self.resource);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            let error = match self.collector.send(encoded.clone()).await {
                Ok(rejected) => {
                    let rejected = rejected.min(count);
                    self.waiting.count(SpanFate::Exported, count - rejected);
                    self.waiting.count(SpanFate::Failed, rejected);
                    if std::mem::take(is_told) {
                        tracing::info!("the collector takes traces again");
                    }
                    return;
                }
                Err(error) => error,
            };
            let is_last = matches!(error, NotTaken::Never(_)) || attempt == TRIES || *self.stopping.borrow();
            if is_last {
                self.waiting.count(SpanFate::Failed, count);
            }
            if !std::mem::replace(is_told, true) {
                tracing::warn!(%error, "the collector does not take traces (traces.endpoint): they are tried again and then dropped");
            }
            if is_last {
                return;
            }
            tokio::select! {
                () = sleep(pause) => pause *= 2,
                () = told_to(&mut self.stopping) => {}
            }
        }
    }
}

/// Returns once it is to stop.
async fn told_to(stop: &mut watch::Receiver<bool>) {
    // Whoever could tell it is gone only with the process.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Waits for spans, and then a moment for more. May be given up: what was taken is in the batch.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if spans.recv_many(batch, BATCH).await == 0 {
        // All senders are gone; whoever stops this says so.
        std::future::pending::<()>().await;
    }
    let more = async {
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            if spans.recv_many(batch, room).await == 0 {
                return;
            }
        }
    };
    // However many came.
    let _ = timeout(GATHERING, more).await;
}
