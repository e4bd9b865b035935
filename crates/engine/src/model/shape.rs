//! Novelty of the recent shape: the distance of a vector of multi-scale features to the nearest prototype stored.
//!
//! Values are kept as fixed-point numbers, so that running sums are exact and never drift.

use super::config::ModelConfig;
use crate::stats::prefetch;
use serde::{Deserialize, Serialize};

/// Features: means over 1, 4, 16 and 64 values, standard deviation over 16 and 64, mean absolute step over 16.
const FEATURES: usize = 7;

/// A vector becomes a prototype this many buckets late; otherwise each would be near its predecessor.
const LAG: usize = 64;

const RING: usize = 128;

/// Prototypes compared at a time; room for them is made in this step.
const LANES: usize = 8;

/// Prototypes of a compact model.
pub(super) const COMPACT_PROTOTYPES: usize = LANES;

/// Most prototypes that a configuration can ask for.
pub(super) const PROTOTYPES_MAX: usize = 128;

/// Fixed-point unit.
const UNIT: f64 = 1.0 / 1024.0;

type Vector = [f32; FEATURES];

/// Running sums that end at one position of the ring.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    sum: [i32; 3],
    square: [i64; 2],
    steps: i32,
}

/// State of the shape view of one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Shape {
    ring: Vec<i16>,
    at: u8,
    count: u32,
    now: Sums,
    late: Sums,
    mean: Vector,
    spread: Vector,
    typical: f32,
    /// Prototypes, feature by feature: `capacity` values of the first feature, then of the second, ….
    prototypes: Vec<i16>,
    uses: Vec<f32>,
    capacity: u16,
    is_compact: bool,
}

impl Shape {
    pub(super) fn new() -> Self {
        Self {
            ring: Vec::new(),
            at: 0,
            count: 0,
            now: Sums::default(),
            late: Sums::default(),
            mean: [0.0; FEATURES],
            spread: [0.0; FEATURES],
            typical: 0.0,
            prototypes: Vec::new(),
            uses: Vec::new(),
            capacity: 0,
            is_compact: false,
        }
    }

    /// Takes the standardised, compressed value `y`; returns the distance of the shape that it completes.
    pub(super) fn step(&mut self, cfg: &ModelConfig, y: f64) -> f64 {
        let fixed = fixed((y.clamp(-30.0, 30.0) / UNIT) as f32);
        if self.ring.is_empty() {
            self.fill(fixed);
        }
        self.count = self.count.saturating_add(1);
        self.advance(fixed);
        let vector = features(&self.now, self.value(0));
        let gain = 1.0 / self.count.min(3000) as f32;
        let mut precision = [0.0; FEATURES];
        for k in 0..FEATURES {
            let e = vector[k] - self.mean[k];
            self.mean[k] += gain * e;
            self.spread[k] += gain * (e.abs() - self.spread[k]);
            precision[k] = 1.0 / self.spread[k].max(0.02);
        }
        let distance = match self.nearest(&vector, &precision) {
            Some((square, nearest)) => {
                self.uses[nearest] += 1.0;
                square.sqrt()
            }
            None => 0.0,
        };
        if self.count as usize > LAG {
            let late = features(&self.late, self.value(LAG));
            self.consider(cfg, late, &precision);
        }
        let gain = 1.0 / self.count.min(500) as f32;
        self.typical += gain * (distance.min(3.0 * self.typical + 1e-3) - self.typical);
        f64::from(distance)
    }

    /// Bytes on the heap with this number of prototypes.
    pub(super) fn bytes_with(prototypes: usize) -> usize {
        let each = FEATURES * size_of::<i16>() + size_of::<f32>();
        RING * size_of::<i16>() + prototypes.next_multiple_of(LANES) * each
    }

    /// Keeps at most [`COMPACT_PROTOTYPES`] from now on, those that were met most often, or as many as usual again.
    pub(super) fn set_compact(&mut self, is_compact: bool) {
        self.is_compact = is_compact;
        if !is_compact || self.uses.len() <= COMPACT_PROTOTYPES {
            return;
        }
        let mut kept: Vec<usize> = (0..self.uses.len()).collect();
        kept.sort_by(|a, b| self.uses[*b].total_cmp(&self.uses[*a]).then(a.cmp(b)));
        kept.truncate(COMPACT_PROTOTYPES);
        kept.sort_unstable();
        let old = usize::from(self.capacity);
        let column = |k: usize| kept.iter().map(move |at| k * old + at);
        self.prototypes = (0..FEATURES).flat_map(column).map(|at| self.prototypes[at]).collect();
        self.uses = kept.iter().map(|at| self.uses[*at]).collect();
        self.capacity = COMPACT_PROTOTYPES as u16;
    }

    /// Asks for what the next step reads.
    pub(super) fn prefetch(&self) {
        prefetch(&self.ring);
        prefetch(&self.prototypes);
        prefetch(&self.uses);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        (self.ring.len() + self.prototypes.len()) * size_of::<i16>()
            + usize::from(self.capacity) * size_of::<f32>()
    }

    fn fill(&mut self, fixed: i16) {
        self.ring = vec![fixed; RING];
        let v = i64::from(fixed);
        let sums = Sums {
            sum: [4 * i32::from(fixed), 16 * i32::from(fixed), 64 * i32::from(fixed)],
            square: [16 * v * v, 64 * v * v],
            steps: 0,
        };
        (self.now, self.late) = (sums, sums);
    }

    /// The value `back` positions before the newest.
    fn value(&self, back: usize) -> i16 {
        self.ring[(usize::from(self.at) + RING - back) % RING]
    }

    /// Moves both sums on by one value, before the oldest value of the ring is overwritten.
    fn advance(&mut self, fixed: i16) {
        let mut late = self.late;
        // The newest value of the late sums is now one position nearer: `LAG − 1` before the present newest.
        let back = LAG - 1;
        late.slide(
            self.value(back),
            self.value(back + 1),
            |n| self.value(back + n),
            |n| self.value(back + n + 1),
        );
        let mut now = self.now;
        now.slide(fixed, self.value(0), |n| self.value(n - 1), |n| self.value(n));
        (self.now, self.late) = (now, late);
        self.at = ((usize::from(self.at) + 1) % RING) as u8;
        self.ring[usize::from(self.at)] = fixed;
    }

    /// Squared distance to the nearest prototype, and which it is.
    fn nearest(&self, v: &Vector, precision: &Vector) -> Option<(f32, usize)> {
        if self.uses.is_empty() {
            return None;
        }
        let mut squares = [f32::INFINITY; PROTOTYPES_MAX];
        let mut least = [f32::INFINITY; LANES];
        for (block, squares) in self.blocks(v, precision).zip(squares.chunks_exact_mut(LANES)) {
            squares.copy_from_slice(&block);
            for (least, square) in least.iter_mut().zip(&block) {
                *least = if *square < *least { *square } else { *least };
            }
        }
        let best = least.iter().copied().fold(f32::INFINITY, f32::min);
        squares.iter().position(|s| *s == best).map(|at| (best, at.min(self.uses.len() - 1)))
    }

    /// Is the squared distance to any prototype at most `square`?
    fn has_near(&self, v: &Vector, precision: &Vector, square: f32) -> bool {
        self.blocks(v, precision).any(|block| block.iter().fold(false, |near, s| near | (*s <= square)))
    }

    /// Squared distances to the prototypes, in blocks.
    fn blocks(&self, v: &Vector, precision: &Vector) -> impl Iterator<Item = [f32; LANES]> {
        let capacity = usize::from(self.capacity);
        // In fixed-point units, so that prototypes are only converted, not scaled.
        let (v, precision) = (v.map(|v| v / UNIT as f32), precision.map(|p| p * UNIT as f32));
        (0..capacity).step_by(LANES).map(move |start| {
            let mut sums = [0.0f32; LANES];
            for k in 0..FEATURES {
                let column = &self.prototypes[k * capacity + start..][..LANES];
                for (sum, p) in sums.iter_mut().zip(column) {
                    let e = (v[k] - f32::from(*p)) * precision[k];
                    *sum += e * e;
                }
            }
            sums
        })
    }

    /// Stores a vector as a prototype if it is far from all others (leader clustering, Hartigan 1975, ch. 3).
    fn consider(&mut self, cfg: &ModelConfig, v: Vector, precision: &Vector) {
        let apart = 0.5 * self.typical.max(0.05);
        if self.has_near(&v, precision, apart * apart) {
            return;
        }
        let used = self.uses.len();
        let most = if self.is_compact { COMPACT_PROTOTYPES } else { PROTOTYPES_MAX };
        if used < usize::from(cfg.tuning.prototypes).min(most) {
            if used == usize::from(self.capacity) {
                self.reserve(used + LANES);
            }
            self.uses.push(1.0);
            self.store(used, &v);
            return;
        }
        let mut least = 1;
        for j in 2..used {
            if self.uses[j] < self.uses[least] {
                least = j;
            }
        }
        self.store(least.min(used - 1), &v);
        self.uses[least.min(used - 1)] = 1.0;
        for u in &mut self.uses {
            *u *= 0.98;
        }
    }

    fn store(&mut self, at: usize, v: &Vector) {
        let capacity = usize::from(self.capacity);
        // Room not yet used repeats the newest prototype, so that it is never nearer than a real one.
        let end = if at + 1 == self.uses.len() { capacity } else { at + 1 };
        for (k, value) in v.iter().enumerate() {
            self.prototypes[k * capacity + at..k * capacity + end].fill(fixed(value / UNIT as f32));
        }
    }

    fn reserve(&mut self, capacity: usize) {
        let old = usize::from(self.capacity);
        let mut prototypes = vec![0; FEATURES * capacity];
        if old > 0 {
            for (to, from) in prototypes.chunks_exact_mut(capacity).zip(self.prototypes.chunks_exact(old)) {
                to[..old].copy_from_slice(from);
            }
        }
        self.prototypes = prototypes;
        self.uses.reserve_exact(LANES);
        self.capacity = capacity as u16;
    }
}

impl Sums {
    /// Takes the value `new`, whose predecessor is `previous`. `leaving(n)` is the value that leaves a window of `n`
    /// values, `before(n)` its predecessor.
    fn slide(
        &mut self,
        new: i16,
        previous: i16,
        leaving: impl Fn(usize) -> i16,
        before: impl Fn(usize) -> i16,
    ) {
        let (x, x_long) = (i32::from(new), i64::from(new));
        let out = [4, 16, 64].map(&leaving);
        for (sum, out) in self.sum.iter_mut().zip(out) {
            *sum += x - i32::from(out);
        }
        for (square, out) in self.square.iter_mut().zip(&out[1..]) {
            *square += x_long * x_long - i64::from(*out) * i64::from(*out);
        }
        let oldest_step = i32::from(out[1]) - i32::from(before(16));
        self.steps += (x - i32::from(previous)).abs() - oldest_step.abs();
    }
}

/// The nearest whole number, without a call on processors that have no instruction for it.
fn fixed(units: f32) -> i16 {
    (units + 0.5f32.copysign(units)) as i16
}

fn features(s: &Sums, newest: i16) -> Vector {
    let unit = UNIT as f32;
    let [sum_4, sum_16, sum_64] = s.sum.map(|v| v as f32 * unit);
    let (mean_16, mean_64) = (sum_16 / 16.0, sum_64 / 64.0);
    let square = |v: i64| (v as f64 * UNIT * UNIT) as f32;
    [
        f32::from(newest) * unit,
        sum_4 / 4.0,
        mean_16,
        mean_64,
        (square(s.square[0]) / 16.0 - mean_16 * mean_16).max(0.0).sqrt(),
        (square(s.square[1]) / 64.0 - mean_64 * mean_64).max(0.0).sqrt(),
        s.steps as f32 * unit / 16.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    #[test]
    fn running_sums_equal_sums_from_scratch() {
        let cfg = ModelConfig::new(300.0, ValueKind::Metric, Side::Both);
        let mut shape = Shape::new();
        for i in 0..500 {
            shape.step(&cfg, (f64::from(i) * 0.7).sin() * f64::from(i % 7));
            for (sums, lag) in [(shape.now, 0), (shape.late, LAG)] {
                let window = |n: usize| (0..n).map(|j| i64::from(shape.value(lag + j)));
                // The step that enters the oldest late value lies outside the ring only for windows over 63.
                let steps: i32 = (0..16)
                    .map(|j| (i32::from(shape.value(lag + j)) - i32::from(shape.value(lag + j + 1))).abs())
                    .sum();
                let late_full = lag == 0 || i > 130;
                if late_full && lag + 64 <= RING {
                    assert_eq!(i64::from(sums.sum[1]), window(16).sum::<i64>());
                    assert_eq!(i64::from(sums.sum[2]), window(64).sum::<i64>());
                    assert_eq!(sums.square[0], window(16).map(|v| v * v).sum::<i64>());
                    assert_eq!(sums.steps, steps);
                }
            }
        }
    }

    #[test]
    fn a_new_shape_is_far() {
        let cfg = ModelConfig::new(300.0, ValueKind::Metric, Side::Both);
        let mut shape = Shape::new();
        let mut usual: f64 = 0.0;
        for i in 0..1000 {
            let d = shape.step(&cfg, (f64::from(i) * 0.2).sin());
            if i > 500 {
                usual = usual.max(d);
            }
        }
        let mut odd: f64 = 0.0;
        for i in 0..20 {
            odd = odd.max(shape.step(&cfg, if i % 2 == 0 { 3.0 } else { -3.0 }));
        }
        assert!(odd > 3.0 * usual, "{odd} {usual}");
    }
}
