//! Schema, reader and example know the same fields and defaults.

use super::*;
use std::collections::BTreeSet;

#[test]
fn schema_and_reader_know_the_same_fields() {
    let schema = crate::broker::config::schema();
    let root = &schema["properties"];
    // The reader tells the fields that it knows when it meets one that it does not.
    let places = [
        ("", "id = \"hub-1\"", "zzzz = 1\nid = \"hub-1\""),
        ("tls", "[tls]", "[tls]\nzzzz = 1"),
        ("trust_domains", "crl = ", "zzzz = 1\ncrl = "),
        ("platforms", "display_name = ", "zzzz = 1\ndisplay_name = "),
        ("producers", "identity = ", "zzzz = 1\nidentity = "),
        ("endpoints of a producer", "weight = 1 }", "weight = 1, zzzz = 1 }"),
        ("capabilities", "owner = ", "zzzz = 1\nowner = "),
        ("leases", "[leases]", "[leases]\nzzzz = 1"),
        ("limits", "[limits]", "[limits]\nzzzz = 1"),
        ("timeouts", "[timeouts]", "[timeouts]\nzzzz = 1"),
        ("drain", "[drain]", "[drain]\nzzzz = 1"),
        ("health", "[health]", "[health]\nzzzz = 1"),
        ("balance", "[balance]", "[balance]\nzzzz = 1"),
        ("outliers", "[outliers]", "[outliers]\nzzzz = 1"),
        ("breaker", "[breaker]", "[breaker]\nzzzz = 1"),
        ("endpoints", "[endpoints]", "[endpoints]\nzzzz = 1"),
        ("log", "[log]", "[log]\nzzzz = 1"),
        ("admin", "[admin]", "[admin]\nzzzz = 1"),
        ("metrics", "[metrics]", "[metrics]\nzzzz = 1"),
        ("tracing", "[tracing]", "[tracing]\nzzzz = 1"),
        ("access_log", "[access_log]", "[access_log]\nzzzz = 1"),
    ];
    for (place, from, to) in places {
        let object = match place {
            "" => &schema,
            "endpoints of a producer" => &schema["$defs"]["Endpoint"],
            "capabilities" => &schema["$defs"]["Capability"],
            section => resolve(&schema, &root[section]),
        };
        let described: BTreeSet<String> = object["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(object["additionalProperties"], false, "{place}");
        let silent: Vec<_> =
            described.iter().filter(|name| object["properties"][*name]["description"].is_null()).collect();
        assert!(silent.is_empty(), "no description in {place}: {silent:?}");

        let (text, _) = with(from, to);
        let [fault] = faults_of(&text, &[]).try_into().unwrap();
        let known = fault.fix.strip_prefix("the fields here are: ").unwrap();
        assert_eq!(known.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), described, "{place}");
    }
}

#[test]
fn the_defaults_in_the_schema_are_those_of_the_reader() {
    let schema = crate::broker::config::schema();
    for section in [
        "leases",
        "limits",
        "timeouts",
        "drain",
        "health",
        "balance",
        "outliers",
        "breaker",
        "log",
        "admin",
        "metrics",
        "tracing",
        "access_log",
    ] {
        let properties = resolve(&schema, &schema["properties"][section])["properties"].as_object().unwrap();
        for (name, property) in properties {
            // What has no default stands in the example all the same, or beside another section.
            if property.get("default").is_none() {
                continue;
            }
            // The example states the defaults: `the_example_is_read_whole`.
            let value: toml::Value = EXAMPLE.parse::<toml::Table>().unwrap()[section][name].clone();
            assert_eq!(serde_json::to_value(value).unwrap(), property["default"], "{section}.{name}");
        }
    }
}

/// The definition behind a reference, or behind the items of a list.
fn resolve<'a>(schema: &'a serde_json::Value, at: &'a serde_json::Value) -> &'a serde_json::Value {
    let reference = at["$ref"].as_str().or_else(|| at["items"]["$ref"].as_str());
    match reference.and_then(|text| text.strip_prefix("#")) {
        Some(pointer) => schema.pointer(pointer).unwrap(),
        None => at,
    }
}
