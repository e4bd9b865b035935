//! What holds for every demo: the data are deterministic and in order, and the configuration is accepted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Scenario, all};

/// FNV-1a of 64 bits (Fowler, Noll and Vo), over all documents, each with its line's end; and their number.
fn checksum(documents: impl Iterator<Item = String>) -> (u64, usize) {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut count = 0;
    for document in documents {
        count += 1;
        for byte in document.bytes().chain([b'\n']) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    (hash, count)
}

fn time_ms(scenario: &Scenario, document: &str) -> i64 {
    let source: Value = serde_json::from_str(document).unwrap();
    match &source[scenario.chart.time_field] {
        Value::String(text) => text.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
        number => number.as_i64().unwrap(),
    }
}

#[test]
fn documents_are_the_same_on_every_run() {
    let pinned: [(&str, u64, usize); 4] = [
        ("taxi", 13_152_577_287_840_841_856, 10_320),
        ("taxi-zones", 739_835_045_815_680_590, 143_884),
        ("access-log", 11_184_241_313_870_722_089, 221_496),
        ("dbms-log", 13_009_812_625_145_922_858, 114_712),
    ];
    let found: Vec<_> = all()
        .iter()
        .map(|scenario| {
            let (hash, count) = checksum((scenario.documents)());
            assert_eq!(checksum((scenario.documents)()), (hash, count), "{}", scenario.name);
            (scenario.name, hash, count)
        })
        .collect();
    assert_eq!(found, pinned);
}

#[test]
fn documents_are_in_order_and_within_their_time() {
    for scenario in all() {
        let fields: BTreeSet<&String> = scenario.mapping["properties"].as_object().unwrap().keys().collect();
        let mut last = scenario.start_ms;
        for (number, document) in (scenario.documents)().enumerate() {
            // Each document is parsed only now and then: that takes most of the time.
            if number % 10 == 0 {
                let source: Value = serde_json::from_str(&document).unwrap();
                assert_eq!(source.as_object().unwrap().keys().collect::<BTreeSet<_>>(), fields);
            }
            let time = time_ms(&scenario, &document);
            assert!(time >= last && time < scenario.end_ms, "{}: {document}", scenario.name);
            last = time;
        }
        assert!(scenario.end_ms - last < 3_600_000, "{}", scenario.name);
    }
}

#[test]
fn jobs_and_datafeeds_are_valid() {
    for scenario in all() {
        let mut body = scenario.job.clone();
        body["job_id"] = json!(scenario.job_id);
        let detectors = body["analysis_config"]["detectors"].as_array().unwrap().len();
        assert_eq!(body["data_description"]["time_field"], scenario.chart.time_field);
        assert!(scenario.mapping["properties"].get(scenario.chart.time_field).is_some());
        for event in &scenario.events {
            assert!(event.detectors.iter().all(|detector| *detector < detectors), "{}", event.name);
        }
        let mut feed = scenario.datafeed.clone();
        feed["job_id"] = json!(scenario.job_id);
        let body: types::JobBody = serde_json::from_value(body).unwrap();
        let job_id = types::JobId::try_from(scenario.job_id.to_owned()).unwrap();
        body.into_job(job_id, types::TimestampMs(0)).unwrap();
        let body: types::datafeed::DatafeedBody = serde_json::from_value(feed.clone()).unwrap();
        let feed_id = types::DatafeedId::try_from(format!("datafeed-{}", scenario.job_id)).unwrap();
        body.into_datafeed(feed_id).unwrap();
        assert_eq!(feed["indices"], json!([scenario.index]));
    }
}

#[test]
fn events_lie_in_the_watched_time() {
    let scenarios = all();
    let names: BTreeSet<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), scenarios.len());
    for scenario in &scenarios {
        assert!(scenario.floor <= scenario.events.len());
        assert!(scenario.start_ms < scenario.learning_until_ms);
        for event in &scenario.events {
            assert!(event.start_ms < event.end_ms && event.end_ms <= scenario.end_ms, "{}", event.name);
            assert!(event.start_ms >= scenario.learning_until_ms, "{}", event.name);
        }
    }
}
