//! Old names and ways that still work: answers to them carry a `Warning` header that says what to use instead.

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use types::job::JOB_VERSION;

use super::extract::Params;
use super::manners::AskedUri;

static WARNING: HeaderName = HeaderName::from_static("warning");

/// Parameters and what they are called today.
const RENAMED: [(&str, &str); 2] =
    [("allow_no_jobs", "allow_no_match"), ("allow_no_datafeeds", "allow_no_match")];

/// Ends of paths, and what is said about them.
const DISCOURAGED: [(&str, &str); 3] = [
    (
        "/_ml/anomaly_detectors/{job_id}/_data",
        "Posting data directly to anomaly detection jobs is deprecated, in a future major version it will be compulsory \
         to use a datafeed",
    ),
    (
        "/_ml/anomaly_detectors/{job_id}/_flush",
        "Forcing any buffered data to be processed is deprecated, in a future major version it will be compulsory to use \
         a datafeed",
    ),
    (
        "/_ml/find_file_structure",
        "[POST /_ml/find_file_structure] is deprecated! Use [POST /_text_structure/find_structure] instead.",
    ),
];

/// What is old in a request.
pub(super) fn warnings(request: &Request, params: &Params) -> Vec<String> {
    let mut warnings = Vec::new();
    let matched = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let asked = request.extensions().get::<AskedUri>().map_or("", |AskedUri(uri)| uri.path());
    if asked.starts_with("/_xpack/ml/")
        && let Some(rest) = matched.strip_prefix("/_ml/")
    {
        let method = request.method();
        warnings
            .push(format!("[{method} /_xpack/ml/{rest}] is deprecated! Use [{method} /_ml/{rest}] instead."));
    }
    for (old, new) in RENAMED {
        if params.text(old).is_some() {
            warnings.push(format!("Deprecated field [{old}] used, expected [{new}] instead"));
        }
    }
    warnings
        .extend(DISCOURAGED.iter().filter(|(path, _)| *path == matched).map(|(_, text)| (*text).to_owned()));
    warnings
}

/// Adds warnings to the headers of an answer.
pub(super) fn warn(headers: &mut HeaderMap, warnings: &[String]) {
    for warning in warnings {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        let value = format!("299 Elasticsearch-{JOB_VERSION}-{} \"{text}\"", "0".repeat(40));
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(&WARNING, value);
        }
    }
}
