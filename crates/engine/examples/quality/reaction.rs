//! How the model answers to events of graded size: is it seen, how late, how many alarms follow, has it adapted?

use super::clean::severity_of;
use super::simulate::{DAY, Noise, SPAN_S, config, daily, run};
use engine::model::{Change, Outcome, ValueKind};

/// Day on which the event begins; the series goes on for as long.
const EVENT_DAY: i64 = 21;
/// Noise of the series, in its own unit.
const SIGMA: f64 = 2.0;
/// Score from which on a bucket is an alarm.
const ALARM: f64 = 50.0;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event {
    /// One bucket, `size` standard deviations of the noise high.
    Spike,
    /// Two buckets, as low.
    Dip,
    /// From then on `size` standard deviations higher.
    LevelShift,
    /// From then on rising by `size` standard deviations a day, for a week.
    Trend,
    /// From then on `size` times the noise.
    Variance,
    /// A count of a hundred a bucket is zero for `size` hours.
    Silence,
    /// A metric has no values for `size` hours: no anomaly of the metric.
    Gap,
    /// The pattern, `size` standard deviations high, comes an hour later from then on.
    ClockChange,
    /// Noise gets a daily pattern `size` standard deviations high.
    NewSeason,
    /// The series begins here; `size` hours later it has a spike of 12 standard deviations.
    BornLate,
}

/// What a series of events showed.
#[derive(Debug, Default)]
pub(crate) struct Reaction {
    pub(crate) series: usize,
    /// Series with an alarm within the time that counts as seen.
    pub(crate) found: usize,
    /// Buckets from the event's beginning to the first alarm's bucket; of those found.
    pub(crate) delays: Vec<usize>,
    /// Alarms of each series in the time after the event, one for all buckets within six hours.
    pub(crate) alarms: Vec<usize>,
    /// Hours after which a day's mean deviation of the typical value from the truth stays below 1.5 standard deviations; of
    /// those that get there.
    pub(crate) adapted_h: Vec<f64>,
    /// Series for which the change that belongs to the event was announced, and the median factor of a variance.
    pub(crate) announced: usize,
}

impl Reaction {
    pub(crate) fn median_delay(&self) -> Option<usize> {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays.get(delays.len() / 2).copied()
    }

    pub(crate) fn mean_alarms(&self) -> f64 {
        self.alarms.iter().sum::<usize>() as f64 / self.series.max(1) as f64
    }

    /// The slowest adaptation; `None` when one never came.
    pub(crate) fn slowest_h(&self) -> Option<f64> {
        (self.adapted_h.len() == self.series).then(|| self.adapted_h.iter().copied().fold(0.0, f64::max))
    }
}

/// What the series would be without noise, and whether the bucket has a value.
fn truth(event: Event, size: f64, bucket: i64) -> Option<f64> {
    let begin = EVENT_DAY * DAY;
    let after = bucket - begin;
    let hours = after as f64 * SPAN_S as f64 / 3600.0;
    let is_on = after >= 0;
    let usual = 100.0 + 20.0 * daily(bucket);
    Some(match event {
        Event::Spike if after == 0 => usual + size * SIGMA,
        Event::Dip if (0..2).contains(&after) => usual - size * SIGMA,
        Event::LevelShift if is_on => usual + size * SIGMA,
        Event::Trend if is_on => usual + size * SIGMA * (hours / 24.0).min(7.0),
        Event::Silence if is_on && hours < size => 0.0,
        Event::Silence => 100.0,
        Event::Gap if is_on && hours < size => return None,
        Event::ClockChange => {
            100.0 + size * SIGMA * daily(if is_on { bucket - 3600 / SPAN_S } else { bucket })
        }
        Event::NewSeason => 100.0 + if is_on { size * SIGMA * daily(bucket) } else { 0.0 },
        Event::BornLate if !is_on => return None,
        Event::BornLate if after == (size * 3600.0) as i64 / SPAN_S => usual + 12.0 * SIGMA,
        _ => usual,
    })
}

/// Runs `series` series with the event.
pub(crate) fn react(event: Event, size: f64, series: u64) -> Reaction {
    let kind = if event == Event::Silence { ValueKind::Count } else { ValueKind::Metric };
    let config = config(kind);
    let mut reaction = Reaction { series: series as usize, ..Reaction::default() };
    for seed in 0..series {
        let mut noise = Noise::new(1000 + seed);
        let truths: Vec<Option<f64>> = (0..2 * EVENT_DAY * DAY).map(|b| truth(event, size, b)).collect();
        let values = truths.iter().enumerate().map(|(bucket, truth)| {
            let louder = event == Event::Variance && bucket as i64 >= EVENT_DAY * DAY;
            let sigma = if louder { size * SIGMA } else { SIGMA };
            let noise = noise.normal();
            match (truth, kind) {
                (Some(0.0), ValueKind::Count) => Some(0.0),
                (truth, ValueKind::Count) => truth.map(|t| (t + t.sqrt() * noise).round().max(0.0)),
                (truth, _) => truth.map(|t| t + sigma * noise),
            }
        });
        let outcomes = run(&config, values);
        reaction.add(event, size, &truths, &outcomes);
    }
    reaction
}

impl Reaction {
    fn add(&mut self, event: Event, size: f64, truths: &[Option<f64>], outcomes: &[Option<Outcome>]) {
        let begin = (EVENT_DAY * DAY) as usize;
        let per_hour = (3600 / SPAN_S) as usize;
        let begin = if event == Event::BornLate { begin + size as usize * per_hour } else { begin };
        // What counts as seen: the bucket and the next for short events, three days for those that build up.
        let seen_within = match event {
            Event::Spike | Event::Dip | Event::BornLate => 2,
            Event::Trend | Event::Variance | Event::NewSeason => 3 * DAY as usize,
            _ => DAY as usize,
        };
        let is_alarm = |at: usize| outcomes[at].is_some_and(|o| severity_of(o.score) >= ALARM);
        let first = (begin..begin + seen_within).find(|at| is_alarm(*at));
        self.found += usize::from(first.is_some());
        self.delays.extend(first.map(|at| at - begin));
        let (mut alarms, mut last) = (0, None);
        for at in (begin..outcomes.len()).filter(|at| is_alarm(*at)) {
            alarms += usize::from(last.is_none_or(|last| at > last + 6 * per_hour));
            last = Some(at);
        }
        self.alarms.push(alarms);
        self.announced += usize::from(outcomes[begin..].iter().flatten().any(|o| belongs(event, o.change)));
        self.adapted_h.extend(adapted(&truths[begin..], &outcomes[begin..]));
    }
}

/// Whether the announcement is the one that the event asks for.
fn belongs(event: Event, change: Option<Change>) -> bool {
    matches!(
        (event, change),
        (Event::LevelShift | Event::Trend, Some(Change::LevelShift { .. }))
            | (Event::Variance, Some(Change::Variance { .. }))
            | (Event::ClockChange, Some(Change::TimeShift { seconds: 3600 }))
            | (Event::NewSeason | Event::BornLate, Some(Change::SeasonFound { .. }))
    )
}

/// Hours until a day's mean deviation of the typical value from the truth is and stays small.
fn adapted(truths: &[Option<f64>], outcomes: &[Option<Outcome>]) -> Option<f64> {
    let deviations: Vec<f64> = truths
        .iter()
        .zip(outcomes)
        .map(|(truth, outcome)| match (truth, outcome) {
            (Some(truth), Some(outcome)) => (outcome.typical - truth).abs(),
            _ => 0.0,
        })
        .collect();
    let days = deviations.windows(DAY as usize).step_by(4).map(|w| w.iter().sum::<f64>() / DAY as f64);
    let bad = days.enumerate().filter(|(_, mean)| *mean > 1.5 * SIGMA).map(|(hour, _)| hour + 1).next_back();
    let last_hour = (deviations.len() as i64 - DAY) / 4;
    let hours = bad.unwrap_or(0);
    ((hours as i64) < last_hour).then_some(hours as f64 * 4.0 * SPAN_S as f64 / 3600.0)
}
