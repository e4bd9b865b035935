//! From surprises to results: the scale of scores, what history leaves of them, many entities to one bucket, and the tail of a
//! population.

mod history;
mod influence;
mod joint;
mod normalizer;
mod population_tail;
mod rate;
mod scale;

pub(crate) use history::Window;
pub(crate) use influence::{INFLUENCE_MIN, Share, influence};
pub(crate) use joint::Joint;
pub(crate) use normalizer::{Identity, KEPT_BYTES, Kept, Level, Normalizer, Part, Strong, Terms};
pub(crate) use population_tail::PopulationTail;
pub(crate) use rate::CrowdHistory;
pub(crate) use scale::Scale;
