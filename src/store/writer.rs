//! The writer thread: takes all that waits into one transaction, and answers each when it is durable.

use super::{Change, Error, book};
use redb::Database;
use std::ops::RangeInclusive;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// At most so many commits share a transaction.
const GROUP: usize = 128;

/// Gives the database, at the start and again after a failed transaction.
pub(super) type Open = Box<dyn FnMut() -> Result<Database, Error> + Send>;

/// What callers ask of the thread.
#[derive(Debug)]
pub(super) enum Command {
    /// Make these durable.
    Commit { changes: Vec<Change>, answer: oneshot::Sender<Result<u64, Error>> },
    /// Close the file.
    Close { answer: oneshot::Sender<()> },
}

struct Waiting {
    changes: Vec<Change>,
    answer: oneshot::Sender<Result<u64, Error>>,
}

struct Writer {
    open: Open,
    /// `None` after a failed transaction: redb takes nothing more until the file is opened anew.
    database: Option<Database>,
    sequence: u64,
}

/// Starts the thread; it ends when it is told to, or when no handle is left.
pub(super) fn spawn(
    open: Open,
    database: Database,
    sequence: u64,
    commands: mpsc::Receiver<Command>,
) -> Result<(), Error> {
    let writer = Writer { open, database: Some(database), sequence };
    let thread = std::thread::Builder::new().name("store".to_owned());
    thread.spawn(move || writer.run(commands)).map_err(|e| Error::Refused(Arc::new(e)))?;
    Ok(())
}

impl Writer {
    fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut group = Vec::new();
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = commands.blocking_recv() else { break };
            let mut next = Some(first);
            while let Some(command) = next.take() {
                match command {
                    Command::Commit { changes, answer } => group.push(Waiting { changes, answer }),
                    Command::Close { answer } => closing = Some(answer),
                }
                if closing.is_none() && group.len() < GROUP {
                    next = commands.try_recv().ok();
                }
            }
            self.settle(&mut group);
        }
        // The file is closed and the directory free before anybody hears of it.
        drop(self);
        drop(commands);
        if let Some(answer) = closing {
            let _ = answer.send(());
        }
    }

    /// Writes one group and answers everyone in it.
    fn settle(&mut self, group: &mut Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        match self.write(group) {
            Ok(numbers) => {
                for (waiting, sequence) in group.drain(..).zip(numbers) {
                    let _ = waiting.answer.send(Ok(sequence));
                }
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    commits = group.len(),
                    "a commit failed"
                );
                for waiting in group.drain(..) {
                    let _ = waiting.answer.send(Err(error.clone()));
                }
            }
        }
    }

    /// The numbers of the commits, in their order.
    fn write(&mut self, group: &[Waiting]) -> Result<RangeInclusive<u64>, Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                let database = (self.open)()?;
                // The failed transaction may have reached the disk after all: its numbers are never used twice.
                let found = book::sequence(&database).map_err(|e| Error::Refused(Arc::new(e)))?;
                self.sequence = self.sequence.max(found);
                database
            }
        };
        let commits = group.iter().map(|waiting| waiting.changes.as_slice());
        let last = book::write(&database, self.sequence, commits).map_err(|e| Error::Refused(Arc::new(e)))?;
        self.database = Some(database);
        let first = self.sequence + 1;
        self.sequence = last;
        Ok(first..=last)
    }
}
