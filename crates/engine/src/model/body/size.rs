//! How large the full model is, how it becomes smaller, and how it comes from memory in time.

use super::super::config::ModelConfig;
use super::super::cycles::Cycles;
use super::super::density::Density;
use super::super::form::Form;
use super::super::phase::Phase;
use super::super::season::SeasonGrid;
use super::super::shape::{COMPACT_PROTOTYPES, Shape};
use super::super::sketch::Essence;
use super::super::views::{CALIBRATED, CONTEXT};
use super::Body;
use crate::stats::{Histograms, prefetch_value};

/// Bins of a history that most series come to use.
const USUAL_BINS: usize = 32;

impl Body {
    pub(in crate::model) fn is_compact(&self) -> bool {
        self.predictor.is_compact
    }

    /// Gives up what costs most memory for what it is worth, or lets it grow again.
    pub(in crate::model) fn set_compact(&mut self, is_compact: bool) {
        self.predictor.set_compact(is_compact);
        self.shape.set_compact(is_compact);
    }

    /// What a sketch goes on with.
    pub(in crate::model) fn essence(&self) -> Essence {
        let (level, scale) = self.predictor.level();
        Essence {
            level,
            scale,
            histogram: self.views.history(CONTEXT),
            refractory: self.refractory,
            last_s: self.last_s,
            count: self.age(),
            whole_numbers: self.predictor.whole_numbers,
            range: self.range,
            base: self.predictor.base,
        }
    }

    /// Bytes of a model in this form, fully grown, as far as that can be said beforehand.
    pub(in crate::model) fn bytes_of(cfg: &ModelConfig, form: Form) -> usize {
        let season = |grid: &Option<SeasonGrid>| grid.as_ref().map_or(0, SeasonGrid::profile_bytes);
        let (week_and_search, prototypes) = match form {
            Form::Compact => (0, COMPACT_PROTOTYPES),
            _ => (season(&cfg.week) + Cycles::SEARCH_BYTES, usize::from(cfg.tuning.prototypes)),
        };
        size_of::<Self>()
            + size_of::<Phase>()
            + season(&cfg.day)
            + week_and_search
            + Histograms::bytes_with(CALIBRATED, USUAL_BINS)
            + Shape::bytes_with(prototypes)
            + Density::BYTES
    }

    pub(in crate::model) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.predictor.memory_bytes()
            + if self.phase.is_some() { size_of::<Phase>() } else { 0 }
            + self.views.memory_bytes()
            + self.shape.memory_bytes()
            + self.density.memory_bytes()
    }

    /// Asks for what the body points to.
    pub(in crate::model) fn prefetch(&self) {
        self.predictor.prefetch();
        self.phase.iter().for_each(|phase| prefetch_value(&**phase));
        self.views.prefetch();
        self.shape.prefetch();
        self.density.prefetch();
    }

    /// Asks for what the seasons point to.
    pub(in crate::model) fn prefetch_bins(&self, cfg: &ModelConfig, time_s: i64) {
        self.predictor.prefetch_bins(cfg, time_s);
    }
}
