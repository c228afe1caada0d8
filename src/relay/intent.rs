//! What a caller asks of the route: by metadata of a call, or by the fields of a question about one.

use crate::model::PlatformName;
use http::{HeaderMap, HeaderValue};
use semver::{Op, Version, VersionReq};
use std::time::Duration;

/// Goes to this platform's claim, also where another owns the name.
pub const PLATFORM: &str = "portolan-platform";
/// Only versions of this range.
pub const VERSION: &str = "portolan-version";
/// Only producers whose knowledge is not older.
pub const MAX_STALENESS: &str = "portolan-max-staleness";
/// Whether the answer tells why it came from there.
pub const EXPLAIN: &str = "portolan-explain";

/// The longest value that is looked at, in bytes. The longest platform name has 253.
const LONGEST: usize = 256;

/// What a caller asks of the route. Nothing is asked by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// The platform to go to; the owner of the service name without it.
    pub platform: Option<PlatformName>,
    /// The versions that will do; any without it.
    pub range: Option<VersionReq>,
    /// How old the knowledge of a producer may be; zero takes only what is known to live now.
    pub max_staleness: Option<Duration>,
    /// Whether the answer tells why it came from there.
    pub explain: bool,
}

/// Metadata that ask for what nobody can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{header}: {wrong}; {fix}")]
pub struct BadIntent {
    /// Which header.
    pub header: &'static str,
    /// What is wrong with it.
    pub wrong: String,
    /// What to write.
    pub fix: &'static str,
}

impl Intent {
    /// Reads the metadata of a call.
    pub fn read(headers: &HeaderMap) -> Result<Self, BadIntent> {
        // Most calls ask for nothing: one look at the names instead of four searches.
        if !headers.keys().any(|name| name.as_str().starts_with("portolan-")) {
            return Ok(Self::default());
        }
        Ok(Self {
            platform: value(headers, PLATFORM)?.map(platform).transpose()?,
            range: value(headers, VERSION)?.map(range).transpose()?,
            max_staleness: value(headers, MAX_STALENESS)?.map(max_staleness).transpose()?,
            explain: value(headers, EXPLAIN)?.map(explain).transpose()?.unwrap_or_default(),
        })
    }

    /// Reads the same as text, where empty is not asked for.
    pub fn of(
        platform_text: &str,
        range_text: &str,
        max_staleness: Option<Duration>,
    ) -> Result<Self, BadIntent> {
        let given =
            |text: &'static str, value| Some(value).filter(|v: &&str| !v.is_empty()).map(|v| short(text, v));
        Ok(Self {
            platform: given(PLATFORM, platform_text).transpose()?.map(platform).transpose()?,
            range: given(VERSION, range_text).transpose()?.map(range).transpose()?,
            max_staleness,
            explain: false,
        })
    }

    /// Whether a version is in the range. A pre-release is only where the range names one of the same numbers.
    pub fn takes(&self, version: &Version) -> bool {
        self.range.as_ref().is_none_or(|range| range.matches(version))
    }

    /// Whether the range is one exact version.
    pub fn is_exact(&self) -> bool {
        let comparators = self.range.as_ref().map(|range| range.comparators.as_slice());
        matches!(comparators, Some([one]) if one.op == Op::Exact && one.minor.is_some() && one.patch.is_some())
    }
}

fn value<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, BadIntent> {
    let Some(first) = headers.get(name) else { return Ok(None) };
    if headers.get_all(name).iter().nth(1).is_some() {
        return Err(BadIntent { header: name, wrong: "it is given twice".to_owned(), fix: "give it once" });
    }
    let not_ascii = |_| BadIntent {
        header: name,
        wrong: "it holds bytes that are not ASCII".to_owned(),
        fix: "write visible ASCII",
    };
    short(name, HeaderValue::to_str(first).map_err(not_ascii)?.trim()).map(Some)
}

fn short<'a>(header: &'static str, text: &'a str) -> Result<&'a str, BadIntent> {
    if text.len() <= LONGEST {
        return Ok(text);
    }
    let wrong = format!("it has {} bytes, and at most {LONGEST} are read", text.len());
    Err(BadIntent { header, wrong, fix: "write less" })
}

fn platform(text: &str) -> Result<PlatformName, BadIntent> {
    PlatformName::parse(text).map_err(|error| BadIntent {
        header: PLATFORM,
        wrong: error.to_string(),
        fix: "write the name of a platform, such as payments.example",
    })
}

fn range(text: &str) -> Result<VersionReq, BadIntent> {
    VersionReq::parse(text).map_err(|error| BadIntent {
        header: VERSION,
        wrong: format!("{text:?} is no range of versions: {error}"),
        fix: "write ^1.2, ~1.2.3, =1.4.0, * or bounds such as \">=1.2, <3\"",
    })
}

fn max_staleness(text: &str) -> Result<Duration, BadIntent> {
    let wrong = || BadIntent {
        header: MAX_STALENESS,
        wrong: format!("{text:?} is no duration"),
        fix: "write up to eight digits and ms, s, m or h, such as 30s, or 0",
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (amount, unit) = text.split_at(digits);
    if digits > 8 {
        return Err(wrong());
    }
    let amount: u64 = amount.parse().map_err(|_| wrong())?;
    match unit {
        "" if amount == 0 => Ok(Duration::ZERO),
        "ms" => Ok(Duration::from_millis(amount)),
        "s" => Ok(Duration::from_secs(amount)),
        "m" => Ok(Duration::from_secs(amount * 60)),
        "h" => Ok(Duration::from_secs(amount * 3600)),
        _ => Err(wrong()),
    }
}

fn explain(text: &str) -> Result<bool, BadIntent> {
    match text {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err(BadIntent { header: EXPLAIN, wrong: format!("{text:?} is neither"), fix: "write 1, or 0" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use proptest::prelude::*;

    fn read(pairs: &[(&'static str, &[u8])]) -> Result<Intent, BadIntent> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        Intent::read(&headers)
    }

    #[test]
    fn what_is_asked_for_is_read() {
        assert_eq!(read(&[]).unwrap(), Intent::default());
        let intent = read(&[
            (PLATFORM, b"a.example"),
            (VERSION, b" >=1.2, <3 "),
            (MAX_STALENESS, b"30s"),
            (EXPLAIN, b"1"),
        ])
        .unwrap();
        assert_eq!(intent.platform.as_ref().unwrap().as_str(), "a.example");
        assert!(intent.takes(&Version::new(2, 0, 0)) && !intent.takes(&Version::new(3, 0, 0)));
        assert!(!intent.takes(&Version::parse("2.0.0-rc.1").unwrap()), "a pre-release is asked for by name");
        assert_eq!(intent.max_staleness, Some(Duration::from_secs(30)));
        assert!(intent.explain && !read(&[(EXPLAIN, b"0")]).unwrap().explain);
        assert_eq!(
            Intent::of("a.example", ">=1.2, <3", Some(Duration::from_secs(30))),
            Ok(Intent { explain: false, ..intent })
        );
    }

    #[test]
    fn one_exact_version_is_known_as_such() {
        let exact = |range: &str| Intent::of("", range, None).unwrap().is_exact();
        assert!(exact("=1.2.3") && exact("=1.2.3-rc.1"));
        assert!(!exact("1.2.3") && !exact("=1.2") && !exact("=1.2.3, =1.2.3") && !exact("*") && !exact(""));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_header_and_a_fix() {
        let comparators = ["1"; 100].join(",");
        let cases: [(&'static str, &[u8]); 18] = [
            (PLATFORM, b""),
            (PLATFORM, b"A B"),
            (PLATFORM, b"caf\xc3\xa9.example"),
            (VERSION, b""),
            (VERSION, b"newest"),
            (VERSION, b">=1 <2"),
            (VERSION, b"\xff"),
            (VERSION, comparators.as_bytes()),
            (VERSION, &[b'1'; 10 << 10]),
            (VERSION, b"99999999999999999999999.0.0"),
            (MAX_STALENESS, b""),
            (MAX_STALENESS, b"30"),
            (MAX_STALENESS, b"-1s"),
            (MAX_STALENESS, b"1.5s"),
            (MAX_STALENESS, b"123456789s"),
            (MAX_STALENESS, b"30S"),
            (EXPLAIN, b"yes"),
            (EXPLAIN, b""),
        ];
        for (header, bad) in cases {
            let refused = read(&[(header, bad)]).unwrap_err();
            assert_eq!(refused.header, header, "{bad:?}");
            assert!(!refused.fix.is_empty() && refused.to_string().len() < 1024, "{refused}");
        }
        for header in [PLATFORM, VERSION, MAX_STALENESS, EXPLAIN] {
            assert_eq!(read(&[(header, b"1"), (header, b"1")]).unwrap_err().wrong, "it is given twice");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_refusals_are_short(bytes in proptest::collection::vec(0x20u8..=0xff, 0..300)) {
            for header in [PLATFORM, VERSION, MAX_STALENESS, EXPLAIN] {
                let Ok(value) = HeaderValue::from_bytes(&bytes) else { continue };
                let headers = HeaderMap::from_iter([(HeaderName::from_static(header), value)]);
                if let Err(refused) = Intent::read(&headers) {
                    prop_assert!(refused.to_string().len() < 2048);
                }
            }
        }
    }
}
