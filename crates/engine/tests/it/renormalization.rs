//! Current scores: initial ones in the light of what came later.

use std::collections::BTreeMap;

use engine::{Analysis, Context, Output, RescoredKind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Noise, Run, job};

const SPAN_S: i64 = 900;
const DAY: i64 = 86_400 / SPAN_S;

/// Level, initial score and current score of each document, as the store would have them.
#[derive(Clone, Debug, Default, PartialEq)]
struct Documents(BTreeMap<String, (String, f64, f64)>);

impl Documents {
    fn write(&mut self, out: &mut Output) {
        for bucket in out.buckets.drain(..) {
            let most = bucket.bucket_influencers.iter().map(|part| part.anomaly_score).fold(0.0, f64::max);
            assert!(most <= bucket.anomaly_score + 1e-9, "{bucket:?}");
            let scores = (bucket.initial_anomaly_score, bucket.anomaly_score);
            self.0.insert(bucket.doc_id(), ("bucket".to_owned(), scores.0, scores.1));
        }
        for part in out.bucket_influencers.drain(..) {
            let scores = (part.initial_anomaly_score, part.anomaly_score);
            self.0.insert(part.doc_id(), ("bucket".to_owned(), scores.0, scores.1));
        }
        for record in out.records.drain(..) {
            let level = format!("record {} {}", record.detector_index, record.split.id_part());
            self.0.insert(record.doc_id(), (level, record.initial_record_score, record.record_score));
        }
        for one in out.influencers.drain(..) {
            let level = format!("influencer {}", one.influencer_field_name);
            self.0.insert(one.doc_id(), (level, one.initial_influencer_score, one.influencer_score));
        }
        for rescored in out.rescored.drain(..) {
            let known =
                self.0.get_mut(&rescored.doc_id).expect("only results that were written have new scores");
            known.2 = rescored.score;
            if rescored.kind == RescoredKind::Bucket {
                assert!(!rescored.bucket_influencers.is_empty());
                let parts = rescored.bucket_influencers.iter().map(|part| part.anomaly_score);
                assert_eq!(parts.fold(0.0, f64::max), rescored.score);
            }
        }
    }

    /// No score is above its initial one, and weak ones stay.
    fn are_bounded(&self) {
        for (id, (_, initial, score)) in &self.0 {
            assert!(*score <= *initial && (*score >= 25.0 || score == initial), "{id} {initial} {score}");
        }
    }

    /// Within a level the order is kept, where all of it is inside the window.
    fn are_ordered(&self) {
        let mut levels: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for (level, initial, score) in self.0.values() {
            levels.entry(level).or_default().push((*initial, *score));
        }
        for (level, mut scores) in levels {
            scores.sort_by(|a, b| a.0.total_cmp(&b.0));
            let mut most = 0.0f64;
            for (initial, score) in scores {
                assert!(score > most - 2.0, "{level} {initial} {score} below {most}");
                most = most.max(score);
            }
        }
    }

    fn of(&self, kind: &str) -> Vec<(f64, f64)> {
        self.0.iter().filter(|(id, _)| id.starts_with(kind)).map(|(_, (_, a, b))| (*a, *b)).collect()
    }
}

fn config(window_days: Option<i64>) -> Value {
    let detector = json!({ "function": "mean", "field_name": "v", "by_field_name": "a" });
    let mut config = json!({ "bucket_span": "15m", "detectors": [detector], "influencers": ["a"] });
    if let Some(days) = window_days {
        config["renormalization_window_days"] = days.into();
    }
    config
}

/// A peak: bucket, series, size in standard deviations.
type Peak = (i64, usize, f64);

/// Values of some series: noise, and the peaks.
fn values(series: usize, days: i64, peaks: &[Peak], seed: u64) -> Vec<Vec<f64>> {
    let mut noise = Noise::new(seed);
    let mut all: Vec<Vec<f64>> =
        (0..days * DAY).map(|_| (0..series).map(|_| 50.0 + noise.normal()).collect()).collect();
    peaks.iter().for_each(|(bucket, of, size)| all[*bucket as usize][*of] += size);
    all
}

fn push(run: &mut Run, bucket: i64, values: &[f64]) {
    for (series, value) in values.iter().enumerate() {
        run.push(bucket * SPAN_S, &[(*value).into(), format!("s{series}").into()]);
    }
}

fn documents(config: Value, values: &[Vec<f64>]) -> Documents {
    let (mut run, mut documents) = (Run::new(config), Documents::default());
    for (bucket, values) in values.iter().enumerate() {
        push(&mut run, bucket as i64, values);
    }
    documents.write(&mut run.finish());
    documents
}

/// Peaks every other day from the fifth on, each a tenth higher than the one before.
fn rising(count: i32) -> Vec<Peak> {
    (0..count).map(|n| ((5 + 2 * i64::from(n)) * DAY + 40, 0, 9.0 * 1.1f64.powi(n))).collect()
}

#[test]
fn what_comes_often_is_lowered_and_the_greatest_is_not() {
    let documents = documents(config(None), &values(2, 22, &rising(8), 1));
    documents.are_bounded();
    documents.are_ordered();
    let mut records = documents.of("test_record");
    records.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert!(records[0].0 > 95.0 && records[0].0 == records[0].1, "{records:?}");
    let now = |least: f64| records.iter().filter(|record| record.1 >= least).count();
    let initially = |least: f64| records.iter().filter(|record| record.0 >= least).count();
    assert!(initially(75.0) >= 7, "{records:?}");
    assert!((2..=3).contains(&now(75.0)) && (4..=7).contains(&now(50.0)), "{:?}", &records[..12]);
    // Buckets and influencers say the same as the records.
    for kind in ["test_bucket_1", "test_bucket_influencer", "test_influencer"] {
        let scores = documents.of(kind);
        assert!(kind.ends_with("_1") || scores.iter().any(|one| one.1 < one.0 - 10.0), "{kind} {scores:?}");
    }
}

#[test]
fn a_window_of_no_days_leaves_scores_alone() {
    let documents = documents(config(Some(0)), &values(2, 22, &rising(8), 1));
    assert!(documents.0.values().all(|(_, initial, score)| initial == score));
}

#[test]
fn scores_rise_again_when_the_events_leave_the_window() {
    // Three greater events of other series in the three days before it, and none after it.
    let peaks = [(7, 0, 60.0), (8, 1, 50.0), (9, 2, 40.0), (10, 3, 8.0)];
    let peaks = peaks.map(|(day, series, size)| (day * DAY + 40, series, size));
    let mut run = Run::new(config(Some(5)));
    let mut documents = Documents::default();
    let watched = format!("test_bucket_{}_{SPAN_S}", (10 * DAY + 40) * SPAN_S * 1000);
    let mut seen: Vec<f64> = Vec::new();
    for (bucket, values) in values(5, 30, &peaks, 3).iter().enumerate() {
        push(&mut run, bucket as i64, values);
        documents.write(&mut run.out);
        seen.extend(documents.0.get(&watched).map(|(_, _, score)| *score));
    }
    documents.are_bounded();
    let initial = documents.0[&watched].1;
    assert!(initial > 65.0, "{initial}");
    assert!(
        seen[0] < initial - 10.0 && seen.windows(2).all(|pair| pair[0] <= pair[1]),
        "{initial} {}",
        seen[0]
    );
    assert_eq!(documents.0[&watched].2, initial);
}

#[test]
fn the_number_of_results_kept_is_bounded_and_what_is_let_go_is_counted() {
    let mut config = config(None);
    config["analysis_limits"] = json!({ "model_memory_limit": "2mb" });
    let mut noise = Noise::new(5);
    let peaks: Vec<Peak> = (0..1200)
        .map(|_| {
            (2 * DAY + noise.below(10 * DAY as usize) as i64, noise.below(100), 9.0 + 20.0 * noise.uniform())
        })
        .collect();
    let mut run = Run::new(config);
    let mut documents = Documents::default();
    let mut kept_most = 0;
    for (bucket, values) in values(100, 12, &peaks, 6).iter().enumerate() {
        push(&mut run, bucket as i64, values);
        documents.write(&mut run.out);
        let mut kept = Output::default();
        run.analysis.restate(&mut kept);
        kept_most = kept_most.max(kept.rescored.len());
    }
    documents.are_bounded();
    let strong = documents.0.values().filter(|(_, initial, _)| *initial >= 25.0).count();
    let stats = run.analysis.size_stats(types::TimestampMs(0));
    assert!(strong > 1000 && kept_most < 800, "{strong} {kept_most}");
    assert!(stats.unrenormalized_result_count > 300, "{strong} {stats:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_threads_and_restarts_change_nothing(
        peaks in prop::collection::vec((4 * DAY..18 * DAY, 0..3usize, 5.0..30.0f64), 0..40),
        seed in 0..1000u64,
        cut in 0..18 * DAY,
        batch in 1..500i64,
        threads in 1..5usize,
        window in prop::sample::select(vec![None, Some(1), Some(3), Some(60)]),
    ) {
        let all = values(3, 18, &peaks, seed);
        let whole = documents(config(window), &all);
        whole.are_bounded();
        if window.is_none_or(|days| days > 18) {
            whole.are_ordered();
        }
        let (mut run, mut found) = (Run::new(config(window)), Documents::default());
        run.analysis.set_threads(threads);
        for (bucket, values) in all.iter().enumerate() {
            let bucket = bucket as i64;
            push(&mut run, bucket, values);
            if bucket % batch == 0 {
                found.write(&mut run.out);
            }
            if bucket == cut {
                found.write(&mut run.out);
                let state = run.analysis.snapshot();
                let job = job(config(window));
                run.analysis = Analysis::restore(&job, Context::default(), &state).unwrap();
                // What is told again is what the documents have, but for what has left the window.
                let before = found.clone();
                let mut again = Output::default();
                run.analysis.restate(&mut again);
                found.write(&mut again);
                prop_assert_eq!(&before, &found);
            }
        }
        found.write(&mut run.finish());
        prop_assert_eq!(whole, found);
    }
}
