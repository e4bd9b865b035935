//! What a detector function makes of the records of one entity in one bucket.

mod distinct;
mod extra;
mod feature;
mod moments;

pub(crate) use extra::Extra;
pub(crate) use feature::Feature;
pub(crate) use moments::Moments;
