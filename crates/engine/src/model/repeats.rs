//! How long a value has hardly changed, judged by how long such runs have lasted before: a stuck sensor, a curve that is
//! flat where it always moved.

use super::config::ModelConfig;
use super::views::Surprise;
use crate::stats::fast_ln;
use serde::{Deserialize, Serialize};

/// Classes of lengths, two for each doubling.
const CLASSES: usize = 24;

/// Seconds that must have been seen before a run begins: a series may rest at night.
const SETTLED_S: f64 = 2.0 * 86_400.0;

/// Beginnings that must have been seen: whether a series moves at all is not known before.
const MOVES: u32 = 50;

/// Beginnings at which counts are halved.
const FULL: u32 = 20_000;

/// Before anything was seen, runs over so many buckets are rare.
const SHORT: f64 = 4.0;

/// The run of hardly changed values, and all runs of the past by their lengths.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Repeats {
    /// First value of the run, and how far others may lie from it.
    anchor: f64,
    tolerance: f64,
    /// Repetitions of the anchor so far.
    length: u32,
    /// Values that were no repetition: with each a run could have begun.
    starts: u32,
    runs: [u16; CLASSES],
}

impl Repeats {
    /// Takes the next value; `step` is the usual size of a step, `seen` the number of values before.
    ///
    /// The chance of a run of at least `L` repetitions is `(w t(L) + Σ min(1, (L_i/L)^5)) / (w + n)`: a prior `t` worth `w`
    /// beginnings, and the lengths `L_i` of the runs that followed the `n` beginnings of the past. A run counts once it has
    /// ended: while it lasts it must not be its own excuse.
    pub(super) fn step(&mut self, cfg: &ModelConfig, x: f64, step: f64, seen: u32) -> Surprise {
        if seen == 0 || (x - self.anchor).abs() > self.tolerance {
            self.end_run();
            self.anchor = x;
            self.tolerance = cfg.tuning.stuck_tolerance * step;
            return Surprise::default();
        }
        self.length = self.length.saturating_add(1);
        let before = f64::from(seen) - f64::from(self.length);
        if self.starts < MOVES || before * cfg.bucket_span_s < SETTLED_S {
            return Surprise::default();
        }
        let length = f64::from(self.length);
        let mut longer = 0.0;
        for (class, count) in self.runs.iter().enumerate().filter(|(_, count)| **count > 0) {
            longer += f64::from(*count) * share_of(class_length(class) / length);
        }
        let short = 1.0 + length / SHORT;
        let prior = 1.0 / (short * short * short * short);
        let p = (cfg.tuning.prior * prior + longer) / (cfg.tuning.prior + f64::from(self.starts));
        Surprise::without_place(0.0, -fast_ln(p.clamp(1e-300, 1.0)) * std::f64::consts::LOG10_E)
    }

    fn end_run(&mut self) {
        if self.length > 0 {
            let class = &mut self.runs[class_of(self.length)];
            *class = class.saturating_add(1);
            self.length = 0;
        }
        self.starts += 1;
        if self.starts >= FULL {
            self.starts /= 2;
            // Rounded up: the longest runs are not forgotten.
            self.runs.iter_mut().for_each(|count| *count = count.div_ceil(2));
        }
    }
}

/// Share with which a run counts that has `ratio` of the length asked for: a power law beyond the record.
fn share_of(ratio: f64) -> f64 {
    if ratio >= 1.0 { 1.0 } else { ratio * ratio * ratio * ratio * ratio }
}

/// Class of a length of at least one: 1, 2, 3, 4, 6, 8, 12, ….
fn class_of(length: u32) -> usize {
    let doublings = length.ilog2() as usize;
    let is_upper_half = 2 * u64::from(length) >= 3 << doublings;
    (2 * doublings + usize::from(is_upper_half)).saturating_sub(usize::from(doublings > 0)).min(CLASSES - 1)
}

/// Least length of a class.
fn class_length(class: usize) -> f64 {
    const HALF: [f64; 2] = [1.0, 1.5];
    if class == 0 { 1.0 } else { HALF[(class + 1) % 2] * (1u64 << class.div_ceil(2)) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    fn cfg() -> ModelConfig {
        ModelConfig::new(900.0, ValueKind::Metric, Side::Both)
    }

    #[test]
    fn classes_follow_their_lengths() {
        for class in 0..CLASSES - 1 {
            let least = class_length(class);
            assert!(least < class_length(class + 1), "{class}");
            assert_eq!(class_of(least as u32), class, "{least}");
        }
        assert_eq!(class_of(u32::MAX), CLASSES - 1);
    }

    #[test]
    fn a_first_run_is_surprising_and_a_usual_one_is_not() {
        let cfg = cfg();
        let mut moving = Repeats::default();
        let mut flat = Repeats::default();
        let mut seen = 0;
        for i in 0..2000u32 {
            let x = f64::from(i * 7 % 31);
            assert_eq!(moving.step(&cfg, x, 1.0, i).bits, 0.0);
            // One that rests for twenty buckets in forty.
            flat.step(&cfg, if i % 40 < 20 { 0.0 } else { x }, 1.0, i);
            seen = i + 1;
        }
        let (mut first, mut usual) = (0.0, 0.0);
        for i in 0..18 {
            first = moving.step(&cfg, 5.0, 1.0, seen + i).bits;
            usual = flat.step(&cfg, 0.0, 1.0, seen + i).bits;
        }
        assert!(first > 4.0 && usual < 2.0, "{first} {usual}");
    }

    #[test]
    fn a_constant_is_never_stuck() {
        let mut constant = Repeats::default();
        for i in 0..20_000u32 {
            let x = if i % 5000 == 4000 { 1.0 } else { 0.0 };
            assert_eq!(constant.step(&cfg(), x, 0.1, i).bits, 0.0);
        }
    }
}
