//! Whose word counts, where several say something under one name.

use super::index::Snapshot;
use super::set::File;
use crate::model::{PlatformName, Version, VersionName};
use std::cmp::Ordering;
use std::sync::Arc;

/// What one asker may see, and who has a right to which names. The asker answers for it; this room only asks.
pub trait Sight {
    /// The version as the asker sees it; `None` if it does not exist for the asker.
    fn sees(&self, version: &VersionName) -> Option<Seen>;
    /// Whether the platform exists for the asker.
    fn sees_platform(&self, platform: &str) -> bool;
    /// How strong a platform's right to a protobuf package is: the greater speaks first, equals by name.
    fn right(&self, platform: &PlatformName, package: &str) -> usize;
}

/// A version that somebody may see.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The version.
    pub version: Arc<Version>,
    /// Whether calls may go there now; a version that serves speaks before one that does not.
    pub is_routable: bool,
}

/// How early a file speaks for one asker: the least is first.
#[derive(Debug, Clone)]
pub(super) enum Rank {
    /// We carry it ourselves.
    Own,
    /// The first version that carries it, with its platform's right.
    Carried { right: usize, by: Seen },
}

impl Rank {
    /// The rank of a file; `None` if nobody whom the asker sees carries it.
    pub(super) fn of(file: &File, index: &Snapshot, sight: &impl Sight) -> Option<Self> {
        let place = index.place(&file.key)?;
        if place.own {
            return Some(Rank::Own);
        }
        let mut first: Option<Rank> = None;
        let mut asked: Option<(&PlatformName, usize)> = None;
        for carrier in place.carriers.iter() {
            let right = match asked {
                Some((platform, right)) if *platform == carrier.platform => right,
                _ => sight.right(&carrier.platform, file.package()),
            };
            asked = Some((&carrier.platform, right));
            // Carriers come in the order of platforms, so a later platform needs a stronger right to speak first.
            let hopeless = first.as_ref().is_some_and(|first| {
                right < first.right() || right == first.right() && first.platform() != Some(&carrier.platform)
            });
            if hopeless {
                continue;
            }
            let Some(by) = sight.sees(carrier) else { continue };
            let rank = Rank::Carried { right, by };
            if first.as_ref().is_none_or(|first| rank.order(first).is_lt()) {
                first = Some(rank);
            }
        }
        first
    }

    /// By right, then by platform, then as routing prefers versions.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Rank::Own, Rank::Own) => Ordering::Equal,
            (Rank::Own, Rank::Carried { .. }) => Ordering::Less,
            (Rank::Carried { .. }, Rank::Own) => Ordering::Greater,
            (Rank::Carried { right: a, by: x }, Rank::Carried { right: b, by: y }) => {
                let (one, two) = (&x.version, &y.version);
                let by_platform = || one.name.platform.cmp(&two.name.platform);
                let serving_first = || y.is_routable.cmp(&x.is_routable);
                b.cmp(a).then_with(by_platform).then_with(serving_first).then_with(|| one.routing_order(two))
            }
        }
    }

    /// Whose it is; `None` is our own.
    pub(super) fn platform(&self) -> Option<&PlatformName> {
        self.version().map(|version| &version.platform)
    }

    /// The version that speaks; `None` is ourselves.
    pub(super) fn version(&self) -> Option<&VersionName> {
        match self {
            Rank::Own => None,
            Rank::Carried { by, .. } => Some(&by.version.name),
        }
    }

    fn right(&self) -> usize {
        match self {
            Rank::Own => usize::MAX,
            Rank::Carried { right, .. } => *right,
        }
    }
}
