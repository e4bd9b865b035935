//! `/_ml/calendars`: calendars and their events.

use axum::Json;
use axum::extract::State;
use jobs::EventsQuery;
use serde::Deserialize;
use serde_json::{Value, json};
use types::TimestampMs;
use types::calendar::CalendarEvent;

use super::error::ApiError;
use super::extract::{EsJson, Named, Params, RawBody, UrlPath};
use super::listing::{acknowledged, listed};
use super::options::Options;
use super::route::{Route, route};
use super::{json_error, listing, times};
use crate::app::App;

const EVENTS_DEFAULT: i64 = 100;
const CALENDARS_DEFAULT: i64 = 10_000;

pub(super) fn routes() -> Vec<Route> {
    let one = "/_ml/calendars/{calendar_id}";
    let events = "/_ml/calendars/{calendar_id}/events";
    let job = "/_ml/calendars/{calendar_id}/jobs/{job_id}";
    vec![
        route("PUT", one, "Create a calendar", &[], put),
        route("GET POST", "/_ml/calendars", "All calendars", &["from size"], get_all),
        route("GET POST", one, "Calendars", &["from size"], get),
        route("DELETE", one, "Delete a calendar and its events", &[], delete),
        route("POST", events, "Add events", &[], post_events),
        route("GET", events, "Events", &["start end job_id from size"], get_events),
        route(
            "DELETE",
            "/_ml/calendars/{calendar_id}/events/{event_id}",
            "Delete an event",
            &[],
            delete_event,
        ),
        route("PUT", job, "Add a job", &[], add_job),
        route("DELETE", job, "Take a job away", &[], remove_job),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarBody {
    calendar_id: Option<String>,
    #[serde(default)]
    job_ids: Vec<String>,
    description: Option<String>,
}

/// `PUT /_ml/calendars/{calendar_id}`
async fn put(
    State(app): State<App>,
    UrlPath(calendar_id): UrlPath<String>,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    let body: CalendarBody =
        if body.is_empty() { CalendarBody::default() } else { json_error::read(&body, "calendar")? };
    if let Some(named) = body.calendar_id.filter(|named| *named != calendar_id) {
        return Err(ApiError::argument(format!(
            "Inconsistent calendar_id; '{named}' specified in the body differs from '{calendar_id}' specified as a URL \
             argument"
        )));
    }
    let calendar = app.jobs().put_calendar(&calendar_id, body.job_ids, body.description).await?;
    listing::json(calendar).map(Json)
}

/// `GET /_ml/calendars`
async fn get_all(state: State<App>, options: Options) -> Result<Json<Value>, ApiError> {
    get(state, UrlPath(String::new()), options).await
}

/// `GET /_ml/calendars/{calendar_id}`
async fn get(
    State(app): State<App>,
    UrlPath(calendar_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("get_calendars", &["calendar_id", "from", "size", "page"])?;
    let paging = options.optional_paging(CALENDARS_DEFAULT)?;
    listed("calendars", &app.jobs().get_calendars(&calendar_id, paging).await?).map(Json)
}

/// `DELETE /_ml/calendars/{calendar_id}`
async fn delete(
    State(app): State<App>,
    UrlPath(calendar_id): UrlPath<String>,
) -> Result<Json<Value>, ApiError> {
    app.jobs().delete_calendar(&calendar_id).await?;
    Ok(Json(acknowledged()))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsBody {
    #[serde(default)]
    events: Vec<EventBody>,
}

impl Named for EventsBody {
    const NAME: &'static str = "post_calendar_event_request";
}

/// An event as clients write it: times in any form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    description: String,
    start_time: Value,
    end_time: Value,
    skip_result: Option<bool>,
    skip_model_update: Option<bool>,
    force_time_shift: Option<i64>,
    calendar_id: Option<String>,
    event_id: Option<String>,
}

impl EventBody {
    fn into_event(self, calendar_id: &str, now: TimestampMs) -> Result<CalendarEvent, ApiError> {
        if let Some(named) = self.calendar_id.filter(|named| named != calendar_id) {
            return Err(ApiError::argument(format!(
                "Inconsistent calendar_id; '{named}' specified in the body differs from '{calendar_id}' specified as a \
                 URL argument"
            )));
        }
        Ok(CalendarEvent {
            description: self.description,
            start_time: times::parse_value(&self.start_time, "start_time", now)?,
            end_time: times::parse_value(&self.end_time, "end_time", now)?,
            skip_result: self.skip_result.unwrap_or(true),
            skip_model_update: self.skip_model_update.unwrap_or(true),
            force_time_shift: self.force_time_shift,
            calendar_id: None,
            event_id: self.event_id,
        })
    }
}

/// `POST /_ml/calendars/{calendar_id}/events`
async fn post_events(
    State(app): State<App>,
    UrlPath(calendar_id): UrlPath<String>,
    EsJson(body): EsJson<EventsBody>,
) -> Result<Json<Value>, ApiError> {
    let now = app.clock().now();
    let events: Result<Vec<CalendarEvent>, ApiError> =
        body.events.into_iter().map(|event| event.into_event(&calendar_id, now)).collect();
    let stored = app.jobs().post_calendar_events(&calendar_id, events?).await?;
    Ok(Json(json!({ "events": listing::json(stored)? })))
}

/// `GET /_ml/calendars/{calendar_id}/events`
async fn get_events(
    State(app): State<App>,
    UrlPath(calendar_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options
        .known("get_calendar_events", &["start", "end", "job_id", "from", "size", "page", "calendar_id"])?;
    let query = EventsQuery {
        start: options.time("start", app.clock())?,
        end: options.time("end", app.clock())?,
        job_id: options.text("job_id")?,
        paging: options.paging(EVENTS_DEFAULT)?,
    };
    listed("events", &app.jobs().get_calendar_events(&calendar_id, &query).await?).map(Json)
}

/// `DELETE /_ml/calendars/{calendar_id}/events/{event_id}`
async fn delete_event(
    State(app): State<App>,
    UrlPath((calendar_id, event_id)): UrlPath<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    app.jobs().delete_calendar_event(&calendar_id, &event_id).await?;
    Ok(Json(acknowledged()))
}

/// `PUT /_ml/calendars/{calendar_id}/jobs/{job_id}`
async fn add_job(
    State(app): State<App>,
    UrlPath((calendar_id, job_id)): UrlPath<(String, String)>,
    _: Params,
) -> Result<Json<Value>, ApiError> {
    listing::json(app.jobs().change_calendar_jobs(&calendar_id, &job_id, true).await?).map(Json)
}

/// `DELETE /_ml/calendars/{calendar_id}/jobs/{job_id}`
async fn remove_job(
    State(app): State<App>,
    UrlPath((calendar_id, job_id)): UrlPath<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    listing::json(app.jobs().change_calendar_jobs(&calendar_id, &job_id, false).await?).map(Json)
}
