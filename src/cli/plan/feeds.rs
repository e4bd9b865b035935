//! Changes of datafeeds.

use serde_json::{Map, Value, json};

use super::PlanError;
use super::change::{Action, Change, Model};
use super::current::CurrentFeed;
use super::difference;
use super::document::{Document, Kind};
use super::normal;
use super::server::Step;
use super::sides::{Jobs, Sides, job_id_of};

/// Fields that say which data the job sees.
const DATA: [&str; 5] = ["indices", "query", "aggregations", "script_fields", "runtime_mappings"];

fn path(id: &str) -> String {
    format!("/_ml/datafeeds/{id}")
}

/// Stops the datafeed before the change if it runs.
pub(super) fn stopped_first(mut change: Change, id: &str, feed: &CurrentFeed) -> Change {
    if feed.is_stopped() {
        return change;
    }
    if !feed.real_time {
        change.blocked = Some(format!("datafeed [{id}] runs to a set end; try again when it has ended"));
    }
    change.prepare.push(Step::new("POST", format!("{}/_stop", path(id))));
    change
}

fn started_again(mut change: Change, id: &str, feed: &CurrentFeed) -> Change {
    if !feed.is_stopped() {
        change.finish.push(Step::new("POST", format!("{}/_start", path(id))));
    }
    change
}

/// What makes the datafeed what the file says.
///
/// # Errors
/// When the file's datafeed breaks a rule.
pub(super) fn change(
    document: &Document,
    sides: &Sides<'_>,
    jobs: &Jobs,
) -> Result<Option<Change>, PlanError> {
    let now = sides.current.feeds.get(&document.id);
    let job_id = job_id_of(document, sides.current).ok_or_else(|| document.wrong("[job_id] is missing"))?;
    if !sides.current.jobs.contains_key(job_id) && !jobs.created.contains(job_id) {
        return Err(document.wrong(format!("its job [{job_id}] is neither in the files nor on the server")));
    }
    let current = now.map(|feed| normal::current_feed(&document.id, &feed.config)).transpose()?;
    let wanted = normal::wanted_feed(document, current.as_ref())?;
    let before = current.as_ref().map_or_else(|| json!({}), normal::comparable_feed);
    let after = normal::comparable_feed(&wanted);
    let body = serde_json::to_value(&wanted).map_err(|error| document.wrong(error))?;
    if let Some(resume) = jobs.replaced.get(job_id) {
        // The old one went with its job.
        let differences = difference::between(&before, &after);
        let change = Change::new(Kind::Datafeed, &document.id, Action::Replace)
            .note(format!("is created anew with its job [{job_id}]"))
            .differing(if now.is_some() { differences } else { Vec::new() })
            .step(creation(&document.id, body))
            .steps(resume.iter().cloned());
        return Ok(Some(change));
    }
    let Some((now, current)) = now.zip(current) else {
        let named = Value::Object(normal::feed_body(document));
        let change = Change::new(Kind::Datafeed, &document.id, Action::Create)
            .differing(difference::between(&json!({}), &named))
            .step(creation(&document.id, named));
        return Ok(Some(unless_fed(change, job_id, &document.id, sides)));
    };
    if current.job_id != wanted.job_id {
        return Ok(Some(moved(document, now, difference::between(&before, &after), body)));
    }
    Ok(updated(document, now, difference::between(&before, &after), &body))
}

fn creation(id: &str, mut body: Value) -> Step {
    if let Some(fields) = body.as_object_mut() {
        fields.shift_remove("datafeed_id");
    }
    Step::with("PUT", path(id), body)
}

/// A job has one datafeed only.
fn unless_fed(mut change: Change, job_id: &str, id: &str, sides: &Sides<'_>) -> Change {
    let other = sides.feed_that_stays(job_id).filter(|(other, _)| *other != id);
    if let Some((other, _)) = other {
        change.blocked = Some(format!(
            "job [{job_id}] is fed by datafeed [{other}], which no file names; --prune deletes it"
        ));
    }
    change
}

fn moved(
    document: &Document,
    now: &CurrentFeed,
    differences: Vec<difference::Difference>,
    body: Value,
) -> Change {
    let change = Change::new(Kind::Datafeed, &document.id, Action::Replace)
        .model(Model::Kept)
        .note("a datafeed's job cannot be changed, so the datafeed is created anew; it is not started")
        .differing(differences)
        .step(Step::new("DELETE", path(&document.id)))
        .step(creation(&document.id, body));
    stopped_first(change, &document.id, now)
}

fn updated(
    document: &Document,
    now: &CurrentFeed,
    differences: Vec<difference::Difference>,
    wanted: &Value,
) -> Option<Change> {
    let mut body = Map::new();
    for difference in &differences {
        let name = difference.path.split(['.', '[']).next().unwrap_or_default();
        body.insert(name.to_owned(), wanted.get(name).cloned().unwrap_or(Value::Null));
    }
    if body.is_empty() {
        return None;
    }
    // The API's word for none.
    if let Some(count) = body.get_mut("max_empty_searches").filter(|count| count.is_null()) {
        *count = json!(-1);
    }
    let mut change = Change::new(Kind::Datafeed, &document.id, Action::Update).model(Model::Kept);
    if body.keys().any(|name| DATA.contains(&name.as_str())) {
        change = change.note("the model stays as it is and goes on with the data that are read from now on");
    }
    if !now.is_stopped() {
        change = change.note("the datafeed is stopped and started again around it");
    }
    let update = Step::with("POST", format!("{}/_update", path(&document.id)), Value::Object(body));
    let change = change.differing(differences).step(update);
    Some(started_again(stopped_first(change, &document.id, now), &document.id, now))
}
