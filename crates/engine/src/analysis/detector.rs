//! One detector's state, whatever its kind.

use serde::{Deserialize, Serialize};
use types::BaseFunction;

use super::circular::Circular;
use super::entities::{Entities, SplitIds};
use super::finding::{Sink, View};
use super::gatherer::Gather;
use super::geo::Geo;
use super::individual::Individual;
use super::plan::{DetectorPlan, Plan};
use super::population::Population;
use super::rare::Rare;
use super::rare_population::RarePopulation;
use crate::model::Form;

/// The models of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum DetectorState {
    Individual(Individual),
    Population(Population),
    Rare(Rare),
    RarePopulation(RarePopulation),
    Circular(Circular),
    Geo(Geo),
}

impl DetectorState {
    pub(crate) fn new(plan: &Plan, detector: &DetectorPlan) -> Self {
        match (detector.base, detector.over) {
            (BaseFunction::Rare | BaseFunction::FreqRare, Some(_)) => {
                Self::RarePopulation(RarePopulation::new())
            }
            (BaseFunction::Rare | BaseFunction::FreqRare, None) => Self::Rare(Rare::new()),
            (BaseFunction::TimeOfDay | BaseFunction::TimeOfWeek, _) => {
                Self::Circular(Circular::new(detector))
            }
            (BaseFunction::LatLong, _) => Self::Geo(Geo::new(detector)),
            (_, Some(_)) => Self::Population(Population::new(detector)),
            (_, None) => Self::Individual(Individual::new(plan, detector)),
        }
    }

    /// Fills in what is not saved.
    pub(crate) fn set_up(&mut self, plan: &Plan, detector: &DetectorPlan) {
        match self {
            Self::Individual(state) => state.set_up(plan, detector),
            Self::Population(state) => state.set_up(detector),
            _ => {}
        }
    }

    /// Does a restored state fit the detector, and do its parts fit together?
    pub(crate) fn is_sound(&self, plan: &Plan, detector: &DetectorPlan) -> bool {
        let is_same_kind = std::mem::discriminant(self) == std::mem::discriminant(&Self::new(plan, detector));
        is_same_kind
            && match self {
                Self::Individual(state) => state.is_sound(),
                Self::Population(state) => state.is_sound(),
                Self::Rare(state) => state.is_sound(),
                Self::RarePopulation(state) => state.is_sound(),
                Self::Circular(state) => state.is_sound(detector),
                Self::Geo(state) => state.is_sound(),
            }
    }

    pub(crate) fn entities(&self) -> &Entities {
        match self {
            Self::Individual(state) => &state.entities,
            Self::Population(state) => &state.entities,
            Self::Rare(state) => &state.entities,
            Self::RarePopulation(state) => &state.entities,
            Self::Circular(state) => &state.entities,
            Self::Geo(state) => &state.entities,
        }
    }

    fn entities_mut(&mut self) -> &mut Entities {
        match self {
            Self::Individual(state) => &mut state.entities,
            Self::Population(state) => &mut state.entities,
            Self::Rare(state) => &mut state.entities,
            Self::RarePopulation(state) => &mut state.entities,
            Self::Circular(state) => &mut state.entities,
            Self::Geo(state) => &mut state.entities,
        }
    }

    /// The slot of a record's entity; `None` when it would be a new one and there is no room.
    pub(crate) fn slot(
        &mut self,
        split: SplitIds,
        bucket: i64,
        may_grow: bool,
        gather: &mut Gather,
        detector: &DetectorPlan,
    ) -> Option<usize> {
        let entity = self.entities_mut().resolve(split, bucket, may_grow)?;
        Some(match self {
            Self::RarePopulation(_) => gather.pair_slot(entity, split.over, detector),
            _ => gather.slot(entity, detector),
        })
    }

    /// Judges and learns a bucket.
    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        match self {
            Self::Individual(state) => state.close(view, gather, sink),
            Self::Population(state) => state.close(view, gather, sink),
            Self::Rare(state) => state.close(view, gather, sink),
            Self::RarePopulation(state) => state.close(view, gather, sink),
            Self::Circular(state) => state.close(view, gather, sink),
            Self::Geo(state) => state.close(view, gather, sink),
        }
    }

    /// Sets the models' clock forward by `seconds`; says whether they have one.
    pub(crate) fn shift_time(&mut self, seconds: i64) -> bool {
        match self {
            Self::Individual(state) => state.shift_time(seconds),
            Self::Circular(state) => state.shift_time(seconds),
            Self::Population(_) | Self::Rare(_) | Self::RarePopulation(_) | Self::Geo(_) => return false,
        }
        true
    }

    /// Judges a bucket that is not full yet; learns nothing.
    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        match self {
            Self::Individual(state) => state.interim(view, gather, sink),
            Self::Population(state) => state.interim(view, gather, sink),
            Self::Rare(state) => state.interim(view, gather, sink),
            Self::RarePopulation(state) => state.interim(view, gather, sink),
            Self::Circular(state) => state.interim(view, gather, sink),
            Self::Geo(state) => state.interim(view, gather, sink),
        }
    }

    /// Number of things that are judged independently in a bucket.
    pub(crate) fn crowd(&self) -> usize {
        match self {
            Self::Population(state) => state.entities.group_ids() as usize,
            Self::Individual(state) => state.entities.live(),
            Self::Rare(_) | Self::RarePopulation(_) | Self::Circular(_) | Self::Geo(_) => 1,
        }
    }

    /// Forgets entities that were last seen before bucket `before`.
    pub(crate) fn prune(&mut self, before: i64) {
        let idle = self.entities().idle(before);
        self.forget(&idle);
        if let Self::RarePopulation(state) = self {
            let idle = state.idle_members(before);
            state.forget_members(&idle);
        }
    }

    fn forget(&mut self, idle: &[u32]) {
        if idle.is_empty() {
            return;
        }
        self.entities_mut().forget(idle);
        match self {
            Self::Individual(state) => state.forget(idle),
            Self::Population(state) => state.forget(idle),
            Self::Rare(state) => state.forget(idle),
            Self::RarePopulation(state) => state.forget_values(idle),
            Self::Circular(state) => state.forget(idle),
            Self::Geo(state) => state.forget(idle),
        }
    }

    /// Forgets this share of the entities, those that are missed least, of detectors whose entities have no smaller form.
    /// Returns how many.
    pub(crate) fn evict(&mut self, share: f64, now: i64) -> u64 {
        if matches!(self, Self::Individual(_)) {
            return 0;
        }
        let of = |live: usize| (share * live as f64).ceil() as usize;
        let values = self.entities().least_missed(of(self.entities().live()), now);
        self.forget(&values);
        let mut evicted = values.len();
        if let Self::RarePopulation(state) = self {
            let members = state.least_missed_members(of(state.live_members()), now);
            state.forget_members(&members);
            evicted += members.len();
        }
        evicted as u64
    }

    /// Makes and accounts for the models of new entities, where they have some of their own.
    pub(crate) fn make_room(&mut self) {
        if let Self::Individual(state) = self {
            state.make_room();
        }
    }

    /// Changes the form of models until `bytes` have been freed, or taken.
    pub(crate) fn change_forms(&mut self, from: Form, to: Form, bytes: u64) {
        if let Self::Individual(state) = self {
            state.change_forms(from, to, bytes);
        }
    }

    /// What models are still to grow by until they have the full size of their form.
    pub(crate) fn growth_bytes(&self) -> u64 {
        if let Self::Individual(state) = self { state.growth_bytes() } else { 0 }
    }

    /// Models by form, where there are such.
    pub(crate) fn forms(&self) -> [u64; Form::COUNT] {
        match self {
            Self::Individual(state) => state.forms(),
            _ => [0; Form::COUNT],
        }
    }

    /// Calls `visit` with the split of everything that is known.
    pub(crate) fn for_each_split(&self, mut visit: impl FnMut(SplitIds)) {
        self.entities().for_each_split(&mut visit);
        if let Self::RarePopulation(state) = self {
            state.for_each_member(visit);
        }
    }

    /// What a new entity takes, roughly, without its name.
    pub(crate) fn entity_bytes(&self, detector: &DetectorPlan) -> u64 {
        match self {
            Self::Individual(state) => state.entity_bytes(),
            Self::Population(state) => state.member_bytes(),
            Self::Rare(_) => Rare::value_bytes(),
            Self::RarePopulation(_) => RarePopulation::value_bytes(),
            Self::Circular(_) => Circular::series_bytes(detector),
            Self::Geo(_) => Geo::series_bytes(1),
        }
    }

    /// Bytes that are accounted for and wait for new entities.
    pub(crate) fn reusable_bytes(&self) -> u64 {
        let free = self.entities().free() as u64;
        match self {
            Self::Individual(state) => state.reusable_bytes(),
            Self::Population(state) => free * state.member_bytes(),
            Self::Rare(_) => free * Rare::value_bytes(),
            Self::RarePopulation(state) => state.reusable_bytes(),
            Self::Circular(_) | Self::Geo(_) => free * Geo::series_bytes(0),
        }
    }

    /// A number that grows by one with each entity that takes memory: one that gets the place of a forgotten one takes
    /// some only where entities have more than a place.
    pub(crate) fn places_taken(&self) -> usize {
        match self {
            Self::Individual(_) | Self::Circular(_) | Self::Geo(_) => self.entities().live(),
            Self::Population(_) | Self::Rare(_) | Self::RarePopulation(_) => self.entities().ids() as usize,
        }
    }

    /// Bytes of models that grow while a bucket is closed; zero where they do not.
    pub(crate) fn series_bytes(&self) -> u64 {
        match self {
            Self::Individual(state) => state.bytes(),
            _ => 0,
        }
    }

    pub(crate) fn bytes(&self, detector: &DetectorPlan) -> u64 {
        match self {
            Self::Individual(state) => state.bytes(),
            Self::Population(state) => state.bytes(),
            Self::Rare(state) => state.bytes(),
            Self::RarePopulation(state) => state.bytes(),
            Self::Circular(state) => state.bytes(detector),
            Self::Geo(state) => state.bytes(),
        }
    }
}
