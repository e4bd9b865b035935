//! How much of a model a series has. When memory runs short, models become smaller in steps before any is refused.

use serde::{Deserialize, Serialize};

/// The forms of a model, from the first to the last that memory allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Form {
    /// Too few samples for a model: they are listed.
    Young,
    /// Everything.
    Full,
    /// Without the profile of the week, and with few prototypes of shapes.
    Compact,
    /// A level, a scale and one history of residuals; no season. One that is on its way to a compact model counts as that.
    Sketch,
}

impl Form {
    /// Number of forms.
    pub const COUNT: usize = 4;
}
