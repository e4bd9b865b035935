//! Newcomers in a job, with and without grown series of their kind: what is seen of a spike soon after their birth, and
//! how often they alarm in their first week without one.

use super::simulate::{DAY, Noise, SPAN_S, daily, weekly};
use engine::{Analysis, Context, FieldValue, Output};
use serde_json::json;
use types::{Job, JobBody, JobId, TimestampMs};

/// Series that are there from the beginning, and those that come later.
pub(crate) const SIBLINGS: u64 = 20;
pub(crate) const NEWCOMERS: u64 = 20;
/// Day on which the newcomers come, spread over its hours.
const BIRTHDAY: i64 = 21;
/// Score from which on a record is an alarm.
const ALARM: f64 = 50.0;

/// What the series of a job are like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// One daily pattern; level, amplitude (5 to 15 standard deviations) and noise differ.
    Daily,
    /// The same with the noise of the level, and a pattern of two peaks with a quiet night.
    Busy,
    /// The same, less at the weekend.
    Week,
    /// Counts with a daily pattern, means from 10 to 300.
    Counts,
    /// Noise around a level.
    Level,
    /// Noise in which neighbours are correlated by 0.7, around a daily pattern.
    Correlated,
    /// Each has a pattern of its own.
    Mixed,
    /// As `Daily`, six hours later.
    Later,
    /// As `Daily`, twice a day.
    Twice,
    /// As `Daily`, ten times the level and the pattern.
    TenTimes,
    /// Always the same value.
    Constant,
    /// A random walk.
    Walk,
    /// As `Daily` with four times the noise.
    Loud,
}

/// Kinds whose newcomers come among siblings of their kind.
pub(crate) const ALIKE: [Kind; 6] =
    [Kind::Daily, Kind::Busy, Kind::Week, Kind::Counts, Kind::Level, Kind::Correlated];

/// Newcomers that come among siblings of the kind `Daily` and are not like them.
pub(crate) const OTHERS: [Kind; 7] =
    [Kind::Later, Kind::Twice, Kind::TenTimes, Kind::Constant, Kind::Level, Kind::Walk, Kind::Loud];

/// Spikes: standard deviations, and hours after the birth.
pub(crate) const SPIKES: [(f64, f64); 8] =
    [(8.0, 3.0), (8.0, 6.0), (8.0, 12.0), (8.0, 24.0), (12.0, 3.0), (12.0, 6.0), (12.0, 12.0), (12.0, 24.0)];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Daily => "daily pattern",
            Self::Busy => "working day",
            Self::Week => "working week",
            Self::Counts => "counts, daily pattern",
            Self::Level => "noise around a level",
            Self::Correlated => "daily pattern, correlated noise",
            Self::Mixed => "each another pattern",
            Self::Later => "pattern six hours later",
            Self::Twice => "pattern twice a day",
            Self::TenTimes => "ten times the level and pattern",
            Self::Constant => "constant",
            Self::Walk => "random walk",
            Self::Loud => "four times the noise",
        }
    }
}

/// One series.
struct Series {
    name: String,
    kind: Kind,
    level: f64,
    amplitude: f64,
    sigma: f64,
    phase: i64,
    last: f64,
    noise: Noise,
}

impl Series {
    fn new(kind: Kind, name: String, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let factor = (0.7 * (2.0 * noise.uniform() - 1.0)).exp();
        let mut series = Self {
            name,
            kind,
            level: 100.0 * factor,
            amplitude: 0.0,
            sigma: 2.0,
            phase: 0,
            last: 0.0,
            noise,
        };
        let times = 5.0 + 10.0 * series.noise.uniform();
        match kind {
            Kind::Daily | Kind::Later | Kind::Twice => series.sigma = 1.6 + 0.8 * series.noise.uniform(),
            Kind::Mixed => series.phase = (series.noise.uniform() * DAY as f64) as i64,
            Kind::Busy | Kind::Week | Kind::Correlated => series.sigma = 0.02 * series.level,
            Kind::TenTimes => series.level *= 10.0,
            Kind::Constant => series.sigma = 0.0,
            Kind::Loud => series.sigma = 8.0,
            Kind::Counts | Kind::Level | Kind::Walk => {}
        }
        series.amplitude = times
            * match kind {
                Kind::TenTimes => 20.0,
                Kind::Level | Kind::Constant | Kind::Walk => 0.0,
                Kind::Loud => 2.0,
                _ => series.sigma,
            };
        series
    }

    /// The value of a bucket, with a spike of so many standard deviations.
    fn value(&mut self, bucket: i64, spike: f64) -> f64 {
        let normal = self.noise.normal();
        let pattern = match self.kind {
            Kind::Busy => busy(bucket),
            Kind::Week => busy(bucket) * weekly(bucket + 4 * DAY),
            Kind::Later => daily(bucket - DAY / 4),
            Kind::Twice => daily(2 * bucket),
            Kind::Mixed if self.phase % 2 == 0 => daily(bucket + self.phase),
            Kind::Mixed => busy(bucket + self.phase),
            _ => daily(bucket),
        };
        let usual = self.level + self.amplitude * pattern;
        match self.kind {
            Kind::Counts => {
                let mean = 0.6 * self.level * (1.0 + 0.6 * daily(bucket));
                (self.noise.poisson(mean) + spike * mean.sqrt()).round().max(0.0)
            }
            Kind::Correlated => {
                self.last = 0.7 * self.last + 0.714 * normal;
                usual + self.sigma * (self.last + spike)
            }
            Kind::Walk => {
                self.last += normal;
                self.level + self.sigma * (self.last + spike)
            }
            _ => usual + self.sigma * (normal + spike),
        }
    }
}

/// A working day: low at night, two peaks.
fn busy(bucket: i64) -> f64 {
    let hour = bucket.rem_euclid(DAY) as f64 / 4.0;
    let peak = |at: f64, width: f64| (-((hour - at) / width).powi(2)).exp();
    3.0 * (peak(10.0, 2.0) + 0.7 * peak(16.0, 2.5)) - 1.0
}

/// What the newcomers of a job showed.
#[derive(Debug, Default)]
pub(crate) struct Births {
    /// Newcomers of which the spike was seen.
    pub(crate) found: usize,
    /// Alarms in the first week, one for all of a series within six hours, when there was no spike.
    pub(crate) alarms: usize,
}

/// A job that has run until the newcomers come.
pub(crate) struct Nursery {
    job: Job,
    state: Vec<u8>,
    siblings: Kind,
    seed: u64,
}

impl Nursery {
    /// Grows the siblings.
    pub(crate) fn new(siblings: Kind, seed: u64) -> Self {
        let detector = json!({ "function": "mean", "field_name": "v", "partition_field_name": "host" });
        let config = json!({ "bucket_span": "15m", "detectors": [detector] });
        let body = json!({ "data_description": {}, "analysis_config": config });
        let body: JobBody = serde_json::from_value(body).expect("the job is valid");
        let id = JobId::try_from("births".to_owned()).expect("the id is valid");
        let job = body.into_job(id, TimestampMs(0)).expect("the job is valid");
        let mut analysis = Analysis::new(&job, Context::default()).expect("the job is valid");
        let mut series = grown(siblings, seed);
        let mut out = Output::default();
        for bucket in 0..BIRTHDAY * DAY {
            series.iter_mut().for_each(|series| push(&mut analysis, series, bucket, 0.0, &mut out));
            out.clear();
        }
        let state = analysis.snapshot();
        Self { job, state, siblings, seed }
    }

    /// Lets newcomers come; with a spike of so many standard deviations so many hours after each birth, or none and a week.
    pub(crate) fn births(&self, kind: Kind, spike: Option<(f64, f64)>) -> Births {
        let mut analysis =
            Analysis::restore(&self.job, Context::default(), &self.state).expect("it was saved");
        // The noise of the siblings goes on in another way, which is as good.
        let mut old = grown(self.siblings, self.seed);
        old.iter_mut().enumerate().for_each(|(at, s)| s.noise = Noise::new(self.seed ^ (7777 + at as u64)));
        let mut young: Vec<(i64, Series)> = (0..NEWCOMERS)
            .map(|at| {
                let birth = BIRTHDAY * DAY + at as i64 * 7 * 4 % DAY;
                (birth, Series::new(kind, format!("new-{at}"), self.seed + 50_000 + at))
            })
            .collect();
        let begin = BIRTHDAY * DAY;
        let lasts = spike.map_or(8 * DAY, |(_, hours)| DAY + (hours * 4.0) as i64 + 3);
        let mut records: Vec<(String, i64)> = Vec::new();
        let mut out = Output::default();
        for bucket in begin..begin + lasts {
            old.iter_mut().for_each(|series| push(&mut analysis, series, bucket, 0.0, &mut out));
            for (birth, series) in young.iter_mut().filter(|(birth, _)| bucket >= *birth) {
                let size = spike
                    .filter(|(_, hours)| bucket - *birth == (hours * 4.0) as i64)
                    .map_or(0.0, |(size, _)| size);
                push(&mut analysis, series, bucket, size, &mut out);
            }
            take(&mut out, &mut records);
        }
        analysis.finish(&mut out);
        take(&mut out, &mut records);
        let of = |name: &str| -> Vec<i64> {
            records.iter().filter(|record| record.0 == name).map(|record| record.1).collect()
        };
        let mut births = Births::default();
        for (birth, series) in &young {
            let alarms = of(&series.name);
            if let Some((_, hours)) = spike {
                let at = birth + (hours * 4.0) as i64;
                births.found += usize::from(alarms.iter().any(|bucket| (at..at + 2).contains(bucket)));
            }
            births.alarms += events(alarms.into_iter().filter(|bucket| bucket - birth < 7 * DAY));
        }
        births
    }
}

fn grown(kind: Kind, seed: u64) -> Vec<Series> {
    (0..SIBLINGS).map(|at| Series::new(kind, format!("old-{at}"), seed + at)).collect()
}

fn push(analysis: &mut Analysis, series: &mut Series, bucket: i64, spike: f64, out: &mut Output) {
    let value = series.value(bucket, spike);
    let values: Vec<FieldValue<'_>> = analysis
        .fields()
        .iter()
        .map(|field| if field == "v" { FieldValue::Num(value) } else { FieldValue::Str(&series.name) })
        .collect();
    analysis.push(bucket * SPAN_S * 1000, &values, out);
}

fn take(out: &mut Output, records: &mut Vec<(String, i64)>) {
    let alarms = out.records.iter().filter(|record| record.record_score >= ALARM);
    records.extend(alarms.map(|record| {
        let host = record.split.partition_field_value.clone().unwrap_or_default();
        (host, record.timestamp.0 / 1000 / SPAN_S)
    }));
    out.clear();
}

/// Alarms, those within six hours of each other counted as one.
fn events(alarms: impl Iterator<Item = i64>) -> usize {
    let mut last = None;
    alarms
        .filter(|bucket| {
            let is_new = last.is_none_or(|last| bucket - last > 24);
            last = Some(*bucket);
            is_new
        })
        .count()
}
