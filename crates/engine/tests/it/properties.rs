//! Whatever the job and the records: no panic, sound numbers, and the same results after a restart.

use engine::{Analysis, Context, Output};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Cell, Run, job};

fn functions() -> impl Strategy<Value = serde_json::Value> {
    let metric = prop::sample::select(vec![
        "mean",
        "min",
        "max",
        "median",
        "sum",
        "non_null_sum",
        "varp",
        "distinct_count",
        "info_content",
        "lat_long",
        "high_sum",
        "low_mean",
    ])
    .prop_map(|function| json!({ "function": function, "field_name": "v" }));
    let plain =
        prop::sample::select(vec!["count", "low_count", "non_zero_count", "time_of_day", "time_of_week"])
            .prop_map(|function| json!({ "function": function }));
    let rare = Just(json!({ "function": "rare", "by_field_name": "a" }));
    let freq = prop::sample::select(vec!["rare", "freq_rare"])
        .prop_map(|function| json!({ "function": function, "by_field_name": "a", "over_field_name": "b" }));
    let splits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (prop_oneof![4 => metric, 2 => plain, 1 => rare, 1 => freq], splits).prop_map(|(mut detector, splits)| {
        let function = detector["function"].as_str().unwrap().to_owned();
        let takes_over = !function.contains("non_");
        if splits.0 && detector.get("by_field_name").is_none() {
            detector["by_field_name"] = "a".into();
        }
        if splits.1 && takes_over && detector.get("over_field_name").is_none() && function != "rare" {
            detector["over_field_name"] = "b".into();
        }
        if splits.2 {
            detector["partition_field_name"] = "c".into();
        }
        detector["use_null"] = splits.3.into();
        detector
    })
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        6 => (-100i32..100).prop_map(|n| Cell::Number(f64::from(n))),
        1 => Just(Cell::None),
        1 => prop::sample::select(vec![1e308, -1e308, f64::NAN, f64::INFINITY, 5e-324, 0.0, 1e-9])
            .prop_map(Cell::Number),
        2 => prop::sample::select(vec!["x", "1.5", "", "52.1,13.4", "-90,180", "text of some length"])
            .prop_map(|text| Cell::Text(text.to_owned())),
    ]
}

fn name() -> impl Strategy<Value = Cell> {
    prop_oneof![
        8 => (0..6u8).prop_map(|n| Cell::Text(format!("n{n}"))),
        1 => Just(Cell::None),
        1 => (0..4u8).prop_map(|n| Cell::Number(f64::from(n))),
    ]
}

/// Time step in seconds, then a cell for each of v, a, b, c.
type Row = (i64, [Cell; 4]);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let step = prop_oneof![20 => 0..40i64, 2 => 60..400i64, 1 => -300..0i64];
    prop::collection::vec((step, [cell().boxed(), name().boxed(), name().boxed(), name().boxed()]), 1..400)
}

fn cells(fields: &[String], row: &[Cell; 4]) -> Vec<Cell> {
    let of = |field: &String| match field.as_str() {
        "v" => row[0].clone(),
        "a" => row[1].clone(),
        "b" => row[2].clone(),
        _ => row[3].clone(),
    };
    fields.iter().map(of).collect()
}

fn first_difference(a: &Output, b: &Output) -> Option<String> {
    fn lines<T: std::fmt::Debug>(items: &[T]) -> impl Iterator<Item = String> {
        items.iter().map(|item| format!("{item:?}"))
    }
    let all = |out: &Output| -> Vec<String> {
        lines(&out.buckets)
            .chain(lines(&out.records))
            .chain(lines(&out.influencers))
            .chain(lines(&out.model_plots))
            .chain(lines(&out.size_stats))
            .chain(lines(&out.annotations))
            .chain(lines(&out.rescored))
            .collect()
    };
    let (a, b) = (all(a), all(b));
    let different = a.iter().zip(&b).find(|(a, b)| a != b);
    different.map(|(a, b)| format!("{a}\n{b}")).or_else(|| (a.len() != b.len()).then(|| "length".to_owned()))
}

fn is_sound(out: &Output) {
    let score = |score: f64| assert!((0.0..=100.0).contains(&score), "{score}");
    for record in &out.records {
        score(record.record_score);
        assert!(record.probability > 0.0 && record.probability <= 1.0);
        assert!((-5.0..=5.0).contains(&record.multi_bucket_impact));
        for number in record.actual.iter().chain(&record.typical).flatten() {
            assert!(number.is_finite(), "{record:?}");
        }
        assert!(serde_json::to_value(record).unwrap().is_object());
    }
    for bucket in &out.buckets {
        score(bucket.anomaly_score);
        bucket.bucket_influencers.iter().for_each(|i| assert!(i.probability > 0.0 && i.probability <= 1.0));
    }
    out.influencers.iter().for_each(|influencer| score(influencer.influencer_score));
    for plot in &out.model_plots {
        assert!(
            plot.model_lower.is_finite() && plot.model_upper.is_finite() && plot.model_median.is_finite()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_changes_nothing(
        mut detectors in prop::collection::vec(functions(), 1..4),
        rows in rows(),
        cut in 0..400usize,
        latency in prop::sample::select(vec!["0s", "90s"]),
    ) {
        detectors.sort_by_key(|detector| detector["use_null"] != true);
        let mut known = Vec::new();
        detectors.retain(|detector| {
            let mut key = detector.clone();
            key["use_null"] = false.into();
            let is_new = !known.contains(&key);
            known.push(key);
            is_new
        });
        let config = json!({
            "bucket_span": "1m", "latency": latency, "detectors": detectors, "influencers": ["a", "z"],
            "model_plot_config": { "enabled": true }, "model_prune_window": "20m",
        });
        let mut whole = Run::new(config.clone());
        let mut broken = Run::new(config.clone());
        let fields = whole.analysis.fields().to_vec();
        let mut time = 1_700_000_000;
        for (at, (step, row)) in rows.iter().enumerate() {
            time += step;
            let cells = cells(&fields, row);
            let first = whole.push(time, &cells);
            if at == cut {
                let state = broken.analysis.snapshot();
                prop_assert_eq!(&state, &broken.analysis.snapshot());
                broken.analysis = Analysis::restore(&job(config.clone()), Context::default(), &state).unwrap();
                prop_assert_eq!(&state, &broken.analysis.snapshot());
            }
            prop_assert_eq!(first, broken.push(time, &cells));
        }
        let mut interim = Output::default();
        whole.analysis.interim(&mut interim);
        is_sound(&interim);
        let counts = format!("{:?}", whole.analysis.counts());
        prop_assert_eq!(counts, format!("{:?}", broken.analysis.counts()));
        let (whole, broken) = (whole.finish(), broken.finish());
        is_sound(&whole);
        prop_assert_eq!(first_difference(&whole, &broken), None);
    }
}

#[test]
fn a_state_of_another_job_is_refused() {
    let state = Run::new(json!({ "detectors": [{ "function": "count" }] })).analysis.snapshot();
    let other = job(json!({ "detectors": [{ "function": "rare", "by_field_name": "x" }] }));
    let error = Analysis::restore(&other, Context::default(), &state).unwrap_err().to_string();
    assert!(error.starts_with("the model state does not fit the job"), "{error}");
}

#[test]
fn the_analysis_can_be_sent_to_a_thread() {
    fn is_send<T: Send>() {}
    is_send::<Analysis>();
}

#[test]
fn members_at_both_ends_of_the_numbers_have_finite_bounds() {
    for function in ["mean", "varp"] {
        let config = json!({
            "bucket_span": "1m", "detectors": [{"function": function, "field_name": "v", "over_field_name": "b"}],
            "model_plot_config": { "enabled": true },
        });
        let mut run = Run::new(config);
        let fields = run.analysis.fields().to_vec();
        let buckets =
            [[0.0, 0.0], [0.0, 1e154], [1e308, 1e308], [-1e308, 1e154], [1.0, 2.0], [5e-324, 1e308]];
        for (bucket, values) in buckets.iter().cycle().take(30).enumerate() {
            for value in values {
                let row = [Cell::Number(*value), Cell::None, Cell::from("n"), Cell::None];
                run.push(1_700_000_000 + 60 * bucket as i64, &cells(&fields, &row));
            }
        }
        is_sound(&run.finish());
    }
}
