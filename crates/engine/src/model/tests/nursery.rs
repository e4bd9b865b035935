//! Newcomers among siblings: as without them where they have nothing to say, and sane whatever comes.

use super::super::{Form, ModelConfig, Sample, SeriesModel, Side, ValueKind};
use proptest::prelude::*;
use std::sync::{Arc, OnceLock};

const SPAN_S: i64 = 1800;
const BIRTH: i64 = 8 * 48;

fn pattern(bucket: i64) -> f64 {
    (bucket as f64 / 48.0 * std::f64::consts::TAU).sin()
}

fn noise(bucket: i64, at: i64) -> f64 {
    ((bucket * 7919 + at * 104_729) % 97) as f64 / 28.0 - 1.7
}

/// A configuration of a detector with nine grown series of daily pattern.
fn with_siblings(kind: ValueKind) -> ModelConfig {
    let mut cfg = ModelConfig::new(SPAN_S as f64, kind, Side::Both);
    let grow = |at: i64| {
        let mut model = SeriesModel::new(&cfg);
        for bucket in 0..BIRTH {
            let value = 100.0 + 10.0 * at as f64 + (9.0 + at as f64) * pattern(bucket) + noise(bucket, at);
            model.step(&cfg, &Sample::new(bucket * SPAN_S, value));
        }
        model
    };
    let siblings: Vec<SeriesModel> = (0..9).map(grow).collect();
    let crowd = SeriesModel::crowd_of(&cfg, siblings.iter(), BIRTH * SPAN_S);
    assert!(crowd.is_some());
    cfg.set_crowd(crowd.map(Arc::new));
    cfg
}

fn newcomer(
    cfg: &ModelConfig,
    values: impl Fn(i64) -> f64,
    buckets: i64,
) -> (SeriesModel, Vec<super::super::Outcome>) {
    let mut model = SeriesModel::new(cfg);
    let step = |bucket: i64| model.step(cfg, &Sample::new((BIRTH + bucket) * SPAN_S, values(BIRTH + bucket)));
    let outcomes = (0..buckets).map(step).collect();
    (model, outcomes)
}

#[test]
fn a_newcomer_is_predicted_before_it_has_seen_a_day() {
    let cfg = with_siblings(ValueKind::Metric);
    let value = |bucket: i64| {
        let spike = if bucket == BIRTH + 20 { 12.0 } else { 0.0 };
        300.0 + 25.0 * pattern(bucket) + noise(bucket, 77) + spike
    };
    let (model, outcomes) = newcomer(&cfg, value, 24);
    assert!(outcomes[20].score > 7.0, "{:?}", outcomes[20]);
    assert!(outcomes[..20].iter().all(|o| o.score < 6.0));
    // Half a day ahead, which it has not seen.
    let ahead = BIRTH + 36;
    let expected = model.forecast(&cfg, ahead * SPAN_S);
    assert!((expected.typical - (300.0 + 25.0 * pattern(ahead))).abs() < 4.0, "{expected:?}");
    assert!(expected.lower < expected.typical && expected.typical < expected.upper);
    assert_eq!(model.evaluate(&cfg, &Sample::new((BIRTH + 24) * SPAN_S, 300.0)).typical, {
        model.peek(&cfg, (BIRTH + 24) * SPAN_S).typical
    });
    // Moving the clock ends it.
    let mut moved = model.clone();
    moved.shift_time(&cfg, 3600);
    assert!(moved.memory_bytes() < model.memory_bytes());
}

#[test]
fn nothing_of_the_siblings_outlasts_the_first_days() {
    let with = with_siblings(ValueKind::Metric);
    let mut without = with.clone();
    without.set_crowd(None);
    let alike = |bucket: i64| 300.0 + 25.0 * pattern(bucket) + noise(bucket, 5);
    let other = |bucket: i64| 300.0 + 3.0 * noise(bucket * bucket % 1009, 5);
    for values in [&alike as &dyn Fn(i64) -> f64, &other] {
        let (a, seen) = newcomer(&with, values, 200);
        let (b, alone) = newcomer(&without, values, 200);
        assert_eq!(postcard::to_allocvec(&a).unwrap(), postcard::to_allocvec(&b).unwrap());
        assert_eq!(seen[150..], alone[150..]);
    }
    // One of another kind is judged as without siblings from the beginning.
    let (_, seen) = newcomer(&with, other, 200);
    let (_, alone) = newcomer(&without, other, 200);
    assert_eq!(seen, alone);
}

#[test]
fn a_sketch_has_no_nursery() {
    let cfg = with_siblings(ValueKind::Metric);
    let mut model = SeriesModel::new(&cfg);
    for bucket in BIRTH..BIRTH + 30 {
        model.step_as(&cfg, &Sample::new(bucket * SPAN_S, 300.0 + 25.0 * pattern(bucket)), Form::Sketch);
    }
    let mut alone = cfg.clone();
    alone.set_crowd(None);
    assert_eq!(model.form(), Form::Sketch);
    assert_eq!(model.peek(&cfg, (BIRTH + 30) * SPAN_S), model.peek(&alone, (BIRTH + 30) * SPAN_S));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_newcomer_gets_sane_verdicts(
        values in prop::collection::vec(prop_oneof![-1e3..1e3, -1e300..1e300, Just(0.0), Just(100.0), 90.0..110.0], 1..120),
        gap in 1_i64..40,
        is_count in any::<bool>(),
    ) {
        static CONFIGS: OnceLock<[ModelConfig; 2]> = OnceLock::new();
        let configs = CONFIGS.get_or_init(|| [ValueKind::Metric, ValueKind::Count].map(with_siblings));
        let cfg = &configs[usize::from(is_count)];
        let mut model = SeriesModel::new(cfg);
        for (at, value) in values.iter().enumerate() {
            let bucket = BIRTH + at as i64 + if at > 10 { gap } else { 0 };
            let o = model.step(cfg, &Sample::new(bucket * SPAN_S, *value));
            prop_assert!(o.score.is_finite() && o.score >= 0.0 && o.score < 200.0, "{o:?}");
            prop_assert!(o.probability > 0.0 && o.probability <= 1.0, "{o:?}");
            prop_assert!(o.lower <= o.typical && o.typical <= o.upper, "{o:?}");
            let p = model.forecast(cfg, (bucket + 500) * SPAN_S);
            prop_assert!(p.lower <= p.typical && p.typical <= p.upper, "{p:?}");
        }
        let bytes = postcard::to_allocvec(&model).unwrap();
        let restored: SeriesModel = postcard::from_bytes(&bytes).unwrap();
        prop_assert_eq!(postcard::to_allocvec(&restored).unwrap(), bytes);
    }
}
