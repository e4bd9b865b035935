//! Scores that fall when more of the same comes, through the interface.

use serde_json::{Value, json};

use crate::jobs::{START_MS, lines};
use crate::server::Server;

const DAY: i64 = 24;

/// One value an hour; from the fifth day on a peak a day, each a tenth higher than the one before.
fn records(days: i64) -> Vec<Value> {
    let value = |hour: i64| {
        let calm = 100.0 + f64::from((hour * hour * 7919 % 1013) as i32) / 200.0;
        let peaks = hour / DAY - 5;
        if peaks >= 0 && hour % DAY == 10 { calm + 12.0 * 1.1f64.powi(peaks as i32) } else { calm }
    };
    (0..days * DAY).map(|hour| json!({"time": START_MS + hour * 3_600_000, "v": value(hour)})).collect()
}

/// Initial and current scores of the strong records, in the order of time.
async fn scores(server: &Server, job: &str) -> Vec<(f64, f64)> {
    let uri = format!("/_ml/anomaly_detectors/{job}/results/records?sort=timestamp&size=1000");
    let body = server.get(&uri).await.json();
    let records = body["records"].as_array().unwrap().iter();
    let score = |record: &Value, name: &str| record[name].as_f64().unwrap();
    let scores = records.map(|r| (score(r, "initial_record_score"), score(r, "record_score")));
    scores.filter(|(initial, _)| *initial >= 50.0).collect()
}

#[tokio::test]
async fn a_record_score_falls_below_its_initial_one() {
    let server = Server::start().await;
    for (job, window) in [("on", ""), ("off", r#""renormalization_window_days":0,"#)] {
        let body = format!(
            r#"{{{window}"analysis_config":{{"bucket_span":"1h","detectors":[{{"function":"mean","field_name":"v"}}]}},
            "data_description":{{"time_field":"time"}}}}"#
        );
        assert_eq!(server.call("PUT", &format!("/_ml/anomaly_detectors/{job}"), &body).await.status, 200);
        let all = records(14);
        let base = format!("/_ml/anomaly_detectors/{job}");
        for part in [&all[..(6 * DAY) as usize], &all[(6 * DAY) as usize..]] {
            server.call("POST", &format!("{base}/_open"), "").await;
            assert_eq!(server.call("POST", &format!("{base}/_data"), &lines(part)).await.status, 202);
            server.call("POST", &format!("{base}/_close"), "").await;
            let scores = scores(&server, job).await;
            let fallen = scores.iter().filter(|(initial, score)| *score < initial - 10.0).count();
            assert!(
                !scores.is_empty() && scores.iter().all(|(initial, score)| score <= initial),
                "{scores:?}"
            );
            let is_late = part.len() as i64 > 6 * DAY;
            assert!(if job == "on" && is_late { fallen >= 4 } else { fallen == 0 }, "{job} {scores:?}");
        }
    }
}
