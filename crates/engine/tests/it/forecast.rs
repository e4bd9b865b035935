//! Forecasts: which jobs have one, what they say, and that they change nothing.

use engine::{ForecastError, ForecastRequest};
use serde_json::json;

use crate::support::{Noise, Run};

const HOUR: i64 = 3600;
const BUCKETS: i64 = 24 * 28;

fn daily(bucket: i64) -> f64 {
    (bucket as f64 / 24.0 * std::f64::consts::TAU).sin()
}

/// Four weeks of two hosts with a daily pattern, one with a rising level.
fn two_hosts(function: &str) -> Run {
    let mut run = Run::new(json!({
        "bucket_span": "1h",
        "detectors": [{ "function": function, "field_name": "v", "partition_field_name": "h" }],
    }));
    let mut noise = Noise::new(3);
    for bucket in 0..BUCKETS {
        for (host, slope) in [("flat", 0.0), ("rising", 0.1)] {
            let value = 100.0 + 20.0 * daily(bucket) + slope * bucket as f64 + noise.normal();
            run.push(bucket * HOUR, &[value.into(), host.into()]);
        }
    }
    run.push(BUCKETS * HOUR, &[100.0.into(), "young".into()]);
    run.analysis.advance((BUCKETS + 1) * HOUR * 1000, &mut run.out);
    run
}

#[test]
fn a_forecast_begins_where_the_buckets_end_and_covers_what_comes() {
    let run = two_hosts("mean");
    let before = run.analysis.snapshot();
    let forecast = run.analysis.forecast(ForecastRequest::new(86_400 * 2 + 1)).unwrap();
    assert_eq!((forecast.series_count(), forecast.too_young_count()), (2, 1));
    assert_eq!((forecast.buckets(), forecast.points()), (49, 98));
    assert_eq!(forecast.start().0, (BUCKETS + 1) * HOUR * 1000);
    assert_eq!(forecast.end().0, (BUCKETS + 1 + 49) * HOUR * 1000);
    let mut hosts = Vec::new();
    for series in forecast {
        let host = series.split.partition_field_value.clone().unwrap();
        let slope = if host == "rising" { 0.1 } else { 0.0 };
        let mut inside = 0;
        for (at, point) in series.points().enumerate() {
            let bucket = BUCKETS + 1 + at as i64;
            assert_eq!((point.timestamp.0, point.bucket_span), (bucket * HOUR * 1000, HOUR));
            let truth = 100.0 + 20.0 * daily(bucket) + slope * bucket as f64;
            assert!(point.forecast_lower <= point.forecast_prediction);
            assert!(point.forecast_prediction <= point.forecast_upper);
            assert!((point.forecast_prediction - truth).abs() < 12.0, "{host} {bucket}: {point:?} {truth}");
            inside += usize::from((point.forecast_lower..=point.forecast_upper).contains(&truth));
        }
        assert!(inside >= 40, "{host}: {inside} of 49");
        hosts.push(host);
    }
    assert_eq!(hosts, ["flat", "rising"]);
    assert_eq!(before, run.analysis.snapshot());
}

/// Shares of values that came later inside the interval, in the first six hours, the first day, and the days after.
fn coverage(season: f64, walk: f64) -> [f64; 3] {
    let mut run = Run::new(json!({
        "bucket_span": "1h",
        "detectors": [{ "function": "mean", "field_name": "v", "partition_field_name": "h" }],
    }));
    let hosts = 60;
    let mut noise = Noise::new(11);
    let mut levels = vec![100.0; hosts];
    let mut values = |bucket: i64| -> Vec<f64> {
        levels.iter_mut().for_each(|level| *level += walk * noise.normal());
        levels.iter().map(|level| level + season * daily(bucket) + noise.normal()).collect()
    };
    for bucket in 0..BUCKETS {
        for (host, value) in values(bucket).into_iter().enumerate() {
            run.push(bucket * HOUR, &[value.into(), format!("h{host:02}").into()]);
        }
    }
    run.analysis.advance(BUCKETS * HOUR * 1000, &mut run.out);
    let later: Vec<Vec<f64>> = (BUCKETS..BUCKETS + 96).map(&mut values).collect();
    let (mut inside, mut all) = ([0.0; 3], [0.0; 3]);
    for (host, series) in run.analysis.forecast(ForecastRequest::new(96 * HOUR)).unwrap().enumerate() {
        for (at, point) in series.points().enumerate() {
            let part = usize::from(at >= 6) + usize::from(at >= 24);
            all[part] += 1.0;
            if (point.forecast_lower..=point.forecast_upper).contains(&later[at][host]) {
                inside[part] += 1.0;
            }
        }
    }
    std::array::from_fn(|part| inside[part] / all[part])
}

/// 95 % is what the interval says; docs/quality.md has the figures.
#[test]
fn intervals_hold_about_what_they_say() {
    for (season, walk) in [(0.0, 0.0), (20.0, 0.0), (0.0, 0.1), (20.0, 0.1)] {
        let shares = coverage(season, walk);
        assert!(shares.iter().all(|share| (0.93..=0.99).contains(share)), "{season} {walk}: {shares:.3?}");
    }
}

#[test]
fn metric_is_forecast_by_feature() {
    let run = two_hosts("metric");
    let forecast = run.analysis.forecast(ForecastRequest::new(HOUR)).unwrap();
    assert_eq!((forecast.series_count(), forecast.points()), (6, 6));
    let features: Vec<&str> = forecast.take(3).map(|series| series.model_feature).collect();
    assert!(
        features[0].contains("mean") && features[1].contains("minimum") && features[2].contains("maximum")
    );
}

#[test]
fn counts_are_forecast_and_never_below_zero() {
    let mut run = Run::new(json!({ "bucket_span": "1h", "detectors": [{ "function": "count" }] }));
    for bucket in 0..200 {
        for i in 0..(bucket % 3) {
            run.push(bucket * HOUR + i, &[]);
        }
    }
    let forecast = run.analysis.forecast(ForecastRequest::new(86_400 * 365)).unwrap();
    let series: Vec<_> = forecast.collect();
    assert!(series[0].split.partition_field_value.is_none());
    assert!(series[0].points().all(|point| point.forecast_lower >= 0.0 && point.forecast_upper >= 0.0));
}

#[test]
fn what_cannot_be_forecast_is_refused() {
    let refuse = |config: serde_json::Value| {
        let run = Run::new(config);
        run.analysis.forecast(ForecastRequest::new(HOUR)).unwrap_err()
    };
    let rare =
        json!({ "detectors": [{ "function": "count" }, { "function": "rare", "by_field_name": "a" }] });
    assert_eq!(refuse(rare), ForecastError::Function { function: "rare".into() });
    let geo = json!({ "detectors": [{ "function": "lat_long", "field_name": "a" }] });
    assert_eq!(refuse(geo), ForecastError::Function { function: "lat_long".into() });
    let population = json!({ "detectors": [{ "function": "count", "over_field_name": "a" }] });
    assert_eq!(refuse(population), ForecastError::Population);
    assert_eq!(refuse(json!({ "detectors": [{ "function": "count" }] })), ForecastError::NoData);
}

#[test]
fn limits_hold() {
    let run = two_hosts("mean");
    let ask = |duration_s, points_max| {
        run.analysis.forecast(ForecastRequest { duration_s, points_max }).map(|forecast| forecast.points())
    };
    assert_eq!(ask(0, 100), Err(ForecastError::Duration { seconds: 0 }));
    assert_eq!(ask(-5, 100), Err(ForecastError::Duration { seconds: -5 }));
    assert!(ask(3651 * 86_400, u64::MAX).is_err());
    assert_eq!(ask(50 * HOUR, 100), Ok(100));
    assert_eq!(ask(51 * HOUR, 100), Err(ForecastError::TooManyPoints { points: 102, points_max: 100 }));
}
