//! Anomalies made of ordinary values: a value that is stuck, the empty middle between modes, and ordinary values in an
//! order that never was. Each value alone could come at any time.

use super::simulate::{DAY, Noise, SPAN_S, config, daily};
use engine::model::{ModelConfig, Sample, SeriesModel, ValueKind};

/// Day on which an event begins, at an hour by the seed.
const EVENT_DAY: i64 = 28;
/// Days of the clean series by which the threshold is set, and those of them that are not counted.
const CLEAN_DAYS: i64 = 70;
const LEARNING_DAYS: i64 = 14;
/// Alarms within so many buckets are one.
const TOGETHER: i64 = DAY / 4;

/// What the simulations of one series remember from bucket to bucket.
#[derive(Clone, Default)]
struct Memory {
    last: f64,
    state: usize,
}

type Next = fn(&mut Noise, i64, &mut Memory) -> f64;

/// A kind of series.
struct Base {
    name: &'static str,
    kind: ValueKind,
    next: Next,
    /// Value that lies between modes (`None`: the series has none) or the order that its states have.
    event: Event,
}

enum Event {
    /// The value before is repeated.
    Stuck,
    /// This value, with a little noise.
    Middle(f64),
    /// The states of the series come in another order: as the second law has them.
    Order(Next),
}

/// Lengths of the events, buckets.
const STUCK: [i64; 5] = [4, 8, 16, 32, 96];
const MIDDLE: [i64; 5] = [1, 2, 4, 8, 16];
const ORDER: [i64; 5] = [2, 4, 8, 16, 32];

const BASES: [Base; 19] =
    [
        stuck("white noise", |r, _, _| 50.0 + 5.0 * r.normal()),
        stuck("log-normal noise", |r, _, _| (1.0 + 0.5 * r.normal()).exp()),
        stuck("autoregressive (.9)", |r, _, m| 50.0 + autoregressive(r, m, 0.9)),
        stuck("daily pattern, 10 σ", |r, b, _| 100.0 + 20.0 * daily(b) + 2.0 * r.normal()),
        stuck("daily curve, 100 σ", |r, b, _| 100.0 + 20.0 * daily(b) + 0.2 * r.normal()),
        stuck("whole numbers, 50 ± 3", |r, _, _| (50.0 + 3.0 * r.normal()).round()),
        Base {
            name: "counts, mean 60",
            kind: ValueKind::Count,
            next: |r, _, _| r.poisson(60.0),
            event: Event::Stuck,
        },
        Base {
            name: "counts, mean 6",
            kind: ValueKind::Count,
            next: |r, _, _| r.poisson(6.0),
            event: Event::Stuck,
        },
        stuck("new value every fifth bucket", |r, _, m| held(r, m, 0.2)),
        middle("two modes at random", 20.0, |r, _, _| {
            if r.uniform() < 0.5 { 10.0 + r.normal() } else { 30.0 + r.normal() }
        }),
        middle("two modes that last", 20.0, |r, _, m| 10.0 + 20.0 * switched(r, m, 2, 0.05) + r.normal()),
        middle("rare second mode", 20.0, |r, _, _| {
            if r.uniform() < 0.95 { 10.0 + r.normal() } else { 30.0 + r.normal() }
        }),
        middle("three modes", 20.0, |r, _, m| {
            10.0 + 10.0 * [0.0, 2.0, 4.0][switched(r, m, 3, 0.2) as usize] + r.normal()
        }),
        middle("modes 5 σ apart", 12.5, |r, _, _| {
            if r.uniform() < 0.5 { 10.0 + r.normal() } else { 15.0 + r.normal() }
        }),
        middle("day and night", 20.0, |r, b, _| if daily(b) > 0.03 { 30.0 } else { 10.0 } + r.normal()),
        order(
            "round of five levels",
            |r, _, m| 10.0 * round(m, 5, 1) + r.normal(),
            |r, _, m| 10.0 * round(m, 5, 4) + r.normal(),
        ),
        order(
            "saw of seven",
            |r, _, m| 3.0 * round(m, 7, 1) + r.normal(),
            |r, _, m| 3.0 * round(m, 7, 6) + r.normal(),
        ),
        order(
            "chain of four states",
            |r, _, m| 10.0 * chained(r, m, 1) + r.normal(),
            |r, _, m| 10.0 * chained(r, m, 3) + r.normal(),
        ),
        order(
            "chain, random order",
            |r, _, m| 10.0 * chained(r, m, 1) + r.normal(),
            |r, _, m| {
                m.state = (r.uniform() * 4.0) as usize;
                10.0 * [0.0, 2.0, 1.0, 3.0][m.state] + r.normal()
            },
        ),
    ];

const fn stuck(name: &'static str, next: Next) -> Base {
    Base { name, kind: ValueKind::Metric, next, event: Event::Stuck }
}

const fn middle(name: &'static str, at: f64, next: Next) -> Base {
    Base { name, kind: ValueKind::Metric, next, event: Event::Middle(at) }
}

const fn order(name: &'static str, next: Next, other: Next) -> Base {
    Base { name, kind: ValueKind::Metric, next, event: Event::Order(other) }
}

fn autoregressive(r: &mut Noise, m: &mut Memory, share: f64) -> f64 {
    m.last = share * m.last + r.normal();
    m.last
}

/// A value that changes with this chance.
fn held(r: &mut Noise, m: &mut Memory, chance: f64) -> f64 {
    if r.uniform() < chance || m.last == 0.0 {
        m.last = 50.0 + 5.0 * r.normal();
    }
    m.last
}

/// One of `count` states, which changes with this chance.
fn switched(r: &mut Noise, m: &mut Memory, count: usize, chance: f64) -> f64 {
    if r.uniform() < chance {
        m.state = (m.state + 1 + (r.uniform() * (count - 1) as f64) as usize) % count;
    }
    m.state as f64
}

/// States one after the other.
fn round(m: &mut Memory, count: usize, step: usize) -> f64 {
    m.state = (m.state + step) % count;
    m.state as f64
}

/// Four states; nine times in ten the next one, else any.
fn chained(r: &mut Noise, m: &mut Memory, step: usize) -> f64 {
    m.state = if r.uniform() < 0.9 { (m.state + step) % 4 } else { (r.uniform() * 4.0) as usize };
    [0.0, 2.0, 1.0, 3.0][m.state]
}

/// What one kind of series showed.
pub(crate) struct Row {
    pub(crate) event: &'static str,
    pub(crate) name: &'static str,
    /// Lengths of the events, buckets, and how many of each were found.
    pub(crate) lengths: [i64; 5],
    pub(crate) found: [usize; 5],
    /// Alarms for each series and month without an event, at the common threshold, and at 6.5.
    pub(crate) alarms: [f64; 2],
}

/// The threshold with one false alarm for each series and month on the clean series, all kinds together, and what is found
/// above it.
pub(crate) fn judge(first_seed: u64, seeds: u64) -> (f64, Vec<Row>) {
    let clean: Vec<Vec<Vec<f64>>> =
        BASES.iter().map(|base| (0..seeds).map(|seed| clean(base, first_seed + seed)).collect()).collect();
    let months = seeds as f64 * (CLEAN_DAYS - LEARNING_DAYS) as f64 / 30.0;
    let rate = |kind: &[Vec<f64>], threshold: f64| {
        kind.iter().map(|scores| events(scores, threshold)).sum::<usize>() as f64 / months
    };
    let mean =
        |threshold: f64| clean.iter().map(|kind| rate(kind, threshold)).sum::<f64>() / BASES.len() as f64;
    let (mut low, mut high) = (2.0, 30.0);
    for _ in 0..30 {
        let middle = 0.5 * (low + high);
        if mean(middle) > 1.0 { low = middle } else { high = middle }
    }
    let rows = BASES.iter().zip(&clean).map(|(base, kind)| {
        let (event, lengths) = match base.event {
            Event::Stuck => ("stuck", STUCK),
            Event::Middle(_) => ("middle", MIDDLE),
            Event::Order(_) => ("order", ORDER),
        };
        let mut found = [0; 5];
        for seed in 0..seeds {
            for (found, length) in found.iter_mut().zip(highest(base, first_seed + seed, &lengths)) {
                *found += usize::from(length > high);
            }
        }
        Row { event, name: base.name, lengths, found, alarms: [rate(kind, high), rate(kind, 6.5)] }
    });
    (high, rows.collect())
}

/// Scores of a clean series.
fn clean(base: &Base, seed: u64) -> Vec<f64> {
    let config = config(base.kind);
    let (mut noise, mut memory) = (Noise::new(seed), Memory::default());
    let mut model = SeriesModel::new(&config);
    let score = |bucket| step(&mut model, &config, bucket, (base.next)(&mut noise, bucket, &mut memory));
    (0..CLEAN_DAYS * DAY).map(score).skip((LEARNING_DAYS * DAY) as usize).collect()
}

fn step(model: &mut SeriesModel, config: &ModelConfig, bucket: i64, value: f64) -> f64 {
    model.step(config, &Sample::new(bucket * SPAN_S, value)).score
}

/// Alarms, those of some hours being one.
fn events(scores: &[f64], threshold: f64) -> usize {
    let (mut count, mut last) = (0, i64::MIN / 2);
    for (at, _) in scores.iter().enumerate().filter(|(_, score)| **score > threshold) {
        count += usize::from(at as i64 > last + TOGETHER);
        last = at as i64;
    }
    count
}

/// Highest score during an event of each of the lengths.
fn highest(base: &Base, seed: u64, lengths: &[i64; 5]) -> [f64; 5] {
    let config = config(base.kind);
    let (mut noise, mut memory) = (Noise::new(seed + 500), Memory::default());
    let mut model = SeriesModel::new(&config);
    let begin = EVENT_DAY * DAY + (noise.uniform() * DAY as f64) as i64;
    let mut last = 0.0;
    for bucket in 0..begin {
        last = (base.next)(&mut noise, bucket, &mut memory);
        step(&mut model, &config, bucket, last);
    }
    let (mut best, mut found) = (0.0f64, [0.0; 5]);
    for after in 0..lengths[4] {
        let value = match base.event {
            Event::Stuck => last,
            Event::Middle(at) => at + 0.5 * noise.normal(),
            Event::Order(other) => other(&mut noise, begin + after, &mut memory),
        };
        best = best.max(step(&mut model, &config, begin + after, value));
        for (found, length) in found.iter_mut().zip(lengths) {
            if after < *length {
                *found = best;
            }
        }
    }
    found
}
