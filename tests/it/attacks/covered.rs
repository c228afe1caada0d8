//! Sections H, G and Q of the list of attacks and its "Found already": each case, and the tests that cover it. A test that is
//! renamed or deleted fails here.

mod found;
mod grpc;
mod http2;
mod limits;

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

fn cases() -> impl Iterator<Item = &'static Case> {
    [http2::CASES, grpc::CASES, limits::CASES, found::CASES].into_iter().flatten()
}

#[test]
fn every_case_is_covered_by_tests_that_exist() {
    let mut missing = Vec::new();
    for (case, what, tests) in cases() {
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
    let covered: BTreeSet<_> = cases().map(|(case, ..)| (*case).to_owned()).collect();
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
