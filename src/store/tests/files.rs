//! Real files: opened again, locked, damaged, from the future.

use super::*;
use std::fs;

#[tokio::test]
async fn what_was_committed_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, contents) = Store::open(folder.path(), now()).unwrap();
    assert_eq!((contents.epoch, contents.sequence), (1_800_000_000, 0));
    assert_eq!(store.commit(vec![put("a", "1"), put("b", "2")]).await.unwrap(), 1);
    let delete = Change::Delete { table: Table::Producers, key: b"a".to_vec() };
    assert_eq!(store.commit(vec![delete, put("c", "3")]).await.unwrap(), 2);
    store.close().await;

    let later = Timestamp::from_second(1_900_000_000).unwrap();
    let (_, contents) = Store::open(folder.path(), later).unwrap();
    let record =
        |key: &str, sequence, value: &'static str| Record { key: key.into(), sequence, value: value.into() };
    assert_eq!(contents.producers, [record("b", 1, "2"), record("c", 2, "3")]);
    assert_eq!((contents.epoch, contents.sequence), (1_800_000_000, 2), "the epoch is the file's");
}

#[tokio::test]
async fn commits_that_wait_together_share_a_transaction_and_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), now()).unwrap();
    let commits = (0..100).map(|i| store.commit(vec![put("last", format!("{i}"))]));
    let numbers: Vec<u64> = futures::future::try_join_all(commits).await.unwrap();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    store.close().await;
    let (_, contents) = Store::open(folder.path(), now()).unwrap();
    assert_eq!(contents.producers[0].value, "99");
}

#[tokio::test]
async fn a_closed_store_says_so_and_frees_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), now()).unwrap();
    let other = store.clone();
    store.close().await;
    assert!(matches!(other.commit(vec![put("a", "1")]).await, Err(Error::Closed)));
    Store::open(folder.path(), now()).unwrap();
}

#[tokio::test]
async fn a_second_opening_is_refused_and_names_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, _) = Store::open(folder.path(), now()).unwrap();
    let error = Store::open(folder.path(), now()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), now()).unwrap();
    let large = put("a", vec![0; LARGEST_VALUE + 1]);
    assert!(matches!(store.commit(vec![large]).await, Err(Error::TooLarge { .. })));
    assert_eq!(store.commit(vec![put("a", "1")]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_of_an_older_format_is_brought_to_this_one_and_keeps_what_it_holds() {
    let second = ["records", "peering"];
    let first = ["contracts", "claims", "resources", "usage", "records", "peering"];
    for (format, lacks) in [(1, first.as_slice()), (2, &second)] {
        upgraded(format, lacks).await;
    }
}

async fn upgraded(format: u64, lacks: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), now()).unwrap();
    store.commit(vec![put("x", "kept")]).await.unwrap();
    store.close().await;
    let database = redb::Database::create(folder.path().join(file::NAME)).unwrap();
    let transaction = database.begin_write().unwrap();
    for table in lacks {
        let table: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new(table);
        assert!(transaction.delete_table(table).unwrap());
    }
    let meta: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", format).unwrap();
    transaction.commit().unwrap();
    drop(database);

    let (store, contents) = Store::open(folder.path(), now()).unwrap();
    assert_eq!((contents.producers.len(), contents.sequence), (1, 1));
    let put = |table| Change::Put { table, key: b"c".to_vec(), value: "1".into() };
    store.commit(vec![put(Table::Contracts), put(Table::Records), put(Table::Peering)]).await.unwrap();
    store.close().await;
    let (_, contents) = Store::open(folder.path(), now()).unwrap();
    assert_eq!((contents.producers.len(), contents.contracts.len()), (1, 1));
    assert_eq!((contents.records.len(), contents.peering.len()), (1, 1));
}

#[test]
fn a_file_of_a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file::NAME);
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("format", 4).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    let error = Store::open(folder.path(), now()).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 4, known: 3, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap().len(), before.len());
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_alone() {
    let whole = filled().await;
    let half = &whole[..whole.len() / 2];
    let foreign = b"SQLite format 3\0 and so on".as_slice();
    for (what, bytes) in
        [("empty", &[][..]), ("truncated", half), ("short", &whole[..100]), ("foreign", foreign)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file::NAME);
        fs::write(&path, bytes).unwrap();
        let error = Store::open(folder.path(), now()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{what}: {error}");
        assert!(error.to_string().contains("portolan.redb"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}");
    }
}

#[tokio::test]
async fn a_flipped_bit_is_refused_or_harmless() {
    let whole = filled().await;
    let expected = read(&whole).unwrap();
    let mut chance = fastrand::Rng::with_seed(7);
    let mut refused = 0;
    for _ in 0..150 {
        let mut bytes = whole.clone();
        // Half of the flips hit the header and the first pages, where they hurt most.
        let reach = if chance.bool() { 16 << 10 } else { bytes.len() };
        let at = chance.usize(..reach.min(bytes.len()));
        bytes[at] ^= 1 << chance.u8(..8);
        match read(&bytes) {
            Ok(found) => assert_eq!(found, expected, "byte {at}"),
            Err(Error::Damaged { .. }) => refused += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_birth_that_was_cut_short_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("portolan.redb.new"), b"half").unwrap();
    let (_, contents) = Store::open(folder.path(), now()).unwrap();
    assert_eq!(contents.sequence, 0);
}

#[cfg(unix)]
#[test]
fn others_may_not_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _store = Store::open(&data, now()).unwrap();
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(data.join(file::NAME)).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The bytes of a file with a few records.
async fn filled() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), now()).unwrap();
    for i in 0..20 {
        store.commit(vec![put(&format!("key {i}"), vec![i; 700])]).await.unwrap();
    }
    store.close().await;
    fs::read(folder.path().join(file::NAME)).unwrap()
}

fn read(bytes: &[u8]) -> Result<Contents, Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file::NAME), bytes).unwrap();
    Store::open(folder.path(), now()).map(|(_, contents)| contents)
}
