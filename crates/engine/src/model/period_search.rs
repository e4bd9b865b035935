//! Searches a series for periods that are neither a day nor a week: what the prediction in use leaves is gathered in a window
//! of few values at a spacing that doubles whenever the window is full, so that one window sees every period in time.
//!
//! A second window begins anew at the spacing of a bucket every few hundred buckets, once the first has become coarse: short
//! patterns may begin at any time.

use super::config::ModelConfig;
use super::period_test::{Detrended, Found, MISSING, SLOTS};
use crate::stats::prefetch_value;
use serde::{Deserialize, Serialize};

/// Longest period searched, seconds; more when buckets are so long that a window's first spacing holds more.
const LONGEST_S: f64 = 15.0 * 86_400.0;

/// Spacings of the window that begins anew, buckets.
const FINE_STRIDES: u32 = 8;

/// Units of a value in a scale of the residuals: 16 bring 8 scales into 8 bits.
const PER_SCALE: f64 = 16.0;

/// Largest number of units.
const MOST_UNITS: f64 = 127.0;

/// Residuals enter clipped at this many scales.
const CLIP: f64 = 6.0;

/// Share of the window that may be without a value in one go.
const LONGEST_GAP: f64 = (SLOTS / 4) as f64;

/// Numbers of values at which a window is looked at: of a new one, and of one that goes on at twice the spacing.
const FIRST_LOOKS: [usize; 3] = [48, 96, SLOTS];
const LOOKS: [usize; 2] = [96, SLOTS];

const ROW: usize = 32;

/// What was found in a window: the period and the pattern's beginning.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    pub(super) period_s: f64,
    pub(super) tolerance_s: f64,
    /// Time of the first value.
    pub(super) start_s: i64,
    shape: Detrended,
    unit: f64,
    stride_s: f64,
    /// From a slot's beginning to the middle of its buckets.
    middle_s: f64,
}

impl Proposal {
    /// The middle of the window.
    pub(super) fn middle_time_s(&self) -> i64 {
        self.start_s.saturating_add((0.5 * self.stride_s * self.shape.count() as f64) as i64)
    }

    /// The mean of the window's values at this phase, seconds after the beginning of a period; `None` where there are none.
    pub(super) fn value_at(&self, phase_s: f64) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0.0);
        let mut time = phase_s;
        while time < self.stride_s * SLOTS as f64 {
            if let Some(v) = self.shape.at((time - self.middle_s) / self.stride_s) {
                sum += v;
                count += 1.0;
            }
            time += self.period_s;
        }
        (count > 0.0).then(|| sum / count * self.unit)
    }
}

/// The values of one window.
type Slots = [[i8; ROW]; SLOTS / ROW];

/// What is known of one window, but for its values: what every bucket needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Window {
    /// Beginning of the first slot; meaningless before there is a value.
    start_s: i64,
    /// Of the slot that is being filled, in seconds; nothing is later before there is a value.
    end_s: f64,
    /// What values are relative to, and how many units they have to one.
    reference: f64,
    per_unit: f64,
    /// Sum, in units, and number of the values in the slot that is being filled.
    sum: f32,
    count: u32,
    /// Buckets of a slot.
    stride: u32,
    most_stride: u32,
    filled: u8,
}

impl Window {
    fn new(most_stride: u32) -> Self {
        Self {
            start_s: 0,
            end_s: f64::NEG_INFINITY,
            reference: 0.0,
            per_unit: 0.0,
            sum: 0.0,
            count: 0,
            stride: 1,
            most_stride,
            filled: 0,
        }
    }

    fn restart(&mut self) {
        *self = Self::new(self.most_stride);
    }

    fn is_empty(&self) -> bool {
        self.end_s == f64::NEG_INFINITY
    }

    /// Takes the value `y` of a time; `scale` is that of the noise. Returns what the window shows, when it is looked at.
    fn push(&mut self, slots: &mut Slots, cfg: &ModelConfig, value: &Value) -> Option<Proposal> {
        let time_s = value.time_s as f64;
        let mut seen = None;
        if time_s >= self.end_s {
            seen = self.advance(slots, cfg, value);
        }
        let units = (value.y - self.reference) * self.per_unit;
        if units.abs() > MOST_UNITS {
            self.widen(slots, units.abs());
        }
        self.sum += ((value.y - self.reference) * self.per_unit) as f32;
        self.count += 1;
        seen
    }

    /// Ends the slots before the value's; begins anew when there is none, or after a gap.
    fn advance(&mut self, slots: &mut Slots, cfg: &ModelConfig, value: &Value) -> Option<Proposal> {
        let time_s = value.time_s as f64;
        let mut seen = None;
        if !self.is_empty() && time_s >= self.end_s + LONGEST_GAP * self.stride_s(cfg) {
            self.restart();
        }
        while !self.is_empty() && time_s >= self.end_s {
            seen = self.close(slots, cfg, value.looks).or(seen);
        }
        if self.is_empty() {
            (self.start_s, self.reference) = (value.time_s, value.y);
            self.end_s = time_s + self.stride_s(cfg);
            self.per_unit = PER_SCALE / value.scale.clamp(1e-280, 1e280);
        }
        seen
    }

    fn stride_s(&self, cfg: &ModelConfig) -> f64 {
        f64::from(self.stride) * cfg.bucket_span_s
    }

    /// Makes the unit large enough for a value of this many units.
    fn widen(&mut self, slots: &mut Slots, units: f64) {
        let doublings = (units / MOST_UNITS).log2().ceil().clamp(1.0, 1000.0);
        let factor = (-doublings).exp2();
        self.per_unit *= factor;
        self.sum = (f64::from(self.sum) * factor) as f32;
        let by = doublings.min(7.0) as u32;
        let filled = &mut slots.as_flattened_mut()[..usize::from(self.filled)];
        filled.iter_mut().filter(|v| **v != MISSING).for_each(|v| {
            *v = ((i16::from(*v) + (1 << (by - 1))) >> by) as i8;
        });
    }

    /// Ends the present slot; a full window is looked at and goes on at twice the spacing.
    fn close(&mut self, slots: &mut Slots, cfg: &ModelConfig, looks: bool) -> Option<Proposal> {
        // Rounded by way of positive numbers, which takes no call.
        let mean = ((self.sum / self.count as f32).clamp(-127.0, 127.0) + 128.5) as i16 - 128;
        slots.as_flattened_mut()[usize::from(self.filled)] =
            if self.count == 0 { MISSING } else { mean as i8 };
        (self.sum, self.count) = (0.0, 0);
        self.filled += 1;
        let filled = usize::from(self.filled);
        let is_due = if self.stride == 1 { FIRST_LOOKS.contains(&filled) } else { LOOKS.contains(&filled) };
        let seen = if looks && is_due { self.look(slots, cfg) } else { None };
        if filled == SLOTS {
            if self.stride * 2 > self.most_stride {
                self.restart();
                return seen;
            }
            halve(slots);
            self.filled = (SLOTS / 2) as u8;
            self.stride *= 2;
        }
        self.end_s = self.start_s as f64 + f64::from(self.filled + 1) * self.stride_s(cfg);
        seen
    }

    fn look(&self, slots: &Slots, cfg: &ModelConfig) -> Option<Proposal> {
        let shape = Detrended::new(&slots.as_flattened()[..usize::from(self.filled)])?;
        let Found { period, tolerance } = shape.period()?;
        let stride_s = self.stride_s(cfg);
        Some(Proposal {
            period_s: period * stride_s,
            tolerance_s: tolerance * stride_s,
            start_s: self.start_s,
            shape,
            unit: self.per_unit.recip(),
            stride_s,
            middle_s: 0.5 * (stride_s - cfg.bucket_span_s),
        })
    }
}

/// Two slots become one.
fn halve(slots: &mut Slots) {
    let slots = slots.as_flattened_mut();
    for i in 0..SLOTS / 2 {
        slots[i] = match (slots[2 * i], slots[2 * i + 1]) {
            (MISSING, v) | (v, MISSING) => v,
            // Halves are rounded to the even number, which has no bias.
            (a, b) => {
                let sum = i16::from(a) + i16::from(b);
                let half = sum >> 1;
                (half + (sum & 1 & half)) as i8
            }
        };
    }
}

/// A value for the windows.
#[derive(Clone, Copy, Debug)]
struct Value {
    time_s: i64,
    y: f64,
    scale: f64,
    looks: bool,
}

/// The search of one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PeriodSearch {
    /// The window that goes on, and the one that begins anew.
    windows: [Window; 2],
    slots: [Slots; 2],
}

impl PeriodSearch {
    pub(super) fn new(cfg: &ModelConfig) -> Self {
        let shortest_window_s = SLOTS as f64 * cfg.bucket_span_s;
        let mut most = 1;
        while f64::from(most) * shortest_window_s < 3.0 * LONGEST_S {
            most *= 2;
        }
        let windows = [Window::new(most), Window::new(FINE_STRIDES)];
        Self { windows, slots: [[[0; ROW]; SLOTS / ROW]; 2] }
    }

    /// Begins anew: what predicts has changed.
    pub(super) fn restart(&mut self) {
        self.windows.iter_mut().for_each(Window::restart);
    }

    /// The level has moved by `amount`, and what predicts with it.
    pub(super) fn shift_level(&mut self, amount: f64) {
        self.windows.iter_mut().for_each(|window| window.reference += amount);
    }

    /// Takes the value's `residual` from the part of the prediction that repeats, whose level is `anchor`. Returns a period when
    /// one shows; with `looks` false nothing is looked at.
    pub(super) fn learn(
        &mut self,
        cfg: &ModelConfig,
        time_s: i64,
        (residual, anchor): (f64, f64),
        scale: f64,
        looks: bool,
    ) -> Option<Proposal> {
        let y = anchor + residual.clamp(-CLIP * scale, CLIP * scale);
        let value = Value { time_s, y, scale, looks };
        let [long, short] = &mut self.windows;
        let seen = long.push(&mut self.slots[0], cfg, &value);
        if long.stride <= FINE_STRIDES { seen } else { short.push(&mut self.slots[1], cfg, &value).or(seen) }
    }

    /// Asks for what every bucket needs.
    pub(super) fn prefetch(&self) {
        prefetch_value(&self.windows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Side, ValueKind};

    #[test]
    fn a_search_is_small_and_any_values_are_taken() {
        assert!(size_of::<PeriodSearch>() <= 384, "{}", size_of::<PeriodSearch>());
        for span in [1.0, 300.0, 86_400.0] {
            let cfg = ModelConfig::new(span, ValueKind::Metric, Side::Both);
            let mut search = PeriodSearch::new(&cfg);
            let mut time_s = -1_000_000;
            for (i, size) in [0.0, 1e-300, 1.0, 1e30, 1e-250, 5.0].into_iter().cycle().take(6000).enumerate()
            {
                time_s += span as i64 * if i % 500 == 0 { 900 } else { 1 };
                search.learn(&cfg, time_s, (size, -size), size.max(1e-250), true);
            }
            assert!(search.windows.iter().all(|w| w.sum.is_finite() && usize::from(w.filled) < SLOTS));
        }
    }

    #[test]
    fn slots_become_halves_without_a_bias() {
        let mut slots = [[0; ROW]; SLOTS / ROW];
        for (i, v) in slots.as_flattened_mut().iter_mut().enumerate() {
            *v = if i == 9 { MISSING } else { i as i8 };
        }
        halve(&mut slots);
        let halves = slots.as_flattened();
        assert_eq!(halves[..6], [0, 2, 4, 6, 8, 10]);
        assert_eq!(halves[4], 8, "what is missing does not count");
    }
}
