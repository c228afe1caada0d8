//! JSON texts that mean the same are written the same.

use serde_json::Value;

/// The text with its keys sorted and its blanks gone; what is no JSON stays as it is.
pub(super) fn canonical(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => {
            let mut out = String::with_capacity(text.len());
            write(&value, &mut out);
            out
        }
        Err(_) => text.to_owned(),
    }
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
        scalar => out.push_str(&scalar.to_string()),
    }
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
        assert_eq!(canonical("{not json"), "{not json");
    }
}
