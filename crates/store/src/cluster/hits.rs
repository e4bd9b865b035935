//! A page of hits, read from the answer's bytes into columns without a tree of values between.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::{Column, Error, Page, Result, ScanRequest};

/// What a scan needs of an answer.
#[derive(Debug, Default)]
pub(super) struct Hits {
    pub(super) page: Page,
    /// The sort values of the last hit.
    pub(super) last: Option<Value>,
    pub(super) scroll_id: Option<String>,
    pub(super) pit_id: Option<String>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(rename = "_scroll_id")]
    scroll_id: Option<String>,
    pit_id: Option<String>,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    #[serde(borrow, default)]
    hits: Outer<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Shards {
    failed: u64,
}

#[derive(Default, Deserialize)]
struct Outer<'a> {
    #[serde(borrow, default)]
    hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
struct Hit<'a> {
    #[serde(borrow)]
    fields: Option<Fields<'a>>,
    #[serde(borrow)]
    sort: Option<&'a RawValue>,
}

/// Names and values of a hit's fields, in the order of the answer.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Fields<'de>, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry()? {
                    pairs.push((name, value));
                }
                Ok(Fields(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// One value that is alone in its list.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(f64),
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct One;
        impl<'de> Visitor<'de> for One {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a number")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> std::result::Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> std::result::Result<Scalar<'de>, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> std::result::Result<Scalar<'de>, E> {
                Ok(Scalar::Number(number as f64))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Scalar<'de>, E> {
                Ok(Scalar::Number(number as f64))
            }
        }
        deserializer.deserialize_any(One)
    }
}

/// Reads an answer.
///
/// # Errors
/// When a shard failed, the answer makes no sense, or a time cannot be read.
pub(super) fn hits(answer: &[u8], request: &ScanRequest) -> Result<Hits> {
    let answer: Answer<'_> =
        serde_json::from_slice(answer).map_err(|error| Error::Answer(error.to_string()))?;
    if answer.shards.failed > 0 {
        return Err(Error::Unavailable(
            "some shards did not answer; their documents would be missed".to_owned(),
        ));
    }
    let found = &answer.hits.hits;
    let mut page = Page { times_ms: Vec::with_capacity(found.len()), columns: Vec::new() };
    page.columns.resize_with(request.fields.len(), Column::default);
    for hit in found {
        let fields = hit.fields.as_ref().map(|fields| fields.0.as_slice()).unwrap_or_default();
        let value = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, value)| *value);
        let unreadable = || Error::Answer(format!("a document has no readable [{}]", request.time_field));
        page.times_ms.push(value(&request.time_field).and_then(time_ms).ok_or_else(unreadable)?);
        for (field, column) in request.fields.iter().zip(&mut page.columns) {
            push(column, value(field))?;
        }
    }
    let last = found.last().and_then(|hit| hit.sort).map(|sort| serde_json::from_str(sort.get()));
    Ok(Hits {
        page,
        last: last.transpose().map_err(|error| Error::Answer(error.to_string()))?,
        scroll_id: answer.scroll_id,
        pit_id: answer.pit_id,
    })
}

/// The first of the times, printed as milliseconds.
fn time_ms(values: &RawValue) -> Option<i64> {
    match serde_json::from_str::<Vec<Value>>(values.get()).ok()?.first()? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64(),
        _ => None,
    }
}

fn push(column: &mut Column, values: Option<&RawValue>) -> Result<()> {
    let Some(values) = values else {
        column.push_missing();
        return Ok(());
    };
    match serde_json::from_str::<(Scalar<'_>,)>(values.get()) {
        Ok((Scalar::Text(text),)) => column.push_str(&text),
        Ok((Scalar::Number(number),)) => column.push_num(number),
        // Several values, or one of another kind.
        Err(_) => {
            let values: Value =
                serde_json::from_str(values.get()).map_err(|e| Error::Answer(e.to_string()))?;
            column.push_json(Some(&values));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Cell, IndicesOptions};

    fn request() -> ScanRequest {
        ScanRequest {
            indices: vec!["logs".to_owned()],
            query: json!({"match_all": {}}),
            runtime_mappings: None,
            script_fields: None,
            time_field: "t".to_owned(),
            start_ms: 1,
            end_ms: 9,
            fields: vec!["host".to_owned(), "v".to_owned()],
            page_size: 10,
            options: IndicesOptions::default(),
        }
    }

    fn read(answer: Value) -> Result<Hits> {
        hits(answer.to_string().as_bytes(), &request())
    }

    #[test]
    fn hits_become_columns() {
        let found = read(json!({"_scroll_id": "s", "_shards": {"failed": 0}, "hits": {"hits": [
            {"fields": {"t": ["5"], "host": ["a", "b"], "v": [1]}, "sort": [5, 0]},
            {"fields": {"t": [6], "v": [true], "other": [1]}, "sort": [6, 1]},
            {"fields": {"host": ["q\"\n"], "t": ["7"], "v": [-2.5]}, "sort": [7, 2]}]}}))
        .unwrap();
        assert_eq!(found.page.times_ms, [5, 6, 7]);
        let (hosts, values) = (&found.page.columns[0], &found.page.columns[1]);
        assert_eq!(
            [hosts.get(0), hosts.get(1), hosts.get(2)],
            [Cell::Str("a,b"), Cell::Missing, Cell::Str("q\"\n")]
        );
        assert_eq!(
            [values.get(0), values.get(1), values.get(2)],
            [Cell::Num(1.0), Cell::Str("true"), Cell::Num(-2.5)]
        );
        assert_eq!((found.last, found.scroll_id.as_deref()), (Some(json!([7, 2])), Some("s")));
    }

    #[test]
    fn what_would_be_missed_is_an_error() {
        assert!(read(json!({"hits": {"hits": [{"fields": {}}]}})).is_err());
        assert!(read(json!({"_shards": {"failed": 1}, "hits": {"hits": []}})).is_err());
        assert!(read(json!({"pit_id": "p", "hits": {"hits": []}})).unwrap().page.times_ms.is_empty());
    }
}
