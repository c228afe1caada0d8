//! Keeps certificates, keys, bundles and revocation lists equal to their files; a broken file changes nothing but a fault.

use crate::identity::credentials::{Credentials, CredentialsWriter, Pair};
use crate::identity::files::{self, Domain, Fault, Files};
use crate::identity::trust::{self, Bundles, Trust, TrustWriter};
use crate::lifecycle::Shutdown;
use crate::model::Digest;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Files are looked at this often even when nobody tells of a change: network file systems do not.
const RECHECK: Duration = Duration::from_secs(30);
/// A change is over when nothing more happened for this long.
const QUIET: Duration = Duration::from_millis(100);
/// A directory that never rests is looked at after this long all the same.
const RESTLESS: Duration = Duration::from_secs(1);

/// Reads everything once and tells every fault; the watcher then keeps both readers current, once it runs.
pub fn open(files: &Files, domains: &[Domain]) -> Result<(Credentials, Trust, Watcher), Vec<Fault>> {
    let sources = domains.iter().cloned().map(Source::Domain);
    // Looked at before they are read: what changes in between is seen as a change.
    let units = sources.chain([Source::Credentials(files.clone())]).map(Unit::new).collect();
    let (pair, bundles) = match (Pair::load(files), Bundles::load(domains)) {
        (Ok(pair), Ok(bundles)) => (pair, bundles),
        (pair, bundles) => {
            return Err(pair.err().into_iter().chain(bundles.err()).flatten().collect());
        }
    };
    let (credentials, credentials_writer) = Credentials::new(pair);
    let (trust, trust_writer) = Trust::new(bundles);
    let faults = watch::Sender::new(Arc::default());
    Ok((credentials, trust, Watcher { units, credentials: credentials_writer, trust: trust_writer, faults }))
}

/// The sole writer of one `Credentials` and one `Trust`.
pub struct Watcher {
    units: Vec<Unit>,
    credentials: CredentialsWriter,
    trust: TrustWriter,
    faults: watch::Sender<Arc<[Fault]>>,
}

/// Files that are only good together.
struct Unit {
    source: Source,
    seen: Vec<Option<Digest>>,
    faults: Vec<Fault>,
}

enum Source {
    Credentials(Files),
    Domain(Domain),
}

impl Watcher {
    /// The files that are broken now, while what was read from them before is still in use.
    pub fn faults(&self) -> watch::Receiver<Arc<[Fault]>> {
        self.faults.subscribe()
    }

    /// Reloads what changed, until stopping is asked for.
    pub async fn run(mut self, shutdown: Shutdown) {
        let woken = Arc::new(Notify::new());
        let mut eyes = eyes(&woken);
        loop {
            let checked = tokio::task::spawn_blocking(move || {
                // First the eyes, then the look: a change in between is seen by one of them.
                eyes.iter_mut().for_each(|eyes| self.look(eyes));
                self.check();
                (self, eyes)
            });
            (self, eyes) = match checked.await {
                Ok(back) => back,
                Err(e) => match e.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return,
                },
            };
            tokio::select! {
                () = shutdown.requested() => return,
                () = settled(&woken) => {}
                () = tokio::time::sleep(RECHECK) => {}
            }
        }
    }

    /// Asks to be told of changes in every directory that matters. Those that cannot be watched are re-checked.
    fn look(&self, eyes: &mut RecommendedWatcher) {
        let files = self.units.iter().flat_map(|unit| unit.source.files());
        let mut directories = BTreeSet::new();
        for file in files {
            directories.insert(directory(&file));
            // The target of a link may be rewritten in its own place.
            directories.extend(file.canonicalize().map(|target| directory(&target)));
        }
        for directory in directories {
            if let Err(e) = eyes.watch(&directory, RecursiveMode::NonRecursive) {
                tracing::debug!(directory = %directory.display(), error = %e, "cannot be watched; re-checked instead");
            }
        }
    }

    /// Loads again whatever has other bytes than at the last look.
    fn check(&mut self) {
        for unit in &mut self.units {
            let seen = unit.source.look();
            if seen == unit.seen {
                continue;
            }
            unit.seen = seen;
            let loaded = unit.source.load(&mut self.credentials, &mut self.trust);
            if loaded.is_ok() {
                tracing::info!("{} reloaded", unit.source.name());
            }
            let faults = loaded.err().unwrap_or_default();
            for fault in faults.iter().filter(|fault| !unit.faults.contains(fault)) {
                tracing::warn!(file = %fault.file.display(), reason = fault.reason, "the last good one stays in use");
            }
            unit.faults = faults;
        }
        let faults: Arc<[Fault]> = self.units.iter().flat_map(|unit| unit.faults.clone()).collect();
        self.faults.send_if_modified(|last| {
            let changed = *last != faults;
            *last = faults;
            changed
        });
    }
}

impl Unit {
    fn new(source: Source) -> Self {
        Self { seen: source.look(), source, faults: Vec::new() }
    }
}

impl Source {
    fn name(&self) -> String {
        match self {
            Source::Credentials(files) => format!("certificate {}", files.certificate.display()),
            Source::Domain(domain) => format!("trust bundle of {}", domain.name),
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match self {
            Source::Credentials(files) => vec![files.certificate.clone(), files.key.clone()],
            Source::Domain(domain) => domain.crl.iter().chain([&domain.bundle]).cloned().collect(),
        }
    }

    /// What the files hold now; nothing for a file that cannot be read.
    fn look(&self) -> Vec<Option<Digest>> {
        self.files().iter().map(|file| files::read(file).ok().map(|bytes| Digest::of(&bytes))).collect()
    }

    fn load(&self, credentials: &mut CredentialsWriter, trust: &mut TrustWriter) -> Result<(), Vec<Fault>> {
        match self {
            Source::Credentials(files) => credentials.replace(Pair::load(files)?),
            Source::Domain(domain) => trust.replace(&domain.name, trust::bundle(domain)?),
        }
        Ok(())
    }
}

/// What tells us of changes, if this machine has such a thing to spare.
fn eyes(woken: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let woken = woken.clone();
    let told = move |event: notify::Result<Event>| {
        // Our own reading is an event as well.
        let of_reading = |kind: &EventKind| {
            kind.is_access() && *kind != EventKind::Access(AccessKind::Close(AccessMode::Write))
        };
        if !event.is_ok_and(|event| of_reading(&event.kind)) {
            woken.notify_one();
        }
    };
    notify::recommended_watcher(told)
        .inspect_err(|e| {
            let every = RECHECK.as_secs();
            tracing::warn!(error = %e, "file changes are not told here; certificates are re-checked every {every} s");
        })
        .ok()
}

/// Waits for a change, and then until it is over.
async fn settled(woken: &Notify) {
    woken.notified().await;
    let quiet = async { while tokio::time::timeout(QUIET, woken.notified()).await.is_ok() {} };
    // An elapsed limit and a quiet directory mean the same: look now.
    let _ = tokio::time::timeout(RESTLESS, quiet).await;
}

fn directory(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
