//! Walks one serialized file and tells what it declares, without decoding it into objects.
//!
//! Objects would cost a stranger two bytes and us three hundred; here each part is counted before it costs anything.

use super::fault::{Fault, Limits, excerpt};
use super::header::is_identifier;
use super::raw::{self, Field, Fields, Malformed};

/// Messages may nest this deep; prost's own recursion limit is 100.
const DEEPEST: usize = 48;

/// What the walk meets.
#[derive(Debug)]
pub(super) enum Event<'a, 'n> {
    /// A declaration, by its full name.
    Declared(&'n str, Kind),
    /// A use of a type inside `scope`; only a message will do if `message`.
    Uses { scope: &'n str, name: &'a str, message: bool },
    /// An extension of `extendee`, as written, with this number.
    Extends { extendee: &'a str, number: i32 },
    /// A method of the service that was declared last.
    Method(Method<'a>),
    /// So many small parts that are not declarations.
    Parts(usize),
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Package,
    Message,
    Enum,
    Service,
    /// A field, a oneof, an enum value, a method or an extension.
    Member,
}

/// A method as its service declares it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Method<'a> {
    pub(super) name: &'a str,
    pub(super) input: &'a str,
    pub(super) output: &'a str,
    pub(super) client_streaming: bool,
    pub(super) server_streaming: bool,
    /// Whether it may run more than once.
    pub(super) is_idempotent: bool,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum Stop<E> {
    /// The file is at fault.
    Fault(Fault),
    /// The visitor has what it wanted, or has had enough.
    Visitor(E),
}

/// Who is told what the walk meets.
pub(super) type Visit<'v, 'a, E> = dyn FnMut(Event<'a, '_>) -> Result<(), E> + 'v;

/// Walks all declarations of a file, outer before inner.
pub(super) fn walk<'a, E>(
    file: &'a [u8],
    package: &str,
    limits: &Limits,
    visit: &mut dyn FnMut(Event<'a, '_>) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    let mut walk = Walk { scope: package.to_owned(), limit: limits.symbol_name, visit };
    for field in Fields::of(file) {
        let field = field?;
        match field.number {
            4 => walk.message(field.bytes()?, DEEPEST)?,
            5 => walk.enumeration(field.bytes()?)?,
            6 => walk.service(field.bytes()?)?,
            7 => walk.field(field.bytes()?)?,
            8 | raw::SOURCE_CODE_INFO => walk.parts(&field)?,
            _ => {}
        }
    }
    Ok(())
}

struct Walk<'v, 'a, E> {
    /// The full name of what we are in.
    scope: String,
    limit: usize,
    visit: &'v mut Visit<'v, 'a, E>,
}

impl<'a, E> Walk<'_, 'a, E> {
    fn message(&mut self, message: &'a [u8], depth: usize) -> Result<(), Stop<E>> {
        let depth = depth.checked_sub(1).ok_or(Fault::TooDeep)?;
        let outer = self.enter(name_of(message)?)?;
        self.declared(Kind::Message)?;
        for field in Fields::of(message) {
            let field = field?;
            match field.number {
                2 | 6 => self.field(field.bytes()?)?,
                3 => self.message(field.bytes()?, depth)?,
                4 => self.enumeration(field.bytes()?)?,
                7 => self.parts(&field)?,
                8 => self.named(field.bytes()?, 2)?,
                _ => self.visit(Event::Parts(1))?,
            }
        }
        self.scope.truncate(outer);
        Ok(())
    }

    /// A field, or an extension: that is a field with an extendee.
    fn field(&mut self, field: &'a [u8]) -> Result<(), Stop<E>> {
        let (mut name, mut extendee, mut type_name, mut number, mut kind) = ("", None, None, 0, 0);
        for part in Fields::of(field) {
            let part = part?;
            match part.number {
                1 => name = part.text()?,
                2 => extendee = Some(part.text()?),
                3 => number = part.number()? as i32,
                5 => kind = part.number()?,
                6 => type_name = Some(part.text()?),
                8 => self.parts(&part)?,
                _ => {}
            }
        }
        if let Some(extendee) = extendee {
            self.visit_in_scope(|scope| Event::Uses { scope, name: extendee, message: true })?;
            self.visit(Event::Extends { extendee, number })?;
        }
        if let Some(name) = type_name {
            // 10 is a group, 11 a message, 14 an enum; without a type either will do.
            let message = matches!(kind, 10 | 11);
            self.visit_in_scope(|scope| Event::Uses { scope, name, message })?;
        }
        self.leaf(name)
    }

    fn enumeration(&mut self, enumeration: &'a [u8]) -> Result<(), Stop<E>> {
        let outer = self.enter(name_of(enumeration)?)?;
        self.declared(Kind::Enum)?;
        self.scope.truncate(outer);
        for field in Fields::of(enumeration) {
            let field = field?;
            match field.number {
                // Values are siblings of their enum, as in C++.
                2 => self.named(field.bytes()?, 3)?,
                3 => self.parts(&field)?,
                _ => self.visit(Event::Parts(1))?,
            }
        }
        Ok(())
    }

    fn service(&mut self, service: &'a [u8]) -> Result<(), Stop<E>> {
        let outer = self.enter(name_of(service)?)?;
        self.declared(Kind::Service)?;
        for field in Fields::of(service) {
            let field = field?;
            match field.number {
                2 => self.method(field.bytes()?)?,
                3 => self.parts(&field)?,
                _ => self.visit(Event::Parts(1))?,
            }
        }
        self.scope.truncate(outer);
        Ok(())
    }

    fn method(&mut self, bytes: &'a [u8]) -> Result<(), Stop<E>> {
        let mut method = Method::default();
        for part in Fields::of(bytes) {
            let part = part?;
            match part.number {
                1 => method.name = part.text()?,
                2 => method.input = part.text()?,
                3 => method.output = part.text()?,
                4 => {
                    self.parts(&part)?;
                    method.is_idempotent = is_idempotent(part.bytes()?)?.unwrap_or(method.is_idempotent);
                }
                5 => method.client_streaming = part.number()? != 0,
                6 => method.server_streaming = part.number()? != 0,
                _ => {}
            }
        }
        for name in [method.input, method.output] {
            self.visit_in_scope(|scope| Event::Uses { scope, name, message: true })?;
        }
        self.leaf(method.name)?;
        self.visit(Event::Method(method))
    }

    /// A part of which only the name and the options matter.
    fn named(&mut self, part: &'a [u8], options: u32) -> Result<(), Stop<E>> {
        for field in Fields::of(part) {
            let field = field?;
            if field.number == options {
                self.parts(&field)?;
            }
        }
        self.leaf(name_of(part)?)
    }

    fn leaf(&mut self, name: &str) -> Result<(), Stop<E>> {
        let outer = self.enter(name)?;
        self.declared(Kind::Member)?;
        self.scope.truncate(outer);
        Ok(())
    }

    /// Goes into `name`; what it returns is the length to cut the scope to on the way out.
    fn enter(&mut self, name: &str) -> Result<usize, Stop<E>> {
        if !is_identifier(name) {
            return Err(Fault::BadIdentifier { name: excerpt(name) }.into());
        }
        let outer = self.scope.len();
        if outer + 1 + name.len() > self.limit {
            return Err(Fault::NameTooLong { name: excerpt(name), limit: self.limit }.into());
        }
        if outer > 0 {
            self.scope.push('.');
        }
        self.scope.push_str(name);
        Ok(outer)
    }

    fn declared(&mut self, kind: Kind) -> Result<(), Stop<E>> {
        self.visit_in_scope(|scope| Event::Declared(scope, kind))
    }

    fn parts(&mut self, field: &Field<'a>) -> Result<(), Stop<E>> {
        let count = raw::count(field.bytes()?)?;
        self.visit(Event::Parts(count + 1))
    }

    fn visit_in_scope<'n>(&'n mut self, event: impl FnOnce(&'n str) -> Event<'a, 'n>) -> Result<(), Stop<E>> {
        (self.visit)(event(&self.scope)).map_err(Stop::Visitor)
    }

    fn visit(&mut self, event: Event<'a, '_>) -> Result<(), Stop<E>> {
        (self.visit)(event).map_err(Stop::Visitor)
    }
}

/// What `google.protobuf.MethodOptions` say of it: `NO_SIDE_EFFECTS` and `IDEMPOTENT` do.
fn is_idempotent(options: &[u8]) -> Result<Option<bool>, Malformed> {
    let mut said = None;
    for option in Fields::of(options) {
        let option = option?;
        if option.number == 34 {
            said = Some(matches!(option.number()?, 1 | 2));
        }
    }
    Ok(said)
}

fn name_of(part: &[u8]) -> Result<&str, Malformed> {
    let mut name = "";
    for field in Fields::of(part) {
        let field = field?;
        if field.number == 1 {
            name = field.text()?;
        }
    }
    Ok(name)
}

impl<E> From<Malformed> for Stop<E> {
    fn from(_: Malformed) -> Self {
        Stop::Fault(Fault::Malformed)
    }
}

impl<E> From<Fault> for Stop<E> {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// The full names that `written` may stand for inside `scope`, the innermost first.
pub(super) fn scopes<'s>(scope: &'s str, written: &'s str) -> impl Iterator<Item = String> + 's {
    let outer = |scope: &&'s str| match scope.rfind('.') {
        Some(dot) => Some(&scope[..dot]),
        None => Some("").filter(|_| !scope.is_empty()),
    };
    let join =
        move |scope: &str| if scope.is_empty() { written.to_owned() } else { format!("{scope}.{written}") };
    std::iter::successors(Some(scope), outer).map(join)
}
