//! How a stream or a connection ended, as somebody sees it who reads frames.

use super::raw::{DATA, END_STREAM, Frame, GOAWAY, HEADERS, RST_STREAM};

pub const PROTOCOL_ERROR: u32 = 1;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const COMPRESSION_ERROR: u32 = 9;
pub const ENHANCE_YOUR_CALM: u32 = 11;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a gRPC status.
    Status(u32),
    /// With an HTTP status other than 200.
    Http(u16),
    /// RST_STREAM, with its code.
    Reset(u32),
    /// GOAWAY, with its code.
    Goaway(u32),
    /// The connection was closed.
    Closed,
    /// Not at all: it still answers.
    Lives,
    /// It neither ended nor answered.
    Silence,
}

impl End {
    /// What a frame says about the end of `stream`; `None` if nothing.
    pub fn of(frame: &Frame, stream: u32) -> Option<Self> {
        let code = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap());
        match frame.kind {
            // NO_ERROR is how a server says goodbye to a connection that may finish.
            GOAWAY if code(4) != 0 => Some(Self::Goaway(code(4))),
            _ if frame.stream != stream => None,
            RST_STREAM => Some(Self::Reset(code(0))),
            HEADERS => status(&frame.payload),
            DATA if frame.flags & END_STREAM != 0 => Some(Self::Closed),
            _ => None,
        }
    }
}

/// The status in a header block. The broker codes strings with Huffman (RFC 7541 §5.2), so that is how they are found.
fn status(block: &[u8]) -> Option<End> {
    let name = huffman("grpc-status");
    let value = |from: usize| {
        let [length, rest @ ..] = &block[from..] else { return None };
        let coded = &rest[..usize::from(length & 0x7f)];
        (0..=16).find(|code| coded == huffman(&code.to_string()) || coded == code.to_string().as_bytes())
    };
    if let Some(at) = block.windows(name.len()).position(|window| window == name) {
        return value(at + name.len()).map(End::Status);
    }
    // A change of the table's size may come first. Fields 8 to 14 of the static table are `:status` with 200 and others.
    let block = &block[block.iter().take_while(|byte| **byte & 0xe0 == 0x20).count()..];
    match block[0] {
        0x88 => None,
        0x8c => Some(End::Http(400)),
        0x8d => Some(End::Http(404)),
        _ => (400..600u16)
            .find(|code| {
                let coded = huffman(&code.to_string());
                block[1..].starts_with(&[&[0x80 | coded.len() as u8], coded.as_slice()].concat())
            })
            .map(End::Http),
    }
}

/// Huffman code of the letters, digits and signs that the tests look for (RFC 7541 appendix B).
pub fn huffman(text: &str) -> Vec<u8> {
    let (mut bits, mut count) = (0u128, 0);
    for byte in text.bytes() {
        let (code, length) = code(byte);
        bits = bits << length | code;
        count += length;
    }
    while count % 8 != 0 {
        bits = bits << 1 | 1;
        count += 1;
    }
    bits.to_be_bytes()[16 - count / 8..].to_vec()
}

fn code(byte: u8) -> (u128, usize) {
    match byte {
        b'0'..=b'2' => (u128::from(byte - b'0'), 5),
        b'3'..=b'9' => (u128::from(byte - b'3') + 0x19, 6),
        b'a' => (0x3, 5),
        b'c' => (0x4, 5),
        b'e' => (0x5, 5),
        b'i' => (0x6, 5),
        b'o' => (0x7, 5),
        b's' => (0x8, 5),
        b't' => (0x9, 5),
        b'-' => (0x16, 6),
        b'.' => (0x17, 6),
        b'/' => (0x18, 6),
        b'g' => (0x26, 6),
        b'h' => (0x27, 6),
        b'l' => (0x28, 6),
        b'p' => (0x2b, 6),
        b'r' => (0x2c, 6),
        b'u' => (0x2d, 6),
        _ => unreachable!("no test needs {byte}"),
    }
}

#[test]
fn the_code_of_the_name_is_the_one_of_the_specification() {
    // RFC 7541 C.6.1: "302".
    assert_eq!(huffman("302"), [0x64, 0x02]);
    assert_eq!(huffman("307"), [0x64, 0x0e, 0xff]);
}
