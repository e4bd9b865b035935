//! Types and statistics of fields.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value, json};

use crate::timestamp::{self, Found};
use crate::{Result, Stop};

/// Values shown of each field, the most frequent first.
const TOP: usize = 10;
/// Longer values are text, shorter ones keywords.
const KEYWORD_MAX: usize = 256;
/// A keyword has no more words.
const KEYWORD_WORDS_MAX: usize = 6;

/// One message as fields and their values.
pub(crate) type Record = Vec<(String, Value)>;

/// The values of each field, in the order in which fields first occur.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    values: BTreeMap<String, Vec<Value>>,
}

impl Columns {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut columns = Self::default();
        for (name, value) in records.iter().flatten() {
            if value.is_null() || value.as_str() == Some("") {
                continue;
            }
            if !columns.values.contains_key(name) {
                columns.names.push(name.clone());
            }
            columns.values.entry(name.clone()).or_default().push(value.clone());
        }
        columns
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn values(&self, name: &str) -> &[Value] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// The field that is a time in all its values, and its format: the one that is asked for, or the first.
    pub(crate) fn time(
        &self,
        wanted: Option<&str>,
        format: Option<&str>,
        stop: &Stop,
    ) -> Result<Option<(String, Found)>> {
        for name in self.names.iter().filter(|name| wanted.is_none_or(|wanted| wanted == name.as_str())) {
            stop.check()?;
            if let Some(found) = self.time_in(name, format) {
                return Ok(Some((name.clone(), found)));
            }
        }
        Ok(None)
    }

    fn time_in(&self, name: &str, format: Option<&str>) -> Option<Found> {
        let texts: Vec<String> = self.values(name).iter().map(text).collect();
        let all = texts.iter().map(String::as_str);
        let (found, count) = match format {
            Some(format) => timestamp::named(format, all, true)?,
            None => timestamp::best(all, true)?,
        };
        let epoch = format.is_none() && found.java.iter().any(|java| java.starts_with("UNIX"));
        // A number that could be seconds is a time only if its name or the caller says so.
        let named =
            ["time", "date", "timestamp", "ts"].iter().any(|part| name.to_ascii_lowercase().contains(part));
        (count == texts.len() && (!epoch || named)).then_some(found)
    }

    /// `mappings` and `field_stats`. `@timestamp` is added when there is a time.
    pub(crate) fn described(
        &self,
        time: Option<(&str, &Found)>,
        stop: &Stop,
    ) -> Result<(Value, Map<String, Value>)> {
        let mut properties = Map::new();
        let mut stats = Map::new();
        if time.is_some() {
            properties.insert("@timestamp".to_owned(), json!({ "type": "date" }));
        }
        let mut sorted: Vec<&String> = self.names.iter().collect();
        sorted.sort();
        for name in sorted {
            stop.check()?;
            let values = self.values(name);
            let format = time.filter(|(field, _)| *field == name).map(|(_, found)| found.clone());
            let mapping = match &format {
                Some(found) => date_mapping(found),
                None => mapping_of(values),
            };
            stats.insert(name.clone(), stats_of(values, &mapping, format.as_ref()));
            if name != "@timestamp" {
                properties.insert(name.clone(), mapping);
            }
        }
        Ok((json!({ "properties": properties }), stats))
    }
}

fn date_mapping(found: &Found) -> Value {
    match found.java.first().map(String::as_str) {
        Some("ISO8601") => json!({ "type": "date", "format": "iso8601" }),
        Some("UNIX_MS") => json!({ "type": "date", "format": "epoch_millis" }),
        Some("UNIX") => json!({ "type": "date", "format": "epoch_second" }),
        _ => json!({ "type": "date", "format": found.java.join("||") }),
    }
}

/// A value as text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn mapping_of(values: &[Value]) -> Value {
    if values.iter().any(Value::is_object) {
        return json!({ "type": "object" });
    }
    let flat: Vec<&Value> = values
        .iter()
        .flat_map(|value| value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice))
        .collect();
    if flat.iter().any(|value| value.is_object()) {
        return json!({ "type": "object" });
    }
    let texts: Vec<String> = flat.iter().map(|value| text(value)).collect();
    let all = |check: &dyn Fn(&str) -> bool| !texts.is_empty() && texts.iter().all(|text| check(text));
    if all(&|text| matches!(text, "true" | "false")) {
        return json!({ "type": "boolean" });
    }
    if all(&|text| text.trim().parse::<i64>().is_ok()) {
        return json!({ "type": "long" });
    }
    if all(&is_number) {
        return json!({ "type": "double" });
    }
    if let Some((found, count)) = timestamp::best(texts.iter().map(String::as_str), true)
        && count == texts.len()
        && !found.java.iter().any(|java| java.starts_with("UNIX"))
    {
        return date_mapping(&found);
    }
    if all(&|text| text.parse::<std::net::IpAddr>().is_ok()) {
        return json!({ "type": "ip" });
    }
    let is_keyword = |text: &str| {
        text.chars().count() <= KEYWORD_MAX
            && text.split_whitespace().count() <= KEYWORD_WORDS_MAX
            && !text.contains('\n')
    };
    json!({ "type": if all(&is_keyword) { "keyword" } else { "text" } })
}

/// A decimal number; words such as `NaN` and `infinity` are none.
pub(crate) fn is_number(text: &str) -> bool {
    let text = text.trim();
    text.bytes().any(|b| b.is_ascii_digit())
        && !text.contains(|c: char| c.is_alphabetic() && c != 'e' && c != 'E')
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn number(value: f64) -> Value {
    // Whole numbers are shown as such.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn stats_of(values: &[Value], mapping: &Value, time: Option<&Found>) -> Value {
    let kind = mapping["type"].as_str().unwrap_or_default();
    let numeric = matches!(kind, "long" | "double");
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for value in values {
        *counts.entry(text(value)).or_default() += 1;
    }
    let mut stats = json!({ "count": values.len(), "cardinality": counts.len() });
    if numeric {
        let mut numbers: Vec<f64> =
            values.iter().filter_map(|value| text(value).trim().parse().ok()).collect();
        numbers.sort_by(f64::total_cmp);
        if let (Some(min), Some(max)) = (numbers.first(), numbers.last()) {
            let middle = numbers.len() / 2;
            let median = if numbers.len() % 2 == 1 {
                numbers[middle]
            } else {
                f64::midpoint(numbers[middle - 1], numbers[middle])
            };
            stats["min_value"] = number(*min);
            stats["max_value"] = number(*max);
            stats["mean_value"] = number(numbers.iter().sum::<f64>() / numbers.len() as f64);
            stats["median_value"] = number(median);
        }
    }
    if let Some(found) = time {
        let mut ordered: Vec<(i64, &String)> =
            counts.keys().filter_map(|text| found.order(text).map(|order| (order, text))).collect();
        ordered.sort();
        if let (Some((_, first)), Some((_, last))) = (ordered.first(), ordered.last()) {
            stats["earliest"] = json!(first);
            stats["latest"] = json!(last);
        }
    }
    let mut hits: Vec<(String, u64)> = counts.into_iter().collect();
    hits.sort_by(|(_, a), (_, b)| b.cmp(a));
    let shown = |text: String| {
        if numeric { text.trim().parse().map_or(Value::String(text), number) } else { Value::String(text) }
    };
    let hits =
        hits.into_iter().take(TOP).map(|(text, count)| json!({ "value": shown(text), "count": count }));
    stats["top_hits"] = Value::Array(hits.collect());
    stats
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(values: &[&str]) -> Columns {
        let records: Vec<Record> =
            values.iter().map(|value| vec![("f".to_owned(), Value::String((*value).to_owned()))]).collect();
        Columns::of(&records)
    }

    fn kind(values: &[&str]) -> String {
        let (mappings, _) = columns(values).described(None, &Stop::default()).unwrap();
        mappings["properties"]["f"]["type"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn types_are_the_narrowest_that_fit_all_values() {
        assert_eq!(kind(&["true", "false"]), "boolean");
        assert_eq!(kind(&["1", "-2", ""]), "long");
        assert_eq!(kind(&["1", "2.5"]), "double");
        assert_eq!(kind(&["10.0.0.1", "::1"]), "ip");
        assert_eq!(kind(&["2018-06-27T11:59:06Z"]), "date");
        assert_eq!(kind(&["nan", "1"]), "keyword");
        assert_eq!(kind(&["one two three four five six seven"]), "text");
    }

    #[test]
    fn statistics_are_of_the_values_that_are_there() {
        let (_, stats) = columns(&["1", "2", "2", "7", ""]).described(None, &Stop::default()).unwrap();
        assert_eq!(
            stats["f"],
            json!({"count": 4, "cardinality": 3, "min_value": 1, "max_value": 7, "mean_value": 3, "median_value": 2,
                "top_hits": [{"value": 2, "count": 2}, {"value": 1, "count": 1}, {"value": 7, "count": 1}]})
        );
    }
}
