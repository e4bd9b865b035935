//! The gatherer: what the records of an open bucket add up to, for each entity of each detector.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::plan::{DetectorPlan, Plan};
use super::reading::Reading;
use super::splitter::{RecordIds, text_of};
use super::table::{Interner, NONE, PairTable};
use crate::function::{Extra, Moments};
use crate::{FieldValue, Numbers};

/// What one detector gathered in one bucket. An entity with records has a slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gather {
    /// Entity → slot + 1; 0 without records.
    slot_of: Vec<u32>,
    /// Slot → entity.
    pub(crate) entities: Vec<u32>,
    /// Slot → sums.
    pub(crate) moments: Vec<Moments>,
    /// Slot → what else the function needs; recycled, so there may be more than slots.
    extras: Vec<Extra>,
    /// (entity, member) → slot, where a detector counts pairs.
    pairs: PairTable,
    /// (slot, influencer value) → part.
    part_of: PairTable,
    parts: Vec<Part>,
}

/// The records of an entity that carry one influencer value.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) records: f64,
    pub(crate) weight: f64,
    pub(crate) sum: f64,
    /// Sum of the values by weight.
    pub(crate) mass: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Default for Part {
    fn default() -> Self {
        let (min, max) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { records: 0.0, weight: 0.0, sum: 0.0, mass: 0.0, min, max }
    }
}

impl Part {
    /// Records without a number.
    pub(crate) fn counted(weight: f64) -> Self {
        Self { records: weight, ..Self::default() }
    }

    /// One record with a number.
    pub(crate) fn of(number: f64, weight: f64) -> Self {
        Self { records: weight, weight, sum: number, mass: number * weight, min: number, max: number }
    }

    /// Records with numbers of which only the sums are known.
    pub(crate) fn of_many(numbers: &Numbers) -> Self {
        let (count, Numbers { sum, min, max, .. }) = (numbers.count as f64, *numbers);
        Self { records: count, weight: count, sum, mass: sum, min, max }
    }

    fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.weight += other.weight;
        self.sum += other.sum;
        self.mass += other.mass;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

impl Gather {
    /// The slot of an entity; `extra` makes the function's state for a new one.
    pub(crate) fn slot(&mut self, entity: u32, plan: &DetectorPlan) -> usize {
        let at = entity as usize;
        if at >= self.slot_of.len() {
            self.slot_of.resize(at + 1, 0);
        }
        if self.slot_of[at] == 0 {
            self.add_slot(entity, plan);
            self.slot_of[at] = self.entities.len() as u32;
        }
        self.slot_of[at] as usize - 1
    }

    /// The slot of an entity and a member.
    pub(crate) fn pair_slot(&mut self, entity: u32, member: u32, plan: &DetectorPlan) -> usize {
        if let Some(slot) = self.pairs.get(entity, member) {
            return slot as usize;
        }
        self.add_slot(entity, plan);
        self.pairs.insert(entity, member) as usize
    }

    fn add_slot(&mut self, entity: u32, plan: &DetectorPlan) {
        let slot = self.entities.len();
        self.entities.push(entity);
        self.moments.push(Moments::default());
        if Extra::is_needed(plan.base) {
            match self.extras.get_mut(slot) {
                Some(extra) => extra.clear(),
                None => self.extras.push(Extra::new(plan.base)),
            }
        }
    }

    /// The slot of an entity that has records.
    pub(crate) fn find(&self, entity: u32) -> Option<usize> {
        self.slot_of.get(entity as usize).and_then(|slot| (*slot as usize).checked_sub(1))
    }

    /// Entity and member of a slot that counts pairs.
    pub(crate) fn pair(&self, slot: usize) -> (u32, u32) {
        self.pairs.pair(slot as u32)
    }

    pub(crate) fn extra(&self, slot: usize) -> Option<&Extra> {
        self.extras.get(slot)
    }

    pub(crate) fn extra_mut(&mut self, slot: usize) -> Option<&mut Extra> {
        self.extras.get_mut(slot)
    }

    /// Adds what records say; returns what an influencer that they carry has of it.
    pub(super) fn add(&mut self, slot: usize, said: Reading<'_>, weight: f64, buffer: &mut String) -> Part {
        match said {
            Reading::Number(number) => {
                self.moments[slot].add(number, weight);
                if let Some(extra) = self.extra_mut(slot) {
                    extra.add_number(number);
                }
                return Part::of(number, weight);
            }
            Reading::Numbers(numbers) => {
                self.moments[slot].add_many(&numbers);
                return Part::of_many(&numbers);
            }
            Reading::Nothing => {}
            Reading::Text(value) => {
                if let (Some(text), Some(extra)) = (text_of(value, buffer), self.extra_mut(slot)) {
                    extra.add_text(text);
                }
            }
            Reading::Position(latitude, longitude) => {
                if let Some(extra) = self.extra_mut(slot) {
                    extra.add_point(latitude, longitude);
                }
            }
        }
        self.moments[slot].count(weight);
        Part::counted(weight)
    }

    /// Notes that records of the slot carry influencer values (ids of [`OpenBucket`]).
    pub(crate) fn influence(&mut self, slot: usize, values: &[u32], added: &Part) {
        for value in values.iter().filter(|value| **value != NONE) {
            let at = match self.part_of.get(slot as u32, *value) {
                Some(at) => at,
                None => {
                    self.parts.push(Part::default());
                    self.part_of.insert(slot as u32, *value)
                }
            };
            self.parts[at as usize].add(added);
        }
    }

    /// All parts: slot, influencer value, part.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (u32, u32, &Part)> {
        self.parts.iter().enumerate().map(|(at, part)| {
            let (slot, value) = self.part_of.pair(at as u32);
            (slot, value, part)
        })
    }

    /// Empties it, keeping the room.
    fn clear(&mut self) {
        self.entities.iter().for_each(|entity| {
            if let Some(slot) = self.slot_of.get_mut(*entity as usize) {
                *slot = 0;
            }
        });
        self.entities.clear();
        self.moments.clear();
        self.pairs.clear();
        self.part_of.clear();
        self.parts.clear();
    }
}

impl Serialize for Gather {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let extras = &self.extras[..self.entities.len().min(self.extras.len())];
        let has_slots = self.slot_of.iter().any(|slot| *slot != 0);
        (has_slots, &self.entities, &self.moments, extras, &self.pairs, &self.part_of, &self.parts)
            .serialize(serializer)
    }
}

type SavedGather = (bool, Vec<u32>, Vec<Moments>, Vec<Extra>, PairTable, PairTable, Vec<Part>);

impl<'de> Deserialize<'de> for Gather {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (has_slots, entities, moments, extras, pairs, part_of, parts) =
            SavedGather::deserialize(deserializer)?;
        let mut gather = Self { slot_of: Vec::new(), entities, moments, extras, pairs, part_of, parts };
        if has_slots {
            let room = gather.entities.iter().max().map_or(0, |entity| *entity as usize + 1);
            gather.slot_of = vec![0; room];
            for (slot, entity) in gather.entities.iter().enumerate() {
                gather.slot_of[*entity as usize] = slot as u32 + 1;
            }
        }
        Ok(gather)
    }
}

/// A bucket that still takes records.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OpenBucket {
    /// Start, epoch seconds.
    pub(crate) start_s: i64,
    /// Input records, whatever became of them.
    pub(crate) event_count: u64,
    pub(crate) gathers: Vec<Gather>,
    /// Texts of influencers whose values do not outlive the bucket.
    transient: Vec<Interner>,
    /// (influencer, id of the text) ↔ influencer value.
    values: PairTable,
}

impl OpenBucket {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            start_s: 0,
            event_count: 0,
            gathers: vec![Gather::default(); plan.detectors.len()],
            transient: vec![Interner::default(); plan.influencers.len()],
            values: PairTable::default(),
        }
    }

    /// Makes it the bucket at `start_s`, empty.
    pub(crate) fn reset(&mut self, start_s: i64) {
        self.start_s = start_s;
        self.event_count = 0;
        self.gathers.iter_mut().for_each(Gather::clear);
        self.transient.iter_mut().for_each(Interner::clear);
        self.values.clear();
    }

    /// The influencer values of a record, one entry for each influencer ([`NONE`] without a value).
    pub(crate) fn influencer_values(
        &mut self,
        plan: &Plan,
        values: &[FieldValue<'_>],
        record: &RecordIds,
        text: &mut String,
        found: &mut Vec<u32>,
    ) {
        found.clear();
        for (index, influencer) in plan.influencers.iter().enumerate() {
            let id = if plan.lasting[influencer.column] {
                record.id(influencer.column)
            } else {
                let value = values.get(influencer.column).copied().unwrap_or(FieldValue::Missing);
                text_of(value, text)
                    .and_then(|text| self.transient[index].resolve(text, true))
                    .unwrap_or(NONE)
            };
            found.push(if id == NONE {
                NONE
            } else {
                let index = index as u32;
                self.values.get(index, id).unwrap_or_else(|| self.values.insert(index, id))
            });
        }
    }

    /// Influencer and id of its text, of an influencer value.
    pub(crate) fn influencer_value(&self, value: u32) -> (usize, u32) {
        let (influencer, id) = self.values.pair(value);
        (influencer as usize, id)
    }

    /// The text of an influencer value that does not outlive the bucket.
    pub(crate) fn transient_name(&self, influencer: usize, id: u32) -> &str {
        self.transient[influencer].name(id)
    }

    /// Calls `visit` with the influencer and id of every influencer value of the bucket.
    pub(crate) fn for_each_value(&self, mut visit: impl FnMut(usize, u32)) {
        for value in 0..self.values.ids() {
            let (influencer, id) = self.influencer_value(value);
            visit(influencer, id);
        }
    }

    pub(crate) fn fits(&self, plan: &Plan) -> bool {
        self.gathers.len() == plan.detectors.len() && self.transient.len() == plan.influencers.len()
    }
}
