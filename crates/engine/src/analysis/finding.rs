//! What a detector says about an entity in a bucket, before it becomes a result.

use types::results::{Explanation, GeoResults, ModelPlot};

use super::entities::SplitIds;
use super::gatherer::Gather;
use super::memory::Room;
use super::plan::{DetectorPlan, Plan};
use super::splitter::Columns;
use crate::calendar::Scheduled;
use crate::rules::{self, Actions, Numbers};
use crate::score::{Joint, Scale};
use crate::{Annotation, Context};

/// The bucket that is judged, with all that is needed to judge it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) detector: &'a DetectorPlan,
    pub(crate) columns: &'a Columns,
    pub(crate) context: &'a Context,
    pub(crate) scheduled: &'a Scheduled,
    pub(crate) scale: &'a Scale,
    pub(crate) start_s: i64,
    /// Memory into which models may grow.
    pub(crate) room: Room,
    /// Threads that may be used.
    pub(crate) threads: usize,
    pub(crate) is_interim: bool,
}

/// An unusual entity.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) detector: usize,
    pub(crate) split: SplitIds,
    /// Where its records are; `None` when it has none.
    pub(crate) slot: Option<usize>,
    /// Surprise on the scale of [`crate::model::Outcome::score`].
    pub(crate) surprise: f64,
    pub(crate) probability: f64,
    pub(crate) actual: Vec<f64>,
    pub(crate) typical: Vec<f64>,
    /// `function_description`, where the function does not say it.
    pub(crate) description: Option<&'static str>,
    /// −5 … 5.
    pub(crate) multi_bucket_impact: f64,
    pub(crate) explanation: Explanation,
    pub(crate) geo: Option<GeoResults>,
    /// Populations: the things that the member did.
    pub(crate) causes: Vec<CauseFinding>,
}

/// One of the things that a member did.
#[derive(Clone, Debug)]
pub(crate) struct CauseFinding {
    pub(crate) split: SplitIds,
    pub(crate) probability: f64,
    pub(crate) actual: Vec<f64>,
    pub(crate) typical: Vec<f64>,
    pub(crate) geo: Option<GeoResults>,
    pub(crate) slot: usize,
}

/// Where detectors put what they find.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) findings: Vec<Finding>,
    pub(crate) joint: Joint,
    pub(crate) plots: Vec<ModelPlot>,
    pub(crate) annotations: Vec<Annotation>,
}

impl View<'_> {
    /// The bucket's number.
    pub(crate) fn number(&self) -> i64 {
        self.start_s.div_euclid(self.plan.span_s)
    }

    /// What the custom rules ask for.
    pub(crate) fn actions(&self, split: SplitIds, actual: Option<f64>, typical: Option<f64>) -> Actions {
        if !self.detector.has_rules {
            return Actions::default();
        }
        let numbers = Numbers { actual, typical, time_s: self.start_s };
        rules::actions(&self.detector.detector.custom_rules, self.context, numbers, |field| {
            self.detector.value_of(self.columns, split, field)
        })
    }

    /// The gathered records of this detector.
    pub(crate) fn gather<'b>(&self, gathers: &'b [Gather]) -> &'b Gather {
        &gathers[self.detector.index]
    }
}

impl Sink {
    pub(crate) fn clear(&mut self) {
        self.findings.clear();
        self.joint.clear();
        self.plots.clear();
        self.annotations.clear();
    }

    /// Takes the judgement of one entity: it counts for the bucket, and becomes a finding when it is unusual enough.
    pub(crate) fn judge(
        &mut self,
        view: &View<'_>,
        surprise: f64,
        probability: f64,
        finding: impl FnOnce() -> Finding,
    ) {
        self.joint.add(surprise, probability);
        if view.scale.is_worth_a_record(surprise) {
            self.findings.push(finding());
        }
    }
}
