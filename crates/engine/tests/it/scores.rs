//! Scores of many series, and influencers.

use serde_json::json;

use crate::support::{Noise, Run, strong};

const SPAN: i64 = 300;

#[test]
fn clean_series_raise_few_records() {
    let detector = json!({ "function": "mean", "field_name": "v", "partition_field_name": "host" });
    let mut run = Run::new(json!({ "bucket_span": "5m", "detectors": [detector] }));
    let mut noise = Noise::new(21);
    let names: Vec<String> = (0..100).map(|i| format!("h{i}")).collect();
    for bucket in 0..600 {
        for name in &names {
            run.push(bucket * SPAN, &[(50.0 + 4.0 * noise.normal()).into(), name.as_str().into()]);
        }
    }
    let out = run.finish();
    // 200 in 1000 series and 2000 buckets is allowed.
    assert!(strong(&out, 50.0).len() <= 6, "{}", strong(&out, 50.0).len());
    let loud = out.buckets.iter().filter(|bucket| bucket.anomaly_score >= 50.0).count();
    assert!(loud <= 3, "{loud}");
    assert!(out.records.len() < 2000, "{}", out.records.len());
}

#[test]
fn one_overwhelming_series_of_many_makes_the_bucket() {
    let detector = json!({ "function": "mean", "field_name": "v", "partition_field_name": "host" });
    let config = json!({ "bucket_span": "5m", "detectors": [detector], "influencers": ["host", "rack"] });
    let mut run = Run::new(config);
    let mut noise = Noise::new(22);
    for bucket in 0..200 {
        for host in 0..300 {
            let mut value = 50.0 + noise.normal();
            if bucket == 190 && host == 123 {
                value += 500.0;
            }
            let rack = format!("r{}", host % 10);
            run.push(bucket * SPAN, &[value.into(), format!("h{host}").into(), rack.into()]);
        }
    }
    let out = run.finish();
    let bucket = &out.buckets[190];
    assert!(bucket.anomaly_score >= 50.0, "{}", bucket.anomaly_score);
    // Of 60,000 buckets of young series, a few may be alarms by chance.
    assert!(strong(&out, 50.0).len() <= 4);
    let strong = strong(&out, 90.0);
    assert_eq!(strong.len(), 1);
    assert_eq!(strong[0].split.partition_field_value.as_deref(), Some("h123"));
    let influencers = strong[0].influencers.as_ref().unwrap();
    assert_eq!(influencers[0].influencer_field_values, ["h123"]);
    assert_eq!(influencers[1].influencer_field_values, ["r3"]);
    assert_eq!(strong[0].copies["rack"], json!(["r3"]));
    let named: Vec<&str> =
        bucket.bucket_influencers.iter().map(|i| i.influencer_field_name.as_str()).collect();
    assert_eq!(named, ["bucket_time", "host", "rack"]);
    let most = bucket.bucket_influencers.iter().map(|i| i.anomaly_score).fold(0.0, f64::max);
    assert_eq!(most, bucket.anomaly_score);
    let rack = out.influencers.iter().find(|i| i.influencer_field_value == "r3" && i.influencer_score > 50.0);
    assert_eq!(rack.unwrap().copies["rack"], json!("r3"));
}

#[test]
fn who_makes_the_excess_is_the_influencer() {
    let config = json!({
        "bucket_span": "5m", "detectors": [{ "function": "count" }], "influencers": ["client"],
    });
    let mut run = Run::new(config);
    let mut noise = Noise::new(23);
    for bucket in 0..300 {
        for _ in 0..50 {
            run.push(bucket * SPAN, &[format!("c{}", noise.below(20)).into()]);
        }
        if bucket == 280 {
            (0..400).for_each(|_| {
                run.push(bucket * SPAN, &["bot".into()]);
            });
        }
    }
    let out = run.finish();
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1);
    assert_eq!(strong[0].influencers.as_ref().unwrap()[0].influencer_field_values, ["bot"]);
}
