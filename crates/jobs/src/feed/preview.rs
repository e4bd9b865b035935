//! The first rows that a datafeed would send.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use store::{Cell, Store};
use types::Job;
use types::datafeed::Datafeed;

use super::source::Source;
use crate::Result;

/// The first rows, oldest first: analysed fields and the time in milliseconds.
///
/// # Errors
/// When the query is refused or an index is missing.
pub(crate) async fn preview_rows(
    store: &Arc<dyn Store>,
    feed: &Datafeed,
    job: &Job,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
) -> Result<Vec<Value>> {
    let fields = job.analysis_config.analysed_fields();
    let source = Source::new(Arc::clone(store), feed.clone(), job, fields, 1);
    let (start_ms, end_ms) = (start_ms.unwrap_or(0), end_ms.unwrap_or(i64::MAX / 2));
    if source.is_aggregated() {
        return aggregated(&source, job, start_ms, end_ms).await;
    }
    let mut scan = source.scan(start_ms, end_ms).await?;
    let Some(page) = scan.next().await? else { return Ok(Vec::new()) };
    let rows = page.times_ms.iter().enumerate().map(|(row, time_ms)| {
        let mut object = Map::new();
        object.insert(source.time_field.clone(), json!(time_ms));
        for (field, column) in source.fields.iter().zip(&page.columns) {
            match column.get(row) {
                Cell::Missing => {}
                Cell::Str(text) => {
                    object.insert(field.clone(), json!(text));
                }
                Cell::Num(number) => {
                    object.insert(field.clone(), json!(number));
                }
            }
        }
        Value::Object(object)
    });
    Ok(rows.collect())
}

async fn aggregated(source: &Source, job: &Job, start_ms: i64, end_ms: i64) -> Result<Vec<Value>> {
    let Some(first_ms) = source.first_time(start_ms, end_ms).await? else { return Ok(Vec::new()) };
    let until_ms = source.chunk_ms().map_or(end_ms, |chunk| first_ms.saturating_add(chunk).min(end_ms));
    let summary = job.analysis_config.summary_count_field_name.as_deref();
    let rows = source.aggregate(first_ms, until_ms).await?;
    let shown = rows.into_iter().map(|row| {
        let mut object = row.values;
        object.insert(source.time_field.clone(), json!(row.time_ms));
        if let Some(field) = summary.filter(|field| *field == "doc_count") {
            object.insert(field.to_owned(), json!(row.doc_count));
        }
        Value::Object(object)
    });
    Ok(shown.collect())
}
