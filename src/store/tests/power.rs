//! The power goes at any step: what was acknowledged is there, what was not is there whole or not at all.

use super::disk::Disk;
use super::*;
use std::collections::BTreeMap;

/// Enough rounds that a missing sync shows in every run, few enough for every run of the tests.
const ROUNDS: u64 = 150;

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let mut acknowledged = 0;
    for seed in 0..ROUNDS {
        let mut chance = fastrand::Rng::with_seed(seed);
        let disk = Disk::failing_after(chance.u64(20..500));
        let mut expected = BTreeMap::new();
        let mut attempted = BTreeMap::new();
        let mut last = 0;
        if let Ok((store, _)) = over(disk.clone()) {
            for i in 0..120_u64 {
                let value = vec![i as u8; chance.usize(1..4000)];
                let pair = [
                    put(&format!("a{}", i % 40), value.clone()),
                    put(&format!("b{}", i % 40), value.clone()),
                ];
                attempted = expected.clone();
                attempted.insert(i % 40, value);
                match store.commit(pair.to_vec()).await {
                    Ok(sequence) => last = sequence,
                    Err(_) => break,
                }
                expected.clone_from(&attempted);
                acknowledged += 1;
            }
            store.close().await;
        }
        if expected.is_empty() {
            continue;
        }
        let (_, contents) = over(disk.after_power_cut(&mut chance)).unwrap();
        let found: BTreeMap<_, _> = contents.producers.into_iter().map(|r| (r.key, r.value)).collect();
        assert!(found == pairs(&expected) || found == pairs(&attempted), "seed {seed}");
        assert!(contents.sequence >= last, "seed {seed}");
    }
    assert!(acknowledged > ROUNDS, "the power went too early to show anything");
}

#[tokio::test]
async fn a_full_disk_is_told_and_a_free_one_is_used_again() {
    let disk = Disk::default();
    let (store, _) = over(disk.clone()).unwrap();
    let first = store.commit(vec![put("a", "1")]).await.unwrap();
    disk.set_full(true);
    assert!(matches!(store.commit(vec![put("b", "2")]).await, Err(Error::Refused(_))));
    assert!(matches!(store.commit(vec![put("c", "3")]).await, Err(Error::Refused(_))));
    disk.set_full(false);
    let next = store.commit(vec![put("d", "4")]).await.unwrap();
    assert!(next > first, "no number is used twice");
    store.close().await;
    let (_, contents) = over(disk).unwrap();
    let keys: Vec<_> = contents.producers.iter().map(|r| r.key.as_slice()).collect();
    assert_eq!(keys, [b"a", b"d"]);
}

/// Our store, over a disk in the place of a file.
fn over(disk: Disk) -> Result<(Store, Contents), Error> {
    Store::start(move || {
        let refused = |e: redb::Error| Error::Refused(Arc::new(e));
        let database =
            redb::Builder::new().create_with_backend(disk.clone()).map_err(|e| refused(e.into()))?;
        if book::format(&database).map_err(refused)?.is_none() {
            book::lay(&database, 1).map_err(refused)?;
        }
        Ok(database)
    })
}

fn pairs(values: &BTreeMap<u64, Vec<u8>>) -> BTreeMap<Vec<u8>, Bytes> {
    let both = |(i, value): (&u64, &Vec<u8>)| {
        ["a", "b"].map(|half| (format!("{half}{i}").into_bytes(), Bytes::from(value.clone())))
    };
    values.iter().flat_map(both).collect()
}
