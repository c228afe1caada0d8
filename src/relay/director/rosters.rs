//! The rosters of one worker, kept while what they were made of stays as it was.

use super::Ask;
use super::roster::Roster;
use crate::catalog::Offering;
use crate::model::{Version, VersionName};
use crate::uplink::{Cohort, Desk};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Weak};

/// The roster of a version with more producers than this is made anew only so often that the work stays small: with
/// thousands of producers somebody renews or changes all the time.
const MANY: usize = 64;
/// The pause for each endpoint of such a version, in nanoseconds: 10,000 endpoints, one second.
const PAUSE: u64 = 100_000;
/// So many versions are kept, about half a KiB each; beyond, those are forgotten that were not used since the last time.
const MOST: usize = 131_072;

/// The rosters of one worker.
#[derive(Debug)]
pub struct Rosters {
    desk: Desk,
    /// By the address of the version, which its row holds, so that no other can stand there; and by the service's place in
    /// it, because endpoints may tell their services apart.
    few: HashMap<(usize, usize), Row, BuildHasherDefault<Address>>,
    /// Those with many producers, whose records change all the time.
    many: HashMap<(VersionName, usize), Row>,
}

#[derive(Debug)]
struct Row {
    version: Arc<Version>,
    offering: Weak<Offering>,
    seen: u64,
    ejected: u64,
    made: u64,
    roster: Arc<Roster>,
    /// Held, so that its endpoints are compared with each other.
    _cohort: Option<Arc<Cohort>>,
    is_used: bool,
}

impl Rosters {
    /// None yet, for the worker that counts at `desk`.
    pub fn new(desk: Desk) -> Self {
        Self { desk, few: HashMap::default(), many: HashMap::new() }
    }

    /// Where the worker counts.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The roster of a version for a service: the one that is kept, or a new one.
    pub(super) fn get(
        &mut self,
        offering: &Arc<Offering>,
        ask: &Ask<'_>,
        make: impl FnOnce() -> Roster,
    ) -> Arc<Roster> {
        let (seen, now, ejected) = (ask.seen, ask.tick, self.desk.peers().revision());
        let service = match offering.version.services.as_slice() {
            [_] => 0,
            several => several.binary_search_by(|name| name.as_str().cmp(ask.service)).unwrap_or(0),
        };
        let row = if offering.producers.len() > MANY {
            self.many.get_mut(&(offering.version.name.clone(), service))
        } else {
            self.few.get_mut(&(Arc::as_ptr(&offering.version) as usize, service))
        };
        if let Some(row) = row.filter(|row| row.holds(offering, seen, ejected, now)) {
            row.is_used = true;
            return row.roster.clone();
        }
        let roster = Arc::new(make());
        let peers = roster.peers();
        // One alone cannot be compared, and is never left out.
        let cohort = (peers.len() > 1).then(|| self.desk.peers().enrol(&offering.version.name, peers));
        let row = Row {
            version: offering.version.clone(),
            offering: Arc::downgrade(offering),
            seen,
            ejected,
            made: now,
            roster: roster.clone(),
            _cohort: cohort,
            is_used: true,
        };
        self.put(offering, service, row);
        roster
    }

    fn put(&mut self, offering: &Offering, service: usize, row: Row) {
        if self.few.len() + self.many.len() >= MOST {
            let keep = |row: &mut Row| std::mem::take(&mut row.is_used) && row.offering.strong_count() > 0;
            self.few.retain(|_, row| keep(row));
            self.many.retain(|_, row| keep(row));
        }
        if self.few.len() + self.many.len() >= MOST {
            self.few.clear();
        }
        if offering.producers.len() > MANY {
            self.many.insert((offering.version.name.clone(), service), row);
        } else {
            self.few.insert((Arc::as_ptr(&row.version) as usize, service), row);
        }
    }
}

impl Row {
    fn holds(&self, offering: &Arc<Offering>, seen: u64, ejected: u64, now: u64) -> bool {
        let is_same = std::ptr::eq(self.offering.as_ptr(), Arc::as_ptr(offering));
        if is_same && self.seen == seen && self.ejected == ejected && now < self.roster.until {
            return true;
        }
        let endpoints = self.roster.len();
        endpoints > MANY && now.saturating_sub(self.made) < PAUSE * endpoints as u64
    }
}

/// The address of an allocation is as good as a hash of it, once its low bits, always zero, are mixed with the others.
#[derive(Debug, Default)]
struct Address(u64);

impl Hasher for Address {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 >> 32;
    }
}
