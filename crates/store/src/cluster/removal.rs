//! Removing what a query matches: by the cluster, or one page of ids after the other where it cannot.

use elasticsearch::http::Method;
use serde_json::{Value, json};

use super::adapter::{Cluster, encoded, number, options_query};
use crate::{BulkOp, Error, IndicesOptions, Result, Store, Version};

/// Documents that one request removes at most: a few seconds of work. A request that takes longer than the transport waits
/// would be sent again while the cluster still works on the first one.
const REQUEST_DOCUMENTS_MAX: u64 = 20_000;
/// Removals are repeated so often when documents change under them.
const REMOVALS_MAX: usize = 5;
const PAGE: usize = 5_000;

/// Removes what matches, also what was written just before.
pub(super) async fn delete_by_query(cluster: &Cluster, indices: &str, query: &Value) -> Result<u64> {
    cluster.refresh(indices).await?;
    if cluster.features().removes_by_query() {
        match by_the_cluster(cluster, indices, query).await {
            Err(Error::Refused { status: 400 | 405, exception, reason })
                if no_such_route(&exception, &reason) =>
            {
                cluster.features().cannot_remove_by_query();
            }
            other => return other,
        }
    }
    page_by_page(cluster, indices, query).await
}

/// Is the answer that of a server that does not know the path at all?
pub(super) fn no_such_route(exception: &str, reason: &str) -> bool {
    exception == "exception"
        && (reason.starts_with("no handler found") || reason.starts_with("Incorrect HTTP method"))
}

async fn by_the_cluster(cluster: &Cluster, indices: &str, query: &Value) -> Result<u64> {
    let path = format!("/{}/_delete_by_query", encoded(indices));
    let options = options_query(&IndicesOptions::lenient());
    let mut parameters: Vec<(&str, &str)> = options.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let at_most = REQUEST_DOCUMENTS_MAX.to_string();
    parameters.extend([("conflicts", "proceed"), ("refresh", "true"), ("max_docs", &at_most)]);
    let body = json!({ "query": query });
    let (mut deleted, mut conflicting) = (0, 0);
    while conflicting < REMOVALS_MAX {
        let answer = cluster.transport().call(Method::Post, &path, &parameters, Some(&body)).await?;
        deleted += number(&answer, "deleted");
        if answer.get("failures").and_then(Value::as_array).is_some_and(|failures| !failures.is_empty()) {
            return Err(Error::Unavailable("some documents could not be removed".to_owned()));
        }
        let conflicts = number(&answer, "version_conflicts");
        if conflicts > 0 {
            conflicting += 1;
        } else if number(&answer, "deleted") < REQUEST_DOCUMENTS_MAX {
            return Ok(deleted);
        }
    }
    Err(again_and_again())
}

fn again_and_again() -> Error {
    Error::VersionConflict("documents were changed again and again while they were removed".to_owned())
}

async fn page_by_page(cluster: &Cluster, indices: &str, query: &Value) -> Result<u64> {
    let body = json!({"query": query, "size": PAGE, "_source": false, "seq_no_primary_term": true,
        "track_total_hits": false, "sort": ["_doc"]});
    let (mut deleted, mut stuck) = (0, 0);
    loop {
        let answer = cluster.search(indices, &body, &IndicesOptions::lenient()).await?;
        let hits =
            answer.pointer("/hits/hits").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if hits.is_empty() {
            return Ok(deleted);
        }
        let outcomes = cluster.bulk(hits.iter().filter_map(removal).collect()).await?;
        let before = deleted;
        for outcome in outcomes {
            match outcome.error {
                None => deleted += u64::from(outcome.status == 200),
                Some(Error::VersionConflict(_)) => {}
                Some(other) => return Err(other),
            }
        }
        stuck = if deleted == before { stuck + 1 } else { 0 };
        if stuck >= REMOVALS_MAX {
            return Err(again_and_again());
        }
        cluster.refresh(indices).await?;
    }
}

/// The removal of a hit, in the state in which it matched.
fn removal(hit: &Value) -> Option<BulkOp> {
    let op = BulkOp::delete(hit.get("_index")?.as_str()?, hit.get("_id")?.as_str()?);
    let version =
        hit.get("_seq_no").and_then(Value::as_u64).zip(hit.get("_primary_term").and_then(Value::as_u64));
    Some(match version {
        Some((seq_no, primary_term)) => op.expecting(Version { seq_no, primary_term }),
        None => op,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unknown_paths_lead_to_the_slow_way() {
        assert!(no_such_route(
            "exception",
            "no handler found for uri [/a/_delete_by_query] and method [POST]"
        ));
        assert!(!no_such_route("parsing_exception", "no handler found"));
        assert!(!no_such_route("exception", "no reason given"));
    }

    #[test]
    fn hits_are_removed_in_the_state_in_which_they_matched() {
        let hit = json!({"_index": "i", "_id": "1", "_seq_no": 3, "_primary_term": 1});
        assert_eq!(
            removal(&hit),
            Some(BulkOp::delete("i", "1").expecting(Version { seq_no: 3, primary_term: 1 }))
        );
    }
}
