//! A newcomer's first days among siblings: their pattern, fitted to what it has shown so far, predicts it, and their
//! residuals say what is unusual. It counts once it has predicted the series better than its own level, and ends for good
//! when the newcomer turns out to be of another kind, or when the series' own model knows as much.
//!
//! The model of its own learns beside it as if there were no siblings, so that nothing of theirs outlasts the nursery.

use super::body::probability;
use super::config::{ModelConfig, Side, ValueKind};
use super::crowd::Crowd;
use super::outcome::{Outcome, Prediction, Sample};
use super::verdict::{Refractory, join};
use super::views::{CONTEXT, RANGE, SPIKE, VIEWS};
use crate::stats::{fast_ln, log_position, prior_tail};
use serde::{Deserialize, Serialize};

/// Samples before which nothing is said.
const FROM: u32 = 8;

/// Evidence (natural logarithm of the ratio of likelihoods) from which on the siblings' prediction is used, which it has at
/// most, and at which it is given up.
const GAIN: f64 = 3.0;
const MOST_GAIN: f64 = 12.0;
const LEAST_GAIN: f64 = -6.0;

/// One sample changes the evidence by no more than this.
const GAIN_STEP: f64 = 2.0;

/// By how much one sample that fits makes the newcomer less likely to be of another kind altogether, natural logarithm.
const DOUBT_FALLS: f64 = 0.4;

/// Pseudo-observations that the siblings' scale is worth at most.
const SCALE_SAMPLES: f64 = 20.0;

/// Residuals are learnt up to this many standard deviations.
const CLIP: f64 = 4.0;

/// Mean squared deviation of the last eight samples (each at most nine) from which on the newcomer is of another kind.
const MISFIT: f64 = 3.0;
const MISFIT_MEMORY: f64 = 8.0;
const MISFIT_CLIP: f64 = 9.0;

/// A scale or amplitude this many standard deviations from the siblings' is of another kind.
const APART: f64 = 3.0;

/// Squares of what the logarithm of the variance may differ besides. To be quieter than the siblings does no harm.
const LOUDER: f64 = 0.0;
const QUIETER: f64 = 1.5;

/// Buckets of the siblings' history that each of the newcomer's own is worth.
const TRUST: f64 = 10.0;

/// The end: after this time if the own model has a season, at the latest after that, and never before so many samples.
const RIPE_S: i64 = 2 * 86_400;
const END_S: i64 = 3 * 86_400;
const END_FROM: u32 = 50;

/// Buckets after which the windows of the own model have been filled anew.
const SETTLES: f64 = 24.0;

/// The end where there is no pattern to wait for, samples.
const FLAT_END: u32 = 100;

/// Sums of the regression `x = a + b·shape`, values relative to the first one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    weight: f64,
    u: f64,
    uu: f64,
    x: f64,
    xu: f64,
}

/// State of the first days.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Nursery {
    base: f64,
    first_s: i64,
    last_s: i64,
    seen: u32,
    is_over: bool,
    whole_numbers: bool,
    sums: Sums,
    /// Sum and number of squared recursive residuals of the fit, and the sum of those of the level alone.
    squares: f64,
    squared: f64,
    level_squares: f64,
    /// Evidence for the siblings' pattern against the level alone.
    gain: f64,
    misfit: f64,
    last_residual: f64,
    /// Usual number of records.
    records: f64,
    refractory: Refractory,
}

/// What is expected of one time.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// Relative to the base.
    value: f64,
    /// Variance of a value around it, and the part that is noise.
    variance: f64,
    noise: f64,
    /// Degrees of freedom of the noise.
    freedom: f64,
    /// The level alone, and its variance and degrees of freedom.
    level: f64,
    level_variance: f64,
    level_freedom: f64,
}

/// The fit as it stands.
#[derive(Clone, Copy, Debug)]
struct Fit {
    mean: f64,
    mean_shape: f64,
    slope: f64,
    /// Sum of squares of the shape, with what the siblings' amplitude is worth.
    information: f64,
    noise: f64,
    freedom: f64,
    is_alike: bool,
}

impl Nursery {
    pub(super) fn new(crowd: &Crowd, sample: &Sample) -> Self {
        Self {
            base: sample.value,
            first_s: sample.time_s,
            last_s: sample.time_s,
            seen: 0,
            is_over: false,
            whole_numbers: true,
            sums: Sums::default(),
            squares: 0.0,
            squared: 0.0,
            level_squares: 0.0,
            gain: crowd.odds,
            misfit: 1.0,
            last_residual: 0.0,
            records: 0.0,
            refractory: Refractory::new(),
        }
    }

    /// Has it ended? `has_season` says whether the series' own model has one.
    pub(super) fn is_over(&self, cfg: &ModelConfig, crowd: &Crowd, has_season: bool) -> bool {
        // The own windows are full of what the season did not explain before it was known.
        let lasted = self.last_s.saturating_sub(self.first_s) - (SETTLES * cfg.bucket_span_s) as i64;
        let is_ripe = (has_season && lasted >= RIPE_S)
            || lasted >= END_S
            || (crowd.period_s == 0 && self.seen >= FLAT_END);
        self.is_over || (is_ripe && self.seen >= END_FROM)
    }

    /// Is its prediction the one to use?
    fn is_in_use(&self, crowd: &Crowd) -> bool {
        let gain = self.evidence(crowd);
        !self.is_over && self.seen >= FROM && gain >= GAIN
    }

    fn evidence(&self, crowd: &Crowd) -> f64 {
        if crowd.period_s == 0 { crowd.odds.max(GAIN) } else { self.gain }
    }

    /// Chance that the newcomer is of another kind, of which nothing can be said: it would have shown itself.
    fn doubt(&self, crowd: &Crowd) -> f64 {
        (-self.evidence(crowd) - DOUBT_FALLS * f64::from(self.seen)).exp()
    }

    /// What is expected of a time, if the nursery's word counts.
    pub(super) fn predict(&self, cfg: &ModelConfig, crowd: &Crowd, time_s: i64) -> Option<Prediction> {
        let fit = self.fit(crowd)?;
        self.is_in_use(crowd).then(|| self.interval(cfg, &self.expect(cfg, crowd, &fit, time_s)))
    }

    fn interval(&self, cfg: &ModelConfig, e: &Expected) -> Prediction {
        let lowest = if cfg.kind == ValueKind::Count { 0.0 } else { f64::NEG_INFINITY };
        let typical = (self.base + e.value).max(lowest);
        let reach = 1.96 * e.variance.sqrt();
        Prediction { typical, lower: (typical - reach).max(lowest), upper: typical + reach }
    }

    /// Judges a sample and learns it. The verdict counts for the series if there is one.
    pub(super) fn step(&mut self, cfg: &ModelConfig, crowd: &Crowd, sample: &Sample) -> Option<Outcome> {
        let buckets = (sample.time_s.saturating_sub(self.last_s) as f64 / cfg.bucket_span_s).clamp(1.0, 1e6);
        self.last_s = sample.time_s;
        self.seen = self.seen.saturating_add(1);
        // A count or a sum begins somewhere in its first bucket.
        if self.seen == 1 && cfg.kind != ValueKind::Metric {
            return None;
        }
        self.whole_numbers &= sample.value.fract() == 0.0 && sample.value.abs() <= 1e9;
        let trust = self.trust(cfg, sample.weight);
        let x = sample.value - self.base;
        let Some(fit) = self.fit(crowd) else {
            self.learn(crowd, sample.time_s, x);
            return None;
        };
        self.is_over |= !fit.is_alike;
        let e = self.expect(cfg, crowd, &fit, sample.time_s);
        let residual = (x - e.value) * trust;
        let is_in_use = self.is_in_use(crowd);
        let verdict = is_in_use.then(|| self.judge(cfg, crowd, &e, sample, residual, buckets));
        self.weigh(crowd, &e, x, residual);
        let sd = e.variance.sqrt();
        let clip = if e.freedom >= 2.0 { CLIP * sd } else { f64::INFINITY };
        self.last_residual = residual.clamp(-clip, clip);
        self.learn(crowd, sample.time_s, e.value + (x - e.value).clamp(-clip, clip));
        verdict.map(|outcome| Outcome { incomplete_bucket_penalty: 1.0 - trust, ..outcome })
    }

    /// Share to which a residual counts: less when there are fewer records than usual.
    fn trust(&mut self, cfg: &ModelConfig, weight: f64) -> f64 {
        let usual = self.records;
        self.records += (weight - usual) / f64::from(self.seen);
        if cfg.sample_weighted && weight < usual { (weight / usual).sqrt() } else { 1.0 }
    }

    fn learn(&mut self, crowd: &Crowd, time_s: i64, x: f64) {
        // Correlated neighbours say less about level and amplitude than independent ones would.
        let w = weight_of_one(crowd);
        let u = crowd.shape_at(time_s);
        let s = &mut self.sums;
        s.weight += w;
        s.u += w * u;
        s.uu += w * u * u;
        s.x += w * x;
        s.xu += w * x * u;
    }

    /// Least squares with the siblings' scale and amplitude as priors (Lindley & Smith 1972). `None` before the first sample.
    fn fit(&self, crowd: &Crowd) -> Option<Fit> {
        let s = &self.sums;
        if s.weight <= 0.0 {
            return None;
        }
        let (mean, mean_shape) = (s.x / s.weight, s.u / s.weight);
        let uu = (s.uu - s.u * mean_shape).max(0.0);
        let xu = s.xu - s.u * mean;
        let independent = self.squared * weight_of_one(crowd);
        // Scale and amplitude belong to the level of the whole period, which depends on the slope: once more with a better one.
        let mut fit = Fit {
            mean,
            mean_shape,
            slope: 0.0,
            information: f64::INFINITY,
            noise: 0.0,
            freedom: 0.0,
            is_alike: true,
        };
        for _ in 0..2 {
            let level = self.base + mean - fit.slope * mean_shape;
            let (usual, doubt) = crowd.scale.at(level);
            let worth = (0.5 / doubt).min(SCALE_SAMPLES);
            fit.freedom = worth + independent;
            fit.noise = (worth * usual * usual + self.squares * weight_of_one(crowd)) / fit.freedom;
            if self.whole_numbers {
                fit.noise = fit.noise.max(1.0);
            }
            let own = fast_ln((self.squares / self.squared.max(1.0)).max(1e-300)) - 2.0 * fast_ln(usual);
            let spread = 4.0 * (doubt + 0.5 / independent.max(1.0));
            fit.is_alike = self.seen < FROM
                || own * own < APART * APART * spread + if own > 0.0 { LOUDER } else { QUIETER };
            if let Some(amplitude) = &crowd.amplitude {
                let (expected, doubt) = amplitude.at(level);
                let variance = expected * expected * (doubt.exp_m1().clamp(0.01, 1e6) + crowd.misfit);
                let worth = (fit.noise / variance.max(1e-290)).clamp(1e-12, 1e12);
                fit.information = uu + worth;
                fit.slope = (xu + worth * expected) / fit.information;
                let apart = xu - uu * expected;
                fit.is_alike &= apart * apart <= APART * APART * uu * (uu * variance + fit.noise);
            }
        }
        Some(fit)
    }

    fn expect(&self, cfg: &ModelConfig, crowd: &Crowd, fit: &Fit, time_s: i64) -> Expected {
        let u = crowd.shape_at(time_s) - fit.mean_shape;
        let value = fit.mean + fit.slope * u;
        let mut noise = fit.noise;
        if cfg.kind == ValueKind::Count {
            // No count varies less than a Poisson number.
            noise = noise.max(self.base + value);
        }
        let place = 1.0 / self.sums.weight;
        let misfit = fit.slope * fit.slope * crowd.misfit;
        let least = 1e-18 * (self.base + value) * (self.base + value) + 1e-290;
        let variance = (noise * (1.0 + place + u * u / fit.information) + misfit).max(least);
        let seen = self.squared;
        let level_noise = (fit.noise + self.level_squares) / (1.0 + seen);
        Expected {
            value,
            variance,
            noise: noise.max(least),
            freedom: fit.freedom,
            level: fit.mean,
            level_variance: (level_noise * (1.0 + place)).max(least),
            level_freedom: 1.0 + seen,
        }
    }

    /// Weighs the siblings' pattern against the level alone by how well they predicted `x` (prequentially, Dawid 1984), and
    /// notes how well the pattern fits.
    fn weigh(&mut self, crowd: &Crowd, e: &Expected, x: f64, residual: f64) {
        let clipped = (x - e.level).powi(2).min(36.0 * e.level_variance.max(e.variance));
        if crowd.period_s != 0 {
            let of_siblings = log_density(residual, e.variance, e.freedom);
            let of_level = log_density(x - e.level, e.level_variance, e.level_freedom);
            let step = (of_siblings - of_level).clamp(-GAIN_STEP, GAIN_STEP);
            self.gain = (self.gain + step).min(MOST_GAIN);
            self.is_over |= self.gain < LEAST_GAIN;
        }
        let square = (residual * residual / e.variance).min(1e12);
        // What is more surprising than four deviations was an anomaly, once the scale is known.
        let learnt = if e.freedom >= 2.0 { square.min(CLIP * CLIP) } else { square };
        self.squares += learnt * e.noise;
        self.level_squares += clipped * self.sums.weight / (1.0 + self.sums.weight);
        self.squared += 1.0;
        if self.seen > 3 {
            self.misfit += (square.min(MISFIT_CLIP) - self.misfit) / MISFIT_MEMORY;
            self.is_over |= self.misfit > MISFIT;
        }
    }

    fn judge(
        &mut self,
        cfg: &ModelConfig,
        crowd: &Crowd,
        e: &Expected,
        sample: &Sample,
        residual: f64,
        buckets: f64,
    ) -> Outcome {
        let sd = e.variance.sqrt();
        let rest = crowd.correlation;
        let fast = residual - rest * self.last_residual;
        let fast_sd = (e.variance - rest * rest * e.noise).max(0.05 * e.variance).sqrt();
        let counts = match cfg.side {
            Side::Both => true,
            Side::High => residual > 0.0,
            Side::Low => residual < 0.0,
        };
        let mut bits = [0.0; VIEWS];
        if counts {
            let z = normal_size(residual / sd, e.freedom);
            bits[CONTEXT] = self.bits(cfg, crowd, 1, z);
            bits[SPIKE] = self.bits(cfg, crowd, 0, normal_size(fast / fast_sd, e.freedom));
            // As the range view has it, whose records are the siblings'.
            let beyond = 3.0 * (1.0 + 10.0 * crowd.excess(z)).log10();
            let share = if crowd.period_s == 0 { 1.0 } else { crowd.strength };
            bits[RANGE] = share * beyond;
            if cfg.side != Side::Both {
                bits[SPIKE] = f64::min(bits[SPIKE], bits[CONTEXT].max(bits[RANGE]));
            }
        }
        let joined = join(cfg, &bits, crowd.strength).all;
        // As far as it is uncertain that the newcomer is one of them, nothing is surprising.
        let certain = probability(joined);
        let joined = (joined - ((certain + self.doubt(crowd)) / certain).log10()).max(0.0);
        let raw = (joined + cfg.rate_shift).max(0.0);
        let score = self.refractory.step(cfg, raw, buckets);
        let prediction = self.interval(cfg, e);
        Outcome {
            score,
            raw_score: raw,
            probability: probability(joined),
            single_bucket: joined,
            is_high: sample.value > prediction.typical,
            anomaly_length: 1,
            high_variance_penalty: (sd / (sd + prediction.typical.abs()).max(1e-300)).clamp(0.0, 1.0),
            ..Outcome::quiet(prediction)
        }
    }

    /// Surprise of a standardised residual: the tail that series without a history have, and the siblings' in place of
    /// one.
    fn bits(&self, cfg: &ModelConfig, crowd: &Crowd, view: usize, z: f64) -> f64 {
        let size = z.abs();
        let worth = (TRUST * f64::from(self.seen)).min(crowd.seen);
        let prior = cfg.tuning.prior;
        let tail = crowd.tail(view, z < 0.0, log_position(size));
        let of_siblings = (prior * prior_tail(size) + worth * tail) / (prior + worth);
        -fast_ln(of_siblings.clamp(1e-300, 1.0)) * std::f64::consts::LOG10_E
    }
}

/// What one of several correlated neighbours says of their mean, in independent samples.
fn weight_of_one(crowd: &Crowd) -> f64 {
    (1.0 - crowd.correlation) / (1.0 + crowd.correlation)
}

/// As surprising for a normal law as `z` is for Student's with so many degrees of freedom, about.
fn normal_size(z: f64, freedom: f64) -> f64 {
    let (z, freedom) = (z.clamp(-1e9, 1e9), freedom.max(1.0));
    (freedom * fast_ln(1.0 + z * z / freedom)).sqrt().copysign(z)
}

/// Logarithm of Student's density, without what depends on the degrees of freedom alone.
fn log_density(residual: f64, variance: f64, freedom: f64) -> f64 {
    let freedom = freedom.max(1.0);
    let square = (residual * residual / variance).min(1e12);
    -0.5 * fast_ln(variance) - 0.5 * (freedom + 1.0) * fast_ln(1.0 + square / freedom)
}
