//! A disk in memory that can lose power, and can be full: what was not synced is kept, lost or torn by chance.

use redb::StorageBackend;
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a real disk tears.
const SECTOR: usize = 512;

/// One disk; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    live: Vec<u8>,
    /// What survives a power cut for sure.
    durable: Vec<u8>,
    /// What may survive, in order.
    pending: Vec<Pending>,
    /// Steps until the power goes; `None` is never.
    steps_left: Option<u64>,
    full: bool,
}

#[derive(Debug)]
enum Pending {
    Resize(usize),
    Write(usize, Vec<u8>),
}

impl Disk {
    /// A disk that loses its power after so many writes, resizes and syncs.
    pub(super) fn failing_after(steps: u64) -> Self {
        let disk = Self::default();
        disk.state().steps_left = Some(steps);
        disk
    }

    /// A disk like this one after the power came back.
    pub(super) fn after_power_cut(&self, chance: &mut fastrand::Rng) -> Self {
        let state = self.state();
        let mut image = state.durable.clone();
        for pending in &state.pending {
            match pending {
                Pending::Resize(size) => image.resize(*size, 0),
                Pending::Write(offset, bytes) => {
                    image.resize(image.len().max(offset + bytes.len()), 0);
                    for (i, sector) in bytes.chunks(SECTOR).enumerate().filter(|_| chance.bool()) {
                        let start = offset + i * SECTOR;
                        image[start..start + sector.len()].copy_from_slice(sector);
                    }
                }
            }
        }
        Self(Arc::new(Mutex::new(State { live: image.clone(), durable: image, ..State::default() })))
    }

    /// Nothing more can be written, or it can again.
    pub(super) fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn step(&mut self) -> Result<()> {
        if self.full {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        match &mut self.steps_left {
            Some(0) => Err(Error::other("no power")),
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64> {
        Ok(self.state().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let state = self.state();
        let start = offset as usize;
        let found = state.live.get(start..start + out.len());
        out.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.state();
        state.step()?;
        state.live.resize(len as usize, 0);
        state.pending.push(Pending::Resize(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.state();
        state.step()?;
        state.durable = state.live.clone();
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut state = self.state();
        state.step()?;
        let (start, end) = (offset as usize, offset as usize + data.len());
        let size = state.live.len().max(end);
        state.live.resize(size, 0);
        state.live[start..end].copy_from_slice(data);
        state.pending.push(Pending::Write(start, data.to_vec()));
        Ok(())
    }
}
