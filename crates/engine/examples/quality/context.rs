//! Anomalies in seasonal context, put into real curves: values that are ordinary, but not at this hour.
//!
//! A curve is used when its hour of the week explains half of its variance over at least 13 days. One event is put into a
//! copy of the curve for each kind, strength and seed; its size is what it changes, in units of the curve's own noise. The threshold is one for all curves: the one at which the untouched
//! curves raise one alarm a month outside their labelled windows.

use super::simulate::Noise;
use engine::model::{ModelConfig, Sample, SeriesModel, Side, ValueKind};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// Alarms closer than this are one, seconds.
const ONE_ALARM_S: i64 = 43_200;
const DAY_S: i64 = 86_400;
/// Days that a curve must have.
const LEAST_DAYS: i64 = 13;

/// Beginning of a bucket, seconds, and its value.
type Row = (i64, f64);

/// A real curve.
pub(crate) struct Curve {
    pub(crate) name: String,
    span_s: i64,
    rows: Vec<Row>,
    /// Labelled windows, seconds.
    windows: Vec<(i64, i64)>,
    /// Standard deviation of the values by the hour of the day.
    swing: f64,
    /// Standard deviation of what does not repeat: of values a week apart, over √2.
    noise: f64,
}

/// A curve with one event in it.
struct Event {
    rows: Vec<Row>,
    from_s: i64,
    to_s: i64,
    /// Root of the mean square by which the event changes the values, in standard deviations of the curve's noise.
    size: f64,
}

/// How a day is changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Six hours are those of half a day before.
    WrongHour,
    /// The highest six hours are cut down to the day's median by the share `size`.
    MissingPeak,
    /// The day's deviations from its mean are multiplied by `1 ± size`.
    ScaledDay,
    /// The day comes `size` hours later.
    ShiftedDay,
}

pub(crate) const KINDS: [(Kind, &str, [f64; 3]); 4] = [
    (Kind::WrongHour, "wrong hour", [0.5, 1.0, 1.5]),
    (Kind::MissingPeak, "missing peak", [0.5, 0.75, 1.0]),
    (Kind::ScaledDay, "scaled day", [0.3, 0.5, 0.8]),
    (Kind::ShiftedDay, "shifted day", [2.0, 4.0, 6.0]),
];

/// Reads the curves under a folder and keeps the seasonal ones: NAB's, whose labels are in `labels/combined_windows.json`, or
/// `timestamp,value,label` files.
pub(crate) fn curves(folder: &Path) -> Result<Vec<Curve>, Box<dyn Error>> {
    let labels =
        fs::read_to_string(folder.join("labels/combined_windows.json")).unwrap_or_else(|_| "{}".to_owned());
    let labels: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(&labels)?;
    let data = if labels.is_empty() { folder.to_owned() } else { folder.join("data") };
    let mut curves = Vec::new();
    for group in sorted(&data)?.into_iter().filter(|path| path.is_dir()) {
        for path in sorted(&group)? {
            let name = path.strip_prefix(&data)?.to_string_lossy().into_owned();
            let windows = labels.get(&name).into_iter().flatten();
            let windows = windows.filter_map(|[from, to]| Some((epoch_s(from)?, epoch_s(to)?))).collect();
            curves.extend(curve(name, windows, &fs::read_to_string(path)?));
        }
    }
    Ok(curves)
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

/// A curve in buckets of half an hour, or of its own interval when that is longer.
fn curve(name: String, mut windows: Vec<(i64, i64)>, text: &str) -> Option<Curve> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let time = epoch_s(cells.next()?)?;
        rows.push((time, cells.next()?.trim().parse().ok()?));
        if cells.next().and_then(|label| label.trim().parse::<f64>().ok()).is_some_and(|label| label > 0.0) {
            windows.push((time, time));
        }
    }
    let mut steps: Vec<i64> = rows.windows(2).map(|w| w[1].0 - w[0].0).collect();
    steps.sort_unstable();
    let span_s = (*steps.get(steps.len() / 2)?).max(1800);
    let mut buckets: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (time, value) in rows {
        let bucket = buckets.entry(time.div_euclid(span_s)).or_default();
        *bucket = (bucket.0 + value, bucket.1 + 1.0);
    }
    let rows: Vec<Row> = buckets.into_iter().map(|(b, (sum, n))| (b * span_s, sum / n)).collect();
    let days = (rows.last()?.0 - rows.first()?.0) / DAY_S;
    // A curve without noise would find anything.
    if days < LEAST_DAYS || span_s > 3600 || name.contains("no_noise") {
        return None;
    }
    let (share, swing) = explained(&rows);
    let size = rows.iter().map(|(_, v)| v.abs()).fold(0.0, f64::max);
    let noise = noise(&rows);
    (share >= 0.5 && swing > 1e-3 * size).then_some(Curve { name, span_s, rows, windows, swing, noise })
}

/// Robust standard deviation of what does not repeat after a week: that of a normal law with the same median difference.
fn noise(rows: &[Row]) -> f64 {
    let by_time: BTreeMap<i64, f64> = rows.iter().copied().collect();
    let before = |time: i64| by_time.get(&(time - 7 * DAY_S));
    let mut apart: Vec<f64> = rows.iter().filter_map(|(t, v)| Some((v - before(*t)?).abs())).collect();
    apart.sort_unstable_by(f64::total_cmp);
    apart.get(apart.len() / 2).map_or(0.0, |median| 1.4826 * median / std::f64::consts::SQRT_2)
}

/// Share of the variance that the hour of the week explains, and the standard deviation of the hours of the day.
fn explained(rows: &[Row]) -> (f64, f64) {
    let variance = |values: &mut dyn Iterator<Item = f64>| {
        let (mut n, mut mean, mut square) = (0.0, 0.0, 0.0);
        for v in values {
            n += 1.0;
            let d = v - mean;
            mean += d / n;
            square += d * (v - mean);
        }
        square / f64::max(n, 1.0)
    };
    let means = |period: i64| {
        let mut hours: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (time, value) in rows {
            let hour = hours.entry(time.rem_euclid(period) / 3600).or_default();
            *hour = (hour.0 + value, hour.1 + 1.0);
        }
        hours.into_iter().map(|(hour, (sum, n))| (hour, sum / n)).collect::<BTreeMap<i64, f64>>()
    };
    let week = means(7 * DAY_S);
    let total = variance(&mut rows.iter().map(|(_, v)| *v));
    let rest = variance(&mut rows.iter().map(|(t, v)| v - week[&(t.rem_euclid(7 * DAY_S) / 3600)]));
    let day = means(DAY_S);
    (1.0 - rest / total.max(1e-300), variance(&mut day.values().copied()).sqrt())
}

impl Curve {
    /// Surprises of all rows.
    fn scores(&self, rows: &[Row]) -> Vec<f64> {
        let config = ModelConfig::new(self.span_s as f64, ValueKind::Metric, Side::Both);
        let mut model = SeriesModel::new(&config);
        rows.iter().map(|(time, value)| model.step(&config, &Sample::new(*time, *value)).score).collect()
    }

    /// First row that counts: after a warm-up of two weeks, or 40 % of a short curve.
    fn warm(&self) -> usize {
        (14 * DAY_S / self.span_s).min(self.rows.len() as i64 * 2 / 5) as usize
    }

    fn is_labelled(&self, time: i64) -> bool {
        self.windows.iter().any(|(from, to)| time >= from - DAY_S && time <= to + DAY_S)
    }

    /// Puts an event into a copy. `None` when the event would change too little to be one.
    fn inject(&self, kind: Kind, size: f64, seed: u64) -> Option<Event> {
        let mut noise = Noise::new(seed * 31 + 7);
        let per_day = (DAY_S / self.span_s) as usize;
        for _ in 0..50 {
            let first = self.warm() + per_day;
            let last = self.rows.len().checked_sub(2 * per_day).filter(|last| *last > first)?;
            let mut at = first + (noise.uniform() * (last - first) as f64) as usize;
            if kind != Kind::WrongHour {
                let rest = self.rows[at].0.rem_euclid(DAY_S) / self.span_s;
                at = at.saturating_sub(rest as usize);
            }
            let end = at + if kind == Kind::WrongHour { per_day / 4 } else { per_day };
            let whole = self.rows[at - per_day / 2..end].windows(2).all(|w| w[1].0 - w[0].0 == self.span_s);
            if !whole || self.is_labelled(self.rows[at].0) || self.is_labelled(self.rows[end].0) {
                continue;
            }
            let mut rows = self.rows.clone();
            change(kind, size, noise.uniform() < 0.5, &mut rows, at, end, per_day);
            let moved = (at..end).map(|i| (rows[i].1 - self.rows[i].1).abs()).fold(0.0, f64::max);
            let needed = if kind == Kind::WrongHour { size * self.swing } else { 0.3 * self.swing };
            if moved >= needed {
                let square = (at..end).map(|i| (rows[i].1 - self.rows[i].1).powi(2)).sum::<f64>();
                let size = (square / (end - at) as f64).sqrt() / self.noise.max(1e-300);
                return Some(Event { rows, from_s: self.rows[at].0, to_s: self.rows[end].0, size });
            }
        }
        None
    }
}

fn change(kind: Kind, size: f64, up: bool, rows: &mut [Row], at: usize, end: usize, per_day: usize) {
    let before: Vec<f64> = rows.iter().map(|(_, v)| *v).collect();
    let mut day: Vec<f64> = before[at..end].to_vec();
    let mean = day.iter().sum::<f64>() / day.len() as f64;
    day.sort_unstable_by(f64::total_cmp);
    let (median, high) = (day[day.len() / 2], day[day.len() * 3 / 4]);
    for i in at..end {
        let old = before[i];
        rows[i].1 = match kind {
            Kind::WrongHour => before[i - per_day / 2],
            Kind::MissingPeak if old > high => median + (1.0 - size) * (old - median),
            Kind::MissingPeak => old,
            Kind::ScaledDay => mean + (old - mean) * if up { 1.0 + size } else { 1.0 - size },
            Kind::ShiftedDay => before[i - (size * per_day as f64 / 24.0) as usize],
        };
    }
}

/// Upper ends of the classes of sizes that are told apart, in standard deviations of the curve's noise.
pub(crate) const SIZES: [f64; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, f64::INFINITY];

/// Events of one kind: those found, and all, by class of size.
pub(crate) struct Found {
    pub(crate) kind: &'static str,
    pub(crate) found: [usize; SIZES.len()],
    pub(crate) of: [usize; SIZES.len()],
}

/// The threshold of one false alarm a month, and what is found with it.
pub(crate) fn judge(curves: &[Curve], seeds: u64) -> (f64, Vec<Found>) {
    let threshold = threshold(curves);
    let mut table = Vec::new();
    for (kind, name, strengths) in KINDS {
        let mut row = Found { kind: name, found: [0; SIZES.len()], of: [0; SIZES.len()] };
        for strength in strengths {
            for (curve, seed) in curves.iter().flat_map(|curve| (0..seeds).map(move |seed| (curve, seed))) {
                let Some(event) = curve.inject(kind, strength, seed) else { continue };
                let scores = curve.scores(&event.rows);
                let during = event.from_s..=event.to_s + 3600;
                let best = event.rows.iter().zip(&scores).filter(|((t, _), _)| during.contains(t));
                let class = SIZES.iter().position(|most| event.size < *most).unwrap_or(SIZES.len() - 1);
                row.of[class] += 1;
                row.found[class] += usize::from(best.map(|(_, s)| *s).fold(0.0, f64::max) > threshold);
            }
        }
        table.push(row);
    }
    (threshold, table)
}

/// The surprise above which the untouched curves raise one alarm a month outside their labelled windows.
fn threshold(curves: &[Curve]) -> f64 {
    let mut peaks: Vec<f64> = Vec::new();
    let mut months = 0.0;
    for curve in curves {
        let scores = curve.scores(&curve.rows);
        let rows = curve.rows.iter().zip(&scores).skip(curve.warm());
        let clean: Vec<Row> =
            rows.filter(|((t, _), _)| !curve.is_labelled(*t)).map(|((t, _), s)| (*t, *s)).collect();
        months += clean.len() as f64 * curve.span_s as f64 / (30.0 * DAY_S as f64);
        let mut by_half_day: BTreeMap<i64, f64> = BTreeMap::new();
        for (time, score) in clean {
            let peak = by_half_day.entry(time.div_euclid(ONE_ALARM_S)).or_default();
            *peak = peak.max(score);
        }
        peaks.extend(by_half_day.into_values());
    }
    peaks.sort_unstable_by(|a, b| b.total_cmp(a));
    peaks.get(months.round() as usize).copied().unwrap_or(0.0)
}

/// Epoch seconds of a number or of `YYYY-MM-DD hh:mm:ss` in UTC; days by the civil calendar from 1970-01-01.
pub(crate) fn epoch_s(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(seconds as i64);
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let y = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468;
    Some(days * DAY_S + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19).unwrap_or(0))
}
