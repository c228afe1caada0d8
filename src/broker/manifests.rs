//! The watched directory of manifests: hands what it says to the registrar, and again what was refused.

use crate::federation::{Action, File, Folder, Outcome, Registrar, Unreadable};
use crate::lifecycle::{self, Shutdown};
use crate::manifest::{Directory, Faults, Look};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// What is refused is tried again after so long: what stands in its way may have gone.
const AGAIN: Duration = Duration::from_secs(10);

/// Keeps the broker equal to a directory until stopping is asked for.
pub(super) fn follow(root: PathBuf, registrar: Registrar, shutdown: &Shutdown) {
    let stop = shutdown.clone();
    lifecycle::spawn("manifests", async move {
        let read = tokio::task::spawn_blocking(|| Directory::new(root).watch());
        let Ok((looks, watcher)) = read.await else { return };
        lifecycle::spawn("manifest watcher", watcher.run(stop.clone()));
        tokio::select! {
            () = stop.requested() => {}
            () = apply_all(looks, registrar) => {}
        }
    });
}

async fn apply_all(mut looks: watch::Receiver<Look>, registrar: Registrar) {
    loop {
        let look = looks.borrow_and_update().clone();
        let outcome = registrar.apply_folder(folder(&look)).await;
        if let Err(error) = &outcome {
            tracing::error!(error = error as &dyn std::error::Error, "the manifests could not be applied");
        }
        tokio::select! {
            changed = looks.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN), if !is_settled(outcome.as_ref().ok()) => {}
        }
    }
}

fn is_settled(outcome: Option<&Outcome>) -> bool {
    outcome.is_some_and(|outcome| outcome.changes.iter().all(|change| change.action != Action::Refused))
}

fn folder(look: &Look) -> Folder {
    match look.as_ref() {
        Ok(loaded) => {
            let files = loaded.files.iter();
            Folder::Read(files.map(|(path, read)| (path.display().to_string(), file(read))).collect())
        }
        Err(error) => Folder::Unreadable(chain(error)),
    }
}

fn file(read: &Result<Vec<crate::model::Resource>, Faults>) -> File {
    let faults = match read {
        Ok(resources) => return Ok(resources.clone()),
        Err(faults) => faults,
    };
    let path = faults.file().display().to_string();
    let unreadable = |fault: &crate::manifest::Fault| {
        let field = if fault.field.is_empty() { String::new() } else { format!("{}: ", fault.field) };
        Unreadable {
            origin: format!("{path}:{}", fault.line),
            message: format!("{field}{}; {}", fault.problem, fault.fix),
        }
    };
    Err(faults.iter().map(unreadable).collect())
}

/// The error with what lies behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
