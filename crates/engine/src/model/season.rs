//! A periodic profile: the usual deviation from the level at each phase of a day or a week.

use crate::stats::{RobustScale, prefetch_value};
use serde::{Deserialize, Serialize};

/// Bins of a period, shared by all series of a detector.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeasonGrid {
    pub(super) period_s: i64,
    bins: usize,
    /// More buckets than bins: interpolate between bin centres.
    interpolate: bool,
}

/// Where a time lies: between bins `a` and `b`, `f` (0..1) of the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) f: f64,
}

impl SeasonGrid {
    /// Bytes of a profile on this grid.
    pub(super) fn profile_bytes(&self) -> usize {
        size_of::<Season>() + self.bins * (size_of::<i16>() + size_of::<u8>())
    }

    /// A grid of at most `bins_max` bins; `None` when the period has fewer than four buckets.
    pub(super) fn new(period_s: i64, span_s: f64, bins_max: u16) -> Option<Self> {
        let slots = (period_s as f64 / span_s).round();
        let max = f64::from(bins_max);
        (slots >= 4.0).then_some(Self { period_s, bins: slots.min(max) as usize, interpolate: slots > max })
    }

    fn place(&self, time_s: i64) -> Place {
        let n = self.bins;
        let u = time_s.rem_euclid(self.period_s) as f64 / self.period_s as f64 * n as f64;
        if !self.interpolate {
            let a = u.round() as usize % n;
            return Place { a, b: a, f: 0.0 };
        }
        let u = if u < 0.5 { u + n as f64 - 0.5 } else { u - 0.5 };
        let a = (u as usize).min(n - 1);
        Place { a, b: if a + 1 == n { 0 } else { a + 1 }, f: u - a as f64 }
    }
}

/// Visits of a bin are counted in sixteenths, up to 15.9: enough for the gain, which has its floor at 6/100.
const VISIT: f64 = 16.0;

/// First unit of a profile, as a share of the first deviation from the base.
const FINEST: f32 = 1.0 / 16_384.0;

/// The profile of one series and one period, with an offset that follows the level.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Season {
    /// Deviations in units of `unit`: 16 bits leave 1/16,000 of the largest one, far below any noise floor.
    profile: Vec<i16>,
    unit: f32,
    visits: Vec<u8>,
    offset: f64,
    error: RobustScale,
    first_s: i64,
}

impl Season {
    pub(super) fn new(grid: &SeasonGrid, time_s: i64) -> Self {
        Self::with_bins(grid.bins, time_s)
    }

    pub(super) fn with_bins(bins: usize, time_s: i64) -> Self {
        Self {
            profile: vec![0; bins],
            unit: 0.0,
            visits: vec![0; bins],
            offset: 0.0,
            error: RobustScale::default(),
            first_s: time_s,
        }
    }

    /// Mean absolute error of the profile, in standard deviations.
    pub(super) fn error(&self) -> f64 {
        self.error.get()
    }

    /// What the profile is added to.
    pub(super) fn offset(&self) -> f64 {
        self.offset
    }

    /// Whether two periods were seen, and the profile's error is known.
    pub(super) fn is_ripe(&self, grid: &SeasonGrid, time_s: i64) -> bool {
        time_s.saturating_sub(self.first_s) >= 2 * grid.period_s && self.error.count() > 20
    }

    /// The profile and offset at a time; `None` where nothing was seen yet.
    pub(super) fn predict(&self, grid: &SeasonGrid, time_s: i64) -> Option<f64> {
        self.at(grid.place(time_s)).map(|v| v + self.offset)
    }

    /// The profile at a place; `None` where nothing was seen yet.
    pub(super) fn at(&self, p: Place) -> Option<f64> {
        let known = |k: usize| f64::from(self.visits[k]) >= VISIT;
        (known(p.a) && known(p.b)).then(|| self.value(p.a) * (1.0 - p.f) + self.value(p.b) * p.f)
    }

    /// Learns the value `x` (relative to the series' base), its residual clipped at `clip`.
    pub(super) fn learn(
        &mut self,
        grid: &SeasonGrid,
        time_s: i64,
        x: f64,
        clip: f64,
        gain_min: f64,
        memory: (f64, f64),
    ) {
        let p = grid.place(time_s);
        let (level_memory, scale_memory) = memory;
        let Some(profile) = self.at(p) else {
            self.fill(p, x);
            return;
        };
        let r = x - profile - self.offset;
        if time_s.saturating_sub(self.first_s) >= grid.period_s {
            self.error.learn(r.abs(), scale_memory, 6.0);
        }
        let clipped = r.clamp(-clip, clip);
        self.offset += clipped / level_memory;
        self.nudge_at(p, clipped, gain_min);
    }

    /// Moves the profile at a place towards a residual, clipped already.
    pub(super) fn nudge_at(&mut self, p: Place, clipped: f64, gain_min: f64) {
        self.nudge(p.a, 1.0 - p.f, clipped, gain_min);
        if p.f > 0.0 {
            self.nudge(p.b, p.f, clipped, gain_min);
        }
    }

    /// How much the profile rises from one bin to the next at a place.
    pub(super) fn slope_at(&self, p: Place) -> f64 {
        if p.f > 0.0 {
            return self.value(p.b) - self.value(p.a);
        }
        let n = self.profile.len();
        0.5 * (self.value((p.a + 1) % n) - self.value((p.a + n - 1) % n))
    }

    /// Gives a bin the value that is known of it beforehand, as if it had been seen once.
    pub(super) fn begin_at(&mut self, bin: usize, value: f64) {
        self.add(bin, value);
        self.visits[bin] = VISIT as u8;
    }

    fn nudge(&mut self, bin: usize, share: f64, clipped: f64, gain_min: f64) {
        let visits = f64::from(self.visits[bin]) / VISIT;
        self.add(bin, share * gain_min.max(1.0 / (visits + 1.0)) * clipped);
        self.visits[bin] = self.visits[bin].saturating_add((share * VISIT) as u8);
    }

    /// The first visits of a bin take the value as it is.
    pub(super) fn fill(&mut self, p: Place, x: f64) {
        for (bin, share) in [(p.a, 1.0 - p.f), (p.b, p.f)] {
            if share <= 0.0 && p.a != p.b {
                continue;
            }
            let share = share.max(1e-9);
            let visits = f64::from(self.visits[bin]) / VISIT;
            let gain = (share / (visits + share)).min(1.0);
            self.add(bin, gain * (x - self.offset - self.value(bin)));
            self.visits[bin] = self.visits[bin].saturating_add((share * VISIT).ceil() as u8);
            if p.a == p.b {
                self.visits[bin] = self.visits[bin].max(VISIT as u8);
                break;
            }
        }
    }

    fn value(&self, bin: usize) -> f64 {
        f64::from(self.profile[bin]) * f64::from(self.unit)
    }

    /// Adds to a bin; the unit doubles when the sum does not fit.
    fn add(&mut self, bin: usize, amount: f64) {
        let sum = self.value(bin) + amount;
        if self.unit == 0.0 {
            // A power of two, so that rescaled series behave alike.
            let power = f32::from_bits((sum.abs() as f32).to_bits() & 0x7f80_0000);
            self.unit = power * FINEST;
            if self.unit == 0.0 {
                return;
            }
        }
        while sum.abs() > 32_000.0 * f64::from(self.unit) {
            self.unit *= 2.0;
            for v in &mut self.profile {
                *v = ((i32::from(*v) + i32::from(*v > 0)) >> 1) as i16;
            }
        }
        self.profile[bin] = (sum / f64::from(self.unit)).round() as i16;
    }

    /// Multiplies the error, when something else begins or ceases to predict beside the profile.
    pub(super) fn multiply_error(&mut self, factor: f64) {
        self.error.multiply(factor);
    }

    /// Moves the whole profile by `amount`.
    pub(super) fn shift_level(&mut self, amount: f64) {
        self.offset += amount;
    }

    /// Rotates the profile so that what came at `t` comes at `t + seconds`.
    pub(super) fn shift_time(&mut self, grid: &SeasonGrid, seconds: i64) {
        let bins = (seconds as f64 / grid.period_s as f64 * grid.bins as f64).round() as i64;
        let by = bins.rem_euclid(grid.bins as i64) as usize;
        self.profile.rotate_right(by);
        self.visits.rotate_right(by);
    }

    /// Multiplies profile and offset around the value `centre`.
    pub(super) fn multiply(&mut self, factor: f64, centre: f64) {
        self.unit *= factor as f32;
        self.offset = self.offset * factor + centre * (1.0 - factor);
    }

    /// Asks for the bins of a time.
    pub(super) fn prefetch(&self, grid: &SeasonGrid, time_s: i64) {
        let bin = grid.place(time_s).a;
        prefetch_value(&self.profile[bin]);
        prefetch_value(&self.visits[bin]);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.profile.len() * size_of::<i16>() + self.visits.len()
    }
}
