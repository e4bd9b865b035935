//! Flushes with all their parameters, and pushed data that replace earlier ones.

use serde_json::json;

use crate::jobs::{JOB, START_MS, lines, records};
use crate::server::Server;
use crate::transcript::Transcript;

const HOUR_MS: i64 = 3_600_000;
const JOB_URI: &str = "/_ml/anomaly_detectors/j";

async fn opened(job: &str) -> Server {
    let server = Server::start().await;
    assert_eq!(server.call("PUT", JOB_URI, job).await.status, 200);
    server.call("POST", &format!("{JOB_URI}/_open"), "").await;
    server
}

#[tokio::test]
async fn flushes_move_time_and_show_what_is_unfinished() {
    let server = opened(JOB).await;
    let mut transcript = Transcript::new(&server);
    let flush = format!("{JOB_URI}/_flush");
    let buckets = format!(
        "{JOB_URI}/results/buckets?filter_path=count,buckets.timestamp,buckets.is_interim,buckets.event_count"
    );
    transcript.ask("POST", &flush, "").await;
    for bad in [
        "?start=2026-01-01",
        "?end=2026-01-01",
        "?calc_interim&end=2026-01-01",
        "?calc_interim&start=2026-01-02&end=2026-01-01",
        "?calc_interim&start=soon",
        "?skip_time=soon",
        "?advance_time=2025-01-01&skip_time=2026-01-01",
        "?calc_interim=perhaps",
    ] {
        transcript.fail("POST", &format!("{flush}{bad}"), "").await;
    }
    server.call("POST", &format!("{JOB_URI}/_data"), &lines(&records(2, 99))).await;
    transcript.ask("POST", &flush, "").await;
    transcript.ask("GET", &buckets, "").await;
    let open_ms = START_MS + HOUR_MS;
    transcript
        .ask("POST", &format!("{flush}?calc_interim&start={}&end={}", open_ms - HOUR_MS, open_ms), "")
        .await;
    transcript.ask("GET", &buckets, "").await;
    transcript.ask("POST", &format!("{flush}?calc_interim&start={}", open_ms + 600_000), "").await;
    transcript.ask("GET", &buckets, "").await;
    transcript.ask("POST", &format!("{flush}?advance_time={}", START_MS + 3 * HOUR_MS), "").await;
    transcript.ask("GET", &buckets, "").await;
    transcript.ask("POST", &flush, &json!({"skip_time": START_MS + 10 * HOUR_MS}).to_string()).await;
    server.call("POST", &format!("{JOB_URI}/_data"), &lines(&records(12, 99)[96..])).await;
    server.call("POST", &format!("{JOB_URI}/_close"), "").await;
    transcript.ask("GET", &buckets, "").await;
    transcript
        .ask(
            "GET",
            &format!("{JOB_URI}/_stats?filter_path=jobs.data_counts.out_of_order_timestamp_count"),
            "",
        )
        .await;
    insta::assert_snapshot!(transcript.end(), @"");
}

#[tokio::test]
async fn open_buckets_are_filled_anew() {
    let job = JOB.replace(r#""bucket_span":"1h""#, r#""bucket_span":"1h","latency":"4h""#);
    let server = opened(&job).await;
    let mut transcript = Transcript::new(&server);
    let data = format!("{JOB_URI}/_data");
    let all = records(12, 99);
    server.call("POST", &data, &lines(&all[..96])).await;
    for bad in
        ["?reset_start=0", "?reset_end=0", "?reset_start=2&reset_end=1", "?reset_start=soon&reset_end=1"]
    {
        transcript.fail("POST", &format!("{data}{bad}"), "{}").await;
    }
    // Buckets 6 and 7 are open; of bucket 6 only two records come again.
    let (from, to) = (START_MS + 6 * HOUR_MS, START_MS + 7 * HOUR_MS);
    let again = format!("{data}?reset_start={from}&reset_end={to}");
    let answer = server.call("POST", &again, &lines(&all[72..74])).await;
    assert_eq!((answer.status.as_u16(), answer.json()["processed_record_count"].take()), (202, json!(2)));
    server.call("POST", &format!("{JOB_URI}/_flush?advance_time={}", START_MS + 8 * HOUR_MS), "").await;
    transcript
        .ask(
            "GET",
            &format!("{JOB_URI}/results/buckets?start={}&filter_path=buckets.event_count", from - HOUR_MS),
            "",
        )
        .await;
    insta::assert_snapshot!(transcript.end(), @"");
}
