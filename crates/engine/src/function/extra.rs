//! What some functions keep beside the moments.

use serde::{Deserialize, Serialize};
use types::BaseFunction;

use super::distinct::{Distinct, stable_hash};

/// Values of a median kept at most; beyond it every second one is left out, then every fourth, ….
const VALUES_MAX: usize = 4096;
/// Text of `info_content` kept at most; the rest counts in proportion.
const TEXT_MAX: usize = 64 << 10;

/// The state of a function that needs more than moments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Extra {
    /// The function needs nothing more.
    Nothing,
    /// For the median: a systematic sample of the values.
    Values {
        values: Vec<f64>,
        /// Values between two that are kept.
        stride: u64,
        seen: u64,
    },
    /// For `distinct_count`.
    Distinct(Distinct),
    /// For `info_content`: the different texts, one after the other.
    Text { seen: Distinct, text: String, bytes: u64 },
    /// For `lat_long`: the sum of the positions as unit vectors.
    Point([f64; 3]),
}

impl Extra {
    pub(crate) fn new(base: BaseFunction) -> Self {
        match base {
            BaseFunction::Median => Self::Values { values: Vec::new(), stride: 1, seen: 0 },
            BaseFunction::DistinctCount => Self::Distinct(Distinct::default()),
            BaseFunction::InfoContent => {
                Self::Text { seen: Distinct::default(), text: String::new(), bytes: 0 }
            }
            BaseFunction::LatLong => Self::Point([0.0; 3]),
            _ => Self::Nothing,
        }
    }

    /// Does the function need one?
    pub(crate) fn is_needed(base: BaseFunction) -> bool {
        !matches!(Self::new(base), Self::Nothing)
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Values { values, stride, seen } => {
                values.clear();
                (*stride, *seen) = (1, 0);
            }
            Self::Distinct(distinct) => distinct.clear(),
            Self::Text { seen, text, bytes } => {
                seen.clear();
                text.clear();
                *bytes = 0;
            }
            Self::Point(sum) => *sum = [0.0; 3],
        }
    }

    pub(crate) fn add_number(&mut self, number: f64) {
        if let Self::Values { values, stride, seen } = self {
            if seen.is_multiple_of(*stride) {
                values.push(number);
            }
            *seen += 1;
            if values.len() >= VALUES_MAX {
                let mut at = 0;
                values.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                *stride *= 2;
            }
        }
    }

    pub(crate) fn add_text(&mut self, value: &str) {
        match self {
            Self::Distinct(distinct) => {
                distinct.add(stable_hash(value));
            }
            Self::Text { seen, text, bytes } => {
                if !seen.add(stable_hash(value)) {
                    return;
                }
                *bytes += value.len() as u64;
                if text.len() + value.len() <= TEXT_MAX {
                    text.push_str(value);
                    text.push('\n');
                }
            }
            _ => {}
        }
    }

    pub(crate) fn add_point(&mut self, latitude: f64, longitude: f64) {
        if let Self::Point(sum) = self {
            let (lat, lon) = (latitude.to_radians(), longitude.to_radians());
            let at = [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()];
            sum.iter_mut().zip(at).for_each(|(sum, at)| *sum += at);
        }
    }

    /// Median of the sample.
    pub(crate) fn median(&self) -> Option<f64> {
        let Self::Values { values, .. } = self else { return None };
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => None,
            n if n % 2 == 1 => Some(sorted[middle]),
            _ => Some(0.5 * sorted[middle - 1] + 0.5 * sorted[middle]),
        }
    }

    /// The number of different texts.
    pub(crate) fn distinct(&self) -> Option<f64> {
        match self {
            Self::Distinct(distinct) => Some(distinct.count()),
            _ => None,
        }
    }

    /// Compressed length of the different texts, in bytes.
    pub(crate) fn information(&self) -> Option<f64> {
        let Self::Text { text, bytes, .. } = self else { return None };
        if text.is_empty() {
            return Some(0.0);
        }
        let packed = zstd::bulk::compress(text.as_bytes(), 1).map_or(text.len(), |packed| packed.len());
        // Parts that were not kept are taken to be as dense as the rest.
        Some((packed as f64 * (*bytes as f64 / text.len() as f64).max(1.0)).round())
    }

    /// Mean position as a unit vector.
    pub(crate) fn position(&self) -> Option<[f64; 3]> {
        let Self::Point(sum) = self else { return None };
        let length = sum.iter().map(|v| v * v).sum::<f64>().sqrt();
        (length > 1e-9).then(|| sum.map(|v| v / length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_many_values_are_near() {
        let mut extra = Extra::new(BaseFunction::Median);
        for i in 0..50_000u32 {
            extra.add_number(f64::from(i * 7919 % 50_000));
        }
        let median = extra.median().unwrap();
        assert!((median - 25_000.0).abs() < 1000.0, "{median}");
    }

    #[test]
    fn variety_has_more_information_than_repetition() {
        let mut repeated = Extra::new(BaseFunction::InfoContent);
        let mut varied = Extra::new(BaseFunction::InfoContent);
        for i in 0..100u64 {
            repeated.add_text("www.example.com");
            varied.add_text(&format!("{:x}.example.com", stable_hash(&i.to_string())));
        }
        assert!(varied.information().unwrap() > 10.0 * repeated.information().unwrap());
    }
}
