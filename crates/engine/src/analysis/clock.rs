//! Which buckets are open, and which bucket a record belongs to.

use serde::{Deserialize, Serialize};

/// Empty buckets in a row after which the rest of a gap is skipped: a single wrong date must not cost millions of
/// buckets.
const GAP_BUCKETS_MAX: i64 = 200_000;

/// The job's place in time. Times are epoch seconds unless they say otherwise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketClock {
    span_s: i64,
    latency_s: i64,
    /// Start of the oldest open bucket; `None` before the first record.
    open_s: Option<i64>,
    /// Start of the newest bucket with a record.
    newest_s: Option<i64>,
    /// The newest record, in milliseconds.
    latest_ms: Option<i64>,
    /// Was a bucket closed, or does an open one have records? Buckets before the first record are no results.
    has_begun: bool,
    /// The rest of a gap that was skipped, from and to, until it is told.
    #[serde(skip)]
    skipped_s: Option<(i64, i64)>,
}

impl BucketClock {
    pub(crate) fn new(span_s: i64, latency_s: i64) -> Self {
        Self {
            span_s: span_s.max(1),
            latency_s: latency_s.max(0),
            open_s: None,
            newest_s: None,
            latest_ms: None,
            has_begun: false,
            skipped_s: None,
        }
    }

    /// The rest of a gap that was skipped, from and to in milliseconds, once.
    pub(crate) fn take_skipped(&mut self) -> Option<(i64, i64)> {
        let (from, to) = self.skipped_s.take()?;
        Some((from.saturating_mul(1000), to.saturating_mul(1000)))
    }

    pub(crate) fn span_s(&self) -> i64 {
        self.span_s
    }

    pub(crate) fn latest_ms(&self) -> Option<i64> {
        self.latest_ms
    }

    /// End of the newest closed bucket, in milliseconds.
    pub(crate) fn closed_until_ms(&self) -> Option<i64> {
        self.open_s.filter(|_| self.has_begun).map(|open| open.saturating_mul(1000))
    }

    /// Start of the oldest open bucket, in milliseconds.
    pub(crate) fn open_ms(&self) -> Option<i64> {
        self.open_s.map(|open| open.saturating_mul(1000))
    }

    /// Start of the bucket of a time.
    pub(crate) fn bucket_of(&self, time_ms: i64) -> i64 {
        // The first and last bucket of the number range have no room for their ends.
        let seconds = time_ms.div_euclid(1000).clamp(i64::MIN / 2000, i64::MAX / 2000);
        seconds.div_euclid(self.span_s) * self.span_s
    }

    /// Takes a record's time: the start of its bucket, or `None` when that is closed already.
    pub(crate) fn admit(&mut self, time_ms: i64) -> Option<i64> {
        let bucket = self.bucket_of(time_ms);
        let open = *self.open_s.get_or_insert_with(|| {
            let earliest = time_ms.saturating_sub(self.latency_s.saturating_mul(1000));
            let seconds = earliest.div_euclid(1000).clamp(i64::MIN / 2000, i64::MAX / 2000);
            seconds.div_euclid(self.span_s) * self.span_s
        });
        if bucket < open {
            return None;
        }
        self.latest_ms = Some(self.latest_ms.map_or(time_ms, |latest| latest.max(time_ms)));
        self.newest_s = Some(self.newest_s.map_or(bucket, |newest| newest.max(bucket)));
        Some(bucket)
    }

    /// The time before which buckets are final, given a record at `time_ms`.
    pub(crate) fn horizon_ms(&self, time_ms: i64) -> i64 {
        time_ms.saturating_sub(self.latency_s.saturating_mul(1000))
    }

    /// Does a bucket end at or before `time_ms`?
    pub(crate) fn is_due(&self, time_ms: i64) -> bool {
        self.open_s.is_some_and(|open| (open + self.span_s).saturating_mul(1000) <= time_ms)
    }

    /// Start of the next bucket that ends at or before `time_ms`, which is then closed. `has_data` says whether a
    /// bucket has records.
    pub(crate) fn close_next(&mut self, time_ms: i64, has_data: impl Fn(i64) -> bool) -> Option<i64> {
        loop {
            let open = self.open_s?;
            let end = open + self.span_s;
            if end.saturating_mul(1000) > time_ms {
                return None;
            }
            let remaining = (time_ms.div_euclid(1000) - open) / self.span_s;
            if remaining > GAP_BUCKETS_MAX && self.newest_s.is_none_or(|newest| newest < open) {
                let next = open + (remaining - 1) * self.span_s;
                self.skipped_s = Some((open, next));
                self.open_s = Some(next);
                continue;
            }
            self.open_s = Some(end);
            if self.has_begun || has_data(open) {
                self.has_begun = true;
                return Some(open);
            }
        }
    }

    /// Nothing before the bucket of `time_ms` is open any more.
    pub(crate) fn jump(&mut self, time_ms: i64) {
        let bucket = self.bucket_of(time_ms);
        if self.open_s.is_none_or(|open| open < bucket) {
            self.open_s = Some(bucket);
        }
    }

    /// Starts of the open buckets up to the newest record.
    pub(crate) fn open_buckets(&self) -> impl Iterator<Item = i64> + use<> {
        let span = self.span_s;
        let (mut next, end) = match (self.open_s, self.newest_s) {
            (Some(open), Some(newest)) => (open, newest),
            _ => (0, -1),
        };
        std::iter::from_fn(move || {
            (next <= end).then(|| {
                next += span;
                next - span
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_keeps_buckets_open() {
        let mut clock = BucketClock::new(60, 120);
        assert_eq!(clock.admit(600_000), Some(600));
        assert_eq!(clock.admit(480_000), Some(480));
        assert_eq!(clock.admit(479_999), None);
        assert_eq!(clock.close_next(clock.horizon_ms(659_999), |_| true), None);
        assert_eq!(clock.close_next(clock.horizon_ms(660_000), |_| true), Some(480));
        assert_eq!(clock.admit(500_000), None);
        assert_eq!(clock.open_buckets().collect::<Vec<_>>(), [540, 600]);
    }

    #[test]
    fn buckets_before_the_first_record_are_no_results() {
        let mut clock = BucketClock::new(60, 120);
        clock.admit(600_000);
        assert_eq!(clock.close_next(660_000, |bucket| bucket == 600), Some(600));
        assert_eq!(clock.closed_until_ms(), Some(660_000));
    }

    #[test]
    fn a_wrong_date_does_not_cost_millions_of_buckets() {
        let mut clock = BucketClock::new(1, 0);
        clock.admit(0);
        let mut closed = 0;
        while clock.close_next(i64::MAX / 2, |_| true).is_some() {
            closed += 1;
        }
        assert!(closed < 10);
        assert_eq!(clock.admit(i64::MAX), Some(clock.bucket_of(i64::MAX)));
        assert_eq!(clock.admit(i64::MIN), None);
    }
}
