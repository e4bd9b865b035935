//! Rare messages: five days of the logs of a database's primary and its two replicas, with more than a hundred kinds of
//! message and five events in the second half.

use serde::Serialize;
use serde_json::json;

use super::dbms_statements::STATEMENTS;
use super::dbms_templates::{
    CHECKPOINTS, CORRUPTION, DEADLOCK, LOGIN_FAILURE, Rhythm, Role, SERVER, TOO_MANY_CLIENTS, Template,
};
use super::random::Random;
use super::season::{HOUR_MS, MINUTE_MS, SECOND_MS, daily, utc, within};
use super::{ChartSpec, KnownEvent, Scenario};

const INDEX: &str = "demo-dbms-log";
const SEED: u64 = 0xdb00_0001;
const START: i64 = utc(2025, 9, 1, 0, 0);
const END: i64 = utc(2025, 9, 6, 0, 0);
const SLOT_MS: i64 = 10 * MINUTE_MS;
const HALF_HOUR_MS: i64 = 30 * MINUTE_MS;

/// The first is the primary.
const HOSTS: [&str; 3] = ["pg-1", "pg-2", "pg-3"];

const DAY: [f64; 24] = [
    0.45, 0.40, 0.38, 0.38, 0.42, 0.55, 0.75, 1.00, 1.25, 1.40, 1.45, 1.40, 1.30, 1.35, 1.40, 1.40, 1.35,
    1.30, 1.25, 1.25, 1.20, 1.05, 0.80, 0.60,
];

/// Times of the events and, where something is added, how often in half an hour.
const DEADLOCKS: (i64, i64) = (utc(2025, 9, 4, 10, 0), utc(2025, 9, 4, 11, 0));
const DEADLOCKS_ADDED: f64 = 45.0;
const STORM: (i64, i64) = (utc(2025, 9, 4, 16, 0), utc(2025, 9, 4, 17, 30));
const STORM_ADDED: f64 = 160.0;
const CORRUPT: (i64, i64) = (utc(2025, 9, 5, 3, 0), utc(2025, 9, 5, 3, 30));
const CORRUPT_ADDED: f64 = 3.0;
const NO_CHECKPOINTS: (i64, i64) = (utc(2025, 9, 5, 8, 0), utc(2025, 9, 5, 13, 0));
const DRIP: (i64, i64) = (utc(2025, 9, 5, 15, 0), utc(2025, 9, 5, 23, 0));
const DRIP_ADDED: f64 = 13.0;

pub(super) fn scenario() -> Scenario {
    Scenario {
        name: "dbms-log",
        title: "Database server log: rare messages",
        index: INDEX,
        mapping: json!({"properties": {
            "@timestamp": {"type": "date"}, "host": {"type": "keyword"}, "pid": {"type": "integer"},
            "level": {"type": "keyword"}, "message": {"type": "text"}
        }}),
        job_id: "demo-dbms-log",
        job: json!({
            "description": "Messages that are new, missing, or more frequent than usual",
            "groups": ["demos"],
            "analysis_config": {
                "bucket_span": "30m",
                "categorization_field_name": "message",
                "detectors": [
                    {"function": "count", "by_field_name": "mlcategory",
                     "detector_description": "Unusual message counts"},
                    {"function": "rare", "by_field_name": "mlcategory",
                     "detector_description": "Rare messages"},
                    {"function": "low_count", "by_field_name": "mlcategory",
                     "detector_description": "Missing messages"}
                ],
                "influencers": ["host"]
            },
            "analysis_limits": {"categorization_examples_limit": 5},
            "data_description": {"time_field": "@timestamp", "time_format": "epoch_ms"}
        }),
        datafeed: json!({"indices": [INDEX], "query": {"match_all": {}}, "scroll_size": 5000}),
        start_ms: START,
        end_ms: END,
        learning_until_ms: utc(2025, 9, 3, 0, 0),
        events: vec![
            event("Burst of deadlocks", DEADLOCKS, "deadlock detected", &[0]),
            event("Too many connections", STORM, "too many clients", &[0, 1]),
            event("Corrupt page, never seen", CORRUPT, "invalid page in block", &[0, 1]),
            event("No more checkpoints", NO_CHECKPOINTS, "checkpoint complete", &[0, 2]),
            event("Drip of failed logins", DRIP, "password authentication failed", &[0]),
        ],
        tolerated: Vec::new(),
        floor: 4,
        chart: ChartSpec {
            title: "messages in half an hour",
            aggregation: json!(null),
            query: json!(null),
            time_field: "@timestamp",
            interval: "30m",
        },
        documents,
    }
}

fn event(
    name: &'static str,
    (start_ms, end_ms): (i64, i64),
    message: &'static str,
    detectors: &'static [usize],
) -> KnownEvent {
    KnownEvent { name, start_ms, end_ms, entity: Some(message), detectors, must_not: false }
}

/// A line of a log.
#[derive(Debug, Serialize)]
struct Line {
    #[serde(rename = "@timestamp", serialize_with = "iso")]
    time: i64,
    host: &'static str,
    pid: i64,
    level: &'static str,
    message: String,
}

fn iso<S: serde::Serializer>(time: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&types::TimestampMs(*time).to_iso())
}

fn documents() -> Box<dyn Iterator<Item = String>> {
    let to_json = |line| serde_json::to_string(&line).expect("a line has only strings and whole numbers");
    Box::new(log().into_iter().map(to_json))
}

/// Every kind of message that is said without an event.
fn ordinary() -> impl Iterator<Item = &'static Template> {
    SERVER.iter().chain(STATEMENTS).chain(&CHECKPOINTS).chain([&LOGIN_FAILURE, &DEADLOCK])
}

/// All lines in the order of time.
fn log() -> Vec<Line> {
    let mut random = Random::seeded(SEED);
    let mut lines = Vec::new();
    for template in ordinary() {
        for (number, host) in HOSTS.into_iter().enumerate() {
            let said = match template.role {
                Role::Any => true,
                Role::Primary => number == 0,
                Role::Replica => number > 0,
            };
            if said {
                ordinary_lines(&mut random, template, host, &mut lines);
            }
        }
    }
    let of_checkpoint = |line: &Line| line.level == "LOG" && line.message.starts_with("checkpoint ");
    lines.retain(|line| !(within(line.time, NO_CHECKPOINTS) && of_checkpoint(line)));
    let mut events = Random::seeded(SEED + 1);
    for (template, time, added) in [
        (&DEADLOCK, DEADLOCKS, DEADLOCKS_ADDED),
        (&TOO_MANY_CLIENTS, STORM, STORM_ADDED),
        (&CORRUPTION, CORRUPT, CORRUPT_ADDED),
        (&LOGIN_FAILURE, DRIP, DRIP_ADDED),
    ] {
        event_lines(&mut events, template, time, added, &mut lines);
    }
    lines.sort_by_key(|line| line.time);
    lines
}

/// What one server says of one kind in all five days.
fn ordinary_lines(random: &mut Random, template: &Template, host: &'static str, lines: &mut Vec<Line>) {
    if let Rhythm::Every(minutes) = template.rhythm {
        let offset = random.between(0, minutes * MINUTE_MS - 5 * SECOND_MS);
        for turn in 0..(END - START) / (minutes * MINUTE_MS) {
            let time = START + turn * minutes * MINUTE_MS + offset + random.between(0, 5 * SECOND_MS);
            lines.push(line(random, template, host, time));
        }
        return;
    }
    let hours_per_slot = SLOT_MS as f64 / HOUR_MS as f64;
    for slot in 0..(END - START) / SLOT_MS {
        let slot_start = START + slot * SLOT_MS;
        let per_hour = match template.rhythm {
            Rhythm::Busy(rate) => rate * daily(&DAY, slot_start),
            Rhythm::Steady(rate) => rate,
            Rhythm::Every(_) => 0.0,
        };
        for _ in 0..random.poisson(per_hour * hours_per_slot) {
            let time = slot_start + random.between(0, SLOT_MS);
            lines.push(line(random, template, host, time));
        }
    }
}

/// What the primary says in an event, in the same number in each half hour: a chance of none would be no event.
fn event_lines(
    random: &mut Random,
    template: &Template,
    (from, to): (i64, i64),
    added: f64,
    lines: &mut Vec<Line>,
) {
    for turn in 0..(to - from) / HALF_HOUR_MS {
        for _ in 0..added as u32 {
            let time = from + turn * HALF_HOUR_MS + random.between(0, HALF_HOUR_MS);
            lines.push(line(random, template, HOSTS[0], time));
        }
    }
}

fn line(random: &mut Random, template: &Template, host: &'static str, time: i64) -> Line {
    let message = filled(random, template.text);
    Line { time, host, pid: process(random), level: template.level, message }
}

fn process(random: &mut Random) -> i64 {
    random.between(1_000, 32_768)
}

/// The text with values in its places.
fn filled(random: &mut Random, text: &str) -> String {
    let mut message = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, (place, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        message.push_str(before);
        message.push_str(&value(random, place));
        rest = after;
    }
    message.push_str(rest);
    message
}

fn value(random: &mut Random, place: &str) -> String {
    const USERS: [&str; 4] = ["admin", "postgres", "root", "backup"];
    match place {
        "n" => random.between(100, 100_000).to_string(),
        "small" => random.between(1, 60).to_string(),
        "ms" => format!("{}.{:03}", random.between(250, 9_000), random.between(0, 1_000)),
        "s" => format!("{}.{:03}", random.between(0, 60), random.between(0, 1_000)),
        "pct" => format!("{}.{}", random.between(0, 90), random.between(0, 10)),
        "pid" => process(random).to_string(),
        "port" => random.between(32_768, 61_000).to_string(),
        "xid" => random.between(10_000_000, 90_000_000).to_string(),
        "lsn" => format!("{:X}/{:08X}", random.between(16, 256), random.between(0, 1 << 32)),
        "wal" => format!("00000001{:08X}{:08X}", random.between(16, 256), random.between(0, 256)),
        "hex" => format!("{:016x}", random.bits()),
        "ip" => format!("10.30.{}.{}", random.between(0, 4), random.between(2, 255)),
        "user" => (*random.choice(&USERS)).to_owned(),
        unknown => format!("{{{unknown}}}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use engine::categorize::{Categorizer, CategorizerConfig};

    use super::*;

    fn count(lines: &[Line], text: &str, time: (i64, i64)) -> usize {
        lines.iter().filter(|line| within(line.time, time) && line.message.contains(text)).count()
    }

    #[test]
    fn kinds_are_many_and_none_is_rare() {
        let texts: BTreeSet<&str> = ordinary().map(|template| template.text).collect();
        assert!(texts.len() >= 100, "{}", texts.len());
        assert_eq!(texts.len(), ordinary().count());
        for template in ordinary() {
            let per_hour = match template.rhythm {
                Rhythm::Busy(rate) | Rhythm::Steady(rate) => rate,
                Rhythm::Every(minutes) => 60.0 / minutes as f64,
            };
            assert!(per_hour >= 2.0, "{}", template.text);
        }
    }

    #[test]
    fn every_place_has_its_value() {
        let lines = log();
        assert!((80_000..120_000).contains(&lines.len()), "{}", lines.len());
        assert!(lines.iter().all(|line| !line.message.contains(['{', '}'])));
    }

    #[test]
    fn categories_are_the_kinds_of_message() {
        let mut categorizer = Categorizer::new(&CategorizerConfig::default()).unwrap();
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        let mut by_event: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        let entities: Vec<&str> = scenario().events.iter().filter_map(|event| event.entity).collect();
        for line in log() {
            let id = categorizer.categorize(&line.message).unwrap();
            *counts.entry(id).or_default() += 1;
            if let Some(entity) = entities.iter().find(|entity| line.message.contains(**entity)) {
                by_event.entry(entity).or_default().insert(id);
            }
        }
        let kinds = ordinary().count() + 2;
        assert!(counts.len() >= 100 && counts.len() <= kinds + kinds / 5, "{} of {kinds}", counts.len());
        let rare: Vec<_> = counts.iter().filter(|(_, count)| **count < 100).collect();
        assert!(rare.len() <= 3, "{rare:?}");
        assert!(by_event.values().all(|ids| ids.len() == 1), "{by_event:?}");
    }

    #[test]
    fn a_day_has_its_shape() {
        let mut by_hour = [0u32; 24];
        for line in log() {
            by_hour[((line.time - START) / HOUR_MS % 24) as usize] += 1;
        }
        assert!(by_hour[10] * 10 > by_hour[2] * 15, "{by_hour:?}");
    }

    #[test]
    fn events_are_in_the_data_and_only_there() {
        let lines = log();
        let whole = (START, END);
        assert_eq!(count(&lines, "too many clients", STORM), 480);
        assert_eq!(count(&lines, "too many clients", whole), 480);
        assert_eq!(count(&lines, "invalid page in block", CORRUPT), 3);
        assert_eq!(count(&lines, "invalid page in block", whole), 3);
        assert_eq!(count(&lines, "checkpoint complete", NO_CHECKPOINTS), 0);
        assert_eq!(count(&lines, "checkpoint complete", whole), 5 * 288 - 60);
        assert!(count(&lines, "restartpoint complete", NO_CHECKPOINTS) > 100);
        assert!(count(&lines, "deadlock detected", DEADLOCKS) >= 90);
        let day_before = (DEADLOCKS.0 - 24 * HOUR_MS, DEADLOCKS.0);
        assert!((20..90).contains(&count(&lines, "deadlock detected", day_before)));
        let drip = count(&lines, "password authentication failed", DRIP);
        let before = (DRIP.0 - 24 * HOUR_MS, DRIP.1 - 24 * HOUR_MS);
        let usual = count(&lines, "password authentication failed", before);
        assert!(drip > 200 && usual < 60, "{drip} {usual}");
    }
}
