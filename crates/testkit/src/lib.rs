//! Clock and store for tests.
//!
//! | module | holds |
//! | --- | --- |
//! | `clock` | [`MockClock`]: time that the test owns |
//! | `holding` | [`Holding`]: a store that holds something as long as it is held |
//! | `faulty` | [`FaultyStore`]: a store that fails, or falls silent, where the test says |

mod clock;
mod faulty;
mod holding;

pub use clock::MockClock;
pub use faulty::{Fault, FaultyStore};
pub use holding::Holding;
