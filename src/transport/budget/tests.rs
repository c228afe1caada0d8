//! Who loses what when all is used up.

use super::*;

fn tenant(budget: &Budget, name: &str) -> (Gauge, Arc<Tenant>) {
    let gauge = budget.gauge(&TrustDomain::parse(name).unwrap());
    let tenant = gauge.tenant().unwrap().clone();
    (gauge, tenant)
}

fn wait(tenant: &Arc<Tenant>) -> Result<Aside, Error> {
    Aside::of(tenant, &Context::from_waker(Waker::noop()))
}

fn stands(aside: &Aside) -> bool {
    aside.check(&Context::from_waker(Waker::noop())).is_ok()
}

#[test]
fn alone_a_tenant_has_all_of_it_and_no_more() {
    let budget = Budget::new(100, 10);
    let (_gauge, greedy) = tenant(&budget, "greedy.example");
    let held: Vec<_> = (0..10).map(|_| wait(&greedy).unwrap()).collect();
    let error = wait(&greedy).unwrap_err();
    assert!(matches!(error, Error::OverShare { limit: 100, .. }), "{error:?}");
    assert!(greedy.is_over() && held.iter().all(stands), "the last one lost");
    drop(held);
    budget.settle();
    assert!(!greedy.is_over());
    assert_eq!(budget.used()[0].bytes, 0);
    wait(&greedy).unwrap();
}

#[test]
fn who_comes_later_gets_an_equal_share_from_those_who_have_more() {
    let budget = Budget::new(120, 10);
    let (gauge, greedy) = tenant(&budget, "greedy.example");
    let mut all: Vec<_> = (0..12).map(|_| wait(&greedy).unwrap()).collect();
    let (_second, modest) = tenant(&budget, "modest.example");
    let first = wait(&modest).unwrap();
    assert!(stands(&first) && !modest.is_over());
    all.retain(stands);
    assert_eq!(all.len(), 11, "it gave back the one that it began last");
    // Bytes in hand count as well as those set aside.
    gauge.add(50);
    budget.settle();
    all.retain(stands);
    assert_eq!((all.len(), stands(&first)), (6, true));
    let share: Vec<_> = (0..5).map(|_| wait(&modest).unwrap()).collect();
    budget.settle();
    all.retain(stands);
    assert_eq!((all.len(), share.iter().filter(|aside| stands(aside)).count()), (1, 5), "half for each");
    gauge.sub(50);
    assert!(wait(&modest).is_ok());
    let bytes: Vec<_> = budget.used().into_iter().map(|used| used.bytes).collect();
    assert_eq!(bytes, [10, 60]);
}

#[test]
fn a_connection_that_is_gone_is_forgotten() {
    let budget = Budget::new(100, 10);
    let (gauge, greedy) = tenant(&budget, "greedy.example");
    gauge.add(70);
    assert_eq!(budget.used()[0].bytes, 70);
    drop(gauge);
    assert_eq!(budget.used()[0].bytes, 0);
    assert!(lock(&greedy.gauges).is_empty());
}
