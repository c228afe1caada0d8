//! Goes back from what failed, and shows what clashed in it.

use super::Draft;
use crate::catalog::{Change, Snapshot};
use crate::federation::Error;
use crate::federation::compare::Fresh;
use crate::federation::judge::Declaration;
use crate::federation::refusal::{Origin, Refusal};
use crate::federation::state::State;
use crate::model::Clash;

/// Where a draft stood, to go back to.
pub(in crate::federation) struct Mark {
    state: State,
    catalog: Snapshot,
    described: Fresh,
    writes: usize,
    left: usize,
}

impl Draft<'_> {
    /// Shows what clashes with what stands.
    pub(in crate::federation) fn refuse(&mut self, refusal: &Refusal) -> Result<(), Error> {
        let Origin { producer, source, origin } = &refusal.by;
        for rival in &refusal.rivals {
            self.apply(Change::PutClash(Clash {
                subject: rival.subject.clone(),
                kind: rival.kind,
                platform: producer.platform.clone(),
                source: *source,
                producer: Some(producer.clone()),
                origin: origin.clone(),
                claim: rival.claim.clone(),
                message: rival.message.clone(),
                since: self.time,
            }))?;
        }
        Ok(())
    }

    pub(super) fn settle_clashes(&mut self, declaration: &Declaration) -> Result<(), Error> {
        self.apply(Change::SettleProducer {
            producer: declaration.producer.clone(),
            source: declaration.source,
        })
    }

    /// Where it stands now.
    pub(in crate::federation) fn mark(&self) -> Mark {
        let (state, catalog, described) = (self.state.clone(), self.catalog.clone(), self.described.clone());
        Mark { state, catalog, described, writes: self.writes.len(), left: self.left.len() }
    }

    /// Goes back to where it stood.
    pub(in crate::federation) fn go_back(&mut self, mark: Mark) {
        (self.state, self.catalog, self.described) = (mark.state, mark.catalog, mark.described);
        self.writes.truncate(mark.writes);
        self.left.truncate(mark.left);
    }
}
