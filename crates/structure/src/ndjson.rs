//! JSON objects, one after the other.

use serde_json::{Map, Value};

use crate::fields::{Columns, Record};
use crate::outcome::{Structure, date_processor, pipeline};
use crate::{Error, Format, Options, Result};

/// The text as objects, if it is made of them.
pub(crate) fn find(sample: &str, lines: usize, truncated: bool, options: &Options) -> Result<Structure> {
    let mut objects: Vec<Map<String, Value>> = Vec::new();
    let stream = serde_json::Deserializer::from_str(sample).into_iter::<Map<String, Value>>();
    for object in stream {
        options.stop.check()?;
        match object {
            Ok(object) => objects.push(object),
            // The sample may end inside an object.
            Err(error) if error.is_eof() && truncated && !objects.is_empty() => break,
            Err(error) => return Err(Error::NoFormat(format!("not NDJSON: {error}"))),
        }
    }
    if objects.is_empty() {
        return Err(Error::NoFormat("not NDJSON: there are no objects".to_owned()));
    }
    let record = |object: &Map<String, Value>| {
        let mut record = Record::new();
        flatten("", object, options.should_parse_recursively, &mut record);
        record
    };
    let records: Vec<Record> = objects.iter().map(record).collect();
    let columns = Columns::of(&records);
    let time = crate::time_field::time_of(&columns, options)?;
    let sample_start: String = sample.lines().take(2).flat_map(|line| [line, "\n"]).collect();
    let mut found = Structure::new(Format::Ndjson, lines, objects.len(), sample_start);
    found.explanation.push("The text is made of JSON objects".to_owned());
    let time_ref = time.as_ref().map(|(field, found)| (field.as_str(), found));
    (found.mappings, found.field_stats) = columns.described(time_ref, &options.stop)?;
    let mut steps = Vec::new();
    if let Some((field, time)) = &time {
        found.explanation.push(format!("The field [{field}] is a time of the format {:?}", time.java));
        found.with_time(field, time);
        steps.push(date_processor(field, time));
    }
    found.ingest_pipeline = pipeline(steps);
    Ok(found)
}

fn flatten(prefix: &str, object: &Map<String, Value>, inner: bool, record: &mut Record) {
    for (name, value) in object {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Object(object) if inner => flatten(&name, object, inner, record),
            value => record.push((name, value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_described() {
        let text = "{\"name\":\"a\",\"pages\":3,\"at\":\"2018-06-27T11:59:06Z\",\"in\":{\"x\":1.5}}\n{\"name\":\"b\",\"pages\":4,\"at\":\"2018-06-28T11:59:06Z\",\"in\":{\"x\":2}}\n";
        let mut options = Options::default();
        let flat = find(text, 2, false, &options).unwrap();
        assert_eq!(
            (flat.num_messages_analyzed, flat.mappings["properties"]["in"]["type"].as_str()),
            (2, Some("object"))
        );
        assert_eq!(flat.timestamp_field.as_deref(), Some("at"));
        assert!(!flat.need_client_timezone);
        options.should_parse_recursively = true;
        let deep = find(text, 2, false, &options).unwrap();
        assert_eq!(deep.mappings["properties"]["in.x"]["type"], "double");
        assert!(find("{\"a\":1}\nno\n", 2, false, &options).is_err());
        assert!(find("{\"a\":1}\n{\"a\":", 2, true, &options).is_ok());
    }
}
