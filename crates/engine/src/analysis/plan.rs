//! The job in the form in which the stages need it: names resolved to positions, once.

use std::collections::BTreeSet;

use types::detector::{Detector, ExcludeFrequent, ML_CATEGORY, RuleAction};
use types::results::Split;
use types::{BaseFunction, Job, JobId};

use super::entities::SplitIds;
use super::splitter::Columns;
use crate::score::Window;

/// Everything about the job that the stages ask for.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) job_id: JobId,
    pub(crate) fields: Vec<String>,
    pub(crate) span_s: i64,
    pub(crate) detectors: Vec<DetectorPlan>,
    pub(crate) influencers: Vec<InfluencerPlan>,
    /// Field with the number of records that a record stands for.
    pub(crate) summary: Option<usize>,
    /// Field whose text is categorised.
    pub(crate) categorized: Option<usize>,
    /// Field by which categories are kept apart.
    pub(crate) category_partition: Option<usize>,
    /// Buckets after which idle entities are forgotten.
    pub(crate) prune_buckets: i64,
    pub(crate) limit_bytes: u64,
    /// How far back scores are renormalised; `None` when they are not.
    pub(crate) window: Option<Window>,
    pub(crate) plot: Option<PlotPlan>,
    pub(crate) annotations: bool,
    /// Which columns hold values that outlive a bucket.
    pub(crate) lasting: Vec<bool>,
}

/// One detector.
#[derive(Debug)]
pub(crate) struct DetectorPlan {
    pub(crate) index: usize,
    pub(crate) detector: Detector,
    pub(crate) base: BaseFunction,
    /// Field that the function works on.
    pub(crate) field: Option<usize>,
    pub(crate) partition: Option<usize>,
    pub(crate) by: Option<usize>,
    pub(crate) over: Option<usize>,
    pub(crate) use_null: bool,
    /// Influencers that are not fields of the detector: which records carry them must be noted.
    pub(crate) loose_influencers: Vec<usize>,
    pub(crate) has_rules: bool,
    pub(crate) has_learning_rules: bool,
    pub(crate) excludes_by: bool,
    pub(crate) excludes_over: bool,
}

/// One influencer field.
#[derive(Debug)]
pub(crate) struct InfluencerPlan {
    pub(crate) name: String,
    pub(crate) column: usize,
}

/// Which series have model plots.
#[derive(Debug)]
pub(crate) struct PlotPlan {
    /// Only series with one of these values; all when empty.
    pub(crate) terms: BTreeSet<String>,
}

impl Plan {
    pub(crate) fn new(job: &Job) -> Self {
        let config = &job.analysis_config;
        let fields = config.analysed_fields();
        let category = fields.len();
        let column = |name: &str| {
            if name == ML_CATEGORY { Some(category) } else { fields.iter().position(|field| field == name) }
        };
        let influencers: Vec<InfluencerPlan> = config
            .influencers
            .iter()
            .filter_map(|name| Some(InfluencerPlan { name: name.clone(), column: column(name)? }))
            .collect();
        let detectors: Vec<DetectorPlan> = config
            .detectors
            .iter()
            .enumerate()
            .map(|(index, detector)| DetectorPlan::new(index, detector, &influencers, column))
            .collect();
        let mut lasting = vec![false; fields.len() + 1];
        for detector in &detectors {
            [detector.partition, detector.by, detector.over]
                .into_iter()
                .flatten()
                .for_each(|c| lasting[c] = true);
        }
        let per_partition = config.per_partition_categorization.is_some_and(|config| config.enabled);
        let category_partition = per_partition
            .then(|| detectors.iter().find(|d| d.detector.uses_category()).and_then(|d| d.partition))
            .flatten();
        let prune_s = config.model_prune_window.map_or(i64::MAX, |window| window.as_secs());
        let span_s = config.bucket_span_s().max(1);
        let plot = job.model_plot_config.as_ref();
        Self {
            job_id: job.job_id.clone(),
            span_s,
            influencers,
            summary: config.summary_count_field_name.as_deref().and_then(column),
            categorized: config.categorization_field_name.as_deref().and_then(column),
            category_partition,
            prune_buckets: (prune_s / span_s).max(1),
            limit_bytes: job.model_memory_limit_bytes(),
            window: Some(Window { length_s: job.renormalization_window_ms() / 1000, span_s })
                .filter(|window| window.length_s > 0),
            plot: plot
                .filter(|plot| plot.enabled)
                .map(|plot| PlotPlan { terms: terms(plot.terms.as_deref()) }),
            annotations: plot.is_none_or(|plot| plot.annotations_enabled.unwrap_or(true)),
            detectors,
            lasting,
            fields,
        }
    }

    /// Index of the column of categories.
    pub(crate) fn category_column(&self) -> usize {
        self.fields.len()
    }
}

fn terms(list: Option<&str>) -> BTreeSet<String> {
    list.unwrap_or("").split(',').map(str::trim).filter(|term| !term.is_empty()).map(str::to_owned).collect()
}

impl DetectorPlan {
    fn new(
        index: usize,
        detector: &Detector,
        influencers: &[InfluencerPlan],
        column: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let of = |name: &Option<String>| name.as_deref().and_then(&column);
        let (partition, by, over) =
            (of(&detector.partition_field_name), of(&detector.by_field_name), of(&detector.over_field_name));
        let own = [partition, by, over];
        let is_loose = |i: &usize| !own.contains(&Some(influencers[*i].column));
        let exclude = detector.exclude_frequent.unwrap_or(ExcludeFrequent::None);
        Self {
            index,
            detector: detector.clone(),
            base: detector.function.base,
            field: of(&detector.field_name),
            partition,
            by,
            over,
            use_null: detector.use_null == Some(true),
            loose_influencers: (0..influencers.len()).filter(is_loose).collect(),
            has_rules: !detector.custom_rules.is_empty(),
            has_learning_rules: detector
                .custom_rules
                .iter()
                .any(|rule| rule.actions.contains(&RuleAction::SkipModelUpdate)),
            excludes_by: matches!(exclude, ExcludeFrequent::All | ExcludeFrequent::By),
            excludes_over: matches!(exclude, ExcludeFrequent::All | ExcludeFrequent::Over),
        }
    }

    /// The value of a split field of an entity.
    pub(crate) fn value_of<'c>(&self, columns: &'c Columns, split: SplitIds, field: &str) -> Option<&'c str> {
        let detector = &self.detector;
        let is = |name: &Option<String>| name.as_deref() == Some(field);
        let (column, id) = if is(&detector.by_field_name) {
            (self.by, split.by)
        } else if is(&detector.over_field_name) {
            (self.over, split.over)
        } else if is(&detector.partition_field_name) {
            (self.partition, split.partition)
        } else {
            return None;
        };
        Some(columns.name(column?, id))
    }

    /// Names and values of an entity's splits.
    pub(crate) fn split(&self, columns: &Columns, ids: SplitIds) -> Split {
        let value = |column: Option<usize>, id: u32| {
            column.filter(|_| id != super::table::NONE).map(|column| columns.name(column, id).to_owned())
        };
        let detector = &self.detector;
        let named = |name: &Option<String>, value: &Option<String>| name.clone().filter(|_| value.is_some());
        let by_field_value = value(self.by, ids.by);
        let over_field_value = value(self.over, ids.over);
        let partition_field_value = value(self.partition, ids.partition);
        Split {
            by_field_name: named(&detector.by_field_name, &by_field_value),
            by_field_value,
            over_field_name: named(&detector.over_field_name, &over_field_value),
            over_field_value,
            partition_field_name: named(&detector.partition_field_name, &partition_field_value),
            partition_field_value,
        }
    }
}
