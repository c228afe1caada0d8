//! Which endpoints of one version a call tries, and in which order.
//!
//! The nearest tier that is healthy enough takes the call; within it the better of two drawn by weight (the power of two
//! choices), or, where the version is sticky, the owner of the key on a ring of hashes.

use super::ring::Ring;
use super::roster::{Roster, Seat, Tier};
use super::{MOST_TARGETS, Target};
use fastrand::Rng;

/// Another endpoint is taken only if it is clearly less crowded: below that, weights decide alone.
const CLEARLY: f64 = 1.25;
/// Latencies that differ by less than so many times are alike: that is noise.
const ALIKE: f64 = 2.0;
/// And so are those that differ by less than this, in nanoseconds.
const NOISE: f64 = 1_000_000.0;
/// So often an endpoint is drawn anew that was taken already or starts slowly.
const DRAWS: usize = 16;

/// So many are searched for one that takes calls, where those that were drawn do not.
const SEARCHED: usize = 64;

/// By what a call is sent to one endpoint rather than another.
pub(super) struct Lot<'a> {
    pub(super) draw: &'a mut Rng,
    /// The hash of what keeps a call with one endpoint; `None` where nothing does.
    pub(super) key: Option<u64>,
    /// In nanoseconds of the clock of all estimates.
    pub(super) now: u64,
    /// For how long a new endpoint takes less than its share, in nanoseconds.
    pub(super) slow_start: u64,
}

/// Adds the endpoints that the call tries, until there are enough of them.
pub(super) fn draw(roster: &Roster, lot: &mut Lot<'_>, version: usize, targets: &mut Vec<Target>) {
    let tiers = roster.tiers();
    let Some(first) = tier(tiers, lot) else { return };
    let others = (0..tiers.len()).filter(|other| *other != first);
    for tier in [first].into_iter().chain(others).map(|tier| &tiers[tier]) {
        let most = MOST_TARGETS.saturating_sub(targets.len());
        match (lot.key, &tier.ring) {
            (Some(key), Some(ring)) => {
                by_key(tier, ring, key, lot.now, most, |seat| targets.push(seat.target(version)))
            }
            _ => by_cost(tier, lot, most, |seat| targets.push(seat.target(version))),
        }
    }
}

/// The tier that takes the call: each as often as its load says; always the same for the same key.
fn tier(tiers: &[Tier], lot: &mut Lot<'_>) -> Option<usize> {
    if tiers.len() < 2 {
        return (!tiers.is_empty()).then_some(0);
    }
    let mut left = match lot.key {
        Some(key) => (key.rotate_left(32) % 100) as u32,
        None => lot.draw.u32(..100),
    };
    for (index, tier) in tiers.iter().enumerate() {
        match left.checked_sub(tier.load) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    Some(0)
}

fn by_cost(tier: &Tier, lot: &mut Lot<'_>, most: usize, mut take: impl FnMut(&Seat)) {
    let most = most.min(tier.seats.len());
    let mut taken = Taken::default();
    while taken.len < most {
        let Some(index) = choose(tier, lot, taken) else { return };
        taken.push(index);
        take(&tier.seats[index]);
    }
}

/// The better of two.
fn choose(tier: &Tier, lot: &mut Lot<'_>, taken: Taken) -> Option<usize> {
    let first = one(tier, lot, taken)?;
    if taken.len + 1 >= tier.seats.len() {
        return Some(first);
    }
    let mut both = taken;
    both.push(first);
    let better = match other(tier, lot, both) {
        Some(second) if is_better(tier, second, first, lot.now) => second,
        _ => first,
    };
    if tier.seats[better].is_shut(lot.now) { open(tier, lot, taken).or(Some(better)) } else { Some(better) }
}

/// One that takes calls now, where those that were drawn do not.
fn open(tier: &Tier, lot: &mut Lot<'_>, taken: Taken) -> Option<usize> {
    let begin = lot.draw.usize(..tier.seats.len().max(1));
    let near = (0..tier.seats.len().min(SEARCHED)).map(|step| (begin + step) % tier.seats.len());
    near.into_iter().find(|index| !taken.has(*index) && !tier.seats[*index].is_shut(lot.now))
}

/// One that is not taken, drawn by weight; one that starts slowly is drawn less often.
fn one(tier: &Tier, lot: &mut Lot<'_>, taken: Taken) -> Option<usize> {
    for _ in 0..DRAWS {
        let index = tier.at(lot.draw);
        if !taken.has(index) && is_ready(tier, index, lot) {
            return Some(index);
        }
    }
    let begin = lot.draw.usize(..tier.seats.len().max(1));
    (0..tier.seats.len()).map(|step| (begin + step) % tier.seats.len()).find(|index| !taken.has(*index))
}

/// Another one to compare with, unless that one starts slowly and it is not its turn.
fn other(tier: &Tier, lot: &mut Lot<'_>, taken: Taken) -> Option<usize> {
    let drawn = (0..DRAWS).map(|_| tier.at(lot.draw)).find(|index| !taken.has(*index));
    let second = drawn.or_else(|| (0..tier.seats.len()).find(|index| !taken.has(*index)))?;
    is_ready(tier, second, lot).then_some(second)
}

/// Whether an endpoint that starts slowly takes this call: from a tenth of its share up to the whole of it.
fn is_ready(tier: &Tier, index: usize, lot: &mut Lot<'_>) -> bool {
    if lot.now >= tier.ramps_until {
        return true;
    }
    let ramp =
        |joined: u64| (lot.now.saturating_sub(joined) as f64 / lot.slow_start.max(1) as f64).clamp(0.1, 1.0);
    // Against the oldest: where all are new, as when the broker starts, all are alike.
    let share = ramp(tier.seats[index].joined()) / ramp(tier.oldest);
    share >= 1.0 || lot.draw.f64() < share
}

fn is_better(tier: &Tier, one: usize, other: usize, now: u64) -> bool {
    let (one, other) = (&tier.seats[one], &tier.seats[other]);
    let (Some(a), Some(b)) = (&one.meter, &other.meter) else { return false };
    match (one.is_shut(now), other.is_shut(now)) {
        (false, true) => return true,
        (true, _) => return false,
        (false, false) => {}
    }
    let crowd = |seat: &Seat, calls: f64| 1.0 + calls * f64::from(tier.mean) / f64::from(seat.weight());
    let (crowd_a, crowd_b) = (crowd(one, a.crowd(now)), crowd(other, b.crowd(now)));
    match (a.time(now), b.time(now)) {
        (Some(time_a), Some(time_b)) => {
            let times = (time_b + NOISE) / (time_a + NOISE);
            let slower = if (1.0 / ALIKE..ALIKE).contains(&times) { 1.0 } else { times };
            crowd_a * CLEARLY < crowd_b * slower
        }
        // Of one that nobody knows yet only the calls under way can be compared.
        _ => crowd_a * CLEARLY < crowd_b,
    }
}

fn by_key(tier: &Tier, ring: &Ring, key: u64, now: u64, most: usize, mut take: impl FnMut(&Seat)) {
    let mut taken = Taken::default();
    let most = most.min(tier.seats.len());
    for shut in [false, true] {
        for index in ring.from(key) {
            if taken.len >= most {
                return;
            }
            let seat = &tier.seats[index];
            if !taken.has(index) && seat.is_shut(now) == shut {
                taken.push(index);
                take(seat);
            }
        }
    }
}

/// The few that are taken already.
#[derive(Clone, Copy, Default)]
struct Taken {
    seats: [usize; MOST_TARGETS + 1],
    len: usize,
}

impl Taken {
    fn push(&mut self, index: usize) {
        if let Some(place) = self.seats.get_mut(self.len) {
            *place = index;
            self.len += 1;
        }
    }

    fn has(&self, index: usize) -> bool {
        self.seats[..self.len].contains(&index)
    }
}
