//! Each detector function finds what it is for, and nothing else.

use serde_json::json;

use crate::support::{Cell, Noise, Run, strong};

const SPAN: i64 = 300;

fn config(detector: serde_json::Value) -> serde_json::Value {
    json!({ "bucket_span": "5m", "detectors": [detector] })
}

/// Three records per bucket with values around 10; in bucket `at`, `change` says what is there instead.
fn values_with(function: &str, at: i64, change: impl Fn(&mut Noise) -> Vec<f64>) -> engine::Output {
    let mut run = Run::new(config(json!({ "function": function, "field_name": "v" })));
    let mut noise = Noise::new(7);
    for bucket in 0..600 {
        let values =
            if bucket == at { change(&mut noise) } else { (0..3).map(|_| 10.0 + noise.normal()).collect() };
        for value in values {
            run.push(bucket * SPAN, &[value.into()]);
        }
    }
    run.finish()
}

#[test]
fn metric_functions_find_unusual_values() {
    let cases: [(&str, Vec<f64>); 9] = [
        ("mean", vec![60.0, 61.0, 59.0]),
        ("median", vec![60.0, 61.0, 59.0]),
        ("max", vec![10.0, 90.0, 10.0]),
        ("min", vec![10.0, -60.0, 10.0]),
        ("sum", vec![70.0, 70.0, 70.0]),
        ("non_null_sum", vec![70.0, 70.0, 70.0]),
        ("high_mean", vec![60.0, 61.0, 59.0]),
        ("varp", vec![-60.0, 10.0, 80.0]),
        ("metric", vec![-60.0, 10.0, 80.0]),
    ];
    for (function, values) in cases {
        let out = values_with(function, 500, |_| values.clone());
        let strong = strong(&out, 50.0);
        assert!(!strong.is_empty(), "{function}: {:?}", out.records);
        // Of 600 buckets, one may be an alarm by chance.
        let by_chance = strong.iter().filter(|record| record.timestamp.0 != 500 * SPAN * 1000);
        assert!(by_chance.clone().count() <= 1, "{function}: {strong:?}");
        assert!(by_chance.clone().all(|record| record.record_score < 75.0), "{function}: {strong:?}");
        assert!(by_chance.count() < strong.len(), "{function}: {strong:?}");
        for record in &strong {
            assert_eq!(record.function, function);
            assert!(record.probability > 0.0 && record.probability <= 1.0);
            assert!(record.anomaly_score_explanation.is_some());
        }
        assert_eq!(out.buckets.len(), 600);
        let best = out.buckets.iter().max_by(|a, b| a.anomaly_score.total_cmp(&b.anomaly_score)).unwrap();
        assert_eq!(best.timestamp.0, 500 * SPAN * 1000);
        assert!(best.bucket_influencers.iter().any(|i| i.influencer_field_name == "bucket_time"));
    }
}

#[test]
fn metric_has_a_record_for_each_feature() {
    let out = values_with("metric", 500, |_| vec![-60.0, 10.0, 80.0]);
    let mut features: Vec<&str> =
        strong(&out, 50.0).iter().map(|record| record.function_description.as_str()).collect();
    features.sort_unstable();
    assert!(features.contains(&"max") && features.contains(&"min"), "{features:?}");
    let mut ids: Vec<String> = out.records.iter().map(types::results::Record::doc_id).collect();
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn one_sided_functions_look_at_one_side() {
    for (function, value, found) in [("low_mean", 60.0, false), ("low_mean", -40.0, true)] {
        let out = values_with(function, 500, |_| vec![value; 3]);
        assert_eq!(!strong(&out, 50.0).is_empty(), found, "{function} {value}");
    }
}

fn counts(function: &str) -> engine::Output {
    let mut run = Run::new(config(json!({ "function": function })));
    let mut noise = Noise::new(3);
    for bucket in 0..500 {
        let n = if bucket == 400 { 0 } else { 95 + noise.below(11) };
        for i in 0..n {
            run.push(bucket * SPAN + i as i64, &[]);
        }
    }
    run.finish()
}

#[test]
fn an_outage_is_low_but_not_high() {
    for function in ["count", "low_count"] {
        let out = counts(function);
        let strong = strong(&out, 50.0);
        assert_eq!(strong.len(), 1, "{function}");
        assert_eq!(strong[0].actual, Some(vec![0.0]));
        assert!((strong[0].typical.as_ref().unwrap()[0] - 100.0).abs() < 8.0);
        assert_eq!(out.buckets[400].event_count, 0);
    }
    for function in ["high_count", "non_zero_count"] {
        assert!(strong(&counts(function), 25.0).is_empty(), "{function}");
    }
}

#[test]
fn missing_values_are_zero_for_sum_only() {
    for (function, found) in [("sum", true), ("non_null_sum", false), ("mean", false)] {
        let mut run = Run::new(config(json!({ "function": function, "field_name": "v" })));
        let mut noise = Noise::new(5);
        for bucket in 0..400 {
            let value = if bucket == 300 { Cell::None } else { (100.0 + noise.normal()).into() };
            run.push(bucket * SPAN, &[value]);
        }
        let out = run.finish();
        assert_eq!(!strong(&out, 50.0).is_empty(), found, "{function}");
    }
}

#[test]
fn distinct_values_and_information_are_counted() {
    for function in ["distinct_count", "high_distinct_count", "high_info_content"] {
        let mut run = Run::new(config(json!({ "function": function, "field_name": "port" })));
        let mut noise = Noise::new(9);
        for bucket in 0..400 {
            for i in 0..40 {
                let port = if bucket == 350 { noise.bits() } else { noise.below(8) as u64 };
                run.push(bucket * SPAN + i, &[format!("{port:x}").into()]);
            }
        }
        let out = run.finish();
        let best = out.records.iter().max_by(|a, b| a.record_score.total_cmp(&b.record_score)).unwrap();
        assert!(best.record_score >= 50.0, "{function}");
        assert_eq!(best.timestamp.0, 350 * SPAN * 1000, "{function}");
        // The way back to normal may be an event of its own.
        assert!(strong(&out, 50.0).len() <= 2, "{function}");
    }
}

#[test]
fn the_first_of_its_kind_is_rare() {
    let mut run = Run::new(config(json!({ "function": "rare", "by_field_name": "status" })));
    let mut noise = Noise::new(1);
    for bucket in 0..1000 {
        for _ in 0..5 {
            let status = if noise.below(3) == 0 { "404" } else { "200" };
            run.push(bucket * SPAN, &[status.into()]);
        }
        if bucket == 900 {
            run.push(bucket * SPAN, &["500".into()]);
        }
    }
    let out = run.finish();
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1);
    assert!(strong[0].record_score >= 75.0, "{}", strong[0].record_score);
    assert_eq!(strong[0].split.by_field_value.as_deref(), Some("500"));
    assert_eq!(strong[0].actual, Some(vec![1.0]));
    assert!(strong[0].typical.as_ref().unwrap()[0] < 0.01);
    let explanation = strong[0].anomaly_score_explanation.as_ref().unwrap();
    assert_eq!(explanation.by_field_first_occurrence, Some(true));
}

#[test]
fn where_everything_is_rare_nothing_is() {
    let mut run = Run::new(config(json!({ "function": "rare", "by_field_name": "id" })));
    let mut noise = Noise::new(1);
    for bucket in 0..400 {
        run.push(bucket * SPAN, &[format!("{:x}", noise.bits()).into()]);
    }
    assert!(run.finish().records.iter().all(|record| record.record_score < 5.0));
}

fn clients(function: &str, odd: impl Fn(&mut Run, i64)) -> engine::Output {
    let detector = json!({ "function": function, "by_field_name": "uri", "over_field_name": "client" });
    let mut run = Run::new(config(detector));
    let mut noise = Noise::new(4);
    for bucket in 0..200 {
        let time = bucket * SPAN;
        for client in 0..50 {
            for _ in 0..4 {
                let uri = format!("/page{}", noise.below(12));
                run.push(time, &[uri.into(), format!("c{client}").into()]);
            }
        }
        if bucket == 180 {
            odd(&mut run, time);
        }
    }
    run.finish()
}

#[test]
fn a_client_with_pages_of_its_own_is_rare() {
    let out = clients("rare", |run, time| {
        (0..20).for_each(|i| {
            run.push(time, &[format!("/secret{i}").into(), "c7".into()]);
        });
    });
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1, "{:?}", out.records);
    assert_eq!(strong[0].split.over_field_value.as_deref(), Some("c7"));
    assert_eq!(strong[0].split.by_field_value, None);
    assert_eq!(strong[0].causes.as_ref().unwrap().len(), 10);
    assert!(
        strong[0].causes.as_ref().unwrap()[0].split.by_field_value.as_ref().unwrap().starts_with("/secret")
    );
}

#[test]
fn a_client_that_hammers_one_odd_page_is_frequently_rare() {
    let out = clients("freq_rare", |run, time| {
        (0..500).for_each(|_| {
            run.push(time, &["/odd".into(), "c9".into()]);
        });
    });
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1, "{:?}", out.records);
    assert_eq!(strong[0].split.over_field_value.as_deref(), Some("c9"));
}

#[test]
fn a_member_unlike_the_others_is_found() {
    for function in ["high_count", "high_mean", "sum", "max"] {
        let mut detector = json!({ "function": function, "over_field_name": "user" });
        if function != "high_count" {
            detector["field_name"] = "bytes".into();
        }
        let mut run =
            Run::new(json!({ "bucket_span": "5m", "detectors": [detector], "influencers": ["user"] }));
        let fields = run.analysis.fields().to_vec();
        let mut noise = Noise::new(12);
        for bucket in 0..150 {
            for user in 0..100 {
                let n = if bucket == 140 && user == 33 { 60 } else { 1 + noise.below(4) };
                for _ in 0..n {
                    let mut bytes = (5.0 + noise.normal()).exp();
                    if bucket == 140 && user == 33 {
                        bytes *= 1000.0;
                    }
                    let name: Cell = format!("u{user}").into();
                    let cells = if fields.len() == 1 { vec![name] } else { vec![bytes.into(), name] };
                    run.push(bucket * SPAN, &cells);
                }
            }
        }
        let out = run.finish();
        let strong = strong(&out, 50.0);
        assert_eq!(strong.len(), 1, "{function}: {:?}", out.records);
        assert_eq!(strong[0].split.over_field_value.as_deref(), Some("u33"));
        assert_eq!(strong[0].causes.as_ref().unwrap().len(), 1);
        assert_eq!(out.influencers.iter().filter(|i| i.influencer_score >= 50.0).count(), 1);
    }
}

#[test]
fn an_unusual_time_of_day_is_found() {
    let mut run = Run::new(config(json!({ "function": "time_of_day", "by_field_name": "user" })));
    let mut noise = Noise::new(2);
    for day in 0..90i64 {
        if day == 85 {
            run.push(day * 86_400 + 3 * 3600, &["anna".into()]);
        }
        run.push(day * 86_400 + 9 * 3600 + noise.below(1200) as i64, &["anna".into()]);
    }
    let out = run.finish();
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1, "{:?}", out.records);
    assert_eq!(strong[0].actual, Some(vec![10_800.0]));
    assert!((strong[0].typical.as_ref().unwrap()[0] - 33_000.0).abs() < 1500.0);
    assert_eq!(strong[0].function_description, "time");
}

#[test]
fn a_far_place_is_found() {
    let mut run =
        Run::new(config(json!({ "function": "lat_long", "field_name": "place", "by_field_name": "card" })));
    let mut noise = Noise::new(2);
    for bucket in 0..400 {
        let (lat, lon) = if bucket == 380 { (-33.9, 151.2) } else { (52.5, 13.4) };
        let place = format!("{},{}", lat + 0.01 * noise.normal(), lon + 0.01 * noise.normal());
        run.push(bucket * SPAN, &[place.into(), "k".into()]);
    }
    let out = run.finish();
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1, "{:?}", out.records);
    assert_eq!(strong[0].actual.as_ref().unwrap().len(), 2);
    assert!(strong[0].geo_results.as_ref().unwrap().typical_point.starts_with("52."));
}

#[test]
fn categories_split_and_are_defined() {
    let mut run = Run::new(json!({
        "bucket_span": "5m", "categorization_field_name": "message",
        "detectors": [{ "function": "rare", "by_field_name": "mlcategory" }],
        "influencers": ["mlcategory"],
    }));
    for bucket in 0..600i64 {
        for i in 0..6 {
            run.push(bucket * SPAN + i, &[format!("connection {} opened from host {i}", bucket * 7).into()]);
            run.push(bucket * SPAN + i, &[format!("request {i} served in {bucket} ms").into()]);
        }
        if bucket == 550 {
            run.push(bucket * SPAN + 10, &["kernel panic not syncing fatal exception".into()]);
        }
    }
    let out = run.finish();
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1, "{:?}", out.records);
    let category = strong[0].split.by_field_value.clone().unwrap();
    let definition = out.categories.iter().rfind(|definition| definition.mlcategory == category).unwrap();
    assert!(definition.examples[0].contains("kernel panic"));
    assert_eq!(
        out.influencers.iter().filter(|i| i.influencer_field_name == "mlcategory").count(),
        out.records.len()
    );
}
