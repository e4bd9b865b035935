//! `rare` without a population: values that occur in few buckets.
//!
//! A value is as unlikely as it is to meet, in one bucket, any value that is at most as frequent, values never seen
//! included; the rate of those is estimated from how often something new turned up (Good–Turing, Gale & Sampson 1995).
//! Where everything is rare, meeting something rare is likely.

use serde::{Deserialize, Serialize};
use types::results::Explanation;

use super::entities::Entities;
use super::finding::{Finding, Sink, View};
use super::gatherer::Gather;
use super::table::PairTable;

/// Buckets before which nothing is said.
const LEARNING: f64 = 20.0;
/// New values that the past is taken to have had beside those that were seen.
const NEW_PRIOR: f64 = 0.25;
/// Buckets after which all counts are halved.
const BUCKETS_MAX: f64 = 20_000.0;
/// Classes of frequency: two for each doubling.
const CLASSES: usize = 40;

/// All values of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rare {
    pub(crate) entities: Entities,
    /// Buckets in which a value occurred.
    counts: Vec<f64>,
    /// (partition, 0) → place in `partitions`.
    places: PairTable,
    partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Partition {
    buckets: f64,
    /// Buckets in which a new value turned up.
    with_new: f64,
    /// Sum of the counts of the values in each class of frequency.
    mass: Vec<f64>,
}

impl Default for Partition {
    fn default() -> Self {
        Self { buckets: 0.0, with_new: 0.0, mass: vec![0.0; CLASSES] }
    }
}

fn class(count: f64) -> usize {
    ((2.0 * count.max(1.0).log2()) as usize).min(CLASSES - 1)
}

impl Rare {
    pub(crate) fn new() -> Self {
        Self {
            entities: Entities::new(false),
            counts: Vec::new(),
            places: PairTable::default(),
            partitions: Vec::new(),
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.counts.len() <= self.entities.ids() as usize
            && self.partitions.len() == self.places.ids() as usize
            && self.partitions.iter().all(|partition| partition.mass.len() == CLASSES)
    }

    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        let values = sorted(gather);
        values.iter().for_each(|value| self.entities.note(*value));
        self.judge(view, gather, &values, sink);
        if !view.scheduled.skip_model_update {
            self.learn(view, &values);
        }
    }

    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        self.judge(view, gather, &sorted(gather), sink);
    }

    fn judge(&self, view: &View<'_>, gather: &Gather, values: &[u32], sink: &mut Sink) {
        if view.scheduled.skip_result {
            return;
        }
        for value in values {
            let split = self.entities.split(*value);
            let place = self.places.get(split.partition, 0);
            let Some(partition) = place.map(|place| &self.partitions[place as usize]) else { continue };
            if partition.buckets < LEARNING {
                continue;
            }
            let count = self.counts.get(*value as usize).copied().unwrap_or(0.0);
            let p = partition.chance(count);
            let surprise = view.scale.rare_surprise(p);
            if view.scale.is_worth_a_record(surprise) && view.actions(split, Some(1.0), None).skip_result {
                continue;
            }
            sink.judge(view, surprise, p, || Finding {
                detector: view.detector.index,
                split,
                slot: gather.find(*value),
                surprise,
                probability: p,
                actual: vec![1.0],
                typical: vec![count / partition.buckets],
                description: None,
                multi_bucket_impact: -5.0,
                explanation: Explanation {
                    single_bucket_impact: Some((-p.log10()).round() as i32),
                    by_field_first_occurrence: Some(count == 0.0),
                    by_field_relative_rarity: Some(-p.log10()),
                    ..Explanation::default()
                },
                geo: None,
                causes: Vec::new(),
            });
        }
    }

    fn learn(&mut self, view: &View<'_>, values: &[u32]) {
        self.counts.resize(self.entities.ids() as usize, 0.0);
        let mut with_new = Vec::new();
        for value in values {
            let split = self.entities.split(*value);
            if view.detector.has_learning_rules && view.actions(split, Some(1.0), None).skip_model_update {
                continue;
            }
            let place = self.places.get(split.partition, 0).unwrap_or_else(|| {
                self.partitions.push(Partition::default());
                self.places.insert(split.partition, 0)
            });
            let partition = &mut self.partitions[place as usize];
            let count = &mut self.counts[*value as usize];
            if *count > 0.0 {
                partition.mass[class(*count)] -= *count;
            } else if partition.buckets >= LEARNING {
                // At first everything is new, which says nothing about later.
                with_new.push(place);
            }
            *count += 1.0;
            partition.mass[class(*count)] += *count;
        }
        with_new.sort_unstable();
        with_new.dedup();
        with_new.into_iter().for_each(|place| self.partitions[place as usize].with_new += 1.0);
        let mut is_full = false;
        for partition in &mut self.partitions {
            partition.buckets += 1.0;
            is_full |= partition.buckets >= BUCKETS_MAX;
        }
        if is_full {
            self.halve();
        }
    }

    /// Lets the past count half, everywhere.
    fn halve(&mut self) {
        self.counts.iter_mut().for_each(|count| *count *= 0.5);
        for partition in &mut self.partitions {
            partition.buckets *= 0.5;
            partition.with_new *= 0.5;
        }
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.partitions.iter_mut().for_each(|partition| partition.mass.fill(0.0));
        for value in 0..self.counts.len() as u32 {
            let count = self.counts[value as usize];
            if count > 0.0 && self.entities.is_live(value) {
                let partition = self.entities.split(value).partition;
                if let Some(place) = self.places.get(partition, 0) {
                    self.partitions[place as usize].mass[class(count)] += count;
                }
            }
        }
    }

    /// Takes the counts of forgotten values away.
    pub(crate) fn forget(&mut self, idle: &[u32]) {
        for value in idle {
            if let Some(count) = self.counts.get_mut(*value as usize) {
                *count = 0.0;
            }
        }
        if !idle.is_empty() {
            self.sum_up();
        }
    }

    /// Bytes of one value.
    pub(crate) fn value_bytes() -> u64 {
        Entities::BYTES as u64 + 8
    }

    pub(crate) fn bytes(&self) -> u64 {
        let partitions = self.partitions.len() * (size_of::<Partition>() + CLASSES * 8 + 24);
        (self.entities.bytes() + self.entities.ids() as usize * 8 + partitions) as u64
    }
}

impl Partition {
    /// Chance that a bucket has a value that is at most as frequent as one with this count.
    fn chance(&self, count: f64) -> f64 {
        let unseen = (self.with_new + NEW_PRIOR) / ((self.buckets - LEARNING).max(0.0) + 1.0);
        let at_most = if count > 0.0 { self.mass[..=class(count)].iter().sum::<f64>().max(0.0) } else { 0.0 };
        (-(-(at_most / self.buckets + unseen)).exp_m1()).clamp(f64::MIN_POSITIVE, 1.0)
    }
}

fn sorted(gather: &Gather) -> Vec<u32> {
    let mut values = gather.entities.clone();
    values.sort_unstable();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_values_are_unlikely_unless_everything_is_rare() {
        let mut stable = Partition { buckets: 1000.0, with_new: 3.0, ..Partition::default() };
        stable.mass[class(1000.0)] = 3000.0;
        stable.mass[class(1.0)] = 1.0;
        assert!(stable.chance(0.0) < 0.005 && stable.chance(0.0) < stable.chance(1.0));
        assert!(stable.chance(1.0) < 0.01 && stable.chance(1000.0) > 0.9);
        let mut wild = Partition { buckets: 1000.0, with_new: 990.0, ..Partition::default() };
        wild.mass[class(1.0)] = 5000.0;
        assert!(wild.chance(0.0) > 0.5 && wild.chance(1.0) > 0.9);
    }
}
