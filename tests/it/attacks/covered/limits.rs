//! Section Q: who takes more than its share, and who looks where it may not.

use super::{Case, HIDDEN, SECRETS};

pub(super) const CASES: &[Case] = &[
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
];
