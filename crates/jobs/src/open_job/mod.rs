//! A job while it is open: one task that owns the analysis, behind a handle with a bounded queue.
//!
//! | module | holds |
//! | --- | --- |
//! | `handle` | what the rest of the service sees of an open job |
//! | `task` | the loop that takes commands |
//! | `groups` | documents that the store has put together |
//! | `worker` | the analysis and what belongs to it, on a thread for computing |
//! | `documents` | from what was found to what is written |
//! | `writer` | writing results while the analysis goes on, again when the store is away |
//! | `checkpoint` | state, counts and position, switched as one |
//! | `data_log` | pushed records, until a checkpoint holds them |
//! | `saving` | checkpoints and snapshots: when they are due, and what is written with them |
//! | `restoring` | from a saved state to an analysis |
//! | `opening` | from a checkpoint to a running task |

mod checkpoint;
mod data_log;
mod documents;
mod groups;
mod handle;
mod opening;
mod restoring;
mod saving;
mod task;
mod worker;
mod writer;

pub(crate) use checkpoint::{Checkpoints, FeedPosition, Pointer, StateRef};
pub(crate) use data_log::DataLog;
pub(crate) use groups::{FedGroup, FedValue};
pub use handle::State;
pub(crate) use handle::{Command, FeedBatch, FlushRequest, ForecastBasis, OpenJob};
pub(crate) use opening::{Opening, RESULT_TYPES_FINAL};
pub(crate) use writer::{patiently, write_all};
