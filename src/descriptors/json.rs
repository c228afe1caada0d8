//! JSON texts that mean the same are written the same.

use serde_json::{Number, Value};

/// The text with its keys sorted and its blanks gone; what is no JSON stays as it is.
pub(super) fn canonical(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => canonical_value(&value),
        Err(_) => text.to_owned(),
    }
}

/// The same of a value.
pub(super) fn canonical_value(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Sorts by hand: whether serde_json's maps are sorted depends on who else is linked. The parser bounds the depth.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        // 1.0 is 1; beyond 2^53 floats are no exact integers.
        Value::Number(number) if number.is_f64() && whole(number).is_some() => {
            out.push_str(&whole(number).unwrap_or_default().to_string());
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn whole(number: &Number) -> Option<i64> {
    let float = number.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_blanks_do_not_count_and_values_do() {
        let text = r#" { "b" : [ 1, {"y": null, "x": "é\u0041"} ], "a": true } "#;
        assert_eq!(canonical(text), r#"{"a":true,"b":[1,{"x":"éA","y":null}]}"#);
        assert_eq!(canonical(&canonical(text)), canonical(text));
        assert_ne!(canonical("[1,2]"), canonical("[2,1]"));
        assert_eq!(canonical("[1.0,-0.0,1.5,1e3,1e300]"), "[1,0,1.5,1000,1e+300]");
        assert_eq!(canonical("{not json"), "{not json");
    }
}
