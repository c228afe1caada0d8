//! Protobuf's wire format, as far as needed to cut a message into its fields and to edit names inside it.
//!
//! Nothing is decoded into objects here, so bytes that we keep are the bytes that were sent.

/// Groups may nest this deep in what we skip over.
const DEEPEST_GROUP: usize = 64;

/// `FileDescriptorProto.name`.
const NAME: u32 = 1;
/// `FileDescriptorProto.dependency`.
const DEPENDENCY: u32 = 3;
/// `FileDescriptorProto.source_code_info`.
pub(super) const SOURCE_CODE_INFO: u32 = 9;
/// `FileDescriptorProto.option_dependency` (edition 2024).
pub(super) const OPTION_DEPENDENCY: u32 = 15;

/// The bytes are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// Its number.
    pub(super) number: u32,
    /// What it holds.
    pub(super) value: Value<'a>,
    /// Tag and value, as they stand in the message.
    pub(super) whole: &'a [u8],
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// A varint.
    Number(u64),
    /// A length-delimited value.
    Bytes(&'a [u8]),
    /// A fixed number or a group: nothing in a descriptor's structure is one.
    Other,
}

/// Cuts a message into its fields; ends after the first fault.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<Field<'a>, Malformed> {
        let start = self.rest;
        let (number, kind) = tag(&mut self.rest)?;
        let value = match kind {
            3 => {
                skip_group(&mut self.rest, number)?;
                Value::Other
            }
            _ => scalar(&mut self.rest, kind)?,
        };
        let whole = &start[..start.len() - self.rest.len()];
        Ok(Field { number, value, whole })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    /// The value, where the schema wants a length-delimited one.
    pub(super) fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed),
        }
    }

    /// The value, where the schema wants UTF-8 text.
    pub(super) fn text(&self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// The value, where the schema wants a number.
    pub(super) fn number(&self) -> Result<u64, Malformed> {
        match self.value {
            Value::Number(number) => Ok(number),
            _ => Err(Malformed),
        }
    }

    /// The values, where the schema wants repeated numbers, packed or not.
    pub(super) fn numbers(&self) -> Result<Vec<u64>, Malformed> {
        let mut rest = match self.value {
            Value::Number(number) => return Ok(vec![number]),
            Value::Bytes(bytes) => bytes,
            Value::Other => return Err(Malformed),
        };
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            numbers.push(varint(&mut rest)?);
        }
        Ok(numbers)
    }
}

/// How many fields a message has at its top.
pub(super) fn count(message: &[u8]) -> Result<usize, Malformed> {
    Fields::of(message).try_fold(0, |count, field| field.map(|_| count + 1))
}

/// A file without its comments: what two files must share to be one.
pub(super) fn without_source_info(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len());
    for field in Fields::of(file).flatten().filter(|field| field.number != SOURCE_CODE_INFO) {
        out.extend_from_slice(field.whole);
    }
    out
}

/// A file under another name, and with some imports under other names; every other byte as it was.
pub(super) fn rename(file: &[u8], name: &str, import: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len() + 64);
    for field in Fields::of(file).flatten() {
        let renamed = match field.number {
            NAME => Some(name.to_owned()),
            DEPENDENCY | OPTION_DEPENDENCY => field.text().ok().and_then(&import),
            _ => None,
        };
        match renamed {
            Some(text) => push_text(&mut out, field.number, &text),
            None => out.extend_from_slice(field.whole),
        }
    }
    out
}

fn push_text(out: &mut Vec<u8>, number: u32, text: &str) {
    push_varint(out, u64::from(number) << 3 | 2);
    push_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn skip_group(rest: &mut &[u8], number: u32) -> Result<(), Malformed> {
    let mut open = vec![number];
    while let Some(innermost) = open.last().copied() {
        match tag(rest)? {
            (number, 3) if open.len() < DEEPEST_GROUP => open.push(number),
            (number, 4) if number == innermost => drop(open.pop()),
            (_, 3 | 4) => return Err(Malformed),
            (_, kind) => drop(scalar(rest, kind)?),
        }
    }
    Ok(())
}

fn scalar<'a>(rest: &mut &'a [u8], kind: u8) -> Result<Value<'a>, Malformed> {
    match kind {
        0 => varint(rest).map(Value::Number),
        1 => take(rest, 8).map(|_| Value::Other),
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| Malformed)?;
            take(rest, length).map(Value::Bytes)
        }
        5 => take(rest, 4).map(|_| Value::Other),
        _ => Err(Malformed),
    }
}

fn tag(rest: &mut &[u8]) -> Result<(u32, u8), Malformed> {
    let key = u32::try_from(varint(rest)?).map_err(|_| Malformed)?;
    if key >> 3 == 0 { Err(Malformed) } else { Ok((key >> 3, (key & 7) as u8)) }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = left;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for position in 0..10 {
        let byte = *take(rest, 1)?.first().ok_or(Malformed)?;
        if position == 9 && byte > 1 {
            return Err(Malformed);
        }
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_cut_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut whole = Vec::new();
            for field in Fields::of(&bytes).flatten() {
                whole.extend_from_slice(field.whole);
            }
            prop_assert!(bytes.starts_with(&whole));
        }

        #[test]
        fn numbers_read_back(value: u64) {
            let mut bytes = Vec::new();
            push_varint(&mut bytes, value);
            prop_assert_eq!(varint(&mut &bytes[..]), Ok(value));
        }
    }

    #[test]
    fn a_group_is_skipped_whole() {
        // Group 5 that holds group 6, then field 1.
        let bytes = [0x2b, 0x33, 0x08, 0x01, 0x34, 0x2c, 0x0a, 0x01, b'x'];
        let fields: Vec<_> = Fields::of(&bytes).map(|field| field.unwrap().number).collect();
        assert_eq!(fields, [5, 1]);
        assert!(Fields::of(&[0x2b, 0x34]).next().unwrap().is_err());
        assert!(Fields::of(&[0x2b; 10_000]).next().unwrap().is_err());
    }
}
