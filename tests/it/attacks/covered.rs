//! Sections H, G and Q of the list of attacks and its "Found already": each case, and the tests that cover it. A test that is
//! renamed or deleted fails here.

use crate::foreign::file;
use std::collections::BTreeSet;

/// Section and number, what happens, and the tests: `file:function`.
type Case = (&'static str, &'static str, &'static [&'static str]);

const FLOODS: &str = "tests/it/attacks/floods.rs:floods_end_the_flooder_and_nobody_else";
const REQUESTS: &str = "tests/it/attacks/requests.rs:what_is_no_request_reaches_no_producer";
const BAD: &str = "tests/it/attacks/producers.rs:every_bad_answer_becomes_one_clear_status";
const UNFINISHED: &str = "tests/it/attacks/floods.rs:whoever_never_finishes_is_given_up";
const LIES: &str = "tests/it/attacks/requests.rs:a_message_that_lies_about_its_length_harms_nobody";
const EARLY: &str =
    "tests/it/fidelity/ends.rs:an_early_status_arrives_every_time_and_late_frames_harm_nothing";
const GOAWAY: &str = "tests/it/faults/goaway.rs:what_surely_reached_nobody_goes_again_and_nothing_else";
const LOST: &str =
    "tests/it/faults/alone.rs:a_connection_that_is_reset_or_spoilt_under_a_call_ends_it_once_and_clearly";
const HOLE: &str = "tests/it/faults/alone.rs:a_black_hole_ends_calls_by_their_deadline_or_by_keepalive";
const METADATA: &str =
    "tests/it/fidelity/headers.rs:metadata_are_the_same_bytes_in_head_trailers_and_trailers_only";
const HIDDEN: &str = "src/api/catalog/tests/sight.rs:what_a_caller_may_not_see_was_never_there";
const SECRETS: &str = "tests/it/attacks/secrets.rs:no_secret_and_no_foreign_line_stands_in_the_log";

const CASES: &[Case] = &[
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
    (
        "Q1",
        "every stream of a producer",
        &["tests/it/attacks/crowds.rs:who_takes_every_stream_takes_none_of_anothers"],
    ),
    ("Q1", "every watcher", &["src/api/catalog/watch/places.rs:a_caller_has_so_many_and_gives_them_back"]),
    (
        "Q1",
        "every byte in flight",
        &[
            "tests/it/attacks/crowds.rs:who_reads_nothing_holds_up_nobody_else",
            "tests/it/uplink/share.rs:whoever_holds_more_than_its_share_is_told_so_and_others_are_served",
            "tests/it/uplink/share.rs:a_producer_that_does_not_read_costs_its_streams_only",
            "tests/it/uplink/share.rs:a_consumer_that_does_not_read_holds_up_nobody_of_its_own_house",
        ],
    ),
    (
        "Q1",
        "requests of one identity ten times too often",
        &["src/federation/tests/whole.rs:one_identity_that_floods_is_slowed_and_others_are_not"],
    ),
    (
        "Q2",
        "watchers that come and go",
        &["src/api/catalog/watch/places.rs:a_caller_has_so_many_and_gives_them_back"],
    ),
    ("Q2", "long filters", &["src/filter/tests/refusal.rs:what_is_too_much_is_refused"]),
    ("Q2", "page sizes", &["src/api/page.rs:a_page_has_a_bounded_size"]),
    (
        "Q2",
        "page tokens of others",
        &[
            "src/api/page.rs:a_token_goes_on_for_its_own_query_and_caller_only",
            "src/api/page.rs:a_token_of_another_process_is_refused",
            "src/api/catalog/tests/tokens.rs:a_token_is_good_for_its_own_question_only",
        ],
    ),
    (
        "Q3",
        "lists, counts, searches",
        &[HIDDEN, "src/api/catalog/tests/sight.rs:what_is_hidden_leaves_no_trace_in_any_search"],
    ),
    ("Q3", "status", &["src/api/status/tests.rs:pages_hold_each_capability_once_and_nothing_hidden"]),
    (
        "Q3",
        "explanations and error texts",
        &["tests/it/routing/explain.rs:a_service_that_is_hidden_reads_as_one_that_does_not_exist"],
    ),
    (
        "Q3",
        "conflicts",
        &[
            "src/api/catalog/tests/conflicts.rs:a_name_claimed_twice_is_for_its_claimants_and_who_sees_the_loser",
        ],
    ),
    ("Q3", "health", &["src/api/health/tests.rs:nobody_is_told_anything_without_an_identity"]),
    ("Q4", "an RPC without a rule", &["src/api/gate.rs:every_method_of_ours_has_one_row"]),
    (
        "Q4",
        "what only operators may",
        &[
            "tests/it/usage.rs:each_role_gets_its_report_and_no_more",
            "src/federation/tests/manifests/attacks.rs:what_nobody_is_granted_no_manifest_grants",
        ],
    ),
    ("Q5", "secrets in metadata, bodies and log lines", &[SECRETS]),
    (
        "Q6",
        "new lines and control bytes",
        &[SECRETS, "src/relay/story.rs:text_of_others_cannot_break_a_header_or_forge_a_part"],
    ),
    (
        "Q6",
        "a flood of faults in the log",
        &["src/api/noise.rs:a_flood_is_counted_and_told_with_the_next_line"],
    ),
    ("Q6", "names without end", &["src/usage/tests.rs:it_is_bounded_and_no_call_is_lost"]),
    (
        "F1",
        "limits are set",
        &["src/transport/tests/hostile.rs:a_made_you_reset_flood_is_told_to_calm_down", FLOODS],
    ),
    (
        "F2",
        "one tenant's cancels",
        &[
            "tests/it/uplink/storm.rs:an_h2_producer_as_hyper_and_tonic_run_it_stays_connected",
            "tests/it/uplink/storm.rs:a_grpcio_producer_stays_connected",
            "tests/it/uplink/cancel.rs:a_storm_of_cancels_by_one_consumer_fails_no_call_of_another",
            "tests/it/uplink/cancel.rs:calls_that_are_cancelled_at_once_do_not_reach_the_producer",
        ],
    ),
    (
        "F3",
        "1,024 local resets over a connection's life",
        &["tests/it/uplink/cancel.rs:a_producer_that_gets_many_streams_wrong_loses_no_call_of_others"],
    ),
    (
        "F4",
        "expired deadlines, timeouts, GET, paths",
        &["tests/it/attacks/traps.rs:trap_1_1_an_expired_deadline_is_enforced_and_never_cancelled", REQUESTS],
    ),
    ("F5", "time to the preface", &[UNFINISHED]),
    (
        "F6",
        "authorities, revocation, resumption",
        &[
            "tests/it/identity/callers.rs:an_authority_never_makes_an_identity_of_another_domain",
            "tests/it/identity/callers.rs:a_revoked_certificate_is_refused_and_the_others_are_not",
            "tests/it/identity/resumption.rs:a_client_that_resumes_gets_a_full_handshake",
        ],
    ),
    (
        "F7",
        "identity headers of others",
        &["tests/it/fidelity/headers.rs:nothing_that_a_consumer_says_of_itself_reaches_the_producer"],
    ),
    (
        "F8",
        "early status",
        &[
            EARLY,
            "tests/it/fidelity/pairs.rs:a_grpcio_producer_serves_a_tonic_consumer",
            "tests/it/python.rs:an_unmodified_python_producer_serves_a_python_consumer",
        ],
    ),
    (
        "F9",
        "versions with known holes",
        &["tests/it/attacks/covered.rs:no_dependency_is_older_than_its_last_advisory"],
    ),
    // State beyond one machine is not built: there is one store, and one broker holds it.
    (
        "F10",
        "two brokers on one state",
        &["src/store/tests/files.rs:a_second_opening_is_refused_and_names_the_first"],
    ),
    (
        "F11",
        "endpoints that lead back",
        &[
            "src/model/endpoint_rules.rs:addresses_that_lead_back_to_the_broker_are_refused",
            "src/model/endpoint_rules.rs:what_the_operator_allows_is_allowed_but_the_broker_itself_is_not",
        ],
    ),
    ("F12", "random names", &["src/usage/tests.rs:it_is_bounded_and_no_call_is_lost", SECRETS]),
];

#[test]
fn every_case_is_covered_by_tests_that_exist() {
    let mut missing = Vec::new();
    for (case, what, tests) in CASES {
        assert!(!tests.is_empty(), "{case}: {what}");
        for test in *tests {
            let (path, name) = test.split_once(':').unwrap();
            let text = std::fs::read_to_string(file(path)).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            let is_test = lines.iter().enumerate().any(|(n, line)| {
                let line = line.trim_start().trim_start_matches("async ");
                let is_named = line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name));
                let attributes = lines[n.saturating_sub(3)..n].iter().rev();
                let attributes: Vec<_> =
                    attributes.map(|line| line.trim()).take_while(|line| line.starts_with("#[")).collect();
                let is_ignored = attributes.iter().any(|line| line.contains("ignore"));
                is_named.is_some_and(|rest| rest.starts_with('('))
                    && !is_ignored
                    && (attributes.iter().any(|line| line.contains("test")) || text.contains("proptest!"))
            });
            if !is_test {
                missing.push(format!("{case}, {what}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such tests:\n{}", missing.join("\n"));
}

#[test]
fn no_number_of_the_list_is_left_out() {
    let numbers =
        |section: &str, last: usize| (1..=last).map(|n| format!("{section}{n}")).collect::<Vec<_>>();
    let all = [numbers("H", 7), numbers("G", 8), numbers("Q", 6), numbers("F", 12)].concat();
    let covered: BTreeSet<_> = CASES.iter().map(|(case, ..)| (*case).to_owned()).collect();
    assert_eq!(covered, all.into_iter().collect());
}

/// Advisories 2026-0258, 2026-0098, 2026-0099, 2026-0104, 2026-0049 and 2025-0055.
#[test]
fn no_dependency_is_older_than_its_last_advisory() {
    let least = [
        ("h2", "0.4.16"),
        ("rustls-webpki", "0.103.13"),
        ("tracing-subscriber", "0.3.20"),
        ("bytes", "1.11.1"),
    ];
    let lock: toml::Table = std::fs::read_to_string(file("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    for (name, least) in least {
        let text = |package: &toml::Value, key: &str| package[key].as_str().unwrap().to_owned();
        let used: Vec<_> =
            packages.iter().filter(|p| text(p, "name") == name).map(|p| text(p, "version")).collect();
        assert!(!used.is_empty(), "{name}");
        let least = semver::Version::parse(least).unwrap();
        for version in used {
            assert!(semver::Version::parse(&version).unwrap() >= least, "{name} {version}");
        }
    }
}
