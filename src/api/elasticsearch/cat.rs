//! `_cat`: tables for people.

use ::search::catalog::Expand;
use axum::extract::State;
use axum::response::Response;

use super::ask;
use super::params::{EXPAND, expand_with};
use crate::api::cat_table::{CAT_PARAMS, CatRequest, Column, plain};
use crate::api::error::ApiError;
use crate::api::extract::{Params, UrlPath};
use crate::api::route::{Route, route, route_lines};
use crate::app::{App, NODE_ID};

const INDICES: [Column; 11] = [
    Column::text("health", "h"),
    Column::text("status", "s"),
    Column::text("index", "i idx"),
    Column::text("uuid", "id"),
    Column::number("pri", "p shards.primary shardsPrimary"),
    Column::number("rep", "r shards.replica shardsReplica"),
    Column::number("docs.count", "dc docsCount"),
    Column::number("docs.deleted", "dd docsDeleted"),
    Column::number("store.size", "ss storeSize"),
    Column::number("pri.store.size", ""),
    Column::number("dataset.size", ""),
];
const ALIASES: [Column; 6] = [
    Column::text("alias", "a"),
    Column::text("index", "i idx"),
    Column::text("filter", "f fi"),
    Column::text("routing.index", "ri routingIndex"),
    Column::text("routing.search", "rs routingSearch"),
    Column::text("is_write_index", "w isWriteIndex"),
];
const COUNT: [Column; 3] = [
    Column::number("epoch", "t time"),
    Column::text("timestamp", "ts hms hhmmss"),
    Column::number("count", "dc docs.count docsCount"),
];
const HEALTH: [Column; 8] = [
    Column::number("epoch", "t time"),
    Column::text("timestamp", "ts hms hhmmss"),
    Column::text("cluster", "cl"),
    Column::text("status", "st"),
    Column::number("node.total", "nt nodeTotal"),
    Column::number("node.data", "nd nodeData"),
    Column::number("shards", "t sh"),
    Column::number("unassign", "u unassigned"),
];
const NODES: [Column; 5] = [
    Column::text("ip", "i"),
    Column::text("node.role", "r role nodeRole"),
    Column::text("master", "m"),
    Column::text("name", "n"),
    Column::text("id", "nodeId").hidden(),
];
const TEMPLATES: [Column; 3] =
    [Column::text("name", "n"), Column::text("index_patterns", "t"), Column::number("order", "o p")];

pub(super) fn routes() -> Vec<Route> {
    const HOW: &[&str] = &[CAT_PARAMS, EXPAND, "health pri include_unloaded_segments ts"];
    vec![
        route("GET", "/_cat", "Which tables there are", &["help"], tables),
        route("GET", "/_cat/indices", "Table of indices", HOW, all_indices),
        route("GET", "/_cat/indices/{index}", "Table of some indices", HOW, indices),
        route("GET", "/_cat/aliases", "Table of aliases", HOW, all_aliases),
        route("GET", "/_cat/aliases/{name}", "Table of some aliases", HOW, aliases),
        route("GET", "/_cat/count", "Number of documents", HOW, count_all),
        route("GET", "/_cat/count/{index}", "Number of documents of an index", HOW, count),
        route("GET", "/_cat/health", "State of the server", HOW, health),
        route("GET", "/_cat/nodes", "Table of the one node", HOW, nodes),
        route("GET", "/_cat/templates", "Table of templates", HOW, templates),
    ]
}

/// `GET /_cat`
async fn tables() -> Response {
    let mut text = "=^.^=\n".to_owned();
    for line in route_lines().iter().filter(|line| line.path.starts_with("/_cat/")) {
        text.push_str(line.path);
        text.push('\n');
    }
    plain(text)
}

/// `GET /_cat/indices`
async fn all_indices(State(app): State<App>, params: Params, how: CatRequest) -> Result<Response, ApiError> {
    list_indices(&app, String::new(), &params, &how).await
}

/// `GET /_cat/indices/{index}`
async fn indices(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    how: CatRequest,
) -> Result<Response, ApiError> {
    list_indices(&app, index, &params, &how).await
}

async fn list_indices(
    app: &App,
    index: String,
    params: &Params,
    how: &CatRequest,
) -> Result<Response, ApiError> {
    let default = Expand { hidden: true, closed: true, ..Expand::default() };
    let expand = expand_with(params, default)?;
    let lines = ask(app, move |search| search.cat_indices(&index, expand)).await?;
    let rows = lines.into_iter().map(|line| {
        let size = how.size(line.store_bytes);
        let status = if line.open { "open" } else { "close" };
        let count = line.docs_count.to_string();
        let health = if line.red { "red" } else { "green" };
        [health, status, &line.index, &line.uuid, "1", "0", &count, "0", &size, &size, &size]
            .map(cell)
            .to_vec()
    });
    how.answer(&INDICES, rows.collect())
}

fn cell(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// `GET /_cat/aliases`
async fn all_aliases(State(app): State<App>, params: Params, how: CatRequest) -> Result<Response, ApiError> {
    list_aliases(&app, String::new(), &params, &how).await
}

/// `GET /_cat/aliases/{name}`
async fn aliases(
    State(app): State<App>,
    UrlPath(name): UrlPath<String>,
    params: Params,
    how: CatRequest,
) -> Result<Response, ApiError> {
    list_aliases(&app, name, &params, &how).await
}

async fn list_aliases(
    app: &App,
    name: String,
    params: &Params,
    how: &CatRequest,
) -> Result<Response, ApiError> {
    let expand = expand_with(params, Expand { hidden: true, ..Expand::default() })?;
    let (found, _) = ask(app, move |search| search.get_aliases("", &name, expand)).await?;
    let mut rows = Vec::new();
    for (index, entry) in found.as_object().into_iter().flatten() {
        for (alias, body) in entry["aliases"].as_object().into_iter().flatten() {
            let text = |key: &str| body.get(key).and_then(|value| value.as_str()).unwrap_or("-").to_owned();
            let filter = if body.get("filter").is_some() { "*" } else { "-" };
            let is_write = body.get("is_write_index").map_or_else(|| "-".to_owned(), ToString::to_string);
            rows.push(
                [alias, index, filter, &text("index_routing"), &text("search_routing"), &is_write]
                    .map(cell)
                    .to_vec(),
            );
        }
    }
    rows.sort();
    how.answer(&ALIASES, rows)
}

/// `GET /_cat/count`
async fn count_all(State(app): State<App>, params: Params, how: CatRequest) -> Result<Response, ApiError> {
    count_of(&app, String::new(), &params, &how).await
}

/// `GET /_cat/count/{index}`
async fn count(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    how: CatRequest,
) -> Result<Response, ApiError> {
    count_of(&app, index, &params, &how).await
}

async fn count_of(app: &App, index: String, params: &Params, how: &CatRequest) -> Result<Response, ApiError> {
    let expand = expand_with(params, Expand::default())?;
    let lines = ask(app, move |search| search.cat_indices(&index, expand)).await?;
    let total: i64 = lines.iter().map(|line| line.docs_count).sum();
    let (epoch, time) = now(app);
    how.answer(&COUNT, vec![[epoch, time, total.to_string()].map(Some).to_vec()])
}

/// Epoch seconds and the time of day.
fn now(app: &App) -> (String, String) {
    let now = app.clock().now();
    let time = now.to_iso().get(11..19).unwrap_or_default().to_owned();
    (now.seconds().to_string(), time)
}

/// `GET /_cat/health`
async fn health(State(app): State<App>, how: CatRequest) -> Result<Response, ApiError> {
    let expand = Expand { hidden: true, ..Expand::default() };
    let health = ask(&app, move |search| search.cluster_health("", expand)).await?;
    let shards = health["active_shards"].to_string();
    let status = health["status"].as_str().unwrap_or_default().to_owned();
    let (epoch, time) = now(&app);
    let cluster = app.config().cluster_name.clone();
    let row = [epoch, time, cluster, status, "1".into(), "1".into(), shards, "0".into()];
    how.answer(&HEALTH, vec![row.map(Some).to_vec()])
}

/// `GET /_cat/nodes`
async fn nodes(State(app): State<App>, how: CatRequest) -> Result<Response, ApiError> {
    let ip = app.config().listen.ip().to_string();
    how.answer(&NODES, vec![[&ip, "dilm", "*", &app.config().node_name, NODE_ID].map(cell).to_vec()])
}

/// `GET /_cat/templates`
async fn templates(State(app): State<App>, how: CatRequest) -> Result<Response, ApiError> {
    use ::search::catalog::state::Kind;
    let found = ask(&app, |search| {
        let mut found = search.stored(Kind::IndexTemplate, "")?;
        found.extend(search.stored(Kind::LegacyTemplate, "")?);
        Ok(found)
    });
    let rows = found.await?.into_iter().map(|(name, body)| {
        let patterns: Vec<&str> =
            body["index_patterns"].as_array().into_iter().flatten().filter_map(|p| p.as_str()).collect();
        let order = body
            .get("priority")
            .or_else(|| body.get("order"))
            .map_or_else(|| "0".to_owned(), ToString::to_string);
        vec![Some(name), Some(format!("[{}]", patterns.join(", "))), Some(order)]
    });
    how.answer(&TEMPLATES, rows.collect())
}
