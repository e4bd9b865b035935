//! One metric: passengers of New York's yellow taxis in half hours, July 2014 to January 2015.
//!
//! Data and labelled windows: Numenta Anomaly Benchmark, `realKnownCause/nyc_taxi`, from the figures of the city's Taxi
//! and Limousine Commission; licence in `data/NYC_TAXI_LICENSE.txt`. The times are those of New York's clocks and are
//! taken as UTC, so that days and weeks keep their length.

use serde_json::json;

use super::season::{DAY_MS, MINUTE_MS, utc};
use super::{ChartSpec, KnownEvent, Scenario};

const DATA: &str = include_str!("data/nyc_taxi.csv");
const INDEX: &str = "demo-taxi";
const HALF_HOUR_MS: i64 = 30 * MINUTE_MS;

pub(super) fn scenario() -> Scenario {
    Scenario {
        name: "taxi",
        title: "New York taxis: one metric",
        index: INDEX,
        mapping: json!({"properties": {"timestamp": {"type": "date"}, "value": {"type": "long"}}}),
        job_id: "demo-taxi",
        job: json!({
            "description": "Passengers of New York's yellow taxis: holidays, a marathon and a blizzard",
            "groups": ["demos"],
            "analysis_config": {
                "bucket_span": "30m",
                "detectors": [{"function": "mean", "field_name": "value", "detector_description": "Passengers"}],
                "influencers": []
            },
            "data_description": {"time_field": "timestamp", "time_format": "epoch_ms"},
            "model_plot_config": {"enabled": true}
        }),
        datafeed: json!({"indices": [INDEX], "query": {"match_all": {}}, "scroll_size": 5000}),
        start_ms: utc(2014, 7, 1, 0, 0),
        end_ms: utc(2015, 2, 1, 0, 0),
        learning_until_ms: utc(2014, 7, 22, 0, 0),
        events: vec![
            window("New York marathon", utc(2014, 10, 30, 15, 30), utc(2014, 11, 3, 22, 30)),
            window("Thanksgiving", utc(2014, 11, 25, 12, 0), utc(2014, 11, 29, 19, 0)),
            window("Christmas", utc(2014, 12, 23, 11, 30), utc(2014, 12, 27, 18, 30)),
            window("New Year", utc(2014, 12, 29, 21, 30), utc(2015, 1, 3, 4, 30)),
            window("Blizzard", utc(2015, 1, 24, 20, 30), utc(2015, 1, 29, 3, 30)),
        ],
        // Independence Day and Labor Day.
        tolerated: [utc(2014, 7, 4, 0, 0), utc(2014, 9, 1, 0, 0)].map(|day| (day, day + DAY_MS)).to_vec(),
        floor: 4,
        chart: ChartSpec {
            title: "passengers in half an hour",
            aggregation: json!({"avg": {"field": "value"}}),
            query: json!(null),
            time_field: "timestamp",
            interval: "30m",
        },
        documents,
    }
}

/// The labels name the first and the last half hour.
fn window(name: &'static str, first_ms: i64, last_ms: i64) -> KnownEvent {
    let end_ms = last_ms + HALF_HOUR_MS;
    KnownEvent { name, start_ms: first_ms, end_ms, entity: None, detectors: &[], must_not: false }
}

fn documents() -> Box<dyn Iterator<Item = String>> {
    Box::new(rows().map(|(time, value)| format!(r#"{{"timestamp":{time},"value":{value}}}"#)))
}

fn rows() -> impl Iterator<Item = (i64, u32)> {
    DATA.lines().skip(1).map(|line| row(line).expect("the embedded file is whole, as a test shows"))
}

/// A line `2014-07-01 00:30:00,8127`.
fn row(line: &str) -> Option<(i64, u32)> {
    let number = |from: usize, to: usize| line.get(from..to)?.parse::<i64>().ok();
    let time = utc(number(0, 4)?, number(5, 7)?, number(8, 10)?, number(11, 13)?, number(14, 16)?);
    Some((time, line.get(20..)?.trim_end().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_half_an_hour_apart_and_complete() {
        let scenario = scenario();
        let times: Vec<i64> = rows().map(|row| row.0).collect();
        let expected: Vec<i64> = (0..10_320).map(|index| scenario.start_ms + index * HALF_HOUR_MS).collect();
        assert_eq!(times, expected);
        assert_eq!(times.last().copied(), Some(scenario.end_ms - HALF_HOUR_MS));
        assert!(DATA.lines().skip(1).all(|line| row(line).is_some()));
    }

    #[test]
    fn values_are_those_of_the_benchmark() {
        let value = |time: i64| rows().find(|row| row.0 == time).unwrap().1;
        assert_eq!(value(utc(2014, 7, 1, 0, 30)), 8127);
        assert_eq!(value(utc(2014, 11, 2, 1, 0)), 39_197);
        assert_eq!(value(utc(2015, 1, 27, 5, 30)), 37);
        assert_eq!(rows().map(|row| row.1).min(), Some(8));
    }

    #[test]
    fn a_day_has_its_shape() {
        let mean = |hour: i64| {
            let values: Vec<f64> = rows()
                .filter(|row| row.0.rem_euclid(DAY_MS) == hour * 60 * MINUTE_MS)
                .map(|row| f64::from(row.1))
                .collect();
            values.iter().sum::<f64>() / values.len() as f64
        };
        assert!(mean(19) > 4.0 * mean(4));
    }
}
