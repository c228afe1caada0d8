//! "Found already": what others were caught by.

use super::{Case, EARLY, FLOODS, REQUESTS, SECRETS, UNFINISHED};

pub(super) const CASES: &[Case] = &[
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
            "tests/it/uplink/names.rs:a_registered_name_that_leads_back_to_the_broker_is_not_dialled",
            "tests/it/uplink/names.rs:an_address_that_was_allowed_once_is_not_dialled_when_it_is_no_more",
        ],
    ),
    ("F12", "random names", &["src/usage/tests.rs:it_is_bounded_and_no_call_is_lost", SECRETS]),
];
