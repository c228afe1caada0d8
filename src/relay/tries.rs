//! Each request that was sent to a producer for one call: when, where, and how it ended.

use std::time::Duration;
use tokio::time::Instant;

/// The attempts of one call, in the order in which they began. Most calls need one, and it takes no room of its own.
#[derive(Debug, Default)]
pub struct Tries {
    first: Option<Try>,
    more: Vec<Try>,
}

/// One request that was sent to a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// Which of the route's targets got it.
    pub target: usize,
    /// When it was sent.
    pub began: Instant,
    /// How long it took; `None` if it ended with the call.
    pub took: Option<Duration>,
    /// The number of its `grpc-status`; `None` if it ended without one, or with that of the call.
    pub status: Option<u8>,
    /// Its span, which the producer sees as its parent; 0 if the call is not followed.
    pub span: u64,
}

impl Tries {
    /// One more is sent. Its place among them.
    pub(super) fn begin(&mut self, target: usize, span: u64, began: Instant) -> usize {
        let one = Try { target, began, took: None, status: None, span };
        match &self.first {
            None => self.first = Some(one),
            Some(_) => self.more.push(one),
        }
        self.more.len()
    }

    /// The one at that place is over, and the call is not.
    pub(super) fn end(&mut self, place: usize, status: Option<u8>) {
        let one = match place.checked_sub(1) {
            None => self.first.as_mut(),
            Some(place) => self.more.get_mut(place),
        };
        if let Some(one) = one {
            (one.took, one.status) = (Some(one.began.elapsed()), status);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Try> {
        self.first.iter().chain(&self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_is_ended_at_its_place() {
        let mut tries = Tries::default();
        let now = Instant::now();
        assert_eq!((tries.begin(3, 7, now), tries.begin(4, 8, now), tries.begin(5, 9, now)), (0, 1, 2));
        tokio::time::advance(Duration::from_millis(2)).await;
        tries.end(1, Some(14));
        tries.end(0, None);
        let seen: Vec<_> = tries.iter().map(|one| (one.target, one.took.is_some(), one.status)).collect();
        assert_eq!(seen, [(3, true, None), (4, true, Some(14)), (5, false, None)]);
    }
}
