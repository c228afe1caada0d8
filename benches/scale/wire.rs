//! HTTP/2 frames without a state machine: the least that load and backend can cost, so that neither limits a measurement.
//!
//! Neither end counts the other's windows: a message has 133 bytes, and of the 128 that are under way at most one is of
//! each stream, so that less than the smallest window is ever used.

use bytes::{Bytes, BytesMut};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A gRPC message of usual size: five bytes of prefix, and 128.
pub const MESSAGE: usize = 133;
/// So much is taken of all streams together before it is granted again, in bytes.
const GRANT: usize = 1 << 19;

pub struct Wire<IO> {
    io: IO,
    rx: BytesMut,
    pub tx: Vec<u8>,
    taken: usize,
}

/// A frame of a stream.
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Bytes,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Wire<IO> {
    /// With these settings, and a window for all streams that is never used up.
    pub fn new(io: IO, settings: &[(u16, u32)]) -> Self {
        let mut wire = Self { io, rx: BytesMut::with_capacity(16 << 10), tx: Vec::new(), taken: 0 };
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        wire.put(SETTINGS, 0, 0, &settings);
        wire.put(WINDOW_UPDATE, 0, 0, &(2 * GRANT as u32).to_be_bytes());
        wire
    }

    /// Waits for more of what the other end says. May be cancelled.
    pub async fn read(&mut self) -> io::Result<()> {
        self.rx.reserve(16 << 10);
        match self.io.read_buf(&mut self.rx).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Takes a client's first words.
    pub async fn preface(&mut self) -> io::Result<()> {
        while self.rx.len() < PREFACE.len() {
            self.read().await?;
        }
        if self.rx.split_to(PREFACE.len()) == PREFACE {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        }
    }

    /// The next frame of a stream that has arrived whole; those of the connection are answered here.
    pub fn next(&mut self) -> io::Result<Option<Frame>> {
        while self.rx.len() >= 9 {
            let long = u32::from_be_bytes([0, self.rx[0], self.rx[1], self.rx[2]]) as usize;
            if self.rx.len() < 9 + long {
                break;
            }
            let head = self.rx.split_to(9);
            let payload = self.rx.split_to(long).freeze();
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
            let (kind, flags) = (head[3], head[4]);
            match kind {
                SETTINGS if flags & ACK == 0 => self.put(SETTINGS, ACK, 0, &[]),
                PING if flags & ACK == 0 => self.put(PING, ACK, 0, &payload),
                RESET | GOAWAY => {
                    return Err(io::Error::other(format!("frame {kind} for stream {stream}: {payload:?}")));
                }
                DATA | HEADERS => {
                    self.take(kind, long);
                    return Ok(Some(Frame { kind, flags, stream, payload }));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    pub fn put(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.tx.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
        self.tx.extend_from_slice(&[kind, flags]);
        self.tx.extend_from_slice(&stream.to_be_bytes());
        self.tx.extend_from_slice(payload);
    }

    pub async fn flush(&mut self) -> io::Result<()> {
        if !self.tx.is_empty() {
            self.io.write_all(&self.tx).await?;
            self.io.flush().await?;
            self.tx.clear();
        }
        Ok(())
    }

    fn take(&mut self, kind: u8, long: usize) {
        if kind == DATA {
            self.taken += long;
        }
        if self.taken >= GRANT {
            self.put(WINDOW_UPDATE, 0, 0, &(self.taken as u32).to_be_bytes());
            self.taken = 0;
        }
    }
}

/// A header field that is not indexed, or is from now on, by a name of the static table or, with 0, a new one (RFC 7541, 6.2).
pub fn field(block: &mut Vec<u8>, (pattern, prefix): (u8, u8), known: u8, name: &str, value: &str) {
    let most = (1 << prefix) - 1;
    if known < most {
        block.push(pattern | known);
    } else {
        block.extend([pattern | most, known - most]);
    }
    let texts = if known == 0 { vec![name, value] } else { vec![value] };
    for text in texts {
        assert!(text.len() < 127, "a length of one byte");
        block.push(text.len() as u8);
        block.extend_from_slice(text.as_bytes());
    }
}

/// Literals that the other end does not keep, and those that it does.
pub const PASSING: (u8, u8) = (0, 4);
pub const KEPT: (u8, u8) = (0x40, 6);
