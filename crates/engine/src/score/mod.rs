//! From surprises to results: the scale of scores, many entities to one bucket, and the tail of a population.

mod influence;
mod joint;
mod population_tail;
mod rate;
mod scale;

pub(crate) use influence::{INFLUENCE_MIN, Share, influence};
pub(crate) use joint::Joint;
pub(crate) use population_tail::PopulationTail;
pub(crate) use rate::CrowdHistory;
pub(crate) use scale::Scale;
