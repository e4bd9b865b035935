//! Requests whose client goes away half way leave nothing half done.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use jobs::{CloseJob, ForecastJob, Jobs, State};

use crate::rig::*;

/// Polls a future so many times, then drops it as a server does when the client hangs up.
async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A hanging service is what these tests are about: they must not hang themselves.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what} hangs"))
}

async fn open_with_data(jobs: &Jobs) {
    put_job(jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &ndjson(&documents(40))).await.unwrap();
}

#[tokio::test]
async fn a_job_whose_opening_was_dropped_can_be_closed() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    for polls in 1..16 {
        polled(polls, jobs.open_job("j")).await;
        soon("opening", async {
            while state(&jobs, "j").await != State::Opened {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        soon("closing", jobs.close_jobs("j", CloseJob::default())).await.unwrap();
        assert_eq!(state(&jobs, "j").await, State::Closed, "after {polls} polls");
    }
}

#[tokio::test]
async fn a_job_whose_closing_was_dropped_closes() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    for polls in 1..16 {
        jobs.open_job("j").await.unwrap();
        polled(polls, jobs.close_jobs("j", CloseJob::default())).await;
        soon("closing", until_closed(&jobs, "j")).await;
    }
}

#[tokio::test]
async fn a_forecast_that_was_dropped_keeps_nobody_waiting() {
    let jobs = service().await;
    open_with_data(&jobs).await;
    for polls in 1..8 {
        polled(polls, jobs.forecast_job("j", ForecastJob::default())).await;
    }
    // The places of dropped forecasts are free again, and none is left that never ends.
    soon("shutting down", jobs.shutdown()).await;
}

#[tokio::test]
async fn upgrade_mode_pauses_all_even_if_nobody_waits_for_it() {
    let jobs = service().await;
    open_with_data(&jobs).await;
    for polls in 1..12 {
        polled(polls, jobs.set_upgrade_mode(true)).await;
        soon("pausing", async {
            while !(jobs.upgrade_mode() && jobs.running().is_empty()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        soon("going on", async {
            // Refused while the change before is under way.
            while jobs.set_upgrade_mode(false).await.is_err() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
        assert_eq!(jobs.running().len(), 1);
    }
}
