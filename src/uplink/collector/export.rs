//! When what is sent: spans as they come, metrics at their interval, and the rest at the end.

use super::{Collector, Place, Unsent};
use crate::lifecycle::{self, Shutdown};
use crate::telemetry::otlp::{self, Origin};
use crate::telemetry::{Family, Tracer};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Spans in one request.
const SPANS: usize = 512;
/// How often spans are taken; a full request does not wait.
const PAUSE: Duration = Duration::from_secs(1);
/// How often one request is tried while the collector says that it may pass later.
const TRIES: u32 = 3;
/// The pause before the second try; it doubles.
const BACKOFF: Duration = Duration::from_secs(1);
/// How long the last requests may take when the broker stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Gives all metrics as they are now.
pub type Gather = Arc<dyn Fn() -> Vec<Family> + Send + Sync>;

/// Sends to one collector until the broker has stopped.
#[derive(Debug)]
pub struct Exporter {
    collector: Collector,
    origin: Origin,
    /// Whether the last request failed: a collector that is away is told of once.
    is_failing: bool,
}

impl Exporter {
    /// An exporter to that place.
    pub fn new(place: Place, origin: Origin) -> Self {
        Self { collector: Collector::new(place), origin, is_failing: false }
    }

    /// Begins to send spans, on the current runtime. The task ends after the drain.
    pub fn spans(mut self, tracer: Tracer, shutdown: Shutdown) -> JoinHandle<()> {
        lifecycle::spawn("span exporter", async move {
            loop {
                let is_over = tokio::select! {
                    () = shutdown.aborted() => true,
                    () = sleep(PAUSE) => false,
                };
                let sends = async {
                    while let spans @ [_, ..] = &*tracer.take(SPANS) {
                        self.send_spans(spans, &tracer).await;
                        if !is_over && tracer.held() < SPANS {
                            return;
                        }
                    }
                };
                if !is_over {
                    sends.await;
                    continue;
                }
                // What does not pass any more is lost with the process.
                let _ = timeout(FAREWELL, sends).await;
                return;
            }
        })
    }

    /// Begins to send metrics every `pause`, on the current runtime. The task ends after the drain.
    pub fn metrics(mut self, gather: Gather, pause: Duration, shutdown: Shutdown) -> JoinHandle<()> {
        lifecycle::spawn("metric exporter", async move {
            let mut ticks = interval(pause);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // The first is at once, when there is nothing to tell yet.
            ticks.tick().await;
            loop {
                let is_over = tokio::select! {
                    () = shutdown.aborted() => true,
                    _ = ticks.tick() => false,
                };
                let sends = async {
                    for message in otlp::metrics(&gather(), &self.origin, Timestamp::now()) {
                        // What is lost is told again, larger, with the next: counters never begin anew.
                        let _ = self.send(otlp::METRICS, &message).await;
                    }
                };
                if is_over {
                    let _ = timeout(FAREWELL, sends).await;
                    return;
                }
                sends.await;
            }
        })
    }

    async fn send_spans(&mut self, spans: &[crate::telemetry::Span], tracer: &Tracer) {
        let message = otlp::traces(spans, &self.origin);
        if self.send(otlp::TRACES, &message).await.is_err() {
            tracer.lost(spans.len());
        }
    }

    async fn send(&mut self, method: &'static str, message: &[u8]) -> Result<(), Unsent> {
        let mut pause = BACKOFF;
        for nth in 1.. {
            match self.collector.export(method, message).await {
                Ok(answer) => {
                    if let Some((count, why)) = otlp::rejected(method, &answer) {
                        let why: String = why.chars().take(200).collect();
                        tracing::warn!(method, count, why = ?why, "a collector refused a part");
                    }
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!(method, "the collector takes what it is sent again");
                    }
                    return Ok(());
                }
                Err(error) if nth < TRIES && error.may_pass() => {
                    tracing::debug!(method, %error, "a collector did not take what it was sent");
                    sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::warn!(method, %error, "a collector does not take what it is sent");
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
