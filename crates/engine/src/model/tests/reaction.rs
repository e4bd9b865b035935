//! How the model answers to spikes, dips, shifts, changes of variance, missing data and daylight saving.

use super::{SPAN_S, daily, feed, normal, rng};
use crate::model::{Change, ModelConfig, Outcome, Sample, SeriesModel, Side, ValueKind, severity};

fn cfg() -> ModelConfig {
    ModelConfig::new(SPAN_S as f64, ValueKind::Metric, Side::Both)
}

/// A week of a daily pattern with noise, then `change` applied to the buckets from `at` on.
fn with_change(at: i64, change: impl Fn(i64, f64) -> f64) -> Vec<f64> {
    let mut r = rng(11);
    (0..2400)
        .map(|b| {
            let v = 100.0 + 20.0 * daily(b) + 2.0 * normal(&mut r);
            if b >= at { change(b - at, v) } else { v }
        })
        .collect()
}

fn outcomes(values: &[f64]) -> Vec<Outcome> {
    let cfg = cfg();
    feed(&cfg, &mut SeriesModel::new(&cfg), 0, values)
}

fn worst(o: &[Outcome]) -> f64 {
    o.iter().map(|o| severity(o.score)).fold(0.0, f64::max)
}

#[test]
fn a_spike_is_seen_in_its_bucket_and_not_learnt() {
    let o = outcomes(&with_change(2000, |k, v| if k == 0 { v + 24.0 } else { v }));
    assert!(severity(o[2000].score) >= 50.0, "{:?}", o[2000]);
    assert!(o[2000].is_high && o[2000].single_bucket > o[2000].multi_bucket);
    assert!((o[2010].typical - o[2010 - 288].typical).abs() < 4.0);
    assert!(worst(&o[1000..2000]) < 50.0);
}

#[test]
fn a_dip_is_seen() {
    let o = outcomes(&with_change(2000, |k, v| if k < 2 { v - 24.0 } else { v }));
    assert!(worst(&o[2000..2002]) >= 50.0 && !o[2000].is_high);
}

#[test]
fn a_level_shift_is_seen_and_then_learnt() {
    let o = outcomes(&with_change(2000, |_, v| v + 30.0));
    assert!(worst(&o[2000..2024]) >= 50.0);
    assert!(worst(&o[2150..]) < 50.0);
    // What lasts for hours may be an anomaly of the season: it is called a new level after a day.
    let at = (2000..2400).find(|at| o[*at].change.is_some());
    assert!(at.is_some_and(|at| (2287..2320).contains(&at)), "{at:?}");
    let changed = at.and_then(|at| o[at].change);
    assert!(matches!(changed, Some(Change::LevelShift { magnitude }) if magnitude > 5.0), "{changed:?}");
    let late = &o[2120];
    assert!(late.lower < 135.0 + 20.0 * daily(2120) && late.upper > 125.0 + 20.0 * daily(2120), "{late:?}");
}

#[test]
fn more_noise_is_seen_by_the_window_views() {
    let o = outcomes(&with_change(2000, |k, v| v + if k % 2 == 0 { 6.0 } else { -6.0 }));
    let seen = o[2000..2100].iter().max_by(|a, b| a.multi_bucket.total_cmp(&b.multi_bucket)).unwrap();
    assert!(worst(&o[2000..2100]) >= 45.0 && seen.multi_bucket > seen.single_bucket, "{seen:?}");
}

#[test]
fn missing_data_do_not_alarm() {
    let cfg = cfg();
    let mut model = SeriesModel::new(&cfg);
    let values = with_change(2000, |_, v| v);
    feed(&cfg, &mut model, 0, &values[..1700]);
    let after = feed(&cfg, &mut model, 1900, &values[1900..]);
    assert!(worst(&after) < 50.0, "{}", worst(&after));
}

#[test]
fn a_half_empty_bucket_is_judged_less_strictly() {
    let cfg = cfg();
    let mut model = SeriesModel::new(&cfg);
    let mut r = rng(5);
    for b in 0..500 {
        model.step(&cfg, &Sample { weight: 100.0, ..Sample::new(b * SPAN_S, 50.0 + normal(&mut r)) });
    }
    let full = model.evaluate(&cfg, &Sample { weight: 100.0, ..Sample::new(500 * SPAN_S, 56.0) });
    let few = model.evaluate(&cfg, &Sample { weight: 4.0, ..Sample::new(500 * SPAN_S, 56.0) });
    assert!(few.score < full.score && few.incomplete_bucket_penalty > 0.5);
    assert_eq!(full.incomplete_bucket_penalty, 0.0);
}

#[test]
fn daylight_saving_is_followed() {
    let cfg = cfg();
    let mut model = SeriesModel::new(&cfg);
    let mut r = rng(2);
    let mut found = None;
    for b in 0..6000i64 {
        let local = if b >= 4000 { b - 12 } else { b };
        let o = model.step(&cfg, &Sample::new(b * SPAN_S, 100.0 + 60.0 * daily(local) + normal(&mut r)));
        if b >= 4000 && matches!(o.change, Some(Change::TimeShift { .. })) {
            found = found.or(o.change);
        }
    }
    assert_eq!(found, Some(Change::TimeShift { seconds: 3600 }));
}

#[test]
fn silence_of_a_steady_count_is_an_anomaly() {
    let cfg = ModelConfig::new(SPAN_S as f64, ValueKind::Count, Side::Low);
    let mut model = SeriesModel::new(&cfg);
    feed(&cfg, &mut model, 0, &[100.0; 200]);
    let o = model.step(&cfg, &Sample::new(200 * SPAN_S, 0.0));
    assert!(severity(o.score) >= 50.0 && o.typical == 100.0, "{o:?}");
    let high = ModelConfig::new(SPAN_S as f64, ValueKind::Count, Side::High);
    let mut model = SeriesModel::new(&high);
    feed(&high, &mut model, 0, &[100.0; 200]);
    let o = model.step(&high, &Sample::new(200 * SPAN_S, 0.0));
    assert_eq!(o.raw_score, high.rate_shift);
}

#[test]
fn forecasts_follow_season_and_trend_and_widen() {
    let cfg = cfg();
    let mut model = SeriesModel::new(&cfg);
    let mut r = rng(4);
    let truth = |b: i64| 100.0 + 20.0 * daily(b) + 0.01 * b as f64;
    for b in 0..4000 {
        model.step(&cfg, &Sample::new(b * SPAN_S, truth(b) + normal(&mut r)));
    }
    let mut width = 0.0;
    for b in [4001, 4100, 4288, 4500] {
        let p = model.forecast(&cfg, b * SPAN_S);
        assert!((p.typical - truth(b)).abs() < 6.0, "bucket {b}: {p:?} for {}", truth(b));
        assert!(p.upper - p.lower >= width);
        width = p.upper - p.lower;
    }
}
