//! One list that somebody pages through (AIP-158), where what comes next is found by the last name shown.

use super::fault::Fault;
use super::page::{self, Page};
use crate::access::Caller;

/// A page of a list, as it was asked for.
pub(super) struct List<'a> {
    /// At most so many items.
    pub(super) size: usize,
    after: Option<String>,
    query: String,
    caller: &'a Caller,
}

impl<'a> List<'a> {
    /// Reads what was asked for: `page` is the size and the token.
    pub(super) fn open(
        method: &str,
        parent: &str,
        page: (i32, &str),
        caller: &'a Caller,
    ) -> Result<Self, Fault> {
        let query = format!("{method} {parent}");
        let Page { size, after, .. } = Page::parse(page.0, page.1, &query, caller)?;
        Ok(Self { size, after, query, caller })
    }

    /// The last item of the page before.
    pub(super) fn after<T>(&self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Fault> {
        let wrong = || Fault::invalid("INVALID_PAGE_TOKEN", "page_token is not one of this list");
        self.after.as_deref().map(|after| parse(after).ok_or_else(wrong)).transpose()
    }

    /// The items of this page, and the token of the next; empty if there is none.
    pub(super) fn page<T>(
        &self,
        items: impl Iterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> (Vec<T>, String) {
        let mut items = items.fuse();
        let found: Vec<T> = items.by_ref().take(self.size).collect();
        let last = found.last().filter(|_| items.next().is_some());
        let token = last.map(|last| page::token(&name(last), &self.query, self.caller));
        (found, token.unwrap_or_default())
    }
}
