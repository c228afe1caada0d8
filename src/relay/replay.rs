//! What a call sent so far, kept until its answer begins, so that it can be sent again elsewhere.
//!
//! Owns: the copies, their bounds. Never: a header map (one is only built when a call is sent again), more than the
//! limits allow: a call that outgrows them goes on, and is sent once.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, request};
use std::cell::RefCell;

/// Frames up to this size are copied: a handle would keep a whole read buffer in memory.
const COPIED: usize = 1024;
/// A spare copy keeps at most so many bytes of room.
const SPARE_BYTES: usize = 8 * 1024;
/// The same of frames.
const SPARE_FRAMES: usize = 16;
/// So many spare copies are kept by each worker.
const SPARES: usize = 256;
/// Marks the length of a value that must not be indexed by HPACK.
const SENSITIVE: u32 = 1 << 31;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one call, head and body.
    pub call: usize,
    /// Bytes of all calls of one worker.
    pub worker: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { call: 64 * 1024, worker: 64 * 1024 * 1024 }
    }
}

/// The copy of one call; empty once it is too large, or of no use any more.
#[derive(Debug)]
pub(super) struct Replay {
    kept: Option<Kept>,
    limits: Limits,
}

#[derive(Debug, Default)]
struct Kept {
    /// Path, authority and headers, each with its length before it; after them the small frames.
    flat: Vec<u8>,
    /// Where the head ends in `flat`.
    head: usize,
    frames: Vec<Frame>,
    /// Whether the last frame ended the request.
    is_whole: bool,
    /// Bytes that count against the limits.
    bytes: usize,
}

#[derive(Debug)]
enum Frame {
    Copied { at: usize, length: usize },
    Held(Bytes),
}

/// What one worker thread keeps. A worker is one thread: nothing here is shared, locked or counted by others.
struct Shelf {
    spare: Vec<Kept>,
    bytes: usize,
}

thread_local! {
    static SHELF: RefCell<Shelf> = const { RefCell::new(Shelf { spare: Vec::new(), bytes: 0 }) };
}

impl Replay {
    /// Copies the head of a request; with `end` it is the whole request.
    pub(super) fn of(head: &request::Parts, end: bool, limits: Limits) -> Self {
        let mut replay = Self { kept: None, limits };
        let mut kept = on_shelf(|shelf| shelf.spare.pop()).flatten().unwrap_or_default();
        kept.write_head(head);
        kept.is_whole = end;
        let bytes = kept.head;
        replay.kept = Some(kept);
        replay.grow(bytes);
        replay
    }

    /// Keeps a frame, too; with `end` it is the last one.
    pub(super) fn push(&mut self, data: &Bytes, end: bool) {
        if data.is_empty() {
            // Nothing to keep, and nothing to count: the end may come by itself.
            if let Some(kept) = &mut self.kept {
                kept.is_whole = end;
            }
            return;
        }
        self.grow(cost(data.len()));
        let Some(kept) = &mut self.kept else { return };
        kept.is_whole = end;
        if data.len() > COPIED {
            kept.frames.push(Frame::Held(data.clone()));
        } else if let Some(Frame::Copied { length, .. }) = kept.frames.last_mut() {
            // Nobody counts frames: small ones become one.
            *length += data.len();
            kept.flat.extend_from_slice(data);
        } else {
            kept.frames.push(Frame::Copied { at: kept.flat.len(), length: data.len() });
            kept.flat.extend_from_slice(data);
        }
    }

    /// Lets go of it: the call cannot be sent again.
    pub(super) fn release(&mut self) {
        let Some(mut kept) = self.kept.take() else { return };
        on_shelf(|shelf| {
            shelf.bytes = shelf.bytes.saturating_sub(kept.bytes);
            let is_small = kept.flat.capacity() <= SPARE_BYTES && kept.frames.capacity() <= SPARE_FRAMES;
            if shelf.spare.len() < SPARES && is_small {
                kept.clear();
                shelf.spare.push(kept);
            }
        });
    }

    /// Whether all that was sent is here.
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Whether the whole request is here.
    pub(super) fn is_whole(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_whole)
    }

    /// The head, as it was; the address is the consumer's own, or none.
    pub(super) fn head(&self) -> Option<request::Parts> {
        self.kept.as_ref()?.read_head()
    }

    /// A frame of the body by its place, and whether it ends the request; `None` after the last one.
    pub(super) fn frame(&self, place: usize) -> Option<(Bytes, bool)> {
        let kept = self.kept.as_ref()?;
        let data = match kept.frames.get(place)? {
            Frame::Copied { at, length } => Bytes::copy_from_slice(kept.flat.get(*at..at + length)?),
            Frame::Held(data) => data.clone(),
        };
        Some((data, kept.is_whole && place + 1 == kept.frames.len()))
    }

    /// All frames of the body, each with whether it ends the request.
    pub(super) fn frames(&self) -> Vec<(Bytes, bool)> {
        (0..).map_while(|place| self.frame(place)).collect()
    }

    /// Whether a frame of so many bytes would still fit.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        let (bytes, Limits { call, worker }) = (cost(bytes), self.limits);
        self.kept.as_ref().is_some_and(|kept| kept.bytes + bytes <= call)
            && on_shelf(|shelf| shelf.bytes + bytes <= worker).unwrap_or(false)
    }

    /// Counts more bytes, and lets go of all if they are too many.
    fn grow(&mut self, bytes: usize) {
        let Some(kept) = &mut self.kept else { return };
        let Limits { call, worker } = self.limits;
        let fits = kept.bytes + bytes <= call
            && on_shelf(|shelf| {
                let fits = shelf.bytes + bytes <= worker;
                shelf.bytes += if fits { bytes } else { 0 };
                fits
            })
            .unwrap_or(false);
        match fits {
            true => kept.bytes += bytes,
            false => self.release(),
        }
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.release();
    }
}

impl Kept {
    fn clear(&mut self) {
        self.flat.clear();
        self.frames.clear();
        (self.head, self.is_whole, self.bytes) = (0, false, 0);
    }

    fn write_head(&mut self, head: &request::Parts) {
        let uri = &head.uri;
        self.write(uri.path_and_query().map(|path| path.as_str()).unwrap_or_default().as_bytes(), 0);
        self.write(uri.authority().map(Authority::as_str).unwrap_or_default().as_bytes(), 0);
        for (name, value) in &head.headers {
            self.write(name.as_str().as_bytes(), 0);
            self.write(value.as_bytes(), if value.is_sensitive() { SENSITIVE } else { 0 });
        }
        self.head = self.flat.len();
    }

    fn write(&mut self, bytes: &[u8], mark: u32) {
        // Header lists are limited to far less than 2 GiB.
        self.flat.extend_from_slice(&(bytes.len() as u32 | mark).to_ne_bytes());
        self.flat.extend_from_slice(bytes);
    }

    fn read_head(&self) -> Option<request::Parts> {
        let mut rest = self.flat.get(..self.head)?;
        let (path, _) = read(&mut rest)?;
        let (authority, _) = read(&mut rest)?;
        let mut uri = http::uri::Parts::default();
        uri.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
        if !authority.is_empty() {
            uri.authority = Some(Authority::try_from(authority).ok()?);
            uri.scheme = Some(Scheme::HTTPS);
        }
        let mut headers = HeaderMap::new();
        while !rest.is_empty() {
            let (name, _) = read(&mut rest)?;
            let (value, is_sensitive) = read(&mut rest)?;
            let mut value = HeaderValue::from_bytes(value).ok()?;
            value.set_sensitive(is_sensitive);
            headers.append(HeaderName::from_bytes(name).ok()?, value);
        }
        let (mut head, ()) = Request::new(()).into_parts();
        (head.method, head.uri, head.headers) = (Method::POST, Uri::from_parts(uri).ok()?, headers);
        Some(head)
    }
}

/// What a frame of so many bytes counts, with its own place.
fn cost(bytes: usize) -> usize {
    bytes + size_of::<Frame>()
}

fn read<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], bool)> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let length = u32::from_ne_bytes(*length);
    let (bytes, after) = after.split_at_checked((length & !SENSITIVE) as usize)?;
    *rest = after;
    Some((bytes, length & SENSITIVE != 0))
}

/// `None` while the thread ends.
fn on_shelf<T>(act: impl FnOnce(&mut Shelf) -> T) -> Option<T> {
    SHELF.try_with(|shelf| shelf.try_borrow_mut().ok().map(|mut shelf| act(&mut shelf))).ok().flatten()
}

#[cfg(test)]
mod tests;
