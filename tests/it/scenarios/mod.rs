//! Scenarios in the format of the public REST tests (`do`, `match`, …), played over HTTP against a server of their own.
//!
//! | file | holds |
//! | --- | --- |
//! | `scenario` | a file: `setup`, `teardown`, named tests, each a list of steps |
//! | `endpoints` | names of the interface, and where each of them lives |
//! | `call` | a `do` step: request, expected failure, expected warnings |
//! | `path` | `jobs.0.job_id`: parts of an answer; what was stashed |
//! | `assertion` | `match`, `is_true`, `length`, `gt`, … |
//!
//! The files are in `tests/scenarios`. Each named test has a server with an empty store.

mod assertion;
mod call;
mod endpoints;
mod path;
mod scenario;

use std::path::{Path, PathBuf};

use crate::server::Server;
use call::Session;
use scenario::{Scenario, Step};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");

/// Plays every test of a file. `SCENARIO=text` plays only tests whose name contains the text.
async fn play(name: &str) {
    let path = Path::new(FOLDER).join(format!("{name}.yml"));
    let text = std::fs::read_to_string(&path).unwrap();
    let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{name}.yml: {error}"));
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let mut failures = Vec::new();
    for (title, steps) in scenario.tests.iter().filter(|(title, _)| title.contains(&wanted)) {
        if let Err(failure) = play_one(&scenario, steps).await {
            failures.push(format!("{name}.yml: {title}: {failure}"));
        }
    }
    assert!(!scenario.tests.is_empty(), "{name}.yml has no tests");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
}

async fn play_one(scenario: &Scenario, steps: &[Step]) -> Result<(), String> {
    let server = Server::start().await;
    let mut session = Session::open(&server).await;
    for (part, steps) in [("setup", scenario.setup.as_slice()), ("test", steps)] {
        for (position, step) in steps.iter().enumerate() {
            session.take(step).await.map_err(|failure| format!("{part} step {}: {failure}", position + 1))?;
        }
    }
    for (position, step) in scenario.teardown.iter().enumerate() {
        session.take(step).await.map_err(|failure| format!("teardown step {}: {failure}", position + 1))?;
    }
    session.close().await;
    server.app.shutdown().await;
    Ok(())
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

macro_rules! play_files {
    ($($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                play(stringify!($name)).await;
            }
        )*

        #[test]
        fn every_file_is_played() {
            let played = [$(stringify!($name)),*];
            for file in files() {
                let name = file.file_stem().unwrap().to_string_lossy().into_owned();
                assert!(played.contains(&name.as_str()), "{name}.yml is not played");
            }
        }
    };
}

play_files! {
    calendars
    categories
    custom_rules
    datafeeds
    filters
    info
    job_validation
    jobs_crud
    jobs_get
    manners
    model_memory
    model_snapshots
    overall_buckets
    post_data
    results
    start_stop_datafeed
    tasks
    text_structure
    upgrade_mode
}

#[test]
fn every_name_leads_to_a_route() {
    let routed = auspex::api::route_lines();
    for (name, methods, paths) in endpoints::ENDPOINTS {
        for path in paths.split(' ') {
            for method in methods.split(' ') {
                assert!(
                    routed.iter().any(|line| line.path == path && line.method == method.to_ascii_lowercase()),
                    "{name}: {method} {path} is not routed"
                );
            }
        }
    }
}
