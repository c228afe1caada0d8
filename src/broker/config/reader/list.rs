//! Fields that hold a list, or one entry of it.

use super::{Field, Value};

impl<'r> Field<'r> {
    /// Every entry of a list, all of them good.
    pub(in crate::broker::config) fn list<T>(
        &self,
        read: impl Fn(&Field<'r>) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.items(read)?.into_iter().collect()
    }

    /// A list that is not empty.
    pub(in crate::broker::config) fn some<T>(
        &self,
        read: impl Fn(&Field<'r>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let list = self.list(read)?;
        if list.is_empty() { self.fault("the list is empty", "give at least one entry") } else { Some(list) }
    }

    /// A list that is not empty, or one entry of it without brackets.
    pub(in crate::broker::config) fn one_or_more<T>(
        &self,
        read: impl Fn(&Field<'r>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &self.node.value {
            Value::List(_) => self.some(read),
            _ => read(self).map(|alone| vec![alone]),
        }
    }

    /// A list that may be empty, or one entry of it without brackets.
    pub(in crate::broker::config) fn none_or_more<T>(
        &self,
        read: impl Fn(&Field<'r>) -> Option<T>,
    ) -> Option<Vec<T>> {
        match &self.node.value {
            Value::List(_) => self.list(read),
            _ => read(self).map(|alone| vec![alone]),
        }
    }

    /// What became of every entry of a list. All are read, so that the faults of all are told.
    pub(super) fn items<T>(&self, read: impl Fn(&Field<'r>) -> Option<T>) -> Option<Vec<Option<T>>> {
        let Value::List(items) = &self.node.value else { return self.wrong("a list", "put it in [ ]") };
        let item =
            |(index, node)| Field { reader: self.reader, path: format!("{}[{index}]", self.path), node };
        Some(items.iter().enumerate().map(item).map(|field| read(&field)).collect())
    }
}
