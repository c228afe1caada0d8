//! Finds what a list is asked for: what passes a filter, in an order, page by page, in one moment of the catalogue.

mod capability;
mod platform;
mod producer;
mod version;

pub(super) use capability::CapabilityItem;
pub(super) use platform::PlatformItem;
pub(super) use producer::ProducerItem;
pub(super) use version::VersionItem;

use super::pins::{self, Moment, Pins};
use crate::access::Caller;
use crate::api::fault::Fault;
use crate::api::mask::Mask;
use crate::api::page::{self, Page};
use crate::filter::{self, Filter, Item, OrderBy, Query, Schema};
use crate::model::{Source, Stage, State};
use prost::Message;
use prost_types::FieldMask;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hint::black_box;

/// After so many items the thread is lent to others: a large catalogue must not delay a call.
const BATCH: usize = 128;

const STAGES: &[&str] = &["alpha", "beta", "stable", "deprecated", "retired"];
const STATES: &[&str] = &["serving", "degraded", "not_serving", "unknown"];
const SOURCES: &[&str] = &["configuration", "manifest", "registration", "discovery", "federation"];

/// Names the fields of one kind of thing once: as they are written, and as they are matched.
macro_rules! fields {
    ($($id:ident = $name:literal: $kind:expr;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Id { $($id),+ }
        const IDS: &[Id] = &[$(Id::$id),+];
        /// What can be asked for.
        pub(in crate::api) const FIELDS: $crate::filter::Schema = $crate::filter::Schema(&[
            $($crate::filter::Field { name: $name, kind: $kind }),+
        ]);
    };
}
use fields;

/// A thing that is listed.
pub(super) trait Listed: Item + Send {
    /// What can be asked of it.
    const FIELDS: Schema;
    /// The full name of its message.
    const MESSAGE: &'static str;
    /// The field that is folded from what probes see, if it has one.
    const STATUS: Option<usize>;

    /// Its resource name.
    fn name(&self) -> String;

    /// Which comes first if no order is asked for.
    fn natural(&self, other: &Self) -> Ordering;

    /// Reads a little of all that a search will read, so that it is at hand then. The number means nothing.
    fn touch(&self) -> usize {
        0
    }
}

/// What is asked of a list.
pub(super) struct Asked<'a> {
    pub(super) method: &'static str,
    pub(super) parent: &'a str,
    pub(super) page: (i32, &'a str),
    pub(super) filter: &'a str,
    pub(super) order_by: &'a str,
    pub(super) read_mask: Option<&'a FieldMask>,
}

/// One list that somebody searches and pages through.
pub(super) struct Search<'a> {
    caller: &'a Caller,
    /// All that a page token holds for.
    query: String,
    page: Page,
    filter: Query,
    order: OrderBy,
    mask: Mask,
    reads_status: bool,
}

impl<'a> Search<'a> {
    /// Reads what is asked of a list of `I`.
    pub(super) fn open<I: Listed>(asked: &Asked<'_>, caller: &'a Caller) -> Result<Self, Fault> {
        let filter = Filter::parse(asked.filter).and_then(|filter| filter.check(I::FIELDS));
        let filter = filter.map_err(|error| refused("INVALID_FILTER", "filter", asked.filter, &error))?;
        let order = OrderBy::parse(asked.order_by, I::FIELDS);
        let order = order.map_err(|error| refused("INVALID_ORDER_BY", "order_by", asked.order_by, &error))?;
        let paths = asked.read_mask.map(|mask| &mask.paths);
        let query = format!("{:?}", (asked.method, asked.parent, asked.filter, asked.order_by, paths));
        let page = Page::parse(asked.page.0, asked.page.1, &query, caller)?;
        let mask = Mask::parse(asked.read_mask, I::MESSAGE)?;
        let reads_status = I::STATUS.is_some_and(|field| filter.reads(field) || order.reads(field));
        Ok(Self { caller, query, page, filter, order, mask, reads_status })
    }

    /// The moment that the list began in; `now` for one that begins.
    pub(super) fn moment(&self, pins: &Pins, now: impl FnOnce(bool) -> Moment) -> Result<Moment, Fault> {
        match (self.page.pin, &self.page.after) {
            (Some(pin), _) => pins.find(pin),
            (None, None) => Ok(now(self.reads_status)),
            (None, Some(_)) => Err(pins::gone()),
        }
    }

    /// The last item of the page before.
    pub(super) fn after<N, E>(&self, parse: impl FnOnce(&str) -> Result<N, E>) -> Result<Option<N>, Fault> {
        self.page.after.as_deref().map(parse).transpose().map_err(|_| pins::gone())
    }

    /// What is found behind `after`, and one more than a page holds if there is more. `items` are all, in their natural
    /// order, from behind the one it is given.
    pub(super) async fn find<'n, N, I: Listed, Items: Iterator<Item = I>>(
        &self,
        after: Option<&'n N>,
        items: impl FnOnce(Option<&'n N>) -> Items,
        item: impl FnOnce(&'n N) -> Option<I>,
    ) -> Result<Vec<I>, Fault> {
        if self.order.is_empty() {
            return Ok(self.first(items(after)).await);
        }
        let last = after.map(|name| item(name).ok_or_else(pins::gone)).transpose()?;
        Ok(self.least(items(None), last).await)
    }

    /// The first items that pass.
    async fn first<I: Listed>(&self, mut items: impl Iterator<Item = I>) -> Vec<I> {
        let (mut batch, mut found) = (Vec::new(), Vec::new());
        while take(&mut batch, &mut items).await {
            for item in batch.drain(..).filter(|item| self.filter.matches(item)) {
                found.push(item);
                if found.len() > self.page.size {
                    return found;
                }
            }
        }
        found
    }

    /// The items that pass and come first, but behind `last`.
    async fn least<I: Listed>(&self, mut items: impl Iterator<Item = I>, last: Option<I>) -> Vec<I> {
        let ranked = |item| Ranked { item, order: &self.order };
        let last = last.map(ranked);
        // The greatest is on top, and falls out when one comes that is less.
        let (mut batch, mut found) = (Vec::new(), BinaryHeap::new());
        while take(&mut batch, &mut items).await {
            for item in batch.drain(..).filter(|item| self.filter.matches(item)).map(ranked) {
                if last.as_ref().is_some_and(|last| item <= *last) {
                    continue;
                }
                if found.len() <= self.page.size {
                    found.push(item);
                } else if let Some(mut greatest) = found.peek_mut()
                    && item < *greatest
                {
                    *greatest = item;
                }
            }
        }
        found.into_sorted_vec().into_iter().map(|ranked| ranked.item).collect()
    }

    /// Cuts what was found to a page, and makes the token of the next; empty if there is none.
    pub(super) fn page<I: Listed>(&self, found: &mut Vec<I>, pins: &Pins, moment: &Moment) -> String {
        if found.len() <= self.page.size {
            return String::new();
        }
        found.truncate(self.page.size);
        let pin = || pins.keep(moment, &self.caller.identity.trust_domain);
        let token = |last: &I| page::pinned_token(pin(), &last.name(), &self.query, self.caller);
        found.last().map(token).unwrap_or_default()
    }

    /// Leaves what the mask names.
    pub(super) fn show<M: Message + Default>(&self, items: impl Iterator<Item = M>) -> Result<Vec<M>, Fault> {
        items.map(|item| self.mask.apply(item)).collect()
    }
}

/// Reads the filter of somebody who is told of versions as they change; `None` lets everything through.
pub(super) fn watched(text: &str) -> Result<Option<Query>, Fault> {
    let wrong = |error: filter::Error| refused("INVALID_FILTER", "filter", text, &error);
    let filter = Filter::parse(text).map_err(wrong)?;
    let query = filter.check(VersionItem::FIELDS).map_err(wrong)?;
    if VersionItem::STATUS.is_some_and(|field| query.reads(field)) {
        let message = "filter, a state is no part of the catalogue: watch it with StatusService.WatchStatus";
        return Err(Fault::invalid("INVALID_FILTER", message));
    }
    Ok((!filter.is_empty()).then_some(query))
}

/// Takes the next items, and lends the thread to others before; false at the end.
async fn take<I: Listed>(batch: &mut Vec<I>, items: &mut impl Iterator<Item = I>) -> bool {
    tokio::task::yield_now().await;
    batch.extend(items.by_ref().take(BATCH));
    // A search waits for memory most of the time, and memory answers many such questions in the time of one.
    black_box(batch.iter().map(I::touch).fold(0, usize::wrapping_add));
    !batch.is_empty()
}

/// An item with the order that it is compared by.
struct Ranked<'a, I> {
    item: I,
    order: &'a OrderBy,
}

impl<I: Listed> Ord for Ranked<'_, I> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.compare(&self.item, &other.item).then_with(|| self.item.natural(&other.item))
    }
}

impl<I: Listed> PartialOrd for Ranked<'_, I> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<I: Listed> PartialEq for Ranked<'_, I> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<I: Listed> Eq for Ranked<'_, I> {}

/// The answer to a text that cannot be asked, with the text and a caret under what is wrong.
fn refused(reason: &'static str, field: &'static str, text: &str, error: &filter::Error) -> Fault {
    let fault = Fault::invalid(reason, format!("{field}, {error}"));
    fault.with("column", error.column.to_string()).with("drawn", error.render(text))
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Alpha => "alpha",
        Stage::Beta => "beta",
        Stage::Stable => "stable",
        Stage::Deprecated => "deprecated",
        Stage::Retired => "retired",
    }
}

fn state(state: Option<State>) -> &'static str {
    match state {
        Some(State::Serving) => "serving",
        Some(State::Degraded) => "degraded",
        Some(State::NotServing) => "not_serving",
        Some(State::Unknown) | None => "unknown",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Configuration => "configuration",
        Source::Manifest => "manifest",
        Source::Registration => "registration",
        Source::Discovery => "discovery",
        Source::Federation => "federation",
    }
}
