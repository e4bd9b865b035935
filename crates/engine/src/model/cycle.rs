//! A periodic component on top of what predicts: any period, found in the data, with a phase and a length that follow it.

use super::config::ModelConfig;
use super::period_search::Proposal;
use super::season::{Place, Season};
use serde::{Deserialize, Serialize};

const DAY_S: f64 = 86_400.0;

/// Most bins of a component.
const BINS_MAX: f64 = 192.0;

/// Share of the root mean square error without the component, below which it is taken into use after one period and after more, and
/// above which it is given up.
const PAYS_AT_ONCE: f64 = 0.7;
const PAYS: f64 = 0.8;
const FADES: f64 = 0.9;

/// Buckets and periods of a trial: at least, and at most.
const TRIAL_BUCKETS: f64 = 24.0;
const TRIAL_PERIODS: f64 = 3.0;

/// Repeats in which a period of nearly whole buckets must be a bucket off to count as one of others.
const REPEATS_FAR: f64 = 50.0;

/// Errors are clipped at this many scales, since a pulse must count.
const CLIP: f64 = 10.0;

/// Standard errors by which the phase must be off before it is moved.
const PHASE_SURE: f64 = 3.0;

/// Periods over which residuals are gathered for the phase at most.
const PHASE_MEMORY: f64 = 16.0;

/// Share of itself by which a period is taken to wander between two looks.
const DRIFT: f64 = 3e-4;

/// Mean absolute and mean square errors with and without the component.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Errors {
    size: [f32; 2],
    square: [f32; 2],
    count: u32,
}

impl Errors {
    fn learn(&mut self, memory: f64, with: f64, without: f64) {
        self.count = self.count.saturating_add(1);
        let gain = (1.0 / f64::from(self.count).min(memory)) as f32;
        for (k, error) in [with, without].into_iter().enumerate() {
            let error = error.abs().min(1e18) as f32;
            self.size[k] += gain * (error - self.size[k]);
            self.square[k] += gain * (error * error - self.square[k]);
        }
    }

    /// Root mean square error with the component, as a share of that without.
    fn ratio(&self) -> f64 {
        if self.square[1] > 0.0 { f64::from(self.square[0] / self.square[1]).sqrt() } else { 1.0 }
    }
}

/// What a component comes to after a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// As before.
    Same,
    /// From now on it predicts.
    Found,
    /// It does not pay, or not any more.
    Lost,
}

/// One component.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cycle {
    period_s: f64,
    /// A time at which the profile begins.
    origin_s: f64,
    bins: u16,
    profile: Season,
    /// Mean of what the profile leaves: what predicts may lag behind, and the profile is to have no part in that.
    mean: f64,
    errors: Errors,
    judged_from_s: i64,
    /// On trial, it predicts nothing.
    pub(super) is_used: bool,
    /// Its period divides the day, which was not known when it was proposed: the day learns it as well, and takes over.
    pub(super) is_within_day: bool,
    /// Sums of residual times slope, and of slopes squared, since the phase was looked at.
    slope: [f64; 2],
    phase_from_s: i64,
    /// Standard error of the period, seconds.
    period_error: f32,
    looked_s: i64,
}

impl Cycle {
    /// The component of a proposal, with the pattern that the window shows; on trial. `day_may_come`: a day is no season yet.
    pub(super) fn new(cfg: &ModelConfig, time_s: i64, proposal: &Proposal, day_may_come: bool) -> Self {
        let span = cfg.bucket_span_s;
        let period_s = rounded(proposal.period_s, proposal.tolerance_s, span);
        let buckets = period_s / span;
        // Buckets that come at ever other phases show what is between them.
        let bins =
            if (buckets - buckets.round()).abs() * REPEATS_FAR > 1.0 { 2.0 * buckets } else { buckets };
        let bins = bins.round().clamp(2.0, BINS_MAX) as u16;
        let mut profile = Season::with_bins(usize::from(bins), time_s);
        for bin in 0..bins {
            let phase_s = f64::from(bin) / f64::from(bins) * period_s;
            if let Some(v) = proposal.value_at(phase_s) {
                profile.begin_at(usize::from(bin), v);
            }
        }
        Self {
            period_s,
            origin_s: proposal.start_s as f64,
            bins,
            profile,
            mean: 0.0,
            errors: Errors::default(),
            judged_from_s: time_s,
            is_used: false,
            is_within_day: day_may_come && divides_day(period_s),
            slope: [0.0; 2],
            phase_from_s: proposal.middle_time_s(),
            period_error: (0.5 * proposal.tolerance_s) as f32,
            looked_s: time_s,
        }
    }

    /// Seconds, to the next whole one.
    pub(super) fn period_s(&self) -> i64 {
        self.period_s.round() as i64
    }

    /// Mean absolute error with the component, as a share of that without.
    pub(super) fn error_ratio(&self) -> f64 {
        if self.errors.size[1] > 0.0 { f64::from(self.errors.size[0] / self.errors.size[1]) } else { 1.0 }
    }

    /// What it adds at a time; nothing where it is not known.
    pub(super) fn predict(&self, time_s: i64) -> f64 {
        self.profile.at(self.place(time_s)).unwrap_or(0.0)
    }

    fn place(&self, time_s: i64) -> Place {
        let n = usize::from(self.bins);
        let periods = (time_s as f64 - self.origin_s) / self.period_s;
        let u = (periods - periods.floor()) * n as f64;
        let (nearest, a) = (u.round(), (u as usize).min(n - 1));
        // A period of whole buckets falls on the bins, but for rounding.
        if (u - nearest).abs() < 1e-4 {
            let a = nearest as usize % n;
            return Place { a, b: a, f: 0.0 };
        }
        Place { a, b: if a + 1 == n { 0 } else { a + 1 }, f: u - a as f64 }
    }

    /// Learns what the rest of the prediction leaves of a value, clipped at `clip`; `scale` is that of the residuals.
    pub(super) fn learn(
        &mut self,
        cfg: &ModelConfig,
        time_s: i64,
        target: f64,
        clip: f64,
        scale: f64,
    ) -> Verdict {
        let place = self.place(time_s);
        let target = target - self.mean;
        let Some(value) = self.profile.at(place) else {
            self.profile.fill(place, target.clamp(-clip, clip));
            return Verdict::Same;
        };
        let most = CLIP * scale;
        let r = target - value;
        let whole_period = (self.period_s / cfg.bucket_span_s).max(TRIAL_BUCKETS);
        self.mean += r.clamp(-clip, clip) / (f64::from(self.errors.count) + 1.0).min(whole_period);
        let memory =
            (TRIAL_PERIODS * self.period_s / cfg.bucket_span_s).clamp(100.0, cfg.tuning.scale_memory);
        self.errors.learn(memory, r.clamp(-most, most), target.clamp(-most, most));
        let clipped = r.clamp(-clip, clip);
        self.follow(cfg, time_s, place, clipped);
        self.profile.nudge_at(place, clipped, cfg.tuning.season_gain);
        self.verdict(cfg, time_s)
    }

    /// What it is on top of has changed: errors begin anew, and a trial does.
    pub(super) fn judge_anew(&mut self, time_s: i64) {
        (self.errors.count, self.mean) = (0, 0.0);
        self.judged_from_s = time_s;
    }

    fn verdict(&self, cfg: &ModelConfig, time_s: i64) -> Verdict {
        let ratio = self.errors.ratio();
        let trial_s = self.period_s.max(TRIAL_BUCKETS * cfg.bucket_span_s);
        let age_s = time_s.saturating_sub(self.judged_from_s) as f64;
        if age_s < trial_s || f64::from(self.errors.count) < TRIAL_BUCKETS.min(trial_s / cfg.bucket_span_s) {
            return Verdict::Same;
        }
        if self.is_used {
            let is_lost = ratio > FADES && age_s >= 2.0 * trial_s;
            return if is_lost { Verdict::Lost } else { Verdict::Same };
        }
        let pays = if age_s < 2.0 * trial_s { PAYS_AT_ONCE } else { PAYS };
        if ratio < pays {
            Verdict::Found
        } else if age_s >= TRIAL_PERIODS * trial_s {
            Verdict::Lost
        } else {
            Verdict::Same
        }
    }

    /// Moves the phase, and the period with it, when residuals go with the slope of the pattern: a pattern `s` late leaves
    /// `−s · slope`, so that least squares has `s = −Σ r·slope / Σ slope²`. What a lag says of the period is weighed against what
    /// is known of it already (Kalman 1960).
    fn follow(&mut self, cfg: &ModelConfig, time_s: i64, place: Place, r: f64) {
        let per_second = f64::from(self.bins) / self.period_s;
        let slope = self.profile.slope_at(place) * per_second;
        self.slope[0] += r * slope;
        self.slope[1] += slope * slope;
        let look_s = self.period_s.max(TRIAL_BUCKETS * cfg.bucket_span_s);
        if (time_s.saturating_sub(self.looked_s) as f64) < look_s {
            return;
        }
        self.looked_s = time_s;
        let [along, weight] = self.slope;
        let since_s = (time_s.saturating_sub(self.phase_from_s) as f64).max(look_s);
        let noise = f64::from(self.errors.square[0]).sqrt();
        let is_sure = weight > 0.0 && along.abs() > PHASE_SURE * noise * weight.sqrt();
        if is_sure {
            let most = self.period_s / 8.0;
            let late_s = (-along / weight).clamp(-most, most);
            let periods = since_s / self.period_s;
            let known = f64::from(self.period_error).powi(2);
            let seen = noise * noise / weight / (periods * periods);
            let gain = known / (known + seen).max(1e-300);
            self.origin_s += late_s;
            self.turn_period(time_s, gain * late_s / periods);
            let drift = DRIFT * self.period_s;
            self.period_error = ((1.0 - gain) * known + drift * drift).sqrt() as f32;
        }
        if is_sure || since_s > PHASE_MEMORY * look_s {
            (self.slope, self.phase_from_s) = ([0.0; 2], time_s);
        }
    }

    /// Makes the period longer by `seconds`, the phase of the present staying as it is.
    fn turn_period(&mut self, time_s: i64, seconds: f64) {
        let phase = (time_s as f64 - self.origin_s) / self.period_s;
        self.period_s += seconds.clamp(-0.01 * self.period_s, 0.01 * self.period_s);
        self.origin_s = time_s as f64 - phase * self.period_s;
    }

    pub(super) fn shift_time(&mut self, seconds: i64) {
        self.origin_s += seconds as f64;
    }

    pub(super) fn multiply(&mut self, factor: f64) {
        self.profile.multiply(factor, 0.0);
        self.mean *= factor;
        let f = factor.abs() as f32;
        self.errors.size = self.errors.size.map(|v| v * f);
        self.errors.square = self.errors.square.map(|v| v * f * f);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.profile.memory_bytes()
    }
}

/// Whether a period goes into the day a whole number of times. One that nearly does would be off by hours within a day.
fn divides_day(period_s: f64) -> bool {
    let times = (DAY_S / period_s).round();
    times >= 1.0 && (times * period_s - DAY_S).abs() < 0.02 * period_s
}

/// A round number near a period that is known within `tolerance_s`: clocks and timetables make most periods.
fn rounded(period_s: f64, tolerance_s: f64, span_s: f64) -> f64 {
    for unit in [DAY_S, 3600.0, 1800.0, 600.0, 300.0, 60.0, span_s] {
        let near = (period_s / unit).round() * unit;
        if near > 0.0 && (near - period_s).abs() <= tolerance_s.min(0.1 * unit) {
            return near;
        }
    }
    period_s
}
