//! Forecasts: the models as they stand, asked for buckets that have not come yet. Nothing is copied or changed, and
//! points are computed when they are asked for, so that a forecast of any length takes no memory.

use types::TimestampMs;
use types::results::Split;

use super::detector::DetectorState;
use super::entities::SplitIds;
use super::individual::Individual;
use super::pipeline::Pipeline;
use super::plan::{DetectorPlan, Plan};
use crate::error::ForecastError;
use crate::function::Feature;
use crate::model::{ModelConfig, Prediction, SeriesModel};

/// Buckets that a series must have been seen in before it is forecast.
const AGE_MIN: u64 = 4;
/// Ten years.
const DURATION_MAX_S: i64 = 3650 * 86_400;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForecastRequest {
    /// Length of the forecast in seconds, from one second to ten years; a begun bucket counts as a whole one.
    pub duration_s: i64,
    /// Most points (series × buckets) that the caller wants to have.
    pub points_max: u64,
}

impl ForecastRequest {
    /// A forecast of this length without a limit on the number of points.
    #[must_use]
    pub fn new(duration_s: i64) -> Self {
        Self { duration_s, points_max: u64::MAX }
    }
}

/// A forecast, series by series, in an order that depends on the records only.
#[derive(Debug)]
pub struct Forecast<'a> {
    plan: &'a Plan,
    pipeline: &'a Pipeline,
    start_s: i64,
    buckets: u64,
    series: usize,
    too_young: usize,
    model_bytes: u64,
    /// The next one to look at.
    detector: usize,
    model: usize,
}

/// The forecast of one series, or of one feature of a `metric` series.
#[derive(Clone, Debug)]
pub struct ForecastSeries<'a> {
    /// Which detector.
    pub detector_index: usize,
    /// Which series.
    pub split: Split,
    /// `model_feature` of its points.
    pub model_feature: &'static str,
    model: &'a SeriesModel,
    config: &'a ModelConfig,
    start_s: i64,
    span_s: i64,
    buckets: u64,
}

/// What is expected of one bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastPoint {
    /// Start of the bucket.
    pub timestamp: TimestampMs,
    /// Length of the bucket, seconds.
    pub bucket_span: i64,
    /// The most plausible value.
    pub forecast_prediction: f64,
    /// Lower end of the 95 % interval.
    pub forecast_lower: f64,
    /// Upper end of the 95 % interval.
    pub forecast_upper: f64,
}

impl<'a> Forecast<'a> {
    /// # Errors
    /// When the job cannot be forecast, nothing was learnt yet, or a limit is exceeded.
    pub(crate) fn new(
        plan: &'a Plan,
        pipeline: &'a Pipeline,
        request: ForecastRequest,
    ) -> Result<Self, ForecastError> {
        plan.detectors.iter().try_for_each(check)?;
        if !(1..=DURATION_MAX_S).contains(&request.duration_s) {
            return Err(ForecastError::Duration { seconds: request.duration_s });
        }
        let end_ms = pipeline.clock.closed_until_ms().ok_or(ForecastError::NoData)?;
        let span_s = plan.span_s;
        let mut forecast = Self {
            plan,
            pipeline,
            start_s: end_ms.div_euclid(1000),
            buckets: (request.duration_s as u64).div_ceil(span_s as u64),
            series: 0,
            too_young: 0,
            model_bytes: 0,
            detector: 0,
            model: 0,
        };
        for individual in pipeline.detectors().iter().filter_map(individual) {
            for model in individual.live_models() {
                if model.age_buckets() < AGE_MIN {
                    forecast.too_young += 1;
                } else {
                    forecast.series += 1;
                    forecast.model_bytes += model.memory_bytes() as u64;
                }
            }
        }
        if forecast.series == 0 {
            return Err(ForecastError::NoData);
        }
        let points = forecast.points();
        if points > request.points_max {
            return Err(ForecastError::TooManyPoints { points, points_max: request.points_max });
        }
        Ok(forecast)
    }

    /// Series that are forecast; those of `metric` count three times.
    pub fn series_count(&self) -> usize {
        self.series
    }

    /// Series that are left out since they have fewer than four buckets.
    pub fn too_young_count(&self) -> usize {
        self.too_young
    }

    /// Buckets of each series.
    pub fn buckets(&self) -> u64 {
        self.buckets
    }

    /// Points of all series.
    pub fn points(&self) -> u64 {
        (self.series as u64).saturating_mul(self.buckets)
    }

    /// Bytes of the models that the forecast reads. It takes no memory of its own.
    pub fn model_bytes(&self) -> u64 {
        self.model_bytes
    }

    /// Start of the first bucket.
    pub fn start(&self) -> TimestampMs {
        TimestampMs(self.start_s.saturating_mul(1000))
    }

    /// End of the last bucket.
    pub fn end(&self) -> TimestampMs {
        let length_s = (self.buckets as i64).saturating_mul(self.plan.span_s);
        TimestampMs(self.start_s.saturating_add(length_s).saturating_mul(1000))
    }
}

impl<'a> Iterator for Forecast<'a> {
    type Item = ForecastSeries<'a>;

    fn next(&mut self) -> Option<ForecastSeries<'a>> {
        loop {
            let state = self.pipeline.detectors().get(self.detector)?;
            let series = individual(state).and_then(|individual| individual.series(self.model));
            let Some((split, feature, model, config)) = series else {
                (self.detector, self.model) = (self.detector + 1, 0);
                continue;
            };
            self.model += 1;
            let Some(split) = split.filter(|_| model.age_buckets() >= AGE_MIN) else { continue };
            return Some(self.series_of(split, feature, model, config));
        }
    }
}

impl<'a> Forecast<'a> {
    fn series_of(
        &self,
        split: SplitIds,
        feature: Feature,
        model: &'a SeriesModel,
        config: &'a ModelConfig,
    ) -> ForecastSeries<'a> {
        let detector = &self.plan.detectors[self.detector];
        ForecastSeries {
            detector_index: detector.index,
            split: detector.split(self.pipeline.columns(), split),
            model_feature: feature.plot_name(),
            model,
            config,
            start_s: self.start_s,
            span_s: self.plan.span_s,
            buckets: self.buckets,
        }
    }
}

impl ForecastSeries<'_> {
    /// Its points in the order of time, computed one by one.
    pub fn points(&self) -> impl Iterator<Item = ForecastPoint> {
        (0..self.buckets).map(|bucket| {
            let start_s = self.start_s.saturating_add((bucket as i64).saturating_mul(self.span_s));
            let Prediction { typical, lower, upper } = self.model.forecast(self.config, start_s);
            // Far ahead an interval can leave the range of numbers.
            let finite =
                |number: f64| if number.is_nan() { typical } else { number.clamp(f64::MIN, f64::MAX) };
            ForecastPoint {
                timestamp: TimestampMs(start_s.saturating_mul(1000)),
                bucket_span: self.span_s,
                forecast_prediction: finite(typical),
                forecast_lower: finite(lower),
                forecast_upper: finite(upper),
            }
        })
    }
}

fn check(detector: &DetectorPlan) -> Result<(), ForecastError> {
    if detector.over.is_some() {
        return Err(ForecastError::Population);
    }
    if !detector.base.can_forecast() {
        return Err(ForecastError::Function { function: detector.detector.function.name() });
    }
    Ok(())
}

fn individual(state: &DetectorState) -> Option<&Individual> {
    match state {
        DetectorState::Individual(individual) => Some(individual),
        _ => None,
    }
}
