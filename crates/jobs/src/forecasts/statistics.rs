//! All forecasts of a job in a few numbers.

use std::collections::BTreeMap;

use serde::Serialize;
use store::indices;

use super::documents::RequestStats;
use super::removal::of_job;
use crate::Result;
use crate::service::Jobs;

/// Statistics of a job's forecasts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ForecastsStats {
    /// How many there are.
    pub total: u64,
    /// Is there at least one? 0 or 1.
    pub forecasted_jobs: u64,
    /// Memory of the models that were forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<Spread>,
    /// Points written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<Spread>,
    /// Time that they took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_time_ms: Option<Spread>,
    /// How many are in which state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<BTreeMap<&'static str, u64>>,
}

/// Sum, range and mean of a number over forecasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct Spread {
    pub total: f64,
    pub min: f64,
    pub avg: f64,
    pub max: f64,
}

impl Spread {
    fn of(numbers: impl Iterator<Item = u64> + Clone) -> Option<Self> {
        let (min, max) = (numbers.clone().min()?, numbers.clone().max()?);
        let (count, total) =
            numbers.fold((0.0, 0.0), |(count, total), number| (count + 1.0, total + number as f64));
        Some(Self { total, min: min as f64, avg: total / count, max: max as f64 })
    }
}

fn summed(all: &[RequestStats]) -> ForecastsStats {
    if all.is_empty() {
        return ForecastsStats::default();
    }
    let mut status = BTreeMap::new();
    for stats in all {
        *status.entry(stats.forecast_status.word()).or_insert(0) += 1;
    }
    ForecastsStats {
        total: all.len() as u64,
        forecasted_jobs: 1,
        memory_bytes: Spread::of(all.iter().map(|stats| stats.forecast_memory_bytes)),
        records: Spread::of(all.iter().map(|stats| stats.processed_record_count)),
        processing_time_ms: Spread::of(all.iter().map(|stats| stats.processing_time_ms)),
        status: Some(status),
    }
}

impl Jobs {
    pub(crate) async fn forecasts_stats(&self, job_id: &str) -> Result<ForecastsStats> {
        let all = self.forecasts_of(&indices::results_read_alias(job_id), of_job(job_id)).await?;
        Ok(summed(&all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summed_over_forecasts() {
        assert_eq!(
            Spread::of([4, 1, 7].into_iter()),
            Some(Spread { total: 12.0, min: 1.0, avg: 4.0, max: 7.0 })
        );
        assert_eq!(Spread::of(std::iter::empty()), None);
        assert_eq!(serde_json::to_string(&summed(&[])).unwrap(), r#"{"total":0,"forecasted_jobs":0}"#);
    }
}
