//! A directory: each file by itself, and absence is not deletion.

use super::*;

fn good(resources: Vec<Resource>) -> crate::federation::File {
    Ok(resources)
}

fn bad() -> crate::federation::File {
    Err(vec![Unreadable { origin: "a.yaml:3".into(), message: "spec.stage: it is no stage".into() }])
}

fn folder(files: impl IntoIterator<Item = (&'static str, crate::federation::File)>) -> Folder {
    Folder::Read(files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect())
}

fn watched() -> Plan {
    let plan = plan();
    let settings = Settings { is_folder_watched: true, ..plan.settings };
    Plan { settings, ..plan }
}

fn drifts(hub: &Hub) -> Vec<&'static str> {
    hub.catalog.snapshot().drifts().iter().map(|drift| drift.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bad_file_keeps_its_last_good_content_also_after_a_restart() {
    let cards = || good(vec![a_version("payments.example", "cards", "1.0.0")]);
    let hub = Hub::start(watched());
    hub.registrar.apply_folder(folder([("a.yaml", good(payments())), ("b.yaml", cards())])).await.unwrap();
    assert_eq!(hub.versions().len(), 3);
    hub.registrar.apply_folder(folder([("a.yaml", bad()), ("b.yaml", cards())])).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (3, vec!["MANIFEST_INVALID"]));
    assert_eq!(hub.catalog.snapshot().drifts()[0].platform.as_ref().unwrap().as_str(), "payments.example");
    let revision = hub.revision();
    hub.registrar.apply_folder(folder([("a.yaml", bad()), ("b.yaml", cards())])).await.unwrap();
    assert_eq!(hub.revision(), revision, "the same again is nothing");
    let hub = hub.restart(watched()).await;
    hub.registrar.apply_folder(folder([("a.yaml", bad()), ("b.yaml", cards())])).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (3, vec!["MANIFEST_INVALID"]));
    hub.registrar.apply_folder(folder([("b.yaml", cards())])).await.unwrap();
    assert_eq!((hub.versions(), drifts(&hub)), (vec!["cards/1.0.0".to_owned()], vec![]), "a deleted file");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_vanishes_deletes_nothing() {
    let hub = Hub::start(watched());
    hub.registrar.apply_folder(folder([("a.yaml", good(payments()))])).await.unwrap();
    hub.registrar.apply_folder(Folder::Unreadable("no such directory".into())).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (2, vec!["DIRECTORY_UNREADABLE"]));
    hub.registrar.apply_folder(folder([])).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (2, vec!["DIRECTORY_EMPTY"]));
    hub.registrar.apply_folder(folder([("a.yaml", good(vec![]))])).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (0, vec![]), "a file that says so");
}

#[tokio::test(start_paused = true)]
async fn the_directory_wins_and_requests_live_beside_it() {
    let hub = Hub::start(watched());
    hub.apply(vec![a_version("payments.example", "cards", "1.0.0")]).await;
    hub.registrar.apply_folder(folder([("a.yaml", good(payments()))])).await.unwrap();
    let pruned = hub.prune(vec![]).await;
    assert_eq!(actions(&pruned), [Action::Delete], "only what came by request");
    let mut other = a_producer("payments.example", "ledger-1", &["ledger/1.0.0"]);
    assert_eq!(reasons(&hub.apply(vec![other.clone()]).await), ["IN_DIRECTORY"]);
    assert!(!hub.apply(payments()).await.is_changed());
    other.origin = "free.yaml:1".into();
    let hub = hub.restart(plan()).await;
    assert_eq!(actions(&hub.apply(vec![other]).await), [Action::Update], "nothing is watched any more");
}

#[tokio::test(start_paused = true)]
async fn what_the_directory_says_in_vain_is_a_drift_until_it_is_so() {
    let hub = Hub::start(watched());
    hub.register(declare("ledger-1", [offer("ledger", "1.0.0")])).await.unwrap();
    let files = || folder([("a.yaml", good(payments()))]);
    hub.registrar.apply_folder(files()).await.unwrap();
    assert_eq!(drifts(&hub), ["PRODUCER_REGISTERED"]);
    assert_eq!(hub.catalog.snapshot().drifts()[0].origin, "x.yaml:1");
    hub.registrar.deregister(&ledger(), name("ledger-1")).await.unwrap();
    hub.registrar.apply_folder(files()).await.unwrap();
    assert_eq!(drifts(&hub), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn most_files_gone_at_once_is_a_loss_and_emptied_files_are_a_wish() {
    const FILES: [&str; 4] = ["a.yaml", "b.yaml", "c.yaml", "d.yaml"];
    let pair = |at: usize| {
        good(["1.0.0", "1.1.0"].map(|v| a_version("payments.example", &format!("c{at}"), v)).into())
    };
    let all = || folder(FILES.into_iter().enumerate().map(|(at, path)| (path, pair(at))));
    let only =
        |left: usize| folder(FILES.into_iter().enumerate().take(left).map(|(at, path)| (path, pair(at))));
    let hub = Hub::start(watched());
    hub.registrar.apply_folder(all()).await.unwrap();
    assert_eq!(hub.versions().len(), 8);
    hub.registrar.apply_folder(only(1)).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (8, vec!["MASS_REMOVAL"]));
    let hub = hub.restart(watched()).await;
    hub.registrar.apply_folder(only(1)).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (8, vec!["MASS_REMOVAL"]), "nor after a restart");
    hub.registrar.apply_folder(only(2)).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (4, vec![]), "half of all is a step");
    hub.registrar.apply_folder(all()).await.unwrap();
    let emptied = FILES.map(|path| (path, good(vec![])));
    hub.registrar.apply_folder(folder(emptied)).await.unwrap();
    assert_eq!((hub.versions().len(), drifts(&hub)), (0, vec![]));
}
