//! Periods that are neither a day nor a week: are they found, after how many repeats, how well are they followed, is a
//! missing beat seen, and what is found where there is none?

use super::clean::severity_of;
use super::simulate::Noise;
use engine::model::{Change, ModelConfig, Outcome, Sample, SeriesModel, Side, ValueKind};
use std::f64::consts::TAU;
use std::ops::Range;

/// Bucket span and period, seconds.
const PERIODS: [(i64, f64, &str); 9] = [
    (60, 3600.0, "1 h in 1 min"),
    (300, 3600.0, "1 h in 5 min"),
    (300, 6000.0, "100 min in 5 min"),
    (300, 5237.0, "87.28 min in 5 min"),
    (300, 25_200.0, "7 h in 5 min"),
    (900, 129_600.0, "36 h in 15 min"),
    (3600, 129_600.0, "36 h in 1 h"),
    (3600, 864_000.0, "10 d in 1 h"),
    (900, 864_000.0, "10 d in 15 min"),
];

/// Repeats that each series has; in the last one the beat is missing.
const REPEATS: f64 = 16.0;

/// Form and size of the pattern; the noise has a standard deviation of one.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A sine of this amplitude.
    Wave(f64),
    /// A twelfth of the period higher by this much.
    Pulse(f64),
    /// A wave upon a daily pattern of three times its amplitude.
    OnDay(f64),
}

const SHAPES: [Shape; 8] = [
    Shape::Wave(1.0),
    Shape::Wave(1.5),
    Shape::Wave(2.0),
    Shape::Wave(4.0),
    Shape::Pulse(4.0),
    Shape::Pulse(8.0),
    Shape::OnDay(2.0),
    Shape::OnDay(4.0),
];

impl Shape {
    fn name(self) -> String {
        match self {
            Self::Wave(size) => format!("wave of {size} σ"),
            Self::Pulse(size) => format!("pulse of {size} σ"),
            Self::OnDay(size) => format!("wave of {size} σ on a day of {} σ", 3.0 * size),
        }
    }

    /// Value without noise; a missing beat leaves the pattern's mean or foot.
    fn value(self, time_s: f64, period_s: f64, is_missing: bool) -> f64 {
        let phase = time_s / period_s;
        let wave = if is_missing { 0.0 } else { (phase * TAU).sin() };
        match self {
            Self::Wave(size) => size * wave,
            Self::Pulse(size) => {
                if phase.rem_euclid(1.0) < 1.0 / 12.0 && !is_missing {
                    size
                } else {
                    0.0
                }
            }
            Self::OnDay(size) => 3.0 * size * (time_s / 86_400.0 * TAU).cos() + size * wave,
        }
    }
}

#[derive(Debug, Default)]
struct Row {
    found: usize,
    /// Repeats until it was found.
    repeats: Vec<f64>,
    others: usize,
    /// Root mean square deviation of the typical value from the truth, over the last five repeats.
    errors: Vec<f64>,
    seen: usize,
}

fn judge(span_s: i64, period_s: f64, shape: Shape, seeds: Range<u64>) -> Row {
    let cfg = ModelConfig::new(span_s as f64, ValueKind::Metric, Side::Both);
    let mut row = Row::default();
    let days = if matches!(shape, Shape::OnDay(_)) { 7.0 } else { 3.0 };
    let buckets = (REPEATS.max(days * 86_400.0 / period_s) * period_s / span_s as f64) as i64;
    let last_from = buckets - (period_s / span_s as f64) as i64;
    for seed in seeds {
        let (mut model, mut noise) = (SeriesModel::new(&cfg), Noise::new(seed));
        // A phase of its own.
        let begin_s = noise.uniform() * period_s;
        let (mut found_s, mut squares, mut count, mut seen) = (None, 0.0, 0.0, false);
        for bucket in 0..buckets {
            let is_last = bucket >= last_from;
            let time_s = 1_700_000_000 / span_s * span_s + bucket * span_s;
            let truth = shape.value(time_s as f64 + begin_s, period_s, is_last);
            let o = model.step(&cfg, &Sample::new(time_s, 50.0 + truth + noise.normal()));
            if let Some(Change::SeasonFound { period_s: p }) = o.change
                && p != 86_400
                && p != 604_800
            {
                if (p as f64 / period_s - 1.0).abs() < 0.02 {
                    found_s = found_s.or(Some((bucket + 1) * span_s));
                } else {
                    row.others += 1;
                }
            }
            if is_last {
                seen |= severity_of(o.score) >= 50.0;
            } else if (buckets - bucket) as f64 * (span_s as f64) < 6.0 * period_s {
                squares += (o.typical - 50.0 - truth).powi(2);
                count += 1.0;
            }
        }
        row.found += usize::from(found_s.is_some());
        row.repeats.extend(found_s.map(|s| s as f64 / period_s));
        row.errors.push((squares / count).sqrt());
        row.seen += usize::from(seen);
    }
    row
}

fn median(values: &mut [f64]) -> String {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).map_or_else(|| "–".to_owned(), |v| format!("{v:.1}"))
}

/// Prints both tables; `seed` is the first one.
pub(crate) fn print(series: u64, seed: u64) {
    println!("| period | pattern | found | after repeats | other periods | error, σ | missing beat seen |");
    println!("|---|---|---|---|---|---|---|");
    for (span_s, period_s, name) in PERIODS {
        for shape in SHAPES {
            let mut row = judge(span_s, period_s, shape, seed..seed + series);
            println!(
                "| {name} | {} | {} of {series} | {} | {} | {} | {} |",
                shape.name(),
                row.found,
                median(&mut row.repeats),
                row.others,
                median(&mut row.errors),
                row.seen
            );
        }
    }
    println!("\n| without a period, 60 days | series | with a period | periods |\n|---|---|---|---|");
    for family in &CLEAN {
        falsely_found(family, seed..seed + 10 * series);
    }
}

/// Series that have no period of their own.
struct Clean {
    name: &'static str,
    span_s: i64,
    value: fn(&mut Noise, i64, &mut f64) -> Option<f64>,
}

const CLEAN: [Clean; 12] = [
    Clean { name: "white noise, 5 min", span_s: 300, value: |r, _, _| Some(r.normal()) },
    Clean { name: "white noise, 1 h", span_s: 3600, value: |r, _, _| Some(r.normal()) },
    Clean { name: "autoregressive, .7", span_s: 900, value: |r, _, last| wander(r, last, 0.7, 0.0) },
    Clean { name: "autoregressive, .95", span_s: 900, value: |r, _, last| wander(r, last, 0.95, 0.0) },
    Clean { name: "random walk", span_s: 900, value: |r, _, last| wander(r, last, 1.0, 0.0) },
    Clean { name: "random walk and noise", span_s: 900, value: |r, _, last| wander(r, last, 1.0, 5.0) },
    Clean { name: "trend", span_s: 900, value: |r, b, _| Some(0.01 * b as f64 + r.normal()) },
    Clean {
        name: "level shifts",
        span_s: 900,
        value: |r, _, last| {
            if r.uniform() < 0.004 {
                *last = 8.0 * r.normal();
            }
            Some(*last + r.normal())
        },
    },
    Clean {
        name: "lone spikes",
        span_s: 900,
        value: |r, _, _| {
            let spike = if r.uniform() < 0.02 { 12.0 } else { 0.0 };
            Some(spike + r.normal())
        },
    },
    Clean {
        name: "outages and gaps",
        span_s: 900,
        value: |r, b, last| {
            let u = r.uniform();
            if *last > 0.0 {
                *last -= 1.0;
            } else if u < 0.003 {
                *last = 1.0 + 40.0 * r.uniform();
            }
            let is_gap = (b / 500) % 2 == 0;
            let value = 50.0 + r.normal();
            if *last <= 0.0 {
                Some(value)
            } else if is_gap {
                None
            } else {
                Some(0.0)
            }
        },
    },
    Clean {
        name: "daily pattern with weekends",
        span_s: 900,
        value: |r, b, _| {
            let day = (b as f64 / 96.0 * TAU).sin();
            let size = if (b / 96) % 7 < 5 { 10.0 } else { 3.0 };
            Some(size * (day + 0.5 * (2.0 * (b as f64 / 96.0 * TAU)).cos().max(0.0)) + r.normal())
        },
    },
    Clean {
        name: "growing daily pattern",
        span_s: 900,
        value: |r, b, _| {
            let day = (b as f64 / 96.0 * TAU).sin();
            let size = 4.0 + b as f64 * 0.003;
            Some(size * day.max(-0.3) + r.normal())
        },
    },
];

fn wander(r: &mut Noise, last: &mut f64, keep: f64, noise: f64) -> Option<f64> {
    *last = keep * *last + r.normal();
    Some(*last + noise * r.normal())
}

fn falsely_found(family: &Clean, seeds: Range<u64>) {
    let cfg = ModelConfig::new(family.span_s as f64, ValueKind::Metric, Side::Both);
    let (mut with, mut periods) = (0, Vec::new());
    let series = seeds.end - seeds.start;
    for seed in seeds {
        let (mut model, mut noise, mut last) = (SeriesModel::new(&cfg), Noise::new(seed), 0.0);
        let before = periods.len();
        for bucket in 0..60 * 86_400 / family.span_s {
            let Some(value) = (family.value)(&mut noise, bucket, &mut last) else { continue };
            let outcome: Outcome = model.step(&cfg, &Sample::new(bucket * family.span_s, value));
            if let Some(Change::SeasonFound { period_s }) = outcome.change
                && period_s != 86_400
                && period_s != 604_800
            {
                periods.push(format!("{:.1} h", period_s as f64 / 3600.0));
            }
        }
        with += usize::from(periods.len() > before);
    }
    let shown = periods.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    println!("| {} | {series} | {with} | {shown} |", family.name);
}
