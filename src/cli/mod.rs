//! What can be done on the command line, one file per subcommand.

pub(crate) mod categorize;
#[allow(dead_code, unused_imports, reason = "the record readers are there for analysing files")]
pub(crate) mod input;

use std::process::ExitCode;

/// Why a command failed. The message is one line for standard error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Input(#[from] input::InputError),
    #[error("cannot write [{path}]: {source}")]
    Output { path: String, source: std::io::Error },
    #[error("{0}")]
    Option(String),
}

impl CliError {
    /// 2: the input or the command is wrong; 1: the output could not be written.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) | Self::Option(_) => ExitCode::from(2),
            Self::Output { .. } => ExitCode::from(1),
        }
    }
}
