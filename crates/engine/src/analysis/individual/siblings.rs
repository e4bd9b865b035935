//! What the series of a detector have in common, for those that come later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Individual, young_bytes};
use crate::model::{Crowd, FEWEST, Form, GROWN_S, ModelConfig, SeriesModel};

/// What they have in common is looked at again after so many buckets, and so many seconds, when there are newcomers.
const AGAIN_BUCKETS: i64 = 24;
const AGAIN_S: i64 = 6 * 3600;

/// Series that are looked at, spread evenly over those that are old enough.
const PROBED: usize = 64;

/// What siblings have in common, by feature.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Siblings {
    crowds: Vec<Option<Arc<Crowd>>>,
    /// When they were looked at, epoch seconds.
    seen_s: Option<i64>,
}

impl Siblings {
    /// Tells the models of it.
    pub(super) fn hand_over(&self, configs: &mut [ModelConfig]) {
        for (feature, config) in configs.iter_mut().enumerate() {
            config.set_crowd(self.crowds.get(feature).cloned().flatten());
        }
    }

    pub(super) fn is_sound(&self, features: usize) -> bool {
        (self.crowds.is_empty() || self.crowds.len() == features)
            && self.crowds.iter().flatten().all(|crowd| crowd.is_sound())
    }

    pub(super) fn bytes(&self) -> u64 {
        let crowd = |crowd: &Arc<Crowd>| (size_of::<Crowd>() + crowd.memory_bytes()) as u64;
        self.crowds.iter().flatten().map(crowd).sum()
    }
}

impl Individual {
    /// Looks at what grown series have in common when one comes that may need it. Depends on nothing but the models and the
    /// time.
    pub(super) fn meet_siblings(&mut self, start_s: i64) {
        let has_newcomers = std::mem::take(&mut self.has_newcomers);
        let features = self.setup.features.len();
        let grown = self.forms[Form::Full as usize] + self.forms[Form::Compact as usize];
        if !has_newcomers || grown < (FEWEST * features) as u64 {
            return;
        }
        let Some(span_s) = self.setup.configs.first().map(|config| config.bucket_span_s) else { return };
        let again_s = AGAIN_S.max((AGAIN_BUCKETS as f64 * span_s) as i64);
        let is_due = self.siblings.seen_s.is_none_or(|seen_s| start_s.saturating_sub(seen_s) >= again_s);
        if !is_due {
            return;
        }
        let born = start_s.div_euclid(span_s as i64) - (GROWN_S as f64 / span_s) as i64;
        let is_grown = |entity: &u32| {
            self.entities.is_live(*entity)
                && self.entities.first_seen(*entity) <= born
                && self.models[*entity as usize * features].is_grown()
        };
        let grown: Vec<u32> = (0..self.entities.ids()).filter(is_grown).collect();
        let probed = PROBED.min(grown.len());
        let crowd = |feature: usize| {
            let entities = (0..probed).map(|place| grown[place * grown.len() / probed] as usize);
            let models = entities.map(|entity| &self.models[entity * features + feature]);
            SeriesModel::crowd_of(&self.setup.configs[feature], models, start_s).map(Arc::new)
        };
        self.siblings = Siblings { crowds: (0..features).map(crowd).collect(), seen_s: Some(start_s) };
        self.take_over();
    }

    /// Forgets it: the clock has been moved.
    pub(super) fn disband(&mut self) {
        self.siblings = Siblings::default();
        self.take_over();
    }

    fn take_over(&mut self) {
        self.siblings.hand_over(&mut self.setup.configs);
        self.setup.young_bytes = young_bytes(&self.setup.configs);
    }
}
