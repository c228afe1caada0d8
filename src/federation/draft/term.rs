//! The terms of leases: begun, shown, ended.

use super::Draft;
use crate::catalog::Change;
use crate::federation::state::Entry;
use crate::federation::{Error, Receipt};
use crate::model::{Freshness, Identity};
use std::time::Duration;

/// At most so many leases end in one draft, so that requests between are not kept waiting.
const ENDINGS: usize = 256;

/// So often a renewal is shown in the catalogue.
const SHOWN_EVERY: Duration = Duration::from_secs(1);

impl Draft<'_> {
    /// Renews a lease, also one that ended, for its holder alone.
    pub(in crate::federation) fn renew(&mut self, holder: &Identity, lease: &str) -> Result<Receipt, Error> {
        let held = self.state.leased(lease).filter(|entry| entry.lease.holder == *holder);
        let held = held.ok_or(Error::UnknownLease)?.clone();
        let mut entry = Entry::clone(&held);
        self.begin_term(&mut entry);
        self.renewed(entry.clone(), &held)?;
        Ok(self.receipt(&entry, Vec::new()))
    }

    /// Ends the leases that are due: LIVE becomes STALE, and after the grace EXPIRED.
    pub(in crate::federation) fn end_leases(&mut self) -> Result<(), Error> {
        for _ in 0..ENDINGS {
            let Some(due) = self.state.due(self.now).and_then(|name| self.state.entry(&name)) else { break };
            let mut entry = Entry::clone(due);
            (entry.freshness, entry.due) = match entry.freshness {
                Freshness::Live => (Freshness::Stale, Some(entry.ends + self.rules.settings.terms.grace)),
                _ => (Freshness::Expired, None),
            };
            let producer = &entry.lease.producer;
            tracing::info!(%producer, freshness = ?entry.freshness, "a lease was not renewed");
            self.confirm(&entry)?;
        }
        Ok(())
    }

    pub(super) fn begin_term(&self, entry: &mut Entry) {
        entry.freshness = Freshness::Live;
        entry.updated = self.time;
        let term = entry.lease.term;
        entry.expires = term.map(|term| self.time.saturating_add(term).unwrap_or(self.time));
        entry.due = term.map(|term| self.now + term);
        entry.ends = entry.due.unwrap_or(self.now);
    }

    /// Puts an entry whose term began anew. A producer that renews all the time costs the catalogue little: what only
    /// moves the end of a lease is shown once in a while.
    pub(super) fn renewed(&mut self, mut entry: Entry, old: &Entry) -> Result<(), Error> {
        let is_leased = |entry: &Entry| entry.lease.term.is_some();
        let is_soon = self.now < old.shown + SHOWN_EVERY && is_leased(old) == is_leased(&entry);
        if old.freshness == Freshness::Live && is_soon {
            entry.shown = old.shown;
            self.state.put(entry);
            return Ok(());
        }
        entry.shown = self.now;
        self.confirm(&entry)
    }

    /// Puts an entry that differs from the one that stands by its times and its freshness alone.
    fn confirm(&mut self, entry: &Entry) -> Result<(), Error> {
        self.apply(Change::SetFreshness {
            producer: entry.lease.producer.clone(),
            freshness: entry.freshness,
            lease_expires: entry.expires,
            updated: entry.updated,
        })?;
        self.state.put(entry.clone());
        Ok(())
    }
}
