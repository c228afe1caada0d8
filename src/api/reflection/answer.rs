//! One question, one answer, whichever version of the protocol carried them.

use super::Reflection;
use super::eyes::Eyes;
use crate::access::Caller;
use crate::api::fault::Fault;
use crate::catalog::Offering;
use crate::descriptors::{Snapshot, View};
use bytes::Bytes;
use std::sync::Arc;

/// What a client asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    File(&'a str),
    Symbol(&'a str),
    Extension(&'a str, i32),
    ExtensionNumbers(&'a str),
    Services,
}

/// What it is told.
#[derive(Debug)]
pub(super) enum Answer {
    /// Serialized files, the one asked for first.
    Files(Vec<Bytes>),
    ExtensionNumbers(String, Vec<i32>),
    Services(Vec<String>),
}

/// The federation as one caller sees it at one moment.
pub(super) struct Asked<'a> {
    reflection: &'a Reflection,
    descriptors: Arc<Snapshot>,
    eyes: Eyes<'a>,
}

impl Reflection {
    /// The federation as `caller` sees it now.
    pub(super) fn eyes<'a>(&'a self, caller: &'a Caller) -> Asked<'a> {
        // Descriptors are published before the versions that need them, so the catalogue is read first.
        let eyes = Eyes { catalog: self.catalog.snapshot(), policy: &self.policy, caller };
        Asked { reflection: self, descriptors: self.descriptors.snapshot(), eyes }
    }
}

impl Asked<'_> {
    /// Answers, or says why there is no answer; the stream goes on either way.
    pub(super) fn answer(&self, question: Option<Question<'_>>) -> Result<Answer, Fault> {
        let view = View::new(&self.descriptors, &self.eyes);
        let files = |name: &str, found: Option<Vec<Bytes>>| {
            found.map(Answer::Files).ok_or_else(|| Fault::not_found(&excerpt(name)))
        };
        match question {
            None => Err(Fault::invalid("EMPTY_REQUEST", "the request asks for nothing: set message_request")),
            Some(Question::Services) => Ok(Answer::Services(self.services())),
            Some(Question::File(name)) => files(name, view.file_by_name(name)),
            Some(Question::Symbol(symbol)) => self.symbol(&view, symbol.trim_start_matches('.')),
            Some(Question::Extension(extended, number)) => {
                let extended = extended.trim_start_matches('.');
                files(
                    &format!("{} [{number}]", excerpt(extended)),
                    view.file_with_extension(extended, number),
                )
            }
            Some(Question::ExtensionNumbers(extended)) => {
                let numbers = view.extension_numbers(extended.trim_start_matches('.'));
                let numbers = numbers.ok_or_else(|| Fault::not_found(&excerpt(extended)))?;
                Ok(Answer::ExtensionNumbers(extended.to_owned(), numbers))
            }
        }
    }

    /// All services that the caller may see, ours among them, sorted.
    fn services(&self) -> Vec<String> {
        let own = self.reflection.own.iter();
        let visible =
            self.eyes.catalog.services().filter(|(name, _)| self.offerings(name.as_str()).next().is_some());
        let mut names: Vec<_> = own.chain(visible.map(|(name, _)| name)).map(ToString::to_string).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A service, and what is inside it, is described by the version that routing would choose.
    fn symbol(&self, view: &View<'_, Eyes<'_>>, symbol: &str) -> Result<Answer, Fault> {
        let is_own = |service: &str| self.reflection.own.iter().any(|own| own.as_str() == service);
        let around = symbol.rsplit_once('.').map(|(service, _)| service);
        let service = [Some(symbol), around]
            .into_iter()
            .flatten()
            .find(|service| !is_own(service) && self.offerings(service).next().is_some());
        if let Some(service) = service {
            let (serving, offline): (Vec<_>, Vec<_>) = self.offerings(service).partition(|o| is_routable(o));
            let files = serving
                .into_iter()
                .chain(offline)
                .find_map(|offering| view.file_with_symbol_of(&offering.version.name, symbol));
            if let Some(files) = files {
                return Ok(Answer::Files(files));
            }
        }
        if let Some(files) = view.file_with_symbol(symbol) {
            return Ok(Answer::Files(files));
        }
        match service {
            Some(service) if service == symbol => {
                let message =
                    format!("{service:?} can be called, but its producer registered no descriptors");
                Err(Fault::missing("NOT_DESCRIBABLE", message))
            }
            _ => Err(Fault::not_found(&excerpt(symbol))),
        }
    }

    /// The offerings of a service that exist for the caller, in the order in which routing prefers them.
    fn offerings(&self, service: &str) -> impl Iterator<Item = &Arc<Offering>> {
        // The owner's alone: what routing would deny is neither listed nor described from somebody else's claim.
        let owner = self.eyes.catalog.service(service).and_then(|claims| claims.owner());
        let offerings = owner.into_iter().flat_map(|claim| &claim.offerings);
        offerings.filter(|offering| self.eyes.exists(&offering.version))
    }
}

/// Whether a producer of the version may be called now.
pub(super) fn is_routable(offering: &Offering) -> bool {
    offering.producers.iter().any(|producer| producer.freshness.is_routable())
}

/// What clients write is quoted, and cut, in answers.
fn excerpt(text: &str) -> String {
    text.chars().take(255).collect()
}
