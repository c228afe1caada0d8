//! How many watches there may be, of one caller and of all.

use crate::api::fault::{Blame, Fault};
use crate::model::Identity;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Watches of one identity.
const PER_CALLER: usize = 1_024;
/// Watches of all.
const MOST: usize = 16_384;

/// The watches that are open. Clones count together.
#[derive(Debug, Clone, Default)]
pub(in crate::api::catalog) struct Places(Arc<Open>);

#[derive(Debug, Default)]
struct Open {
    all: AtomicUsize,
    of_caller: DashMap<Identity, usize>,
}

/// One open watch; its place is free again when it falls.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<Open>,
    caller: Identity,
}

impl Places {
    /// Takes a place for a watch of `caller`.
    pub(super) fn take(&self, caller: &Identity) -> Result<Place, Fault> {
        let open = &self.0;
        let room = |taken: usize| (taken < MOST).then_some(taken + 1);
        open.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).map_err(|_| {
            let message = "this broker has as many watches as it can have; ask another";
            Fault::too_much("TOO_MANY_WATCHES", message).blame(Blame::Broker).retry(true)
        })?;
        let mut own = open.of_caller.entry(caller.clone()).or_default();
        if *own >= PER_CALLER {
            open.all.fetch_sub(1, Ordering::Relaxed);
            let message = format!("{caller} has {PER_CALLER} watches; end one first, or share one");
            return Err(Fault::too_much("TOO_MANY_WATCHES", message));
        }
        *own += 1;
        Ok(Place { open: open.clone(), caller: caller.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.all.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut own) = self.open.of_caller.entry(self.caller.clone()) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_and_gives_them_back() {
        let places = Places::default();
        let [a, b] =
            ["spiffe://a.example/x", "spiffe://b.example/x"].map(|id| Identity::parse_spiffe(id).unwrap());
        let taken: Vec<_> = (0..PER_CALLER).map(|_| places.take(&a).unwrap()).collect();
        assert!(places.take(&a).is_err());
        drop(places.take(&b).unwrap());
        drop(taken);
        assert!(places.take(&a).is_ok());
        assert!(places.0.of_caller.is_empty());
        assert_eq!(places.0.all.load(Ordering::Relaxed), 0);
    }
}
