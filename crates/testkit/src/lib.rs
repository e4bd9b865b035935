//! Clock and store for tests.
//!
//! | module | holds |
//! | --- | --- |
//! | `clock` | [`MockClock`]: time that the test owns |
//! | `faulty` | [`FaultyStore`]: a store that fails, or falls silent, where the test says |

mod clock;
mod faulty;

pub use clock::MockClock;
pub use faulty::{Fault, FaultyStore};
