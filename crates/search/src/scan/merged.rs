//! Several indices scanned as one.

use serde_json::Value;

use super::batch::ScanBatch;
use super::source::{Plan, Source, time_column};
use crate::catalog::Expand;
use crate::cluster::Search;
use crate::error::Result;
use crate::query::Query;

/// Below this size sorting is as good as an index.
const WORTH_AN_INDEX: i64 = 2000;

/// Which documents a scan reads, and what of them.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// Index expressions.
    pub indices: Vec<String>,
    /// How they are understood.
    pub expand: Expand,
    /// Which documents; `Null` for all.
    pub query: Value,
    /// The field with the documents' time.
    pub time_field: String,
    /// The first millisecond.
    pub start_ms: i64,
    /// The end, excluded, in milliseconds.
    pub end_ms: i64,
    /// The wanted fields.
    pub fields: Vec<String>,
    /// The most documents of a batch, at least 1.
    pub batch_size: usize,
}

/// The batches of a scan. It sees its indices as they were when it was opened.
#[derive(Debug)]
pub struct Scan {
    sources: Vec<Source>,
    columns: usize,
    batch_size: usize,
    failed: bool,
}

impl Search {
    /// Opens a scan.
    ///
    /// # Errors
    /// When an index is missing, the time field is not mapped (in an index that has documents) or no date, or the query
    /// is malformed.
    pub fn scan(&self, request: &ScanRequest) -> Result<Scan> {
        let query = if request.query.is_null() { Query::match_all() } else { Query::parse(&request.query)? };
        let plan = Plan {
            query: &query,
            time_field: &request.time_field,
            fields: &request.fields,
            start_ms: request.start_ms,
            end_ms: request.end_ms,
            batch_size: request.batch_size.max(1),
            now_ms: self.now_ms(),
        };
        let mut sources = Vec::new();
        for target in self.resolve(&request.indices.join(","), request.expand)? {
            let index = self.index_of(&target.meta)?;
            if index.count() == 0 {
                continue;
            }
            let mapping = index.mapping();
            let time = time_column(&mapping, &request.time_field)?;
            if index.count() > WORTH_AN_INDEX && !mapping.layout.is_indexed(time) {
                index.ensure_index(time)?;
            }
            sources.push(Source::new(self.view(&target)?, &plan)?);
        }
        Ok(Scan { sources, columns: request.fields.len(), batch_size: plan.batch_size, failed: false })
    }
}

impl Scan {
    fn next_batch(&mut self) -> Result<Option<ScanBatch>> {
        let mut batch = ScanBatch::new(self.columns);
        while batch.len() < self.batch_size {
            // The source with the earliest document, and the earliest of the others, up to which it can be read.
            let mut first: Option<(i64, usize)> = None;
            let mut second: Option<(i64, usize)> = None;
            for (number, source) in self.sources.iter_mut().enumerate() {
                let Some(time) = source.head()? else { continue };
                let head = (time, number);
                if first.is_none_or(|best| head < best) {
                    second = first;
                    first = Some(head);
                } else if second.is_none_or(|best| head < best) {
                    second = Some(head);
                }
            }
            let Some((_, number)) = first else { break };
            let source = &mut self.sources[number];
            let most = source.batch.len().min(source.at + self.batch_size - batch.len());
            let end = match second {
                None => most,
                Some(other) => {
                    let times = &source.batch.times_ms[source.at..most];
                    source.at + times.partition_point(|time| (*time, number) < other)
                }
            };
            if batch.is_empty() && source.at == 0 && end == source.batch.len() {
                // Most scans read one index: its batch is handed on as it is.
                batch = std::mem::take(&mut source.batch);
                source.batch = ScanBatch::new(self.columns);
            } else {
                batch.extend(&source.batch, source.at..end);
                source.at = end;
            }
            if self.sources.len() == 1 {
                break;
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }
}

impl Iterator for Scan {
    type Item = Result<ScanBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_batch();
        self.failed = next.is_err();
        next.transpose()
    }
}
