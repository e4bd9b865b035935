//! Periods that are neither a day nor a week: found in time, followed, given up; and none where there is none.

use super::{normal, rng};
use crate::model::{Change, Form, ModelConfig, Outcome, Sample, SeriesModel, Side, ValueKind, severity};
use rand::{Rng, rngs::StdRng};
use std::f64::consts::TAU;

/// A beginning that is no beginning of any period.
const START_S: i64 = 1_700_000_100;

fn cfg(span_s: i64) -> ModelConfig {
    ModelConfig::new(span_s as f64, ValueKind::Metric, Side::Both)
}

fn wave(time_s: i64, period_s: f64) -> f64 {
    (time_s as f64 / period_s * TAU).sin()
}

fn pulse(time_s: i64, period_s: f64) -> f64 {
    if (time_s as f64 / period_s).rem_euclid(1.0) < 1.0 / 12.0 { 1.0 } else { 0.0 }
}

/// Runs `buckets` buckets of `truth` of the time with noise of one; a bucket without a truth has no value.
fn run(
    cfg: &ModelConfig,
    model: &mut SeriesModel,
    r: &mut StdRng,
    buckets: std::ops::Range<i64>,
    truth: impl Fn(i64) -> Option<f64>,
) -> Vec<(i64, f64, Outcome)> {
    let step = |bucket| {
        let time_s = START_S / 3600 * 3600 + bucket * cfg.bucket_span_s as i64;
        let noise = normal(r);
        let truth = truth(time_s)?;
        Some((bucket, truth, model.step(cfg, &Sample::new(time_s, 50.0 + truth + noise))))
    };
    buckets.filter_map(step).collect()
}

fn found(outcomes: &[(i64, f64, Outcome)], period_s: f64) -> Option<i64> {
    let is_it = |o: &Outcome| matches!(o.change, Some(Change::SeasonFound { period_s: p }) if (p as f64 / period_s - 1.0).abs() < 0.025);
    outcomes.iter().find(|(_, _, o)| is_it(o)).map(|(bucket, _, _)| *bucket)
}

fn error(outcomes: &[(i64, f64, Outcome)]) -> f64 {
    let squares: f64 = outcomes.iter().map(|(_, truth, o)| (o.typical - 50.0 - truth).powi(2)).sum();
    (squares / outcomes.len() as f64).sqrt()
}

/// Span and period, seconds; form; series of ten that must be found within so many repeats; largest median error of the
/// typical value.
type Grade = (i64, f64, fn(i64, f64) -> f64, usize, f64, f64);

const GRADES: [Grade; 8] = [
    (60, 3600.0, |t, p| 2.0 * wave(t, p), 7, 9.0, 0.6),
    (300, 3600.0, |t, p| 8.0 * pulse(t, p), 9, 8.0, 0.6),
    (300, 3600.0, |t, p| 2.0 * wave(t, p), 6, 13.0, 0.6),
    (300, 6000.0, |t, p| 8.0 * pulse(t, p), 9, 8.0, 0.6),
    (300, 25_200.0, |t, p| 2.0 * wave(t, p), 7, 12.0, 0.6),
    (3600, 129_600.0, |t, p| 4.0 * wave(t, p), 7, 9.0, 0.7),
    (900, 129_600.0, |t, p| 4.0 * pulse(t, p), 9, 9.0, 0.6),
    (3600, 864_000.0, |t, p| 4.0 * pulse(t, p), 9, 9.0, 0.6),
];

#[test]
fn periods_are_found_in_time_and_followed() {
    for (span_s, period_s, shape, least, repeats, most_error) in GRADES {
        let cfg = cfg(span_s);
        let (mut in_time, mut errors) = (0, Vec::new());
        for seed in 0..10 {
            let (mut model, mut r) = (SeriesModel::new(&cfg), rng(seed));
            let per_period = period_s / span_s as f64;
            let buckets = (18.0 * per_period) as i64;
            let o = run(&cfg, &mut model, &mut r, 0..buckets, |t| Some(shape(t, period_s)));
            let late = |bucket: i64| (bucket + 1) as f64 / per_period;
            in_time += usize::from(found(&o, period_s).is_some_and(|bucket| late(bucket) <= repeats));
            errors.push(error(&o[(13.0 * per_period) as usize..]));
        }
        errors.sort_unstable_by(f64::total_cmp);
        assert!(in_time >= least, "{period_s} s in {span_s} s: {in_time} of 10");
        assert!(errors[5] <= most_error, "{period_s} s in {span_s} s: {errors:?}");
    }
}

#[test]
fn a_missing_beat_is_seen_and_the_plot_and_forecast_follow() {
    let cfg = cfg(300);
    let mut seen = 0;
    for seed in 0..10 {
        let (mut model, mut r) = (SeriesModel::new(&cfg), rng(seed));
        let truth = |t: i64| 8.0 * pulse(t, 6000.0);
        run(&cfg, &mut model, &mut r, 0..600, |t| Some(truth(t)));
        for ahead in 1..40 {
            let time_s = START_S / 3600 * 3600 + (600 + ahead) * 300;
            let p = model.forecast(&cfg, time_s);
            assert!((p.typical - 50.0 - truth(time_s)).abs() < 2.5, "{ahead}: {p:?} for {}", truth(time_s));
        }
        let o = run(&cfg, &mut model, &mut r, 600..620, |_| Some(0.0));
        seen += usize::from(o.iter().any(|(_, _, o)| severity(o.score) >= 50.0 && !o.is_high));
    }
    assert!(seen >= 9, "{seen} of 10");
}

/// White noise, red noise, a random walk, shifts of level, trends, lone spikes, outages: `(kind, noise, state) → value`.
fn clean(kind: usize, bucket: i64, r: &mut StdRng, state: &mut f64) -> Option<f64> {
    let noise = normal(r);
    let chance: f64 = r.random();
    Some(match kind {
        0 => noise,
        1 | 2 => {
            *state = [0.9, 1.0][kind - 1] * *state + noise;
            *state
        }
        3 => {
            if chance < 0.004 {
                *state = 8.0 * normal(r);
            }
            *state + noise
        }
        4 => 0.01 * bucket as f64 + noise,
        5 => noise + if chance < 0.02 { 12.0 } else { 0.0 },
        6 => {
            *state = if chance < 0.003 { 30.0 } else { *state - 1.0 };
            if *state > 0.0 { 0.0 } else { 50.0 + noise }
        }
        _ => {
            *state = if chance < 0.003 { 60.0 } else { *state - 1.0 };
            if *state > 0.0 {
                return None;
            }
            noise
        }
    })
}

#[test]
fn clean_series_have_no_period() {
    let cfg = cfg(900);
    let mut told = Vec::new();
    for kind in 0..8 {
        for seed in 0..25 {
            let (mut model, mut r, mut state) = (SeriesModel::new(&cfg), rng(100 + seed), 0.0);
            for bucket in 0..60 * 96 {
                let Some(value) = clean(kind, bucket, &mut r, &mut state) else { continue };
                let change = model.step(&cfg, &Sample::new(bucket * 900, value)).change;
                if let Some(Change::SeasonFound { period_s }) = change
                    && ![86_400, 604_800].contains(&period_s)
                {
                    told.push((kind, seed, period_s));
                }
            }
        }
    }
    assert!(told.len() <= 1, "{told:?} of 200 series");
}

#[test]
fn a_pattern_may_begin_late_and_end() {
    let cfg = cfg(300);
    let (mut found_in, mut lost) = (0, 0);
    for seed in 0..10 {
        let (mut model, mut r) = (SeriesModel::new(&cfg), rng(seed));
        run(&cfg, &mut model, &mut r, 0..5000, |_| Some(0.0));
        let o = run(&cfg, &mut model, &mut r, 5000..7500, |t| Some(3.0 * wave(t, 6000.0)));
        found_in += usize::from(found(&o, 6000.0).is_some());
        let o = run(&cfg, &mut model, &mut r, 7500..9500, |_| Some(0.0));
        lost += usize::from(o.iter().any(|(_, _, o)| matches!(o.change, Some(Change::SeasonLost { .. }))));
        assert!(error(&o[1000..]) < 0.7, "{}", error(&o[1000..]));
    }
    assert!(found_in >= 9 && lost >= found_in, "{found_in} {lost}");
}

#[test]
fn gaps_shifts_of_level_and_the_clock_are_survived() {
    let cfg = cfg(300);
    let (mut model, mut r) = (SeriesModel::new(&cfg), rng(5));
    let truth = |t: i64| 5.0 * wave(t, 6000.0);
    // One bucket in ten has no value, and a day and a bit none at all.
    let o = run(&cfg, &mut model, &mut r, 0..1000, |t| (t / 300 % 10 != 3).then(|| truth(t)));
    assert!(found(&o, 6000.0).is_some());
    let o = run(&cfg, &mut model, &mut r, 1307..1500, |t| Some(truth(t)));
    assert!(error(&o) < 1.0, "{}", error(&o));
    let o = run(&cfg, &mut model, &mut r, 1500..2500, |t| Some(30.0 + truth(t)));
    assert!(error(&o[300..]) < 1.0, "{}", error(&o[300..]));
    // What used to come at t + 1500 s comes at t.
    model.shift_time(&cfg, 1500);
    let o = run(&cfg, &mut model, &mut r, 2500..2700, |t| Some(30.0 + truth(t + 1500)));
    assert!(error(&o) < 1.0, "{}", error(&o));
}

#[test]
fn a_series_with_a_period_is_restored_bit_for_bit_and_may_become_compact() {
    let cfg = cfg(300);
    let truth = |t: i64| Some(5.0 * wave(t, 6000.0) + 2.0 * pulse(t, 25_200.0));
    for cut in [100, 140, 300, 1200] {
        let (mut whole, mut r) = (SeriesModel::new(&cfg), rng(7));
        run(&cfg, &mut whole, &mut r, 0..cut, truth);
        let mut restored: SeriesModel =
            postcard::from_bytes(&postcard::to_allocvec(&whole).unwrap()).unwrap();
        assert_eq!(whole.memory_bytes(), restored.memory_bytes());
        let a = run(&cfg, &mut whole, &mut rng(8), cut..1500, truth);
        let b = run(&cfg, &mut restored, &mut rng(8), cut..1500, truth);
        assert_eq!(a, b);
        assert_eq!(postcard::to_allocvec(&whole).unwrap(), postcard::to_allocvec(&restored).unwrap());
    }
    let (mut model, mut r) = (SeriesModel::new(&cfg), rng(7));
    run(&cfg, &mut model, &mut r, 0..1000, truth);
    assert!(model.memory_bytes() <= 6_400, "{}", model.memory_bytes());
    model.change_form(Form::Compact);
    let o = run(&cfg, &mut model, &mut r, 1000..1300, truth);
    assert!(error(&o) < 1.0, "a compact model keeps what it found: {}", error(&o));
    assert!(model.memory_bytes() < 4_500, "{}", model.memory_bytes());
}
