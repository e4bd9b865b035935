//! The prediction: a slow part (level, or a season that has proved better) and a fast correction from the last
//! residuals, with robust learning: a spike teaches little, a lasting shift opens the clip and is learnt.
//!
//! All values inside are relative to the series' first value, so that 32 bits are enough for the profiles.

use super::config::ModelConfig;
use super::cycles::{Cycles, Turn};
use super::season::{Season, SeasonGrid};
use crate::stats::{RobustScale, prefetch_value};
use serde::{Deserialize, Serialize};

/// Residuals over this many scales make a run.
const RUN_SCALES: f64 = 2.0;

/// Variance of a normal law over the square of its mean absolute deviation, π/2.
const MEAN_TO_VARIANCE: f64 = std::f64::consts::FRAC_PI_2;

/// A week is learnt once the series is this old: before, a day is all that can be known.
const WEEK_FROM_S: i64 = 86_400;

/// What is expected of one bucket, relative to the series' base.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expectation {
    /// Level or season, with the cycles on top.
    pub(super) slow: f64,
    /// What the cycles add to it.
    pub(super) cyclic: f64,
    /// Fast correction to it.
    pub(super) correction: f64,
    /// Strength of season and cycles, 0..1; 0 without one.
    pub(super) strength: f64,
    /// Error of what predicts, in standard deviations.
    pub(super) error: f64,
    /// Period of the season in use, seconds; 0 without one.
    pub(super) period_s: i64,
    /// The longest period of season and cycles, seconds; 0 without any.
    pub(super) pattern_s: i64,
    /// The part of `slow` that does not repeat: the level, or the offset of the season.
    pub(super) anchor: f64,
}

/// A value to learn, and what was expected of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lesson<'a> {
    pub(super) time_s: i64,
    /// The value, relative to the base.
    pub(super) x: f64,
    pub(super) expected: &'a Expectation,
    /// Its slow residual, less when there were few records.
    pub(super) residual: f64,
    /// Scale of slow residuals at this hour.
    pub(super) scale: f64,
    /// The least scale.
    pub(super) floor: f64,
}

/// State of the prediction of one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Predictor {
    pub(super) base: f64,
    level: f64,
    level_error: RobustScale,
    day: Option<Box<Season>>,
    week: Option<Box<Season>>,
    cycles: Cycles,
    /// No profile of the week and no search for periods, to save memory.
    pub(super) is_compact: bool,
    mean: f64,
    variance: f64,
    last_residual: f64,
    fast: f64,
    loss: [f64; 4],
    /// Length and side of the present run of residuals over two scales.
    pub(super) run: u32,
    pub(super) run_side: i8,
    pub(super) whole_numbers: bool,
    first_s: i64,
    count: u32,
}

impl Predictor {
    pub(super) fn new(cfg: &ModelConfig, time_s: i64, value: f64) -> Self {
        Self {
            base: value,
            level: 0.0,
            level_error: RobustScale::default(),
            day: cfg.day.as_ref().map(|g| Box::new(Season::new(g, time_s))),
            week: None,
            cycles: Cycles::default(),
            is_compact: false,
            mean: 0.0,
            variance: 0.0,
            last_residual: 0.0,
            fast: 0.0,
            loss: [0.0; 4],
            run: 0,
            run_side: 0,
            whole_numbers: true,
            first_s: time_s,
            count: 0,
        }
    }

    /// Number of samples learnt.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Long-run standard deviation.
    pub(super) fn sd(&self) -> f64 {
        self.variance.sqrt()
    }

    /// Long-run mean.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    fn seasons<'a>(&'a self, cfg: &'a ModelConfig) -> impl Iterator<Item = (&'a Season, &'a SeasonGrid)> {
        let day = self.day.as_deref().zip(cfg.day.as_ref());
        day.into_iter().chain(self.week.as_deref().zip(cfg.week.as_ref()))
    }

    /// Predicts a time from what is known now.
    pub(super) fn expect(&self, cfg: &ModelConfig, time_s: i64) -> Expectation {
        let mut error = self.level_error.get();
        let (mut slow, mut anchor, mut period_s) = (self.level, self.level, 0);
        for (season, grid) in self.seasons(cfg) {
            let pays = if period_s == 0 { cfg.tuning.season_pays } else { cfg.tuning.week_pays };
            if season.is_ripe(grid, time_s)
                && season.error() < pays * error
                && let Some(v) = season.predict(grid, time_s)
            {
                (slow, error, anchor, period_s) = (v, season.error(), season.offset(), grid.period_s);
            }
        }
        let cyclic = self.cycles.predict(time_s);
        let (share_of_cycles, longest_s) = self.cycles.in_use();
        let pattern_s = period_s.max(longest_s);
        let strength = if pattern_s != 0 {
            let share = share_of_cycles * error / self.level_error.get().max(1e-300);
            (1.0 - share * share).clamp(0.0, 1.0)
        } else {
            0.0
        };
        let slow = slow + cyclic;
        Expectation {
            slow,
            cyclic,
            correction: self.correction(),
            strength,
            error,
            period_s,
            pattern_s,
            anchor,
        }
    }

    /// The slow part at a time, if the season's clock (but not that of the cycles) went slow by `shift_s` seconds.
    pub(super) fn slow_delayed(&self, cfg: &ModelConfig, time_s: i64, shift_s: i64) -> f64 {
        let e = self.expect(cfg, time_s.saturating_sub(shift_s));
        e.slow - e.cyclic + self.cycles.predict(time_s)
    }

    /// Mean of the candidate corrections, weighted by the eighth power of their precision.
    fn correction(&self) -> f64 {
        let best = self.loss.iter().copied().fold(f64::INFINITY, f64::min).max(1e-300);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (loss, candidate) in self.loss.iter().zip(self.candidates()) {
            let w = best / loss.max(1e-300);
            let w = w * w;
            let w = w * w;
            let w = w * w;
            sum += w * candidate;
            weights += w;
        }
        sum / weights
    }

    /// Variance of what the correction has lately taken from the residuals.
    pub(super) fn lag_variance(&self) -> f64 {
        let best = self.loss.iter().copied().fold(f64::INFINITY, f64::min);
        MEAN_TO_VARIANCE * (self.loss[0] * self.loss[0] - best * best)
    }

    fn candidates(&self) -> [f64; 4] {
        [0.0, self.last_residual, self.fast, 0.5 * self.fast]
    }

    /// Learns a value. Returns which cycle predicts from now on, or does so no more.
    pub(super) fn learn(&mut self, cfg: &ModelConfig, lesson: &Lesson<'_>) -> Option<Turn> {
        let t = &cfg.tuning;
        let Lesson { time_s, x, expected, residual, scale, floor } = *lesson;
        self.count = self.count.saturating_add(1);
        self.learn_losses(residual, floor);
        let side = if residual.abs() > RUN_SCALES * scale { if residual > 0.0 { 1 } else { -1 } } else { 0 };
        if side != 0 && side == self.run_side {
            self.run = self.run.saturating_add(1);
        } else {
            self.run = 0;
            self.run_side = side;
        }
        let opening = f64::from(self.run) / t.run;
        let clip = t.clip * scale * (1.0 + opening * opening);
        let n = f64::from(self.count);
        let error = x - expected.cyclic - self.level;
        self.level_error.learn(error.abs(), t.scale_memory, 6.0);
        let level_clip = clip.max(6.0 * self.level_error.get());
        let step = if n > 20.0 { error.clamp(-level_clip, level_clip) } else { error };
        self.level += step / n.min(t.level_memory);
        self.learn_seasons(cfg, time_s, x - self.cycles.beside_day(time_s), clip);
        self.last_residual = residual.clamp(-2.0 * clip, 2.0 * clip);
        self.fast += (self.last_residual - self.fast) / t.fast_memory;
        let (d, gain) = (x - self.mean, 1.0 / n.min(5000.0));
        self.mean += gain * d;
        self.variance += gain * (d * d * (1.0 - gain) - self.variance);
        let turn = self.cycles.learn(cfg, lesson, clip, !self.is_compact);
        if turn.factor != 1.0 {
            self.multiply_errors(&turn);
        }
        turn.change.map(|_| turn)
    }

    /// The errors of level and seasons are those with the cycles in use on top.
    fn multiply_errors(&mut self, turn: &Turn) {
        self.level_error.multiply(turn.factor);
        if !turn.is_within_day {
            for season in [self.day.as_deref_mut(), self.week.as_deref_mut()].into_iter().flatten() {
                season.multiply_error(turn.factor);
            }
        }
    }

    fn learn_losses(&mut self, residual: f64, floor: f64) {
        for (loss, candidate) in
            self.loss.iter_mut().zip([0.0, self.last_residual, self.fast, 0.5 * self.fast])
        {
            let e = (residual - candidate).abs();
            *loss = if self.count < 3 { e } else { *loss + 0.02 * (e.min(6.0 * loss.max(floor)) - *loss) };
        }
    }

    fn learn_seasons(&mut self, cfg: &ModelConfig, time_s: i64, x: f64, clip: f64) {
        let t = &cfg.tuning;
        // The level of a pattern is that of a day at least: what lasts for hours is no new level.
        let memory = (t.level_memory.max(86_400.0 / cfg.bucket_span_s), t.scale_memory);
        if let (Some(season), Some(grid)) = (self.day.as_deref_mut(), cfg.day.as_ref()) {
            season.learn(grid, time_s, x, clip, t.season_gain, memory);
        }
        if self.week.is_none() && !self.is_compact && time_s.saturating_sub(self.first_s) >= WEEK_FROM_S {
            self.week = cfg.week.as_ref().map(|g| Box::new(Season::new(g, time_s)));
        }
        if let (Some(season), Some(grid)) = (self.week.as_deref_mut(), cfg.week.as_ref()) {
            season.learn(grid, time_s, x, clip, t.season_gain, memory);
        }
    }

    /// Moves level and seasons by `amount`, after a level shift was accepted.
    pub(super) fn shift_level(&mut self, amount: f64) {
        self.level += amount;
        self.mean += amount;
        for season in [self.day.as_deref_mut(), self.week.as_deref_mut()].into_iter().flatten() {
            season.shift_level(amount);
        }
        self.cycles.shift_level(amount);
        self.settle();
    }

    /// Multiplies the seasons by `factor`, after a scaling was accepted.
    pub(super) fn multiply(&mut self, factor: f64) {
        let centre = -self.base;
        self.level = self.level * factor + centre * (1.0 - factor);
        for season in [self.day.as_deref_mut(), self.week.as_deref_mut()].into_iter().flatten() {
            season.multiply(factor, centre);
        }
        self.cycles.multiply(factor);
        self.settle();
    }

    /// Delays seasons and cycles by `seconds`.
    pub(super) fn shift_clock(&mut self, cfg: &ModelConfig, seconds: i64) {
        self.cycles.shift_time(seconds);
        self.shift_time(cfg, seconds);
    }

    /// Delays the seasons by `seconds`; the cycles follow their own phase.
    pub(super) fn shift_time(&mut self, cfg: &ModelConfig, seconds: i64) {
        if let (Some(season), Some(grid)) = (self.day.as_deref_mut(), cfg.day.as_ref()) {
            season.shift_time(grid, seconds);
        }
        if let (Some(season), Some(grid)) = (self.week.as_deref_mut(), cfg.week.as_ref()) {
            season.shift_time(grid, seconds);
        }
        self.cycles.restart_search();
        self.settle();
    }

    /// Forgets the present run and correction: they spoke of what was just adapted to.
    fn settle(&mut self) {
        self.run = 0;
        self.run_side = 0;
        self.last_residual = 0.0;
        self.fast = 0.0;
    }

    /// Drops the profile of the week and the search for periods, or allows them again. Cycles in use are small and stay.
    pub(super) fn set_compact(&mut self, is_compact: bool) {
        self.is_compact = is_compact;
        if is_compact {
            self.week = None;
            self.cycles.stop_search();
        }
    }

    /// The level and its error, without a season.
    pub(super) fn level(&self) -> (f64, RobustScale) {
        (self.base + self.level, self.level_error)
    }

    /// Asks for the seasons.
    pub(super) fn prefetch(&self) {
        [&self.day, &self.week].into_iter().flatten().for_each(|season| prefetch_value(&**season));
        self.cycles.prefetch();
    }

    /// Asks for the seasons' bins of a time, once the seasons are there.
    pub(super) fn prefetch_bins(&self, cfg: &ModelConfig, time_s: i64) {
        self.seasons(cfg).for_each(|(season, grid)| season.prefetch(grid, time_s));
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let season =
            |s: &Option<Box<Season>>| s.as_ref().map_or(0, |s| size_of::<Season>() + s.memory_bytes());
        season(&self.day) + season(&self.week) + self.cycles.memory_bytes()
    }
}
