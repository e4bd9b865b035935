//! Tests through the real router, in process, and of the real binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod browsers;
mod configuration;
mod datafeed_fields;
mod datafeeds;
mod detect;
mod documents;
mod door;
mod flush;
mod forecasts;
mod frame;
mod jobs;
mod listening;
mod media;
mod messages;
mod model_snapshots;
mod openapi;
mod overload;
mod packaging;
mod plan;
mod process;
mod renormalization;
mod retention;
mod scenarios;
mod server;
mod settings;
mod stored_documents;
mod text_structure;
mod transcript;
