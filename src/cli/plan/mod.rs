//! `auspex plan`, `auspex apply`, `auspex export`: jobs, datafeeds, calendars, filters and watches kept as files.
//!
//! ```text
//! files ── document ─┐
//!                    ├─ planning → changes, each with its steps (requests) ─┬─ print    (plan)
//! server ─ current ──┘                                                      └─ carry out (apply)
//! ```
//!
//! | file | holds |
//! | --- | --- |
//! | [`command`] | the three commands, their options and exit codes |
//! | [`document`] | files and what stands in them |
//! | [`server`], [`current`] | requests to a server; what it has now |
//! | [`normal`], [`difference`] | one form for both sides; what differs |
//! | [`change`] | a change, what it does to the model, and the requests that make it |
//! | [`planning`], [`jobs`], [`feeds`], [`lists`] | from differences to changes |
//! | [`print`](mod@print) | the plan for people |
//! | [`export`], [`snapshot`] | from a server to files; models taken along |

pub(crate) mod change;
pub(crate) mod command;
mod current;
mod difference;
mod document;
mod error;
mod export;
mod feeds;
mod jobs;
mod lists;
mod normal;
mod planning;
mod print;
mod server;
mod sides;
mod snapshot;

pub(crate) use error::PlanError;
