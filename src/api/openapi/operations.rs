//! Which operation takes and answers what. A route that is not listed here is described with any JSON as its answer.

/// The form of a body or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Nothing,
    /// A value of the schema of that name.
    Json(&'static str),
    /// The same, and it may be left out.
    OptionalJson(&'static str),
    /// Lines of JSON.
    Lines(&'static str),
    /// A table as text, or as a list of objects with `format=json`.
    Table,
    Text,
}

use Form::{Json, Lines, Nothing, OptionalJson, Table, Text};

/// What an operation takes and answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    /// Separated by spaces.
    pub(super) methods: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Form,
    pub(super) answer: Form,
    /// Of success.
    pub(super) statuses: &'static [u16],
}

const fn op(methods: &'static str, path: &'static str, body: Form, answer: Form) -> Operation {
    Operation { methods, path, body, answer, statuses: &[200] }
}

const fn with(statuses: &'static [u16], operation: Operation) -> Operation {
    Operation { statuses, ..operation }
}

/// The operation, if it is listed.
pub(super) fn find(method: &str, path: &str) -> Option<&'static Operation> {
    all().find(|operation| {
        operation.path == path
            && operation.methods.split(' ').any(|listed| listed.eq_ignore_ascii_case(method))
    })
}

/// All that are listed.
pub(super) fn all() -> impl Iterator<Item = &'static Operation> {
    MACHINE_LEARNING.iter().chain(DOCUMENTS).chain(SERVER)
}

static MACHINE_LEARNING: &[Operation] = &[
    op("PUT", "/_ml/anomaly_detectors/{job_id}", Json("JobBody"), Json("Job")),
    op("GET", "/_ml/anomaly_detectors", Nothing, Json("Jobs")),
    op("GET", "/_ml/anomaly_detectors/{job_id}", Nothing, Json("Jobs")),
    op("DELETE", "/_ml/anomaly_detectors/{job_id}", Nothing, Json("AcknowledgedOrTask")),
    op("GET", "/_ml/anomaly_detectors/_stats", Nothing, Json("JobsStats")),
    op("GET", "/_ml/anomaly_detectors/{job_id}/_stats", Nothing, Json("JobsStats")),
    op("POST", "/_ml/anomaly_detectors/{job_id}/_update", Json("JobUpdate"), Json("Job")),
    op("POST", "/_ml/anomaly_detectors/{job_id}/_open", OptionalJson("Options"), Json("Opened")),
    op("POST", "/_ml/anomaly_detectors/{job_id}/_close", OptionalJson("Options"), Json("Closed")),
    op("POST", "/_ml/anomaly_detectors/{job_id}/_flush", OptionalJson("FlushBody"), Json("Flushed")),
    op("POST", "/_ml/anomaly_detectors/{job_id}/_reset", Nothing, Json("AcknowledgedOrTask")),
    with(&[202], op("POST", "/_ml/anomaly_detectors/{job_id}/_data", Lines("Records"), Json("DataCounts"))),
    op("POST", "/_ml/anomaly_detectors/_validate", Json("JobBody"), Json("Acknowledged")),
    op("POST", "/_ml/anomaly_detectors/_validate/detector", Json("Detector"), Json("Acknowledged")),
    op("GET", "/_ml/anomaly_detectors/{job_id}/results/buckets", Nothing, Json("Buckets")),
    op("POST", "/_ml/anomaly_detectors/{job_id}/results/buckets", OptionalJson("Options"), Json("Buckets")),
    op("GET", "/_ml/anomaly_detectors/{job_id}/results/buckets/{timestamp}", Nothing, Json("Buckets")),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/results/buckets/{timestamp}",
        OptionalJson("Options"),
        Json("Buckets"),
    ),
    op("GET", "/_ml/anomaly_detectors/{job_id}/results/records", Nothing, Json("AnomalyRecords")),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/results/records",
        OptionalJson("Options"),
        Json("AnomalyRecords"),
    ),
    op("GET", "/_ml/anomaly_detectors/{job_id}/results/influencers", Nothing, Json("Influencers")),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/results/influencers",
        OptionalJson("Options"),
        Json("Influencers"),
    ),
    op("GET", "/_ml/anomaly_detectors/{job_id}/results/categories", Nothing, Json("Categories")),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/results/categories",
        OptionalJson("Options"),
        Json("Categories"),
    ),
    op(
        "GET",
        "/_ml/anomaly_detectors/{job_id}/results/categories/{category_id}",
        Nothing,
        Json("Categories"),
    ),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/results/categories/{category_id}",
        OptionalJson("Options"),
        Json("Categories"),
    ),
    op("GET", "/_ml/anomaly_detectors/{job_id}/results/overall_buckets", Nothing, Json("OverallBuckets")),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/results/overall_buckets",
        OptionalJson("Options"),
        Json("OverallBuckets"),
    ),
    op("GET", "/_ml/anomaly_detectors/{job_id}/model_snapshots", Nothing, Json("ModelSnapshots")),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots",
        OptionalJson("Options"),
        Json("ModelSnapshots"),
    ),
    op(
        "GET",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}",
        Nothing,
        Json("ModelSnapshots"),
    ),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}",
        OptionalJson("Options"),
        Json("ModelSnapshots"),
    ),
    op(
        "DELETE",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}",
        Nothing,
        Json("Acknowledged"),
    ),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_update",
        Json("SnapshotUpdate"),
        Json("SnapshotUpdated"),
    ),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_revert",
        OptionalJson("Options"),
        Json("SnapshotReverted"),
    ),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_upgrade",
        Nothing,
        Json("SnapshotUpgraded"),
    ),
    op(
        "GET",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_upgrade/_stats",
        Nothing,
        Json("SnapshotUpgrades"),
    ),
    op(
        "POST",
        "/_ml/anomaly_detectors/{job_id}/_forecast",
        OptionalJson("ForecastBody"),
        Json("ForecastStarted"),
    ),
    op("DELETE", "/_ml/anomaly_detectors/{job_id}/_forecast", Nothing, Json("Acknowledged")),
    op("DELETE", "/_ml/anomaly_detectors/{job_id}/_forecast/{forecast_id}", Nothing, Json("Acknowledged")),
    op("DELETE", "/_ml/_delete_expired_data", OptionalJson("Options"), Json("Deleted")),
    op("DELETE", "/_ml/_delete_expired_data/{job_id}", OptionalJson("Options"), Json("Deleted")),
    op("PUT", "/_ml/datafeeds/{datafeed_id}", Json("DatafeedBody"), Json("Datafeed")),
    op("GET", "/_ml/datafeeds", Nothing, Json("Datafeeds")),
    op("GET", "/_ml/datafeeds/{datafeed_id}", Nothing, Json("Datafeeds")),
    op("DELETE", "/_ml/datafeeds/{datafeed_id}", Nothing, Json("Acknowledged")),
    op("GET", "/_ml/datafeeds/_stats", Nothing, Json("DatafeedsStats")),
    op("GET", "/_ml/datafeeds/{datafeed_id}/_stats", Nothing, Json("DatafeedsStats")),
    op("POST", "/_ml/datafeeds/{datafeed_id}/_update", Json("DatafeedBody"), Json("Datafeed")),
    op("POST", "/_ml/datafeeds/{datafeed_id}/_start", OptionalJson("StartBody"), Json("Started")),
    op("POST", "/_ml/datafeeds/{datafeed_id}/_stop", OptionalJson("Options"), Json("Stopped")),
    op("POST", "/_ml/datafeeds/_preview", Json("PreviewBody"), Json("Preview")),
    op("GET POST", "/_ml/datafeeds/{datafeed_id}/_preview", Nothing, Json("Preview")),
    op("GET", "/_ml/calendars", Nothing, Json("Calendars")),
    op("POST", "/_ml/calendars", OptionalJson("Options"), Json("Calendars")),
    op("GET POST", "/_ml/calendars/{calendar_id}", Nothing, Json("Calendars")),
    op("PUT", "/_ml/calendars/{calendar_id}", OptionalJson("CalendarBody"), Json("Calendar")),
    op("DELETE", "/_ml/calendars/{calendar_id}", Nothing, Json("Acknowledged")),
    op("GET", "/_ml/calendars/{calendar_id}/events", Nothing, Json("CalendarEvents")),
    op(
        "POST",
        "/_ml/calendars/{calendar_id}/events",
        Json("CalendarEventsBody"),
        Json("CalendarEventsPosted"),
    ),
    op("DELETE", "/_ml/calendars/{calendar_id}/events/{event_id}", Nothing, Json("Acknowledged")),
    op("PUT DELETE", "/_ml/calendars/{calendar_id}/jobs/{job_id}", Nothing, Json("Calendar")),
    op("PUT", "/_ml/filters/{filter_id}", Json("FilterBody"), Json("Filter")),
    op("GET", "/_ml/filters", Nothing, Json("Filters")),
    op("GET", "/_ml/filters/{filter_id}", Nothing, Json("Filters")),
    op("POST", "/_ml/filters/{filter_id}/_update", Json("FilterUpdate"), Json("Filter")),
    op("DELETE", "/_ml/filters/{filter_id}", Nothing, Json("Acknowledged")),
];

static DOCUMENTS: &[Operation] = &[
    op("POST PUT", "/_bulk", Lines("BulkLines"), Json("BulkAnswer")),
    op("POST PUT", "/{index}/_bulk", Lines("BulkLines"), Json("BulkAnswer")),
    with(&[200, 201], op("POST PUT", "/{index}/_doc/{id}", Json("Document"), Json("Written"))),
    with(&[200, 201], op("POST", "/{index}/_doc", Json("Document"), Json("Written"))),
    with(&[201], op("POST PUT", "/{index}/_create/{id}", Json("Document"), Json("Written"))),
    with(&[200, 404], op("GET", "/{index}/_doc/{id}", Nothing, Json("FoundDocument"))),
    with(&[200, 404], op("DELETE", "/{index}/_doc/{id}", Nothing, Json("Written"))),
    with(&[200, 201], op("POST", "/{index}/_update/{id}", Json("UpdateBody"), Json("Written"))),
    op("GET", "/_search", Nothing, Json("SearchAnswer")),
    op("POST", "/_search", OptionalJson("SearchBody"), Json("SearchAnswer")),
    op("GET", "/{index}/_search", Nothing, Json("SearchAnswer")),
    op("POST", "/{index}/_search", OptionalJson("SearchBody"), Json("SearchAnswer")),
    op("GET", "/_count", Nothing, Json("Count")),
    op("POST", "/_count", OptionalJson("QueryBody"), Json("Count")),
    op("GET", "/{index}/_count", Nothing, Json("Count")),
    op("POST", "/{index}/_count", OptionalJson("QueryBody"), Json("Count")),
    op("GET POST", "/_msearch", Lines("SearchLines"), Json("SearchAnswers")),
    op("GET POST", "/{index}/_msearch", Lines("SearchLines"), Json("SearchAnswers")),
    op("GET POST", "/_mget", Json("Object"), Json("FoundDocuments")),
    op("GET POST", "/{index}/_mget", Json("Object"), Json("FoundDocuments")),
    op("POST", "/{index}/_delete_by_query", Json("QueryBody"), Json("Object")),
    op("POST", "/{index}/_update_by_query", OptionalJson("QueryBody"), Json("Object")),
    op("PUT", "/{index}", OptionalJson("IndexBody"), Json("IndexCreated")),
    op("DELETE", "/{index}", Nothing, Json("Acknowledged")),
    op("GET", "/{index}", Nothing, Json("Object")),
    op("POST PUT", "/{index}/_mapping", Json("Object"), Json("Acknowledged")),
    op("PUT", "/{index}/_settings", Json("Object"), Json("Acknowledged")),
    op("POST", "/{index}/_pit", Nothing, Json("Object")),
    op("DELETE", "/_pit", Json("Object"), Json("Object")),
    op("GET POST", "/_search/scroll", OptionalJson("Object"), Json("SearchAnswer")),
    with(&[200, 404], op("DELETE", "/_search/scroll", OptionalJson("Object"), Json("Object"))),
    with(&[200, 404], op("DELETE", "/_search/scroll/{scroll_id}", Nothing, Json("Object"))),
    op("POST", "/_aliases", Json("AliasActions"), Json("Acknowledged")),
    op("POST PUT", "/{index}/_alias/{name}", OptionalJson("Object"), Json("Acknowledged")),
    op("POST PUT", "/{index}/_aliases/{name}", OptionalJson("Object"), Json("Acknowledged")),
    op("POST PUT", "/_index_template/{name}", Json("Object"), Json("Acknowledged")),
    op("POST PUT", "/_component_template/{name}", Json("Object"), Json("Acknowledged")),
    op("POST PUT", "/_template/{name}", Json("Object"), Json("Acknowledged")),
];

static SERVER: &[Operation] = &[
    op("GET", "/", Nothing, Json("ServerInfo")),
    op("GET", "/_ml/info", Nothing, Json("MlInfo")),
    op("GET", "/_cluster/health", Nothing, Json("Object")),
    op("GET", "/_health", Nothing, Json("Object")),
    op("GET", "/metrics", Nothing, Text),
    op("GET", "/api-specs", Nothing, Text),
    op("GET", "/api-specs/openapi.json", Nothing, Json("Object")),
    op("GET", "/_cat", Nothing, Text),
    op("GET", "/_cat/ml/anomaly_detectors", Nothing, Table),
    op("GET", "/_cat/ml/anomaly_detectors/{job_id}", Nothing, Table),
    op("GET", "/_cat/ml/datafeeds", Nothing, Table),
    op("GET", "/_cat/ml/datafeeds/{datafeed_id}", Nothing, Table),
    op("GET", "/_cat/aliases", Nothing, Table),
    op("GET", "/_cat/aliases/{name}", Nothing, Table),
    op("GET", "/_cat/count", Nothing, Table),
    op("GET", "/_cat/count/{index}", Nothing, Table),
    op("GET", "/_cat/health", Nothing, Table),
    op("GET", "/_cat/indices", Nothing, Table),
    op("GET", "/_cat/indices/{index}", Nothing, Table),
    op("GET", "/_cat/nodes", Nothing, Table),
    op("GET", "/_cat/tasks", Nothing, Table),
    op("GET", "/_cat/templates", Nothing, Table),
];
