//! What can be done on the command line, one file per subcommand.

pub(crate) mod categorize;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod input;
pub(crate) mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::config::ConfigErrors;

/// Anomaly detection for Elasticsearch and OpenSearch data
#[derive(Debug, Parser)]
#[command(name = "auspex", version)]
enum Command {
    Serve(serve::Args),
    Detect(detect::Args),
    Categorize(categorize::Args),
    Demo(demo::Args),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Serve(args) => serve::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Categorize(args) => categorize::run(&args),
        Command::Demo(args) => demo::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("auspex: {error}");
        error.exit_code()
    })
}

/// Why a command failed. The message is for standard error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Input(#[from] input::InputError),
    #[error("cannot write [{path}]: {source}")]
    Output { path: String, source: std::io::Error },
    #[error("{0}")]
    Option(String),
    #[error("{0}")]
    Serve(String),
}

impl CliError {
    /// 2: the input or the command is wrong; 1: the machine did not do what was asked.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Input(_) | Self::Option(_) => ExitCode::from(2),
            Self::Output { .. } | Self::Serve(_) => ExitCode::from(1),
        }
    }
}
