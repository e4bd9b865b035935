//! Groups of documents in place of the documents: what a datafeed sends when the store has added them up.

use std::sync::Arc;

use engine::{FieldValue, Group, GroupValue, Numbers};
use types::TimestampMs;

use super::checkpoint::FeedPosition;
use super::task::Task;
use super::worker::{GAP_BUCKETS, NUMBER_BYTES, TIME_BYTES, Worker};
use crate::Result;
use crate::ingest::InputCounts;

/// Documents of one bucket that agree in their texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FedGroup {
    pub(crate) records: u64,
    /// Times of the oldest and the newest.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// One for each analysed field.
    pub(crate) values: Vec<FedValue>,
}

/// What they have in a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FedValue {
    Missing,
    Text(String),
    Number(f64),
    Numbers(Numbers),
}

impl FedValue {
    fn value(&self) -> GroupValue<'_> {
        match self {
            Self::Missing => GroupValue::Same(FieldValue::Missing),
            Self::Text(text) => GroupValue::Same(FieldValue::Str(text)),
            Self::Number(number) => GroupValue::Same(FieldValue::Num(*number)),
            Self::Numbers(numbers) => GroupValue::Numbers(*numbers),
        }
    }

    /// Documents that have a value, of `records`, and the bytes that each counts for.
    fn counted(&self, records: u64) -> (u64, u64) {
        match self {
            Self::Missing => (0, 0),
            Self::Text(text) => (if text.is_empty() { 0 } else { records }, text.len() as u64),
            Self::Number(_) => (records, NUMBER_BYTES as u64),
            Self::Numbers(numbers) => (numbers.count, NUMBER_BYTES as u64),
        }
    }
}

impl Worker {
    /// Takes the groups from number `from` on, of whole buckets that end at or before `until_ms`, where the datafeed would begin
    /// again. They are counted as the documents that they stand for. Says which group comes next: it stops early where
    /// documents of a long gap should be written.
    pub(super) fn push_groups(
        &mut self,
        groups: &[FedGroup],
        from: usize,
        until_ms: i64,
        now: TimestampMs,
    ) -> usize {
        let mut input = InputCounts::default();
        let mut values: Vec<GroupValue<'_>> = Vec::new();
        for (at, group) in groups.iter().enumerate().skip(from) {
            let is_possible = self.is_possible(group.last_ms, now);
            if is_possible && self.model.close_some(group.last_ms, GAP_BUCKETS, &mut self.output) {
                self.collect();
                self.count(input, now);
                return at;
            }
            values.clear();
            input.records += group.records;
            input.bytes += TIME_BYTES * group.records;
            for value in &group.values {
                let (found, bytes) = value.counted(group.records);
                input.fields += found;
                input.bytes += found * bytes;
                values.push(value.value());
            }
            let FedGroup { records, first_ms, last_ms, .. } = *group;
            let group = Group { records, first_ms, last_ms, values: &values };
            if !is_possible {
                input.invalid_dates += records;
                continue;
            }
            self.model.push_group(&group, &mut self.output);
            self.records_since += records;
            self.collect();
        }
        self.count(input, now);
        self.feed_position = Some(FeedPosition { ms: until_ms, seen: 0 });
        groups.len()
    }
}

impl Task {
    /// Whole buckets are taken as one, so that no checkpoint lies between the groups of a bucket.
    pub(super) async fn feed_groups(&mut self, groups: Vec<FedGroup>, until_ms: i64) -> Result<()> {
        let now = self.clock.now();
        let (groups, mut from) = (Arc::new(groups), 0);
        loop {
            let part = Arc::clone(&groups);
            from = self.work(move |worker| worker.push_groups(&part, from, until_ms, now)).await?;
            self.submit().await?;
            if from >= groups.len() {
                return Ok(());
            }
        }
    }
}
