//! Model plots: what was expected of an entity in a bucket, and what it did.

use types::TimestampMs;
use types::results::{ModelPlot, ResultType};

use super::entities::SplitIds;
use super::finding::{Sink, View};
use super::plan::PlotPlan;
use crate::function::Feature;
use crate::model::Prediction;

/// Writes the plot of an entity, when the job wants it. `actual` is `None` when the bucket had nothing of it.
pub(crate) fn plot(
    view: &View<'_>,
    split: SplitIds,
    feature: Feature,
    prediction: Prediction,
    actual: Option<f64>,
    sink: &mut Sink,
) {
    let Some(PlotPlan { terms }) = &view.plan.plot else { return };
    let split = view.detector.split(view.columns, split);
    let named = [&split.by_field_value, &split.over_field_value, &split.partition_field_value];
    if !terms.is_empty() && !named.iter().any(|value| value.as_ref().is_some_and(|v| terms.contains(v))) {
        return;
    }
    if view.is_interim {
        return;
    }
    sink.plots.push(ModelPlot {
        job_id: view.plan.job_id.clone(),
        result_type: ResultType::ModelPlot,
        timestamp: TimestampMs(view.start_s * 1000),
        bucket_span: view.plan.span_s,
        detector_index: view.detector.index,
        model_feature: feature.plot_name().to_owned(),
        model_lower: prediction.lower,
        model_upper: prediction.upper,
        model_median: prediction.typical,
        actual,
        split,
    });
}
