//! Start, drain and stop: named tasks and the one signal that ends them.
//!
//! Owns: the word "stop" and who still works. Never: what is worked on.

use futures::FutureExt;
use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The signal to stop, and the count of those who still work. Clones are the same signal.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    requested: CancellationToken,
    aborted: CancellationToken,
    working: Arc<TaskTracker>,
}

/// Held by whoever must finish before the process may end; dropping it says "done".
#[derive(Debug)]
pub struct Guard {
    _token: TaskTrackerToken,
}

impl Shutdown {
    /// A signal that nobody has given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody to stop: take nothing new, finish what is there.
    pub fn request(&self) {
        self.requested.cancel();
        self.working.close();
    }

    /// Whether stopping was asked for.
    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Waits until stopping is asked for.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Waits until there is no more time to finish: what is still open is cut.
    pub async fn aborted(&self) {
        self.aborted.cancelled().await;
    }

    /// Keeps the drain waiting until the guard falls.
    pub fn guard(&self) -> Guard {
        Guard { _token: self.working.token() }
    }

    /// Asks everybody to stop and waits for the last guard, at most `deadline`; then cuts. True if all finished.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.request();
        let finished = tokio::time::timeout(deadline, self.working.wait()).await.is_ok();
        self.aborted.cancel();
        finished
    }
}

/// Runs `task` under a name on the current runtime; a panic in it is logged with that name and ends it alone.
#[expect(clippy::disallowed_methods, reason = "the one place where tasks begin")]
pub fn spawn<F>(name: &'static str, task: F) -> tokio::task::JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    // Combinators, not an async block: that would hold the task twice, and move it once more.
    tokio::spawn(AssertUnwindSafe(task).catch_unwind().map(move |ended| {
        if let Err(panic) = ended {
            tracing::error!(task = name, panic = text(&*panic), "a task panicked");
        }
    }))
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_for_the_last_guard() {
        let shutdown = Shutdown::new();
        let guard = shutdown.guard();
        let worker = shutdown.clone();
        let task = spawn("worker", async move {
            worker.requested().await;
            // The clock is paused: nobody waits.
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(guard);
        });
        assert!(shutdown.drain(Duration::from_secs(10)).await);
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_at_its_deadline_and_says_so() {
        let shutdown = Shutdown::new();
        let _guard = shutdown.guard();
        assert!(!shutdown.drain(Duration::from_secs(10)).await);
        shutdown.aborted().await;
    }
}
