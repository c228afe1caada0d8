//! Keeps what strangers can cause from filling the log: so many lines a second, then a count.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lines a second that pass.
const MOST: u32 = 20;

/// Decides whether a line about a stranger is written.
#[derive(Debug)]
pub(super) struct Noise {
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    written: u32,
    kept_back: u64,
}

impl Noise {
    pub(super) fn new() -> Self {
        Self { window: Mutex::new(Window { began: Instant::now(), written: 0, kept_back: 0 }) }
    }

    /// Whether to write now; if so, how many lines were kept back since the last one that was written.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if now.saturating_duration_since(window.began) >= Duration::from_secs(1) {
            window.began = now;
            window.written = 0;
        }
        if window.written >= MOST {
            window.kept_back += 1;
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_with_the_next_line() {
        let noise = Noise::new();
        let now = Instant::now();
        let written = (0..100).filter(|_| noise.admit(now).is_some()).count();
        assert_eq!(written, MOST as usize);
        assert_eq!(noise.admit(now + Duration::from_secs(1)), Some(80));
    }
}
