//! What was acknowledged survives the end of the process. The test runs itself again as the victim.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use search::{BulkParams, Options, Search, SearchParams, SourceFilter};
use serde_json::Value;

const VICTIM: &str = "SEARCH_CRASH_FOLDER";

/// In the child: writes for ever, and says what was acknowledged.
#[test]
fn victim_writes_until_killed() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    let search = Search::open(folder.as_ref(), Arc::new(|| 0), Options::default()).unwrap();
    for batch in 0.. {
        let mut body = String::new();
        for n in 0..50 {
            let id = batch * 50 + n;
            body.push_str(&format!(
                "{{\"index\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":{id},\"k{}\":\"x\"}}\n",
                id % 40
            ));
        }
        assert!(!search.bulk(Some("i"), body.as_bytes(), &BulkParams::default()).unwrap().has_errors());
        println!("acknowledged {batch}");
    }
}

#[test]
fn acknowledged_documents_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=2 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::victim_writes_until_killed", "--nocapture", "--test-threads=1"])
            .env(VICTIM, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut last = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, number)) = line.split_once("acknowledged ") {
                last = Some(number.parse::<usize>().unwrap());
                // Later in the second round, which writes over what the first one left.
                if last >= Some(4 + 7 * round) {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = (last.expect("the victim wrote something") + 1) * 50;
        let search = Search::open(folder.path(), Arc::new(|| 0), Options::default()).unwrap();
        for id in 0..acknowledged {
            let found = search.get_document("i", &id.to_string(), &SourceFilter::default()).unwrap();
            assert_eq!(found["_source"]["n"], id, "round {round}");
        }
        let count =
            search.count("i", &SearchParams::default(), &Value::Null).unwrap()["count"].as_u64().unwrap();
        let by_query = serde_json::json!({"query": {"range": {"n": {"gte": 0}}}});
        let scanned =
            search.count("i", &SearchParams::default(), &by_query).unwrap()["count"].as_u64().unwrap();
        assert_eq!(count, scanned, "the number of documents is kept with them");
    }
}
