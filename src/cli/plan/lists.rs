//! Changes of filters, calendars and watches.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::PlanError;
use super::change::{Action, Change, Model};
use super::current::{Current, CurrentCalendar};
use super::difference::{self, Difference};
use super::document::{Document, Kind};
use super::normal::time_ms;
use super::server::{Server, Step};

fn texts<'a>(
    document: &Document,
    value: Option<&'a Value>,
    name: &str,
) -> Result<Option<Vec<&'a str>>, PlanError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let list =
        value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<&str>>>());
    let mut list = list.ok_or_else(|| document.wrong(format!("[{name}] must be a list of texts")))?;
    list.sort_unstable();
    list.dedup();
    Ok(Some(list))
}

fn only_fields(document: &Document, known: &[&str]) -> Result<(), PlanError> {
    match document.body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(document.wrong(format!("unknown field [{name}]"))),
        None => Ok(()),
    }
}

fn changed_description(document: &Document, current: &Value) -> Option<Difference> {
    let after = document.body.get("description").filter(|text| !text.is_null())?;
    let before = current.get("description").cloned().unwrap_or(Value::Null);
    let differs = &before != after;
    differs.then(|| Difference { path: "description".to_owned(), before, after: after.clone() })
}

/// The members of `of` that `other` lacks.
fn minus<'a>(of: &[&'a str], other: &[&str]) -> Vec<&'a str> {
    of.iter().filter(|item| !other.contains(item)).copied().collect()
}

/// Members that leave a list, and members that join it.
fn members(path: &str, add: &[&str], remove: &[&str]) -> impl Iterator<Item = Difference> {
    let value = |items: &[&str]| if items.is_empty() { Value::Null } else { json!(items) };
    let path = path.to_owned();
    [(value(remove), Value::Null), (Value::Null, value(add))]
        .into_iter()
        .filter(|(before, after)| before != after)
        .map(move |(before, after)| Difference { path: path.clone(), before, after })
}

/// What makes the filter what the file says.
///
/// # Errors
/// When the file's filter is not of the right form.
pub(super) fn filter(document: &Document, current: &Current) -> Result<Option<Change>, PlanError> {
    only_fields(document, &["items", "description"])?;
    let wanted = texts(document, document.body.get("items"), "items")?;
    let path = format!("/_ml/filters/{}", document.id);
    let Some(now) = current.filters.get(&document.id) else {
        let body = Value::Object(document.body.clone());
        let differences = difference::between(&json!({}), &body);
        let change = Change::new(Kind::Filter, &document.id, Action::Create).differing(differences);
        return Ok(Some(change.step(Step::with("PUT", path, body))));
    };
    let have: Vec<&str> = now["items"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = wanted.unwrap_or_else(|| have.clone());
    let (add, remove) = (minus(&wanted, &have), minus(&have, &wanted));
    let description = changed_description(document, now);
    if add.is_empty() && remove.is_empty() && description.is_none() {
        return Ok(None);
    }
    let mut body = Map::new();
    let mut differences = Vec::new();
    if let Some(description) = description {
        body.insert("description".to_owned(), description.after.clone());
        differences.push(description);
    }
    for (name, items) in [("add_items", &add), ("remove_items", &remove)] {
        if !items.is_empty() {
            body.insert(name.to_owned(), json!(items));
        }
    }
    differences.extend(members("items", &add, &remove));
    let change =
        Change::new(Kind::Filter, &document.id, Action::Update).model(Model::Kept).differing(differences);
    Ok(Some(change.step(Step::with("POST", format!("{path}/_update"), Value::Object(body)))))
}

/// An event without what the server adds, its times as numbers.
fn plain_event(event: &Value) -> Option<Value> {
    let mut plain = Map::new();
    plain.insert("description".to_owned(), event.get("description")?.clone());
    for name in ["start_time", "end_time"] {
        plain.insert(name.to_owned(), json!(time_ms(event.get(name)?)?));
    }
    for name in ["skip_result", "skip_model_update"] {
        plain.insert(name.to_owned(), event.get(name).cloned().unwrap_or(Value::Bool(true)));
    }
    if let Some(shift) = event.get("force_time_shift").filter(|shift| !shift.is_null()) {
        plain.insert("force_time_shift".to_owned(), shift.clone());
    }
    Some(Value::Object(plain))
}

fn wanted_events(document: &Document) -> Result<Option<Vec<Value>>, PlanError> {
    let Some(events) = document.body.get("events").filter(|events| !events.is_null()) else {
        return Ok(None);
    };
    let events = events.as_array().ok_or_else(|| document.wrong("[events] must be a list"))?;
    let wrong = |event: &Value| {
        document.wrong(format!("an event needs [description], [start_time] and [end_time]: {event}"))
    };
    events
        .iter()
        .map(|event| plain_event(event).ok_or_else(|| wrong(event)))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// What makes the calendar and its events what the file says.
///
/// `leaving` are jobs that are deleted before, and are then in no calendar.
///
/// # Errors
/// When the file's calendar is not of the right form.
pub(super) fn calendar(
    document: &Document,
    current: &Current,
    leaving: &BTreeSet<String>,
) -> Result<Option<Change>, PlanError> {
    only_fields(document, &["job_ids", "description", "events"])?;
    let wanted = texts(document, document.body.get("job_ids"), "job_ids")?;
    let events = wanted_events(document)?;
    let Some(now) = current.calendars.get(&document.id) else {
        let differences = difference::between(&json!({}), &Value::Object(document.body.clone()));
        let change = Change::new(Kind::Calendar, &document.id, Action::Create).differing(differences);
        return Ok(Some(change.steps(creation(document, document.body.clone(), events.unwrap_or_default()))));
    };
    let mut have = now.job_ids();
    have.retain(|job_id| !leaving.contains(*job_id));
    if let Some(description) = changed_description(document, now.config()) {
        return Ok(Some(replacement(document, now, have, description, events)));
    }
    let wanted = wanted.unwrap_or_else(|| have.clone());
    let path = format!("/_ml/calendars/{}", document.id);
    let mut change = Change::new(Kind::Calendar, &document.id, Action::Update).model(Model::Kept);
    let (join, leave) = (minus(&wanted, &have), minus(&have, &wanted));
    for (method, jobs) in [("PUT", &join), ("DELETE", &leave)] {
        change = change.steps(jobs.iter().map(|job| Step::new(method, format!("{path}/jobs/{job}"))));
    }
    change.differences.extend(members("job_ids", &join, &leave));
    if let Some(events) = events {
        change = with_events(change, now, &path, &events);
    }
    Ok((!change.steps.is_empty()).then_some(change))
}

impl CurrentCalendar {
    fn config(&self) -> &Value {
        &self.config
    }
}

fn creation(document: &Document, mut body: Map<String, Value>, events: Vec<Value>) -> Vec<Step> {
    let path = format!("/_ml/calendars/{}", document.id);
    body.shift_remove("events");
    let mut steps = vec![Step::with("PUT", path.clone(), Value::Object(body))];
    if !events.is_empty() {
        steps.push(Step::with("POST", format!("{path}/events"), json!({"events": events})));
    }
    steps
}

/// The API has no way to change a calendar's description.
fn replacement(
    document: &Document,
    now: &CurrentCalendar,
    job_ids: Vec<&str>,
    description: Difference,
    events: Option<Vec<Value>>,
) -> Change {
    let mut body = document.body.clone();
    body.entry("job_ids").or_insert_with(|| json!(job_ids));
    let events = events.unwrap_or_else(|| now.events.iter().filter_map(plain_event).collect());
    Change::new(Kind::Calendar, &document.id, Action::Replace)
        .model(Model::Kept)
        .note(
            "a calendar's description cannot be changed, so the calendar is created anew with all its events",
        )
        .differing(vec![description])
        .step(Step::new("DELETE", format!("/_ml/calendars/{}", document.id)))
        .steps(creation(document, body, events))
}

fn with_events(mut change: Change, now: &CurrentCalendar, path: &str, wanted: &[Value]) -> Change {
    let have: Vec<(Option<&str>, Value)> = now
        .events
        .iter()
        .filter_map(|event| Some((event["event_id"].as_str(), plain_event(event)?)))
        .collect();
    let add: Vec<&Value> =
        wanted.iter().filter(|event| !have.iter().any(|(_, have)| have == *event)).collect();
    let gone: Vec<&(Option<&str>, Value)> = have.iter().filter(|(_, have)| !wanted.contains(have)).collect();
    for (id, event) in gone {
        let difference = Difference { path: "events".to_owned(), before: event.clone(), after: Value::Null };
        change.differences.push(difference);
        change = change.steps(id.map(|id| Step::new("DELETE", format!("{path}/events/{id}"))));
    }
    if add.is_empty() {
        return change;
    }
    let added = add.iter().map(|event| Difference {
        path: "events".to_owned(),
        before: Value::Null,
        after: (*event).clone(),
    });
    change.differences.extend(added);
    change.step(Step::with("POST", format!("{path}/events"), json!({"events": add})))
}

/// An id as a part of a path: those of watches may hold anything.
fn in_path(id: &str) -> String {
    let letter = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    id.bytes().map(letter).collect()
}

/// What makes the watch what the file says; a server without watches is told of.
///
/// # Errors
/// When the server cannot be asked.
pub(super) async fn watch(document: &Document, server: &Server) -> Result<Option<Change>, PlanError> {
    let path = format!("/_watcher/watch/{}", in_path(&document.id));
    let found = match server.find(&path).await {
        Ok(found) => found,
        Err(PlanError::Refused { status: 400 | 405, .. }) => {
            let change = Change::new(Kind::Watch, &document.id, Action::Unsupported);
            return Ok(Some(change.note("this server has no watches; nothing is done with this file")));
        }
        Err(error) => return Err(error),
    };
    let body = Value::Object(document.body.clone());
    let step = Step::with("PUT", path, body.clone());
    let Some(found) = found else {
        let differences = difference::between(&json!({}), &body);
        return Ok(Some(
            Change::new(Kind::Watch, &document.id, Action::Create).differing(differences).step(step),
        ));
    };
    let differences = difference::between(&found["watch"], &body);
    let change = Change::new(Kind::Watch, &document.id, Action::Update);
    Ok((!differences.is_empty()).then(|| change.differing(differences).step(step)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_one_part_of_a_path() {
        assert_eq!(super::in_path("a-b_c.1"), "a-b_c.1");
        assert_eq!(super::in_path("a/b c?ü"), "a%2Fb%20c%3F%C3%BC");
    }
}
