//! Histograms of `|z|` on a logarithmic grid, all views of one series in one allocation.
//!
//! A view has two halves, one for each sign of `z`. Counts are 16 bits wide; only the bins up to the largest one used
//! are stored, for all halves alike, so a well-behaved series keeps some 32 bins for each half.

use super::{fast_ln, prefetch};
use serde::{Deserialize, Serialize};

/// Number of bins of a half: `ln |z|` from −2 to 10.8.
pub const BINS: usize = 64;

/// `ln |z|` at the lower edge of bin 0; smaller values fall into bin 0.
const LOWEST_LN: f64 = -2.0;

/// Width of a bin in `ln |z|`.
pub const BIN_WIDTH: f64 = 0.2;

/// Parts into which a bin is divided when a tail is read.
const PARTS: usize = 8;

/// Bins are added in steps of this many.
const GROWTH: usize = 8;

/// Total weight of a view at which its counts are halved: the memory is about 20,000 buckets.
const FULL: u32 = 40_000;

/// Where `|z|` lies on the grid, in bins; from 0 to just below [`BINS`].
#[must_use]
pub fn log_position(z_abs: f64) -> f64 {
    const TOP: f64 = BINS as f64 - 0.001;
    ((fast_ln(z_abs.max(1e-9)) - LOWEST_LN) * (1.0 / BIN_WIDTH)).clamp(0.0, TOP)
}

/// Weights for reading a tail: one for all that lies above `z`, `(z_i / z)^κ` for what lies below, so that a larger
/// record scores more. Shared by all series.
#[derive(Clone, Debug)]
pub struct TailTable {
    /// `PARTS` rows of `2·BINS` weights; in a row, entry `BINS − b + i` weighs bin `i` when `z` lies in bin `b`.
    weights: Vec<f32>,
}

impl TailTable {
    const ROW: usize = 2 * BINS + GROWTH;

    /// Table for the tail exponent `kappa` (> 0).
    #[must_use]
    pub fn new(kappa: f64) -> Self {
        let mut weights = Vec::with_capacity(PARTS * Self::ROW);
        for part in 0..PARTS {
            let f = (part as f64 + 0.5) / PARTS as f64;
            let fall = |bins: f64| (-kappa * BIN_WIDTH * bins).exp();
            for k in 0..Self::ROW {
                let offset = k as f64 - BINS as f64;
                let w = match k.cmp(&BINS) {
                    std::cmp::Ordering::Less => fall(f - 0.5 - offset),
                    // Continuous at both edges of the bin: all of it counts at the lower one, `fall(½)` at the upper.
                    std::cmp::Ordering::Equal => (1.0 - f) + f * fall(0.5 * f),
                    std::cmp::Ordering::Greater => 1.0,
                };
                weights.push(w as f32);
            }
        }
        Self { weights }
    }

    fn row(&self, position: f64) -> &[f32] {
        let bin = position as usize;
        let part = ((position - bin as f64) * PARTS as f64) as usize;
        let start = part * Self::ROW + BINS - bin;
        &self.weights[start..start + BINS]
    }
}

/// `Σ (own + share · opposite) · weight`, summed in lanes.
#[inline]
fn weighted_sum(own: &[u16], opposite: &[u16], share: f32, weights: &[f32]) -> f32 {
    let mut lanes = [0.0f32; GROWTH];
    for ((o, p), w) in
        own.chunks_exact(GROWTH).zip(opposite.chunks_exact(GROWTH)).zip(weights.chunks_exact(GROWTH))
    {
        for lane in 0..GROWTH {
            lanes[lane] += (f32::from(o[lane]) + share * f32::from(p[lane])) * w[lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

/// The histograms of all views of one series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histograms {
    counts: Vec<u16>,
    bins: u8,
    weight: Vec<u32>,
}

impl Histograms {
    /// Empty histograms of `views` views; allocates no counts yet.
    #[must_use]
    pub fn new(views: usize) -> Self {
        Self { counts: Vec::new(), bins: 0, weight: vec![0; views] }
    }

    /// Total weight of a view's two halves.
    #[must_use]
    pub fn weight(&self, view: usize) -> f64 {
        f64::from(self.weight[view])
    }

    /// Weight of the view's own past at or beyond `position` on the side `negative`, where the other side counts with
    /// the share `other` (0 to 1). At most [`Self::weight`].
    #[must_use]
    pub fn tail(&self, table: &TailTable, view: usize, negative: bool, position: f64, other: f64) -> f64 {
        let bins = usize::from(self.bins);
        if bins == 0 {
            return 0.0;
        }
        let pair = &self.counts[2 * view * bins..2 * (view + 1) * bins];
        let (up, down) = pair.split_at(bins);
        let (own, opposite) = if negative { (down, up) } else { (up, down) };
        let weights = &table.row(position)[..bins];
        2.0 / (1.0 + other) * f64::from(weighted_sum(own, opposite, other as f32, weights))
    }

    /// Adds one residual.
    pub fn add(&mut self, view: usize, negative: bool, position: f64) {
        let bin = position as usize;
        if bin >= usize::from(self.bins) {
            self.grow(bin);
        }
        let bins = usize::from(self.bins);
        let count = &mut self.counts[(2 * view + usize::from(negative)) * bins + bin];
        *count = count.saturating_add(1);
        self.weight[view] += 1;
        if self.weight[view] >= FULL {
            self.halve(view);
        }
    }

    /// Smallest `|z|` (a bin's edge) that is exceeded on the given side by at most the share `share` of all values.
    #[must_use]
    pub fn quantile(&self, view: usize, negative: bool, share: f64) -> f64 {
        let bins = usize::from(self.bins);
        let half = &self.counts[(2 * view + usize::from(negative)) * bins..][..bins];
        let allowed = share * self.weight(view);
        let mut above = 0.0;
        for (bin, count) in half.iter().enumerate().rev() {
            let here = f64::from(*count);
            if above + here > allowed {
                let inside = (allowed - above) / here;
                return ((bin as f64 + 1.0 - inside) * BIN_WIDTH + LOWEST_LN).exp();
            }
            above += here;
        }
        0.0
    }

    /// Weight of both sides in bins below `position`.
    #[must_use]
    pub fn below(&self, view: usize, position: f64) -> f64 {
        let bins = usize::from(self.bins);
        let end = (position as usize).min(bins);
        let half = |h: usize| self.counts[h * bins..][..end].iter().map(|c| f64::from(*c)).sum::<f64>();
        half(2 * view) + half(2 * view + 1)
    }

    /// Bytes on the heap of histograms with so many bins in each half.
    #[must_use]
    pub fn bytes_with(views: usize, bins: usize) -> usize {
        views * (2 * bins * size_of::<u16>() + size_of::<u32>())
    }

    /// The history of one view alone.
    #[must_use]
    pub fn of_view(&self, view: usize) -> Self {
        let bins = usize::from(self.bins);
        let counts = self.counts[2 * view * bins..2 * (view + 1) * bins].to_vec();
        Self { counts, bins: self.bins, weight: vec![self.weight[view]] }
    }

    /// Counts of a view: those of positive and of negative residuals.
    #[must_use]
    pub fn halves(&self, view: usize) -> [&[u16]; 2] {
        let bins = usize::from(self.bins);
        [2 * view, 2 * view + 1].map(|half| &self.counts[half * bins..][..bins])
    }

    /// Asks for the counts, which are read soon.
    pub(crate) fn prefetch(&self) {
        prefetch(&self.counts);
        prefetch(&self.weight);
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.counts.len() * size_of::<u16>() + self.weight.len() * size_of::<u32>()
    }

    fn grow(&mut self, bin: usize) {
        let old = usize::from(self.bins);
        let new = (bin + 1).next_multiple_of(GROWTH).min(BINS.next_multiple_of(GROWTH));
        let mut counts = vec![0u16; 2 * self.weight.len() * new];
        if old > 0 {
            for (to, from) in counts.chunks_exact_mut(new).zip(self.counts.chunks_exact(old)) {
                to[..old].copy_from_slice(from);
            }
        }
        self.counts = counts;
        self.bins = new as u8;
    }

    /// Halves a view's counts, rounding up: the largest values ever seen are not forgotten.
    fn halve(&mut self, view: usize) {
        let bins = usize::from(self.bins);
        let mut sum = 0;
        for count in &mut self.counts[2 * view * bins..2 * (view + 1) * bins] {
            *count = count.div_ceil(2);
            sum += u32::from(*count);
        }
        self.weight[view] = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Histograms {
        let mut h = Histograms::new(2);
        for i in 0..1000 {
            h.add(1, i % 2 == 0, log_position(f64::from(i) / 250.0));
        }
        h
    }

    #[test]
    fn tail_is_all_at_zero_and_falls_beyond_the_record() {
        let (h, t) = (filled(), TailTable::new(5.0));
        assert!((h.tail(&t, 1, false, 0.0, 1.0) / 1000.0 - 1.0).abs() < 0.01);
        let half = h.tail(&t, 1, true, log_position(2.0), 1.0);
        assert!((450.0..620.0).contains(&half), "{half}");
        let (far, farther) =
            (h.tail(&t, 1, false, log_position(20.0), 1.0), h.tail(&t, 1, false, log_position(40.0), 1.0));
        assert!(far > 0.0 && (far / farther - 32.0).abs() < 4.0, "{far} {farther}");
        assert_eq!(h.tail(&t, 0, false, 3.0, 1.0), 0.0);
    }

    #[test]
    fn tail_never_rises_with_z() {
        let (h, t) = (filled(), TailTable::new(5.0));
        let mut last = f64::INFINITY;
        for i in 0..2000 {
            let tail = h.tail(&t, 1, false, log_position(0.001 * 1.01f64.powi(i)), 0.5);
            assert!(tail <= last * 1.0001);
            last = tail;
        }
    }

    #[test]
    fn halving_keeps_the_record() {
        let mut h = Histograms::new(1);
        h.add(0, false, log_position(1e4));
        for _ in 0..100_000 {
            h.add(0, false, log_position(1.0));
        }
        assert!(h.weight(0) < f64::from(FULL));
        let t = TailTable::new(5.0);
        assert!(h.tail(&t, 0, false, log_position(9e3), 0.0) >= 1.0);
    }

    #[test]
    fn quantile_matches_the_counts() {
        let q = filled().quantile(1, false, 0.05);
        assert!((3.3..3.9).contains(&q), "{q}");
    }
}
