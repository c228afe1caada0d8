//! The distribution of times: criterion tells means only.

use std::time::{Duration, Instant};

/// Times each item by itself and prints the distribution.
pub(crate) fn percentiles<T>(what: &str, items: impl Iterator<Item = T>, mut run: impl FnMut(T)) {
    let mut times: Vec<Duration> = items
        .map(|item| {
            let begin = Instant::now();
            run(item);
            begin.elapsed()
        })
        .collect();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "{what}: n {} p50 {:?} p90 {:?} p99 {:?} p99.9 {:?} max {:?}",
        times.len(),
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}
