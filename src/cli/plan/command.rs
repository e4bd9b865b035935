//! The three commands, their options and exit codes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::change::{Action, Change};
use super::current::Current;
use super::document;
use super::export::{self, Format, State};
use super::planning;
use super::server::{Server, Step};
use super::sides::Sides;
use super::{PlanError, print};
use crate::cli::CliError;

/// The server's address and what opens it.
#[derive(Debug, clap::Args)]
struct Target {
    /// Address of the server: Auspex, or another that speaks the API; a name and a password may stand in it
    #[arg(long, value_name = "URL", env = "AUSPEX_URL", default_value = "http://127.0.0.1:9280")]
    url: String,
    /// API key, as it is sent
    #[arg(long, value_name = "KEY", env = "AUSPEX_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// What the server has as `store_index_prefix`; needed for models alone, which lie in its own indices
    #[arg(long, value_name = "PREFIX", env = "AUSPEX_STORE_INDEX_PREFIX", default_value = "")]
    index_prefix: String,
}

impl Target {
    fn server(&self) -> Server {
        Server::new(&self.url, self.api_key.as_deref(), &self.index_prefix)
    }
}

/// What `plan` and `apply` have in common.
#[derive(Debug, clap::Args)]
struct Wanted {
    #[command(flatten)]
    target: Target,
    /// Delete what the server has and no file names
    #[arg(long)]
    prune: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Files and folders with configurations (YAML or JSON; one or several documents, each with `kind` and `id`)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Show what `apply` would change, and what becomes of the models.
///
/// Exit code: 0 when nothing changes, 2 when something does, 1 when the plan cannot be made.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    wanted: Wanted,
}

/// Make a server's jobs, datafeeds, calendars, filters and watches what files say.
///
/// Exit code: 0 when the server is as the files say, 1 when it is not.
#[derive(Debug, clap::Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    wanted: Wanted,
    /// Change nothing when a model would be lost
    #[arg(long)]
    keep_models: bool,
}

/// Write a server's jobs, datafeeds, calendars, filters and watches as files that `plan` and `apply` read.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    target: Target,
    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Form of the files
    #[arg(long, value_enum, default_value = "yaml")]
    format: Format,
    /// Take the models along
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "active", require_equals = true)]
    state: Option<State>,
}

/// `auspex plan`
///
/// # Errors
/// When the plan cannot be made.
pub(crate) fn run_plan(args: &PlanArgs) -> Result<ExitCode, CliError> {
    let changes = run(make_plan(&args.wanted))?;
    say(&shown(&args.wanted, &changes))?;
    Ok(if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// `auspex apply`
///
/// # Errors
/// When the plan cannot be made or carried out.
pub(crate) fn run_apply(args: &ApplyArgs) -> Result<ExitCode, CliError> {
    let server = args.wanted.target.server();
    let changes = run(make_plan(&args.wanted))?;
    say(&shown(&args.wanted, &changes))?;
    refuse(&changes, args.keep_models)?;
    let mut done = Vec::new();
    let outcome = run(carry_out(&server, &changes, &mut done));
    if args.wanted.json {
        say(&format!("{}\n", json!({"applied": done})))?;
    } else {
        say(&done.iter().map(|title| format!("done: {title}\n")).collect::<String>())?;
    }
    outcome?;
    let undone: Vec<String> =
        changes.iter().filter(|change| change.action == Action::Unsupported).map(print::title).collect();
    if undone.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(PlanError::Impossible(format!("everything else is done, but the server {}", undone.join(", ")))
        .into())
}

/// `auspex export`
///
/// # Errors
/// When the server does not answer or a file cannot be written.
pub(crate) fn run_export(args: &ExportArgs) -> Result<ExitCode, CliError> {
    let server = args.target.server();
    let written = run(export::export(&server, &args.to, args.format, args.state))?;
    say(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}

fn run<T>(work: impl Future<Output = Result<T, PlanError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Serve(format!("no threads to run on: {error}")))?;
    Ok(runtime.block_on(work)?)
}

async fn make_plan(wanted: &Wanted) -> Result<Vec<Change>, PlanError> {
    let documents = document::read_all(&wanted.files)?;
    let server = wanted.target.server();
    let current = Current::load(&server).await?;
    planning::plan(&Sides { documents: &documents, current: &current, server: &server, prune: wanted.prune })
        .await
}

fn shown(wanted: &Wanted, changes: &[Change]) -> String {
    if wanted.json { format!("{}\n", print::to_json(changes)) } else { print::text(changes) }
}

/// Nothing is begun that cannot be ended.
fn refuse(changes: &[Change], keep_models: bool) -> Result<(), PlanError> {
    if let Some(reason) = changes.iter().find_map(|change| change.blocked.as_ref()) {
        return Err(PlanError::Impossible(format!("nothing was changed: {reason}")));
    }
    let lost = changes.iter().find(|change| change.model == super::change::Model::Lost);
    match lost.filter(|_| keep_models) {
        Some(change) => Err(PlanError::Impossible(format!(
            "nothing was changed: to {} would lose a model",
            print::title(change)
        ))),
        None => Ok(()),
    }
}

/// Carries the changes out in order and notes those that are done; ends with the first that fails.
async fn carry_out(server: &Server, changes: &[Change], done: &mut Vec<String>) -> Result<(), PlanError> {
    for change in changes.iter().filter(|change| change.action != Action::Unsupported) {
        let prepared = send_all(server, &change.prepare).await;
        let is_whole = prepared.is_err() || change.action == Action::Update;
        let changed = match prepared {
            Ok(()) => send_all(server, &change.steps).await,
            refused => refused,
        };
        if changed.is_ok() {
            send_all(server, &change.finish).await?;
        } else if is_whole {
            go_on(server, &change.finish).await;
        }
        changed?;
        done.push(print::title(change));
    }
    Ok(())
}

/// What was stopped for a change that the server refused goes on as before. What was not stopped yet refuses to be started.
async fn go_on(server: &Server, steps: &[Step]) {
    for step in steps {
        if let Err(error) = server.send(step).await {
            tracing::warn!(path = step.path, %error, "it does not go on");
        }
    }
}

async fn send_all(server: &Server, steps: &[Step]) -> Result<(), PlanError> {
    for step in steps {
        server.send(step).await?;
    }
    Ok(())
}

fn say(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|source| CliError::Output { path: "-".to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::http::{StatusCode, Uri};

    use super::*;
    use crate::cli::plan::document::Kind;

    /// A server that refuses one path, and the paths that it was asked for.
    async fn refusing(refused: &'static str) -> (Server, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let router = Router::new().fallback(move |uri: Uri| {
            noted.lock().unwrap().push(uri.path().to_owned());
            let status = if uri.path() == refused { StatusCode::CONFLICT } else { StatusCode::OK };
            async move { (status, "{}") }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (Server::new(&address, None, ""), asked)
    }

    #[tokio::test]
    async fn what_was_stopped_for_a_refused_change_goes_on() {
        let step = |path: &str| Step::new("POST", path);
        for (refused, asked_for) in [
            ("/close", vec!["/stop", "/close", "/open", "/start"]),
            ("/update", vec!["/stop", "/close", "/update", "/open", "/start"]),
            // What does not go on does not keep the rest from it.
            ("/stop", vec!["/stop", "/open", "/start"]),
        ] {
            let (server, asked) = refusing(refused).await;
            let mut change = Change::new(Kind::Job, "a", Action::Update).step(step("/update"));
            change.prepare = vec![step("/stop"), step("/close")];
            change.finish = vec![step("/open"), step("/start")];
            let mut done = Vec::new();
            assert!(carry_out(&server, &[change], &mut done).await.is_err(), "{refused}");
            assert!(done.is_empty(), "{refused}");
            assert_eq!(*asked.lock().unwrap(), asked_for, "{refused}");
        }
    }
}
