//! What is out of posture, and who is told.

use super::*;

const A: &str = "platforms/a.example/capabilities/x/versions/1.0.0";

/// `(name, rule)` of findings.
fn told(findings: &[pb::SecurityFinding]) -> Vec<(&str, &str)> {
    findings.iter().map(|finding| (finding.name.as_str(), finding.rule.as_str())).collect()
}

/// Everything of a version that can be out of posture, is.
fn lax(name: &str) -> Version {
    Version {
        stage: Stage::Deprecated,
        descriptors: None,
        visibility: Visibility::everyone(),
        facts: Facts::none(),
        ..version(name, &[])
    }
}

#[tokio::test]
async fn each_rule_finds_what_breaks_it() {
    let mut world = World::new();
    let b = "platforms/b.example/capabilities/x/versions/1.0.0";
    let old = "platforms/a.example/capabilities/old/versions/1.0.0";
    let gone = "platforms/a.example/capabilities/gone/versions/1.0.0";
    world.offer(version(b, &[]));
    world.offer(lax(A));
    let yesterday = Timestamp::now() - 24.hours();
    world.offer(Version {
        sunset_time: Some(yesterday),
        services: vec!["own.a.Old".parse().unwrap()],
        ..version(old, &[])
    });
    world.offer(Version { stage: Stage::Retired, sunset_time: Some(yesterday), ..lax(gone) });

    let a = [
        ("platforms/a.example", "CONFLICT"),
        (old, "PAST_SUNSET"),
        (A, "NO_ON_CALL"),
        (A, "NO_SUNSET"),
        (A, "UNDESCRIBED"),
        (A, "VISIBLE_TO_ALL"),
    ];
    let b = [("platforms/b.example", "CONFLICT"), ("platforms/b.example", "UNUSED_GRANT")];
    let c = [("platforms/c.example", "UNUSED_GRANT"), ("platforms/c.example", "UNUSED_GRANT")];
    let found = world.security("ops.example", "", 100).await.unwrap();
    assert_eq!(told(&found), [&a[..], &b, &c].concat());
    let informational: Vec<_> = found.iter().filter(|finding| finding.informational).collect();
    assert_eq!((informational.len(), informational[0].rule.as_str()), (1, "VISIBLE_TO_ALL"));
    assert!(found[0].message.starts_with("acme.X is claimed by 1 other"), "{}", found[0].message);
    // The claim of b stands first: it alone is told that calls come to it.
    assert!(
        found[0].message.contains("go to another") && found[6].message.contains("come here"),
        "{found:?}"
    );

    for size in 1..4 {
        assert_eq!(
            world.security("ops.example", "platforms/-", size).await.unwrap(),
            found,
            "pages of {size}"
        );
    }
    assert_eq!(told(&world.security("a.example", "", 100).await.unwrap()), a);
    assert_eq!(told(&world.security("b.example", "platforms/b.example", 100).await.unwrap()), b);
    assert_eq!(world.security("b.example", "platforms/a.example", 100).await, Err(Code::NotFound));
    assert_eq!(world.security("a.example", A, 100).await, Err(Code::InvalidArgument));
}

#[tokio::test]
async fn certificates_that_end_are_told_to_those_they_concern() {
    let now = Timestamp::now();
    let of = |from: i64, to: i64| Validity { not_before: now + from.hours(), not_after: now + to.hours() };
    let domain = |name: &str| TrustDomain::parse(name).unwrap();
    let mut world = World::with(vec![
        Certificate::Own("hub".parse().unwrap(), of(-9, 1)),
        Certificate::Authority(domain("a.example"), of(-1, 9)),
        Certificate::Authority(domain("a.example"), of(-2, -1)),
        Certificate::Authority(domain("b.example"), of(-9, 1)),
    ]);
    world.offer(version(A, &[]));
    world.look(A, State::Serving);
    let producer = producer_name(&VersionName::parse(A).unwrap());
    world.observer.certify(&producer, &address(), of(-9, 1));

    let expiring = |found: Vec<pb::SecurityFinding>| {
        let found = found.into_iter().filter(|finding| finding.rule == "CERTIFICATE_EXPIRES");
        found.map(|finding| finding.name).collect::<Vec<_>>()
    };
    let (hub, a, b) = ("brokers/hub", "trustDomains/a.example", "trustDomains/b.example");
    let producer = "platforms/a.example/producers/x-1";
    assert_eq!(expiring(world.security("ops.example", "", 1).await.unwrap()), [hub, a, b, producer]);
    assert_eq!(expiring(world.security("a.example", "", 1).await.unwrap()), [a, producer]);
    assert_eq!(expiring(world.security("b.example", "", 1).await.unwrap()), [b]);
    // Of one platform: what is of all is not asked for.
    assert_eq!(expiring(world.security("ops.example", "platforms/a.example", 1).await.unwrap()), [producer]);
}

#[tokio::test]
async fn rivals_that_the_caller_does_not_see_are_not_counted() {
    let mut world = World::new();
    let offer = |platform: &str, seen_by: &[&str]| {
        version(&format!("platforms/{platform}/capabilities/x/versions/1.0.0"), seen_by)
    };
    world.offer(offer("a.example", &[]));
    world.offer(offer("b.example", &[]));
    world.offer(offer("c.example", &["b.example"]));
    let told = |found: Vec<pb::SecurityFinding>| {
        let found = found.into_iter().find(|finding| finding.rule == "CONFLICT").unwrap();
        found.message.split(" too").next().unwrap().to_owned()
    };
    for (who, says) in [
        ("a.example", "another platform"),
        ("b.example", "1 other platform(s)"),
        ("ops.example", "2 other platform(s)"),
    ] {
        let found = world.security(who, "", 100).await.unwrap();
        assert_eq!(told(found), format!("acme.X is claimed by {says}"), "{who}");
    }
}
