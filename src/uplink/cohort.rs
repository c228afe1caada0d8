//! The endpoints of one version: those that are compared with each other, and of which some always stay.

use super::ejection::Cause;
use super::outlier::{self, Sample};
use super::peer::Peer;
use super::rules::Outliers;
use crate::model::VersionName;
use std::sync::Arc;

/// The endpoints of one version.
#[derive(Debug)]
pub struct Cohort {
    version: VersionName,
    peers: Vec<Arc<Peer>>,
}

impl Cohort {
    pub(super) fn new(version: VersionName, peers: Vec<Arc<Peer>>) -> Self {
        Self { version, peers }
    }

    /// Which version they serve.
    pub fn version(&self) -> &VersionName {
        &self.version
    }

    /// The endpoints.
    pub fn peers(&self) -> &[Arc<Peer>] {
        &self.peers
    }

    pub(super) fn is_of(&self, peers: &[Arc<Peer>]) -> bool {
        self.peers.len() == peers.len() && self.peers.iter().zip(peers).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    /// Whether one more may be left out: not more than the share, and somebody who can be reached stays. One of two or
    /// more always may, as in Envoy, or a small share would protect nobody.
    pub(super) fn can_spare(&self, one: &Arc<Peer>, rules: &Outliers, now: u64) -> bool {
        let out = self.peers.iter().filter(|peer| peer.is_out(now)).count();
        if rules.max_share == 0 {
            return false;
        }
        let most = (self.peers.len() * usize::from(rules.max_share) / 100).max(1);
        let stays = |peer: &&Arc<Peer>| !Arc::ptr_eq(peer, one) && !peer.is_out(now) && !peer.is_down();
        out < most && self.peers.iter().any(|peer| stays(&peer))
    }

    /// Who is far worse than the others, the worst first.
    pub(super) fn judge(
        &self,
        rules: &Outliers,
        sample: impl Fn(&Arc<Peer>) -> Sample,
    ) -> Vec<(&Arc<Peer>, Cause)> {
        let samples: Vec<_> = self.peers.iter().map(sample).collect();
        outlier::judge(&samples, rules)
            .into_iter()
            .map(|(index, cause)| (&self.peers[index], cause))
            .collect()
    }
}
