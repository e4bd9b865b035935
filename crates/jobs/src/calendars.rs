//! Calendars and their events, and what of them an analysis must know.

use std::collections::BTreeMap;

use engine::Context;
use serde_json::{Value, json};
use store::{BulkOp, IndicesOptions, indices};
use types::calendar::{Calendar, CalendarEvent};
use types::id::CalendarId;
use types::{Job, TimestampMs};

use crate::config_store::{hits, read, to_json};
use crate::notifications::Level;
use crate::open_job::State;
use crate::results::Paging;
use crate::service::{Jobs, Listed};
use crate::{Error, Result, expression, filters};

const LISTED_MAX: usize = 10_000;

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventsQuery {
    /// Those that end after this.
    pub start: Option<TimestampMs>,
    /// Those that begin before this.
    pub end: Option<TimestampMs>,
    /// Those that apply to this job or group; only with `_all` calendars.
    pub job_id: Option<String>,
    /// Which part.
    pub paging: Paging,
}

fn doc_id(calendar_id: &str) -> String {
    format!("calendar_{calendar_id}")
}

fn applies(calendar: &Calendar, job: &Job) -> bool {
    let named =
        |id: &str| id == "_all" || id == job.job_id.as_str() || job.groups.iter().any(|group| group == id);
    calendar.job_ids.iter().any(|id| named(id))
}

impl Jobs {
    async fn write_meta(&self, ops: Vec<BulkOp>) -> Result<()> {
        store::check_all(self.inner.store.bulk(ops).await?)?;
        self.inner.store.refresh(indices::META).await?;
        Ok(())
    }

    async fn all_meta(&self, query: Value, sort: &str) -> Result<Vec<(String, Value)>> {
        let body = json!({"query": query, "sort": [{sort: {"order": "asc"}}], "size": LISTED_MAX});
        let mut answer = self.inner.store.search(indices::META, &body, &IndicesOptions::lenient()).await?;
        Ok(hits(&mut answer))
    }

    async fn calendars(&self) -> Result<Vec<Calendar>> {
        let found = self.all_meta(json!({"term": {"type": "calendar"}}), "calendar_id").await?;
        Ok(self.inner.configs.unreadable.all(indices::META, found))
    }

    pub(crate) async fn calendar(&self, calendar_id: &str) -> Result<Calendar> {
        let id = doc_id(calendar_id);
        let found = self.inner.store.get(indices::META, &id).await?;
        read(&id, found.ok_or_else(|| Error::UnknownCalendar(calendar_id.to_owned()))?.source)
    }

    async fn write_calendar(&self, calendar: &Calendar) -> Result<()> {
        let mut json = to_json(calendar)?;
        json["type"] = json!("calendar");
        self.write_meta(vec![BulkOp::index(indices::META, doc_id(&calendar.calendar_id), json.to_string())])
            .await
    }

    /// Creates a calendar. Job ids may be groups, or jobs that do not exist yet.
    ///
    /// # Errors
    /// When the id is taken or not allowed.
    pub async fn put_calendar(
        &self,
        calendar_id: &str,
        job_ids: Vec<String>,
        description: Option<String>,
    ) -> Result<Calendar> {
        if calendar_id == "_all" {
            return Err(Error::argument("Cannot create a Calendar with the reserved name [_all]"));
        }
        let calendar = Calendar { calendar_id: CalendarId::try_from(calendar_id)?, job_ids, description };
        if self.inner.store.get(indices::META, &doc_id(calendar_id)).await?.is_some() {
            return Err(Error::BadRequest(format!(
                "Cannot create calendar with id [{calendar_id}] as it already exists"
            )));
        }
        self.write_calendar(&calendar).await?;
        self.refresh_calendars(|job| applies(&calendar, job)).await?;
        Ok(calendar)
    }

    /// Calendars that an expression names; paging only without an id.
    ///
    /// # Errors
    /// When a calendar that is named does not exist, or paging comes with an id.
    pub async fn get_calendars(&self, expression: &str, paging: Option<Paging>) -> Result<Listed<Calendar>> {
        let all = expression.is_empty() || expression == "_all" || expression == "*";
        if !expression.is_empty() && paging.is_some() {
            return Err(Error::argument("Params [from, size] are incompatible with [calendar_id]."));
        }
        let mut calendars = self.calendars().await?;
        if !all {
            let no_groups: &[String] = &[];
            let ids = calendars.iter().map(|calendar| (calendar.calendar_id.as_str(), no_groups));
            let wanted =
                expression::matching(expression, ids, true, |part| Error::UnknownCalendar(part.to_owned()))?;
            calendars.retain(|calendar| wanted.iter().any(|id| id.as_str() == calendar.calendar_id.as_str()));
        }
        let count = calendars.len() as u64;
        let paging = paging.unwrap_or(Paging { from: 0, size: LISTED_MAX as i64 }).checked()?;
        let items = calendars.into_iter().skip(paging.from as usize).take(paging.size as usize).collect();
        Ok(Listed { count, items })
    }

    /// Removes a calendar and its events.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn delete_calendar(&self, calendar_id: &str) -> Result<()> {
        let calendar = self.calendar(calendar_id).await?;
        let events = json!({"bool": {"filter": [{"term": {"type": "scheduled_event"}},
            {"term": {"calendar_id": calendar_id}}]}});
        self.inner.store.delete_by_query(indices::META, &events).await?;
        self.write_meta(vec![BulkOp::delete(indices::META, doc_id(calendar_id))]).await?;
        self.refresh_calendars(|job| applies(&calendar, job)).await
    }

    /// Adds jobs or groups (a comma list) to a calendar, or takes them away.
    ///
    /// # Errors
    /// When the calendar does not exist, or a job that is taken away is not in it.
    pub async fn change_calendar_jobs(
        &self,
        calendar_id: &str,
        job_ids: &str,
        add: bool,
    ) -> Result<Calendar> {
        let mut calendar = self.calendar(calendar_id).await?;
        let before = calendar.clone();
        for job_id in job_ids.split(',').map(str::trim).filter(|id| !id.is_empty()) {
            let known = calendar.job_ids.iter().any(|id| id == job_id);
            match (add, known) {
                (true, false) => calendar.job_ids.push(job_id.to_owned()),
                (false, true) => calendar.job_ids.retain(|id| id != job_id),
                (false, false) => {
                    self.must_exist(job_id).await?;
                }
                (true, true) => {}
            }
        }
        self.write_calendar(&calendar).await?;
        self.refresh_calendars(|job| applies(&calendar, job) || applies(&before, job)).await?;
        Ok(calendar)
    }

    /// A job that is gone is in no calendar.
    pub(crate) async fn remove_from_calendars(&self, job_id: &str) -> Result<()> {
        for mut calendar in self.calendars().await? {
            if calendar.job_ids.iter().any(|id| id == job_id) {
                calendar.job_ids.retain(|id| id != job_id);
                self.write_calendar(&calendar).await?;
            }
        }
        Ok(())
    }

    /// Adds events to a calendar.
    ///
    /// # Errors
    /// When the calendar does not exist, there are no events, or one ends before it begins.
    pub async fn post_calendar_events(
        &self,
        calendar_id: &str,
        events: Vec<CalendarEvent>,
    ) -> Result<Vec<CalendarEvent>> {
        let calendar = self.calendar(calendar_id).await?;
        if events.is_empty() {
            return Err(Error::argument("At least 1 event is required"));
        }
        let mut ops = Vec::with_capacity(events.len());
        let mut stored = Vec::with_capacity(events.len());
        for mut event in events {
            if event.end_time <= event.start_time {
                return Err(Error::argument(format!(
                    "Event start time [{}] must come before end time [{}]",
                    event.start_time, event.end_time
                )));
            }
            event.calendar_id = Some(calendar_id.to_owned());
            event.event_id = None;
            let mut json = to_json(&event)?;
            json["type"] = json!("scheduled_event");
            stored.push(event);
            ops.push(BulkOp {
                index: indices::META.to_owned(),
                id: None,
                action: store::Action::Index(json.to_string()),
                expected: None,
            });
        }
        self.write_meta(ops).await?;
        self.refresh_calendars(|job| applies(&calendar, job)).await?;
        Ok(stored)
    }

    /// Gives open jobs their events anew, and tells so.
    async fn refresh_calendars(&self, concerns: impl Fn(&Job) -> bool) -> Result<()> {
        for job in self.refresh_contexts(&concerns).await? {
            if self.inner.state(&job.job_id) == State::Opened {
                let message = "Updated calendars in running process";
                self.inner.notifier.tell(&job.job_id, Level::Info, message).await;
            }
        }
        Ok(())
    }

    async fn all_events(&self) -> Result<Vec<CalendarEvent>> {
        let found = self.all_meta(json!({"term": {"type": "scheduled_event"}}), "start_time").await?;
        let unreadable = &self.inner.configs.unreadable;
        let read = |(id, source): (String, Value)| {
            let mut event: CalendarEvent = unreadable.read(indices::META, &id, source)?;
            event.event_id = Some(id);
            Some(event)
        };
        Ok(found.into_iter().filter_map(read).collect())
    }

    /// Events of the calendars that an expression names, sorted by start.
    ///
    /// # Errors
    /// When a calendar does not exist, or a job is named without `_all` calendars.
    pub async fn get_calendar_events(
        &self,
        expression: &str,
        query: &EventsQuery,
    ) -> Result<Listed<CalendarEvent>> {
        let all = expression == "_all" || expression == "*";
        if query.job_id.is_some() && !all {
            return Err(Error::argument("If job_id is used calendar_id must be '_all' or '*'"));
        }
        let mut calendars = self.get_calendars(expression, None).await?.items;
        if let Some(job_id) = &query.job_id {
            let job = self.inner.configs.job(job_id).await.ok().map(|(job, _)| job);
            calendars.retain(|calendar| match &job {
                Some(job) => applies(calendar, job),
                None => calendar.job_ids.iter().any(|id| id == job_id || id == "_all"),
            });
        }
        let mut events = self.all_events().await?;
        events.retain(|event| {
            let of = calendars.iter().any(|c| event.calendar_id.as_deref() == Some(c.calendar_id.as_str()));
            of && query.start.is_none_or(|start| event.end_time > start)
                && query.end.is_none_or(|end| event.start_time < end)
        });
        let count = events.len() as u64;
        let paging = query.paging.checked()?;
        let items = events.into_iter().skip(paging.from as usize).take(paging.size as usize).collect();
        Ok(Listed { count, items })
    }

    /// Removes an event.
    ///
    /// # Errors
    /// When calendar or event do not exist, or the event belongs to another calendar.
    pub async fn delete_calendar_event(&self, calendar_id: &str, event_id: &str) -> Result<()> {
        let calendar = self.calendar(calendar_id).await?;
        let found = self.inner.store.get(indices::META, event_id).await?;
        let source = found.filter(|found| found.source.get("type") == Some(&json!("scheduled_event")));
        let source = source.ok_or_else(|| Error::NotFound(format!("No event with id [{event_id}]")))?.source;
        if source.get("calendar_id").and_then(Value::as_str) != Some(calendar_id) {
            return Err(Error::BadRequest(format!(
                "Event [{event_id}] has calendar_id [{}] which does not match the request calendar_id [{calendar_id}]",
                source.get("calendar_id").and_then(Value::as_str).unwrap_or_default()
            )));
        }
        self.write_meta(vec![BulkOp::delete(indices::META, event_id)]).await?;
        self.refresh_calendars(|job| applies(&calendar, job)).await
    }

    /// The filters and events that a job's analysis must know.
    pub(crate) async fn context_of(&self, job: &Job) -> Result<Context> {
        let mut filters = BTreeMap::new();
        for filter_id in filters::filters_of(job) {
            match self.filter(&filter_id).await {
                Ok(filter) => {
                    filters.insert(filter_id, filter.items.into_iter().collect());
                }
                Err(Error::UnknownFilter(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let calendars: Vec<Calendar> =
            self.calendars().await?.into_iter().filter(|calendar| applies(calendar, job)).collect();
        let mut events = Vec::new();
        if !calendars.is_empty() {
            events = self.all_events().await?;
            events.retain(|event| {
                calendars
                    .iter()
                    .any(|calendar| event.calendar_id.as_deref() == Some(calendar.calendar_id.as_str()))
            });
        }
        Ok(Context { filters, events })
    }
}
