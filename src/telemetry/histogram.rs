//! Histograms in memory, with the buckets of gRFC A66.

use super::family::Distribution;

/// Upper bounds of durations, in seconds (gRFC A66).
pub(super) const SECONDS: [f64; 41] = [
    0.0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008,
    0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4,
    0.5, 0.65, 0.8, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0,
];
/// Upper bounds of sizes, in bytes (gRFC A66).
pub(super) const BYTES: [f64; 14] = [
    0.0,
    1024.0,
    2048.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    268_435_456.0,
    1_073_741_824.0,
    4_294_967_296.0,
];
/// Upper bounds of how often a call was sent again (gRFC A96).
pub(super) const TIMES: [f64; 5] = [1.0, 2.0, 3.0, 4.0, 5.0];

const NANOS: [u64; 41] = whole(SECONDS, 1e9);
const WHOLE_BYTES: [u64; 14] = whole(BYTES, 1.0);
const WHOLE_TIMES: [u64; 5] = whole(TIMES, 1.0);

/// Durations, in nanoseconds.
pub(super) type Durations = Histogram<42>;
/// Sizes, in bytes.
pub(super) type Sizes = Histogram<15>;
/// How often.
pub(super) type Times = Histogram<6>;

/// Measurements by size; one bucket more than there are bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Histogram<const BUCKETS: usize> {
    counts: [u64; BUCKETS],
    sum: u64,
}

impl<const BUCKETS: usize> Default for Histogram<BUCKETS> {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum: 0 }
    }
}

impl<const BUCKETS: usize> Histogram<BUCKETS> {
    /// Adds the measurements of another.
    pub(super) fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn record(&mut self, bounds: &[u64], value: u64) {
        let bucket = bounds.partition_point(|bound| *bound < value);
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    fn shown(&self, bounds: &'static [f64], scale: f64) -> Distribution {
        Distribution { bounds, counts: self.counts.to_vec(), sum: self.sum as f64 / scale }
    }
}

impl Durations {
    pub(super) fn take(&mut self, nanos: u64) {
        self.record(&NANOS, nanos);
    }

    pub(super) fn distribution(&self) -> Distribution {
        self.shown(&SECONDS, 1e9)
    }
}

impl Sizes {
    pub(super) fn take(&mut self, bytes: u64) {
        self.record(&WHOLE_BYTES, bytes);
    }

    pub(super) fn distribution(&self) -> Distribution {
        self.shown(&BYTES, 1.0)
    }
}

impl Times {
    pub(super) fn take(&mut self, times: u32) {
        self.record(&WHOLE_TIMES, times.into());
    }

    pub(super) fn distribution(&self) -> Distribution {
        self.shown(&TIMES, 1.0)
    }
}

const fn whole<const N: usize>(bounds: [f64; N], scale: f64) -> [u64; N] {
    let mut whole = [0; N];
    let mut at = 0;
    while at < N {
        whole[at] = (bounds[at] * scale + 0.5) as u64;
        at += 1;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_nothing_is_lost_at_the_ends() {
        let mut durations = Durations::default();
        for nanos in [0, 1, 10_000, 10_001, 100_000_000_000, 100_000_000_001, u64::MAX] {
            durations.take(nanos);
        }
        let shown = durations.distribution();
        assert_eq!((shown.counts[0], shown.counts[1], shown.counts[2]), (1, 2, 1));
        assert_eq!((shown.counts[40], shown.counts[41]), (1, 2));
        assert_eq!(shown.count(), 7);
        assert_eq!(NANOS[4], 300_000);
    }
}
