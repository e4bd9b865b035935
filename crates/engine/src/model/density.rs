//! Places inside the range of a series where it has hardly ever been: the empty middle between two modes.

use super::config::ModelConfig;
use super::predict::Predictor;
use super::views::Surprise;
use crate::stats::{fast_ln, prefetch, prior_tail};
use serde::{Deserialize, Serialize};

/// Cells of the grid.
const CELLS: usize = 48;

/// Values before the grid is laid out.
const FIRST: u32 = 64;

/// Values on the grid before it says anything.
const KNOWN: u32 = 100;

/// Weight at which counts are halved.
const FULL: u32 = 20_000;

/// The grid reaches so many long-run standard deviations to either side at first.
const REACH: f64 = 3.0;

/// Share of all values that must lie on either side of one that is inside.
const INSIDE: f64 = 0.02;

/// Share of all values beyond the grid, and number of them, from which on it becomes wider.
const BEYOND: f64 = 0.1;
const BEYOND_LEAST: f64 = 20.0;

/// Bins of the history of distances: `ln z` from −2 in steps of 0.4.
const BINS: usize = 16;
const LOWEST_LN: f64 = -2.0;
const BIN_WIDTH: f64 = 0.4;

/// Distances by which the usual one is known.
const USUAL_FROM: u32 = 20;

/// How many values were where, on a grid of equal cells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Density {
    lowest: f64,
    /// Width of a cell; 0 before the grid is laid out.
    width: f64,
    total: u32,
    beyond: u32,
    cells: Vec<u16>,
    /// Mean distance, and how often distances were how many times as large.
    usual: f32,
    judged: u32,
    history: [u16; BINS],
}

impl Density {
    pub(super) fn new() -> Self {
        Self {
            lowest: 0.0,
            width: 0.0,
            total: 0,
            beyond: 0,
            cells: Vec::new(),
            usual: 0.0,
            judged: 0,
            history: [0; BINS],
        }
    }

    /// Takes the next value, and judges its distance to others by the distances of the past, with the prior and the power law
    /// that the calibrated views have.
    pub(super) fn step(
        &mut self,
        cfg: &ModelConfig,
        x: f64,
        predictor: &Predictor,
        least_scale: f64,
    ) -> Surprise {
        if self.cells.is_empty() {
            if predictor.count() < FIRST {
                return Surprise::default();
            }
            let reach = REACH * predictor.sd().max(0.5 * least_scale);
            self.cells = vec![0; CELLS];
            self.width = 2.0 * reach / CELLS as f64;
            self.lowest = predictor.mean() - reach;
        }
        let at = (x - self.lowest) / self.width;
        let surprise = if self.total >= KNOWN {
            let distance = self.distance(cfg.tuning.middle_share, at);
            self.judge(cfg, distance)
        } else {
            Surprise::default()
        };
        self.learn(x, at);
        surprise
    }

    fn judge(&mut self, cfg: &ModelConfig, distance: f64) -> Surprise {
        let t = &cfg.tuning;
        let usual = f64::from(self.usual);
        let learnt = if self.judged < USUAL_FROM { distance } else { distance.min(6.0 * usual) };
        self.judged += 1;
        self.usual += ((learnt - usual) / f64::from(self.judged).min(t.scale_memory)) as f32;
        if self.judged <= USUAL_FROM {
            return Surprise::default();
        }
        let z = distance / usual.max(t.middle_floor);
        let position = ((fast_ln(z.max(1e-9)) - LOWEST_LN) / BIN_WIDTH).clamp(0.0, BINS as f64 - 0.001);
        let bin = position as usize;
        let mut seen: f64 = self.history[bin..].iter().map(|count| f64::from(*count)).sum();
        // What lies below counts by the power law, for each bin by so much less.
        let fall = (-t.kappa * BIN_WIDTH).exp();
        let mut weight = (-t.kappa * BIN_WIDTH * (position - bin as f64 + 0.5)).exp();
        for count in self.history[..bin].iter().rev() {
            seen += f64::from(*count) * weight;
            weight *= fall;
        }
        let p = (t.prior * prior_tail(z) + seen) / (t.prior + f64::from(self.judged - 1 - USUAL_FROM));
        let count = &mut self.history[bin];
        *count = count.saturating_add(1);
        if self.judged >= FULL {
            // Rounded up, as the cells are.
            self.history.iter_mut().for_each(|count| *count = count.div_ceil(2));
            self.judged = self.history.iter().map(|count| u32::from(*count)).sum::<u32>() + USUAL_FROM;
        }
        Surprise::without_place(0.0, -fast_ln(p.clamp(1e-300, 1.0)) * std::f64::consts::LOG10_E)
    }

    pub(super) fn prefetch(&self) {
        prefetch(&self.cells);
    }

    /// Bytes on the heap once there is a grid.
    pub(super) const BYTES: usize = CELLS * size_of::<u16>();

    pub(super) fn memory_bytes(&self) -> usize {
        self.cells.len() * size_of::<u16>()
    }

    /// Distance of a place to the values of the past, in cells: half the width of the interval around it that holds a small
    /// share of them (a nearest-neighbour distance, Loftsgaarden & Quesenberry 1965). Zero where most values lie on one side:
    /// how far out a value is, other views tell.
    fn distance(&self, share: f64, at: f64) -> f64 {
        if !(0.0..CELLS as f64).contains(&at) {
            return 0.0;
        }
        let cell = at as usize;
        let below: u32 = self.cells[..=cell].iter().map(|c| u32::from(*c)).sum();
        let above = self.total - below + u32::from(self.cells[cell]);
        let total = f64::from(self.total);
        if f64::from(below.min(above)) < INSIDE * total {
            return 0.0;
        }
        let wanted = share * total;
        let mut mass = f64::from(self.cells[cell]);
        if mass >= wanted {
            return 0.5 * wanted / mass;
        }
        // Cells are taken in from the nearer side. `down` and `up` are the distances to the edges of those taken so far.
        let (mut lowest, mut highest) = (cell, cell + 1);
        let (mut down, mut up) = (at - cell as f64, (cell + 1) as f64 - at);
        while lowest > 0 || highest < CELLS {
            let is_down = lowest > 0 && (down <= up || highest == CELLS);
            let (next, edge) = if is_down {
                lowest -= 1;
                (lowest, &mut down)
            } else {
                highest += 1;
                (highest - 1, &mut up)
            };
            let more = f64::from(self.cells[next]);
            if mass + more >= wanted {
                return *edge + (wanted - mass) / more;
            }
            mass += more;
            *edge += 1.0;
        }
        CELLS as f64
    }

    fn learn(&mut self, x: f64, at: f64) {
        if !(0.0..CELLS as f64).contains(&at) {
            self.beyond += 1;
            if f64::from(self.beyond) > BEYOND_LEAST + BEYOND * f64::from(self.total) {
                self.widen(x);
            }
            return;
        }
        let cell = &mut self.cells[at as usize];
        *cell = cell.saturating_add(1);
        self.total += 1;
        if self.total >= FULL {
            // Rounded up: where the series has been once is not forgotten.
            self.cells.iter_mut().for_each(|count| *count = count.div_ceil(2));
            self.total = self.cells.iter().map(|count| u32::from(*count)).sum();
            self.beyond /= 2;
        }
    }

    /// Doubles the width of the cells, towards `x`.
    fn widen(&mut self, x: f64) {
        let mut wider = vec![0; CELLS];
        let is_up = x >= self.lowest;
        let first = if is_up { 0 } else { CELLS / 2 };
        for (pair, cell) in self.cells.chunks_exact(2).zip(&mut wider[first..]) {
            *cell = pair[0] + pair[1];
        }
        if !is_up {
            self.lowest -= self.width * CELLS as f64;
        }
        self.width *= 2.0;
        self.beyond = 0;
        self.cells = wider;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(values: impl Iterator<Item = f64>) -> Density {
        let mut density = Density { width: 1.0, cells: vec![0; CELLS], ..Density::new() };
        for x in values {
            density.learn(x, (x - density.lowest) / density.width);
        }
        density
    }

    #[test]
    fn the_middle_is_far_and_the_modes_and_the_outside_are_not() {
        let density = grid((0..1000).map(|i| f64::from(i % 2) * 30.0 + f64::from(i % 37) / 10.0));
        let at = |at| density.distance(0.01, at);
        assert!(at(1.5) < 0.5 && at(31.0) < 0.5, "{} {}", at(1.5), at(31.0));
        assert!((10.0..15.0).contains(&at(16.5)), "{}", at(16.5));
        assert_eq!((at(47.0), at(-3.0), at(1e300), at(f64::NAN)), (0.0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn a_wider_grid_keeps_all_values() {
        for far in [1e4, -1e4] {
            let mut density = grid((0..500).map(|i| f64::from(i % 48)));
            (0..2000).for_each(|_| {
                let at = (far - density.lowest) / density.width;
                density.learn(far, at);
            });
            let counted: u32 = density.cells.iter().map(|c| u32::from(*c)).sum();
            assert_eq!(counted, density.total);
            assert!((0.0..CELLS as f64).contains(&((far - density.lowest) / density.width)));
            assert!(density.total > 500);
        }
    }
}
