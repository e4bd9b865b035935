//! Categories of the messages, for the whole job or for each partition.

use serde::{Deserialize, Serialize};
use types::results::{CategoryDefinition, ResultType};
use types::{Job, TimestampMs};

use super::plan::Plan;
use crate::categorize::{Categorizer, CategorizerConfig, CategorizerStats, PartitionedCategorizer};
use crate::{Error, FieldValue};

/// The categorizer of a job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Categories {
    /// The job categorises nothing.
    None,
    Whole(Box<Categorizer>),
    Partitioned(Box<PartitionedCategorizer>),
}

impl Categories {
    /// # Errors
    /// When the configured analyzer or filters cannot be used.
    pub(crate) fn new(job: &Job, plan: &Plan) -> Result<Self, Error> {
        if plan.categorized.is_none() {
            return Ok(Self::None);
        }
        let config = &job.analysis_config;
        let categorizer = CategorizerConfig {
            filters: config.categorization_filters.clone().unwrap_or_default(),
            examples_limit: job.categorization_examples_limit(),
            analyzer: config.categorization_analyzer.clone(),
        };
        let per_partition = config.per_partition_categorization.filter(|config| config.enabled);
        Ok(match per_partition {
            Some(of) => {
                Self::Partitioned(Box::new(PartitionedCategorizer::new(&categorizer, of.stop_on_warn)?))
            }
            None => Self::Whole(Box::new(Categorizer::new(&categorizer)?)),
        })
    }

    /// The category of a record's message.
    pub(crate) fn categorize(&mut self, plan: &Plan, values: &[FieldValue<'_>]) -> Option<u32> {
        let text_of = |column: Option<usize>| match values.get(column?) {
            Some(FieldValue::Str(text)) => Some(*text),
            _ => None,
        };
        match self {
            Self::None => None,
            Self::Whole(categorizer) => categorizer.categorize(text_of(plan.categorized)?),
            Self::Partitioned(categorizer) => {
                let partition = text_of(plan.category_partition).unwrap_or("");
                categorizer.categorize(partition, text_of(plan.categorized)?)
            }
        }
    }

    pub(crate) fn set_may_grow(&mut self, may_grow: bool) {
        match self {
            Self::None => {}
            Self::Whole(categorizer) => categorizer.set_may_grow(may_grow),
            Self::Partitioned(categorizer) => categorizer.set_may_grow(may_grow),
        }
    }

    /// Definitions that changed; with `with_counts` also those of which only the count changed.
    pub(crate) fn take_changed(&mut self, plan: &Plan, with_counts: bool, out: &mut Vec<CategoryDefinition>) {
        let job_id = &plan.job_id;
        match self {
            Self::None => {}
            Self::Whole(categorizer) => {
                let mut ids = categorizer.take_changed();
                if with_counts {
                    ids.extend(categorizer.take_counted());
                }
                ids.sort_unstable();
                ids.dedup();
                let definitions = ids.into_iter().filter_map(|id| categorizer.definition(id));
                out.extend(definitions.map(|definition| definition.into_result(job_id, None)));
            }
            Self::Partitioned(categorizer) => {
                let mut ids = categorizer.take_changed();
                if with_counts {
                    ids.extend(categorizer.take_counted());
                }
                ids.sort_unstable();
                ids.dedup();
                let field = plan.category_partition.map_or("", |column| &plan.fields[column]);
                let definitions = ids.into_iter().filter_map(|id| categorizer.definition(id));
                out.extend(
                    definitions
                        .map(|(value, definition)| definition.into_result(job_id, Some((field, value)))),
                );
            }
        }
    }

    /// The counts of the partitions that are wanted, or, with `None`, of the whole job, as documents.
    pub(crate) fn numbers(
        &self,
        plan: &Plan,
        wanted: impl Fn(Option<&str>) -> bool,
        timestamp: TimestampMs,
        log_time: TimestampMs,
    ) -> Vec<types::stats::CategorizerStats> {
        let document =
            |partition: Option<(&str, &str)>, stats: CategorizerStats| types::stats::CategorizerStats {
                job_id: plan.job_id.clone(),
                result_type: ResultType::CategorizerStats,
                partition_field_name: partition.map(|(field, _)| field.to_owned()),
                partition_field_value: partition.map(|(_, value)| value.to_owned()),
                categorized_doc_count: stats.categorized_doc_count,
                total_category_count: stats.total_category_count,
                frequent_category_count: stats.frequent_category_count,
                rare_category_count: stats.rare_category_count,
                dead_category_count: stats.dead_category_count,
                failed_category_count: stats.failed_category_count,
                categorization_status: stats.categorization_status,
                log_time,
                timestamp,
            };
        match self {
            Self::Whole(categorizer) if wanted(None) => vec![document(None, categorizer.stats())],
            Self::None | Self::Whole(_) => Vec::new(),
            Self::Partitioned(categorizer) => {
                let field = plan.category_partition.map_or("", |column| &plan.fields[column]);
                let stats = categorizer.partition_stats(|value| wanted(Some(value)));
                stats.map(|(value, stats, _)| document(Some((field, value)), stats)).collect()
            }
        }
    }

    pub(crate) fn stats(&self) -> Option<CategorizerStats> {
        match self {
            Self::None => None,
            Self::Whole(categorizer) => Some(categorizer.stats()),
            Self::Partitioned(categorizer) => Some(categorizer.stats()),
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::None => 0,
            Self::Whole(categorizer) => categorizer.memory_bytes() as u64,
            Self::Partitioned(categorizer) => categorizer.memory_bytes() as u64,
        }
    }

    /// Is a restored state that of this job?
    pub(crate) fn fits(&self, plan: &Plan) -> bool {
        match self {
            Self::None => plan.categorized.is_none(),
            Self::Whole(_) => plan.categorized.is_some() && plan.category_partition.is_none(),
            Self::Partitioned(_) => plan.category_partition.is_some(),
        }
    }
}
