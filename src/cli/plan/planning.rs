//! From files and a server to the changes that make the server what the files say.

use super::PlanError;
use super::change::{Action, Change, Model};
use super::document::Kind;
use super::server::Step;
use super::sides::{Jobs, Sides};
use super::{feeds, jobs, lists, snapshot};

/// All changes, in the order in which they are carried out.
///
/// # Errors
/// When a document is not valid or the server does not answer.
pub(super) async fn plan(sides: &Sides<'_>) -> Result<Vec<Change>, PlanError> {
    let mut changes = Vec::new();
    if sides.prune {
        changes.extend(superfluous_feeds(sides));
        changes.extend(superfluous_jobs(sides));
    }
    for document in sides.of(Kind::Filter) {
        changes.extend(lists::filter(document, sides.current)?);
    }
    let leaving = sides.pruned_jobs();
    for document in sides.of(Kind::Calendar) {
        changes.extend(lists::calendar(document, sides.current, &leaving)?);
    }
    let mut found = Jobs::default();
    for document in sides.of(Kind::Job) {
        changes.extend(jobs::change(document, sides, &mut found).await?);
    }
    for document in sides.of(Kind::ModelSnapshot) {
        changes.extend(snapshot::change(document, sides, &found)?);
    }
    for document in sides.of(Kind::Datafeed) {
        changes.extend(feeds::change(document, sides, &found)?);
    }
    for document in sides.of(Kind::Watch) {
        changes.extend(lists::watch(document, sides.server).await?);
    }
    if sides.prune {
        changes.extend(superfluous_lists(sides));
    }
    Ok(changes)
}

fn superfluous_feeds<'a>(sides: &'a Sides<'_>) -> impl Iterator<Item = Change> + 'a {
    let unnamed = sides.current.feeds.iter().filter(|(id, _)| !sides.names(Kind::Datafeed, id));
    unnamed.map(|(id, feed)| {
        let kept = sides.names(Kind::Job, feed.job_id());
        let change = Change::new(Kind::Datafeed, id, Action::Delete)
            .model(if kept { Model::Kept } else { Model::None })
            .step(Step::new("DELETE", format!("/_ml/datafeeds/{id}")));
        feeds::stopped_first(change, id, feed)
    })
}

fn superfluous_jobs<'a>(sides: &'a Sides<'_>) -> impl Iterator<Item = Change> + 'a {
    let unnamed = sides.current.jobs.iter().filter(|(id, _)| !sides.names(Kind::Job, id));
    unnamed.map(|(id, job)| {
        let lost = job.has_learnt();
        let change = Change::new(Kind::Job, id, Action::Delete)
            .model(if lost { Model::Lost } else { Model::None })
            .note("its results and model snapshots are deleted as well")
            .step(Step::new("DELETE", format!("/_ml/anomaly_detectors/{id}")));
        jobs::closed_first(change, id, job)
    })
}

fn superfluous_lists<'a>(sides: &'a Sides<'_>) -> impl Iterator<Item = Change> + 'a {
    let calendars = sides.current.calendars.keys().map(|id| (Kind::Calendar, id, "calendars"));
    let filters = sides.current.filters.keys().map(|id| (Kind::Filter, id, "filters"));
    let unnamed = calendars.chain(filters).filter(|(kind, id, _)| !sides.names(*kind, id));
    unnamed.map(|(kind, id, folder)| {
        Change::new(kind, id, Action::Delete).step(Step::new("DELETE", format!("/_ml/{folder}/{id}")))
    })
}
