//! Whom we believe: one bundle for each trust domain, swapped whole, read by every handshake.

use crate::identity::bundle::{Bundle, Lists};
use crate::identity::files::{Domain, Fault};
use crate::identity::leaf::{Leaf, Usage};
use crate::identity::refusal::Refusal;
use crate::model::{Identity, Subject, TrustDomain, Validity};
use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The wall clock may jump; a waiting connection looks at it at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Reads who is trusted now. Clones see the same.
#[derive(Clone)]
pub struct Trust {
    shared: Arc<Shared>,
}

/// The sole way to change whom a `Trust` believes.
pub(super) struct TrustWriter {
    shared: Arc<Shared>,
}

/// The other end of a connection whose chain was judged good.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Who it is.
    pub identity: Identity,
    /// The chain that it presented, the leaf first.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// The side on which it stands.
    pub usage: Usage,
    /// The last instant at which its leaf is valid.
    pub not_after: Timestamp,
    /// The revision of trust before which it was judged.
    revision: u64,
}

/// What a leaf claims to be: one identity, and for DNS names the others of the same trust domain.
pub(super) struct Claim {
    pub(super) identity: Identity,
    pub(super) aliases: Vec<Identity>,
    pub(super) not_after: Timestamp,
}

struct Shared {
    bundles: ArcSwap<Bundles>,
    revision: watch::Sender<u64>,
}

/// All bundles of one instant.
#[derive(Default)]
pub(super) struct Bundles {
    domains: HashMap<TrustDomain, Arc<Bundle>>,
    suffixes: HashMap<String, TrustDomain>,
}

impl Trust {
    /// Reads the bundles of all domains, once. Every fault is told, not only the first.
    pub fn load(domains: &[Domain]) -> Result<Self, Vec<Fault>> {
        Bundles::load(domains).map(|bundles| Self::new(bundles).0)
    }

    /// Judges a chain, the leaf first, as a handshake would.
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        usage: Usage,
        now: Timestamp,
    ) -> Result<Identity, Refusal> {
        self.verify(chain, usage, now).map(|claim| claim.identity)
    }

    /// Judges a chain now and keeps what is needed to judge it again.
    pub fn peer(&self, chain: &[CertificateDer<'_>], usage: Usage) -> Result<Peer, Refusal> {
        let revision = self.revision();
        let claim = self.verify(chain, usage, Timestamp::now())?;
        Ok(Peer::new(claim, chain, usage, revision))
    }

    /// Waits until this peer is no longer to be believed and says why: its domain's bundle or revocation list changed,
    /// or a certificate or a list came to its end. Whoever holds the connection then cuts it.
    pub async fn ends(&self, peer: &Peer) -> Refusal {
        let mut changed = self.changed();
        let mut judged = peer.revision;
        let mut due = self.due(peer, Timestamp::now());
        loop {
            let now = Timestamp::now();
            let revision = *changed.borrow_and_update();
            if revision != judged || due.is_some_and(|due| due < now) {
                if let Err(refusal) = self.judge(&peer.chain, peer.usage, now) {
                    return refusal;
                }
                judged = revision;
                due = self.due(peer, now);
            }
            let left = due.and_then(|due| Duration::try_from(due.duration_since(now)).ok());
            // Validity is told in whole seconds: one more, and the next look is past the end.
            let wait = left.map_or(LONGEST_WAIT, |left| left + Duration::from_secs(1)).min(LONGEST_WAIT);
            // The sender lives in `self`: an error is impossible, and an elapsed wait is a reason to look again.
            let _ = tokio::time::timeout(wait, changed.changed()).await;
        }
    }

    /// When each authority of each domain is valid, ordered by domain.
    pub fn authorities(&self) -> Vec<(TrustDomain, Validity)> {
        let bundles = self.shared.bundles.load();
        let all = bundles.domains.iter();
        let mut found: Vec<_> =
            all.flat_map(|(name, bundle)| bundle.validities().map(|v| (name.clone(), v))).collect();
        found.sort_by(|a, b| (&a.0, a.1.not_after).cmp(&(&b.0, b.1.not_after)));
        found
    }

    /// Tells of every change: the revision, which only grows.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// The revision now. Taken before a handshake, so that no change during it is missed.
    pub(super) fn revision(&self) -> u64 {
        *self.shared.revision.borrow()
    }

    /// A reader and its writer.
    pub(super) fn new(bundles: Bundles) -> (Self, TrustWriter) {
        let bundles = ArcSwap::from_pointee(bundles);
        let shared = Arc::new(Shared { bundles, revision: watch::Sender::new(1) });
        (Self { shared: shared.clone() }, TrustWriter { shared })
    }

    /// What the leaf claims, without anybody vouching for it.
    pub(super) fn claim(&self, leaf: &Leaf) -> Result<Claim, Refusal> {
        let bundles = self.shared.bundles.load();
        let mut names = match leaf.uris.as_slice() {
            [] => bundles.mapped(&leaf.dns)?,
            [uri] => vec![workload(uri)?],
            more => return Err(Refusal::SeveralNames(more.len())),
        };
        if names.is_empty() {
            return Err(Refusal::NoName);
        }
        let identity = names.remove(0);
        Ok(Claim { identity, aliases: names, not_after: leaf.not_after })
    }

    /// What the leaf claims, vouched for by the bundle of the trust domain that it claims and by no other.
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        usage: Usage,
        now: Timestamp,
    ) -> Result<Claim, Refusal> {
        let leaf = Leaf::read(chain.first().ok_or(Refusal::NoCertificate)?)?;
        let claim = self.claim(&leaf)?;
        self.bundle(&claim.identity.trust_domain)?.verify(chain, usage, now)?;
        leaf.permit(usage)?;
        Ok(claim)
    }

    fn bundle(&self, domain: &TrustDomain) -> Result<Arc<Bundle>, Refusal> {
        let bundles = self.shared.bundles.load();
        bundles.domains.get(domain).cloned().ok_or_else(|| Refusal::UnknownDomain(domain.clone()))
    }

    /// The next instant after `now` at which a judgement may change by itself.
    fn due(&self, peer: &Peer, now: Timestamp) -> Option<Timestamp> {
        let certificates =
            peer.chain.iter().filter_map(|der| Leaf::read(der).ok()).map(|leaf| leaf.not_after);
        let bundle = self.bundle(&peer.identity.trust_domain).ok();
        let vouched = bundle.iter().flat_map(|bundle| bundle.ends());
        certificates.chain(vouched).filter(|at| *at >= now).min()
    }
}

impl TrustWriter {
    /// Puts one domain's bundle in the place of its last; the others stay.
    pub(super) fn replace(&mut self, domain: &TrustDomain, bundle: Bundle) {
        let last = self.shared.bundles.load_full();
        let mut domains = last.domains.clone();
        domains.insert(domain.clone(), Arc::new(bundle));
        self.shared.bundles.store(Arc::new(Bundles { domains, suffixes: last.suffixes.clone() }));
        self.shared.revision.send_modify(|revision| *revision += 1);
    }
}

impl Bundles {
    /// Reads all, and tells every fault.
    pub(super) fn load(domains: &[Domain]) -> Result<Self, Vec<Fault>> {
        let (mut bundles, mut faults) = (Self::default(), Vec::new());
        for domain in domains {
            match bundle(domain) {
                Ok(bundle) if !bundles.domains.contains_key(&domain.name) => {
                    bundles.domains.insert(domain.name.clone(), Arc::new(bundle));
                }
                Ok(_) => faults.push(Fault::new(
                    &domain.bundle,
                    format!("trust domain {} has two bundles", domain.name),
                )),
                Err(more) => faults.extend(more),
            }
            faults.extend(domain.dns_suffixes.iter().filter_map(|suffix| bundles.map(suffix, domain).err()));
        }
        if faults.is_empty() { Ok(bundles) } else { Err(faults) }
    }

    fn map(&mut self, suffix: &str, domain: &Domain) -> Result<(), Fault> {
        let text = suffix.trim_start_matches('.').to_ascii_lowercase();
        if let Err(e) = Identity::parse_dns(&text, domain.name.clone()) {
            return Err(Fault::new(&domain.bundle, format!("DNS suffix {suffix:?} of {}: {e}", domain.name)));
        }
        match self.suffixes.entry(text) {
            Entry::Vacant(free) => drop(free.insert(domain.name.clone())),
            Entry::Occupied(taken) if *taken.get() == domain.name => {}
            Entry::Occupied(taken) => {
                let reason =
                    format!("DNS suffix {suffix:?} belongs to both {} and {}", taken.get(), domain.name);
                return Err(Fault::new(&domain.bundle, reason));
            }
        }
        Ok(())
    }

    /// The identities that DNS names map to: the longest suffix wins, and all are of one trust domain.
    fn mapped(&self, names: &[String]) -> Result<Vec<Identity>, Refusal> {
        let mut found: Vec<Identity> = Vec::new();
        for name in names.iter().map(|name| name.to_ascii_lowercase()) {
            let suffixes =
                std::iter::successors(Some(name.as_str()), |s| s.split_once('.').map(|(_, rest)| rest));
            let Some(domain) = suffixes.into_iter().find_map(|suffix| self.suffixes.get(suffix)) else {
                continue;
            };
            if let Some(other) = found.first().filter(|first| first.trust_domain != *domain) {
                return Err(Refusal::TwoDomains(other.trust_domain.clone(), domain.clone()));
            }
            found.push(Identity::parse_dns(&name, domain.clone()).map_err(Refusal::BadName)?);
        }
        Ok(found)
    }
}

impl Claim {
    /// Whether this is the one that was expected.
    pub(super) fn is(&self, expected: &Identity) -> bool {
        self.identity == *expected || self.aliases.contains(expected)
    }
}

impl Peer {
    /// When its leaf is valid.
    pub fn validity(&self) -> Validity {
        let leaf = self.chain.first().and_then(|der| Leaf::read(der).ok());
        let not_before = leaf.map_or(Timestamp::MIN, |leaf| leaf.not_before);
        Validity { not_before, not_after: self.not_after }
    }

    pub(super) fn new(claim: Claim, chain: &[CertificateDer<'_>], usage: Usage, revision: u64) -> Self {
        let chain = chain.iter().map(|der| der.clone().into_owned()).collect();
        Self { identity: claim.identity, chain, usage, not_after: claim.not_after, revision }
    }
}

/// Reads one domain's bundle and its revocation lists. Both faults are told.
pub(super) fn bundle(domain: &Domain) -> Result<Bundle, Vec<Fault>> {
    let bundle = Bundle::load(&domain.bundle, Some(&domain.name));
    let lists = domain.crl.as_deref().map_or_else(|| Ok(Lists::default()), Lists::load);
    match (bundle, lists) {
        (Ok(bundle), Ok(lists)) => Ok(bundle.with(lists)),
        (bundle, lists) => Err(bundle.err().into_iter().chain(lists.err()).collect()),
    }
}

/// The SPIFFE id of a workload: with a path (X509-SVID §5.2).
fn workload(uri: &str) -> Result<Identity, Refusal> {
    let identity = Identity::parse_spiffe(uri).map_err(Refusal::BadName)?;
    match &identity.subject {
        Subject::Spiffe(path) if path.is_empty() => Err(Refusal::NoPath(identity.trust_domain)),
        _ => Ok(identity),
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.shared.bundles.load().domains.values()).finish()
    }
}
