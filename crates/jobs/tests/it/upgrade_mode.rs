//! Upgrade mode outlasts the service, and what was paused goes on.

use jobs::{ForecastJob, Options, StartDatafeed, State};
use serde_json::json;
use types::{TimeSpan, TimestampMs};

use crate::rig::*;

const EXPLANATION: &str = "persistent task cannot be assigned while upgrade mode is enabled.";

#[tokio::test]
async fn what_was_paused_goes_on_after_a_restart() {
    let store = store().await;
    index_documents(&store, &documents(30)).await;
    let before = service_over(store.clone(), Options::default()).await;
    put_job(&before, "j").await;
    let body = json!({"job_id": "j", "indices": ["logs"]});
    before.put_datafeed("d", serde_json::from_value(body).unwrap()).await.unwrap();
    before.open_job("j").await.unwrap();
    let times = StartDatafeed { start: Some(TimestampMs(0)), end: None };
    before.start_datafeed("d", times).await.unwrap();
    before.set_upgrade_mode(true).await.unwrap();
    before.shutdown().await;
    drop(before);

    let after = service_over(store, Options::default()).await;
    assert!(after.upgrade_mode());
    let job = after.job_stats("j", false).await.unwrap().items.remove(0);
    assert_eq!((job.state, job.assignment_explanation.as_deref()), (State::Opened, Some(EXPLANATION)));
    let feed = after.datafeed_stats("d", false).await.unwrap().items.remove(0);
    assert_eq!((feed.state.as_str(), feed.assignment_explanation.as_deref()), ("started", Some(EXPLANATION)));
    assert!(after.post_data("j", "{}").await.is_err());
    let refused = after.open_job("j").await.unwrap_err();
    assert_eq!(refused.to_string(), "Cannot open jobs when upgrade mode is enabled");
    assert!(after.running().is_empty());

    after.set_upgrade_mode(false).await.unwrap();
    let job = after.job_stats("j", false).await.unwrap().items.remove(0);
    assert_eq!((job.state, job.assignment_explanation.as_deref()), (State::Opened, Some("")));
    assert!(job.node.is_some());
    let feed = after.datafeed_stats("d", false).await.unwrap().items.remove(0);
    assert_eq!((feed.state.as_str(), feed.assignment_explanation.as_deref()), ("started", Some("")));
    assert_eq!(after.running().len(), 2);
    after.shutdown().await;
}

#[tokio::test]
async fn a_forecast_under_way_ends_when_the_mode_begins() {
    let jobs = service().await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    jobs.post_data("j", &ndjson(&documents(60))).await.unwrap();
    // Two million points: it is not over by itself.
    let ten_years = Some(TimeSpan::parse("3650d", "duration").unwrap());
    jobs.forecast_job("j", ForecastJob { duration: ten_years, ..ForecastJob::default() }).await.unwrap();
    jobs.set_upgrade_mode(true).await.unwrap();
    let stats = jobs.job_stats("j", true).await.unwrap().items.remove(0).forecasts_stats;
    assert_eq!(stats.status.unwrap().into_iter().collect::<Vec<_>>(), [("failed", 1)]);
}

#[tokio::test]
async fn clearing_everything_ends_the_mode_and_leaves_nothing_to_go_on() {
    let store = store().await;
    let jobs = service_over(store.clone(), Options::default()).await;
    put_job(&jobs, "j").await;
    jobs.open_job("j").await.unwrap();
    jobs.set_upgrade_mode(true).await.unwrap();
    jobs.delete_everything().await.unwrap();
    assert!(!jobs.upgrade_mode() && jobs.running().is_empty());
    assert_eq!(store.count(".auspex-tasks", &json!({"match_all": {}})).await.unwrap(), 0);
    let messages =
        store.count(".ml-notifications-*", &json!({"match_phrase": {"message": "Opening job"}})).await;
    assert_eq!(messages.unwrap(), 1, "it was opened once, and not again to be removed");
}
