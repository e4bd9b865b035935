//! `auspex serve`: runs the server until it is told to stop.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::CliError;
use crate::app::App;
use crate::config::{Config, LogFormat, Secret, Settings};

/// Run the server: jobs, datafeeds and, without a cluster, the store itself.
///
/// Settings come from the file, then from AUSPEX_… variables, then from these flags.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// TOML file with settings
    #[arg(long, value_name = "FILE", env = "AUSPEX_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:9280]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Folder of the embedded store [default: ./auspex-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Elasticsearch or OpenSearch cluster to use in place of the embedded store
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Listen on an address that other machines can reach, though nobody is asked for a password
    #[arg(long)]
    allow_remote: bool,
}

/// # Errors
/// When the configuration is not valid, the store cannot be opened or the address cannot be listened on.
pub(crate) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let flags = Settings {
        listen: args.listen.clone(),
        data: args.data.clone(),
        store: args.store.as_deref().map(Secret::new),
        allow_remote: args.allow_remote.then_some(true),
        ..Settings::default()
    };
    // A variable that is not text cannot be one of ours.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::load(args.config.as_deref(), environment, flags)?;
    start_log(&config)?;
    let runtime =
        tokio::runtime::Runtime::new().map_err(|e| CliError::Serve(format!("no threads to run on: {e}")))?;
    let served = runtime.block_on(serve(config));
    // A search that goes on on a thread of its own does not keep the process: nothing waits for it any more.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    served?;
    Ok(ExitCode::SUCCESS)
}

fn start_log(config: &Config) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|e| CliError::Option(format!("log: [{}] cannot be read: {e}", config.log)))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().try_init(),
    };
    started.map_err(|e| CliError::Serve(format!("the log cannot be started: {e}")))
}

async fn serve(config: Config) -> Result<(), CliError> {
    let shutdown_timeout = config.shutdown_timeout;
    let listen = config.listen;
    let app = App::open(config, Arc::new(types::time::SystemClock))
        .await
        .map_err(|e| CliError::Serve(e.to_string()))?;
    let cannot_listen = |e: std::io::Error| CliError::Serve(format!("cannot listen on [{listen}]: {e}"));
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let stop = stop_signal()?;
    announce(address)?;
    let (stopping, mut stopped) = tokio::sync::watch::channel(false);
    let server = axum::serve(listener, app.router()).with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("stopping");
        let _ = stopping.send(true);
    });
    let overdue = async {
        let _ = stopped.wait_for(|stopping| *stopping).await;
        tokio::time::sleep(shutdown_timeout).await;
    };
    tokio::select! {
        ended = server => ended.map_err(|e| CliError::Serve(format!("the server failed: {e}")))?,
        () = overdue => tracing::warn!("some requests did not end in time and are cut off"),
    }
    if tokio::time::timeout(shutdown_timeout, app.shutdown()).await.is_err() {
        tracing::warn!("some jobs did not save their state in time; they go on from their last checkpoint");
    }
    Ok(())
}

/// Tells whoever started the server that it is ready, and where.
fn announce(address: std::net::SocketAddr) -> Result<(), CliError> {
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{address}")
        .and_then(|()| out.flush())
        .map_err(|source| CliError::Output { path: "-".to_owned(), source })
}

fn stop_signal() -> Result<impl Future<Output = ()>, CliError> {
    let listen = |kind| signal(kind).map_err(|e| CliError::Serve(format!("cannot wait for signals: {e}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
