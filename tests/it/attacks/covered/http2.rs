//! Section H: HTTP/2 and its floods.

use super::{Case, FLOODS, REQUESTS, UNFINISHED};

pub(super) const CASES: &[Case] = &[
    (
        "H1",
        "rapid reset, with and without bodies",
        &[FLOODS, "src/transport/tests/hostile.rs:a_rapid_reset_flood_is_told_to_calm_down"],
    ),
    (
        "H1",
        "over many connections",
        &["tests/it/attacks/crowds.rs:a_rapid_reset_over_many_connections_harms_no_neighbour"],
    ),
    (
        "H1",
        "made-you-reset in all its forms",
        &[FLOODS, "src/transport/tests/hostile.rs:a_made_you_reset_flood_is_told_to_calm_down"],
    ),
    ("H2", "CONTINUATION floods, Huffman garbage", &[FLOODS]),
    (
        "H2",
        "a header block that never ends",
        &[UNFINISHED, "src/transport/tests/hostile.rs:a_header_block_that_never_ends_is_given_up"],
    ),
    ("H3", "HPACK bomb, 10,000 headers", &[FLOODS]),
    (
        "H3",
        "a list over the limit",
        &["tests/it/fidelity/headers.rs:a_head_over_the_limit_is_refused_as_such_and_the_connection_lives"],
    ),
    (
        "H3",
        "7 KiB",
        &[
            "tests/it/attacks/requests.rs:seven_kibibytes_of_metadata_pass",
            "tests/it/fidelity/headers.rs:seven_kibibytes_pass_both_ways_and_so_do_two_hundred_fields",
        ],
    ),
    ("H4", "floods of frames", &[FLOODS]),
    ("H4", "replies unread", &["tests/it/attacks/floods.rs:a_flooder_that_never_reads_is_not_read_either"]),
    (
        "H5",
        "windows of nothing and of one byte",
        &["tests/it/attacks/floods.rs:a_window_that_stays_shut_holds_its_own_stream_only"],
    ),
    ("H5", "sizes, stream ids, DATA on idle streams", &[FLOODS]),
    (
        "H6",
        "more streams than allowed",
        &[FLOODS, "src/transport/tests/hostile.rs:streams_over_the_limit_are_refused_and_those_within_live"],
    ),
    (
        "H6",
        "connections over the limit (10,000 are the default)",
        &["tests/it/attacks/crowds.rs:connections_over_the_limit_are_closed_and_those_within_live"],
    ),
    (
        "H6",
        "idle for ever",
        &["src/transport/tests/life.rs:an_idle_connection_is_told_goodbye_and_a_busy_one_is_not"],
    ),
    ("H6", "slow preface, slow header", &[UNFINISHED]),
    (
        "H6",
        "slow body with a deadline",
        &["tests/it/attacks/crowds.rs:a_body_that_drips_ends_with_its_deadline"],
    ),
    (
        "H6",
        "slow reader",
        &["tests/it/routing/bounds.rs:a_reader_that_stalls_stalls_the_producer_and_nobody_else"],
    ),
    (
        "H7",
        "paths, pseudo-headers, names, values, te, host",
        &[REQUESTS, "tests/it/routing/refusals.rs:the_very_bytes_that_are_authorised_are_routed"],
    ),
];
