//! The `auspex` binary.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// Anomaly detection for Elasticsearch and OpenSearch data
#[derive(Debug, Parser)]
#[command(name = "auspex", version)]
enum Command {
    Categorize(cli::categorize::Args),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Categorize(args) => cli::categorize::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("auspex: {error}");
        error.exit_code()
    })
}
