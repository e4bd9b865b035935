//! `time_of_day` and `time_of_week`: at which times of the day or week events happen, for each series.

use serde::{Deserialize, Serialize};
use types::BaseFunction;
use types::results::Explanation;

use super::entities::Entities;
use super::finding::{Finding, Sink, View};
use super::gatherer::Gather;
use super::plan::DetectorPlan;

const DAY_S: f64 = 86_400.0;
/// Length of a bin.
const BIN_S: f64 = 900.0;
/// Buckets before which nothing is said.
const LEARNING: f64 = 20.0;
/// Buckets after which the past is halved.
const MEMORY: f64 = 5000.0;
/// Weight of a time that was never seen.
const PRIOR: f64 = 1.0;
/// An event also counts for the bins next to its own: rhythms are never exact.
const KERNEL: [f32; 5] = [0.1, 0.2, 0.4, 0.2, 0.1];

/// The densities of all series of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Circular {
    pub(crate) entities: Entities,
    densities: Vec<Density>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Density {
    bins: Vec<f32>,
    buckets: f64,
}

fn period_s(base: BaseFunction) -> f64 {
    if base == BaseFunction::TimeOfWeek { 7.0 * DAY_S } else { DAY_S }
}

impl Circular {
    pub(crate) fn new(detector: &DetectorPlan) -> Self {
        Self { entities: Entities::new(detector.over.is_some()), densities: Vec::new() }
    }

    pub(crate) fn is_sound(&self, detector: &DetectorPlan) -> bool {
        let bins = (period_s(detector.base) / BIN_S) as usize;
        self.densities.len() <= self.entities.ids() as usize
            && self.densities.iter().all(|density| density.bins.is_empty() || density.bins.len() == bins)
    }

    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        gather.entities.iter().for_each(|entity| self.entities.note(*entity));
        self.interim(view, gather, sink);
        if view.scheduled.skip_model_update {
            return;
        }
        self.densities.resize(self.entities.ids() as usize, Density::default());
        for (slot, entity) in gather.entities.iter().enumerate() {
            let split = self.entities.split(*entity);
            if view.detector.has_learning_rules && view.actions(split, None, None).skip_model_update {
                continue;
            }
            let time = time_of(view, gather, slot);
            self.densities[*entity as usize].learn(time, period_s(view.detector.base));
        }
    }

    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        if view.scheduled.skip_result {
            return;
        }
        let period = period_s(view.detector.base);
        for (slot, entity) in gather.entities.iter().enumerate() {
            let known = self.densities.get(*entity as usize).filter(|density| density.buckets >= LEARNING);
            let Some(density) = known else {
                sink.joint.add_quiet(1);
                continue;
            };
            let time = time_of(view, gather, slot);
            let typical = density.nearest(time, period);
            let p = density.chance(time, typical, period);
            let surprise = view.scale.rare_surprise(p);
            let split = self.entities.split(*entity);
            let is_record = view.scale.is_worth_a_record(surprise);
            if is_record && view.actions(split, Some(time), Some(typical)).skip_result {
                continue;
            }
            sink.judge(view, surprise, p, || Finding {
                detector: view.detector.index,
                split,
                slot: Some(slot),
                surprise,
                probability: p,
                actual: vec![time],
                typical: vec![typical],
                description: None,
                multi_bucket_impact: -5.0,
                explanation: Explanation {
                    single_bucket_impact: Some((-p.log10()).round() as i32),
                    typical_value: Some(typical),
                    ..Explanation::default()
                },
                geo: None,
                causes: Vec::new(),
            });
        }
    }

    /// Sets the clock of all densities forward by `seconds`, in whole bins.
    pub(crate) fn shift_time(&mut self, seconds: i64) {
        let bins = (seconds as f64 / BIN_S).round() as i64;
        for density in self.densities.iter_mut().filter(|density| !density.bins.is_empty()) {
            let by = bins.rem_euclid(density.bins.len() as i64) as usize;
            density.bins.rotate_left(by);
        }
    }

    /// Takes the densities of forgotten series away.
    pub(crate) fn forget(&mut self, idle: &[u32]) {
        for entity in idle {
            if let Some(density) = self.densities.get_mut(*entity as usize) {
                *density = Density::default();
            }
        }
    }

    /// Bytes of one series.
    pub(crate) fn series_bytes(detector: &DetectorPlan) -> u64 {
        (Entities::BYTES + size_of::<Density>()) as u64 + (period_s(detector.base) / BIN_S) as u64 * 4
    }

    pub(crate) fn bytes(&self, detector: &DetectorPlan) -> u64 {
        self.entities.bytes() as u64
            + self.entities.ids() as u64 * size_of::<Density>() as u64
            + self.entities.live() as u64 * (period_s(detector.base) / BIN_S) as u64 * 4
    }
}

/// Mean time of the events of a slot in the period. The moments hold seconds since the start of the bucket.
fn time_of(view: &View<'_>, gather: &Gather, slot: usize) -> f64 {
    let period = period_s(view.detector.base);
    (view.start_s as f64 + gather.moments[slot].mean).rem_euclid(period).round().min(period - 1.0)
}

fn distance(a: f64, b: f64, period: f64) -> f64 {
    let apart = (a - b).abs();
    apart.min(period - apart)
}

impl Density {
    fn bin(&self, time: f64) -> usize {
        ((time / BIN_S) as usize).min(self.bins.len() - 1)
    }

    fn learn(&mut self, time: f64, period: f64) {
        if self.bins.is_empty() {
            self.bins = vec![0.0; (period / BIN_S) as usize];
        }
        let (bin, n) = (self.bin(time), self.bins.len());
        for (offset, weight) in KERNEL.iter().enumerate() {
            self.bins[(bin + n + offset - 2) % n] += weight;
        }
        self.buckets += 1.0;
        if self.buckets > MEMORY {
            self.buckets *= 0.5;
            self.bins.iter_mut().for_each(|bin| *bin *= 0.5);
        }
    }

    /// The middle of the nearest usual times: bins at least as dense as the average.
    fn nearest(&self, time: f64, period: f64) -> f64 {
        let average = (self.buckets / self.bins.len() as f64) as f32;
        let n = self.bins.len();
        let middle = |bin: usize| (bin as f64 + 0.5) * BIN_S;
        let is_usual = |bin: &usize| self.bins[*bin] >= average.max(1e-6);
        let Some(near) = (0..n)
            .filter(is_usual)
            .min_by(|a, b| distance(middle(*a), time, period).total_cmp(&distance(middle(*b), time, period)))
        else {
            return time;
        };
        let (mut weight, mut sum) = (0.0, 0.0);
        for offset in -4i64..=4 {
            let bin = (near as i64 + offset).rem_euclid(n as i64) as usize;
            weight += f64::from(self.bins[bin]);
            sum += f64::from(self.bins[bin]) * offset as f64;
        }
        (middle(near) + BIN_S * sum / weight).rem_euclid(period).round().min(period - 1.0)
    }

    /// Chance of a time that is at most as usual; times far from all usual ones are less likely than near ones.
    fn chance(&self, time: f64, typical: f64, period: f64) -> f64 {
        let here = self.bins[self.bin(time)];
        let at_most: f64 = self.bins.iter().filter(|bin| **bin <= here).map(|bin| f64::from(*bin)).sum();
        let far = 1.0 + distance(time, typical, period) / (2.0 * BIN_S);
        let unseen = if f64::from(here) < 0.05 { PRIOR / far } else { PRIOR };
        ((at_most + unseen) / (self.buckets + PRIOR)).clamp(f64::MIN_POSITIVE, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_wrap_around_midnight_and_far_times_are_unlikely() {
        let mut density = Density::default();
        for i in 0..200 {
            density.learn(if i % 2 == 0 { 85_900.0 } else { 300.0 }, DAY_S);
        }
        assert!(distance(density.nearest(2000.0, DAY_S), 0.0, DAY_S) < 1500.0);
        let at = |time: f64| density.chance(time, density.nearest(time, DAY_S), DAY_S);
        assert!(at(0.0) > 0.3 && at(43_200.0) < 1e-3 && at(43_200.0) < at(4000.0));
    }

    #[test]
    fn a_clock_set_forward_expects_events_earlier() {
        let mut density = Density::default();
        (0..200).for_each(|_| density.learn(43_000.0, DAY_S));
        let mut circular = Circular { entities: Entities::new(false), densities: vec![density] };
        circular.shift_time(3600);
        assert!(distance(circular.densities[0].nearest(0.0, DAY_S), 39_400.0, DAY_S) <= BIN_S);
    }
}
