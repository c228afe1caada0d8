//! Section G: what gRPC says of calls.

use super::{BAD, Case, EARLY, GOAWAY, HOLE, LIES, LOST, METADATA, REQUESTS};

pub(super) const CASES: &[Case] = &[
    (
        "G1",
        "content types, te, GET",
        &[REQUESTS, "tests/it/routing/refusals.rs:what_is_no_grpc_call_is_answered_in_http"],
    ),
    (
        "G2",
        "grpc-timeout",
        &[
            "tests/it/routing/refusals.rs:a_timeout_that_is_none_is_refused_and_never_unbounded",
            "src/relay/deadline.rs:what_the_specification_does_not_allow_is_refused",
        ],
    ),
    (
        "G3",
        "lengths, flags, cuts, compression",
        &[
            LIES,
            "src/relay/meter.rs:four_gibibytes_are_refused_at_their_prefix",
            "tests/it/attacks/requests.rs:an_encoding_that_nobody_knows_is_refused_by_our_own_services_and_passes_to_others",
        ],
    ),
    (
        "G4",
        "deadline before the answer",
        &["tests/it/routing/endings.rs:a_deadline_before_the_answer_ends_both_legs"],
    ),
    ("G4", "during headers", &[BAD]),
    (
        "G4",
        "during a retry's back-off",
        &["tests/it/resilience/deadlines.rs:a_deadline_that_passes_during_a_pause_is_told_once"],
    ),
    (
        "G4",
        "mid-stream",
        &["tests/it/routing/endings.rs:a_deadline_in_the_middle_of_a_stream_ends_both_legs"],
    ),
    (
        "G5",
        "cancel, disconnect, death, within 10 ms",
        &["tests/it/attacks/promptly.rs:a_cancel_and_a_death_of_the_consumer_end_the_producers_work_at_once"],
    ),
    (
        "G5",
        "the other way round",
        &["tests/it/attacks/promptly.rs:a_reset_of_the_producer_ends_the_consumers_call_at_once"],
    ),
    (
        "G6",
        "RST before and after the head",
        &[
            "tests/it/fidelity/resets.rs:a_reset_before_the_head_becomes_the_status_of_the_specification",
            "tests/it/fidelity/resets.rs:a_reset_after_the_head_becomes_the_status_of_the_specification",
        ],
    ),
    (
        "G6",
        "GOAWAY in the middle of a call",
        &[GOAWAY, "tests/it/faults/goaway.rs:a_goodbye_ends_no_call_that_is_being_worked_on"],
    ),
    (
        "G6",
        "TCP reset, corruption",
        &[LOST, "tests/it/faults/alone.rs:a_connection_that_does_not_come_up_is_unavailable_and_nothing_ran"],
    ),
    ("G6", "black hole", &[HOLE]),
    ("G6", "answers that are none", &[BAD, "tests/it/attacks/producers.rs:what_is_odd_but_allowed_passes"]),
    (
        "G6",
        "details over the limit",
        &[BAD, "tests/it/fidelity/headers.rs:an_answer_with_too_much_metadata_becomes_a_clear_status"],
    ),
    (
        "G6",
        "nothing runs twice",
        &["tests/it/faults/pair.rs:what_succeeds_ran_once_and_what_fails_at_most_once_whatever_happens"],
    ),
    (
        "G7",
        "metadata byte for byte",
        &[METADATA, "tests/it/fidelity/kinds.rs:each_status_passes_on_each_kind_in_each_shape_and_once"],
    ),
    (
        "G8",
        "early trailers while the consumer still sends",
        &[EARLY, "tests/it/fidelity/ends.rs:an_early_status_passes_many_uploads_at_once"],
    ),
    (
        "G8",
        "late half-close",
        &["tests/it/fidelity/ends.rs:a_consumer_may_half_close_after_the_whole_answer"],
    ),
    (
        "G8",
        "an hour of silence",
        &["src/transport/tests/life.rs:a_silent_call_lives_for_an_hour_without_too_many_pings"],
    ),
];
