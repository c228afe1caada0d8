//! Counts the messages of a stream by their length prefixes (gRPC over HTTP/2, "Length-Prefixed-Message"), without
//! decoding and without holding a byte.

use super::course::Tally;

/// Watches one direction of a stream for messages over a limit.
#[derive(Debug)]
pub(super) struct Meter {
    limit: u32,
    prefix: [u8; 5],
    have: usize,
    left: u64,
    tally: Tally,
}

/// A message announced itself longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversize {
    /// The length it announced, in bytes.
    pub length: u32,
    /// The longest allowed, in bytes.
    pub limit: u32,
}

impl Meter {
    /// A meter that allows messages of up to `limit` bytes.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, prefix: [0; 5], have: 0, left: 0, tally: Tally::default() }
    }

    /// What passed so far.
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes the next bytes of the stream, however they are cut.
    pub(super) fn feed(&mut self, mut data: &[u8]) -> Result<(), Oversize> {
        self.tally.bytes += data.len() as u64;
        while !data.is_empty() {
            if self.left > 0 {
                let skip = self.left.min(data.len() as u64);
                self.left -= skip;
                data = &data[skip as usize..];
                continue;
            }
            let take = (5 - self.have).min(data.len());
            self.prefix[self.have..self.have + take].copy_from_slice(&data[..take]);
            self.have += take;
            data = &data[take..];
            if self.have == 5 {
                self.have = 0;
                let length =
                    u32::from_be_bytes([self.prefix[1], self.prefix[2], self.prefix[3], self.prefix[4]]);
                if length > self.limit {
                    return Err(Oversize { length, limit: self.limit });
                }
                self.left = u64::from(length);
                self.tally.messages += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.extend(std::iter::repeat_n(0xff, length as usize));
        bytes
    }

    #[test]
    fn four_gibibytes_are_refused_at_their_prefix() {
        let refused = Meter::new(1 << 20).feed(&[0, 0xff, 0xff, 0xff, 0xff]).unwrap_err();
        assert_eq!(refused, Oversize { length: u32::MAX, limit: 1 << 20 });
    }

    proptest! {
        #[test]
        fn it_finds_the_oversize_message_however_frames_are_cut(
            lengths in proptest::collection::vec(0u32..300, 0..20), cut in 1usize..40, limit in 0u32..300,
        ) {
            let stream: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
            let mut meter = Meter::new(limit);
            let seen = stream.chunks(cut).try_for_each(|chunk| meter.feed(chunk));
            let first = lengths.into_iter().find(|length| *length > limit);
            prop_assert_eq!(seen.err().map(|oversize| oversize.length), first);
        }
    }
}
