//! The entities of one detector: its series, or the members of its populations.

use serde::{Deserialize, Serialize};

use super::table::{NONE, PAIR_BYTES, PairTable};

/// The ids of the values by which an entity is split; [`NONE`] where the detector has no such split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SplitIds {
    pub(crate) partition: u32,
    pub(crate) by: u32,
    pub(crate) over: u32,
}

/// When an entity was seen, in bucket numbers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Presence {
    first: i64,
    last: i64,
    /// Buckets in which it was seen.
    buckets: u32,
}

/// Split values ↔ dense ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entities {
    /// (partition, by) → group.
    groups: PairTable,
    /// (group, over) → member; without an over field the groups are the entities.
    members: Option<PairTable>,
    presence: Vec<Presence>,
}

/// A share of buckets from which on an entity is frequent (`exclude_frequent`).
const FREQUENT_SHARE: f64 = 0.8;
/// Buckets before which no entity is called frequent.
const FREQUENT_FROM: i64 = 10;

impl Entities {
    /// Bytes of an entity.
    pub(crate) const BYTES: usize = PAIR_BYTES + size_of::<Presence>();

    pub(crate) fn new(has_over: bool) -> Self {
        Self {
            groups: PairTable::default(),
            members: has_over.then(PairTable::default),
            presence: Vec::new(),
        }
    }

    /// The entity of the values; a new one when it is not known and `may_grow`.
    pub(crate) fn resolve(&mut self, split: SplitIds, bucket: i64, may_grow: bool) -> Option<u32> {
        let group = match self.groups.get_in_order(split.partition, split.by) {
            Some(group) => group,
            None if may_grow => self.groups.insert(split.partition, split.by),
            None => return None,
        };
        let entity = match &mut self.members {
            None => group,
            Some(members) => match members.get_in_order(group, split.over) {
                Some(member) => member,
                None if may_grow => members.insert(group, split.over),
                None => return None,
            },
        };
        let seen = Presence { first: bucket, last: bucket, buckets: 0 };
        match self.presence.get_mut(entity as usize) {
            None => self.presence.resize(entity as usize + 1, seen),
            Some(presence) if presence.first == i64::MAX => *presence = seen,
            Some(presence) => presence.last = presence.last.max(bucket),
        }
        Some(entity)
    }

    /// Notes that the entity was seen in a bucket that is final now.
    pub(crate) fn note(&mut self, entity: u32) {
        let buckets = &mut self.presence[entity as usize].buckets;
        *buckets = buckets.saturating_add(1);
    }

    pub(crate) fn split(&self, entity: u32) -> SplitIds {
        let (group, over) = self.members.as_ref().map_or((entity, NONE), |members| members.pair(entity));
        let (partition, by) = self.groups.pair(group);
        SplitIds { partition, by, over }
    }

    /// The population that a member belongs to; the entity itself without an over field.
    pub(crate) fn group(&self, entity: u32) -> u32 {
        self.members.as_ref().map_or(entity, |members| members.pair(entity).0)
    }

    /// Ids of entities given so far, free ones included.
    pub(crate) fn ids(&self) -> u32 {
        self.table().ids()
    }

    pub(crate) fn group_ids(&self) -> u32 {
        self.groups.ids()
    }

    pub(crate) fn live(&self) -> usize {
        self.table().live()
    }

    /// Ids that wait for new entities.
    pub(crate) fn free(&self) -> usize {
        self.ids() as usize - self.live()
    }

    /// The bucket in which the entity was seen first.
    pub(crate) fn first_seen(&self, entity: u32) -> i64 {
        self.presence[entity as usize].first
    }

    pub(crate) fn is_live(&self, entity: u32) -> bool {
        self.table().is_live(entity)
    }

    /// Was the entity seen in most buckets of its life?
    pub(crate) fn is_frequent(&self, entity: u32, bucket: i64) -> bool {
        let presence = self.presence[entity as usize];
        let age = bucket - presence.first;
        age >= FREQUENT_FROM && f64::from(presence.buckets) > FREQUENT_SHARE * age as f64
    }

    fn table(&self) -> &PairTable {
        self.members.as_ref().unwrap_or(&self.groups)
    }

    /// Entities that were last seen before bucket `before`, in the order of their ids.
    pub(crate) fn idle(&self, before: i64) -> Vec<u32> {
        let is_idle = |id: &u32| self.is_live(*id) && self.presence[*id as usize].last < before;
        (0..self.ids()).filter(is_idle).collect()
    }

    /// So many entities that are missed least after bucket `now`, in the order of their ids: unseen for the longest in
    /// relation to how often they were seen, so that a flood of names that come once does not drive out those that come
    /// daily. None that is in an open bucket.
    pub(crate) fn least_missed(&self, count: usize, now: i64) -> Vec<u32> {
        let candidates = (0..self.ids()).filter(|id| self.is_live(*id)).filter_map(|id| {
            let Presence { last, buckets, .. } = self.presence[id as usize];
            (last <= now).then(|| (neglect(last, buckets, now), id))
        });
        most_neglected(candidates.collect(), count)
    }

    /// Forgets entities.
    pub(crate) fn forget(&mut self, idle: &[u32]) {
        if idle.is_empty() {
            return;
        }
        for id in idle {
            self.presence[*id as usize].first = i64::MAX;
        }
        let presence = &self.presence;
        let stays = |id: u32| presence[id as usize].first != i64::MAX;
        if let Some(members) = &mut self.members {
            members.retain(stays);
            let mut has_members = vec![false; self.groups.ids() as usize];
            for id in (0..members.ids()).filter(|id| members.is_live(*id)) {
                has_members[members.pair(id).0 as usize] = true;
            }
            self.groups.retain(|group| has_members[group as usize]);
        } else {
            self.groups.retain(stays);
        }
    }

    /// Calls `visit` with the split of each live entity.
    pub(crate) fn for_each_split(&self, mut visit: impl FnMut(SplitIds)) {
        (0..self.ids()).filter(|id| self.is_live(*id)).for_each(|id| visit(self.split(id)));
    }

    pub(crate) fn bytes(&self) -> usize {
        let of_members = self.members.as_ref().map_or(0, |members| members.ids() as usize * PAIR_BYTES);
        self.groups.ids() as usize * PAIR_BYTES + of_members + self.presence.len() * size_of::<Presence>()
    }
}

/// How long something has been unseen, in relation to the number of buckets in which it was seen.
pub(crate) fn neglect(last: i64, buckets: u32, now: i64) -> f64 {
    (now.saturating_sub(last) as f64 + 1.0) / (f64::from(buckets) + 1.0)
}

/// The ids of the `count` greatest neglects, in their own order; of equal ones the later ids.
pub(crate) fn most_neglected(mut candidates: Vec<(f64, u32)>, count: usize) -> Vec<u32> {
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, |a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
        candidates.truncate(count);
    }
    let mut ids: Vec<u32> = candidates.into_iter().map(|(_, id)| id).collect();
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(partition: u32, by: u32, over: u32) -> SplitIds {
        SplitIds { partition, by, over }
    }

    #[test]
    fn members_are_pruned_with_their_groups() {
        let mut entities = Entities::new(true);
        assert_eq!(entities.resolve(split(0, NONE, 1), 5, true), Some(0));
        assert_eq!(entities.resolve(split(0, NONE, 2), 5, true), Some(1));
        assert_eq!(entities.resolve(split(1, NONE, 1), 9, true), Some(2));
        assert_eq!(entities.resolve(split(2, NONE, 1), 9, false), None);
        assert_eq!(entities.idle(6), [0, 1]);
        entities.forget(&[0, 1]);
        assert_eq!(entities.free(), 2);
        assert_eq!(entities.live(), 1);
        assert_eq!(entities.split(2), split(1, NONE, 1));
        assert_eq!(entities.resolve(split(0, NONE, 2), 9, false), None);
        assert!(entities.resolve(split(0, NONE, 2), 9, true).is_some_and(|id| id < 2));
    }

    #[test]
    fn those_that_came_once_are_missed_least() {
        let mut entities = Entities::new(true);
        for bucket in 0..50 {
            // One comes in each bucket, one in each tenth; others come once.
            for over in [1, if bucket % 10 == 0 { 2 } else { 1 }, 100 + bucket as u32] {
                let id = entities.resolve(split(0, NONE, over), bucket, true).unwrap();
                if over != 1 || bucket % 10 != 0 {
                    entities.note(id);
                }
            }
        }
        let over = |id: &u32| entities.split(*id).over;
        let oldest: Vec<u32> = entities.least_missed(3, 49).iter().map(over).collect();
        assert_eq!(oldest, [100, 101, 102]);
        let most: Vec<u32> = entities.least_missed(46, 49).iter().map(over).collect();
        assert!(!most.contains(&1) && !most.contains(&2), "{most:?}");
        // What is in an open bucket stays.
        assert_eq!(entities.least_missed(100, 48).len(), 50);
    }

    #[test]
    fn frequent_means_seen_in_most_buckets() {
        let mut entities = Entities::new(false);
        entities.resolve(split(0, 1, NONE), 0, true);
        entities.resolve(split(0, 2, NONE), 0, true);
        for bucket in 0..20 {
            entities.note(0);
            if bucket % 2 == 0 {
                entities.note(1);
            }
        }
        assert!(entities.is_frequent(0, 20) && !entities.is_frequent(1, 20) && !entities.is_frequent(0, 5));
    }
}
