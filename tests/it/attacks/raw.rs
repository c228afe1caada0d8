//! HTTP/2 by hand over real TLS: frames that no well-behaved library sends.

use super::end::End;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::time::timeout;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const ACK: u8 = 1;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// SETTINGS with SETTINGS_HEADER_TABLE_SIZE 0, so that what comes back can be read without a table; and yes to the other's.
pub const GREETING: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0];

/// How long an answer may take before the test says that there is none.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Header fields as literals that touch no table (RFC 7541 §6.2.2).
pub fn hpack<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            integer(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn integer(block: &mut Vec<u8>, mut value: usize) {
    if value < 127 {
        return block.push(value as u8);
    }
    block.push(127);
    value -= 127;
    while value >= 128 {
        block.push((value % 128 + 128) as u8);
        value /= 128;
    }
    block.push(value as u8);
}

/// A frame that came back.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// One end of a connection, spoken by hand.
pub struct Raw<IO> {
    read: ReadHalf<IO>,
    write: WriteHalf<IO>,
}

impl<IO: AsyncRead + AsyncWrite + Send + 'static> Raw<IO> {
    pub fn new(io: IO) -> Self {
        let (read, write) = split(io);
        Self { read, write }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // TLS keeps what the socket does not take at once. A peer that has hung up says so when it is read from.
        let sent = async { self.write.write_all(bytes).await.and(self.write.flush().await) };
        let _ = timeout(PATIENCE, sent).await;
    }

    /// Says goodbye to TLS and TCP, and takes what still comes.
    pub async fn close(&mut self) {
        let gone = async {
            let _ = self.write.shutdown().await;
            while self.next().await.is_some() {}
        };
        let _ = timeout(PATIENCE, gone).await;
    }

    /// Reads what a client says first.
    pub async fn preface(&mut self) {
        let _ = self.read.read_exact(&mut [0; 24]).await;
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn next(&mut self) -> Option<Frame> {
        next(&mut self.read).await
    }

    /// Sends a request that is whole in its head and says how it ended.
    pub async fn ask(&mut self, stream: u32, block: &[u8]) -> End {
        self.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, block)).await;
        self.end_of(stream).await
    }

    /// How a stream ended.
    pub async fn end_of(&mut self, stream: u32) -> End {
        let wait = async {
            while let Some(frame) = self.next().await {
                if let Some(end) = End::of(&frame, stream) {
                    return end;
                }
            }
            End::Closed
        };
        timeout(PATIENCE, wait).await.unwrap_or(End::Silence)
    }

    /// The body of a stream, and how it ended.
    pub async fn read(&mut self, stream: u32) -> (Vec<u8>, End) {
        let mut body = Vec::new();
        let wait = async {
            while let Some(frame) = self.next().await {
                if frame.kind == DATA && frame.stream == stream {
                    body.extend_from_slice(&frame.payload);
                }
                if let Some(end) = End::of(&frame, stream) {
                    return end;
                }
            }
            End::Closed
        };
        let end = timeout(PATIENCE, wait).await.unwrap_or(End::Silence);
        (body, end)
    }

    /// Sends everything while reading what comes back, then asks by PING whether the other side still lives.
    pub async fn flood(self, bytes: Vec<u8>) -> End {
        let Self { mut read, mut write } = self;
        let sending = portolan::lifecycle::spawn("test flood", async move {
            let ping = frame(PING, 0, 0, b"are you?");
            let _ = write.write_all(&bytes).await;
            let _ = write.write_all(&ping).await;
            let _ = write.flush().await;
            std::future::pending().await
        });
        let wait = async {
            while let Some(frame) = next(&mut read).await {
                match frame.kind {
                    GOAWAY => return End::of(&frame, 0).unwrap_or(End::Closed),
                    PING if frame.flags & ACK != 0 && frame.payload == b"are you?" => return End::Lives,
                    _ => {}
                }
            }
            End::Closed
        };
        let end = timeout(PATIENCE * 2, wait).await.unwrap_or(End::Silence);
        sending.abort();
        end
    }

    /// Sends for a while, whether or not it is taken, and never reads.
    pub async fn shout(&mut self, bytes: &[u8], long: Duration) {
        let _ = timeout(long, self.write.write_all(bytes)).await;
    }
}

async fn next(io: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    io.read_exact(&mut payload).await.ok()?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Some(Frame { kind: head[3], flags: head[4], stream, payload })
}
