//! The full model of one series: one step is predict, judge by all views, learn, join.

mod adapt;
mod portrait;
mod size;

use super::change::RECENT;
use super::clock_trial::ClockTrial;
use super::config::{ModelConfig, Side, ValueKind};
use super::density::Density;
use super::outcome::{Outcome, Prediction, Sample};
use super::phase::Phase;
use super::predict::{Expectation, Lesson, Predictor};
use super::range::Range;
use super::repeats::Repeats;
use super::shape::Shape;
use super::spread::Spread;
use super::trend::Trend;
use super::verdict::{Refractory, emphasise, join};
use super::views::{
    ACTIVITY, Asked, CALIBRATED, CONTEXT, MIDDLE, RANGE, SHAPE, SPIKE, STEP, STUCK, Surprise, VIEWS, Views,
    WINDOW_1, WINDOW_2,
};
use crate::stats::fast_ln;
use crate::stats::negative_binomial_tail;
use serde::{Deserialize, Serialize};

pub(super) use portrait::Portrait;

/// Lengths of the two windows, buckets.
const SHORT: usize = 12;
const LONG: usize = 24;

/// Residuals enter the windows clipped at this many scales.
const WINDOW_CLIP: f64 = 20.0;

/// Samples before which every score is zero.
const COLD: f64 = 20.0;

/// Samples before the shape view has seen enough of its own distances.
const SHAPE_FROM: u32 = 100;

/// The interval is read off the histogram every so many samples.
const INTERVAL_EVERY: u32 = 16;

/// Standard deviation of a normal law over its mean absolute deviation, `√(π/2)`.
const MEAN_TO_SD: f64 = 1.2533;

/// Counts expected to be at least this large need no count distribution.
const SMALL_COUNT: f64 = 30.0;

/// State of the full model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Body {
    predictor: Predictor,
    views: Views,
    shape: Shape,
    repeats: Repeats,
    density: Density,
    refractory: Refractory,
    trend: Trend,
    spread: Spread,
    /// Noise by the hour, while a season is in use.
    phase: Option<Box<Phase>>,
    clock_trial: ClockTrial,
    /// Slow residuals, newest at `at`.
    residuals: [f32; LONG],
    /// Sizes of fast residuals.
    sizes: [f32; SHORT],
    /// Recent values of consecutive buckets, newest last, and how many there are.
    values: [f32; RECENT],
    consecutive: u8,
    /// Length and side of the run of slow residuals beyond their own scale, which makes the tests of change due.
    run: u16,
    run_side: i8,
    first_s: i64,
    last_s: i64,
    /// Range of the values so far, and of the slow residuals since the season in use was found.
    range: Range,
    residual_range: Range,
    window_range: Range,
    previous: f64,
    activity: f64,
    weight: f64,
    season_s: i64,
    /// Error of the prediction in use.
    predictor_error: f64,
    /// Reach of the 95 % interval below and above the typical value.
    reach: [f32; 2],
    multimodal: bool,
}

/// The views' residuals of one sample, and the scales they are measured by.
#[derive(Clone, Copy, Debug)]
struct Residuals {
    slow: f64,
    fast: f64,
    /// Least scale.
    floor: f64,
    /// What the slow residual was divided by, since noise depends on the hour.
    phase: f64,
}

impl Body {
    pub(super) fn new(cfg: &ModelConfig, time_s: i64, value: f64) -> Self {
        Self {
            predictor: Predictor::new(cfg, time_s, value),
            views: Views::new(),
            shape: Shape::new(),
            repeats: Repeats::default(),
            density: Density::new(),
            refractory: Refractory::new(),
            trend: Trend::default(),
            spread: Spread::default(),
            phase: None,
            clock_trial: ClockTrial::default(),
            residuals: [0.0; LONG],
            sizes: [0.0; SHORT],
            values: [0.0; RECENT],
            consecutive: 0,
            run: 0,
            run_side: 0,
            first_s: time_s,
            last_s: i64::MIN,
            range: Range::default(),
            residual_range: Range::default(),
            window_range: Range::default(),
            previous: 0.0,
            activity: 0.0,
            weight: 0.0,
            season_s: 0,
            predictor_error: 0.0,
            reach: [0.0; 2],
            multimodal: false,
        }
    }

    pub(super) fn age(&self) -> u32 {
        self.predictor.count()
    }

    pub(super) fn last_time_s(&self) -> i64 {
        self.last_s
    }

    /// Judges and learns one clean sample.
    pub(super) fn step(&mut self, cfg: &ModelConfig, sample: &Sample) -> Outcome {
        let time = sample.time_s;
        let x = sample.value - self.predictor.base;
        let count = self.age() + 1;
        if sample.value.fract() != 0.0 || sample.value.abs() > 1e9 {
            self.predictor.whole_numbers = false;
        }
        let expected = self.predictor.expect(cfg, time);
        let prediction = self.interval(cfg, &expected, 1.0);
        let trust = self.learn_weight(cfg, sample.weight);
        let floor = self.floor(cfg, sample.value);
        let r = self.residuals(cfg, time, x, &expected, floor, trust);
        let surprise = self.judge_and_learn(cfg, x, sample.value, &expected, &r, trust);

        let sided = one_sided(cfg.side, &surprise, &r);
        let joined = join(cfg, &sided, expected.strength);
        let n = f64::from(count);
        let warmth = ((n - COLD) / (cfg.tuning.warm - COLD)).clamp(0.0, 1.0);
        let raw = (joined.all + cfg.rate_shift).max(0.0) * warmth;
        let buckets = self.buckets_since_last(cfg, time);
        let passed = self.refractory.step(cfg, raw, buckets);
        // Only what is an anomaly already is emphasised.
        let beyond =
            if passed > cfg.tuning.record_from { self.beyond_records(cfg, &expected, &r) } else { 0.0 };
        let score = emphasise(cfg, passed, beyond);
        self.learn_ranges(x, &r);
        let scale = self.views.scale(CONTEXT).max(floor) * r.phase;
        let residual = r.slow * r.phase;
        let lesson = Lesson { time_s: time, x, expected: &expected, residual, scale, floor };
        let turn = self.predictor.learn(cfg, &lesson);
        let change = self.adapt(cfg, &lesson, turn, &r);
        let change = change.or_else(|| self.adapt_spread(cfg, time, &r));
        self.last_s = time;
        if count.is_multiple_of(INTERVAL_EVERY) {
            self.refresh_interval(floor);
        }
        let spread = self.views.scale(SPIKE);
        Outcome {
            score,
            raw_score: raw,
            probability: probability(joined.all * warmth),
            single_bucket: joined.single * warmth,
            multi_bucket: joined.multi * warmth,
            typical: prediction.typical,
            lower: prediction.lower,
            upper: prediction.upper,
            is_high: sample.value > prediction.typical,
            anomaly_length: self.predictor.run + u32::from(self.predictor.run_side != 0),
            multimodal: self.multimodal,
            high_variance_penalty: (spread / (spread + prediction.typical.abs()).max(1e-300)).clamp(0.0, 1.0),
            incomplete_bucket_penalty: 1.0 - trust,
            change,
        }
    }

    /// What is expected of the bucket that comes next.
    pub(super) fn predict(&self, cfg: &ModelConfig, time_s: i64) -> Prediction {
        self.interval(cfg, &self.predictor.expect(cfg, time_s), 1.0)
    }

    /// What is expected further ahead.
    pub(super) fn forecast(&self, cfg: &ModelConfig, time_s: i64) -> Prediction {
        let ahead = (time_s.saturating_sub(self.last_s) as f64 / cfg.bucket_span_s).max(0.0);
        let mut expected = self.predictor.expect(cfg, time_s);
        let still_corrected = (-ahead / cfg.tuning.fast_memory).exp2();
        expected.correction *= still_corrected;
        let now = self.trend_time(cfg, self.last_s);
        let mut slope_error = 0.0;
        if let Some(line) = self.trend.line(now) {
            slope_error = line.slope_error;
            expected.slow += line.slope * ahead;
            if line.slope != 0.0 {
                expected.slow += line.at - expected.anchor;
            }
        }
        // How far the level lags behind, which the correction makes good for a while. An exponentially smoothed level of a
        // random walk lags by q·memory/2 (Harvey 1990, section 4.1), and walks on by q a bucket.
        let lag = self.predictor.lag_variance();
        let wander = 2.0 * lag / cfg.tuning.level_memory;
        let reach = 0.5 * f64::from(self.reach[0] + self.reach[1]).max(2e-30) / 1.96;
        let variance = reach * reach
            + lag * (1.0 - still_corrected * still_corrected)
            + wander * ahead
            + slope_error * slope_error * ahead * ahead;
        self.interval(cfg, &expected, (variance.sqrt() / reach).max(1.0))
    }

    /// Sets the seasons' clock forward by `seconds`.
    pub(super) fn shift_time(&mut self, cfg: &ModelConfig, seconds: i64) {
        self.predictor.shift_clock(cfg, -seconds);
    }

    fn interval(&self, cfg: &ModelConfig, e: &Expectation, widen: f64) -> Prediction {
        let lowest = if cfg.kind == ValueKind::Count { 0.0 } else { f64::NEG_INFINITY };
        let typical = (self.predictor.base + e.slow + e.correction).max(lowest);
        let lower = (typical - widen * f64::from(self.reach[0])).max(lowest);
        Prediction { typical, lower, upper: typical + widen * f64::from(self.reach[1]) }
    }

    fn refresh_interval(&mut self, floor: f64) {
        const SHARE: f64 = 0.025;
        let fallback = 1.96 * self.views.scale(SPIKE);
        for (side, reach) in self.reach.iter_mut().enumerate() {
            let seen = self.views.quantile(SPIKE, side == 0, SHARE, floor);
            *reach = (if self.predictor.count() >= 100 { seen } else { fallback.max(seen) }).min(1e30) as f32;
        }
        self.multimodal = self.views.has_empty_middle(CONTEXT);
    }

    /// Scales are never taken to be smaller than this: a share of the long-run deviation, one for whole numbers, and
    /// the precision of the numbers themselves.
    fn floor(&self, cfg: &ModelConfig, value: f64) -> f64 {
        let floor = (cfg.tuning.floor_sd * self.predictor.sd()).max(1e-9 * value.abs());
        let floor = floor.max(1e-9 * self.predictor.base.abs()).max(1e-250);
        if self.predictor.whole_numbers { floor.max(1.0) } else { floor }
    }

    /// Share, 0..1, to which a residual counts: less when there are fewer records in the bucket than usual.
    fn learn_weight(&mut self, cfg: &ModelConfig, weight: f64) -> f64 {
        let usual = self.weight;
        let gain = 1.0 / f64::from(self.age() + 1).min(cfg.tuning.level_memory);
        self.weight += gain * (weight - self.weight);
        if cfg.sample_weighted && weight < usual { (weight / usual).sqrt() } else { 1.0 }
    }

    fn residuals(
        &mut self,
        cfg: &ModelConfig,
        time_s: i64,
        x: f64,
        e: &Expectation,
        floor: f64,
        trust: f64,
    ) -> Residuals {
        if self.age() == 0 {
            self.previous = x;
        }
        let slow = (x - e.slow) * trust;
        let fast = (x - e.slow - e.correction) * trust;
        let mut phase = 1.0;
        if let Some(hours) = self.phase.as_deref_mut()
            && e.period_s != 0
        {
            phase = hours.factor(cfg, time_s);
            hours.learn(cfg, time_s, MEAN_TO_SD * slow.abs() / e.error.max(1e-250));
        }
        Residuals { slow: slow / phase, fast, floor, phase }
    }

    /// By how many doublings this slow residual, or the mean of the last ones, exceeds the records of the past, which begins
    /// with the season in use.
    fn beyond_records(&self, cfg: &ModelConfig, e: &Expectation, r: &Residuals) -> f64 {
        let period = if e.strength > 0.0 { e.pattern_s as f64 / cfg.bucket_span_s } else { 0.0 };
        let enough = period.max(cfg.tuning.warm);
        let least = 0.5 * r.floor;
        let scale = self.views.scale(CONTEXT);
        let single = self.residual_range.doublings(&cfg.tuning, enough, r.slow, scale, least);
        let mean = self.window_mean();
        // A window that is low still, after an outage, says nothing of a value that is high.
        if mean * r.slow <= 0.0 {
            return single;
        }
        let scale = self.views.scale(WINDOW_1);
        single.max(self.window_range.doublings(&cfg.tuning, enough, mean, scale, least))
    }

    fn window_mean(&self) -> f64 {
        sum(&self.residuals[LONG - SHORT..]) / SHORT as f64
    }

    fn learn_ranges(&mut self, x: f64, r: &Residuals) {
        self.range.learn(x);
        self.residual_range.learn(r.slow);
        self.window_range.learn(self.window_mean());
    }

    /// Asks every view and lets it learn. Windows take the present residual before they are judged.
    fn judge_and_learn(
        &mut self,
        cfg: &ModelConfig,
        x: f64,
        value: f64,
        e: &Expectation,
        r: &Residuals,
        trust: f64,
    ) -> [Surprise; VIEWS] {
        let asked = self.ask(cfg, x, value, r, trust);
        let prior = self.count_prior(cfg, value, e, r);
        let judged = self.views.judge(cfg, &asked, prior);
        self.views.learn(cfg, &asked, &judged);
        let mut out = [Surprise::default(); VIEWS];
        out[..CALIBRATED].copy_from_slice(&judged);
        out[RANGE] = self.range.excess(cfg.tuning.warm, x, r.floor);
        if e.strength > 0.0 {
            // A record means something once every phase of the season was seen.
            let enough =
                (e.pattern_s as f64 / cfg.bucket_span_s * cfg.tuning.range_periods).max(cfg.tuning.warm);
            let beyond = self.residual_range.excess(enough, r.slow, r.floor);
            if beyond.bits * e.strength * cfg.tuning.range_residual > out[RANGE].bits {
                out[RANGE] =
                    Surprise { bits: beyond.bits * e.strength * cfg.tuning.range_residual, ..beyond };
            }
        }
        out[RANGE].bits *= trust;
        out[STUCK] = self.repeats.step(cfg, x, self.views.scale(STEP), self.age());
        out[MIDDLE] = self.density.step(cfg, x, &self.predictor, r.floor);
        out
    }

    /// The residuals that the calibrated views look at.
    fn ask(&mut self, cfg: &ModelConfig, x: f64, value: f64, r: &Residuals, trust: f64) -> Asked {
        let count = self.age() + 1;
        let limit = WINDOW_CLIP * self.views.scale(CONTEXT).max(r.floor);
        self.residuals.copy_within(1.., 0);
        self.residuals[LONG - 1] = r.slow.clamp(-limit, limit) as f32;
        let recent = sum(&self.residuals[LONG - SHORT..]);
        let older = sum(&self.residuals[..LONG - SHORT]);
        let limit = WINDOW_CLIP * self.views.scale(SPIKE).max(r.floor);
        self.sizes.copy_within(1.., 0);
        self.sizes[SHORT - 1] = r.fast.abs().min(limit) as f32;
        let size = sum(&self.sizes) / SHORT as f64;
        let activity = fast_ln(size + 0.02 * r.floor + 1e-250);
        if count < 30 {
            self.activity = activity;
        }
        let mut residuals = [0.0; CALIBRATED];
        residuals[SPIKE] = r.fast;
        residuals[CONTEXT] = r.slow;
        residuals[WINDOW_1] = recent / SHORT as f64;
        residuals[WINDOW_2] = (recent + older) / LONG as f64;
        residuals[ACTIVITY] = activity - self.activity;
        residuals[STEP] = (x - self.previous) * trust;
        self.activity += (activity - self.activity) / f64::from(count).min(cfg.tuning.scale_memory);
        self.previous = x;
        let u = (x - self.predictor.mean()) / self.predictor.sd().max(1e-9 * value.abs()).max(1e-250);
        let compressed = fast_ln(1.0 + u.abs());
        residuals[SHAPE] = self.shape.step(cfg, if u < 0.0 { -compressed } else { compressed });
        let mut floors = [r.floor; CALIBRATED];
        floors[ACTIVITY] = 0.05;
        floors[SHAPE] = 0.0;
        Asked { residuals, floors, views: if count > SHAPE_FROM { CALIBRATED } else { SHAPE } }
    }

    /// Chance of a small count as extreme as `value`, by a count distribution with the mean expected.
    fn count_prior(&self, cfg: &ModelConfig, value: f64, e: &Expectation, r: &Residuals) -> Option<f64> {
        if cfg.kind != ValueKind::Count {
            return None;
        }
        let mean = (self.predictor.base + e.slow).max(0.05);
        let scale = self.views.scale(CONTEXT);
        if mean > SMALL_COUNT || r.slow.abs() < 1.5 * scale.max(r.floor) {
            return None;
        }
        let tail = negative_binomial_tail(value, mean, (scale * scale).max(mean));
        let one_side = if value > mean { tail.at_least } else { tail.at_most };
        Some((2.0 * one_side).clamp(1e-12, 1.0))
    }

    fn trend_time(&self, cfg: &ModelConfig, time_s: i64) -> f64 {
        time_s.saturating_sub(self.first_s) as f64 / cfg.bucket_span_s
    }

    /// Gaps count by time, or they would freeze the refractory rule.
    fn buckets_since_last(&self, cfg: &ModelConfig, time_s: i64) -> f64 {
        if self.last_s == i64::MIN {
            return 1.0;
        }
        (time_s.saturating_sub(self.last_s) as f64 / cfg.bucket_span_s).clamp(1.0, 1e6)
    }
}

fn sum(values: &[f32]) -> f64 {
    // Four sums side by side do not wait for each other.
    let mut sums = [0.0; 4];
    for four in values.chunks_exact(4) {
        for (sum, v) in sums.iter_mut().zip(four) {
            *sum += f64::from(*v);
        }
    }
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}

/// Surprises that count for the side asked for. The step back after a dip is no rise: spike and step count only as
/// far as the value itself, or a window, is high.
fn one_sided(side: Side, s: &[Surprise; VIEWS], r: &Residuals) -> [f64; VIEWS] {
    let mut out = s.map(|s| s.bits);
    let sign = match side {
        Side::Both => return out,
        Side::High => 1.0,
        Side::Low => -1.0,
    };
    if r.slow * sign <= 0.0 {
        return [0.0; VIEWS];
    }
    for view in [SPIKE, CONTEXT, WINDOW_1, WINDOW_2, STEP, RANGE] {
        if s[view].z * sign <= 0.0 {
            out[view] = 0.0;
        }
    }
    let level = out[CONTEXT].max(out[RANGE]);
    let window = level.max(out[WINDOW_1]).max(out[WINDOW_2]);
    out[SPIKE] = out[SPIKE].min(level);
    out[STEP] = out[STEP].min(level);
    out[ACTIVITY] = out[ACTIVITY].min(window);
    out[SHAPE] = out[SHAPE].min(window);
    for view in [MIDDLE, STUCK] {
        out[view] = out[view].min(window);
    }
    out
}

/// Chance that a bucket has a joined surprise of at least `s`: a straight line in the logarithm, measured on simulated
/// clean series of several families (`docs/engine.md`).
pub(super) fn probability(s: f64) -> f64 {
    const FREE: f64 = 0.65;
    const SLOPE: f64 = 1.15;
    (-SLOPE * (s - FREE).max(0.0) * std::f64::consts::LN_10).exp().clamp(f64::MIN_POSITIVE, 1.0)
}
