//! Categories of their own for each value of the partition field, with ids that are unique over all of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};
use types::stats::CategorizationStatus;

use super::categorizer::Categorizer;
use super::config::{CategorizerConfig, ConfigError};
use super::definition::Definition;
use super::stats::CategorizerStats;

/// Messages between two looks at the status of a partition: the status takes a pass over the categories.
const MESSAGES_PER_CHECK: u64 = 100;

/// One [`Categorizer`] for each partition (`per_partition_categorization`).
#[derive(Debug, Serialize)]
pub struct PartitionedCategorizer {
    stop_on_warn: bool,
    may_grow: bool,
    /// Categorises nothing; new partitions begin as it is.
    blank: Categorizer,
    /// Partition value → place in `partitions`.
    places: BTreeMap<String, u32>,
    partitions: Vec<Partition>,
    /// What category `id` is, at `id - 1`.
    owners: Vec<Owner>,
    failed: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Partition {
    value: String,
    categorizer: Categorizer,
    /// Id in the whole of the partition's category `i + 1`.
    ids: Vec<u32>,
    is_stopped: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Owner {
    place: u32,
    own_id: u32,
}

impl PartitionedCategorizer {
    /// With `stop_on_warn` a partition whose status turns to `warn` is categorised no longer.
    ///
    /// # Errors
    /// As [`Categorizer::new`].
    pub fn new(config: &CategorizerConfig, stop_on_warn: bool) -> Result<Self, ConfigError> {
        Ok(Self {
            stop_on_warn,
            may_grow: true,
            blank: Categorizer::new(config)?,
            places: BTreeMap::new(),
            partitions: Vec::new(),
            owners: Vec::new(),
            failed: 0,
        })
    }

    /// The category of the message within the partition: an id from 1, unique over all partitions. `None` as for
    /// [`Categorizer::categorize`], and where the partition was stopped.
    pub fn categorize(&mut self, partition: &str, message: &str) -> Option<u32> {
        let place = match self.places.get(partition) {
            Some(&place) => place,
            None if self.may_grow => self.add_partition(partition),
            None => {
                self.failed += 1;
                return None;
            }
        };
        let of_partition = &mut self.partitions[place as usize];
        if of_partition.is_stopped {
            return None;
        }
        let own_id = of_partition.categorizer.categorize(message)?;
        while of_partition.ids.len() < own_id as usize {
            let own_id = of_partition.ids.len() as u32 + 1;
            self.owners.push(Owner { place, own_id });
            of_partition.ids.push(self.owners.len() as u32);
        }
        let id = of_partition.ids[own_id as usize - 1];
        if self.stop_on_warn && of_partition.categorizer.categorized().is_multiple_of(MESSAGES_PER_CHECK) {
            let status = of_partition.categorizer.stats().categorization_status;
            of_partition.is_stopped = status == CategorizationStatus::Warn;
        }
        Some(id)
    }

    /// As [`Categorizer::set_may_grow`], also for new partitions.
    pub fn set_may_grow(&mut self, may_grow: bool) {
        self.may_grow = may_grow;
        self.partitions.iter_mut().for_each(|p| p.categorizer.set_may_grow(may_grow));
    }

    /// The partition value and the definition of a category, or `None` for an id that was never given.
    pub fn definition(&self, id: u32) -> Option<(&str, Definition)> {
        let owner = self.owners.get((id as usize).checked_sub(1)?)?;
        let partition = &self.partitions[owner.place as usize];
        let mut definition = partition.categorizer.definition(owner.own_id)?;
        let whole = |own_id: u32| partition.ids[own_id as usize - 1];
        definition.category_id = id;
        definition.superseded_by = definition.superseded_by.map(whole);
        definition.preferred_to_categories =
            definition.preferred_to_categories.into_iter().map(whole).collect();
        Some((&partition.value, definition))
    }

    /// As [`Categorizer::take_changed`].
    pub fn take_changed(&mut self) -> Vec<u32> {
        self.take(Categorizer::take_changed)
    }

    /// As [`Categorizer::take_counted`].
    pub fn take_counted(&mut self) -> Vec<u32> {
        self.take(Categorizer::take_counted)
    }

    fn take(&mut self, take_own: fn(&mut Categorizer) -> Vec<u32>) -> Vec<u32> {
        let mut ids = Vec::new();
        for partition in &mut self.partitions {
            let own_ids = take_own(&mut partition.categorizer);
            ids.extend(own_ids.into_iter().map(|own_id| partition.ids[own_id as usize - 1]));
        }
        ids.sort_unstable();
        ids
    }

    /// The wanted partition values in order, each with its counts and whether it was stopped.
    pub fn partition_stats(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&str, CategorizerStats, bool)> {
        self.places.iter().filter(move |(value, _)| wanted(value)).map(|(value, &place)| {
            let partition = &self.partitions[place as usize];
            (value.as_str(), partition.categorizer.stats(), partition.is_stopped)
        })
    }

    /// Sums over the partitions; `warn` when one of them warns.
    pub fn stats(&self) -> CategorizerStats {
        let mut sum = self.blank.stats();
        sum.failed_category_count = self.failed;
        for partition in &self.partitions {
            sum.add(&partition.categorizer.stats());
        }
        sum
    }

    /// Memory in bytes.
    pub fn memory_bytes(&self) -> usize {
        let of_partition = |p: &Partition| {
            size_of::<Partition>() + 3 * p.value.len() + p.ids.len() * 4 + p.categorizer.memory_bytes()
        };
        size_of::<Self>()
            + self.partitions.iter().map(of_partition).sum::<usize>()
            + self.owners.len() * size_of::<Owner>()
    }

    fn add_partition(&mut self, value: &str) -> u32 {
        let place = self.partitions.len() as u32;
        let categorizer = self.blank.blank_copy();
        self.places.insert(value.to_owned(), place);
        self.partitions.push(Partition {
            value: value.to_owned(),
            categorizer,
            ids: Vec::new(),
            is_stopped: false,
        });
        place
    }
}

/// The saved fields, before they are checked.
#[derive(Deserialize)]
struct Saved {
    stop_on_warn: bool,
    may_grow: bool,
    blank: Categorizer,
    places: BTreeMap<String, u32>,
    partitions: Vec<Partition>,
    owners: Vec<Owner>,
    failed: u64,
}

impl<'de> Deserialize<'de> for PartitionedCategorizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut saved = Saved::deserialize(deserializer)?;
        let owner_is_known = |o: &Owner| {
            let partition = saved.partitions.get(o.place as usize);
            partition.is_some_and(|p| (1..=p.ids.len()).contains(&(o.own_id as usize)))
        };
        let is_whole = |p: &Partition| {
            p.ids.len() == p.categorizer.category_count() as usize
                && p.ids.iter().all(|id| (1..=saved.owners.len()).contains(&(*id as usize)))
        };
        let is_consistent = saved.places.len() == saved.partitions.len()
            && saved.places.values().all(|p| (*p as usize) < saved.partitions.len())
            && saved.owners.iter().all(owner_is_known)
            && saved.partitions.iter().all(is_whole);
        if !is_consistent {
            return Err(de::Error::custom("the state of the partitions' categorizers is inconsistent"));
        }
        for partition in &mut saved.partitions {
            partition.categorizer.share_analyzer(&saved.blank);
        }
        let Saved { stop_on_warn, may_grow, blank, places, partitions, owners, failed } = saved;
        Ok(Self { stop_on_warn, may_grow, blank, places, partitions, owners, failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_over_partitions_and_survive_a_restart() {
        let mut whole = PartitionedCategorizer::new(&CategorizerConfig::default(), false).unwrap();
        assert_eq!(whole.categorize("a", "disk is full"), Some(1));
        assert_eq!(whole.categorize("b", "disk is full"), Some(2));
        assert_eq!(whole.categorize("a", "network is down today"), Some(3));
        let bytes = postcard::to_allocvec(&whole).unwrap();
        let mut whole: PartitionedCategorizer = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(postcard::to_allocvec(&whole).unwrap(), bytes);
        assert_eq!(whole.categorize("b", "disk is full"), Some(2));
        assert_eq!(whole.categorize("b", "network is down today"), Some(4));
        assert_eq!(whole.take_changed(), [1, 2, 3, 4]);
        let (partition, definition) = whole.definition(4).unwrap();
        assert_eq!((partition, definition.category_id, definition.num_matches), ("b", 4, 1));
        assert_eq!(whole.stats().categorized_doc_count, 5);
        assert_eq!(whole.stats().total_category_count, 4);
    }

    #[test]
    fn merged_categories_are_named_by_the_ids_of_the_whole() {
        let mut whole = PartitionedCategorizer::new(&CategorizerConfig::default(), false).unwrap();
        whole.categorize("other", "something else goes on");
        for user in ["anna", "bert", "carl", "dora", "emil"] {
            whole.categorize("a", &format!("session of {user} ended after timeout"));
        }
        assert_eq!(whole.definition(2).unwrap().1.preferred_to_categories, [3, 4, 5]);
        assert_eq!(whole.definition(5).unwrap().1.superseded_by, Some(2));
    }

    #[test]
    fn only_the_partition_that_warns_is_stopped() {
        let mut whole = PartitionedCategorizer::new(&CategorizerConfig::default(), true).unwrap();
        let texts = ["disk is full", "network is down", "all is well"];
        let mut last = (None, None);
        for i in 0..150 {
            last = (whole.categorize("good", texts[i % 3]), whole.categorize("bad", "always the same"));
        }
        assert!(last.0.is_some());
        assert_eq!(last.1, None);
        let stopped: Vec<(&str, bool)> =
            whole.partition_stats(|_| true).map(|(value, _, stopped)| (value, stopped)).collect();
        assert_eq!(stopped, [("bad", true), ("good", false)]);
        assert_eq!(whole.stats().categorization_status, CategorizationStatus::Warn);
    }

    #[test]
    fn without_room_no_partition_is_made() {
        let mut whole = PartitionedCategorizer::new(&CategorizerConfig::default(), false).unwrap();
        whole.categorize("a", "disk is full");
        whole.set_may_grow(false);
        assert_eq!(whole.categorize("b", "disk is full"), None);
        assert_eq!(whole.categorize("a", "disk is full"), Some(1));
        assert_eq!(whole.stats().failed_category_count, 1);
    }
}
