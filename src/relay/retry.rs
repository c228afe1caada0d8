//! Decides whether a call that failed is sent again, and when: pure, as gRFC A6 says. Clocks and chance come in as values.

use crate::model::service_config::{RetryPolicy, Status, Statuses};
use crate::transport::{self, Reason};
use http::HeaderMap;
use std::time::Duration;

/// How often a call is sent again because it surely reached nobody.
const TRANSPARENT: u32 = 5;

/// A producer that names a longer pause is not asked again.
const LONGEST_PUSHBACK: Duration = Duration::from_secs(300);

/// What is done for idempotent methods of which nothing else is said.
pub(super) static IDEMPOTENT: RetryPolicy = RetryPolicy {
    max_attempts: 3,
    initial_backoff: Duration::from_millis(25),
    max_backoff: Duration::from_millis(250),
    backoff_multiplier: 2.0,
    retryable: Statuses::UNAVAILABLE,
};

/// The attempts of one call so far.
#[derive(Debug)]
pub(super) struct Retries {
    /// Attempts that may have reached a producer.
    made: u32,
    /// Pauses since the producer last named one.
    pauses: u32,
    transparent: u32,
}

/// How an attempt failed, before any of its answer was passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fall {
    /// It surely ran nowhere.
    Unprocessed {
        /// The producer is there and refused it.
        refused: bool,
    },
    /// It may have run, and this is its status.
    Told(Status, Pushback),
}

/// What the producer says of retries (`grpc-retry-pushback-ms`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Pushback {
    /// Nothing.
    #[default]
    Silent,
    /// After this long.
    After(Duration),
    /// Not again.
    Never,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Nothing: the call failed.
    Stop,
    /// Another attempt at once, which counts as none.
    Transparent,
    /// Another attempt after a pause.
    After(Duration),
}

impl Retries {
    /// One attempt is under way.
    pub(super) fn new() -> Self {
        Self { made: 1, pauses: 0, transparent: 0 }
    }

    /// Attempts that may have reached a producer.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// What follows; without a policy only what ran nowhere is sent again. `draw` is even in 0 to 1, and `allowed` takes
    /// from the budget what it allows.
    pub(super) fn next(
        &mut self,
        fall: Fall,
        policy: Option<&RetryPolicy>,
        draw: f64,
        allowed: impl FnOnce() -> bool,
    ) -> Next {
        let (status, pushback) = match fall {
            Fall::Unprocessed { refused } => {
                // Who refuses streams is there and has too much to do: once is enough to find another.
                if self.transparent < if refused { 1 } else { TRANSPARENT } {
                    self.transparent += 1;
                    return Next::Transparent;
                }
                (Status::UNAVAILABLE, Pushback::Silent)
            }
            Fall::Told(status, pushback) => (status, pushback),
        };
        let Some(policy) = policy else { return Next::Stop };
        let may = policy.retryable.contains(status)
            && self.made < policy.max_attempts
            && pushback != Pushback::Never
            && allowed();
        if !may {
            return Next::Stop;
        }
        self.made += 1;
        Next::After(match pushback {
            Pushback::After(pause) => {
                self.pauses = 0;
                pause
            }
            _ => self.pause(policy, draw),
        })
    }

    /// `initialBackoff · multiplier^n`, at most `maxBackoff`, give or take a fifth.
    fn pause(&mut self, policy: &RetryPolicy, draw: f64) -> Duration {
        let times = policy.backoff_multiplier.powi(self.pauses.min(100) as i32);
        self.pauses += 1;
        let seconds = (policy.initial_backoff.as_secs_f64() * times).min(policy.max_backoff.as_secs_f64());
        Duration::from_secs_f64(seconds * (0.8 + 0.4 * draw))
    }
}

impl Fall {
    /// How a stream that ended early looks.
    pub(super) fn of(error: &transport::Error) -> Self {
        if error.is_unprocessed() {
            return Fall::Unprocessed { refused: error.reason() == Some(Reason::REFUSED_STREAM) };
        }
        // What we ended ourselves for its consumer's greed is not begun anew.
        let is_ours = matches!(error, transport::Error::OverShare { .. });
        Fall::Told(status(error), if is_ours { Pushback::Never } else { Pushback::Silent })
    }
}

/// The status that the consumer would be told (gRPC over HTTP/2, "Errors"); `api::fault` has the same table.
pub(crate) fn status(error: &transport::Error) -> Status {
    if matches!(error, transport::Error::GoAway { .. }) && error.reason().is_some_and(is_plain) {
        return Status::UNAVAILABLE;
    }
    match error.reason() {
        Some(Reason::REFUSED_STREAM) => Status::UNAVAILABLE,
        Some(Reason::CANCEL) => Status::CANCELLED,
        Some(Reason::ENHANCE_YOUR_CALM) => Status::RESOURCE_EXHAUSTED,
        Some(Reason::INADEQUATE_SECURITY) => Status::PERMISSION_DENIED,
        Some(_) => Status::INTERNAL,
        None if matches!(error, transport::Error::Malformed(_)) => Status::INTERNAL,
        None if matches!(error, transport::Error::OverShare { .. }) => Status::RESOURCE_EXHAUSTED,
        None => Status::UNAVAILABLE,
    }
}

/// A reason with no status of its own.
fn is_plain(reason: Reason) -> bool {
    !matches!(reason, Reason::CANCEL | Reason::ENHANCE_YOUR_CALM | Reason::INADEQUATE_SECURITY)
}

impl Pushback {
    /// Reads it; what is no number of milliseconds says "not again" (gRFC A6).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get("grpc-retry-pushback-ms") else { return Pushback::Silent };
        match value.to_str().ok().and_then(|text| text.parse().ok()).map(Duration::from_millis) {
            Some(pause) if pause <= LONGEST_PUSHBACK => Pushback::After(pause),
            _ => Pushback::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOST: Fall = Fall::Told(Status::UNAVAILABLE, Pushback::Silent);

    fn policy(max_attempts: u32) -> RetryPolicy {
        RetryPolicy { max_attempts, ..IDEMPOTENT.clone() }
    }

    #[test]
    fn without_a_policy_only_what_ran_nowhere_is_sent_again() {
        let (mut retries, policy) = (Retries::new(), None);
        assert_eq!(retries.next(LOST, policy, 0.5, || true), Next::Stop);
        for _ in 0..TRANSPARENT {
            assert_eq!(
                retries.next(Fall::Unprocessed { refused: false }, policy, 0.5, || false),
                Next::Transparent
            );
        }
        assert_eq!(retries.next(Fall::Unprocessed { refused: false }, policy, 0.5, || true), Next::Stop);

        let (mut retries, policy) = (Retries::new(), None);
        assert_eq!(
            retries.next(Fall::Unprocessed { refused: true }, policy, 0.5, || true),
            Next::Transparent
        );
        assert_eq!(retries.next(Fall::Unprocessed { refused: true }, policy, 0.5, || true), Next::Stop);
    }

    #[test]
    fn another_status_is_not_retried() {
        let policy = policy(5);
        let (mut retries, policy) = (Retries::new(), Some(&policy));
        let fall = Fall::Told(Status::INTERNAL, Pushback::Silent);
        assert_eq!(retries.next(fall, policy, 0.5, || panic!("the budget was asked")), Next::Stop);
    }

    #[test]
    fn the_producers_word_on_pauses_is_kept() {
        let policy = policy(5);
        let (mut retries, policy) = (Retries::new(), Some(&policy));
        let pause = Duration::from_millis(1700);
        assert_eq!(retries.next(LOST, policy, 0.5, || true), Next::After(Duration::from_millis(25)));
        let after = Fall::Told(Status::UNAVAILABLE, Pushback::After(pause));
        assert_eq!(retries.next(after, policy, 0.5, || true), Next::After(pause));
        assert_eq!(
            retries.next(LOST, policy, 0.5, || true),
            Next::After(Duration::from_millis(25)),
            "it begins anew"
        );
        assert_eq!(
            retries.next(Fall::Told(Status::UNAVAILABLE, Pushback::Never), policy, 0.5, || true),
            Next::Stop
        );
    }

    #[test]
    fn pushback_reads_as_a6_says() {
        let of = |value: &'static str| {
            let headers = [("grpc-retry-pushback-ms".parse().unwrap(), value.parse().unwrap())];
            Pushback::of(&HeaderMap::from_iter(headers))
        };
        assert_eq!(Pushback::of(&HeaderMap::new()), Pushback::Silent);
        assert_eq!(of("0"), Pushback::After(Duration::ZERO));
        assert_eq!(of("250"), Pushback::After(Duration::from_millis(250)));
        for never in ["-1", "", "soon", "1.5", "300001", "99999999999"] {
            assert_eq!(of(never), Pushback::Never, "{never:?}");
        }
    }

    proptest! {
        #[test]
        fn no_call_gets_more_attempts_than_its_policy_allows(
            max in 2u32..=5, falls in proptest::collection::vec((0u8..4, any::<bool>(), 0.0..1.0), 0..40),
        ) {
            let policy = policy(max);
            let (mut retries, policy) = (Retries::new(), Some(&policy));
            let (mut again, mut free) = (0, 0);
            for (kind, allowed, draw) in falls {
                let fall = match kind {
                    0 => Fall::Unprocessed { refused: false },
                    1 => Fall::Unprocessed { refused: true },
                    2 => LOST,
                    _ => Fall::Told(Status::UNAVAILABLE, Pushback::After(Duration::from_millis(7))),
                };
                match retries.next(fall, policy, draw, || allowed) {
                    Next::Stop => {}
                    Next::Transparent => free += 1,
                    Next::After(pause) => {
                        prop_assert!(allowed, "not without the budget");
                        prop_assert!(pause <= IDEMPOTENT.max_backoff.mul_f64(1.2));
                        again += 1;
                    }
                }
            }
            prop_assert!(again < max && free <= TRANSPARENT);
            prop_assert_eq!(retries.made(), 1 + again);
        }
    }
}
