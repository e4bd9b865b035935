//! Which requests are passed on to the cluster: those of the document and search API. The service's credentials stand behind
//! them, so whatever rules the cluster itself (users, snapshots, settings, nodes) is refused unless the configuration names it.

use axum::http::Method;
use serde_json::Value;

use super::super::path::decoded;

/// What may stand behind the name of an index, or in its place, for every method.
const DOCUMENTS_AND_SEARCH: [&str; 56] = [
    "_alias",
    "_aliases",
    "_analyze",
    "_async_search",
    "_block",
    "_bulk",
    "_cache",
    "_clone",
    "_close",
    "_component_template",
    "_count",
    "_create",
    "_data_stream",
    "_delete_by_query",
    "_disk_usage",
    "_doc",
    "_eql",
    "_explain",
    "_field_caps",
    "_field_usage_stats",
    "_flush",
    "_forcemerge",
    "_graph",
    "_index_template",
    "_knn_search",
    "_mapping",
    "_mappings",
    "_mget",
    "_msearch",
    "_mtermvectors",
    "_mvt",
    "_open",
    "_percolate",
    "_pit",
    "_query",
    "_rank_eval",
    "_recovery",
    "_refresh",
    "_reload_search_analyzers",
    "_render",
    "_resolve",
    "_rollover",
    "_search",
    "_search_shards",
    "_segments",
    "_settings",
    "_shard_stores",
    "_shrink",
    "_source",
    "_split",
    "_sql",
    "_stats",
    "_template",
    "_terms_enum",
    "_termvectors",
    "_update",
];
/// The same, which end in another word than they begin with.
const BY_QUERY: [&str; 1] = ["_update_by_query"];
/// What may be read, but not changed.
const READ_ONLY: [&str; 8] =
    ["_cat", "_cluster", "_nodes", "_ilm", "_ingest", "_tasks", "_license", "_watcher"];
/// What stands below those and tells more than clients need.
const NOT_READ: [&str; 2] = ["hot_threads", "reload_secure_settings"];
/// Copies documents, also from elsewhere.
const REINDEX: &str = "_reindex";
/// Bodies of this kind are looked into up to here.
const LOOKED_AT_BYTES_MAX: usize = 1 << 20;

/// What may be said against passing a request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// A part of its path would lead to another path than the one that was asked for.
    Path(String),
    /// It is none of the document and search API: the part of the path that says so.
    NotPassed(String),
}

/// May a request be passed on? `allowed` are parts of paths that the configuration permits, `*` for all.
pub(super) fn check(
    method: &Method,
    path: &str,
    body: Option<&[u8]>,
    allowed: &[String],
) -> Result<(), Objection> {
    let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    for segment in &segments {
        // Whoever reads the address takes such a part for a step up, and the rest for another path.
        let steps = segment.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
        let again = decoded(segment);
        if steps || matches!(again.as_str(), "." | "..") || segment.contains(['\0', '\r', '\n']) {
            return Err(Objection::Path(segment.clone()));
        }
    }
    // The word that says what is asked: the first part, or the second one behind the name of an index.
    let is_word = |segment: &&String| segment.starts_with('_') && segment.as_str() != "_all";
    let Some(word) = segments.iter().take(2).find(is_word) else { return Ok(()) };
    if allowed.iter().any(|name| name == "*" || name == word) {
        return Ok(());
    }
    let reads = [Method::GET, Method::HEAD].contains(method);
    let known = |list: &[&str]| list.contains(&word.as_str());
    let refused = Err(Objection::NotPassed(word.clone()));
    if known(&DOCUMENTS_AND_SEARCH) || known(&BY_QUERY) {
        return Ok(());
    }
    if known(&READ_ONLY) && reads && !segments.iter().any(|segment| NOT_READ.contains(&segment.as_str())) {
        return Ok(());
    }
    if word == REINDEX && body.is_some_and(is_local) {
        return Ok(());
    }
    refused
}

/// Does a request to copy documents stay within the cluster?
fn is_local(body: &[u8]) -> bool {
    body.len() <= LOOKED_AT_BYTES_MAX
        && serde_json::from_slice::<Value>(body)
            .is_ok_and(|body| body.get("source").is_some_and(|source| source.get("remote").is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(method: &Method, path: &str) -> bool {
        check(method, path, None, &[]).is_ok()
    }

    #[test]
    fn documents_and_searches_pass() {
        for path in [
            "/src",
            "/src/_doc/1",
            "/_bulk",
            "/a,b/_search",
            "/_all/_count",
            "/src/_update_by_query",
            "/_index_template/x",
            "/src/_doc/%5Fsecurity",
            "/%3Clogs-%7Bnow%2Fd%7D%3E/_search",
        ] {
            assert!(passes(&Method::POST, path), "{path}");
        }
        for path in
            ["/_cluster/health", "/_cat/indices", "/_nodes/stats", "/_cluster/settings", "/_tasks/a:1"]
        {
            assert!(passes(&Method::GET, path), "{path}");
        }
    }

    #[test]
    fn what_rules_the_cluster_does_not_pass() {
        for path in [
            "/_security/user",
            "/%5fsecurity/user",
            "/_snapshot/r",
            "/_cluster/settings",
            "/_cluster/reroute",
            "/_nodes/reload_secure_settings",
            "/_scripts/x",
            "/_ccr/auto_follow",
            "/_remote/info",
            "/_plugins/_security/api",
            "/src/_ccr/follow",
            "/_reindex",
        ] {
            assert!(!passes(&Method::PUT, path), "{path}");
        }
        assert!(!passes(&Method::GET, "/_nodes/hot_threads") && !passes(&Method::GET, "/_security/user"));
        let asked = |body: &str| check(&Method::POST, "/_reindex", Some(body.as_bytes()), &[]);
        assert!(asked(r#"{"source":{"index":"a"},"dest":{"index":"b"}}"#).is_ok());
        assert!(
            asked(r#"{"source":{"remote":{"host":"http://x"},"index":"a"},"dest":{"index":"b"}}"#).is_err()
        );
        assert!(asked("nonsense").is_err());
    }

    #[test]
    fn what_the_configuration_names_passes() {
        let named = ["_snapshot".to_owned()];
        assert!(check(&Method::PUT, "/_snapshot/r", None, &named).is_ok());
        assert!(check(&Method::PUT, "/_security/user", None, &named).is_err());
        assert!(check(&Method::PUT, "/_security/user", None, &["*".to_owned()]).is_ok());
    }

    #[test]
    fn a_path_never_leads_to_another_one() {
        for path in [
            "/src/_doc/%2e%2e",
            "/src/_doc/..",
            "/src/_doc/%2E.",
            "/src/_doc/.%2e",
            "/src/_doc/.",
            "/src/_doc/%252e%252e",
            "/x/../_security/user",
            "/src/_doc/..%2f..%2f_security",
            "/src/_doc/..%5c..%5c_security",
            "/src/_doc/a%00b",
            "/src/_doc/a%0d%0ab",
        ] {
            let all = ["*".to_owned()];
            let objection = check(&Method::DELETE, path, None, &all);
            assert!(matches!(objection, Err(Objection::Path(_))), "{path}: {objection:?}");
        }
        for path in ["/src/_doc/..a", "/src/_doc/a..", "/.ml-config/_doc/x", "/src/_doc/a%2fb"] {
            assert!(passes(&Method::DELETE, path), "{path}");
        }
    }
}
