//! The book against a plain list of calls; the recorder from many threads; the store and back.

use super::record::Key;
use super::*;
use crate::model::{Identity, VersionName};
use crate::store::Store;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

/// One call: version, consumer, hour, whether it went well.
type Made = (u8, u8, i64, bool);

fn version(n: u8) -> VersionName {
    VersionName::parse(&format!("platforms/a.example/capabilities/c/versions/1.{n}.0")).unwrap()
}

/// Consumers of two organisations in turn, one of them without SPIFFE.
fn consumer(n: u8) -> Identity {
    match n % 2 {
        0 => Identity::parse_spiffe(&format!("spiffe://b.example/{n}")).unwrap(),
        _ => Identity::parse_dns(&format!("c{n}.internal"), "c.example".to_owned().try_into().unwrap())
            .unwrap(),
    }
}

fn hour(n: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + n * 3600).unwrap()
}

fn calls() -> impl Strategy<Value = Vec<Made>> {
    proptest::collection::vec((0..4_u8, 0..12_u8, 0..24 * 45_i64, any::<bool>()), 0..200)
}

fn book(limits: Limits, calls: &[Made]) -> Book {
    let mut book = Book::new(limits);
    for (v, c, at, is_ok) in calls {
        let mut days = Days::default();
        days.count(hour(*at), *is_ok);
        book.add(&version(*v), &consumer(*c), &days);
    }
    book
}

/// The clock goes on into that day.
fn pass(book: &mut Book, today: i32) {
    book.forget(today - 1);
    book.forget(today);
}

/// What the whole book says, in order.
fn told(book: &Book) -> (Vec<Consumption>, u64, u64) {
    (book.page(|_| true, None, usize::MAX), book.other_calls(|_| true), book.beyond())
}

fn sum(told: &(Vec<Consumption>, u64, u64)) -> u64 {
    told.0.iter().map(|one| one.tally.calls).sum::<u64>() + told.1 + told.2
}

proptest! {
    #[test]
    fn with_room_for_all_it_says_what_happened(calls in calls(), now in 24 * 30..24 * 60_i64) {
        let mut book = book(Limits::default(), &calls);
        let today = days::day(hour(now));
        pass(&mut book, today);
        let mut expected: BTreeMap<(VersionName, Identity), Vec<(Timestamp, bool)>> = BTreeMap::new();
        for (v, c, at, is_ok) in calls {
            if days::day(hour(at)) >= today - 29 {
                expected.entry((version(v), consumer(c))).or_default().push((hour(at), is_ok));
            }
        }
        let (found, other, beyond) = told(&book);
        prop_assert_eq!((other, beyond), (0, 0));
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(book.pairs(), expected.len());
        for (one, ((v, c), made)) in found.iter().zip(expected) {
            prop_assert_eq!((&one.version, &one.consumer), (&v, &c));
            let times = || made.iter().map(|(at, _)| *at);
            prop_assert_eq!(one.tally.calls, made.len() as u64);
            prop_assert_eq!(one.tally.failed, made.iter().filter(|(_, is_ok)| !is_ok).count() as u64);
            prop_assert_eq!((one.tally.first, one.tally.last), (times().min().unwrap(), times().max().unwrap()));
        }
    }

    #[test]
    fn it_is_bounded_and_no_call_is_lost(
        calls in calls(), consumers in 1..8_usize, pairs in 1..12_usize, versions in 1..4_usize,
    ) {
        let mut book = book(Limits { consumers, pairs, versions }, &calls);
        let told = told(&book);
        prop_assert_eq!(sum(&told), calls.len() as u64);
        prop_assert!(book.pairs() <= pairs && told.0.len() == book.pairs());
        for n in 0..4 {
            let used = book.used(&version(n)).consumers;
            prop_assert!(used.len() <= consumers);
            for domain in ["b.example", "c.example"] {
                let theirs = used.iter().filter(|one| one.consumer.trust_domain.as_str() == domain);
                prop_assert!(theirs.count() <= consumers.div_ceil(2));
            }
        }
        // What is forgotten makes room again.
        pass(&mut book, days::day(hour(24 * 100)));
        prop_assert_eq!((book.pairs(), book.page(|_| true, None, 10).len()), (0, 0));
    }

    #[test]
    fn the_store_gives_back_what_it_was_given(
        before in calls(), after in calls(), consumers in 1..8_usize, now in 24 * 30..24 * 60_i64, step in 1..5_usize,
    ) {
        let limits = Limits { consumers, ..Limits::default() };
        let mut store = BTreeMap::new();
        let mut book = book(limits, &before);
        save(&mut book, &mut store, step);
        for (v, c, at, is_ok) in after {
            let mut days = Days::default();
            days.count(hour(at), is_ok);
            book.add(&version(v), &consumer(c), &days);
        }
        pass(&mut book, days::day(hour(now)));
        save(&mut book, &mut store, step);

        let mut restored = Book::new(limits);
        for (key, value) in store {
            let (key, days) = record::read(&Record { key, sequence: 1, value }).unwrap();
            restored.restore(key, days);
        }
        prop_assert_eq!(told(&restored), told(&book));
        prop_assert!(restored.take_unwritten(1).is_empty());
    }

    #[test]
    fn pages_show_each_pair_once(calls in calls(), size in 1..5_usize) {
        let book = book(Limits::default(), &calls);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = book.page(|_| true, after.as_ref(), size);
            let Some(last) = page.last() else { break };
            after = Some((last.version.clone(), last.consumer.clone()));
            found.extend(page);
        }
        prop_assert_eq!(found, told(&book).0);
    }
}

fn save(book: &mut Book, store: &mut BTreeMap<Vec<u8>, bytes::Bytes>, step: usize) {
    loop {
        let taken = book.take_unwritten(step);
        if taken.is_empty() {
            return;
        }
        for (key, days) in taken {
            match record::change(&key, days) {
                crate::store::Change::Put { key, value, .. } => drop(store.insert(key, value)),
                crate::store::Change::Delete { key, .. } => drop(store.remove(&key)),
            }
        }
    }
}

#[test]
fn what_is_not_a_count_is_not_read() {
    let good =
        record::change(&Key { version: version(1), consumer: Some(consumer(1)) }, Some(Days::default()));
    let crate::store::Change::Put { key, value, .. } = good else { panic!("{good:?}") };
    let read = |key: &[u8], value: &[u8]| {
        record::read(&Record { key: key.to_vec(), sequence: 1, value: value.to_vec().into() })
    };
    assert!(read(&key, &value).is_some());
    for bad in [&b"[2,[]]"[..], b"", b"{}", b"[1,[[1,2,3,4]]]", b"[1,[[1,2,3,4,-5]]]"] {
        assert!(read(&key, bad).is_none(), "{}", String::from_utf8_lossy(bad));
    }
    for bad in [&b"x"[..], b"platforms/p\0\0", &key[1..], &[&key[..], b"\0"].concat(), b"\xff"] {
        assert!(read(bad, &value).is_none(), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn calls_of_many_threads_are_all_counted_and_a_dropped_one_failed() {
    let (recorder, reader, _) = open(vec![], Arc::new(|| hour(1)));
    std::thread::scope(|scope| {
        for n in 0..8 {
            let recorder = &recorder;
            scope.spawn(move || {
                for _ in 0..1000 {
                    recorder.begin(&version(n % 2), &consumer(n)).end(true);
                    drop(recorder.begin(&version(n % 2), &consumer(n)));
                }
            });
        }
    });
    let used = reader.used(&version(0));
    assert_eq!((used.consumers.len(), used.other), (4, None));
    let total = used.total().unwrap();
    assert_eq!((total.calls, total.failed, total.first), (8000, 4000, hour(1)));
    assert_eq!(reader.by(&version(1), &consumer(3)).unwrap().calls, 2000);
    assert_eq!(reader.by(&version(1), &consumer(2)), None);
}

#[tokio::test]
async fn it_survives_a_restart_and_thirty_days_end() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicI64::new(0));
    let clock = |now: &Arc<AtomicI64>| -> Clock {
        let now = now.clone();
        Arc::new(move || hour(now.load(Ordering::SeqCst)))
    };
    // A jump of two months is believed when the day after it comes.
    let starts = [(0, 0, 1), (24 * 29, 1, 2), (24 * 30, 1, 1), (24 * 90, 1, 2), (24 * 91, 1, 1)];
    for (start, seen, left) in starts {
        now.store(start, Ordering::SeqCst);
        let (store, contents) = Store::open(folder.path(), hour(0)).unwrap();
        let (recorder, reader, keeper) = open(contents.usage, clock(&now));
        let keeping = keeper.start(store.clone());
        let calls = reader.by(&version(1), &consumer(1)).map_or(0, |tally| tally.calls);
        assert_eq!(calls, seen, "at hour {start}");
        if left > seen {
            recorder.record(&version(1), &consumer(1), true);
        }
        keeping.finish().await;
        store.close().await;
        assert_eq!(reader.by(&version(1), &consumer(1)).map_or(0, |tally| tally.calls), left);
    }
}

#[test]
fn a_clock_that_is_wrong_deletes_nothing() {
    let today = days::day(hour(0));
    let mut book = book(Limits::default(), &[(1, 1, -24, true), (1, 1, 0, true)]);
    // Booted in 1970, then right, then far ahead, then right again, then far ahead with a call there.
    for seen in [0, 1, 2, today, today + 30_000, today, today + 40_000, today, today - 400] {
        book.forget(seen);
        assert_eq!(sum(&told(&book)), 2, "on day {seen}");
    }
    let mut ahead = Days::default();
    ahead.count(hour(24 * 20_000), true);
    book.add(&version(1), &consumer(1), &ahead);
    for seen in [today + 20_000, today] {
        book.forget(seen);
        assert_eq!(sum(&told(&book)), 3, "on day {seen}");
    }
    book.forget(today + 20_000);
    book.forget(today + 20_001);
    assert_eq!(sum(&told(&book)), 1, "the day after it confirms it");
}

#[test]
fn no_clock_makes_a_count_grow_without_end() {
    let made: Vec<Made> = (0..1000).map(|day| (1, 1, 24 * day, true)).collect();
    let book = book(Limits::default(), &made);
    assert_eq!(sum(&told(&book)), 60);
}

#[tokio::test(start_paused = true)]
async fn the_store_follows_within_half_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(folder.path(), hour(0)).unwrap();
    let (recorder, _reader, keeper) = open(vec![], Arc::new(|| hour(1)));
    let _keeping = keeper.start(store.clone());
    recorder.record(&version(1), &consumer(1), true);
    // The clock is paused: nobody waits.
    tokio::time::sleep(std::time::Duration::from_secs(32)).await;
    // As a `kill -9` would leave it: nobody said goodbye.
    store.commit(vec![]).await.unwrap();
    store.close().await;
    let (_store, contents) = Store::open(folder.path(), hour(0)).unwrap();
    assert_eq!(contents.usage.len(), 1);
}
