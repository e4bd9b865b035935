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
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/j/_flush
  200 {"flushed":true}
POST /_ml/anomaly_detectors/j/_flush?start=2026-01-01 
  400 illegal_argument_exception: Invalid flush parameters: unexpected 'start'.
POST /_ml/anomaly_detectors/j/_flush?end=2026-01-01 
  400 illegal_argument_exception: Invalid flush parameters: unexpected 'end'.
POST /_ml/anomaly_detectors/j/_flush?calc_interim&end=2026-01-01 
  400 illegal_argument_exception: Invalid flush parameters: 'start' has not been specified.
POST /_ml/anomaly_detectors/j/_flush?calc_interim&start=2026-01-02&end=2026-01-01 
  400 illegal_argument_exception: Invalid time range: end time '1767225600000' is earlier than start time '1767312000000'.
POST /_ml/anomaly_detectors/j/_flush?calc_interim&start=soon 
  400 parse_exception: Query param [start] with value [soon] cannot be parsed as a date or converted to a number (epoch).
POST /_ml/anomaly_detectors/j/_flush?skip_time=soon 
  400 parse_exception: Query param [skip_time] with value [soon] cannot be parsed as a date or converted to a number (epoch).
POST /_ml/anomaly_detectors/j/_flush?advance_time=2025-01-01&skip_time=2026-01-01 
  400 illegal_argument_exception: Invalid flush parameters: skip_time is later than advance_time.
POST /_ml/anomaly_detectors/j/_flush?calc_interim=perhaps 
  400 illegal_argument_exception: Failed to parse value [perhaps] as only [true] or [false] are allowed.
POST /_ml/anomaly_detectors/j/_flush
  200 {"flushed":true,"last_finalized_bucket_end":1763773200000}
GET /_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp,buckets.is_interim,buckets.event_count
  200 {"count":1,"buckets":[{"timestamp":1763769600000,"event_count":12,"is_interim":false}]}
POST /_ml/anomaly_detectors/j/_flush?calc_interim&start=1763769600000&end=1763773200000
  200 {"flushed":true,"last_finalized_bucket_end":1763773200000}
GET /_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp,buckets.is_interim,buckets.event_count
  200 {"count":1,"buckets":[{"timestamp":1763769600000,"event_count":12,"is_interim":false}]}
POST /_ml/anomaly_detectors/j/_flush?calc_interim&start=1763773800000
  200 {"flushed":true,"last_finalized_bucket_end":1763773200000}
GET /_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp,buckets.is_interim,buckets.event_count
  200 {"count":2,"buckets":[{"timestamp":1763769600000,"event_count":12,"is_interim":false},{"timestamp":1763773200000,"event_count":12,"is_interim":true}]}
POST /_ml/anomaly_detectors/j/_flush?advance_time=1763780400000
  200 {"flushed":true,"last_finalized_bucket_end":1763780400000}
GET /_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp,buckets.is_interim,buckets.event_count
  200 {"count":3,"buckets":[{"timestamp":1763769600000,"event_count":12,"is_interim":false},{"timestamp":1763773200000,"event_count":12,"is_interim":false},{"timestamp":1763776800000,"event_count":0,"is_interim":false}]}
POST /_ml/anomaly_detectors/j/_flush
  200 {"flushed":true,"last_finalized_bucket_end":1763805600000}
GET /_ml/anomaly_detectors/j/results/buckets?filter_path=count,buckets.timestamp,buckets.is_interim,buckets.event_count
  200 {"count":4,"buckets":[{"timestamp":1763769600000,"event_count":12,"is_interim":false},{"timestamp":1763773200000,"event_count":12,"is_interim":false},{"timestamp":1763776800000,"event_count":0,"is_interim":false},{"timestamp":1763805600000,"event_count":12,"is_interim":false}]}
GET /_ml/anomaly_detectors/j/_stats?filter_path=jobs.data_counts.out_of_order_timestamp_count
  200 {"jobs":[{"data_counts":{"out_of_order_timestamp_count":24}}]}
"#);
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
    insta::assert_snapshot!(transcript.end(), @r#"
POST /_ml/anomaly_detectors/j/_data?reset_start=0 {}
  400 illegal_argument_exception: Invalid reset range parameters: 'reset_end' has not been specified.
POST /_ml/anomaly_detectors/j/_data?reset_end=0 {}
  400 illegal_argument_exception: Invalid reset range parameters: 'reset_start' has not been specified.
POST /_ml/anomaly_detectors/j/_data?reset_start=2&reset_end=1 {}
  400 illegal_argument_exception: Invalid time range: end time '1000' is earlier than start time '2000'.
POST /_ml/anomaly_detectors/j/_data?reset_start=soon&reset_end=1 {}
  400 parse_exception: Query param [reset_start] with value [soon] cannot be parsed as a date or converted to a number (epoch).
GET /_ml/anomaly_detectors/j/results/buckets?start=1763787600000&filter_path=buckets.event_count
  200 {"buckets":[{"event_count":12},{"event_count":2},{"event_count":12}]}
"#);
}
