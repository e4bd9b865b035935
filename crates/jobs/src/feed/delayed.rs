//! Documents that came too late: buckets that have fewer records than the source has documents by now.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::{IndicesOptions, indices};
use types::{Job, TimestampMs};

use super::run::FeedRun;
use crate::Result;
use crate::annotations::{Annotation, Event};
use crate::notifications::Level;
use crate::results::{Paging, Search};

/// Buckets that one look compares at most: a page of results.
const BUCKETS_MAX: i64 = 10_000;

/// What was looked at, and what was told.
#[derive(Clone, Debug, Default)]
pub(super) struct DelayedData {
    /// End of the newest bucket of the last look.
    looked_until_ms: i64,
    /// Start of a bucket → documents that were told to be missing from it.
    told: BTreeMap<i64, u64>,
}

/// Documents in each bucket that were not there when it was analysed.
fn missing(found: &BTreeMap<i64, u64>, analysed: &BTreeMap<i64, u64>) -> BTreeMap<i64, u64> {
    analysed
        .iter()
        .filter_map(|(start_ms, count)| {
            let late = found.get(start_ms).copied().unwrap_or(0).saturating_sub(*count);
            (late > 0).then_some((*start_ms, late))
        })
        .collect()
}

/// Is there a bucket that misses more than was told?
fn is_news(missing: &BTreeMap<i64, u64>, told: &BTreeMap<i64, u64>) -> bool {
    missing.iter().any(|(start_ms, late)| told.get(start_ms).is_none_or(|known| late > known))
}

impl FeedRun {
    /// Looks once for every bucket that was closed, as far back as the configuration says.
    pub(super) async fn look_for_delayed(&mut self, read_until_ms: i64) -> Result<()> {
        let feed = &self.source.feed;
        if !feed.delayed_data_check_config.enabled {
            return Ok(());
        }
        let span_ms = self.job.analysis_config.bucket_span.as_millis().max(1);
        let end_ms = read_until_ms.div_euclid(span_ms) * span_ms;
        if end_ms <= self.delayed.looked_until_ms {
            return Ok(());
        }
        self.delayed.looked_until_ms = end_ms;
        let window_ms = feed.delayed_check_window_ms(span_ms / 1000).min(BUCKETS_MAX * span_ms);
        // The bucket in which the datafeed began was not read as a whole.
        let first_ms =
            self.start_ms.div_euclid(span_ms).saturating_add(i64::from(self.start_ms % span_ms != 0));
        let start_ms = (end_ms - window_ms).div_euclid(span_ms).max(first_ms) * span_ms;
        if start_ms >= end_ms {
            return Ok(());
        }
        let analysed = self.analysed_counts(start_ms, end_ms).await?;
        if analysed.is_empty() {
            return Ok(());
        }
        let found = self.source.counts(start_ms, end_ms, span_ms).await?;
        let missing = missing(&found, &analysed);
        let news = is_news(&missing, &self.delayed.told);
        self.delayed.told.retain(|bucket_ms, _| *bucket_ms >= start_ms);
        if news {
            self.tell_delayed(&missing, span_ms).await?;
            self.delayed.told.extend(missing);
        }
        Ok(())
    }

    /// Records of each final bucket.
    async fn analysed_counts(&self, start_ms: i64, end_ms: i64) -> Result<BTreeMap<i64, u64>> {
        let job_id = &self.job.job_id;
        let search = Search::of("bucket")
            .without_interim(true)
            .between(Some(TimestampMs(start_ms)), Some(TimestampMs(end_ms)))?
            .sorted("timestamp", false)
            .paged(Paging { from: 0, size: BUCKETS_MAX });
        let found = self.jobs.search_results(job_id, &search).await?;
        let count = |bucket: &Value| {
            let number = |name: &str| bucket.get(name).and_then(Value::as_i64);
            Some((number("timestamp")?, u64::try_from(number("event_count")?).ok()?))
        };
        Ok(found.items.iter().filter_map(|(_, bucket)| count(bucket)).collect())
    }

    async fn tell_delayed(&self, missing: &BTreeMap<i64, u64>, span_ms: i64) -> Result<()> {
        let (Some((first_ms, _)), Some((last_ms, _))) = (missing.first_key_value(), missing.last_key_value())
        else {
            return Ok(());
        };
        let count: u64 = missing.values().sum();
        let text = format!(
            "Datafeed has missed {count} documents due to ingest latency, latest bucket with missing data is [{}]. \
             Consider increasing query_delay",
            TimestampMs(*last_ms).to_iso()
        );
        let inner = &self.jobs.inner;
        let job_id = &self.job.job_id;
        let annotation = Annotation::new(job_id, Event::DelayedData, text.clone(), inner.clock.now())
            .at(TimestampMs(*first_ms), TimestampMs(last_ms.saturating_add(span_ms)))
            .named(format!("{job_id}_annotation_delayed_data_{first_ms}"));
        store::check_all(inner.store.bulk(vec![annotation.op()?]).await?)?;
        inner.store.refresh(indices::ANNOTATIONS_WRITE).await?;
        inner.notifier.tell(job_id, Level::Warning, text).await;
        Ok(())
    }
}

impl super::source::Source {
    /// Documents in each bucket of a span of time, as the source has them now.
    pub(super) async fn counts(
        &self,
        start_ms: i64,
        end_ms: i64,
        span_ms: i64,
    ) -> Result<BTreeMap<i64, u64>> {
        let histogram = json!({"date_histogram": {"field": self.time_field, "fixed_interval": format!("{span_ms}ms"),
            "min_doc_count": 1}});
        let mut body =
            json!({"query": self.query(start_ms, end_ms), "size": 0, "aggs": {"buckets": histogram}});
        if let Some(runtime) = &self.feed.runtime_mappings {
            body["runtime_mappings"] = runtime.clone();
        }
        let answer = self.search(&body).await?;
        let buckets = answer.pointer("/aggregations/buckets/buckets").and_then(Value::as_array);
        let count =
            |bucket: &Value| Some((bucket.get("key")?.as_f64()? as i64, bucket.get("doc_count")?.as_u64()?));
        Ok(buckets.into_iter().flatten().filter_map(count).collect())
    }

    async fn search(&self, body: &Value) -> Result<Value> {
        let options: &IndicesOptions = &self.options;
        Ok(self.store.search(&self.indices(), body, options).await?)
    }
}

/// Checks the window in which a datafeed looks for late documents.
///
/// # Errors
/// When it is no longer than a bucket, or has too many of them.
pub(crate) fn check_window(feed: &types::datafeed::Datafeed, job: &Job) -> Result<()> {
    let config = &feed.delayed_data_check_config;
    let Some(window) = config.check_window.filter(|_| config.enabled) else { return Ok(()) };
    let span = job.analysis_config.bucket_span;
    if window.as_millis() <= span.as_millis() {
        return Err(crate::Error::argument(format!(
            "delayed_data_check_config: check_window [{window}] must be greater than the bucket_span [{span}]"
        )));
    }
    if window.as_millis() >= span.as_millis().saturating_mul(BUCKETS_MAX) {
        return Err(crate::Error::argument(format!(
            "delayed_data_check_config: check_window [{window}] must be less than 10,000x the bucket_span [{span}]"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_buckets_with_results_can_miss_documents() {
        let found = BTreeMap::from([(0, 5), (10, 7), (20, 1)]);
        let analysed = BTreeMap::from([(0, 5), (10, 4), (30, 2)]);
        assert_eq!(missing(&found, &analysed), BTreeMap::from([(10, 3)]));
    }

    #[test]
    fn the_same_gap_is_told_once() {
        let gap = BTreeMap::from([(10, 3)]);
        assert!(is_news(&gap, &BTreeMap::new()));
        assert!(!is_news(&gap, &gap));
        assert!(is_news(&BTreeMap::from([(10, 4)]), &gap));
        assert!(!is_news(&BTreeMap::new(), &gap));
    }
}
