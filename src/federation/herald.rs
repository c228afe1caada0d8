//! What we tell the federation as an origin: each change of our own facts becomes a signed record with a stamp of its own.
//!
//! Owns: our epoch and sequence, and what was told last of everything.
//! Never: I/O. A [`Draft`] is made durable by the caller, and only then kept; a draft that is dropped burns its stamps.
//! Flow: [`super::own`] says what is → [`Herald::tell`] signs what differs → durable → [`Herald::keep`] → it may leave.

use super::own::{About, Fact, Told};
use super::signing::Sealer;
use crate::identity::Unsealed;
use crate::model::{
    Head, Kind, Origin, ParseRecordNameError, Record, RecordKey, RecordName, Scope, Stamp, Topic,
};
use crate::wire::federation as wire;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// What was written so long ago is written again: brokers that forgot deletions of that age take nothing that old.
const WRITTEN_FOR: SignedDuration = SignedDuration::from_hours(15 * 24);

/// Speaks for one origin.
#[derive(Debug)]
pub struct Herald {
    me: Origin,
    sealer: Sealer,
    last: Stamp,
    told: BTreeMap<(RecordName, Kind), Arc<Record>>,
}

/// Records that are to be made durable, with the stamp up to which stamps are spent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// In the order of their stamps.
    pub records: Vec<Arc<Record>>,
}

/// Why a fact cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untold {
    /// Our key does not sign.
    #[error(transparent)]
    Unsealed(#[from] Unsealed),
    /// Its name is too long for a record.
    #[error(transparent)]
    Name(#[from] ParseRecordNameError),
}

impl Herald {
    /// Speaks on from what was told before. `epoch` is that of the store, which rises when the store is lost; `last` is the
    /// newest stamp that is known of us, and `told` our records that are no tombstones.
    pub fn new(
        me: Origin,
        sealer: Sealer,
        epoch: u64,
        last: Stamp,
        told: impl IntoIterator<Item = Arc<Record>>,
    ) -> Self {
        let key = |record: &Record| (record.head.key.name.clone(), record.head.key.kind);
        let told = told.into_iter().map(|record| (key(&record), record)).collect();
        // An epoch begins with 1; sequence 0 is none.
        let last = last.max(Stamp { epoch: epoch.max(1), sequence: 0 });
        Self { me, sealer, last, told }
    }

    /// Who speaks.
    pub fn me(&self) -> &Origin {
        &self.me
    }

    /// The newest stamp that was given out.
    pub fn last(&self) -> Stamp {
        self.last
    }

    /// Signs what of this differs from what was told last; what is no longer among it gets a tombstone.
    pub fn tell(&mut self, told: &Told, now: Timestamp) -> Result<Draft, Untold> {
        let mut old = self.under(&told.about)?;
        let mut draft = Draft::default();
        for Fact { scope, payload } in &told.facts {
            let (topic, bytes) = (payload.topic(), wire::payload(payload));
            let (kind, name) = (topic.kind(), topic.name()?);
            let known = old.remove(&(name.clone(), kind));
            let is_news = known.is_none_or(|known| known.payload != bytes || known.head.scope != *scope);
            if is_news {
                draft.records.push(self.write(kind, name, scope, Some(bytes), now)?);
            }
        }
        // What others stand on goes last: a version after its producers.
        let mut gone: Vec<_> = old.into_iter().collect();
        gone.sort_by_key(|((_, kind), _)| std::cmp::Reverse(*kind));
        for ((name, kind), known) in gone {
            draft.records.push(self.write(kind, name, &known.head.scope, None, now)?);
        }
        Ok(draft)
    }

    /// Ends what is told of anything but these: after a start, of what vanished meanwhile.
    pub fn tell_only(&mut self, whole: &[Told], now: Timestamp) -> Result<Draft, Untold> {
        let mut draft = Draft::default();
        let mut left = self.told.clone();
        for told in whole {
            let under = self.under(&told.about)?;
            left.retain(|key, _| !under.contains_key(key));
            draft.records.extend(self.tell(told, now)?.records);
        }
        let mut gone: Vec<_> = left.into_iter().collect();
        gone.sort_by_key(|((_, kind), _)| std::cmp::Reverse(*kind));
        for ((name, kind), known) in gone {
            draft.records.push(self.write(kind, name, &known.head.scope, None, now)?);
        }
        Ok(draft)
    }

    /// Signs anew, with new stamps, at most `most` records that were written long ago, or by a certificate that was replaced:
    /// whoever hears of them from a third broker must still be able to judge them.
    pub fn renew(&mut self, most: usize, now: Timestamp) -> Result<Draft, Untold> {
        let signer = self.sealer.digest();
        let is_old = |record: &Record| {
            record.signed.signer != signer || now.duration_since(record.head.written) >= WRITTEN_FOR
        };
        let old: Vec<_> = self.told.values().filter(|record| is_old(record)).take(most).cloned().collect();
        self.again(old, now)
    }

    /// Begins a new epoch, beyond what somebody proved that we wrote and we do not remember: the store is older than what
    /// left. Everything is told again.
    pub fn outrun(&mut self, proven: Stamp, now: Timestamp) -> Result<Draft, Untold> {
        if proven <= self.last {
            return Ok(Draft::default());
        }
        let clock = u64::try_from(now.as_second()).unwrap_or_default();
        self.last = Stamp { epoch: clock.max(proven.epoch.saturating_add(1)), sequence: 0 };
        self.again(self.told.values().cloned().collect(), now)
    }

    /// A draft is durable: this is what was told last.
    pub fn keep(&mut self, draft: &Draft) {
        for record in &draft.records {
            let key = (record.head.key.name.clone(), record.head.key.kind);
            if record.head.is_deleted {
                self.told.remove(&key);
            } else {
                self.told.insert(key, record.clone());
            }
        }
    }

    fn again(&mut self, old: Vec<Arc<Record>>, now: Timestamp) -> Result<Draft, Untold> {
        let mut draft = Draft::default();
        for record in old {
            let RecordKey { kind, name, .. } = record.head.key.clone();
            let payload = Some(record.payload.clone());
            draft.records.push(self.write(kind, name, &record.head.scope, payload, now)?);
        }
        Ok(draft)
    }

    fn write(
        &mut self,
        kind: Kind,
        name: RecordName,
        scope: &Scope,
        payload: Option<Bytes>,
        now: Timestamp,
    ) -> Result<Arc<Record>, Untold> {
        let stamp = Stamp { sequence: self.last.sequence + 1, ..self.last };
        let head = Head {
            key: RecordKey { origin: self.me.clone(), kind, name },
            stamp,
            is_deleted: payload.is_none(),
            scope: scope.clone(),
            written: now,
        };
        let record = self.sealer.seal(head, &payload.unwrap_or_default())?;
        // Spent, whatever becomes of the record: no stamp is ever given to two.
        self.last = stamp;
        Ok(Arc::new(record))
    }

    /// What was told last of something, and of all that belongs to it.
    fn under(
        &self,
        about: &About,
    ) -> Result<BTreeMap<(RecordName, Kind), Arc<Record>>, ParseRecordNameError> {
        let topic = match about {
            About::Bundle(domain) => Topic::Bundle(domain.clone()),
            About::Platform(platform) => Topic::Platform(platform.clone()),
            About::Version(version) => Topic::Version(version.clone()),
        };
        let name = topic.name()?;
        let from = (Bound::Included((name.clone(), Kind::Bundle)), Bound::Unbounded);
        let belongs = |other: &RecordName| {
            let rest = other.as_str().strip_prefix(name.as_str());
            let is_below =
                matches!(about, About::Version(_)) && rest.is_some_and(|rest| rest.starts_with('/'));
            is_below || rest == Some("")
        };
        let near =
            self.told.range(from).take_while(|((other, _), _)| other.as_str().starts_with(name.as_str()));
        let ours = near.filter(|((other, _), _)| belongs(other));
        Ok(ours.map(|(key, record)| (key.clone(), record.clone())).collect())
    }
}

#[cfg(test)]
mod tests;
