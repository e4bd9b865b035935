//! `auspex check`: looks at a data folder while no server uses it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ::search::cluster::verify::{FileReport, Report, verify};

use super::CliError;

/// Look at every page and document of a data folder, and say what is damaged and what can be saved; nothing is changed.
///
/// Exit code 0: all is sound; 3: something is damaged, missing or unknown; 2: there is no such folder, or a server uses it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data folder
    #[arg(value_name = "DATA", default_value = "./auspex-data")]
    data: PathBuf,
    /// Write the report as JSON
    #[arg(long)]
    json: bool,
}

/// # Errors
/// When there is no such folder, a server uses it, or the report cannot be written.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let report = verify(&args.data).map_err(|error| CliError::Option(error.to_string()))?;
    let text = if args.json {
        let json = serde_json::to_string_pretty(&report);
        json.map(|json| json + "\n").map_err(|error| CliError::Option(error.to_string()))?
    } else {
        described(&report)
    };
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|source| CliError::Output { path: "-".to_owned(), source })?;
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn described(report: &Report) -> String {
    let mut text = String::new();
    if let Some(why) = &report.catalog {
        text.push_str(&format!(
            "The catalog cannot be used: {why}.\n  Move catalog.db, catalog.db-wal and catalog.db-shm away and start the server: it makes \
             the catalog anew\n  from the files below that say which index they are. Templates and stored settings are lost.\n"
        ));
    }
    for file in &report.files {
        text.push_str(&line(file));
    }
    let damaged = report.files.iter().filter(|file| !file.problems.is_empty()).count();
    let documents: u64 = report.files.iter().map(|file| file.documents).sum();
    text.push_str(&format!(
        "{} files, {damaged} of them damaged or missing; {documents} documents can be read.\n",
        report.files.len()
    ));
    text
}

fn line(file: &FileReport) -> String {
    let name = file.index.as_deref().unwrap_or("(no index)").escape_debug();
    let sums = if file.checked { "" } else { ", without checksums" };
    let state = match (file.problems.is_empty(), file.in_catalog) {
        (true, true) => "ok",
        (true, false) => "not in the catalog",
        (false, _) => "DAMAGED",
    };
    let mut text = format!("{state:<18} {name} ({}, {} documents{sums})\n", file.file, file.documents);
    for problem in &file.problems {
        text.push_str(&format!("  {problem}\n"));
    }
    if !file.problems.is_empty() {
        text.push_str(
            "  Put the file back from a backup; or delete the index with DELETE, which works while it is damaged. The documents\n  \
             that can be read are found by searches that do not touch the damaged pages.\n",
        );
    }
    text
}
