//! Tests of the NDJSON parser through the reader; `serde_json` is the judge.

use engine::FieldValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cli::input::{InputFormat, RecordReader, RecordSchema, TimeFormat};

fn read(data: &str, fields: &[&str]) -> Result<Vec<(i64, Vec<Value>)>, String> {
    let schema = RecordSchema {
        time_field: "t".to_owned(),
        time_format: TimeFormat::Auto,
        fields: fields.iter().map(|f| (*f).to_owned()).collect(),
    };
    let source = std::io::Cursor::new(data.to_owned());
    let mut reader = RecordReader::new(Box::new(source), InputFormat::Ndjson, schema);
    let mut rows = Vec::new();
    while let Some(batch) = reader.next_batch().map_err(|e| e.to_string())? {
        for (time, values) in batch.rows() {
            let value = |v: &FieldValue<'_>| match v {
                FieldValue::Missing => Value::Null,
                FieldValue::Str(text) => json!(text),
                FieldValue::Num(number) => json!(number),
            };
            rows.push((time, values.iter().map(value).collect()));
        }
    }
    Ok(rows)
}

fn check(line: &str, field: &str, expected: Value) {
    assert_eq!(
        read(&format!("{line}\n"), &[field]).unwrap(),
        [(1_403_481_600_000, vec![expected])],
        "{line}"
    );
}

#[test]
fn values_are_given_by_kind() {
    check(r#"{"t": 1403481600, "x": 1.5}"#, "x", json!(1.5));
    check(r#"{"x":"a", "t":"2014-06-23T00:00:00Z"}"#, "x", json!("a"));
    check(r#" {"t" : 1403481600000 , "x" : -1e3 } "#, "x", json!(-1000.0));
    check("\u{feff}{\"t\":1403481600,\"x\":1}", "x", json!(1.0));
    check(r#"{"t":1403481600,"x":true}"#, "x", json!("true"));
    check(r#"{"t":1403481600,"x":null}"#, "x", Value::Null);
    check(r#"{"t":1403481600}"#, "x", Value::Null);
    check(r#"{"t":1403481600,"x":""}"#, "x", json!(""));
    check(r#"{"t":1403481600,"x":["b","c"],"y":[]}"#, "x", json!("b"));
    check(r#"{"t":1403481600,"x":["a\"]b",{"k":"]"}],"y":1}"#, "x", json!("a\"]b"));
    check(r#"{"t":1403481600,"x":[]}"#, "x", Value::Null);
    check(r#"{"t":1403481600,"x":[{"y":1}]}"#, "x", Value::Null);
    check(r#"{"t":1403481600,"x":12345678901234567}"#, "x", json!("12345678901234567"));
    check(r#"{"t":1403481600,"x":"a\n\u00e9\ud83d\ude00\ud800\/"}"#, "x", json!("a\né😀\u{fffd}/"));
    check(r#"{"t":1403481600,"\u0078":1}"#, "x", json!(1.0));
    check(r#"{"t":1403481600,"x":1,"x":2}"#, "x", json!(2.0));
}

#[test]
fn dots_lead_into_objects() {
    check(r#"{"t":1403481600,"a":{"b":{"c":7}}}"#, "a.b.c", json!(7.0));
    check(r#"{"t":1403481600,"a.b":{"c":7}}"#, "a.b.c", json!(7.0));
    check(r#"{"t":1403481600,"a":{"b.c":7}}"#, "a.b.c", json!(7.0));
    check(r#"{"t":1403481600,"a.b.c":7,"a":{"x":1}}"#, "a.b.c", json!(7.0));
    check(r#"{"t":1403481600,"a":{"b":1,"c":"}"},"a.x":{}}"#, "a.c", json!("}"));
    check(r#"{"a":{"t":5},"t":1403481600}"#, "t.a", Value::Null);
    let rows = read(r#"{"t":1,"a":{"b":1,"c":2}}"#, &["a.c", "a.b", "a.c", "t"]).unwrap();
    assert_eq!(rows, [(1000, vec![json!(2.0), json!(1.0), json!(2.0), json!(1.0)])]);
}

#[test]
fn bad_lines_are_named() {
    let check = |data: &str, expected: &str| assert_eq!(read(data, &["x"]).unwrap_err(), expected, "{data}");
    check("{\"t\":1}\n\n[1]\n", "line 3: not a JSON object");
    check(
        "{\"t\":1,\"x\":tru}",
        "line 1: a value is neither a string, a number, an object, an array, true, false nor null",
    );
    check("{\"t\":1,\"y\":\"a}", "line 1: a string is not closed");
    check("{\"t\":1,\"y\":{\"a\":1}", "line 1: a comma or brace is missing after a value");
    check("{\"t\":1,\"y\":[1", "line 1: an object or array is not closed");
    check("{\"t\":1} x", "line 1: text after the JSON object");
    check("{\"t\" 1}", "line 1: a colon is missing after a key");
    check("{t:1}", "line 1: a key in quotes is missing");
    check("{\"t\":1,\"x\":\"\\x\"}", "line 1: a string has an unknown escape");
    check("{\"x\":1}", "line 1: no time in field [t]");
    check("{\"t\":\"soon\"}", "line 1: cannot read [soon] as a time of format [auto]");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| f.is_finite().then(|| Value::from(f))),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abx\"é]{0,2}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

/// What the reader should give for a value.
fn scalar(value: Option<&Value>) -> Value {
    match value {
        Some(Value::Bool(b)) => json!(b.to_string()),
        Some(Value::Number(n)) => json!(n.as_f64()),
        Some(Value::String(s)) => json!(s),
        Some(Value::Array(items)) if !matches!(items.first(), Some(Value::Array(_))) => scalar(items.first()),
        _ => Value::Null,
    }
}

proptest! {
    #[test]
    fn documents_are_read_as_serde_reads_them(x in json_value(), y in json_value(), z in json_value()) {
        let document = json!({"y": y, "x": x, "t": 1, "n": {"z": z, "y": 1}});
        let expected = vec![scalar(document.get("x")), scalar(document.pointer("/n/z"))];
        for data in [document.to_string(), format!("{document}\n"), format!("\n {document}\r\n")] {
            prop_assert_eq!(read(&data, &["x", "n.z"]).unwrap(), vec![(1000, expected.clone())], "{}", data);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(data in "[\\{\\}\\[\\]\",:\\\\utx1-9 \\n]{0,60}") {
        let _ = read(&data, &["x", "t.x"]);
        let _ = read(&format!("{{\"t\":1,\"x\":{data}}}"), &["x"]);
    }
}
