//! `/_tasks` and `/_cat/tasks`: open jobs, started datafeeds, and what was begun with `wait_for_completion=false`.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use types::{ErrorKind, TimestampMs};

use super::cat_table::{CAT_PARAMS, CatRequest, Column};
use super::elasticsearch;
use super::error::ApiError;
use super::extract::{Params, UrlPath};
use super::listing::acknowledged;
use super::route::{Route, route};
use crate::app::{App, NODE_ID};
use crate::tasks::Task;

/// How long a client waits for a task when it does not say.
const WAIT_DEFAULT_MS: i64 = 30_000;
const COLUMNS: [Column; 9] = [
    Column::text("action", "ac"),
    Column::text("task_id", "ti"),
    Column::text("parent_task_id", "pti"),
    Column::text("type", "ty"),
    Column::number("start_time", "start"),
    Column::text("timestamp", "ts hms hhmmss"),
    Column::text("running_time", "time"),
    Column::text("ip", "i"),
    Column::text("node", "n"),
];

pub(super) fn routes() -> Vec<Route> {
    const LIST: &[&str] = &[
        "actions detailed group_by node_id nodes parent_task_id timeout wait_for_completion master_timeout",
    ];
    vec![
        route("GET", "/_tasks", "What is under way", LIST, list),
        route("GET", "/_tasks/{task_id}", "One task and its outcome", &["timeout wait_for_completion"], get),
        route(
            "GET",
            "/_cat/tasks",
            "Table of what is under way",
            &[CAT_PARAMS, "actions detailed node_id nodes parent_task_id timeout wait_for_completion"],
            table,
        ),
    ]
}

/// A line of the list.
struct Line {
    number: u64,
    kind: &'static str,
    action: &'static str,
    description: String,
    started: TimestampMs,
    ended: TimestampMs,
}

impl Line {
    fn of(task: &Task, now: TimestampMs) -> Self {
        Self {
            number: task.number,
            kind: "transport",
            action: task.action,
            description: task.description.clone(),
            started: task.started,
            ended: task.ended.unwrap_or(now),
        }
    }

    fn json(&self) -> Value {
        let running_ms = (self.ended.0 - self.started.0).max(0);
        json!({
            "node": NODE_ID,
            "id": self.number,
            "type": self.kind,
            "action": self.action,
            "description": self.description,
            "start_time_in_millis": self.started,
            "running_time_in_nanos": running_ms.saturating_mul(1_000_000),
            "cancellable": false,
            "headers": {},
        })
    }
}

/// Persistent tasks have numbers of their own, which are the same as long as they run.
fn lines(app: &App, actions: Option<&str>) -> Vec<Line> {
    let now = app.clock().now();
    let mut lines: Vec<Line> = app.tasks().running().iter().map(|task| Line::of(task, now)).collect();
    for running in app.jobs().running() {
        lines.push(Line {
            number: running.number,
            kind: "persistent",
            action: if running.is_datafeed { "xpack/ml/datafeed[c]" } else { "xpack/ml/job[c]" },
            description: format!("{}-{}", if running.is_datafeed { "datafeed" } else { "job" }, running.id),
            started: running.since,
            ended: now,
        });
    }
    if let Some(actions) = actions.filter(|actions| !actions.is_empty()) {
        let patterns: Vec<&str> = actions.split(',').map(str::trim).collect();
        lines.retain(|line| patterns.iter().any(|pattern| jobs::matches(pattern, line.action)));
    }
    lines
}

pub(super) fn task_id(number: u64) -> String {
    format!("{NODE_ID}:{number}")
}

/// What is remembered of a task that is over.
pub(super) fn outcome(done: Result<(), jobs::Error>) -> Result<Value, Value> {
    match done {
        Ok(()) => Ok(acknowledged()),
        Err(error) => Err(ApiError::from(error).into_error()),
    }
}

/// `GET /_tasks`
async fn list(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    let mut tasks = json!({});
    for line in lines(&app, params.text("actions")) {
        tasks[task_id(line.number)] = line.json();
    }
    Ok(Json(match params.text("group_by").unwrap_or("nodes") {
        "nodes" => {
            let address = app.config().listen;
            json!({ "nodes": { NODE_ID: {
                "name": app.config().node_name,
                "transport_address": address.to_string(),
                "host": address.ip().to_string(),
                "ip": address.ip().to_string(),
                "roles": ["data", "ingest", "master", "ml"],
                "tasks": tasks,
            } } })
        }
        "parents" => json!({ "tasks": tasks }),
        "none" => {
            let all: Vec<Value> =
                tasks.as_object().into_iter().flatten().map(|(_, task)| task.clone()).collect();
            json!({ "tasks": all })
        }
        other => {
            return Err(ApiError::argument(format!("group_by [{other}] is not one of nodes, parents, none")));
        }
    }))
}

/// `GET /_tasks/{task_id}`
async fn get(
    State(app): State<App>,
    UrlPath(asked): UrlPath<String>,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    let malformed = || ApiError::argument(format!("malformed task id {asked}"));
    let (node, number) = asked.split_once(':').ok_or_else(malformed)?;
    let number: u64 = number.parse().map_err(|_| malformed())?;
    let missing = || {
        ApiError::new(
            ErrorKind::NotFound,
            format!("task [{asked}] isn't running and hasn't stored its results"),
        )
    };
    if node != NODE_ID {
        // A task of the cluster, which a client has begun through the door.
        if app.gateway().is_some() {
            return elasticsearch::forward(&app, request).await;
        }
        return Err(missing());
    }
    if params.flag("wait_for_completion", false)? {
        let limit_ms = params.span("timeout")?.map_or(WAIT_DEFAULT_MS, types::TimeSpan::as_millis);
        let limit = Duration::from_millis(limit_ms.unsigned_abs());
        if tokio::time::timeout(limit, app.tasks().wait(number)).await.is_err() {
            return Err(ApiError::timed_out());
        }
    }
    let Some(task) = app.tasks().get(number) else {
        let line = lines(&app, None).into_iter().find(|line| line.number == number).ok_or_else(missing)?;
        return Ok(Json(json!({ "completed": false, "task": line.json() })).into_response());
    };
    let line = Line::of(&task, app.clock().now()).json();
    let mut answer = json!({ "completed": task.outcome.is_some(), "task": line });
    match task.outcome {
        Some(Ok(response)) => answer["response"] = response,
        Some(Err(error)) => answer["error"] = error,
        None => {}
    }
    Ok(Json(answer).into_response())
}

/// `GET /_cat/tasks`
async fn table(State(app): State<App>, params: Params, how: CatRequest) -> Result<Response, ApiError> {
    let ip = app.config().listen.ip().to_string();
    let rows = lines(&app, params.text("actions")).into_iter().map(|line| {
        let time = line.started.to_iso().get(11..19).unwrap_or_default().to_owned();
        let running_ms = (line.ended.0 - line.started.0).max(0);
        let cells = [
            line.action.to_owned(),
            task_id(line.number),
            "-".to_owned(),
            line.kind.to_owned(),
            line.started.to_string(),
            time,
            types::TimeSpan::from_millis(running_ms).to_string(),
            ip.clone(),
            app.config().node_name.clone(),
        ];
        cells.map(Some).to_vec()
    });
    how.answer(&COLUMNS, rows.collect())
}
