//! Both sides of a comparison, files and server, and what has been found out about jobs so far.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::current::{Current, CurrentFeed};
use super::document::{Document, Kind};
use super::server::{Server, Step};

/// Both sides of a comparison.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    pub(super) documents: &'a [Document],
    pub(super) current: &'a Current,
    pub(super) server: &'a Server,
    /// Is what no file names to be deleted?
    pub(super) prune: bool,
}

/// What has been found out about jobs, for what depends on them.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// Jobs that will be created.
    pub(super) created: BTreeSet<String>,
    /// Jobs that will be created anew, and what starts them again once they have their datafeed.
    pub(super) replaced: BTreeMap<String, Vec<Step>>,
}

impl Sides<'_> {
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.kind == kind)
    }

    /// The file's datafeed of a job.
    pub(super) fn feed_document_of(&self, job_id: &str) -> Option<&Document> {
        self.of(Kind::Datafeed).find(|document| job_id_of(document, self.current) == Some(job_id))
    }

    /// The server's datafeed of a job, unless it has been pruned by then.
    pub(super) fn feed_that_stays(&self, job_id: &str) -> Option<(&str, &CurrentFeed)> {
        self.current.feed_of(job_id).filter(|(id, _)| !self.prune || self.names(Kind::Datafeed, id))
    }

    /// The jobs that are deleted because no file names them.
    pub(super) fn pruned_jobs(&self) -> BTreeSet<String> {
        let jobs = self.current.jobs.keys().filter(|id| self.prune && !self.names(Kind::Job, id));
        jobs.cloned().collect()
    }

    pub(super) fn names(&self, kind: Kind, id: &str) -> bool {
        self.of(kind).any(|document| document.id == id)
    }
}

/// The job that a file's datafeed feeds; a file that does not say means the job that it feeds now.
pub(super) fn job_id_of<'a>(document: &'a Document, current: &'a Current) -> Option<&'a str> {
    let named = document.body.get("job_id").and_then(Value::as_str);
    named.or_else(|| current.feeds.get(&document.id).map(CurrentFeed::job_id))
}
