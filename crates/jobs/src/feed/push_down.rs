//! Leaving the adding up to the store: when it is possible and worth it, and how the datafeed goes through whole buckets.

use std::time::Instant;

use engine::Grouping;
use types::Job;
use types::datafeed::Datafeed;

use super::groups::Piece;
use super::run::{FeedRun, Pass, ROWS_PER_BATCH};
use crate::open_job::{Command, FedGroup, FeedPosition};
use crate::{Error, Result};

/// Documents that a group must stand for on average: a group costs the store and the service about as much as so many
/// documents.
const WORTH: u64 = 5;
/// Buckets by which it is judged whether it is worth it.
const PROBE_BUCKETS: i64 = 4;
/// Groups that are asked for at a time, roughly.
const PIECE_GROUPS: i64 = 20_000;
const PIECE_BUCKETS_MAX: i64 = 1_000;

/// A datafeed whose documents the store may put together.
#[derive(Debug)]
pub(super) struct PushDown {
    grouping: Grouping,
    span_ms: i64,
    /// Is it worth it? Judged by the first documents from the time that was asked for, so that a datafeed which goes on after
    /// a crash comes to the same judgement.
    chosen: Option<bool>,
    /// Buckets that are asked for at a time.
    buckets: i64,
}

impl PushDown {
    /// `None` when the documents have to be read one by one, whatever they are.
    pub(super) fn new(feed: &Datafeed, job: &Job) -> Option<Self> {
        let is_computed =
            feed.aggregations.is_some() || feed.script_fields.is_some() || feed.runtime_mappings.is_some();
        let grouping = Grouping::of(job).filter(|_| !is_computed)?;
        let span_ms = job.analysis_config.bucket_span.as_millis().max(1);
        Some(Self { grouping, span_ms, chosen: None, buckets: PROBE_BUCKETS })
    }

    /// Where reading document by document ends, so that it can go on with whole buckets.
    pub(super) fn documents_until(&self, position: FeedPosition, end_ms: i64) -> i64 {
        if self.chosen != Some(true) || is_aligned(position, self.span_ms) {
            return end_ms;
        }
        end_ms.min((position.ms.div_euclid(self.span_ms) + 1).saturating_mul(self.span_ms))
    }

    fn judge(&mut self, piece: &Piece) -> bool {
        let worth = piece.documents >= WORTH * piece.groups as u64;
        tracing::debug!(piece.documents, piece.groups, worth, "whether groups are worth it");
        self.chosen = Some(worth);
        worth
    }

    /// Chooses how many buckets are asked for next, by what the last ones had.
    fn adapt(&mut self, buckets: i64, groups: usize) {
        let wanted = PIECE_GROUPS.saturating_mul(buckets) / i64::try_from(groups.max(1)).unwrap_or(i64::MAX);
        self.buckets = wanted.clamp(1, (self.buckets * 4).min(PIECE_BUCKETS_MAX));
    }
}

fn is_aligned(position: FeedPosition, span_ms: i64) -> bool {
    position.seen == 0 && position.ms.rem_euclid(span_ms) == 0
}

impl FeedRun {
    /// Reads whole buckets from the position on, as groups; `None` when they have to be read document by document.
    pub(super) async fn read_grouped(&mut self, start_ms: i64, until_ms: i64) -> Result<Option<Pass>> {
        let Some(mut push_down) = self.push_down.take() else { return Ok(None) };
        let done = self.read_if_worth(&mut push_down, start_ms, until_ms).await;
        self.push_down = Some(push_down);
        match done {
            Err(Error::Store(error)) if !error.is_transient() => {
                // Reading the documents tells what is wrong, unless it is the aggregation.
                tracing::warn!(%error, "a datafeed is not put together by the store");
                self.push_down = None;
                Ok(None)
            }
            other => other,
        }
    }

    async fn read_if_worth(
        &mut self,
        push_down: &mut PushDown,
        start_ms: i64,
        until_ms: i64,
    ) -> Result<Option<Pass>> {
        let span_ms = push_down.span_ms;
        let end_ms = until_ms.div_euclid(span_ms) * span_ms;
        if push_down.chosen == Some(false)
            || end_ms - start_ms < span_ms
            || !self.source.can_be_grouped(&push_down.grouping).await?
        {
            return Ok(None);
        }
        if push_down.chosen.is_none() {
            let Some(first_ms) = self.source.first_time(self.start_ms, until_ms).await? else {
                return Ok(None);
            };
            let probe = (first_ms, first_ms.saturating_add(PROBE_BUCKETS * span_ms).min(until_ms));
            let piece = self.source.groups(&push_down.grouping, span_ms, probe, true).await?;
            if !push_down.judge(&piece) {
                return Ok(None);
            }
        }
        if start_ms.rem_euclid(span_ms) != 0 || !is_aligned(self.position, span_ms) {
            return Ok(None);
        }
        self.read_buckets(push_down, start_ms, end_ms).await.map(Some)
    }

    async fn read_buckets(&mut self, push_down: &mut PushDown, mut at_ms: i64, end_ms: i64) -> Result<Pass> {
        let span_ms = push_down.span_ms;
        while at_ms < end_ms {
            let Some(first_ms) = self.source.first_time(at_ms, end_ms).await? else { break };
            let start_ms = first_ms.div_euclid(span_ms) * span_ms;
            let piece_ms = start_ms.saturating_add(push_down.buckets * span_ms).min(end_ms);
            self.running.reads(start_ms, piece_ms);
            let began = Instant::now();
            let piece = self.source.groups(&push_down.grouping, span_ms, (start_ms, piece_ms), false).await?;
            self.running.searched(began.elapsed().as_secs_f64() * 1000.0);
            push_down.adapt((piece_ms - start_ms) / span_ms, piece.groups);
            if self.send_piece(piece, span_ms, (start_ms, piece_ms)).await? == Pass::Stopped {
                return Ok(Pass::Stopped);
            }
            self.arrived(piece_ms).await?;
            at_ms = piece_ms;
        }
        self.arrived(end_ms).await?;
        Ok(Pass::Complete)
    }

    async fn send_piece(
        &mut self,
        piece: Piece,
        span_ms: i64,
        (start_ms, end_ms): (i64, i64),
    ) -> Result<Pass> {
        let Some(buckets) = piece.buckets else { return self.read_documents(start_ms, end_ms).await };
        let mut waiting = Vec::new();
        for bucket in buckets {
            let bucket_end_ms = bucket.start_ms + span_ms;
            match bucket.groups {
                Some(groups) => waiting.extend(groups),
                None => {
                    self.send_groups(&mut waiting, bucket.start_ms).await?;
                    if self.read_documents(bucket.start_ms, bucket_end_ms).await? == Pass::Stopped {
                        return Ok(Pass::Stopped);
                    }
                    self.arrived(bucket_end_ms).await?;
                }
            }
            if waiting.len() >= ROWS_PER_BATCH {
                self.send_groups(&mut waiting, bucket_end_ms).await?;
            }
            if self.running.asked_to_stop().is_some() {
                self.send_groups(&mut waiting, bucket_end_ms).await?;
                return Ok(Pass::Stopped);
            }
        }
        self.send_groups(&mut waiting, end_ms).await?;
        Ok(Pass::Complete)
    }

    /// Sends the groups of whole buckets; the datafeed would begin again at `until_ms`.
    async fn send_groups(&mut self, waiting: &mut Vec<FedGroup>, until_ms: i64) -> Result<()> {
        let groups = std::mem::take(waiting);
        self.rows += groups.iter().map(|group| group.records).sum::<u64>();
        self.position = FeedPosition { ms: until_ms, seen: 0 };
        self.handle.send(Command::FeedGroups { groups, until_ms }).await
    }
}
