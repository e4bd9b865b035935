//! What the rest of the service sees of an open job.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{Context, ForecastError, ForecastRequest};
use serde::Serialize;
use store::Page;
use tokio::sync::{mpsc, oneshot, watch};
use types::stats::{DataCounts, ModelSizeStats, TimingStats};
use types::{Job, TimestampMs};

use super::checkpoint::FeedPosition;
use super::groups::FedGroup;
use crate::ingest::Piece;
use crate::{Error, Result};

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "named as in the API")]
pub enum State {
    Opening,
    Opened,
    Closing,
    Closed,
    Failed,
}

/// What statistics show, without waiting for the task.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) state: State,
    pub(crate) open_time: TimestampMs,
    pub(crate) counts: DataCounts,
    pub(crate) size_stats: Option<ModelSizeStats>,
    pub(crate) timing: TimingStats,
    /// Why it failed, or why it is paused.
    pub(crate) failure: String,
    /// It counts as open, but no task runs.
    pub(crate) paused: bool,
}

/// Rows of a datafeed.
#[derive(Debug)]
pub(crate) struct FeedBatch {
    pub(crate) page: Page,
    /// Of each row the time at which the feed must begin again to see the row; the row's own time when absent.
    pub(crate) positions_ms: Option<Vec<i64>>,
    /// Which rows of the page are meant.
    pub(crate) rows: std::ops::Range<usize>,
}

/// What a flush is asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlushRequest {
    pub(crate) calc_interim: bool,
    pub(crate) start_ms: Option<i64>,
    pub(crate) end_ms: Option<i64>,
    pub(crate) advance_ms: Option<i64>,
    pub(crate) skip_ms: Option<i64>,
    /// Makes the bucket of the newest record final if it ends at or before this time.
    pub(crate) complete_until_ms: Option<i64>,
    /// Comes from the datafeed, which repeats it after a crash: it need not be in the log.
    pub(crate) from_feed: bool,
}

/// A copy of a model, and what a forecast of it would be.
#[derive(Debug)]
pub(crate) struct ForecastBasis {
    pub(crate) state: Vec<u8>,
    pub(crate) start: TimestampMs,
    pub(crate) end: TimestampMs,
    pub(crate) model_bytes: u64,
    /// Series that are left out.
    pub(crate) too_young: usize,
    pub(crate) at_memory_limit: bool,
}

pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// What the task can be asked.
#[derive(Debug)]
pub(crate) enum Command {
    /// Pushed records; the answer comes when they are durable and analysed.
    Post {
        /// Open buckets from the first time on and before the second are emptied first.
        reset: Option<(i64, i64)>,
        pieces: Vec<Piece>,
        reply: Reply<DataCounts>,
    },
    /// A datafeed begins: where it would begin again after a crash.
    FeedStarted {
        position: FeedPosition,
        reply: Reply<()>,
    },
    /// Rows of the datafeed.
    Feed(FeedBatch),
    /// Documents of whole buckets before a time, put together by the store.
    FeedGroups {
        groups: Vec<FedGroup>,
        until_ms: i64,
    },
    /// The datafeed has ended and will not begin again by itself.
    FeedEnded,
    /// Everything before this time was fed.
    FedUntil {
        position_ms: i64,
    },
    Flush {
        request: FlushRequest,
        reply: Reply<Option<i64>>,
    },
    Update {
        job: Box<Job>,
        reply: Reply<()>,
    },
    Context {
        context: Context,
        reply: Reply<()>,
    },
    /// What a forecast needs, if there can be one.
    Forecast {
        request: ForecastRequest,
        reply: Reply<Result<ForecastBasis, ForecastError>>,
    },
    /// Saves a snapshot and ends.
    Close {
        reply: Reply<()>,
    },
    /// Saves a checkpoint and ends, to be opened again by the next start of the service.
    Suspend {
        reply: Reply<()>,
    },
}

/// A handle on an open job.
#[derive(Debug)]
pub(crate) struct OpenJob {
    pub(crate) job_id: String,
    pub(crate) fields: Mutex<Vec<String>>,
    live: Mutex<Live>,
    commands: Mutex<Option<mpsc::Sender<Command>>>,
    /// Becomes true when the task must stop at once.
    pub(crate) killed: watch::Sender<bool>,
    /// Becomes true when opening is over, for better or worse.
    opened: watch::Sender<bool>,
}

impl OpenJob {
    pub(crate) fn new(job_id: &str, open_time: TimestampMs) -> Self {
        let live = Live {
            state: State::Opening,
            open_time,
            counts: DataCounts { job_id: job_id.to_owned(), ..DataCounts::default() },
            size_stats: None,
            timing: TimingStats { job_id: job_id.to_owned(), ..TimingStats::default() },
            failure: String::new(),
            paused: false,
        };
        Self {
            job_id: job_id.to_owned(),
            fields: Mutex::default(),
            live: Mutex::new(live),
            commands: Mutex::default(),
            killed: watch::Sender::new(false),
            opened: watch::Sender::new(false),
        }
    }

    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn state(&self) -> State {
        self.live().state
    }

    pub(crate) fn fields(&self) -> Vec<String> {
        self.fields.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The task runs from now on and takes commands.
    pub(crate) fn started(&self, fields: Vec<String>, commands: mpsc::Sender<Command>) {
        *self.fields.lock().unwrap_or_else(PoisonError::into_inner) = fields;
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
        self.live().state = State::Opened;
        self.opened.send_replace(true);
    }

    /// The job cannot go on.
    pub(crate) fn failed(&self, why: &Error) {
        {
            let mut live = self.live();
            live.state = State::Failed;
            live.failure = why.to_string();
        }
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.opened.send_replace(true);
    }

    /// Counts as open from now on, though its task has ended.
    pub(crate) fn pause(&self, why: &str) {
        self.rest(State::Opened, why);
    }

    /// Waits for a node that can take it.
    pub(crate) fn queue(&self, why: &str) {
        self.rest(State::Opening, why);
    }

    fn rest(&self, state: State, why: &str) {
        {
            let mut live = self.live();
            live.state = state;
            live.paused = true;
            live.failure = why.to_owned();
        }
        *self.commands.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.opened.send_replace(true);
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.live().paused
    }

    fn sender(&self) -> Result<mpsc::Sender<Command>> {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner).clone();
        commands.filter(|_| self.state() == State::Opened).ok_or_else(|| Error::not_open(&self.job_id))
    }

    /// Waits for room in the queue; for datafeeds and administration.
    pub(crate) async fn send(&self, command: Command) -> Result<()> {
        self.sender()?.send(command).await.map_err(|_| Error::not_open(&self.job_id))
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| self.why_gone())?
    }

    /// As [`OpenJob::ask`], but a full queue is an error: for requests of clients that can come again.
    pub(crate) async fn ask_unless_full<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.sender()?.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::TooManyRequests(format!(
                "Job [{}] is busy: its queue of requests is full, try again later",
                self.job_id
            )),
            mpsc::error::TrySendError::Closed(_) => Error::not_open(&self.job_id),
        })?;
        answer.await.map_err(|_| self.why_gone())?
    }

    fn why_gone(&self) -> Error {
        let failure = self.live().failure.clone();
        if failure.is_empty() { Error::not_open(&self.job_id) } else { Error::Model(failure) }
    }

    /// No further commands are taken.
    pub(crate) fn closing(&self) {
        self.live().state = State::Closing;
    }

    /// Takes the way to the task away, so that only the holder of the answer can still ask.
    pub(crate) async fn ask_last(&self, command: impl FnOnce(Reply<()>) -> Command) -> Result<()> {
        let sender = self.sender()?;
        self.closing();
        let (reply, answer) = oneshot::channel();
        sender.send(command(reply)).await.map_err(|_| Error::not_open(&self.job_id))?;
        answer.await.map_err(|_| self.why_gone())?
    }

    /// Waits until opening is over.
    pub(crate) async fn wait_opened(&self) {
        let mut opened = self.opened.subscribe();
        // The sender lives as long as `self`: waiting cannot fail.
        let _ = opened.wait_for(|opened| *opened).await;
    }
}
