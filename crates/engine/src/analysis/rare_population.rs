//! `rare` and `freq_rare` over a population: members that meet values which few others meet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::BaseFunction;
use types::results::Explanation;

use super::entities::{Entities, SplitIds, most_neglected, neglect};
use super::finding::{CauseFinding, Finding, Sink, View};
use super::gatherer::Gather;
use super::table::{NONE, PAIR_BYTES, PairTable};
use crate::score::PopulationTail;

/// Members kept for each value; a value with more is common.
const MEMBERS_MAX: usize = 32;
/// Share of the other members from which on a value is common.
const COMMON_SHARE: f64 = 0.05;
/// Members before which nothing is said.
const POPULATION_MIN: usize = 5;
/// Buckets before which probabilities are damped.
const WARM: f64 = 20.0;
/// Exponent of the number of members against a single one.
const CROWD: f64 = 0.8;
const HABIT: f64 = 0.7;
const HABIT_FROM: f32 = 8.0;
/// The history fades so many times as fast as that of other populations: early on everything is new.
const FADES: usize = 4;

/// Bytes of one member.
const MEMBER_BYTES: usize = PAIR_BYTES + size_of::<Habit>();

/// The values and members of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RarePopulation {
    /// Values by partition.
    pub(crate) entities: Entities,
    /// Members that met a value, sorted.
    met_by: Vec<Vec<u32>>,
    /// Members in `met_by` of all values.
    met: usize,
    /// (partition, over) → member.
    members: PairTable,
    /// Member → how much it usually meets.
    habits: Vec<Habit>,
    /// (partition, 0) → place in `partitions`.
    places: PairTable,
    partitions: Vec<Partition>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Habit {
    mean: f32,
    buckets: f32,
    last: i64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Partition {
    buckets: f64,
    members: u32,
    /// Rare values that a member meets in a bucket, on average.
    mean: f64,
    tail: PopulationTail,
}

/// What a member met in the bucket.
#[derive(Debug, Default)]
struct Met {
    amount: f64,
    /// Value, slot, share of the others that met it.
    rare: Vec<(u32, usize, f64)>,
    z: f64,
}

/// (partition, over) → what it met.
type Meetings = BTreeMap<(u32, u32), Met>;

impl RarePopulation {
    pub(crate) fn new() -> Self {
        Self {
            entities: Entities::new(false),
            met_by: Vec::new(),
            met: 0,
            members: PairTable::default(),
            habits: Vec::new(),
            places: PairTable::default(),
            partitions: Vec::new(),
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.met_by.len() <= self.entities.ids() as usize
            && self.met == self.met_by.iter().map(Vec::len).sum::<usize>()
            && self.habits.len() == self.members.ids() as usize
            && self.partitions.len() == self.places.ids() as usize
    }

    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        let meetings = self.meetings(view, gather);
        self.judge(view, gather, &meetings, sink);
        if !view.scheduled.skip_model_update {
            self.learn(view, gather, &meetings);
        }
    }

    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        self.judge(view, gather, &self.meetings(view, gather), sink);
    }

    fn partition(&self, partition: u32) -> Option<&Partition> {
        self.places.get(partition, 0).map(|place| &self.partitions[place as usize])
    }

    fn meetings(&self, view: &View<'_>, gather: &Gather) -> Meetings {
        let by_amount = view.detector.base == BaseFunction::FreqRare;
        let mut meetings = Meetings::new();
        for slot in 0..gather.entities.len() {
            let (value, over) = gather.pair(slot);
            let partition = self.entities.split(value).partition;
            let met = meetings.entry((partition, over)).or_default();
            let population = self.partition(partition).map_or(0, |partition| partition.members as usize);
            if population < POPULATION_MIN {
                continue;
            }
            let own = self.members.get(partition, over);
            let known = self.met_by.get(value as usize).map_or(&[][..], |members| members);
            if known.len() >= MEMBERS_MAX {
                continue;
            }
            let others = known.iter().filter(|member| Some(**member) != own).count();
            let share = others as f64 / population as f64;
            let weight = 1.0 - share / COMMON_SHARE;
            if weight > 0.0 {
                met.amount += weight * if by_amount { gather.moments[slot].records } else { 1.0 };
                met.rare.push((value, slot, (others as f64 + 0.5) / (population as f64 + 1.0)));
            }
        }
        for ((partition, over), met) in &mut meetings {
            let mean = self.partition(*partition).map_or(0.0, |partition| partition.mean);
            let z = met.amount / (1.0 + mean);
            met.z = self.members.get(*partition, *over).map_or(z, |member| {
                let habit = self.habits[member as usize];
                let share = HABIT * f64::from(habit.buckets / (habit.buckets + HABIT_FROM));
                (z - share * f64::from(habit.mean)).max(0.0)
            });
        }
        meetings
    }

    fn judge(&self, view: &View<'_>, gather: &Gather, meetings: &Meetings, sink: &mut Sink) {
        if view.scheduled.skip_result {
            return;
        }
        let mut tails = BTreeMap::new();
        let mut active: BTreeMap<u32, usize> = BTreeMap::new();
        meetings.keys().for_each(|(partition, _)| *active.entry(*partition).or_default() += 1);
        for ((id, over), met) in meetings {
            let Some(partition) = self.partition(*id).filter(|partition| partition.buckets > 0.0) else {
                continue;
            };
            if met.z <= 0.0 {
                sink.joint.add_quiet(1);
                continue;
            }
            let tail = tails.entry(*id).or_insert_with(|| partition.tail.prepare());
            let damping = (partition.buckets / WARM).min(1.0);
            let p = tail.tail(met.z).powf(damping);
            let crowd = (active[id] as f64).powf(CROWD);
            let surprise = view.scale.surprise((p * crowd).min(1.0));
            let split = SplitIds { partition: *id, by: NONE, over: *over };
            if view.scale.is_worth_a_record(surprise) && view.actions(split, None, None).skip_result {
                continue;
            }
            sink.judge(view, surprise, p, || self.finding(view, gather, met, split, surprise, p, partition));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "made in one place only")]
    fn finding(
        &self,
        view: &View<'_>,
        gather: &Gather,
        met: &Met,
        split: SplitIds,
        surprise: f64,
        probability: f64,
        partition: &Partition,
    ) -> Finding {
        let by_amount = view.detector.base == BaseFunction::FreqRare;
        let mut rare = met.rare.clone();
        let records = |slot: usize| gather.moments[slot].records;
        rare.sort_by(|a, b| {
            let order = if by_amount { records(b.1).total_cmp(&records(a.1)) } else { a.2.total_cmp(&b.2) };
            order.then(a.0.cmp(&b.0))
        });
        let causes: Vec<CauseFinding> = rare
            .iter()
            .take(types::results::CAUSES_MAX)
            .map(|(value, slot, share)| CauseFinding {
                split: SplitIds { over: split.over, ..self.entities.split(*value) },
                probability: *share,
                actual: vec![if by_amount { records(*slot) } else { 1.0 }],
                typical: vec![*share],
                geo: None,
                slot: *slot,
            })
            .collect();
        Finding {
            detector: view.detector.index,
            split,
            slot: rare.first().map(|first| first.1),
            surprise,
            probability,
            actual: vec![met.amount],
            typical: vec![partition.mean],
            description: None,
            multi_bucket_impact: -5.0,
            explanation: Explanation {
                single_bucket_impact: Some((-probability.log10()).round() as i32),
                typical_value: Some(partition.mean),
                ..Explanation::default()
            },
            geo: None,
            causes,
        }
    }

    fn learn(&mut self, view: &View<'_>, gather: &Gather, meetings: &Meetings) {
        for place in &mut self.partitions {
            (0..FADES).for_each(|_| place.tail.fade());
        }
        let mut seen = Vec::new();
        for ((partition, over), met) in meetings {
            let split = SplitIds { partition: *partition, by: NONE, over: *over };
            if view.detector.has_learning_rules && view.actions(split, None, None).skip_model_update {
                continue;
            }
            let place = self.places.get(*partition, 0).unwrap_or_else(|| {
                self.partitions.push(Partition::default());
                self.places.insert(*partition, 0)
            });
            seen.push(place);
            let of = &mut self.partitions[place as usize];
            let member = self.members.get(*partition, *over).unwrap_or_else(|| {
                of.members += 1;
                self.members.insert(*partition, *over)
            });
            if self.habits.len() <= member as usize {
                self.habits.resize(member as usize + 1, Habit::default());
            }
            let z = met.amount / (1.0 + of.mean);
            let habit = &mut self.habits[member as usize];
            habit.last = view.number();
            habit.buckets = (habit.buckets + 1.0).min(100.0);
            habit.mean += (z.min(20.0) as f32 - habit.mean) / habit.buckets;
            if of.members as usize > POPULATION_MIN {
                of.tail.add(met.z, 1.0);
                let gain = 1.0 / of.tail.total().clamp(1.0, 5000.0);
                of.mean += gain * (met.amount.min(10.0 * (1.0 + of.mean)) - of.mean);
            }
        }
        seen.sort_unstable();
        seen.dedup();
        seen.into_iter().for_each(|place| self.partitions[place as usize].buckets += 1.0);
        self.met_by.resize(self.entities.ids() as usize, Vec::new());
        for slot in 0..gather.entities.len() {
            let (value, over) = gather.pair(slot);
            let partition = self.entities.split(value).partition;
            let Some(member) = self.members.get(partition, over) else { continue };
            let met_by = &mut self.met_by[value as usize];
            if let (Err(at), true) = (met_by.binary_search(&member), met_by.len() < MEMBERS_MAX) {
                met_by.insert(at, member);
                self.met += 1;
            }
        }
    }

    /// Members that were last seen before bucket `before`, in the order of their ids.
    pub(crate) fn idle_members(&self, before: i64) -> Vec<u32> {
        let is_idle =
            |member: &u32| self.members.is_live(*member) && self.habits[*member as usize].last < before;
        (0..self.members.ids()).filter(is_idle).collect()
    }

    /// So many members that are missed least, as [`Entities::least_missed`].
    pub(crate) fn least_missed_members(&self, count: usize, now: i64) -> Vec<u32> {
        let candidates = (0..self.members.ids()).filter(|member| self.members.is_live(*member));
        let candidates = candidates.filter_map(|member| {
            let Habit { last, buckets, .. } = self.habits[member as usize];
            (last <= now).then(|| (neglect(last, buckets as u32, now), member))
        });
        most_neglected(candidates.collect(), count)
    }

    pub(crate) fn live_members(&self) -> usize {
        self.members.live()
    }

    /// Takes away who met forgotten values.
    pub(crate) fn forget_values(&mut self, idle: &[u32]) {
        for value in idle {
            if let Some(met_by) = self.met_by.get_mut(*value as usize) {
                self.met -= met_by.len();
                *met_by = Vec::new();
            }
        }
    }

    /// Forgets members; `idle` is sorted.
    pub(crate) fn forget_members(&mut self, idle: &[u32]) {
        if idle.is_empty() {
            return;
        }
        for member in idle {
            if let Some(place) = self.places.get(self.members.pair(*member).0, 0) {
                self.partitions[place as usize].members -= 1;
            }
        }
        let is_idle = |member: &u32| idle.binary_search(member).is_ok();
        self.members.retain(|member| !is_idle(&member));
        for met_by in &mut self.met_by {
            met_by.retain(|member| !is_idle(member));
        }
        self.met = self.met_by.iter().map(Vec::len).sum();
        idle.iter().for_each(|member| self.habits[*member as usize] = Habit::default());
    }

    /// Calls `visit` with the partition and over ids of each member.
    pub(crate) fn for_each_member(&self, mut visit: impl FnMut(SplitIds)) {
        for member in (0..self.members.ids()).filter(|member| self.members.is_live(*member)) {
            let (partition, over) = self.members.pair(member);
            visit(SplitIds { partition, by: NONE, over });
        }
    }

    /// Bytes of a value that two members met.
    pub(crate) fn value_bytes() -> u64 {
        (Entities::BYTES + size_of::<Vec<u32>>() + 2 * size_of::<u32>()) as u64
    }

    /// Bytes of values and of members that wait for new ones.
    pub(crate) fn reusable_bytes(&self) -> u64 {
        let free_members = self.members.ids() as usize - self.members.live();
        (self.entities.free() * (Entities::BYTES + size_of::<Vec<u32>>()) + free_members * MEMBER_BYTES)
            as u64
    }

    pub(crate) fn bytes(&self) -> u64 {
        let sets = size_of::<Vec<u32>>() * self.met_by.len() + size_of::<u32>() * self.met;
        let members = self.members.ids() as usize * MEMBER_BYTES;
        (self.entities.bytes() + sets + members + self.partitions.len() * 1500) as u64
    }
}
