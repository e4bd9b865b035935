//! Documents put together by the store: the aggregation that asks for it, and what its answer says.

use std::collections::BTreeMap;

use engine::{Grouping, Numbers};
use serde_json::{Map, Value, json};

use super::source::Source;
use crate::Result;
use crate::open_job::{FedGroup, FedValue};

/// Groups in one answer.
const PAGE_GROUPS: usize = 10_000;
/// The engine cuts off larger values, which sums do not show.
const LARGEST: f64 = 1e150;
/// Types whose documents have the same value in an aggregation as when they are read. Not among them are `float` and its kin,
/// whose stored values differ from those in the documents, and dates, which are read as texts.
const NUMBER_TYPES: [&str; 5] = ["long", "integer", "short", "byte", "double"];
const KEY_TYPES: [&str; 6] = ["keyword", "boolean", "long", "integer", "short", "byte"];

/// Whole buckets, as the store has put them together.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) groups: usize,
    pub(super) documents: u64,
    /// Those with documents, in order; `None` when their times do not tell in which bucket they lie.
    pub(super) buckets: Option<Vec<Bucket>>,
}

/// One bucket.
#[derive(Debug, PartialEq)]
pub(super) struct Bucket {
    pub(super) start_ms: i64,
    /// In order of their oldest documents; `None` when it has to be read document by document, since fields of a document
    /// have several values or a number is too large.
    pub(super) groups: Option<Vec<FedGroup>>,
}

/// What a bucket has in all, by a second count.
#[derive(Debug, Default)]
struct Totals {
    documents: u64,
    /// By field: documents that have it.
    with_field: Vec<u64>,
}

impl Source {
    /// Do the fields have types that an aggregation shows as they are?
    pub(super) async fn can_be_grouped(&self, grouping: &Grouping) -> Result<bool> {
        let mut fields = self.fields.clone();
        fields.push(self.time_field.clone());
        let answer = self.store.field_caps(&self.indices(), &fields, &self.options).await?;
        let is_one_of = |field: &String, types: &[&str]| {
            let found = answer.pointer("/fields").and_then(|all| all.get(field)).and_then(Value::as_object);
            let one = found.filter(|found| found.len() == 1).and_then(|found| found.iter().next());
            one.is_some_and(|(name, type_)| types.contains(&name.as_str()) && type_["aggregatable"] == true)
        };
        let types = |is_number: &bool| if *is_number { &NUMBER_TYPES[..] } else { &KEY_TYPES[..] };
        let fit = |(field, is_number)| is_one_of(field, types(is_number));
        Ok(is_one_of(&self.time_field, &["date"]) && self.fields.iter().zip(&grouping.is_number).all(fit))
    }

    /// The documents of whole buckets, put together; with `first_page`, as many groups as come in one answer, and no buckets.
    pub(super) async fn groups(
        &self,
        grouping: &Grouping,
        span_ms: i64,
        (start_ms, end_ms): (i64, i64),
        first_page: bool,
    ) -> Result<Piece> {
        let mut after = None;
        let mut groups: BTreeMap<i64, Vec<FedGroup>> = BTreeMap::new();
        let mut count = 0;
        let mut totals = None;
        loop {
            let body = self.body(grouping, span_ms, (start_ms, end_ms), after.as_ref());
            let answer = self.store.search(&self.indices(), &body, &self.options).await?;
            let found = answer.pointer("/aggregations/groups").unwrap_or(&Value::Null);
            let buckets = found.get("buckets").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for bucket in buckets {
                let (start_ms, group) = group(bucket, grouping).ok_or_else(unreadable)?;
                groups.entry(start_ms).or_default().push(group);
            }
            count += buckets.len();
            if totals.is_none() {
                totals = Some(read_totals(&answer, grouping));
            }
            after = found.get("after_key").filter(|_| buckets.len() >= PAGE_GROUPS).cloned();
            if after.is_none() || first_page {
                break;
            }
        }
        let documents = groups.values().flatten().map(|group| group.records).sum();
        let totals = totals.flatten().filter(|_| !first_page);
        let buckets = totals.map(|totals| {
            let join = |(start_ms, totals): (i64, Totals)| {
                let groups = groups.remove(&start_ms).unwrap_or_default();
                Bucket { start_ms, groups: sound(groups, &totals, (start_ms, start_ms + span_ms)) }
            };
            totals.into_iter().map(join).collect()
        });
        Ok(Piece { groups: count, documents, buckets })
    }

    fn body(&self, grouping: &Grouping, span_ms: i64, range: (i64, i64), after: Option<&Value>) -> Value {
        let time = &self.time_field;
        let interval = format!("{span_ms}ms");
        let mut sources = vec![json!({"t": {"date_histogram": {"field": time, "fixed_interval": interval}}})];
        let mut sums = json!({"first": {"min": {"field": time}}, "last": {"max": {"field": time}}});
        let mut with_field = Map::new();
        for (at, (field, is_number)) in self.fields.iter().zip(&grouping.is_number).enumerate() {
            if *is_number {
                sums[format!("n{at}")] = json!({"stats": {"field": field}});
                with_field.insert(format!("n{at}"), json!({"filter": {"exists": {"field": field}}}));
            } else {
                let mut source = Map::new();
                source.insert(format!("k{at}"), json!({"terms": {"field": field, "missing_bucket": true}}));
                sources.push(Value::Object(source));
            }
        }
        let mut composite = json!({"size": PAGE_GROUPS, "sources": sources});
        let mut aggregations = Map::new();
        if let Some(after) = after {
            composite["after"] = after.clone();
        } else {
            let histogram = json!({"field": time, "fixed_interval": interval, "min_doc_count": 1});
            let mut buckets = json!({"date_histogram": histogram});
            if !with_field.is_empty() {
                buckets["aggs"] = Value::Object(with_field);
            }
            aggregations.insert("buckets".to_owned(), buckets);
        }
        aggregations.insert("groups".to_owned(), json!({"composite": composite, "aggs": sums}));
        json!({"size": 0, "track_total_hits": after.is_none(), "query": self.query(range.0, range.1),
            "aggs": aggregations})
    }
}

fn unreadable() -> crate::Error {
    store::Error::Answer("a group of documents cannot be read".to_owned()).into()
}

fn count(bucket: &Value) -> Option<u64> {
    bucket.get("doc_count")?.as_u64()
}

fn milliseconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|ms| ms as i64))
}

/// A group and the start of its bucket.
fn group(bucket: &Value, grouping: &Grouping) -> Option<(i64, FedGroup)> {
    let key = bucket.get("key")?;
    let value = |(at, is_number): (usize, &bool)| {
        if *is_number {
            return numbers(bucket.get(format!("n{at}"))?).map(FedValue::Numbers);
        }
        match key.get(format!("k{at}"))? {
            Value::Null => Some(FedValue::Missing),
            Value::String(text) => Some(FedValue::Text(text.clone())),
            Value::Bool(flag) => Some(FedValue::Text(flag.to_string())),
            number => number.as_f64().map(FedValue::Number),
        }
    };
    let group = FedGroup {
        records: count(bucket)?,
        first_ms: milliseconds(bucket.pointer("/first/value")?)?,
        last_ms: milliseconds(bucket.pointer("/last/value")?)?,
        values: grouping.is_number.iter().enumerate().map(value).collect::<Option<_>>()?,
    };
    Some((milliseconds(key.get("t")?)?, group))
}

fn numbers(stats: &Value) -> Option<Numbers> {
    let count = stats.get("count")?.as_u64()?;
    // What cannot be written as a number is not finite.
    let number = |name: &str| stats.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
    Some(match count {
        0 => Numbers { count, sum: 0.0, min: 0.0, max: 0.0 },
        _ => Numbers { count, sum: number("sum"), min: number("min"), max: number("max") },
    })
}

/// What the buckets have in all; `None` when not every document lies in one of them, once.
fn read_totals(answer: &Value, grouping: &Grouping) -> Option<BTreeMap<i64, Totals>> {
    let found = answer.pointer("/aggregations/buckets/buckets")?.as_array()?;
    let mut all = BTreeMap::new();
    for bucket in found {
        let with = |(at, is_number): (usize, &bool)| {
            if *is_number { bucket.get(format!("n{at}")).and_then(count) } else { Some(0) }
        };
        let with_field = grouping.is_number.iter().enumerate().map(with).collect::<Option<_>>()?;
        all.insert(milliseconds(bucket.get("key")?)?, Totals { documents: count(bucket)?, with_field });
    }
    let documents: u64 = all.values().map(|totals| totals.documents).sum();
    (answer.pointer("/hits/total/value")?.as_u64()? == documents).then_some(all)
}

/// The groups of a bucket in order, if they hold every document once, and of each number one for each document.
fn sound(
    mut groups: Vec<FedGroup>,
    totals: &Totals,
    (start_ms, end_ms): (i64, i64),
) -> Option<Vec<FedGroup>> {
    let documents: u64 = groups.iter().map(|group| group.records).sum();
    let mut with_field = vec![0; totals.with_field.len()];
    let mut is_sound = documents == totals.documents;
    for group in &groups {
        is_sound &= group.first_ms >= start_ms && group.last_ms < end_ms;
        for (value, with) in group.values.iter().zip(&mut with_field) {
            if let FedValue::Numbers(numbers) = value {
                *with += numbers.count;
                let parts = [numbers.sum, numbers.min, numbers.max];
                is_sound &= parts.iter().all(|part| part.abs() <= LARGEST);
            }
        }
    }
    groups.sort_by_key(|group| group.first_ms);
    (is_sound && with_field == totals.with_field).then_some(groups)
}
