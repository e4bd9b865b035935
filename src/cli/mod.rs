//! What can be done on the command line, one file per subcommand.

pub(crate) mod categorize;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod detect;
pub(crate) mod input;
pub(crate) mod plan;
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
    Check(check::Args),
    Demo(demo::Args),
    Plan(plan::command::PlanArgs),
    Apply(plan::command::ApplyArgs),
    Export(plan::command::ExportArgs),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => return usage(&error),
    };
    let result = match command {
        Command::Serve(args) => serve::run(&args),
        Command::Detect(args) => detect::run(&args),
        Command::Categorize(args) => categorize::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Plan(args) => plan::command::run_plan(&args),
        Command::Apply(args) => plan::command::run_apply(&args),
        Command::Export(args) => plan::command::run_export(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("auspex: {error}");
        error.exit_code()
    })
}

/// Help, or what is wrong with the command line. Of `plan`, 2 would mean that there are changes.
fn usage(error: &clap::Error) -> ExitCode {
    let is_plan = std::env::args_os().nth(1).is_some_and(|word| word == "plan");
    // Nothing can be done about a standard error that is closed.
    let _ = error.print();
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_plan => ExitCode::from(1),
        code => ExitCode::from(u8::try_from(code).unwrap_or(2)),
    }
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
    #[error(transparent)]
    Plan(#[from] plan::PlanError),
}

impl CliError {
    /// 2: the input or the command is wrong; 1: the machine did not do what was asked.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Input(_) | Self::Option(_) => ExitCode::from(2),
            Self::Output { .. } | Self::Serve(_) | Self::Plan(_) => ExitCode::from(1),
        }
    }
}
