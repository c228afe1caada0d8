//! Consumers, producers, operators, finance: what each learns, and what it does not.

use super::*;

const X1: &str = "platforms/a.example/capabilities/x/versions/1.0.0";
const X2: &str = "platforms/a.example/capabilities/x/versions/2.0.0";
const HIDDEN: &str = "platforms/a.example/capabilities/hidden/versions/1.0.0";
const Y: &str = "platforms/b.example/capabilities/y/versions/1.0.0";

/// `x` is for b and c, `hidden` for nobody, and b's `y`, for a alone, stands on `x`. All are called.
fn world() -> World {
    let mut world = World::new();
    world.offer(version(X1, &["b.example", "c.example"]));
    world.offer(version(X2, &["b.example"]));
    world.offer(version(HIDDEN, &[]));
    let facts =
        Facts { depends_on: vec![need("platforms/a.example/capabilities/x", "^1")], ..Facts::default() };
    world.offer(Version { facts: Arc::new(facts), ..version(Y, &["a.example"]) });
    world.call(X1, "b.example", 3, 1);
    world.call(X1, "c.example", 7, 0);
    world.call(HIDDEN, "a.example", 2, 2);
    world.call(Y, "a.example", 1, 0);
    world
}

fn names<T>(entries: &[T], name: fn(&T) -> &str) -> Vec<&str> {
    entries.iter().map(name).collect()
}

#[tokio::test]
async fn a_consumer_learns_what_it_may_use_and_how_often_it_did() {
    let world = world();
    let seen = world.consumer("b.example", "").await.unwrap();
    let told = |one: &pb::ConsumerEntry| {
        (one.version.clone().unwrap().name, one.callable, one.obstacle.clone(), one.calls)
    };
    let fine = |name: &str, calls| (name.to_owned(), true, String::new(), calls);
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), [fine(X2, 0), fine(X1, 3), fine(Y, 0)]);
    assert_eq!(seen[0].condition.as_ref().unwrap().reason, "NOT_OBSERVED".to_owned());

    let seen = world.consumer("c.example", "platforms/a.example").await.unwrap();
    assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), [fine(X1, 7)]);
    // An operator sees all, and may call no more than others.
    let seen = world.consumer("ops.example", "platforms/-/capabilities/hidden").await.unwrap();
    assert_eq!((seen.len(), seen[0].callable), (1, false));
    assert!(seen[0].obstacle.contains("not to your platform"), "{}", seen[0].obstacle);

    for unseen in
        ["platforms/a.example/capabilities/hidden", "platforms/b.example", "platforms/nobody.example", X2]
    {
        assert_eq!(world.consumer("c.example", unseen).await, Err(Code::NotFound), "{unseen}");
    }
}

#[tokio::test]
async fn a_consumer_learns_why_it_cannot_call_and_what_it_owes() {
    let mut world = world();
    world.look(X1, State::NotServing);
    world.offer(Version { stage: Stage::Retired, ..version(X2, &["b.example"]) });
    let owed = [
        need("platforms/a.example/capabilities/x", "^2"),
        need("platforms/a.example/capabilities/x", "^3"),
        need("platforms/a.example/capabilities/hidden", "*"),
    ];
    let facts = Facts { prerequisites: owed.to_vec(), obligations: vec!["gdpr".into()], ..Facts::default() };
    world.offer(Version { facts: Arc::new(facts), ..version(Y, &["a.example"]) });

    let seen = world.consumer("b.example", "platforms/-").await.unwrap();
    let [x2, x1, y] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(!x2.callable && x2.obstacle.contains("retired"), "{}", x2.obstacle);
    // Nobody reached it a moment ago: it is tried all the same, and its condition says how it is.
    assert!(x1.callable, "{}", x1.obstacle);
    assert_eq!(x1.condition.as_ref().unwrap().reason, "SEEN");
    assert!(y.callable);
    let missing: Vec<_> = y.missing_prerequisites.iter().map(|need| need.range.as_str()).collect();
    assert_eq!(missing, ["^3", ""], "what it cannot see it does not have");
    assert_eq!(y.version.as_ref().unwrap().obligations, ["gdpr"]);
}

#[tokio::test]
async fn a_producer_learns_who_uses_its_own_and_stands_on_it() {
    let world = world();
    let own = world.producer("a.example", "").await.unwrap();
    assert_eq!(names(&own, |one| &one.version), [HIDDEN, X2, X1]);
    let x1 = &own[2];
    let consumers: Vec<_> =
        x1.consumers.iter().map(|one| (one.identity.as_str(), one.calls, one.failed_calls)).collect();
    assert_eq!(consumers, [("spiffe://c.example/user", 7, 0), ("spiffe://b.example/user", 3, 1)]);
    assert_eq!((x1.dependants.as_slice(), x1.omitted_dependants), (&[Y.to_owned()][..], 0));
    assert_eq!(x1.producers, ["platforms/a.example/producers/x-1"]);
    assert_eq!(own[1].dependants, [""; 0], "y stands on ^1 alone");

    assert_eq!(names(&world.producer("b.example", "platforms/-").await.unwrap(), |one| &one.version), [Y]);
    assert_eq!(world.producer("b.example", X1).await, Err(Code::NotFound));
    assert_eq!(world.producer("ops.example", "").await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_dependant_that_it_may_not_see_is_not_told() {
    let mut world = world();
    let facts =
        Facts { depends_on: vec![need("platforms/a.example/capabilities/x", "^1")], ..Facts::default() };
    let secret = "platforms/c.example/capabilities/secret/versions/1.0.0";
    world.offer(Version { facts: Arc::new(facts), ..version(secret, &[]) });
    assert_eq!(world.producer("a.example", X1).await.unwrap()[0].dependants, [Y]);
    assert_eq!(world.producer("ops.example", X1).await.unwrap()[0].dependants, [Y, secret]);
}

#[tokio::test]
async fn an_operator_learns_what_is_worth_keeping() {
    let world = world();
    let all = world.operator("ops.example", "").await.unwrap();
    assert_eq!(names(&all, |one| &one.version), [HIDDEN, X2, X1, Y]);
    let told = |one: &pb::OperatorEntry| (one.consumers, one.consumer_platforms, one.calls, one.failed_calls);
    assert_eq!(
        all.iter().map(told).collect::<Vec<_>>(),
        [(1, 1, 2, 2), (0, 0, 0, 0), (2, 2, 10, 1), (1, 1, 1, 0)]
    );
    assert!(all.iter().all(|one| one.create_time.is_some()));
    assert_eq!(
        all.iter().map(|one| one.last_call_time.is_some()).collect::<Vec<_>>(),
        [true, false, true, true]
    );

    assert_eq!(names(&world.operator("a.example", "").await.unwrap(), |one| &one.version), [HIDDEN, X2, X1]);
    assert_eq!(world.operator("a.example", "platforms/b.example").await, Err(Code::NotFound));
}

#[tokio::test]
async fn finance_learns_who_took_what() {
    let world = world();
    let told = |one: &pb::FinanceEntry| {
        (one.version.clone(), one.consumer.clone(), one.cost_unit.clone(), one.calls)
    };
    let line = |version: &str, domain: &str, unit: &str, calls| {
        (version.to_owned(), format!("spiffe://{domain}/user"), unit.to_owned(), calls)
    };
    let own = [
        line(HIDDEN, "a.example", "call", 2),
        line(X1, "b.example", "call", 3),
        line(X1, "c.example", "call", 7),
    ];
    let found = world.finance("a.example", "").await.unwrap();
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), own);
    assert_eq!(found[1].consumer_platforms, ["platforms/b.example"]);
    assert_eq!(world.finance("ops.example", "").await.unwrap().len(), 4);
    assert_eq!(world.finance("c.example", "").await.unwrap(), []);
    assert_eq!(world.finance("c.example", "platforms/a.example").await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_report_goes_on_where_its_page_ended() {
    let world = world();
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let asked = pb::GetProducerReportRequest { page_size: 1, page_token, ..Default::default() };
        let page =
            world.reports.get_producer_report(world.ask("ops.example", asked)).await.unwrap().into_inner();
        found.extend(page.entries.into_iter().map(|one| one.version));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(found, [HIDDEN, X2, X1, Y]);
    let foreign = pb::GetProducerReportRequest { page_token: "AAAA".into(), ..Default::default() };
    let refused = world.reports.get_producer_report(world.ask("ops.example", foreign)).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}
