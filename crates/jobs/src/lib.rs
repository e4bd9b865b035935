//! Lifecycle of jobs and datafeeds, results, snapshots, calendars.
//!
//! | module | holds |
//! | --- | --- |
//! | [`service`] | [`Jobs`], the facade: what the HTTP layer calls |
//! | `anomaly_detectors` | create, read, change, remove, reset jobs |
//! | `mapping_clash` | fields of jobs that cannot lie in one index |
//! | `lifecycle` | open, close, flush, push data |
//! | `stats` | statistics of jobs |
//! | `open_job` | a job while it is open: one task that owns the analysis; checkpoints |
//! | `annotations` | what the service notes on the line of time |
//! | `ingest` | pushed JSON as rows |
//! | `datafeeds`, `feed` | datafeeds: configuration, and running them |
//! | `forecasts` | what open jobs expect of the time to come |
//! | `maintenance` | what is removed when its time is over |
//! | [`results`] | reading results through the store |
//! | `model_snapshots`, `reverts` | saved states: list, change, remove; going back to one |
//! | `snapshot_upgrades` | saved states of older versions, written anew |
//! | `calendars`, `filters` | what the analysis must know besides its job |
//! | `info`, `settings` | defaults and limits, and those that can be changed while the service runs |
//! | `clearing` | removing everything at once |
//! | `upgrade_mode` | everything pauses and goes on |
//! | `whole_changes` | changes of several steps outlast the request that asked for them |
//!
//! Every answer is read through the store, so that what others write is seen. An open job belongs to one task; the rest of
//! the service talks to it through a bounded queue.

mod annotations;
mod anomaly_detectors;
mod base64;
mod calendars;
mod clearing;
mod config_store;
mod datafeeds;
mod error;
mod expression;
mod feed;
mod filters;
mod forecasts;
mod info;
mod ingest;
mod lifecycle;
mod maintenance;
mod mapping_clash;
mod model_snapshots;
mod notifications;
mod open_job;
mod options;
mod own_indices;
pub mod results;
mod reverts;
mod service;
mod settings;
mod snapshot_upgrades;
mod stats;
mod unreadable;
mod upgrade_mode;
mod whole_changes;

pub use anomaly_detectors::{DeleteJob, JobView, ResetJob};
pub use calendars::EventsQuery;
pub use datafeeds::{DatafeedStats, RunningState, SearchInterval, StartDatafeed, StopDatafeed};
pub use error::{Error, Result};
pub use expression::matches;
pub use filters::FilterUpdate;
pub use forecasts::{ForecastJob, ForecastsStats, Spread};
pub use lifecycle::{CloseJob, FlushJob, Flushed, Opened};
pub use maintenance::ExpiredData;
pub use model_snapshots::{SnapshotUpdate, SnapshotsQuery};
pub use notifications::Level;
pub use open_job::State;
pub use options::Options;
pub use reverts::Revert;
pub use service::{Jobs, Listed, Node, Running};
pub use settings::SettingsChange;
pub use snapshot_upgrades::{Stage, UpgradeStats, Upgraded};
pub use stats::JobStats;
