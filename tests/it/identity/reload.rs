//! Files that change while the broker runs: the last good one stays, and those who lost their trust are cut (T8, T9).

use super::hostile::*;
use super::wire::*;
use portolan::cli::certs::Request;
use portolan::identity::{self, Credentials, Domain, Fault, Files, Refusal, Trust, Usage};
use portolan::lifecycle::{self, Shutdown};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::watch;

/// A broker's identity with its watcher at work.
struct Live {
    credentials: Credentials,
    trust: Trust,
    shows: watch::Receiver<u64>,
    trusts: watch::Receiver<u64>,
    faults: watch::Receiver<Arc<[Fault]>>,
    shutdown: Shutdown,
}

impl Live {
    fn new(files: &Files, domain: &Domain) -> Self {
        let (credentials, trust, watcher) = identity::open(files, std::slice::from_ref(domain)).unwrap();
        let (shows, trusts, faults) = (credentials.changed(), trust.changed(), watcher.faults());
        let shutdown = Shutdown::new();
        lifecycle::spawn("identity watcher", watcher.run(shutdown.clone()));
        Self { credentials, trust, shows, trusts, faults, shutdown }
    }

    /// Waits until what is broken now is `count` files, and gives the reasons.
    async fn broken(&mut self, count: usize) -> String {
        let faults = timely(self.faults.wait_for(|faults| faults.len() == count)).await.unwrap();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

/// Copies a certificate with its key over another.
fn put(new: &Files, old: &Files) {
    fs::copy(&new.key, &old.key).unwrap();
    fs::copy(&new.certificate, &old.certificate).unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_from_the_next_handshake_on() {
    let a = Org::new("a.example");
    let files = a.files("broker");
    let mut live = Live::new(&files, &a.domain);
    let before = live.credentials.chain();
    put(&a.files("next"), &files);
    timely(live.shows.changed()).await.unwrap();
    assert_ne!(live.credentials.chain(), before);
    let who = live.trust.judge(&live.credentials.chain(), Usage::Server, jiff::Timestamp::now());
    assert_eq!(who.unwrap().to_string(), "spiffe://a.example/next");
    assert_eq!(live.broken(0).await, "");
}

#[tokio::test]
async fn a_broken_file_changes_nothing_but_the_faults() {
    let a = Org::new("a.example");
    let files = a.files("broker");
    let (certificate, key) = (fs::read(&files.certificate).unwrap(), fs::read(&files.key).unwrap());
    let mut live = Live::new(&files, &a.domain);
    let before = live.credentials.chain();

    fs::write(&files.certificate, &certificate[..certificate.len() / 2]).unwrap();
    let reason = live.broken(1).await;
    assert!(reason.contains("broker.pem: it ends in the middle of a PEM section"), "{reason}");
    fs::write(&files.certificate, &certificate).unwrap();
    live.broken(0).await;

    fs::write(&files.key, fs::read(a.files("other").key).unwrap()).unwrap();
    let reason = live.broken(1).await;
    assert!(reason.contains("broker.key: it is not the key of the certificate in"), "{reason}");
    fs::write(&files.key, "").unwrap();
    live.faults.wait_for(|f| f.iter().any(|f| f.reason == "the file is empty")).await.unwrap();
    fs::remove_file(&files.certificate).unwrap();
    let reason = live.broken(2).await;
    assert!(reason.contains("broker.pem: No such file"), "{reason}");
    assert_eq!(live.credentials.chain(), before, "the last good one is still shown");

    fs::write(&files.key, &key).unwrap();
    fs::write(&files.certificate, &certificate).unwrap();
    live.broken(0).await;
}

#[tokio::test]
async fn a_broken_bundle_keeps_the_last_good_one() {
    let a = Org::new("a.example").with_list(&Org::new("a.example").authority.crl(&[]).unwrap());
    fs::write(a.domain.crl.as_ref().unwrap(), a.authority.crl(&[]).unwrap()).unwrap();
    let (files, chain) = (a.files("broker"), a.credentials("ledger").chain());
    let mut live = Live::new(&files, &a.domain);
    let bundle = fs::read(&a.domain.bundle).unwrap();
    let list = fs::read(a.domain.crl.as_ref().unwrap()).unwrap();
    let stranger = fs::read(Org::new("b.example").domain.bundle).unwrap();
    for broken in [&bundle[..bundle.len() - 30], b"", b"no PEM", &stranger] {
        fs::write(&a.domain.bundle, broken).unwrap();
        assert!(live.broken(1).await.contains("ca.pem: "));
        assert!(live.trust.judge(&chain, Usage::Client, jiff::Timestamp::now()).is_ok());
        fs::write(&a.domain.bundle, &bundle).unwrap();
        live.broken(0).await;
    }
    for broken in [&list[..list.len() / 2], b"", &bundle] {
        fs::write(a.domain.crl.as_ref().unwrap(), broken).unwrap();
        assert!(live.broken(1).await.contains("crl.pem: "));
        assert!(live.trust.judge(&chain, Usage::Client, jiff::Timestamp::now()).is_ok());
        fs::write(a.domain.crl.as_ref().unwrap(), &list).unwrap();
        live.broken(0).await;
    }
}

#[tokio::test]
async fn a_swapped_link_is_seen_as_kubernetes_swaps_it() {
    let a = Org::new("a.example");
    let mount = TempDir::new().unwrap();
    let stage = |version: &str, name: &str| {
        let (dir, files) = (mount.path().join(version), a.files(name));
        fs::create_dir(&dir).unwrap();
        fs::copy(files.certificate, dir.join("tls.crt")).unwrap();
        fs::copy(files.key, dir.join("tls.key")).unwrap();
    };
    let swap = |version: &str| {
        symlink(version, mount.path().join("..next")).unwrap();
        fs::rename(mount.path().join("..next"), mount.path().join("..data")).unwrap();
    };
    stage("..1", "one");
    swap("..1");
    let files = Files { certificate: mount.path().join("tls.crt"), key: mount.path().join("tls.key") };
    symlink(Path::new("..data/tls.crt"), &files.certificate).unwrap();
    symlink(Path::new("..data/tls.key"), &files.key).unwrap();
    let mut live = Live::new(&files, &a.domain);
    for (version, name) in [("..2", "two"), ("..3", "three")] {
        stage(version, name);
        swap(version);
        timely(live.shows.changed()).await.unwrap();
        let who = live.trust.judge(&live.credentials.chain(), Usage::Server, jiff::Timestamp::now());
        assert_eq!(who.unwrap().to_string(), format!("spiffe://a.example/{name}"));
    }
    assert_eq!(live.broken(0).await, "");
}

#[tokio::test]
async fn a_revoked_peer_ends_and_its_neighbour_does_not() {
    let a = Org::new("a.example");
    let none = a.authority.crl(&[]).unwrap();
    let a = a.with_list(&none);
    let live = Live::new(&a.files("broker"), &a.domain);
    let bad = a.authority.issue(&Request::workload("/bad")).unwrap();
    let chain = chain_of(&bad.certificate_pem);
    let (bad_peer, good_peer) = (
        live.trust.peer(&chain, Usage::Client).unwrap(),
        live.trust.peer(&a.credentials("good").chain(), Usage::Client).unwrap(),
    );
    let trust = live.trust.clone();
    let mut good = Box::pin(async move { trust.ends(&good_peer).await });
    fs::write(a.domain.crl.as_ref().unwrap(), a.authority.crl(&[bad.serial]).unwrap()).unwrap();
    let refusal = timely(async {
        tokio::select! {
            refusal = live.trust.ends(&bad_peer) => refusal,
            refusal = &mut good => panic!("the good one ended: {refusal}"),
        }
    });
    assert_eq!(refusal.await, Refusal::Revoked);
}

#[tokio::test]
async fn a_peer_ends_with_the_authority_that_vouched_for_it() {
    let (a, next) = (Org::new("a.example"), Org::new("a.example"));
    let mut live = Live::new(&a.files("broker"), &a.domain);
    let peer = live.trust.peer(&a.credentials("ledger").chain(), Usage::Client).unwrap();
    // First both authorities, then the new one alone: how a bundle is rotated.
    let (old, new) = (fs::read(&a.domain.bundle).unwrap(), fs::read(&next.domain.bundle).unwrap());
    fs::write(&a.domain.bundle, [&old[..], &new[..]].concat()).unwrap();
    timely(live.trusts.changed()).await.unwrap();
    let now = jiff::Timestamp::now();
    for org in [&a, &next] {
        assert!(live.trust.judge(&org.credentials("x").chain(), Usage::Client, now).is_ok());
    }
    fs::write(&a.domain.bundle, new).unwrap();
    assert_eq!(timely(live.trust.ends(&peer)).await, Refusal::Untrusted("a.example".into()));
}

#[tokio::test]
async fn a_change_between_judgement_and_waiting_is_not_missed() {
    let (a, next) = (Org::new("a.example"), Org::new("a.example"));
    let mut live = Live::new(&a.files("broker"), &a.domain);
    let peer = live.trust.peer(&a.credentials("ledger").chain(), Usage::Client).unwrap();
    fs::copy(&next.domain.bundle, &a.domain.bundle).unwrap();
    timely(live.trusts.changed()).await.unwrap();
    assert_eq!(timely(live.trust.ends(&peer)).await, Refusal::Untrusted("a.example".into()));
}

#[tokio::test]
async fn a_peer_ends_with_its_certificate() {
    let a = Org::new("a.example");
    let mut params = leaf(&[uri("spiffe://a.example/short")]);
    params.not_after = (SystemTime::now() + Duration::from_secs(2)).into();
    let trust = trust(&[&a]);
    let peer = trust.peer(&a.sign(&params).cert, Usage::Client).unwrap();
    let refusal = timely(trust.ends(&peer)).await;
    assert_eq!(refusal, Refusal::Expired(peer.not_after));
}

#[test]
fn every_fault_of_the_files_is_told_at_the_start() {
    let a = Org::new("a.example");
    let files = Files { certificate: a.path("no.pem"), key: a.path("no.key") };
    let (bundle, crl) = (a.path("no-bundle.pem"), Some(a.path("no-list.pem")));
    let domain = Domain { bundle, crl, ..a.domain.clone() };
    let faults = identity::open(&files, &[domain]).err().unwrap();
    assert_eq!(faults.len(), 4, "{faults:?}");
}

fn chain_of(pem: &str) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}
