//! Where the lines go: a thread of its own, because files and pipes make whoever writes to them wait.

use super::super::shards::lock;
use super::{AccessLog, Shared};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From one write to the next: how late a line may be.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether the file is still the one that its name leads to.
const LOOK: Duration = Duration::from_secs(1);

/// Where lines are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sink {
    /// The standard output stream.
    Stdout,
    /// The end of a file. One that was moved away is left, and made anew.
    File(PathBuf),
}

/// Writes lines until it is finished.
#[derive(Debug)]
pub struct Writer {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

enum Out {
    Stdout(io::Stdout),
    File { path: PathBuf, file: File, looked: Instant },
}

impl Writer {
    /// Opens the sink and begins to write.
    ///
    /// # Errors
    /// The file cannot be opened, or no thread can be started.
    pub fn start(log: &AccessLog, sink: &Sink) -> io::Result<Self> {
        let mut out = Out::open(sink)?;
        let shared = log.shared.clone();
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("access-log".into()).spawn(move || {
            loop {
                let is_over = !matches!(stopped.recv_timeout(PAUSE), Err(RecvTimeoutError::Timeout));
                move_lines(&shared, &mut out);
                if is_over {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Writes what is left and ends; a reader that takes nothing holds it up. To be called off the async threads.
    pub fn finish(self) {
        // A writer that panicked has said so itself.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

impl Out {
    fn open(sink: &Sink) -> io::Result<Self> {
        Ok(match sink {
            Sink::Stdout => Out::Stdout(io::stdout()),
            Sink::File(path) => Out::File { path: path.clone(), file: open(path)?, looked: Instant::now() },
        })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Out::Stdout(stdout) => {
                let mut stdout = stdout.lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Out::File { path, file, looked } => {
                if looked.elapsed() >= LOOK {
                    *looked = Instant::now();
                    if !is_same(path, file) {
                        *file = open(path)?;
                    }
                }
                file.write_all(lines)
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Whether the name still leads to the file: whoever rotates logs moves it away.
fn is_same(path: &Path, file: &File) -> bool {
    match (std::fs::metadata(path), file.metadata()) {
        (Ok(named), Ok(open)) => (named.dev(), named.ino()) == (open.dev(), open.ino()),
        _ => false,
    }
}

fn move_lines(shared: &Arc<Shared>, out: &mut Out) {
    let mut lines = String::new();
    for buffer in shared.buffers.all() {
        {
            let mut buffer = lock(buffer);
            if buffer.is_empty() {
                continue;
            }
            // The thread goes on with an empty buffer that is as large.
            lines.reserve(buffer.capacity());
            std::mem::swap(&mut lines, &mut buffer);
        }
        let count = lines.bytes().filter(|byte| *byte == b'\n').count() as u64;
        let counter = match out.write(lines.as_bytes()) {
            Ok(()) => &shared.written,
            Err(error) => {
                tracing::warn!(%error, lines = count, "lines of the access log were not written");
                &shared.dropped
            }
        };
        counter.fetch_add(count, Ordering::Relaxed);
        lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Field;
    use super::super::{Choice, Entry, ROOM};
    use super::*;
    use crate::model::Identity;
    use jiff::Timestamp;

    fn log() -> AccessLog {
        let fields = vec![Field::Method, Field::Status];
        AccessLog::new(Choice { ratio: 1.0, errors: true, fields, metadata: Vec::new() })
    }

    fn write(log: &AccessLog, method: &str) {
        let caller = Identity::parse_spiffe("spiffe://data.example/app").unwrap();
        log.write(&Entry {
            time: Timestamp::UNIX_EPOCH,
            caller: &caller,
            peer: None,
            service: "a.B",
            method,
            version: None,
            producer: None,
            endpoint: None,
            status: 0,
            reason: None,
            ended_by: "producer",
            duration: Duration::ZERO,
            head: None,
            attempts: 1,
            transparent: 0,
            hedges: 0,
            request: (0, 0),
            response: (0, 0),
            trace: 0,
            span: 0,
            metadata: &[],
        });
    }

    #[test]
    fn lines_reach_the_file_and_the_next_one_after_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let log = log();
        let mut out = Out::open(&Sink::File(path.clone())).unwrap();
        write(&log, "First");
        move_lines(&log.shared, &mut out);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"method\":\"a.B/First\",\"status\":\"OK\"}\n");

        std::fs::rename(&path, folder.path().join("access.log.1")).unwrap();
        let Out::File { looked, .. } = &mut out else { panic!() };
        *looked -= LOOK;
        write(&log, "Second");
        move_lines(&log.shared, &mut out);
        assert!(std::fs::read_to_string(&path).unwrap().contains("Second"));
        assert_eq!(log.counts(), (2, 0));
    }

    #[test]
    fn what_is_not_taken_is_dropped_and_counted() {
        let log = log();
        let long = "M".repeat(300);
        let lines = 2 * ROOM / 250;
        (0..lines).for_each(|_| write(&log, &long));
        let (_, dropped) = log.counts();
        assert!(dropped > 0);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let writer = Writer::start(&log, &Sink::File(path.clone())).unwrap();
        writer.finish();
        let written = std::fs::read_to_string(&path).unwrap().lines().count();
        assert_eq!(written as u64 + dropped, lines as u64);
        assert_eq!(log.counts(), (written as u64, dropped));
    }
}
