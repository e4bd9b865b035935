//! Which known events were found, and which alarms are elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::run::Outcome;
use super::scenario::{KnownEvent, Scenario};

/// A record of this score or more, when its bucket closes, is an alarm: inside an event's window it finds the event, outside every
/// window it is false. One threshold for both, or the one would flatter the other.
pub(super) const ALARM_SCORE: f64 = 50.0;
const DAY_MS: i64 = 86_400_000;

/// What became of one known event.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) must_not: bool,
    /// The best record of the right entity inside the window, as it was when its bucket closed.
    pub(super) best: Option<f64>,
    /// From the window's start to the end of the first bucket that gave the alarm.
    pub(super) delay_ms: Option<i64>,
}

impl Finding {
    /// Is it as it should be: found, or quiet where it must be quiet?
    pub(super) fn good(&self) -> bool {
        if self.must_not {
            self.best.is_none_or(|best| best < ALARM_SCORE)
        } else {
            self.best.is_some_and(|best| best >= ALARM_SCORE)
        }
    }
}

/// What became of a demo.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) findings: Vec<Finding>,
    /// Days with an alarm outside every window, once the job had learnt.
    pub(super) alarm_days: usize,
    /// Days that were watched.
    pub(super) watched_days: i64,
    pub(super) floor: usize,
}

impl Verdict {
    pub(super) fn found(&self) -> usize {
        self.findings.iter().filter(|finding| finding.good()).count()
    }

    pub(super) fn keeps_promise(&self) -> bool {
        self.found() >= self.floor
    }
}

pub(super) fn judge(scenario: &Scenario, outcome: &Outcome) -> Verdict {
    let texts = category_texts(&outcome.categories);
    let findings = scenario.events.iter().map(|event| finding(event, &outcome.records, &texts)).collect();
    let span_ms = |record: &Value| record["bucket_span"].as_i64().unwrap_or(0) * 1000;
    let elsewhere = |record: &&Value| {
        let Some(time) = record["timestamp"].as_i64() else { return false };
        let end = time + span_ms(record);
        let known = scenario
            .events
            .iter()
            .filter(|event| !event.must_not)
            .map(|event| (event.start_ms, event.end_ms))
            .chain(scenario.tolerated.iter().copied());
        score(record) >= ALARM_SCORE
            && time >= scenario.learning_until_ms
            && !known.into_iter().any(|(from, to)| time < to && end > from)
    };
    let days: BTreeSet<i64> = outcome
        .records
        .iter()
        .filter(elsewhere)
        .filter_map(|record| record["timestamp"].as_i64())
        .map(|time| time.div_euclid(DAY_MS))
        .collect();
    Verdict {
        findings,
        alarm_days: days.len(),
        watched_days: (scenario.end_ms - scenario.learning_until_ms) / DAY_MS,
        floor: scenario.floor,
    }
}

/// The score that raises an alarm: the one that the record had first.
fn score(record: &Value) -> f64 {
    let initial = &record["initial_record_score"];
    initial.as_f64().or_else(|| record["record_score"].as_f64()).unwrap_or(0.0)
}

fn finding(event: &KnownEvent, records: &[Value], texts: &BTreeMap<String, String>) -> Finding {
    let mut best: Option<f64> = None;
    let mut first: Option<i64> = None;
    for record in records.iter().filter(|record| concerns(event, record, texts)) {
        let value = score(record);
        best = Some(best.map_or(value, |old| old.max(value)));
        if value >= ALARM_SCORE {
            let end = record["timestamp"].as_i64().unwrap_or(0)
                + record["bucket_span"].as_i64().unwrap_or(0) * 1000;
            first = Some(first.map_or(end, |old| old.min(end)));
        }
    }
    Finding {
        name: event.name,
        must_not: event.must_not,
        best,
        delay_ms: first.map(|end| end - event.start_ms),
    }
}

/// Is it a record of the event's detector and entity that overlaps its window?
fn concerns(event: &KnownEvent, record: &Value, texts: &BTreeMap<String, String>) -> bool {
    let time = record["timestamp"].as_i64().unwrap_or(i64::MIN);
    let end = time.saturating_add(record["bucket_span"].as_i64().unwrap_or(0) * 1000);
    let detector = record["detector_index"].as_u64().and_then(|index| usize::try_from(index).ok());
    let of_detector =
        event.detectors.is_empty() || detector.is_some_and(|index| event.detectors.contains(&index));
    time < event.end_ms
        && end > event.start_ms
        && of_detector
        && event.entity.is_none_or(|entity| has_entity(record, entity, texts))
}

fn has_entity(record: &Value, entity: &str, texts: &BTreeMap<String, String>) -> bool {
    let splits = ["by", "over", "partition"].iter().any(|split| {
        let value = record[format!("{split}_field_value")].as_str().unwrap_or("");
        let is_category = record[format!("{split}_field_name")] == "mlcategory";
        value == entity
            || (is_category && texts.get(value).is_some_and(|text| text.contains(&entity.to_lowercase())))
    });
    let influencers = record["influencers"].as_array().into_iter().flatten();
    let values =
        influencers.filter_map(|influencer| influencer["influencer_field_values"].as_array()).flatten();
    splits || values.into_iter().any(|value| value == entity)
}

/// Template and examples of each category in lower case, by its id.
fn category_texts(categories: &[Value]) -> BTreeMap<String, String> {
    categories
        .iter()
        .filter_map(|category| {
            let examples = category["examples"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let all: Vec<&str> = ["template", "terms"]
                .iter()
                .filter_map(|name| category[*name].as_str())
                .chain(examples)
                .collect();
            Some((category["category_id"].as_u64()?.to_string(), all.join("\n").to_lowercase()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(entity: Option<&'static str>) -> KnownEvent {
        KnownEvent { name: "e", start_ms: 10_000, end_ms: 20_000, entity, detectors: &[], must_not: false }
    }

    fn record(time: i64, score: f64) -> Value {
        json!({"timestamp": time, "bucket_span": 5, "record_score": score, "detector_index": 0,
               "by_field_name": "mlcategory", "by_field_value": "3"})
    }

    #[test]
    fn only_records_that_overlap_the_window_count() {
        let found = finding(
            &event(None),
            &[record(4_000, 99.0), record(8_000, 60.0), record(20_000, 99.0)],
            &BTreeMap::new(),
        );
        assert_eq!((found.best, found.delay_ms, found.good()), (Some(60.0), Some(3_000), true));
    }

    #[test]
    fn categories_are_known_by_their_text() {
        let texts = BTreeMap::from([("3".to_owned(), "deadlock detected".to_owned())]);
        assert!(has_entity(&record(0, 0.0), "Deadlock", &texts));
        assert!(!has_entity(&record(0, 0.0), "corruption", &texts));
    }
}
