//! Detectors that compare each series with its own history.

use serde::{Deserialize, Serialize};
use types::TimestampMs;
use types::results::Explanation;

use super::entities::{Entities, SplitIds};
use super::finding::{Finding, Sink, View};
use super::gatherer::Gather;
use super::plan::{DetectorPlan, Plan};
use super::plot::plot;
use super::stepping::{Step, block_of, step_all};
use crate::Annotation;
use crate::function::Feature;
use crate::model::{Change, Form, ModelConfig, Outcome, Prediction, Sample, SeriesModel, Side};

mod forms;
mod siblings;

use siblings::Siblings;

/// Share from which on a penalty is told.
const PENALTY_TOLD: f64 = 0.5;
/// Bytes of a series in the tables beside its model: sizes, and its place in the buckets that take records.
const TABLE_BYTES: u64 = 4 + 64;
/// Bytes of the place of a forgotten series.
const FORGOTTEN_BYTES: u32 = size_of::<SeriesModel>() as u32;

/// The models of all series of one detector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Individual {
    pub(crate) entities: Entities,
    /// Models by entity and feature.
    models: Vec<SeriesModel>,
    /// Bytes of each model.
    sizes: Vec<u32>,
    /// What newcomers may take over.
    siblings: Siblings,
    /// Are there new models in the bucket that comes to be closed?
    #[serde(skip)]
    has_newcomers: bool,
    /// Sum of the sizes; like the forms counted anew on restoring.
    #[serde(skip)]
    total_bytes: u64,
    /// Models by [`Form`]; those of forgotten entities are young.
    #[serde(skip)]
    forms: [u64; Form::COUNT],
    #[serde(skip)]
    setup: Setup,
    /// Room that is used again and again.
    #[serde(skip)]
    judged: Vec<u32>,
    #[serde(skip)]
    steps: Vec<Step>,
}

/// What follows from the job.
#[derive(Debug, Default)]
struct Setup {
    features: &'static [Feature],
    /// By feature.
    configs: Vec<ModelConfig>,
    /// Bytes of a young series. They are reserved from its beginning, so that samples cannot exceed the limit.
    young_bytes: u32,
    /// Bytes of grown models by feature and [`Form`]; zero for young ones.
    grown_bytes: Vec<[u64; Form::COUNT]>,
}

impl Individual {
    pub(crate) fn new(plan: &Plan, detector: &DetectorPlan) -> Self {
        let mut individual = Self {
            entities: Entities::new(detector.over.is_some()),
            models: Vec::new(),
            sizes: Vec::new(),
            siblings: Siblings::default(),
            has_newcomers: false,
            total_bytes: 0,
            forms: [0; Form::COUNT],
            setup: Setup::default(),
            judged: Vec::new(),
            steps: Vec::new(),
        };
        individual.set_up(plan, detector);
        individual
    }

    /// Fills in what is not saved.
    pub(crate) fn set_up(&mut self, plan: &Plan, detector: &DetectorPlan) {
        let features = Feature::of(detector.base);
        let side = match detector.detector.function.side {
            types::Side::Both => Side::Both,
            types::Side::High => Side::High,
            types::Side::Low => Side::Low,
        };
        let config = |feature: &Feature| ModelConfig::new(plan.span_s as f64, feature.kind(), side);
        let mut configs: Vec<ModelConfig> = features.iter().map(config).collect();
        self.siblings.hand_over(&mut configs);
        let bytes = |config: &ModelConfig, form| SeriesModel::bytes_of(config, form) as u64;
        let grown = |config| {
            let mut grown = [0; Form::COUNT];
            for form in [Form::Full, Form::Compact, Form::Sketch] {
                grown[form as usize] = bytes(config, form);
            }
            grown
        };
        self.setup = Setup {
            features,
            young_bytes: young_bytes(&configs),
            grown_bytes: configs.iter().map(grown).collect(),
            configs,
        };
        self.total_bytes = self.sizes.iter().map(|size| u64::from(*size)).sum();
        self.forms = [0; Form::COUNT];
        self.models.iter().for_each(|model| self.forms[model.form() as usize] += 1);
    }

    pub(crate) fn is_sound(&self) -> bool {
        let features = self.setup.features.len();
        self.models.len() == self.sizes.len()
            && self.siblings.is_sound(features)
            && self.models.len().is_multiple_of(features.max(1))
            && self.models.len() / features.max(1) <= self.entities.ids() as usize
    }

    /// Judges and learns a bucket.
    pub(crate) fn close(&mut self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        let mut judged = std::mem::take(&mut self.judged);
        self.judged(gather, &mut judged);
        self.meet_siblings(view.start_s);
        let mut steps = std::mem::take(&mut self.steps);
        let mut planned_bytes = 0;
        for block in judged.chunks(block_of(view.threads, judged.len())) {
            steps.clear();
            for entity in block {
                self.plan(view, gather, *entity, &mut planned_bytes, &mut steps);
            }
            step_all(&mut self.models, &self.setup.configs, &mut steps, view.threads);
            self.report_block(view, gather, block, &steps, sink);
        }
        self.steps = steps;
        self.judged = judged;
    }

    /// Plans the steps of an entity's models. Models that are due to grow get a form while there is room for it:
    /// `planned_bytes` is what others of this bucket grow by.
    fn plan(
        &self,
        view: &View<'_>,
        gather: &Gather,
        entity: u32,
        planned_bytes: &mut u64,
        steps: &mut Vec<Step>,
    ) {
        let slot = gather.find(entity);
        for feature in 0..self.setup.features.len() {
            let Some(mut sample) = self.sample(view, gather, slot, feature) else { continue };
            let at = entity as usize * self.setup.features.len() + feature;
            sample.learn = self.may_learn(view, self.entities.split(entity), at, feature, &sample);
            let grows = sample.learn && self.models[at].is_due_to_grow();
            let form = grows.then(|| self.form_to_grow(feature, view.room, planned_bytes));
            steps.push(Step::new(at, sample, form));
        }
    }

    /// Accounts for steps that are done, and reports them.
    fn report_block(
        &mut self,
        view: &View<'_>,
        gather: &Gather,
        block: &[u32],
        steps: &[Step],
        sink: &mut Sink,
    ) {
        let mut steps = steps.iter().peekable();
        for &entity in block {
            let slot = gather.find(entity);
            if slot.is_some() {
                self.entities.note(entity);
            }
            let split = self.entities.split(entity);
            for feature in 0..self.setup.features.len() {
                let at = entity as usize * self.setup.features.len() + feature;
                let Some(step) = steps.next_if(|step| step.at == at) else {
                    self.plot_gap(view, split, entity, feature, sink);
                    continue;
                };
                if step.form.is_some() {
                    self.count_form(Form::Young, self.models[at].form());
                }
                self.measure(at);
                self.report(view, entity, split, slot, feature, &step.sample, &step.outcome, sink);
            }
        }
    }

    /// Sets the clock of all models forward by `seconds`.
    pub(crate) fn shift_time(&mut self, seconds: i64) {
        self.disband();
        let features = self.setup.features.len();
        for (at, model) in self.models.iter_mut().enumerate() {
            model.shift_time(&self.setup.configs[at % features], seconds);
        }
    }

    /// Judges a bucket that is not full yet; learns nothing.
    pub(crate) fn interim(&self, view: &View<'_>, gather: &Gather, sink: &mut Sink) {
        let mut judged = Vec::new();
        self.judged(gather, &mut judged);
        for entity in judged {
            let split = self.entities.split(entity);
            let slot = gather.find(entity);
            for feature in 0..self.setup.features.len() {
                let at = entity as usize * self.setup.features.len() + feature;
                let Some(model) = self.models.get(at) else { continue };
                let Some(sample) = self.sample(view, gather, slot, feature) else { continue };
                let outcome = model.evaluate(&self.setup.configs[feature], &sample);
                // What still grows cannot be too low yet.
                if outcome.is_high || !self.setup.features[feature].grows_with_the_bucket() {
                    self.report(view, entity, split, slot, feature, &sample, &outcome, sink);
                }
            }
        }
    }

    /// Entities that have something to say, in the order of their ids.
    fn judged(&self, gather: &Gather, judged: &mut Vec<u32>) {
        judged.clear();
        if self.setup.features.iter().any(|feature| feature.of_empty().is_some()) {
            judged.extend((0..self.entities.ids()).filter(|entity| self.entities.is_live(*entity)));
        } else {
            judged.extend_from_slice(&gather.entities);
            judged.sort_unstable();
        }
    }

    fn sample(
        &self,
        view: &View<'_>,
        gather: &Gather,
        slot: Option<usize>,
        feature: usize,
    ) -> Option<Sample> {
        let feature = self.setup.features[feature];
        let (value, weight) = match slot {
            None => (feature.of_empty()?, 1.0),
            Some(slot) => {
                let moments = &gather.moments[slot];
                (feature.value(moments, gather.extra(slot))?, moments.weight.max(1.0))
            }
        };
        let is_sampled = matches!(feature, Feature::Mean | Feature::Median | Feature::Variance);
        let weight = if is_sampled { weight } else { 1.0 };
        value.is_finite().then_some(Sample { time_s: view.start_s, value, weight, learn: true })
    }

    fn may_learn(
        &self,
        view: &View<'_>,
        split: SplitIds,
        at: usize,
        feature: usize,
        sample: &Sample,
    ) -> bool {
        if view.scheduled.skip_model_update {
            return false;
        }
        if !view.detector.has_learning_rules {
            return true;
        }
        let typical = self.models[at].peek(&self.setup.configs[feature], sample.time_s).typical;
        !view.actions(split, Some(sample.value), Some(typical)).skip_model_update
    }

    #[expect(clippy::too_many_arguments, reason = "one call, two callers")]
    fn report(
        &self,
        view: &View<'_>,
        entity: u32,
        split: SplitIds,
        slot: Option<usize>,
        feature: usize,
        sample: &Sample,
        outcome: &Outcome,
        sink: &mut Sink,
    ) {
        let prediction = Prediction { typical: outcome.typical, lower: outcome.lower, upper: outcome.upper };
        let name = self.setup.features[feature];
        plot(view, split, name, prediction, Some(sample.value), sink);
        if let (Some(change), false) = (outcome.change, view.is_interim) {
            annotate(view, split, change, sink);
        }
        if view.scheduled.skip_result {
            return;
        }
        if view.scale.is_worth_a_record(outcome.score) {
            let actions = view.actions(split, Some(sample.value), Some(outcome.typical));
            let excluded = view.detector.excludes_by && self.entities.is_frequent(entity, view.number());
            if actions.skip_result || excluded {
                return;
            }
        }
        sink.judge(view, outcome.score, outcome.probability, || Finding {
            detector: view.detector.index,
            split,
            slot,
            surprise: outcome.score,
            probability: outcome.probability,
            actual: vec![sample.value],
            typical: vec![outcome.typical],
            description: (self.setup.features.len() > 1).then(|| name.description()),
            multi_bucket_impact: multi_bucket_impact(outcome),
            explanation: explain(outcome),
            geo: None,
            causes: Vec::new(),
        });
    }

    fn plot_gap(&self, view: &View<'_>, split: SplitIds, entity: u32, feature: usize, sink: &mut Sink) {
        if view.plan.plot.is_some() {
            let at = entity as usize * self.setup.features.len() + feature;
            let prediction = self.models[at].peek(&self.setup.configs[feature], view.start_s);
            plot(view, split, self.setup.features[feature], prediction, None, sink);
        }
    }

    /// Takes the models of forgotten entities away.
    pub(crate) fn forget(&mut self, idle: &[u32]) {
        let features = self.setup.features.len();
        for entity in idle {
            for feature in 0..features {
                let at = *entity as usize * features + feature;
                if at < self.models.len() {
                    self.count_form(self.models[at].form(), Form::Young);
                    self.models[at] = SeriesModel::new(&self.setup.configs[feature]);
                    self.set_size(at, FORGOTTEN_BYTES);
                }
            }
        }
    }

    /// Models of live entities, every feature.
    pub(crate) fn live_models(&self) -> impl Iterator<Item = &SeriesModel> {
        let series = (0..self.models.len()).map_while(|at| self.series(at));
        series.filter_map(|(split, _, model, _)| split.map(|_| model))
    }

    /// The model at a position, with its split unless the entity is forgotten; `None` after the last one.
    pub(crate) fn series(
        &self,
        at: usize,
    ) -> Option<(Option<SplitIds>, Feature, &SeriesModel, &ModelConfig)> {
        let model = self.models.get(at)?;
        let features = self.setup.features.len();
        let (entity, feature) = ((at / features) as u32, at % features);
        let split = self.entities.is_live(entity).then(|| self.entities.split(entity));
        Some((split, self.setup.features[feature], model, &self.setup.configs[feature]))
    }
}

/// Bytes of a young model of the feature where they are most.
fn young_bytes(configs: &[ModelConfig]) -> u32 {
    configs.iter().map(|config| SeriesModel::bytes_of(config, Form::Young) as u32).max().unwrap_or(0)
}

/// −5 when the bucket alone is unusual, 5 when only the window is.
fn multi_bucket_impact(outcome: &Outcome) -> f64 {
    let most = outcome.single_bucket.max(outcome.multi_bucket);
    if most <= 0.0 {
        return -5.0;
    }
    (5.0 * (outcome.multi_bucket - outcome.single_bucket) / most).clamp(-5.0, 5.0)
}

fn explain(outcome: &Outcome) -> Explanation {
    let whole = |number: f64| number.round().clamp(-1e6, 1e6) as i32;
    Explanation {
        anomaly_type: Some(if outcome.is_high { "spike" } else { "dip" }.to_owned()),
        anomaly_length: Some(outcome.anomaly_length.max(1)),
        single_bucket_impact: Some(whole(outcome.single_bucket)),
        multi_bucket_impact: Some(whole(outcome.multi_bucket)),
        anomaly_characteristics_impact: Some(whole(outcome.score - outcome.raw_score)),
        lower_confidence_bound: Some(outcome.lower),
        typical_value: Some(outcome.typical),
        upper_confidence_bound: Some(outcome.upper),
        high_variance_penalty: Some(outcome.high_variance_penalty > PENALTY_TOLD),
        incomplete_bucket_penalty: Some(outcome.incomplete_bucket_penalty > PENALTY_TOLD),
        multimodal_distribution: Some(outcome.multimodal),
        by_field_first_occurrence: None,
        by_field_relative_rarity: None,
    }
}

fn annotate(view: &View<'_>, split: SplitIds, change: Change, sink: &mut Sink) {
    if !view.plan.annotations {
        return;
    }
    let text = match change {
        Change::LevelShift { magnitude } => format!("Detected level shift of {magnitude:.4}"),
        Change::Scale { factor } => format!("Detected seasonal pattern scaled by {factor:.3}"),
        Change::Variance { factor } => format!("Detected residual deviation scaled by {factor:.3}"),
        Change::TimeShift { seconds } => format!("Detected time shift of {seconds} seconds"),
        Change::SeasonFound { period_s } => {
            format!("Detected seasonal component with period {period_s} seconds")
        }
        Change::SeasonLost { period_s } => {
            format!("Seasonal component with period {period_s} seconds has faded")
        }
    };
    sink.annotations.push(Annotation {
        time: TimestampMs(view.start_s * 1000),
        end: TimestampMs((view.start_s + view.plan.span_s) * 1000),
        detector_index: view.detector.index,
        split: view.detector.split(view.columns, split),
        text,
    });
}
