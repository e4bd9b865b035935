//! How the full model adapts to lasting changes: of the season in use, of the level, of the clock, of the noise.

use super::super::change::{self, RECENT};
use super::super::config::ModelConfig;
use super::super::cycles::Turn;
use super::super::outcome::Change;
use super::super::phase::Phase;
use super::super::predict::{Expectation, Lesson};
use super::super::range::Range;
use super::super::spread::Spread;
use super::super::trend::Trend;
use super::super::views::{CONTEXT, SPIKE};
use super::{Body, Residuals};
use crate::stats::fast_ln;

const DAY_S: f64 = 86_400.0;

/// A one-sided run of this length, seconds, and of this many buckets puts the clock to trial.
const SUSPECT_S: f64 = 7_200.0;
const SUSPECT_BUCKETS: u16 = 3;

impl Body {
    /// Learns the trend, notes the value for the tests of change, and makes them when a run is long enough. `turn` says which
    /// cycle began or ceased to predict.
    pub(super) fn adapt(
        &mut self,
        cfg: &ModelConfig,
        lesson: &Lesson<'_>,
        turn: Option<Turn>,
        r: &Residuals,
    ) -> Option<Change> {
        let Lesson { time_s: time, x, expected: e, scale, .. } = *lesson;
        self.values.copy_within(1.., 0);
        self.values[RECENT - 1] = x as f32;
        let follows = self.buckets_since_last(cfg, time) < 1.5;
        self.consecutive = if follows { (self.consecutive + 1).min(RECENT as u8) } else { 1 };
        let turn = self.note_season(e).or_else(|| self.note_cycle(turn));
        let clip = 3.0 * scale;
        let residual = (x - e.slow).clamp(-clip, clip);
        self.trend.learn(self.trend_time(cfg, time), e.anchor + residual);
        let own_scale = self.views.scale(CONTEXT).max(1e-9 * (x + self.predictor.base).abs()).max(1e-250);
        self.note_run(r.slow, own_scale);
        turn.or_else(|| self.new_level(cfg, (time, x), e.pattern_s, own_scale))
            .or_else(|| self.new_clock(cfg, time, x, own_scale))
    }

    /// Notes which season is in use; another one begins with a history of its own.
    fn note_season(&mut self, e: &Expectation) -> Option<Change> {
        let turn = match e.period_s {
            same if same == self.season_s => None,
            0 => Some(Change::SeasonLost { period_s: self.season_s }),
            period_s => Some(Change::SeasonFound { period_s }),
        };
        if turn.is_some() {
            if e.period_s == 0 {
                self.phase = None;
            } else if self.phase.is_none() {
                self.phase = Some(Box::new(Phase::new()));
            }
            self.season_s = e.period_s;
            self.begin_anew(e.error / self.predictor_error);
        }
        self.predictor_error = e.error;
        turn
    }

    /// Notes which cycle began or ceased to predict.
    fn note_cycle(&mut self, turn: Option<Turn>) -> Option<Change> {
        let Turn { change, factor, .. } = turn?;
        self.begin_anew(factor);
        self.predictor_error *= factor;
        change
    }

    /// What was learnt of the residuals of another predictor is forgotten, or scaled by the `ratio` of the errors.
    fn begin_anew(&mut self, ratio: f64) {
        self.clock_trial.abandon();
        self.trend = Trend::default();
        self.spread = Spread::default();
        self.residual_range = Range::default();
        self.window_range = Range::default();
        // The scale is that of another predictor's residuals; the shape of their distribution stays.
        let ratio = ratio.clamp(0.01, 100.0);
        if ratio.is_finite() {
            self.views.rescale(ratio);
            // The windows are full of what the new predictor would have explained.
            let shrinks = ratio.min(1.0) as f32;
            self.residuals.iter_mut().for_each(|residual| *residual *= shrinks);
        }
    }

    /// Tests for another level or another size of the pattern once a run has lasted. What lasts for hours in a season is
    /// an anomaly of the season, not a new one: there the run must have lasted a day.
    fn new_level(
        &mut self,
        cfg: &ModelConfig,
        (time, x): (i64, f64),
        pattern_s: i64,
        own_scale: f64,
    ) -> Option<Change> {
        let lasts = f64::from(self.run) * cfg.bucket_span_s;
        let is_settled = if self.season_s != 0 {
            lasts >= cfg.tuning.change_days * DAY_S
        } else {
            // A daily pattern not yet known looks like one level shift after the other, and a missing beat like one as well.
            self.is_settled(cfg, time) && lasts >= (pattern_s as f64).min(cfg.tuning.change_days * DAY_S)
        };
        if !is_settled || usize::from(self.consecutive) < RECENT || !change::is_due(u32::from(self.run)) {
            return None;
        }
        let mut recent = [(0, 0.0); RECENT];
        for (back, (slot, v)) in recent.iter_mut().rev().zip(self.values.iter().rev()).enumerate() {
            *slot = (time.saturating_sub((back as f64 * cfg.bucket_span_s) as i64), f64::from(*v));
        }
        let noise = own_scale.min(self.views.scale(SPIKE).max(1e-9 * x.abs()));
        let change = change::test(cfg, &self.predictor, &recent, noise)?;
        self.run = 0;
        self.clock_trial.abandon();
        change::apply(cfg, &mut self.predictor, change);
        if let Change::LevelShift { magnitude } = change {
            self.trend.shift(magnitude);
        }
        Some(change)
    }

    /// Puts the clock to trial when a flank of the season seems to have moved.
    fn new_clock(&mut self, cfg: &ModelConfig, time: i64, x: f64, own_scale: f64) -> Option<Change> {
        if self.season_s == 0 {
            return None;
        }
        let lasts = f64::from(self.run) * cfg.bucket_span_s;
        if lasts >= SUSPECT_S && self.run >= SUSPECT_BUCKETS {
            self.clock_trial.begin(cfg, time);
        }
        let seconds = self.clock_trial.step(cfg, &self.predictor, time, x, own_scale)?;
        let change = Change::TimeShift { seconds };
        self.run = 0;
        change::apply(cfg, &mut self.predictor, change);
        Some(change)
    }

    /// Notes the size of the residual; a lasting change of variance is applied to the scales of all residuals.
    pub(super) fn adapt_spread(&mut self, cfg: &ModelConfig, time: i64, r: &Residuals) -> Option<Change> {
        let is_settled = self.is_settled(cfg, time);
        let change = self.spread.learn(cfg, r.fast.abs(), 0.1 * r.floor, is_settled)?;
        // More noise is learnt by the scales in their own time: it may be the beginning of something. Less is taken over
        // at once, or what follows would go unseen.
        if let Change::Variance { factor } = change
            && factor < 1.0
        {
            self.views.rescale_all(factor);
            self.activity += fast_ln(factor);
        }
        Some(change)
    }

    fn is_settled(&self, cfg: &ModelConfig, time: i64) -> bool {
        time.saturating_sub(self.first_s) as f64 >= cfg.tuning.settled * DAY_S
    }

    /// A run begins with a residual beyond two scales and lasts while residuals stay on its side.
    fn note_run(&mut self, residual: f64, scale: f64) {
        let beyond = residual * f64::from(self.run_side);
        if self.run > 0 && beyond > change::STAYS_SCALES * scale {
            self.run = self.run.saturating_add(1);
        } else if residual.abs() > change::RUN_SCALES * scale {
            (self.run, self.run_side) = (1, residual.signum() as i8);
        } else {
            self.run = 0;
        }
    }
}
