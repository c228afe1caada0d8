//! What was told is there after the end of the process, and one damaged row harms no other.

use super::*;
use crate::federation::signing::tests::world::{Org, a_version, head, payload_of};
use crate::model::{Path, Topic};
use crate::store::Store;
use jiff::Timestamp;
use std::path::Path as Folder;

fn broker(id: &str) -> BrokerId {
    BrokerId::parse(id).unwrap()
}

fn an_entry(org: &Org, sequence: u64) -> Entry {
    let payload = a_version(org);
    let mut head = head(org, &payload);
    let version = payload.topic().version().unwrap().clone();
    let id = crate::model::ProducerId::parse(&format!("x-{sequence}")).unwrap();
    let topic = Topic::Producer(version, id);
    (head.key.kind, head.key.name) = (topic.kind(), topic.name().unwrap());
    head.stamp.sequence = sequence;
    head.is_deleted = sequence.is_multiple_of(2);
    let bytes = if head.is_deleted { Bytes::new() } else { payload_of(&payload) };
    let travel =
        Travel { path: Path::new([broker("far"), broker("near")]), only_to_customers: Some(broker("far")) };
    let retired = head.is_deleted.then(|| Duration::from_millis(sequence));
    Entry {
        record: Arc::new(org.sealer().seal(head, &bytes).unwrap()),
        ways: vec![Way { peer: broker("near"), travel, stamp: Stamp { epoch: 1, sequence } }],
        revision: sequence + 100,
        told: vec![broker("b"), broker("c")],
        gone: vec![broker("d")],
        retired,
    }
}

async fn commit(folder: &Folder, changes: Vec<Change>) {
    let (store, _) = Store::open(folder, Timestamp::now()).unwrap();
    store.commit(changes).await.unwrap();
    store.close().await;
}

async fn stored(folder: &Folder) -> store::Contents {
    let (store, contents) = Store::open(folder, Timestamp::now()).unwrap();
    store.close().await;
    contents
}

#[tokio::test]
async fn everything_comes_back_as_it_was() {
    let (org, folder) = (Org::shared(), tempfile::tempdir().unwrap());
    let mut archive = Archive::default();
    let entries: Vec<_> = (0..6).map(|sequence| an_entry(org, sequence + 1)).collect();
    let origin = entries[0].record.head.key.origin.clone();
    let stamp = Stamp { epoch: 3, sequence: 9 };
    let past = Past { newest: stamp, floor: Stamp { epoch: 1, sequence: 2 }, horizon: 44, is_whole: true };
    let position = Position { stamp, log: 5, cursor: u64::MAX };
    let evidence = Evidence {
        kept: entries[0].record.signed.clone(),
        refused: entries[1].record.signed.clone(),
        from: broker("near"),
    };
    let mut changes = Vec::new();
    for entry in &entries {
        changes.extend(archive.put(entry, |_| Some(org.sealer().signer())).unwrap());
    }
    assert_eq!(changes.len(), entries.len() + 1, "one chain under all of them");
    changes.push(put_origin(&origin, &past));
    changes.push(put_position(&broker("near"), &origin, Some(position)));
    changes.push(put_position(&broker("far"), &origin, Some(position)));
    changes.push(put_evidence(&evidence));
    changes.push(put_incarnation(77));
    changes.push(forget(&entries[5].record.head.key));
    changes.push(put_position(&broker("far"), &origin, None));
    commit(folder.path(), changes).await;

    let (_, read, swept) = Archive::open(&stored(folder.path()).await);
    let expected = Contents {
        incarnation: 77,
        entries: entries[..5].to_vec(),
        origins: vec![(origin.clone(), past)],
        positions: vec![(broker("near"), origin, position)],
        signers: vec![org.sealer().signer()],
        evidence: vec![evidence],
    };
    assert_eq!((read, swept), (expected, Vec::new()));
}

#[tokio::test]
async fn a_damaged_row_is_left_alone_and_harms_no_other() {
    let (org, folder) = (Org::shared(), tempfile::tempdir().unwrap());
    let mut archive = Archive::default();
    let entry = an_entry(org, 1);
    let mut changes = archive.put(&entry, |_| Some(org.sealer().signer())).unwrap();
    let bad =
        |table, key: &[u8]| Change::Put { table, key: key.to_vec(), value: Bytes::from_static(b"\xff") };
    changes.push(bad(Table::Records, b"nonsense"));
    for key in [
        &b"incarnation\0"[..],
        b"origin\0x",
        b"position\0x",
        b"signer\0x",
        b"evidence\0x",
        b"of a newer broker",
    ] {
        changes.push(bad(Table::Peering, key));
    }
    commit(folder.path(), changes).await;
    let contents = stored(folder.path()).await;
    let (_, read, _) = Archive::open(&contents);
    assert_eq!((read.entries, read.signers.len()), (vec![entry], 1));
    assert_eq!((contents.records.len(), contents.peering.len()), (2, 7), "nothing was taken away");
}

#[tokio::test]
async fn chains_that_sign_nothing_are_forgotten() {
    let (org, folder) = (Org::shared(), tempfile::tempdir().unwrap());
    let renewed = org.workload_called("spiffe://a.example/broker");
    let mut archive = Archive::default();
    let (old, mut new) = (an_entry(org, 1), an_entry(&renewed, 3));
    let mut changes = archive.put(&old, |_| Some(org.sealer().signer())).unwrap();
    new.record = Arc::new({
        let head = crate::model::Head { key: old.record.head.key.clone(), ..new.record.head.clone() };
        renewed.sealer().seal(head, &new.record.payload).unwrap()
    });
    changes.extend(archive.put(&new, |_| Some(renewed.sealer().signer())).unwrap());
    commit(folder.path(), changes).await;
    let (_, read, swept) = Archive::open(&stored(folder.path()).await);
    assert_eq!(read.entries, [new]);
    assert_eq!(read.signers, [renewed.sealer().signer()]);
    assert_eq!(swept.len(), 1);
    commit(folder.path(), swept).await;
    assert_eq!(stored(folder.path()).await.peering.len(), 1);
}

#[test]
fn signers_are_bounded() {
    let org = Org::shared();
    let mut archive = Archive::default();
    let mut entry = an_entry(org, 1);
    let mut sign_by = |n: usize| {
        let mut record = Record::clone(&entry.record);
        record.signed.signer = Digest::of(&n.to_be_bytes());
        entry.record = Arc::new(record);
        archive.put(&entry, |_| Some(Signer { chain: Vec::new() })).map(|_| ())
    };
    for n in 0..MOST_SIGNERS {
        sign_by(n).unwrap();
    }
    assert_eq!(sign_by(MOST_SIGNERS), Err(TooManySigners));
    assert_eq!(sign_by(5), Ok(()), "who is known goes on");
    assert_eq!(archive.sweep([Digest::of(&5usize.to_be_bytes())]).len(), MOST_SIGNERS - 1);
}
