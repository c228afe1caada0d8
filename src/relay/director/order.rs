//! In which order the endpoints of one version are tried.

use super::Target;
use fastrand::Rng;

/// Orders by locality, and within one locality at random by weight.
pub(super) fn nearest_first(mut targets: Vec<Target>, locality: &str, draw: &mut Rng) -> Vec<Target> {
    if targets.len() < 2 {
        return targets;
    }
    // Weighted order without replacement: the smallest -ln(u)/w comes first (Efraimidis and Spirakis 2006).
    let mut keyed: Vec<_> = targets
        .drain(..)
        .map(|target| {
            let endpoint = target.endpoint();
            let far = distance(locality, &endpoint.locality);
            let drawn = -(draw.f64().max(f64::MIN_POSITIVE).ln()) / f64::from(endpoint.weight.max(1));
            (far, drawn, target)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    keyed.into_iter().map(|(_, _, target)| target).collect()
}

/// How many steps of `region/zone/…` two places do not share, seen from `here`.
fn distance(here: &str, there: &str) -> usize {
    if here == there {
        return 0;
    }
    let steps = |place| str::split(place, '/').filter(|step| !step.is_empty());
    let shared = steps(here).zip(steps(there)).take_while(|(a, b)| a == b).count();
    steps(here).count() - shared
}
