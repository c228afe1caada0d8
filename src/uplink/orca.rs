//! How loaded a producer says it is, in the trailers of its answers (ORCA; gRFC A51).
//!
//! `endpoint-load-metrics-bin` holds a serialized `xds.data.orca.v3.OrcaLoadReport`; `endpoint-load-metrics` the same as
//! `TEXT key=value,…`, `JSON {…}` or `BIN base64`, as Envoy writes it. What cannot be read, or cannot be, says nothing.

use super::Load;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderName};
use prost::Message;

const BINARY: HeaderName = HeaderName::from_static("endpoint-load-metrics-bin");
const TEXT: HeaderName = HeaderName::from_static("endpoint-load-metrics");

/// The longest report that is read, in bytes as it stands in the trailers.
const LONGEST: usize = 4 << 10;

/// gRPC writes `-bin` values without padding, and accepts it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What of `xds.data.orca.v3.OrcaLoadReport` balances load; the rest is passed over.
#[derive(Clone, Copy, PartialEq, Message)]
struct Report {
    #[prost(double, tag = "1")]
    cpu_utilization: f64,
    #[prost(double, tag = "2")]
    mem_utilization: f64,
    #[prost(double, tag = "6")]
    rps_fractional: f64,
    #[prost(double, tag = "7")]
    eps: f64,
    #[prost(double, tag = "9")]
    application_utilization: f64,
}

/// The report in these trailers; `None` without one that can be read.
pub fn read(trailers: &HeaderMap) -> Option<Load> {
    // Most answers carry none: a status, and perhaps a message.
    if trailers.len() < 2 {
        return None;
    }
    if let Some(value) = trailers.get(BINARY) {
        return binary(value.as_bytes());
    }
    let value = trailers.get(TEXT)?.to_str().ok().filter(|value| value.len() <= LONGEST)?;
    let (form, rest) = value.split_once(' ')?;
    match form {
        "TEXT" => Some(load(pairs(rest))),
        "JSON" => {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(rest).ok()?;
            Some(load(object.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_f64()?)))))
        }
        "BIN" => binary(rest.trim().as_bytes()),
        _ => None,
    }
}

fn binary(value: &[u8]) -> Option<Load> {
    if value.len() > LONGEST {
        return None;
    }
    let report = Report::decode(&BASE64.decode(value).ok()?[..]).ok()?;
    Some(Load {
        application: sound(report.application_utilization),
        cpu: sound(report.cpu_utilization),
        memory: sound(report.mem_utilization),
        requests: sound(report.rps_fractional),
        errors: sound(report.eps),
    })
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, f64)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(key, value)| Some((key.trim(), value.trim().parse().ok()?)))
}

/// The names of the message, and their JSON names.
fn load<'a>(pairs: impl Iterator<Item = (&'a str, f64)>) -> Load {
    let mut load = Load::default();
    for (key, value) in pairs {
        let place = match key {
            "application_utilization" | "applicationUtilization" => &mut load.application,
            "cpu_utilization" | "cpuUtilization" | "cpu" => &mut load.cpu,
            "mem_utilization" | "memUtilization" | "mem" => &mut load.memory,
            "rps_fractional" | "rpsFractional" => &mut load.requests,
            "eps" => &mut load.errors,
            _ => continue,
        };
        *place = sound(value);
    }
    load
}

/// No load is negative, and none without end.
fn sound(value: f64) -> f64 {
    if value.is_finite() && value >= 0.0 { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn trailers(name: HeaderName, value: &[u8]) -> HeaderMap {
        let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        [status, (name, HeaderValue::from_bytes(value).unwrap())].into_iter().collect()
    }

    fn of_text(value: &str) -> Option<Load> {
        read(&trailers(TEXT, value.as_bytes()))
    }

    #[test]
    fn every_form_says_the_same() {
        let report = Report {
            cpu_utilization: 0.3,
            mem_utilization: 0.8,
            rps_fractional: 1000.5,
            eps: 2.0,
            application_utilization: 0.5,
        };
        let mut bytes = report.encode_to_vec();
        // named_metrics { "x": 1 }: known to the message, not to us.
        bytes.extend([0x42, 12, 10, 1, b'x', 17, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        let base64 = base64::engine::general_purpose::STANDARD.encode(&bytes);
        let load = Load { application: 0.5, cpu: 0.3, memory: 0.8, requests: 1000.5, errors: 2.0 };
        for value in [base64.as_str(), base64.trim_end_matches('=')] {
            assert_eq!(read(&trailers(BINARY, value.as_bytes())), Some(load));
        }
        let text = "TEXT cpu_utilization=0.3,mem_utilization=0.8,rps_fractional=1000.5,eps=2,\
            application_utilization=0.5,named_metrics.x=1";
        assert_eq!(of_text(text), Some(load));
        let json = "JSON {\"cpu_utilization\": 0.3, \"memUtilization\": 0.8, \"rps_fractional\": 1000.5, \"eps\": 2, \
            \"application_utilization\": 0.5, \"named_metrics\": {\"x\": 1}}";
        assert_eq!(of_text(json), Some(load));
        assert_eq!(of_text(&format!("BIN {base64}")), Some(load));
    }

    #[test]
    fn what_cannot_be_says_nothing() {
        assert_eq!(read(&HeaderMap::new()), None);
        assert_eq!(of_text("TEXT cpu_utilization=-1,eps=NaN,mem_utilization=inf"), Some(Load::default()));
        for bad in ["", "TEXT", "JSON {", "JSON []", "XML <x/>", "BIN ///"] {
            assert_eq!(of_text(bad), None, "{bad}");
        }
        assert_eq!(of_text(&format!("TEXT cpu=1,{}", "x=1,".repeat(2_000))), None);
        assert_eq!(read(&trailers(BINARY, &[b'A'; LONGEST + 4])), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ -~]{0,120}") {
            let _ = read(&trailers(BINARY, base64::engine::general_purpose::STANDARD.encode(&bytes).as_bytes()));
            for form in ["TEXT", "JSON", "BIN"] {
                let _ = of_text(&format!("{form} {text}"));
            }
        }
    }
}
