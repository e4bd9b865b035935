//! The door and its stages. Records go one way: splitter → gatherer → detectors → results; no stage reads a later one.

mod clock;
mod door;

pub use door::{Analysis, Disposition};
