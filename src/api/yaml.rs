//! Prints answers as YAML, in the form in which Elasticsearch prints them: a document mark, texts in double quotes, lists not
//! indented.

use serde_json::{Map, Value};

/// One document.
pub(super) fn print(value: &Value) -> String {
    let mut text = "---".to_owned();
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            print_fields(fields, 0, false, &mut text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            print_items(items, 0, false, &mut text);
        }
        scalar => {
            text.push(' ');
            print_scalar(scalar, &mut text);
        }
    }
    text
}

/// `follows`: the first line has begun already.
fn print_fields(fields: &Map<String, Value>, depth: usize, follows: bool, text: &mut String) {
    for (position, (name, value)) in fields.iter().enumerate() {
        if position > 0 || !follows {
            indent(depth, text);
        }
        print_key(name, text);
        text.push(':');
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                text.push('\n');
                print_fields(inner, depth + 1, false, text);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                print_items(items, depth, false, text);
            }
            scalar => {
                text.push(' ');
                print_scalar(scalar, text);
            }
        }
    }
}

fn print_items(items: &[Value], depth: usize, follows: bool, text: &mut String) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 || !follows {
            indent(depth, text);
        }
        text.push_str("- ");
        match item {
            Value::Object(fields) if !fields.is_empty() => print_fields(fields, depth + 1, true, text),
            Value::Array(inner) if !inner.is_empty() => print_items(inner, depth + 1, true, text),
            scalar => print_scalar(scalar, text),
        }
    }
}

fn indent(depth: usize, text: &mut String) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A key without quotes, unless it would be read as something else than the text that it is.
fn print_key(name: &str, text: &mut String) {
    const OTHERS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_plain = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && name.bytes().all(letter)
        && !OTHERS.contains(&name.to_ascii_lowercase().as_str());
    if is_plain {
        text.push_str(name);
    } else {
        print_text(name, text);
    }
}

fn print_scalar(value: &Value, text: &mut String) {
    match value {
        Value::String(inner) => print_text(inner, text),
        other => text.push_str(&other.to_string()),
    }
    text.push('\n');
}

/// JSON's quotes are YAML's, but YAML wants more characters written as escapes.
fn print_text(inner: &str, text: &mut String) {
    for letter in Value::from(inner).to_string().chars() {
        match letter {
            '\u{7f}'..='\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_printed_as_clients_know_them() {
        let value = json!({"count": 1, "jobs": [{"job_id": "a", "groups": ["x", "y"], "o": {"k": null}, "e": [], "f": {}}],
            "7": true, "nested": [[1, 2], [{"a": 1.5}]]});
        let expected = "---\ncount: 1\njobs:\n- job_id: \"a\"\n  groups:\n  - \"x\"\n  - \"y\"\n  o:\n    k: null\n  e: []\n  \
                        f: {}\n\"7\": true\nnested:\n- - 1\n  - 2\n- - a: 1.5\n";
        assert_eq!(print(&value), expected);
        assert_eq!(print(&json!("a")), "--- \"a\"\n");
        assert_eq!(print(&json!({})), "--- {}\n");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "(true|no|null|~|0x1|1e3|- a|a: b|# c|\\*x|)".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("(\\PC{0,6}|yes|null|a-b)", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_printed_is_read_back(value in values()) {
            let text = print(&value);
            let read: Value = serde_yaml_ng::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
            prop_assert_eq!(read, value, "{}", text);
        }
    }
}
