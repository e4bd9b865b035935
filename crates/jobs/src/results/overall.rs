//! Overall buckets: the buckets of several jobs seen as one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use store::{IndicesOptions, indices};
use types::{TimeSpan, TimestampMs};

use super::with_numeric_times;
use crate::config_store::hits;
use crate::service::{Jobs, Listed};
use crate::{Error, Result};

const PAGE: usize = 10_000;

/// Which overall buckets are wanted.
#[derive(Clone, Debug, Default)]
pub struct OverallBucketsQuery {
    /// How many jobs' maxima are averaged; 1 when absent.
    pub top_n: Option<i64>,
    /// Length; the longest bucket span of the jobs when absent.
    pub bucket_span: Option<TimeSpan>,
    /// The least score.
    pub overall_score: f64,
    /// From here on.
    pub start: Option<TimestampMs>,
    /// Before this.
    pub end: Option<TimestampMs>,
    /// Leave interim results out.
    pub exclude_interim: bool,
    /// May the expression match nothing?
    pub allow_no_match: bool,
}

#[derive(Debug, Default)]
struct Span {
    maxima: BTreeMap<String, f64>,
    interim: bool,
}

impl Jobs {
    /// Overall buckets of the jobs that an expression names.
    ///
    /// # Errors
    /// When a name is unknown, the span is shorter than a job's, or `top_n` is not positive.
    pub async fn overall_buckets(
        &self,
        expression: &str,
        query: &OverallBucketsQuery,
    ) -> Result<Listed<Value>> {
        let jobs = self.matching_jobs(expression, query.allow_no_match).await?;
        let top_n = query.top_n.unwrap_or(1);
        let top_n = usize::try_from(top_n)
            .ok()
            .filter(|top_n| *top_n > 0)
            .ok_or_else(|| Error::argument(format!("[topN] parameter must be positive, found [{top_n}]")))?;
        let Some(longest) = jobs.iter().map(|job| job.analysis_config.bucket_span).max() else {
            return Ok(Listed { count: 0, items: Vec::new() });
        };
        let wanted = query.bucket_span.unwrap_or(longest);
        if wanted < longest {
            return Err(Error::argument(format!(
                "Param [bucket_span] must be greater or equal to the max bucket_span [{longest}]"
            )));
        }
        let ids: Vec<String> = jobs.iter().map(|job| job.job_id.to_string()).collect();
        let (base_ms, wide_ms) = (longest.as_millis().max(1), wanted.as_millis().max(1));
        let spans = self.spans(&ids, query, base_ms).await?;
        let mut items: Vec<Value> = widened(&spans, top_n, wide_ms)
            .into_iter()
            .map(|(start_ms, score, span)| overall(start_ms, score, &span, wide_ms))
            .collect();
        items.retain(|bucket| {
            let start_ms = bucket["timestamp"].as_i64().unwrap_or_default();
            let inside = query.start.is_none_or(|start| start_ms >= start.0)
                && query.end.is_none_or(|end| start_ms.saturating_add(wide_ms) <= end.0);
            let interim = bucket["is_interim"] == true;
            let score = bucket["overall_score"].as_f64().unwrap_or_default();
            inside && score >= query.overall_score && !(query.exclude_interim && interim)
        });
        Ok(Listed { count: items.len() as u64, items })
    }

    /// The jobs' maxima in each span of `span_ms`.
    async fn spans(
        &self,
        ids: &[String],
        query: &OverallBucketsQuery,
        span_ms: i64,
    ) -> Result<BTreeMap<i64, Span>> {
        let aliases: Vec<String> = ids.iter().map(|id| indices::results_read_alias(id)).collect();
        let aliases = aliases.join(",");
        let mut filters = vec![json!({"term": {"result_type": "bucket"}}), json!({"terms": {"job_id": ids}})];
        if let Some(start) = query.start {
            filters.push(json!({"range": {"timestamp": {"gte": start}}}));
        }
        if let Some(end) = query.end {
            filters.push(json!({"range": {"timestamp": {"lt": end}}}));
        }
        let mut body = json!({"query": {"bool": {"filter": filters}}, "size": PAGE,
            "sort": [{"timestamp": {"order": "asc"}}, {"job_id": {"order": "asc"}}],
            "_source": ["job_id", "timestamp", "anomaly_score", "is_interim"]});
        let mut spans: BTreeMap<i64, Span> = BTreeMap::new();
        loop {
            let mut answer = self.inner.store.search(&aliases, &body, &IndicesOptions::lenient()).await?;
            let last =
                answer.pointer("/hits/hits").and_then(Value::as_array).and_then(|hits| hits.last()).cloned();
            let found = hits(&mut answer);
            let full = found.len() == PAGE;
            for (_, mut bucket) in found {
                with_numeric_times(&mut bucket);
                let time = bucket["timestamp"].as_i64().unwrap_or_default();
                let span = spans.entry(time.div_euclid(span_ms) * span_ms).or_default();
                span.interim |= bucket["is_interim"] == true;
                let score = bucket["anomaly_score"].as_f64().unwrap_or_default();
                let job = bucket["job_id"].as_str().unwrap_or_default().to_owned();
                let max = span.maxima.entry(job).or_insert(score);
                *max = max.max(score);
            }
            match last.and_then(|hit| hit.get("sort").cloned()).filter(|_| full) {
                Some(after) => body["search_after"] = after,
                None => return Ok(spans),
            }
        }
    }
}

/// The mean of the highest maxima, not of more jobs than there are.
fn score(span: &Span, top_n: usize) -> f64 {
    let mut maxima: Vec<f64> = span.maxima.values().copied().collect();
    maxima.sort_by(|left, right| right.total_cmp(left));
    maxima.truncate(top_n);
    maxima.iter().sum::<f64>() / maxima.len().max(1) as f64
}

/// Longer spans take the highest score of those inside.
fn widened(spans: &BTreeMap<i64, Span>, top_n: usize, wide_ms: i64) -> Vec<(i64, f64, Span)> {
    let mut wide: Vec<(i64, f64, Span)> = Vec::new();
    for (start_ms, span) in spans {
        let start_ms = start_ms.div_euclid(wide_ms) * wide_ms;
        if wide.last().is_none_or(|(last, ..)| *last != start_ms) {
            wide.push((start_ms, 0.0, Span::default()));
        }
        if let Some((_, best, target)) = wide.last_mut() {
            *best = best.max(score(span, top_n));
            target.interim |= span.interim;
            for (job, maximum) in &span.maxima {
                let known = target.maxima.entry(job.clone()).or_insert(*maximum);
                *known = known.max(*maximum);
            }
        }
    }
    wide
}

fn overall(start_ms: i64, score: f64, span: &Span, wide_ms: i64) -> Value {
    let jobs: Vec<Value> =
        span.maxima.iter().map(|(job, max)| json!({"job_id": job, "max_anomaly_score": max})).collect();
    json!({"timestamp": start_ms, "bucket_span": wide_ms / 1000, "overall_score": score, "jobs": jobs,
        "is_interim": span.interim, "result_type": "overall_bucket"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_of_the_jobs_that_are_there() {
        let span = |scores: &[(&str, f64)]| Span {
            maxima: scores.iter().map(|(job, score)| ((*job).to_owned(), *score)).collect(),
            interim: false,
        };
        let spans = BTreeMap::from([(0, span(&[("a", 30.0), ("b", 20.0)])), (1000, span(&[("a", 10.0)]))]);
        let narrow: Vec<f64> = widened(&spans, 2, 1000).iter().map(|(_, score, _)| *score).collect();
        assert_eq!(narrow, [25.0, 10.0]);
        let wide = widened(&spans, 1, 2000);
        assert_eq!((wide.len(), wide[0].1, wide[0].2.maxima["a"]), (1, 30.0, 30.0));
    }
}
