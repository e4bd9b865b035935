//! How much of an anomaly goes away with the records that carry one value.

use types::BaseFunction;

use crate::function::Moments;

/// The part of an entity's records that carries the value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) records: f64,
    pub(crate) weight: f64,
    pub(crate) sum: f64,
    /// Sum of the values by weight.
    pub(crate) mass: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// From this influence on a value is named as an influencer.
pub(crate) const INFLUENCE_MIN: f64 = 0.5;

/// Influence of a value, 0 (none) to 1 (without it there is no anomaly). Where the statistic can be taken apart (count,
/// sum, mean), the part is removed and what is left of the deviation is looked at; else the share of records counts.
pub(crate) fn influence(base: BaseFunction, whole: &Moments, part: Share, actual: f64, typical: f64) -> f64 {
    let deviation = actual - typical;
    let left = |rest: f64| {
        if deviation == 0.0 { 0.0 } else { 1.0 - ((rest - typical) / deviation).clamp(0.0, 1.0) }
    };
    let share = part.records / whole.records.max(f64::MIN_POSITIVE);
    match base {
        BaseFunction::Count | BaseFunction::NonZeroCount => left(actual - part.records),
        BaseFunction::Sum | BaseFunction::NonNullSum => left(actual - part.sum),
        BaseFunction::Mean if part.weight > 0.0 => {
            let rest = whole.weight - part.weight;
            if rest <= 1e-9 * whole.weight {
                1.0
            } else {
                left((whole.mean * whole.weight - part.mass) / rest)
            }
        }
        BaseFunction::Min => f64::from(u8::from(part.min <= whole.min)),
        BaseFunction::Max => f64::from(u8::from(part.max >= whole.max)),
        BaseFunction::Metric if share < 1.0 => {
            let has_extreme =
                (deviation > 0.0 && part.max >= whole.max) || (deviation < 0.0 && part.min <= whole.min);
            share.max(f64::from(u8::from(has_extreme)) * 0.5)
        }
        _ => share.min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_makes_the_excess_influences_it() {
        let mut whole = Moments::default();
        (0..100).for_each(|_| whole.add(1.0, 1.0));
        (0..10).for_each(|_| whole.add(50.0, 1.0));
        let part = |records: f64, value: f64| Share {
            records,
            weight: records,
            sum: records * value,
            mass: records * value,
            min: value,
            max: value,
        };
        let of_sum = |part| influence(BaseFunction::Sum, &whole, part, 600.0, 100.0);
        assert!(of_sum(part(10.0, 50.0)) > 0.99 && of_sum(part(100.0, 1.0)) < 0.3);
        let of_mean = |part| influence(BaseFunction::Mean, &whole, part, whole.mean, 1.0);
        assert!(of_mean(part(10.0, 50.0)) > 0.99 && of_mean(part(100.0, 1.0)) < 0.01);
        assert_eq!(influence(BaseFunction::Max, &whole, part(100.0, 1.0), 50.0, 1.0), 0.0);
    }
}
