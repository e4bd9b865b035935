//! Random requests to the embedded store and to a real server: the answers must agree.

use std::sync::Arc;

use search::{BulkParams, Options, Search, SearchParams};
use serde_json::{Value, json};

use crate::random_requests::{Draw, START_MS, mapping};
use crate::server::{Server, say};

const DOCUMENTS: usize = 400;
const REQUESTS: u64 = 300;
/// Answers may differ by rounding.
const TOLERANCE: f64 = 1e-9;
/// Percentiles are estimated by servers, over values between -250 and 250; places are stored in 32 bits each.
const APPROXIMATE: [(&str, f64); 5] =
    [("m/values", 30.0), ("x/values", 30.0), ("y/values", 30.0), ("location", 1e-6), ("bounds", 1e-6)];
/// What a server adds or leaves out by version, or counts otherwise by design.
const IGNORED: [&str; 8] =
    ["took", "_shards", "timed_out", "max_score", "_score", "_type", "doc_count_error_upper_bound", "_index"];

/// Asks both the same; fails with the first differences.
pub(crate) async fn agrees_with_the_embedded_store(server: &Server) {
    let folder = tempfile::tempdir().unwrap();
    let search = Search::open(folder.path(), Arc::new(|| START_MS), Options::default()).unwrap();
    let mut draw = Draw::new(7);
    search.create_index("r", &mapping()).unwrap();
    server.ask("DELETE", "/r", None).await;
    assert_eq!(server.ask("PUT", "/r", Some(&mapping())).await.0, 200);
    let line = |n: usize, draw: &mut Draw| {
        format!("{{\"index\":{{\"_index\":\"r\",\"_id\":\"{n}\"}}}}\n{}\n", draw.document(n))
    };
    let lines: String = (0..DOCUMENTS).map(|n| line(n, &mut draw)).collect();
    search.bulk(None, lines.as_bytes(), &BulkParams::default()).unwrap();
    let (_, answer) = server.ask("POST", "/_bulk?refresh=true", Some(&Value::String(lines))).await;
    assert_eq!(answer["errors"], false, "{answer}");
    let mut differences = Vec::new();
    let (mut compared, mut refused) = (0, 0);
    for seed in 0..REQUESTS {
        let body = request(&mut Draw::new(1000 + seed), seed);
        let ours = search.search("r", &SearchParams::default(), &body);
        let (status, theirs) = server.ask("POST", "/r/_search", Some(&body)).await;
        compared += 1;
        let different = match (&ours, status) {
            (Ok(ours), 200) => difference("", ours, &theirs),
            (Err(_), 400..) => {
                refused += 1;
                None
            }
            (Ok(_), _) => Some(format!("only the server refuses: {theirs}")),
            (Err(error), _) => Some(format!("only we refuse: {error}")),
        };
        if let Some(different) = different {
            differences.push(format!("{body}\n    {different}"));
        }
    }
    say(&format!(
        "  {compared} random requests, {refused} refused by both, {} differences",
        differences.len()
    ));
    assert!(
        refused * 10 < compared,
        "{refused} of {compared} requests were refused by both: too few are compared"
    );
    let mut kinds = std::collections::BTreeMap::new();
    for different in &differences {
        // The same place under other names is the same difference.
        let place = different.lines().last().unwrap_or_default();
        let kind: String =
            place.split(": ").next().unwrap_or_default().replace(|c: char| c.is_ascii_digit(), "#");
        kinds.entry(kind).or_insert(different);
    }
    let shown: Vec<&&String> = kinds.values().take(20).collect();
    assert!(differences.is_empty(), "{} of {compared} answers differ:\n{shown:#?}", differences.len());
}

fn request(draw: &mut Draw, seed: u64) -> Value {
    let mut body = json!({"query": draw.query(2), "size": 15, "sort": draw.sort(), "track_total_hits": true,
        "_source": ["id", "n"]});
    body["aggs"] = match seed % 5 {
        0 => draw.pipelines(),
        1 => json!({"m": draw.metric(), "everything": {"global": {}, "aggs": {"m": draw.metric()}}}),
        _ => json!({"b": draw.buckets(1), "c": draw.buckets(0)}),
    };
    body
}

/// Where two answers differ, if they do.
fn difference(path: &str, ours: &Value, theirs: &Value) -> Option<String> {
    let told = || Some(format!("{path}: ours {ours}, the server's {theirs}"));
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let names = left.keys().chain(right.keys().filter(|name| !left.contains_key(*name)));
            names.filter(|name| !IGNORED.contains(&name.as_str())).find_map(|name| {
                let inner = format!("{path}/{name}");
                difference(
                    &inner,
                    left.get(name).unwrap_or(&Value::Null),
                    right.get(name).unwrap_or(&Value::Null),
                )
            })
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(at, (left, right))| difference(&format!("{path}/{at}"), left, right)),
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64()?, right.as_f64()?);
            let known = APPROXIMATE.iter().find(|(name, _)| path.contains(&format!("/{name}/")));
            let allowed =
                known.map_or_else(|| TOLERANCE * left.abs().max(right.abs()).max(1.0), |(_, by)| *by);
            if (left - right).abs() <= allowed { None } else { told() }
        }
        _ if ours == theirs => None,
        _ => told(),
    }
}
