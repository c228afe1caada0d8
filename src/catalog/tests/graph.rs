//! What stands on what, and who may know it.

use super::*;

/// Sees what everyone sees, and all of `own`.
struct Eyes<'a> {
    own: &'a [&'a str],
}

impl Sight for Eyes<'_> {
    fn sees(&self, version: &Version) -> bool {
        version.visibility.everyone || self.inspects(&version.name.platform)
    }

    fn inspects(&self, platform: &PlatformName) -> bool {
        self.own.contains(&platform.as_str())
    }
}

fn capability(id: &str) -> CapabilityName {
    let (platform, capability) = id.split_once('/').unwrap();
    CapabilityName::parse(&format!("platforms/{platform}.example/capabilities/{capability}")).unwrap()
}

/// `a/x 1.0.0` of everyone (a name without `!`) that depends on others, as `b/y ^1`; `?` before one is a prerequisite.
fn declare(name: &str, needs: &[&str]) -> Change {
    let (id, number) = name.trim_start_matches('!').split_once(' ').unwrap();
    let name_of = format!("{}/versions/{number}", capability(id));
    let mut facts = Facts::default();
    for need in needs {
        let (id, range) = need.trim_start_matches('?').split_once(' ').unwrap();
        let requirement = Requirement { capability: capability(id), range: range.parse().unwrap() };
        match need.starts_with('?') {
            true => facts.prerequisites.push(requirement),
            false => facts.depends_on.push(requirement),
        }
    }
    let version = Version {
        name: VersionName::parse(&name_of).unwrap(),
        visibility: Visibility { everyone: !name.starts_with('!'), ..Default::default() },
        facts: facts.shared(),
        ..stable("a.example", "1.0.0")
    };
    Change::DeclareVersion { version, since: Timestamp::UNIX_EPOCH }
}

fn world(versions: &[(&str, &[&str])]) -> Snapshot {
    let platforms = ["a.example", "b.example"].map(|name| platform(name, &["acme"]));
    after(platforms.into_iter().chain(versions.iter().map(|(name, needs)| declare(name, needs))))
}

const BOTH: Ways = Ways { dependencies: true, dependants: true, depth: 32 };

/// `from > to` of each edge, in short.
fn edges(graph: &Graph) -> Vec<String> {
    let short = |name: String| {
        name.replace("platforms/", "").replace(".example/capabilities", "").replace("/versions/", " ")
    };
    let to = |node: &Node| match node {
        Node::Capability(name) => short(name.to_string()),
        Node::Version(name) => short(name.to_string()),
    };
    graph.edges.iter().map(|edge| format!("{} > {}", short(edge.from.to_string()), to(&edge.to))).collect()
}

fn ask(snapshot: &Snapshot, id: &str, ways: Ways, own: &[&str]) -> Graph {
    snapshot.graph(&capability(id), None, ways, &Eyes { own })
}

#[test]
fn needs_lead_to_the_versions_in_range_both_ways() {
    let snapshot = world(&[
        ("a/x 1.0.0", &["b/y ^1", "?b/z *"]),
        ("b/y 1.0.0", &[]),
        ("b/y 1.4.0", &["b/z =2.0.0"]),
        ("b/y 2.0.0", &[]),
        ("b/z 3.0.0", &[]),
    ]);
    let owner = ["a.example", "b.example"];
    let all = ["a/x 1.0.0 > b/y 1.0.0", "a/x 1.0.0 > b/y 1.4.0", "a/x 1.0.0 > b/z 3.0.0", "b/y 1.4.0 > b/z"];
    assert_eq!(edges(&ask(&snapshot, "a/x", BOTH, &owner)), all);
    let up = Ways { dependencies: false, ..BOTH };
    assert_eq!(
        edges(&ask(&snapshot, "b/z", up, &owner)),
        all[1..],
        "b/z itself is needed in a version that is not there"
    );
    let one = ask(&snapshot, "a/x", Ways { depth: 1, ..BOTH }, &owner);
    assert_eq!((edges(&one).len(), one.is_truncated), (3, true));

    let withdrawn = Change::WithdrawVersion(
        VersionName::parse("platforms/a.example/capabilities/x/versions/1.0.0").unwrap(),
    );
    let left = snapshot.apply(withdrawn).unwrap();
    assert_eq!(edges(&ask(&left, "b/y", up, &owner)), Vec::<String>::new(), "the index forgets what is gone");
}

#[test]
fn what_is_hidden_and_what_never_was_look_the_same() {
    let of = |hidden: &[(&str, &[&str])]| {
        let needs: (&str, &[&str]) = ("a/x 1.0.0", &["b/y ^1", "?b/z ^1"]);
        let versions: Vec<_> = [needs].into_iter().chain(hidden.iter().copied()).collect();
        ask(&world(&versions), "a/x", BOTH, &[])
    };
    let (hidden, missing) = (of(&[("!b/y 1.0.0", &[]), ("!b/z 1.0.0", &[])]), of(&[]));
    assert_eq!(hidden, missing);
    assert_eq!(
        edges(&hidden),
        ["a/x 1.0.0 > b/z"],
        "what the consumer owes is said, what the owner stands on is not"
    );
    assert!(!hidden.nodes[&Node::Capability(capability("b/z"))]);

    let snapshot = world(&[("a/x 1.0.0", &[]), ("!b/y 1.0.0", &["a/x *"])]);
    assert!(edges(&ask(&snapshot, "a/x", BOTH, &[])).is_empty(), "who is hidden stands on nothing");
    assert_eq!(edges(&ask(&snapshot, "a/x", BOTH, &["b.example"])), ["b/y 1.0.0 > a/x 1.0.0"]);
}

#[test]
fn each_circle_is_told_once_from_its_least_name_on() {
    let snapshot = world(&[
        ("a/x 1.0.0", &["b/y *"]),
        ("b/y 1.0.0", &["b/z *"]),
        ("b/z 1.0.0", &["a/x *"]),
        ("b/self 1.0.0", &["b/self *", "b/y *"]),
        ("b/owed 1.0.0", &["?b/y *"]),
    ]);
    let graph = ask(&snapshot, "b/y", BOTH, &["a.example", "b.example"]);
    let names =
        |cycle: &Vec<VersionName>| cycle.iter().map(|name| name.capability.to_string()).collect::<Vec<_>>();
    let cycles: Vec<_> = graph.cycles.iter().map(names).collect();
    assert_eq!(cycles, [vec!["x", "y", "z"], vec!["self"]]);
}

#[test]
fn a_graph_is_bounded() {
    let many: Vec<String> = (0..700).map(|i| format!("b/d{i} 1.0.0")).collect();
    let versions: Vec<(&str, &[&str])> =
        many.iter().map(|name| (name.as_str(), &["a/x *"][..])).chain([("a/x 1.0.0", &[][..])]).collect();
    let graph = ask(&world(&versions), "a/x", BOTH, &[]);
    assert!(graph.is_truncated && graph.nodes.len() == 500);
}
