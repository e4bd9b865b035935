//! Detectors that compare the members of a population with each other.
//!
//! In each bucket the members' values are compared with the middle of all members (blended with the middle of the past
//! while members are few), in units of the usual spread; how unlikely a distance is was learnt from all members of all
//! buckets. A member's own habit counts as a weak prior, so that one that always differs is not news.

use serde::{Deserialize, Serialize};
use types::Side;
use types::results::Explanation;

use super::entities::{Entities, SplitIds};
use super::finding::{CauseFinding, Finding, Sink, View};
use super::gatherer::Gather;
use super::plan::DetectorPlan;
use super::plot::plot;
use super::table::NONE;
use crate::function::Feature;
use crate::model::{Prediction, ValueKind};
use crate::score::PopulationTail;

/// Members in a bucket at which their middle weighs as much as that of the past.
const BLEND: f64 = 20.0;
/// Buckets before which probabilities are damped.
const WARM: f64 = 20.0;
/// Buckets over which centre and spread are averaged.
const MEMORY: f64 = 100.0;
/// Exponent of the number of members against a single one.
const CROWD: f64 = 0.8;
/// At most this share of a member's habit is taken off.
const HABIT: f64 = 0.7;
/// Buckets after which a habit counts half.
const HABIT_FROM: f32 = 8.0;
/// Deviations beyond this many spreads are learnt by how likely they are.
const FAR: f64 = 4.0;
/// The least weight of a deviation: what goes on for long is learnt in the end.
const LEARN_MIN: f64 = 0.02;
/// Spreads on each side of the centre that hold 95 % of a normal crowd.
const REACH: f64 = 1.96;
/// Bytes of one population, a flat rate.
const GROUP_BYTES: u64 = 1500;

/// The populations of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Population {
    pub(crate) entities: Entities,
    /// By group and feature.
    groups: Vec<Group>,
    /// By member and feature.
    habits: Vec<Habit>,
    #[serde(skip)]
    features: &'static [Feature],
}

/// One population and feature.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Group {
    /// Size of an ordinary value: values are compared as asinh(value / unit).
    unit: f64,
    centre: f64,
    spread: f64,
    buckets: f64,
    tail: PopulationTail,
}

/// How a member usually differs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Habit {
    mean: f32,
    buckets: f32,
}

/// A member's value in the bucket.
#[derive(Clone, Copy, Debug)]
struct Judged {
    entity: u32,
    slot: u32,
    value: f64,
    /// Transformed.
    y: f64,
    z: f64,
}

/// The bucket of one population and feature.
#[derive(Debug)]
struct Sitting {
    at: usize,
    feature: usize,
    members: Vec<Judged>,
    unit: f64,
    centre: f64,
    spread: f64,
}

impl Population {
    pub(crate) fn new(detector: &DetectorPlan) -> Self {
        Self {
            entities: Entities::new(true),
            groups: Vec::new(),
            habits: Vec::new(),
            features: Feature::of(detector.base),
        }
    }

    pub(crate) fn set_up(&mut self, detector: &DetectorPlan) {
        self.features = Feature::of(detector.base);
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.groups.len() <= self.entities.group_ids() as usize * self.features.len()
            && self.habits.len() <= self.entities.ids() as usize * self.features.len()
    }

    /// Judges and learns a bucket.
    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        gather.entities.iter().for_each(|entity| self.entities.note(*entity));
        let sittings = self.sittings(view, gather);
        self.plot(view, &sittings, sink);
        self.report(view, &sittings, sink);
        if !view.scheduled.skip_model_update {
            let features = self.features.len();
            self.groups.resize(self.entities.group_ids() as usize * features, Group::default());
            self.habits.resize(self.entities.ids() as usize * features, Habit::default());
            for sitting in sittings {
                self.learn(view, &sitting);
            }
        }
    }

    /// Judges a bucket that is not full yet; learns nothing.
    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        self.report(view, &self.sittings(view, gather), sink);
    }

    fn sittings(&self, view: &View<'_>, gather: &Gather) -> Vec<Sitting> {
        let mut slots: Vec<u32> = (0..gather.entities.len() as u32).collect();
        let group_of = |slot: u32| self.entities.group(gather.entities[slot as usize]);
        if self.entities.group_ids() > 1 {
            slots.sort_by_key(|slot| group_of(*slot));
        }
        let mut sittings = Vec::new();
        for of_group in slots.chunk_by(|a, b| group_of(*a) == group_of(*b)) {
            for (feature, kind) in self.features.iter().enumerate() {
                let values = of_group.iter().filter_map(|slot| {
                    let at = *slot as usize;
                    let value =
                        kind.value(&gather.moments[at], gather.extra(at)).filter(|v| v.is_finite())?;
                    Some(Judged { entity: gather.entities[at], slot: *slot, value, y: 0.0, z: 0.0 })
                });
                let members: Vec<Judged> = values.collect();
                if !members.is_empty() {
                    sittings.push(self.sit(group_of(of_group[0]), feature, members));
                }
            }
        }
        let _ = view;
        sittings
    }

    /// Compares the members of one population.
    fn sit(&self, group: u32, feature: usize, mut members: Vec<Judged>) -> Sitting {
        let at = group as usize * self.features.len() + feature;
        let fresh = Group::default();
        let known = self.groups.get(at).unwrap_or(&fresh);
        let is_count = self.features[feature].kind() == ValueKind::Count;
        let mut scratch: Vec<f64> = Vec::with_capacity(members.len());
        let mut unit = known.unit;
        if known.buckets == 0.0 {
            unit = unit_of(&members, &mut scratch, is_count);
        }
        scratch.clear();
        for member in &mut members {
            // Beyond, numbers are as good as infinite, and so would be the distances between them.
            member.y = (member.value / unit).clamp(-1e300, 1e300).asinh();
            scratch.push(member.y);
        }
        let middle = median(&mut scratch);
        let n = members.len() as f64;
        let is_new = known.buckets == 0.0;
        let centre = if is_new { middle } else { (n * middle + BLEND * known.centre) / (n + BLEND) };
        let spread = if is_new { mean_distance(&members, centre, f64::INFINITY) } else { known.spread };
        // A whole step of a count, and a fiftieth of an ordinary value, are never far.
        let least = if is_count { 0.02 + 0.5 / unit.max(1.0) } else { 0.02 };
        let spread = spread.max(least);
        for member in &mut members {
            let z = (member.y - centre) / spread;
            let habit_at = member.entity as usize * self.features.len() + feature;
            member.z = self.habits.get(habit_at).map_or(z, |habit| habit.relieve(z));
        }
        Sitting { at, feature, members, unit, centre, spread }
    }

    /// What the crowd does is what is expected of each member.
    fn plot(&self, view: &View<'_>, sittings: &[Sitting], sink: &mut Sink) {
        if view.plan.plot.is_none() {
            return;
        }
        for sitting in sittings {
            let feature = self.features[sitting.feature];
            let least = if feature.kind() == ValueKind::Count { 0.0 } else { f64::NEG_INFINITY };
            let at = |reach: f64| sitting.value_at(sitting.centre + reach * sitting.spread).max(least);
            let prediction = Prediction { typical: at(0.0), lower: at(-REACH), upper: at(REACH) };
            for member in &sitting.members {
                let split = self.entities.split(member.entity);
                plot(view, split, feature, prediction, Some(member.value), sink);
            }
        }
    }

    fn report(&self, view: &View<'_>, sittings: &[Sitting], sink: &mut Sink) {
        if view.scheduled.skip_result {
            return;
        }
        let mut unusual: Vec<(SplitIds, &'static str, f64, CauseFinding, Explanation)> = Vec::new();
        for sitting in sittings {
            let Some(group) = self.groups.get(sitting.at).filter(|group| group.buckets > 0.0) else {
                sink.joint.add_quiet(1);
                continue;
            };
            let tail = group.tail.prepare();
            let damping = (group.buckets / WARM).min(1.0);
            let crowd = (sitting.members.len() as f64).powf(CROWD);
            let mut most = (0.0f64, 1.0f64);
            let grows = self.features[sitting.feature].grows_with_the_bucket() && view.is_interim;
            for member in &sitting.members {
                let is_high = member.z > 0.0;
                let side = view.detector.detector.function.side;
                let is_other_side = (side == Side::High && !is_high) || (side == Side::Low && is_high);
                if is_other_side || (grows && !is_high) {
                    continue;
                }
                let p = tail.tail(member.z).powf(damping);
                let surprise = view.scale.surprise((p * crowd).min(1.0));
                if !view.scale.is_worth_a_record(surprise) {
                    most = (most.0.max(surprise), most.1.min((p * crowd).min(1.0)));
                    continue;
                }
                let split = self.entities.split(member.entity);
                let typical = sitting.value_at(sitting.centre);
                let actions = view.actions(split, Some(member.value), Some(typical));
                let excluded = (view.detector.excludes_over || view.detector.excludes_by)
                    && self.entities.is_frequent(member.entity, view.number());
                if actions.skip_result || excluded {
                    continue;
                }
                most = (most.0.max(surprise), most.1.min((p * crowd).min(1.0)));
                let cause = CauseFinding {
                    split,
                    probability: p,
                    actual: vec![member.value],
                    typical: vec![typical],
                    geo: None,
                    slot: member.slot as usize,
                };
                let description = self.features[sitting.feature].description();
                let explanation = sitting.explain(member);
                unusual.push((split, description, surprise, cause, explanation));
            }
            sink.joint.add(most.0, most.1);
        }
        let with_description = self.features.len() > 1;
        collect(view, unusual, with_description, sink);
    }

    fn learn(&mut self, view: &View<'_>, sitting: &Sitting) {
        let is_count = self.features[sitting.feature].kind() == ValueKind::Count;
        let features = self.features.len();
        let group = &mut self.groups[sitting.at];
        let mut scratch: Vec<f64> = Vec::with_capacity(sitting.members.len());
        let typical = sitting.value_at(sitting.centre);
        let mut learnt: Vec<Judged> = Vec::new();
        let members = if view.detector.has_learning_rules {
            learnt.extend(sitting.members.iter().copied().filter(|member| {
                let split = self.entities.split(member.entity);
                !view.actions(split, Some(member.value), Some(typical)).skip_model_update
            }));
            &learnt
        } else {
            &sitting.members
        };
        if members.is_empty() {
            return;
        }
        // One attacker must not hide the next one: what nobody among so many is expected to do teaches little.
        let tail = (group.buckets >= WARM).then(|| group.tail.prepare());
        let crowd = members.len() as f64;
        group.tail.fade();
        let knows_spread = group.buckets > 0.0;
        for member in members {
            if knows_spread {
                let weight = match &tail {
                    Some(tail) if member.z.abs() > FAR => {
                        (tail.tail(member.z) * crowd * 10.0).clamp(LEARN_MIN, 1.0)
                    }
                    _ => 1.0,
                };
                group.tail.add(member.z, weight);
            }
            self.habits[member.entity as usize * features + sitting.feature]
                .learn((member.y - sitting.centre) / sitting.spread);
        }
        group.buckets += 1.0;
        let gain = 1.0 / group.buckets.min(MEMORY);
        let unit = unit_of(members, &mut scratch, is_count);
        scratch.clear();
        scratch.extend(members.iter().map(|member| member.y));
        let middle = median(&mut scratch);
        let spread = mean_distance(members, sitting.centre, 5.0 * sitting.spread);
        group.centre += gain * (middle - group.centre);
        group.spread += gain * (spread - group.spread);
        // The unit moves slowly, since what was learnt is in its terms.
        let unit_gain = if knows_spread { gain * 0.2 } else { 1.0 };
        group.unit += unit_gain * (unit - group.unit);
    }

    /// Takes the habits of forgotten members away: should they come again, the crowd alone is their measure.
    pub(crate) fn forget(&mut self, idle: &[u32]) {
        for entity in idle {
            for feature in 0..self.features.len() {
                if let Some(habit) = self.habits.get_mut(*entity as usize * self.features.len() + feature) {
                    *habit = Habit::default();
                }
            }
        }
    }

    /// Bytes of one member.
    pub(crate) fn member_bytes(&self) -> u64 {
        (Entities::BYTES + self.features.len() * size_of::<Habit>()) as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        let habits = self.entities.ids() as usize * self.features.len() * size_of::<Habit>();
        self.entities.bytes() as u64
            + habits as u64
            + u64::from(self.entities.group_ids()) * self.features.len() as u64 * GROUP_BYTES
    }
}

/// One record for each member of a partition, with what it did in each group as causes.
fn collect(
    view: &View<'_>,
    mut unusual: Vec<(SplitIds, &'static str, f64, CauseFinding, Explanation)>,
    with_description: bool,
    sink: &mut Sink,
) {
    unusual.sort_by_key(|(split, description, ..)| (split.partition, split.over, *description, split.by));
    let same = |a: &SplitIds, b: &SplitIds| (a.partition, a.over) == (b.partition, b.over);
    for of_member in unusual.chunk_by_mut(|a, b| same(&a.0, &b.0) && (!with_description || a.1 == b.1)) {
        of_member.sort_by(|a, b| b.2.total_cmp(&a.2));
        let (split, description, surprise, first, explanation) = &of_member[0];
        let surprises: Vec<f64> = of_member.iter().map(|unusual| unusual.2).collect();
        let causes: Vec<CauseFinding> = of_member.iter().map(|unusual| unusual.3.clone()).collect();
        let is_single = causes.len() == 1;
        sink.findings.push(Finding {
            detector: view.detector.index,
            split: SplitIds { by: NONE, ..*split },
            slot: Some(first.slot),
            surprise: view.scale.join(&surprises).max(*surprise),
            probability: first.probability,
            actual: if is_single { first.actual.clone() } else { Vec::new() },
            typical: if is_single { first.typical.clone() } else { Vec::new() },
            description: with_description.then_some(*description),
            multi_bucket_impact: -5.0,
            explanation: explanation.clone(),
            geo: None,
            causes,
        });
    }
}

impl Sitting {
    fn value_at(&self, y: f64) -> f64 {
        (y.clamp(-700.0, 700.0).sinh() * self.unit).clamp(-f64::MAX, f64::MAX)
    }

    fn explain(&self, member: &Judged) -> Explanation {
        Explanation {
            anomaly_type: Some(if member.z > 0.0 { "spike" } else { "dip" }.to_owned()),
            anomaly_length: Some(1),
            single_bucket_impact: Some(member.z.abs().round().min(1e6) as i32),
            lower_confidence_bound: Some(self.value_at(self.centre - REACH * self.spread)),
            typical_value: Some(self.value_at(self.centre)),
            upper_confidence_bound: Some(self.value_at(self.centre + REACH * self.spread)),
            ..Explanation::default()
        }
    }
}

impl Habit {
    /// What is left of a distance when the habit is taken off.
    fn relieve(self, z: f64) -> f64 {
        let share = HABIT * f64::from(self.buckets / (self.buckets + HABIT_FROM));
        let usual = share * f64::from(self.mean);
        if usual * z <= 0.0 {
            return z;
        }
        let rest = z - usual;
        if rest * z < 0.0 { 0.0 } else { rest }
    }

    fn learn(&mut self, z: f64) {
        self.buckets = (self.buckets + 1.0).min(100.0);
        self.mean += (z.clamp(-20.0, 20.0) as f32 - self.mean) / self.buckets;
    }
}

fn unit_of(members: &[Judged], scratch: &mut Vec<f64>, is_count: bool) -> f64 {
    scratch.clear();
    scratch.extend(members.iter().map(|member| member.value.abs().min(1e150)));
    let mean = scratch.iter().sum::<f64>() / scratch.len().max(1) as f64;
    let middle = median(scratch);
    let unit = if middle > 0.0 { middle } else { mean };
    let least = if is_count { 1.0 } else { 1e-150 };
    if unit > least {
        unit
    } else if is_count {
        1.0
    } else {
        unit.max(1e-9)
    }
}

fn mean_distance(members: &[Judged], centre: f64, clip: f64) -> f64 {
    let sum: f64 = members.iter().map(|member| (member.y - centre).abs().min(clip)).sum();
    1.2533 * sum / members.len().max(1) as f64
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
