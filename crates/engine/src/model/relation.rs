//! How a positive quantity of series of one kind depends on their level: not at all, or by a power law.

use crate::stats::fast_ln;
use serde::{Deserialize, Serialize};

/// The power law is taken when it leaves less than this share of the spread.
const PAYS: f64 = 0.7;

/// Least standard deviation of the logarithm: no two series are quite alike.
const LEAST_SPREAD: f64 = 0.1;

/// Levels within this distance (of the logarithm) of those seen are as good as seen.
const BEYOND: f64 = 0.7;

/// Standard deviation of a normal law over its median absolute deviation.
const MAD_TO_SD: f64 = 1.4826;

/// `ln y = at + slope (ln |level| − centre)`, with the spread around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Relation {
    at: f64,
    slope: f64,
    centre: f64,
    variance: f64,
    slope_variance: f64,
    /// Logarithms of the levels that were seen.
    lowest: f64,
    highest: f64,
}

impl Relation {
    /// Robust fit to pairs of level and value: medians, and the slope of Theil (1950) and Sen (1968). `None` when a value is
    /// not positive, or of no pairs.
    pub(super) fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        if pairs.is_empty()
            || pairs.iter().any(|(level, y)| !(level.is_finite() && *y > 0.0 && y.is_finite()))
        {
            return None;
        }
        let points: Vec<(f64, f64)> =
            pairs.iter().map(|(level, y)| (fast_ln(level.abs().max(1e-250)), fast_ln(*y))).collect();
        let at = median(points.iter().map(|p| p.1).collect());
        let spread = spread(points.iter().map(|p| p.1 - at).collect());
        let xs = || points.iter().map(|p| p.0);
        let centre = median(xs().collect());
        let (lowest, highest) = (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max));
        let constant =
            Self { at, slope: 0.0, centre, variance: spread * spread, slope_variance: 0.0, lowest, highest };
        let is_one_sided = pairs.iter().all(|p| p.0 > 0.0) || pairs.iter().all(|p| p.0 < 0.0);
        Some(if is_one_sided { constant.or_power_law(&points) } else { constant.for_all_levels() })
    }

    fn or_power_law(self, points: &[(f64, f64)]) -> Self {
        let mut slopes = Vec::new();
        for (i, a) in points.iter().enumerate() {
            let others = points[..i].iter().filter(|b| (a.0 - b.0).abs() > 1e-3);
            slopes.extend(others.map(|b| (a.1 - b.1) / (a.0 - b.0)));
        }
        let square: f64 = points.iter().map(|p| (p.0 - self.centre).powi(2)).sum();
        if slopes.len() < points.len() || square <= 0.0 {
            return self;
        }
        let slope = median(slopes).clamp(-2.0, 2.0);
        let left = |at: f64| points.iter().map(move |p| p.1 - at - slope * (p.0 - self.centre));
        let at = median(left(0.0).collect());
        let variance = spread(left(at).collect()).powi(2);
        if variance > PAYS * PAYS * self.variance {
            return self;
        }
        Self { at, slope, variance, slope_variance: variance / square, ..self }
    }

    /// Levels of both signs say nothing.
    fn for_all_levels(self) -> Self {
        Self { lowest: -1e3, highest: 1e3, ..self }
    }

    /// The value that belongs to a level, and the variance of its logarithm.
    pub(super) fn at(&self, level: f64) -> (f64, f64) {
        let x = fast_ln(level.abs().max(1e-250));
        let from_centre = x - self.centre;
        let beyond = (self.lowest - BEYOND - x).max(x - self.highest - BEYOND).max(0.0);
        let variance = self.variance + self.slope_variance * from_centre * from_centre + beyond * beyond;
        ((self.at + self.slope * from_centre).clamp(-150.0, 150.0).exp(), variance)
    }
}

fn spread(deviations: Vec<f64>) -> f64 {
    (MAD_TO_SD * median(deviations.into_iter().map(f64::abs).collect())).max(LEAST_SPREAD)
}

/// Median; 0 of nothing.
pub(super) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// Quantile by linear interpolation; 0 of nothing.
pub(super) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let below = place as usize;
    let above = (below + 1).min(last);
    values[below] + (place - below as f64) * (values[above] - values[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_depends_on_the_level_is_found_and_what_does_not_is_not() {
        let levels = || (1..=12).map(|i| 10.0 * f64::from(i));
        let root = Relation::of(&levels().map(|l| (l, 2.0 * l.sqrt())).collect::<Vec<_>>()).unwrap();
        let (value, variance) = root.at(49.0);
        assert!((value - 14.0).abs() < 0.2 && variance < 0.02, "{value} {variance}");
        let same = Relation::of(&levels().map(|l| (l, 3.0 + 0.01 * (l % 7.0))).collect::<Vec<_>>()).unwrap();
        assert!((same.at(49.0).0 - 3.0).abs() < 0.1 && same.slope == 0.0);
        // Far away nothing is known.
        assert!(same.at(1e4).1 > 4.0 && root.at(1e6).1 > 4.0);
    }

    #[test]
    fn outliers_and_signs_do_no_harm() {
        let mut pairs: Vec<(f64, f64)> = (1..=12).map(|i| (f64::from(i), f64::from(i))).collect();
        pairs.push((5.0, 1e9));
        pairs.push((6.0, 1e-9));
        let relation = Relation::of(&pairs).unwrap();
        assert!((relation.at(7.0).0 - 7.0).abs() < 0.3, "{relation:?}");
        let signed: Vec<(f64, f64)> = (-5..=5).map(|i| (f64::from(i), 2.0)).collect();
        let (value, variance) = Relation::of(&signed).unwrap().at(0.0);
        assert!((value - 2.0).abs() < 1e-6 && variance < 0.02);
        assert!(Relation::of(&[(1.0, 0.0)]).is_none());
    }
}
