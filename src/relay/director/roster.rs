//! Where one version serves, sorted once, so that a call only draws from it.

use super::Target;
use super::ring::Ring;
use crate::model::{Endpoint, Producer};
use crate::uplink::{Meter, Peer};
use fastrand::Rng;
use std::sync::Arc;

/// A roster with endpoints that calls keep away from is made anew after so long, in nanoseconds: what made them so is
/// believed for a time only.
const REVIEW: u64 = 10_000_000_000;

/// Where one version serves.
#[derive(Debug)]
pub(super) struct Roster {
    /// The nearest first. Never one without seats.
    tiers: Vec<Tier>,
    /// Endpoints that are left out for a time.
    pub(super) out: Vec<Seat>,
    /// Endpoints that could not be reached.
    pub(super) down: Vec<Seat>,
    /// Until when it holds, in nanoseconds of the clock of all estimates.
    pub(super) until: u64,
}

/// Endpoints that are equally near.
#[derive(Debug)]
pub(super) struct Tier {
    /// How many steps away.
    far: usize,
    /// Which share of the calls it takes, in per cent.
    pub(super) load: u32,
    pub(super) seats: Vec<Seat>,
    /// The sums of the weights up to each seat; empty where all weigh the same.
    sums: Vec<u32>,
    /// The mean of the weights.
    pub(super) mean: u32,
    /// Until when somebody starts slowly, in nanoseconds of the clock of all estimates.
    pub(super) ramps_until: u64,
    /// Since when the oldest takes calls.
    pub(super) oldest: u64,
    /// Where keys find their endpoint, if the version is sticky.
    pub(super) ring: Option<Ring>,
}

/// One endpoint.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) producer: Arc<Producer>,
    pub(super) index: usize,
    pub(super) meter: Option<Arc<Meter>>,
}

/// A roster in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    up: Vec<(usize, Seat)>,
    out: Vec<(usize, Seat)>,
    down: Vec<Seat>,
    /// The weight of those that are not up, by distance.
    lost: Vec<(usize, u32)>,
    /// When the first of those that are left out comes back.
    back: u64,
}

/// How a roster is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// In nanoseconds of the clock of all estimates.
    pub(super) now: u64,
    /// Whether calls of the version are kept with one endpoint by a key.
    pub(super) is_sticky: bool,
    /// So many times a healthy endpoint may carry its share, in per cent.
    pub(super) overprovisioning: u16,
    /// For how long a new endpoint takes less than its share, in nanoseconds.
    pub(super) slow_start: u64,
}

impl Roster {
    /// The tiers, the nearest first.
    pub(super) fn tiers(&self) -> &[Tier] {
        &self.tiers
    }

    /// Endpoints that calls may go to.
    pub(super) fn up(&self) -> impl Iterator<Item = &Seat> {
        self.tiers.iter().flat_map(|tier| &tier.seats)
    }

    /// Whether calls may go to any.
    pub(super) fn serves(&self) -> bool {
        !self.tiers.is_empty()
    }

    /// All endpoints that somebody counts at, in an order that does not tell how they are.
    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        let seats = self.up().chain(&self.out).chain(&self.down);
        let mut peers: Vec<_> = seats.filter_map(|seat| Some(seat.meter.as_ref()?.peer().clone())).collect();
        peers.sort_by_key(Arc::as_ptr);
        peers.dedup_by_key(|peer| Arc::as_ptr(peer));
        peers
    }

    /// How many endpoints there are.
    pub(super) fn len(&self) -> usize {
        self.up().count() + self.out.len() + self.down.len()
    }
}

impl Draft {
    pub(super) fn up(&mut self, far: usize, seat: Seat) {
        self.up.push((far, seat));
    }

    /// One that is left out until `back`, in nanoseconds of the clock of all estimates.
    pub(super) fn out(&mut self, far: usize, seat: Seat, back: u64) {
        self.lose(far, seat.endpoint());
        self.back = if self.back == 0 { back } else { self.back.min(back) };
        self.out.push((far, seat));
    }

    pub(super) fn down(&mut self, far: usize, seat: Seat) {
        self.lose(far, seat.endpoint());
        self.down.push(seat);
    }

    /// One that gets no calls at all, and counts as a lost part of its tier.
    pub(super) fn lose(&mut self, far: usize, endpoint: &Endpoint) {
        let weight = u32::from(endpoint.weight.max(1));
        match self.lost.iter_mut().find(|(at, _)| *at == far) {
            Some((_, lost)) => *lost += weight,
            None => self.lost.push((far, weight)),
        }
    }

    pub(super) fn roster(self, terms: &Terms) -> Roster {
        let Self { mut up, mut out, down, lost, back } = self;
        let review = if lost.is_empty() { u64::MAX } else { terms.now + REVIEW };
        let until = if back == 0 { review } else { review.min(back) };
        if up.is_empty() {
            // Whoever is left out is still better than nobody.
            up = std::mem::take(&mut out);
        }
        up.sort_by_key(|(far, _)| *far);
        let mut tiers: Vec<Tier> = Vec::new();
        for (far, seat) in up {
            match tiers.last_mut().filter(|tier| tier.far == far) {
                Some(tier) => tier.seats.push(seat),
                None => tiers.push(Tier::new(far, seat)),
            }
        }
        tiers.iter_mut().for_each(|tier| tier.settle(terms));
        share(&mut tiers, &lost, terms.overprovisioning);
        Roster { tiers, out: out.into_iter().map(|(_, seat)| seat).collect(), down, until }
    }
}

/// Which share of the calls each tier takes, after Envoy's priority levels: a tier carries all that is its own while its
/// healthy part, so many times over, is as much as the whole; what it cannot carry goes to the next.
fn share(tiers: &mut [Tier], lost: &[(usize, u32)], overprovisioning: u16) {
    let health = |tier: &Tier| {
        let gone: u32 = lost.iter().filter(|(far, _)| *far == tier.far).map(|(_, weight)| *weight).sum();
        let well = u64::from(tier.weight());
        let whole = (well + u64::from(gone)).max(1);
        u32::try_from(u64::from(overprovisioning) * well / whole).unwrap_or(u32::MAX).clamp(1, 100)
    };
    let all: Vec<u32> = tiers.iter().map(health).collect();
    // Tiers that are all together too weak share what there is.
    let sum = all.iter().sum::<u32>().clamp(1, 100);
    let mut left = 100;
    for (tier, health) in tiers.iter_mut().zip(all) {
        tier.load = (health * 100 / sum).min(left);
        left -= tier.load;
    }
    if let Some(first) = tiers.first_mut() {
        first.load += left;
    }
}

impl Tier {
    fn new(far: usize, seat: Seat) -> Self {
        Self {
            far,
            load: 0,
            seats: vec![seat],
            sums: Vec::new(),
            mean: 1,
            ramps_until: 0,
            oldest: 0,
            ring: None,
        }
    }

    fn settle(&mut self, terms: &Terms) {
        let seats = &self.seats;
        let first = seats.first().map_or(1, Seat::weight);
        if seats.iter().any(|seat| seat.weight() != first) {
            let add = |sum: &mut u32, seat: &Seat| {
                *sum += u32::from(seat.weight());
                Some(*sum)
            };
            self.sums = seats.iter().scan(0, add).collect();
        }
        self.mean = (self.weight() / seats.len().max(1) as u32).max(1);
        let joined = || seats.iter().map(Seat::joined);
        self.oldest = joined().min().unwrap_or_default();
        self.ramps_until = joined().max().unwrap_or_default().saturating_add(terms.slow_start);
        if terms.is_sticky {
            self.ring = Some(Ring::of(seats.iter().map(Seat::endpoint), self.mean));
        }
    }

    fn weight(&self) -> u32 {
        self.sums
            .last()
            .copied()
            .unwrap_or_else(|| self.seats.iter().map(|seat| u32::from(seat.weight())).sum())
    }

    /// One of its seats, each as often as its weight says.
    pub(super) fn at(&self, draw: &mut Rng) -> usize {
        match self.sums.last() {
            None => draw.usize(..self.seats.len().max(1)),
            Some(all) => {
                let at = draw.u32(..*all);
                self.sums.partition_point(|sum| *sum <= at)
            }
        }
    }
}

impl Seat {
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.producer.endpoints[self.index]
    }

    pub(super) fn weight(&self) -> u16 {
        self.endpoint().weight.max(1)
    }

    /// Since when it takes calls, in nanoseconds of the clock of all estimates.
    pub(super) fn joined(&self) -> u64 {
        self.meter.as_ref().map_or(0, |meter| meter.peer().joined())
    }

    /// Whether it should get no call now: left out since the roster was made, or as full as it may be.
    pub(super) fn is_shut(&self, now: u64) -> bool {
        self.meter.as_ref().is_some_and(|meter| meter.peer().is_out(now) || meter.is_full())
    }

    pub(super) fn target(&self, version: usize) -> Target {
        Target { producer: self.producer.clone(), endpoint: self.index, version, meter: self.meter.clone() }
    }

    pub(super) fn is(&self, target: &Target, version: usize) -> bool {
        target.version == version
            && target.endpoint == self.index
            && Arc::ptr_eq(&target.producer, &self.producer)
    }
}
