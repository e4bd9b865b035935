//! `auspex demo`: the service on real data, from an empty folder to the anomalies that are known to be there.
//!
//! | module | does |
//! | --- | --- |
//! | [`scenario`] | the four demos: data, job, datafeed and the events that are known to be in the data |
//! | [`client`] | asks the service over HTTP, as any client would |
//! | [`run`] | loads the data, runs the job, reads the results |
//! | [`judge`] | which known events were found, and which alarms are elsewhere |
//! | [`report`] | the table |
//! | [`chart`] | the series with its anomalies, drawn with characters |

mod chart;
mod client;
mod judge;
mod report;
mod run;
pub(crate) mod scenario;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;

use self::client::Client;
use self::judge::Verdict;
use self::report::Paint;
use self::scenario::Scenario;
use super::CliError;
use crate::app::App;
use crate::config::{Config, Secret, Settings};

const LISTEN_DEFAULT: &str = "127.0.0.1:9280";

/// Run four demos on this machine: load data, create jobs, find the anomalies that are known to be there.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Stop after the tables; the exit code is 1 if fewer known events were found than a demo promises
    #[arg(long)]
    once: bool,
    /// Address and port of the service; port 0 takes a free one [default: 127.0.0.1:9280, with --once a free port]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Folder of the embedded store [default: a new temporary folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Elasticsearch or OpenSearch cluster to use in place of the embedded store
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Run only the demo of this name (may be repeated): taxi, taxi-zones, access-log, dbms-log
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Print one JSON object per demo in place of tables and charts
    #[arg(long)]
    json: bool,
}

/// # Errors
/// When the service cannot start or a request to it fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let scenarios = chosen(&args.only)?;
    let runtime =
        tokio::runtime::Runtime::new().map_err(|e| CliError::Serve(format!("no threads to run on: {e}")))?;
    runtime.block_on(demo(args, &scenarios))
}

fn chosen(only: &[String]) -> Result<Vec<Scenario>, CliError> {
    let all = scenario::all();
    if let Some(unknown) = only.iter().find(|name| all.iter().all(|scenario| scenario.name != name.as_str()))
    {
        let names: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
        return Err(CliError::Option(format!(
            "there is no demo [{unknown}]; there are {}",
            names.join(", ")
        )));
    }
    Ok(all
        .into_iter()
        .filter(|scenario| only.is_empty() || only.iter().any(|name| name == scenario.name))
        .collect())
}

async fn demo(args: &Args, scenarios: &[Scenario]) -> Result<ExitCode, CliError> {
    let folder = Folder::choose(args.data.clone())?;
    let (app, base) = start(args, &folder).await?;
    let client = Client::new(&base);
    let paint = Paint::for_terminal(std::io::stdout().is_terminal());
    let mut verdicts = Vec::new();
    for scenario in scenarios {
        let outcome = run::run(&client, scenario).await?;
        let verdict = judge::judge(scenario, &outcome);
        if args.json {
            report::json(scenario, &outcome, &verdict)?;
        } else {
            let series = run::series(&client, scenario).await?;
            let chart = chart::draw(scenario, &series, &outcome.records, chart::width(), paint);
            report::print(scenario, &outcome, &verdict, &chart, paint)?;
        }
        verdicts.push(verdict);
    }
    let kept = verdicts.iter().all(Verdict::keeps_promise);
    if !args.once {
        report::urls(&base, scenarios)?;
        let _ = tokio::signal::ctrl_c().await;
    }
    app.shutdown().await;
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn start(args: &Args, folder: &Folder) -> Result<(App, String), CliError> {
    let wanted = args
        .listen
        .clone()
        .unwrap_or_else(|| if args.once { "127.0.0.1:0".to_owned() } else { LISTEN_DEFAULT.to_owned() });
    let settings = Settings {
        listen: Some(wanted),
        data: Some(folder.path.clone()),
        store: args.store.as_deref().map(Secret::new),
        // Its documents are the same on every store, to the last digit.
        store_push_down: Some(false),
        log: Some("error".to_owned()),
        ..Settings::default()
    };
    let config = Config::load(None, std::iter::empty(), settings)?;
    let listen = config.listen;
    let cannot = |error: std::io::Error| {
        CliError::Serve(format!("cannot listen on [{listen}]: {error}; choose another with --listen"))
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let app = App::open(config, Arc::new(types::time::SystemClock))
        .await
        .map_err(|e| CliError::Serve(e.to_string()))?;
    let router = app.router();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the server failed");
        }
    });
    Ok((app, format!("http://{address}")))
}

/// Where the demo keeps its data; a folder of its own is removed at the end.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn choose(given: Option<PathBuf>) -> Result<Self, CliError> {
        if let Some(path) = given {
            return Ok(Self { path, temporary: false });
        }
        let path = std::env::temp_dir().join(format!("auspex-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|source| CliError::Output { path: path.display().to_string(), source })?;
        Ok(Self { path, temporary: true })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is left to the system's own cleaning of temporary files.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
