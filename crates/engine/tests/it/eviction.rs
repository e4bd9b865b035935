//! Detectors whose entities have no smaller form: at the memory limit those that are missed least are forgotten before any
//! new one is refused.

use engine::{Analysis, Context, FieldValue, Output};
use proptest::prelude::*;
use serde_json::{Value, json};
use types::TimestampMs;
use types::stats::{MemoryStatus, ModelSizeStats};

use crate::allocator;
use crate::support::{Noise, Run, job, strong};

const SPAN: i64 = 300;

fn config(detector: &Value, limit: &str) -> Value {
    json!({ "bucket_span": "5m", "analysis_limits": { "model_memory_limit": limit }, "detectors": [detector] })
}

/// Detectors of every kind that evicts, over the entity `name`.
fn detectors() -> Vec<Value> {
    vec![
        json!({ "function": "high_sum", "field_name": "v", "over_field_name": "name" }),
        json!({ "function": "rare", "by_field_name": "name" }),
        json!({ "function": "freq_rare", "by_field_name": "name", "over_field_name": "who" }),
        json!({ "function": "lat_long", "field_name": "v", "by_field_name": "name" }),
        json!({ "function": "time_of_day", "by_field_name": "name" }),
    ]
}

fn stats(analysis: &Analysis) -> ModelSizeStats {
    analysis.size_stats(TimestampMs(1))
}

/// Pushes one record; a negative number stands for a position.
fn push(analysis: &mut Analysis, time_s: i64, name: &str, number: f64, out: &mut Output) {
    let place = format!("{:.3},{:.3}", 50.0 - number % 10.0, -number % 7.0);
    let who = format!("member-{}", name.len() + name.bytes().map(usize::from).sum::<usize>() % 40);
    let is_place = number.is_sign_negative();
    let cells: Vec<FieldValue<'_>> = analysis
        .fields()
        .iter()
        .map(|field| match field.as_str() {
            "v" if is_place => FieldValue::Str(&place),
            "v" => FieldValue::Num(number),
            "who" => FieldValue::Str(&who),
            _ => FieldValue::Str(name),
        })
        .collect();
    analysis.push(time_s * 1000, &cells, out);
}

/// A bucket of twenty regulars and `strangers` that never come again.
fn bucket(analysis: &mut Analysis, detector: &Value, at: i64, strangers: usize, out: &mut Output) {
    let sign = if detector["function"] == "lat_long" { -1.0 } else { 1.0 };
    let mut noise = Noise::new(at as u64 + 1);
    for regular in 0..20 {
        push(analysis, at * SPAN, &format!("regular-{regular:02}"), sign * (10.0 + noise.uniform()), out);
    }
    for stranger in 0..strangers {
        let name = format!("stranger-{at:04}-{stranger:05}");
        push(analysis, at * SPAN, &name, sign * (10.0 + noise.uniform()), out);
    }
}

#[test]
fn those_that_come_once_make_room_for_new_ones() {
    for detector in detectors() {
        let mut run = Run::new(config(&detector, "1mb"));
        for at in 0..110 {
            bucket(&mut run.analysis, &detector, at, 150, &mut run.out);
        }
        let size = stats(&run.analysis);
        assert!(size.evicted_entity_count > 1000, "{detector} {size:?}");
        assert_eq!(size.bucket_allocation_failures_count, 0, "{detector}");
        assert_eq!(size.memory_status, MemoryStatus::SoftLimit, "{detector}");
        assert!(size.model_bytes < 1 << 20 && size.peak_model_bytes < 1 << 20, "{detector} {size:?}");
        let notes = run.out.annotations.iter().filter(|note| note.text.contains("not seen for long"));
        assert!((1..20).contains(&notes.count()), "{detector}");
    }
}

#[test]
fn a_flood_in_one_bucket_is_refused_counted_and_forgotten_again() {
    for detector in detectors() {
        let mut run = Run::new(config(&detector, "1mb"));
        for at in 0..40 {
            let strangers = if at == 30 { 20_000 } else { 0 };
            bucket(&mut run.analysis, &detector, at, strangers, &mut run.out);
        }
        let size = stats(&run.analysis);
        assert_eq!(size.bucket_allocation_failures_count, 1, "{detector} {size:?}");
        assert!(size.evicted_entity_count > 100 || size.model_bytes < (9 << 20) / 10, "{detector} {size:?}");
        assert!(size.memory_status != MemoryStatus::HardLimit, "{detector} {size:?}");
        assert!(size.peak_model_bytes < (1 << 20) * 115 / 100, "{detector} {size:?}");
        // What was forgotten left places for others.
        let before = size.model_bytes;
        for at in 40..44 {
            bucket(&mut run.analysis, &detector, at, 100, &mut run.out);
        }
        let size = stats(&run.analysis);
        assert_eq!(size.bucket_allocation_failures_count, 1, "{detector}");
        assert!(size.model_bytes <= before + before / 10, "{detector} {before} {size:?}");
    }
}

#[test]
fn few_values_are_not_forgotten_for_many_series() {
    let mut run = Run::new(json!({
        "bucket_span": "5m", "analysis_limits": { "model_memory_limit": "1mb" },
        "detectors": [
            { "function": "mean", "field_name": "v", "partition_field_name": "host" },
            { "function": "rare", "by_field_name": "status" },
        ],
    }));
    assert_eq!(run.analysis.fields(), ["v", "host", "status"]);
    let mut noise = Noise::new(3);
    for at in 0..60 {
        for host in 0..3000 {
            let cells =
                [noise.normal().into(), format!("host-{host:04}").into(), format!("s{}", host % 5).into()];
            run.push(at * SPAN, &cells);
        }
    }
    let size = stats(&run.analysis);
    assert!(size.bucket_allocation_failures_count > 30 && size.evicted_entity_count == 0, "{size:?}");
    assert!(run.finish().records.iter().all(|record| record.function != "rare"));
}

#[test]
fn the_crowd_still_tells_who_is_unusual_after_eviction() {
    let detector = &detectors()[0];
    let mut run = Run::new(config(detector, "1mb"));
    for at in 0..120 {
        bucket(&mut run.analysis, detector, at, 300, &mut run.out);
        if at == 110 {
            push(&mut run.analysis, at * SPAN, "new-and-odd", 1e5, &mut run.out);
        }
    }
    assert!(stats(&run.analysis).evicted_entity_count > 1000);
    let out = run.finish();
    let found = strong(&out, 75.0);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].split.over_field_value.as_deref(), Some("new-and-odd"));
}

#[test]
fn what_is_accounted_is_what_is_allocated() {
    for detector in detectors() {
        for (strangers, limit) in [(1360, "64mb"), (1360, "1mb")] {
            let job = job(config(&detector, limit));
            let mut analysis = Analysis::new(&job, Context::default()).unwrap();
            for at in 0..12 {
                let mut out = Output::default();
                bucket(&mut analysis, &detector, at, strangers, &mut out);
            }
            // The records of open buckets are not the model's.
            analysis.finish(&mut Output::default());
            let state = analysis.snapshot();
            drop(analysis);
            let before = allocator::live_bytes();
            let restored = Analysis::restore(&job, Context::default(), &state).unwrap();
            let taken = (allocator::live_bytes() - before) as f64;
            let accounted = (stats(&restored).model_bytes - (64 << 10)) as f64;
            let ratio = accounted / taken;
            assert!((0.85..1.15).contains(&ratio), "{detector} {limit}: {accounted} {taken} {ratio}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whenever it is saved and restored, an analysis at its limit goes on with the same bits.
    #[test]
    fn a_restart_at_the_limit_changes_nothing(kind in 0usize..5, cut in 1i64..25, crowd in 100usize..700) {
        let detector = detectors().swap_remove(kind);
        let play = |cut: Option<i64>| {
            let mut run = Run::new(config(&detector, "1mb"));
            for at in 0..25 {
                if cut == Some(at) {
                    let state = run.analysis.snapshot();
                    run.analysis = Analysis::restore(&job(config(&detector, "1mb")), Context::default(), &state).unwrap();
                }
                let strangers = if at % 5 == 4 { 0 } else { crowd };
                bucket(&mut run.analysis, &detector, at, strangers, &mut run.out);
            }
            (run.analysis.snapshot(), format!("{:?}", run.finish()))
        };
        prop_assert!(play(Some(cut)) == play(None));
    }
}
