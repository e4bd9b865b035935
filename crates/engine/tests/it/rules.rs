//! Rules, calendars, limits, plots, late records.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Analysis, Context, Disposition, Output};
use serde_json::{Value, json};
use types::TimestampMs;
use types::calendar::CalendarEvent;
use types::stats::MemoryStatus;

use crate::support::{Cell, Noise, Run, job, strong};

const SPAN: i64 = 300;

/// Two hosts with values around 10; both jump to 80 in bucket 500.
fn run(rules: Value, context: Context) -> Output {
    let detector =
        json!({ "function": "mean", "field_name": "v", "by_field_name": "host", "custom_rules": rules });
    let config = json!({ "bucket_span": "5m", "detectors": [detector] });
    let mut run = Run::with_context(config, context);
    let mut noise = Noise::new(1);
    for bucket in 0..600 {
        for host in ["a", "b"] {
            let level = if bucket == 500 { 80.0 } else { 10.0 };
            run.push(bucket * SPAN, &[(level + noise.normal()).into(), host.into()]);
        }
    }
    run.finish()
}

fn hosts(out: &Output) -> Vec<&str> {
    strong(out, 50.0).iter().map(|record| record.split.by_field_value.as_deref().unwrap()).collect()
}

#[test]
fn rules_hide_records_in_their_scope() {
    assert_eq!(hosts(&run(json!([]), Context::default())), ["a", "b"]);
    let safe = BTreeSet::from(["a".to_owned()]);
    let context = Context { filters: BTreeMap::from([("safe".to_owned(), safe)]), events: Vec::new() };
    let scope = json!([{ "actions": ["skip_result"], "scope": { "host": { "filter_id": "safe" } } }]);
    assert_eq!(hosts(&run(scope, context)), ["b"]);
    let below = json!([{ "conditions": [{ "applies_to": "actual", "operator": "lt", "value": 100 }] }]);
    assert!(hosts(&run(below, Context::default())).is_empty());
    let above = json!([{ "conditions": [{ "applies_to": "actual", "operator": "gt", "value": 100 }] }]);
    assert_eq!(hosts(&run(above, Context::default())), ["a", "b"]);
}

#[test]
fn calendar_events_skip_results_and_stay_on_the_bucket() {
    let event = CalendarEvent {
        description: "release".into(),
        start_time: TimestampMs(500 * SPAN * 1000),
        end_time: TimestampMs(501 * SPAN * 1000),
        skip_result: true,
        skip_model_update: true,
        force_time_shift: None,
        calendar_id: None,
        event_id: None,
    };
    let out = run(json!([]), Context { filters: BTreeMap::new(), events: vec![event] });
    assert!(hosts(&out).is_empty());
    assert_eq!(out.buckets[500].scheduled_events, ["release"]);
    assert!(out.buckets[501].scheduled_events.is_empty());
}

#[test]
fn late_records_are_refused_unless_latency_allows_them() {
    let mut run =
        Run::new(json!({ "bucket_span": "5m", "latency": "10m", "detectors": [{ "function": "count" }] }));
    assert_eq!(run.push(3000, &[]), Disposition::Processed);
    assert_eq!(run.push(3600, &[]), Disposition::Processed);
    assert_eq!(run.push(3100, &[]), Disposition::Processed);
    assert_eq!(run.push(4000, &[]), Disposition::Processed);
    assert_eq!(run.push(3299, &[]), Disposition::OutOfOrder);
    assert_eq!(run.analysis.counts().out_of_order_timestamp_count, 1);
    assert_eq!(run.analysis.last_finalized_bucket_end_ms(), Some(3_300_000));
    let out = run.finish();
    let events: Vec<u64> = out.buckets.iter().map(|bucket| bucket.event_count).collect();
    assert_eq!(events, [2, 0, 1, 1]);
}

#[test]
fn skipping_writes_nothing_and_interim_changes_nothing() {
    let mut run = Run::new(json!({ "bucket_span": "5m", "detectors": [{ "function": "count" }] }));
    for bucket in 0..50 {
        (0..10).for_each(|i| {
            run.push(bucket * SPAN + i, &[]);
        });
    }
    let before = run.analysis.snapshot();
    let mut interim = Output::default();
    run.analysis.interim(&mut interim);
    assert_eq!(run.analysis.snapshot(), before);
    assert_eq!(interim.buckets.len(), 1);
    assert!(interim.buckets[0].is_interim && interim.buckets[0].event_count == 10);
    run.analysis.skip(100 * SPAN * 1000);
    assert_eq!(run.push(60 * SPAN, &[]), Disposition::OutOfOrder);
    run.push(100 * SPAN, &[]);
    let out = run.finish();
    assert_eq!(out.buckets.len(), 50);
    assert_eq!(out.buckets[49].timestamp.0, 100 * SPAN * 1000);
}

#[test]
fn advancing_closes_empty_buckets() {
    let mut run = Run::new(json!({ "bucket_span": "5m", "detectors": [{ "function": "count" }] }));
    run.push(0, &[]);
    run.analysis.advance(10 * SPAN * 1000, &mut run.out);
    assert_eq!(run.out.buckets.len(), 10);
    assert_eq!(run.analysis.counts().empty_bucket_count, 9);
}

#[test]
fn the_memory_limit_stops_new_series_and_counts_them() {
    let config = json!({
        "bucket_span": "5m", "analysis_limits": { "model_memory_limit": "1mb" },
        "detectors": [{ "function": "count", "by_field_name": "id" }],
    });
    let mut run = Run::new(config);
    for bucket in 0..40 {
        for i in 0..200 {
            run.push(bucket * SPAN, &[format!("id-{bucket}-{i}").into()]);
        }
    }
    let stats = run.analysis.size_stats(TimestampMs(1));
    assert_eq!(stats.memory_status, MemoryStatus::HardLimit);
    assert!(stats.bucket_allocation_failures_count > 5);
    assert!(stats.model_bytes < 2 << 20, "{}", stats.model_bytes);
    assert!(stats.total_by_field_count < 8000);
    let out = run.finish();
    assert!(out.size_stats.iter().any(|stats| stats.memory_status == MemoryStatus::SoftLimit));
}

#[test]
fn idle_series_are_forgotten() {
    let config = json!({
        "bucket_span": "5m", "model_prune_window": "2h",
        "detectors": [{ "function": "mean", "field_name": "v", "by_field_name": "id" }],
    });
    let mut run = Run::new(config);
    for bucket in 0..200i64 {
        run.push(bucket * SPAN, &[1.0.into(), "stays".into()]);
        run.push(bucket * SPAN, &[1.0.into(), format!("passes-{bucket}").into()]);
    }
    let stats = run.analysis.size_stats(TimestampMs(1));
    assert!((20..60).contains(&stats.total_by_field_count), "{}", stats.total_by_field_count);
}

#[test]
fn plots_are_written_for_the_terms() {
    let config = json!({
        "bucket_span": "5m", "model_plot_config": { "enabled": true, "terms": "a" },
        "detectors": [{ "function": "mean", "field_name": "v", "by_field_name": "host" }],
    });
    let mut run = Run::new(config);
    let mut noise = Noise::new(1);
    for bucket in 0..100 {
        for host in ["a", "b"] {
            run.push(bucket * SPAN, &[(10.0 + noise.normal()).into(), host.into()]);
        }
    }
    let out = run.finish();
    assert_eq!(out.model_plots.len(), 100);
    let plot = &out.model_plots[99];
    assert_eq!(plot.model_feature, "'arithmetic mean value by person'");
    assert!(plot.model_lower < plot.model_median && plot.model_median < plot.model_upper);
    assert_eq!(plot.split.by_field_value.as_deref(), Some("a"));
}

#[test]
fn each_member_of_a_population_has_a_plot_of_what_the_crowd_does() {
    for (terms, plots) in [("", 5), ("m-1,m-3", 2)] {
        let config = json!({
            "bucket_span": "5m", "model_plot_config": { "enabled": true, "terms": terms },
            "detectors": [{ "function": "count", "over_field_name": "who" }],
        });
        let mut run = Run::new(config);
        for bucket in 0..60 {
            for member in 0..5 {
                let records = if bucket == 59 && member == 3 { 400 } else { 8 + (bucket + member) % 3 };
                for _ in 0..records {
                    run.push(bucket * SPAN, &[format!("m-{member}").into()]);
                }
            }
        }
        let out = run.finish();
        assert_eq!(out.model_plots.len(), 60 * plots);
        let last = &out.model_plots[59 * plots..];
        let odd = last.iter().find(|plot| plot.split.over_field_value.as_deref() == Some("m-3")).unwrap();
        assert_eq!((odd.actual, odd.split.over_field_name.as_deref()), (Some(400.0), Some("who")));
        assert!(odd.model_lower >= 0.0 && odd.model_lower < odd.model_median && odd.model_upper < 20.0);
        assert!((odd.model_median - 9.0).abs() < 2.0, "{odd:?}");
        assert_eq!(odd.model_feature, "'count per bucket by person'");
    }
}

#[test]
fn missing_split_values_are_left_out_unless_null_is_a_value() {
    for (use_null, events) in [(false, 0), (true, 1)] {
        let detector = json!({ "function": "count", "by_field_name": "host", "use_null": use_null });
        let mut run = Run::new(json!({ "bucket_span": "5m", "detectors": [detector] }));
        run.push(0, &[Cell::None]);
        assert_eq!(run.analysis.size_stats(TimestampMs(1)).total_by_field_count, events);
        assert_eq!(run.analysis.counts().missing_field_count, 1);
        assert_eq!(run.analysis.counts().processed_record_count, 1);
    }
}

#[test]
fn summarised_records_weigh_what_they_stand_for() {
    let config = json!({
        "bucket_span": "5m", "summary_count_field_name": "doc_count", "detectors": [{ "function": "count" }],
    });
    let mut run = Run::new(config);
    for bucket in 0..300 {
        let n = if bucket == 250 { 5000.0 } else { 100.0 + f64::from(bucket % 7) };
        run.push(i64::from(bucket) * SPAN, &[n.into()]);
    }
    let out = run.finish();
    let strong = strong(&out, 50.0);
    assert_eq!(strong.len(), 1);
    assert_eq!(strong[0].actual, Some(vec![5000.0]));
}

/// Surprises after a daily pattern came an hour earlier, with or without an event that says so.
fn after_clock_change(shift: Option<i64>) -> Output {
    const CHANGE: i64 = 24 * 12 * 10;
    let event = CalendarEvent {
        description: "summer time".into(),
        start_time: TimestampMs(CHANGE * SPAN * 1000 + 1000),
        end_time: TimestampMs((CHANGE + 1) * SPAN * 1000),
        skip_result: false,
        skip_model_update: false,
        force_time_shift: shift,
        calendar_id: None,
        event_id: None,
    };
    let context = Context { filters: BTreeMap::new(), events: vec![event] };
    let config = json!({
        "bucket_span": "5m", "detectors": [{ "function": "mean", "field_name": "v" }],
        "model_plot_config": { "enabled": true },
    });
    let mut run = Run::with_context(config.clone(), context.clone());
    let mut noise = Noise::new(8);
    for bucket in 0..CHANGE + 288 {
        if [CHANGE - 100, CHANGE + 3].contains(&bucket) {
            // What was shifted before a restart must not be shifted again, and what was not must be.
            let state = run.analysis.snapshot();
            run.analysis = Analysis::restore(&job(config.clone()), context.clone(), &state).unwrap();
        }
        let local = if bucket >= CHANGE { bucket + 12 } else { bucket };
        let angle = (local % 288) as f64 / 288.0 * std::f64::consts::TAU;
        run.push(bucket * SPAN, &[(500.0 + 100.0 * angle.sin() + noise.normal()).into()]);
    }
    run.finish()
}

#[test]
fn a_forced_time_shift_moves_the_pattern_at_once() {
    let worst = |out: &Output| {
        let plots = out.model_plots.iter().rev().take(288);
        plots.map(|plot| (plot.actual.unwrap() - plot.model_median).abs()).fold(0.0, f64::max)
    };
    let (blind, told) = (after_clock_change(None), after_clock_change(Some(3600)));
    assert!(worst(&told) < 10.0 && worst(&blind) > 20.0, "{} {}", worst(&told), worst(&blind));
    let shifts = |out: &Output| out.annotations.iter().filter(|a| a.text.contains("calendar event")).count();
    assert_eq!((shifts(&told), shifts(&blind)), (1, 0));
    let loud =
        |out: &Output| out.buckets[2880..].iter().filter(|bucket| bucket.anomaly_score >= 25.0).count();
    assert_eq!(loud(&told), 0, "{:?}", strong(&told, 25.0));
}
