//! What a newcomer may take over from its siblings: the shape of their period, the scale and amplitude that belong to a
//! level, and the tails of their residuals. Made of a sample of grown series; only what they agree on is kept.

use super::body::Portrait;
use super::config::ModelConfig;
use super::relation::{Relation, median, quantile};
use crate::stats::{BIN_WIDTH, BINS, log_position};
use serde::{Deserialize, Serialize};

/// Series that must be grown before anything can be said of their kind.
pub(crate) const FEWEST: usize = 8;

/// Time that a series must have seen to be called grown, seconds.
pub(crate) const GROWN_S: i64 = 2 * 86_400;

/// Portraits that are looked at.
pub(super) const MOST: usize = 32;

/// Share of the siblings that must have the period for it to be the crowd's.
const MAJORITY: f64 = 2.0 / 3.0;

/// Share of siblings that may have one although the crowd has none.
const FEW: f64 = 0.25;

/// The siblings' patterns agree if the crowd's shape leaves no more than this share of their variance.
const DISAGREEMENT: f64 = 0.2;

/// A sibling's history counts for so many buckets at most, so that none speaks for all.
const HISTORY: f64 = 2000.0;

/// Residuals reach this far at least, scales: less says that little was seen.
const LEAST_REACH: f64 = 3.0;

/// Bins of the shape at most.
pub(super) const SHAPE_BINS: usize = 336;

/// The prior that siblings are to a newcomer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crowd {
    /// Their period, seconds; 0 when they have none.
    pub(super) period_s: i64,
    /// Pattern over the period, with mean zero and mean square one; empty without a period.
    shape: Vec<f32>,
    /// Share of the variance of a sibling's pattern that the shape does not explain.
    pub(super) misfit: f64,
    /// Strength of their season, 0..1.
    pub(super) strength: f64,
    /// Odds that one more is like them (natural logarithm), by the rule of succession.
    pub(super) odds: f64,
    /// Scale of residuals by level.
    pub(super) scale: Relation,
    /// Amplitude of the pattern by level.
    pub(super) amplitude: Option<Relation>,
    /// Correlation of neighbouring residuals, 0 to 0.95.
    pub(super) correlation: f64,
    /// Buckets that the tails rest on.
    pub(super) seen: f64,
    /// Natural logarithms of the shares beyond each bin's edge: of spike and context, for each sign.
    tails: [[Vec<f32>; 2]; 2],
    /// How far the siblings' slow residuals reach on each side, scales.
    reach: [f64; 2],
}

impl Crowd {
    /// What the siblings have in common; `None` when there are fewer than eight, or when they differ.
    pub(super) fn of(cfg: &ModelConfig, portraits: &[Portrait]) -> Option<Self> {
        if portraits.len() < FEWEST {
            return None;
        }
        let count = portraits.len() as f64;
        let with = |period_s: i64| portraits.iter().filter(move |p| p.period_s == period_s);
        let share = |period_s: i64| with(period_s).count() as f64 / count;
        let seasonal = portraits.iter().map(|p| p.period_s).find(|s| *s != 0 && share(*s) >= MAJORITY);
        let period_s = seasonal.unwrap_or(0);
        if period_s == 0 && share(0) < 1.0 - FEW {
            return None;
        }
        let alike: Vec<&Portrait> = with(period_s).collect();
        let (shape, misfit) = if period_s == 0 { (Vec::new(), 0.0) } else { common_shape(&alike)? };
        if misfit > DISAGREEMENT {
            return None;
        }
        let amplitude =
            if period_s == 0 { None } else { Some(Relation::of(&pairs(&alike, |p| p.amplitude))?) };
        let mut crowd = Self {
            period_s,
            shape,
            misfit,
            strength: median(alike.iter().map(|p| p.strength).collect()),
            odds: ((alike.len() as f64 + 1.0) / (count - alike.len() as f64 + 1.0)).ln(),
            scale: Relation::of(&pairs(&alike, |p| p.scale))?,
            amplitude,
            correlation: correlation(&alike),
            seen: 0.0,
            tails: Default::default(),
            reach: [0.0; 2],
        };
        crowd.take_tails(cfg, &alike);
        Some(crowd)
    }

    /// The shape at a time.
    pub(super) fn shape_at(&self, time_s: i64) -> f64 {
        let bins = self.shape.len();
        if bins == 0 {
            return 0.0;
        }
        let place = time_s.rem_euclid(self.period_s) as f64 / self.period_s as f64 * bins as f64;
        let bin = (place as usize).min(bins - 1);
        let part = place - bin as f64;
        let next = if bin + 1 == bins { 0 } else { bin + 1 };
        f64::from(self.shape[bin]) * (1.0 - part) + f64::from(self.shape[next]) * part
    }

    /// Share of the siblings' residuals beyond `position` on a side; of the spike (0) or context (1) view.
    pub(super) fn tail(&self, view: usize, negative: bool, position: f64) -> f64 {
        let edges = &self.tails[view][usize::from(negative)];
        let bin = (position as usize).min(BINS - 1);
        let part = (position - bin as f64).clamp(0.0, 1.0);
        (f64::from(edges[bin]) * (1.0 - part) + f64::from(edges[bin + 1]) * part).exp()
    }

    /// How far `z` lies beyond the siblings' residuals, as a share of their range.
    pub(super) fn excess(&self, z: f64) -> f64 {
        let beyond = (z.abs() - self.reach[usize::from(z < 0.0)]).max(0.0);
        beyond / (self.reach[0] + self.reach[1]).max(1.0)
    }

    fn take_tails(&mut self, cfg: &ModelConfig, alike: &[&Portrait]) {
        for view in 0..2 {
            let mut sums = [[0.0; BINS]; 2];
            let mut seen = 0.0;
            for portrait in alike {
                let history = &portrait.histories[view];
                let weight = history.weight(0).max(1.0);
                let share = weight.min(HISTORY) / weight;
                seen += weight * share;
                for ((sum, half), reach) in sums.iter_mut().zip(history.halves(0)).zip(portrait.reach) {
                    // What lies beyond the residuals of the season is from before it was known.
                    let most = log_position(reach.max(LEAST_REACH));
                    for (bin, count) in half.iter().enumerate() {
                        let place = (bin as f64 + portrait.shift[view]).round().clamp(0.0, most);
                        sum[place as usize] += share * f64::from(*count);
                    }
                }
            }
            self.seen = seen;
            let other = cfg.tuning.other_side;
            for negative in 0..2 {
                let own = &sums[negative];
                let opposite = &sums[1 - negative];
                let mass: Vec<f64> =
                    own.iter().zip(opposite).map(|(a, b)| (a + other * b) * 2.0 / (1.0 + other)).collect();
                self.tails[view][negative] = edges(cfg, &mass, seen);
                self.reach[negative] =
                    median(alike.iter().map(|p| p.reach[negative]).collect()).max(LEAST_REACH);
            }
        }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let tails: usize = self.tails.iter().flatten().map(Vec::len).sum();
        (self.shape.len() + tails) * size_of::<f32>()
    }

    /// Whether its parts fit together: of a restored state.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.tails.iter().flatten().all(|edges| edges.len() == BINS + 1)
            && (self.period_s > 0) != self.shape.is_empty()
            && self.amplitude.is_some() == (self.period_s > 0)
    }
}

/// Logarithms of the shares beyond each edge, with a power law beyond the record as in [`crate::stats::TailTable`].
fn edges(cfg: &ModelConfig, mass: &[f64], seen: f64) -> Vec<f32> {
    let fall = (-cfg.tuning.kappa * BIN_WIDTH).exp();
    let mut above: f64 = mass.iter().sum();
    let mut below = 0.0;
    let mut out = Vec::with_capacity(BINS + 1);
    for edge in 0..=BINS {
        if edge > 0 {
            above -= mass[edge - 1];
            below = below * fall + mass[edge - 1] * fall.sqrt();
        }
        let share = ((above.max(0.0) + below) / seen.max(1.0)).clamp(1e-30, 1.0);
        out.push(share.ln() as f32);
    }
    out
}

fn pairs(portraits: &[&Portrait], value: impl Fn(&Portrait) -> f64) -> Vec<(f64, f64)> {
    portraits.iter().map(|p| (p.level, value(p))).collect()
}

/// The median of the standardised patterns, and the share of a sibling's variance that it leaves (upper quartile).
fn common_shape(alike: &[&Portrait]) -> Option<(Vec<f32>, f64)> {
    let bins = alike.first()?.pattern.len();
    if bins == 0 || alike.iter().any(|p| p.pattern.len() != bins || p.amplitude <= 0.0) {
        return None;
    }
    let mut shape: Vec<f64> = (0..bins)
        .map(|bin| median(alike.iter().map(|p| f64::from(p.pattern[bin]) / p.amplitude).collect()))
        .collect();
    let mean = shape.iter().sum::<f64>() / bins as f64;
    shape.iter_mut().for_each(|v| *v -= mean);
    let size = (shape.iter().map(|v| v * v).sum::<f64>() / bins as f64).sqrt();
    if size < 0.1 {
        return None;
    }
    shape.iter_mut().for_each(|v| *v /= size);
    let left = |p: &&Portrait| {
        let product: f64 = p.pattern.iter().zip(&shape).map(|(a, b)| f64::from(*a) * b).sum();
        let correlation = (product / (bins as f64 * p.amplitude)).clamp(0.0, 1.0);
        1.0 - correlation * correlation
    };
    let misfit = quantile(alike.iter().map(left).collect(), 0.75);
    Some((shape.into_iter().map(|v| v as f32).collect(), misfit))
}

/// Correlation of neighbouring residuals over all siblings.
fn correlation(portraits: &[&Portrait]) -> f64 {
    let (product, square) =
        portraits.iter().fold((0.0, 0.0), |sums, p| (sums.0 + p.neighbours, sums.1 + p.squares));
    if square > 0.0 { (product / square).clamp(0.0, 0.95) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::{ModelConfig, Sample, SeriesModel, Side, ValueKind};

    const SPAN_S: i64 = 1800;

    fn cfg() -> ModelConfig {
        ModelConfig::new(SPAN_S as f64, ValueKind::Metric, Side::Both)
    }

    /// A series of eight days; `delay` in buckets.
    fn series(cfg: &ModelConfig, at: i64, amplitude: f64, delay: i64) -> SeriesModel {
        let mut model = SeriesModel::new(cfg);
        for bucket in 0..8 * 48_i64 {
            let noise = ((bucket * 7919 + at * 104_729) % 97) as f64 / 28.0 - 1.7;
            let phase = (bucket + delay) as f64 / 48.0 * std::f64::consts::TAU;
            let value = 100.0 + 10.0 * at as f64 + amplitude * phase.sin() + noise;
            model.step(cfg, &Sample::new(bucket * SPAN_S, value));
        }
        model
    }

    #[test]
    fn what_siblings_agree_on_is_taken_over() {
        let cfg = cfg();
        let alike: Vec<SeriesModel> = (0..9).map(|at| series(&cfg, at, 10.0 + at as f64, 0)).collect();
        let now_s = 8 * 86_400;
        let crowd = SeriesModel::crowd_of(&cfg, alike.iter(), now_s).unwrap();
        assert_eq!(crowd.period_s, 86_400);
        assert!(crowd.misfit < 0.02 && crowd.strength > 0.9, "{} {}", crowd.misfit, crowd.strength);
        let (six, eighteen) = (crowd.shape_at(now_s + 6 * 3600), crowd.shape_at(now_s + 18 * 3600));
        assert!((six - 1.41).abs() < 0.1 && (eighteen + 1.41).abs() < 0.1, "{six} {eighteen}");
        let (scale, _) = crowd.scale.at(140.0);
        assert!((0.8..1.6).contains(&scale), "{scale}");
        assert!(crowd.tail(1, false, 0.0) > 0.9 && crowd.tail(1, true, 60.0) < 1e-6);
        assert!(crowd.is_sound() && crowd.memory_bytes() < 3000);
        // Too few, and too young.
        assert!(SeriesModel::crowd_of(&cfg, alike[..7].iter(), now_s).is_none());
        assert!(SeriesModel::crowd_of(&cfg, alike.iter(), now_s + 3 * 86_400).is_none());
    }

    #[test]
    fn siblings_that_differ_have_nothing_in_common() {
        let cfg = cfg();
        let others: Vec<SeriesModel> = (0..12).map(|at| series(&cfg, at, 15.0, at * 13)).collect();
        assert!(SeriesModel::crowd_of(&cfg, others.iter(), 8 * 86_400).is_none());
        // Half of them without a pattern.
        let half: Vec<SeriesModel> =
            (0..12).map(|at| series(&cfg, at, if at % 2 == 0 { 15.0 } else { 0.0 }, 0)).collect();
        assert!(SeriesModel::crowd_of(&cfg, half.iter(), 8 * 86_400).is_none());
        let flat: Vec<SeriesModel> = (0..12).map(|at| series(&cfg, at, 0.0, 0)).collect();
        let crowd = SeriesModel::crowd_of(&cfg, flat.iter(), 8 * 86_400).unwrap();
        assert!(crowd.period_s == 0 && crowd.shape_at(5) == 0.0 && crowd.is_sound());
    }
}
