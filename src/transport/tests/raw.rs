//! Bare HTTP/2 frames, for what no well-behaved library will send or tell.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// `POST https://a/`, by the static table (RFC 7541 appendix A).
pub(super) const REQUEST: &[u8] = &[0x83, 0x87, 0x84, 0x41, 0x01, b'a'];
/// `:status: 200`.
pub(super) const RESPONSE: &[u8] = &[0x88];

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A peer that says exactly what the test wants.
pub(super) struct Raw(pub(super) DuplexStream);

impl Raw {
    /// Greets as a client does.
    pub(super) async fn client(mut io: DuplexStream) -> Self {
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        io.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
        Self(io)
    }

    /// Greets as a server does, with `settings` as the payload of its SETTINGS.
    pub(super) async fn server(mut io: DuplexStream, settings: &[u8]) -> Self {
        io.read_exact(&mut [0; 24]).await.unwrap();
        io.write_all(&frame(SETTINGS, 0, 0, settings)).await.unwrap();
        Self(io)
    }

    pub(super) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.write_all(&frame(kind, flags, stream, payload)).await.unwrap();
    }

    /// The next frame that is of one of these kinds; SETTINGS are acknowledged on the way. `None` at the end.
    pub(super) async fn next(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            let frame = Frame { kind: head[3], flags: head[4], stream, payload };
            if frame.kind == SETTINGS && frame.flags & ACK == 0 {
                self.send(SETTINGS, ACK, 0, &[]).await;
            }
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }
}
