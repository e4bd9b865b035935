//! Documents in order of time: points in time, or scrolls where there are none.

use std::sync::Arc;

use bytes::Bytes;
use elasticsearch::http::Method;
use serde_json::{Value, json};

use super::adapter::{encoded, options_query};
use super::features::{Dialect, Features, Points};
use super::hits::{Hits, hits};
use super::removal::no_such_route;
use super::transport::{Ask, Repeat, Transport, read};
use crate::{Error, Page, Result, Scan, ScanRequest};

const KEEP_ALIVE: &str = "5m";
/// Nothing may be missing from a page without an error.
const COMPLETE: (&str, &str) = ("allow_partial_search_results", "false");

/// How the cluster remembers a scan.
#[derive(Debug)]
enum Memory {
    /// A point in time: each page is a search after the last row.
    PointInTime { id: String, after: Option<Value>, dialect: Dialect },
    /// A scroll; absent before the first page.
    Scroll { id: Option<String> },
    /// There are no more pages.
    Over,
}

struct Reading {
    transport: Arc<Transport>,
    request: ScanRequest,
    memory: Memory,
}

/// Opens a scan: over a point in time where the cluster breaks ties by itself, with a scroll elsewhere. What it can do is
/// found out by asking, once.
pub(super) async fn open(
    transport: Arc<Transport>,
    request: ScanRequest,
    features: &Features,
) -> Result<Scan> {
    let memory = match features.points_in_time() {
        Points::Unknown => detect(&transport, &request, features).await?,
        Points::None => Memory::Scroll { id: None },
        Points::Of(dialect) => point_in_time(&transport, &request, dialect).await?,
    };
    let reading = Reading { transport, request, memory };
    Ok(Scan::new(futures::stream::unfold(reading, |mut reading| async {
        let page = reading.next().await.transpose()?;
        if page.is_err() {
            reading.memory = Memory::Over;
        }
        Some((page, reading))
    })))
}

async fn detect(transport: &Arc<Transport>, request: &ScanRequest, features: &Features) -> Result<Memory> {
    let mut certain = true;
    for dialect in [Dialect::Elasticsearch, Dialect::OpenSearch] {
        let memory = match point_in_time(transport, request, dialect).await {
            Err(Error::Refused { status: 400 | 404 | 405, exception, reason }) => {
                certain &= no_such_route(&exception, &reason) || taken_for_a_document(&reason);
                continue;
            }
            other => other?,
        };
        let mut probe = Reading { transport: Arc::clone(transport), request: request.clone(), memory };
        probe.request.page_size = 1;
        match probe.next().await {
            Ok(_) => {
                features.set_points_in_time(Points::Of(dialect));
                if let Memory::PointInTime { after, .. } = &mut probe.memory {
                    *after = None;
                    return Ok(probe.memory);
                }
                return point_in_time(transport, request, dialect).await;
            }
            Err(error) => {
                probe.close().await;
                if error.is_transient() {
                    return Err(error);
                }
                // Without `_shard_doc` rows that agree in time and number could be left out.
                certain &= error.to_string().contains("_shard_doc");
            }
        }
    }
    // What was refused for another reason, say for the query, tells nothing about the next scan.
    if certain {
        features.set_points_in_time(Points::None);
    }
    Ok(Memory::Scroll { id: None })
}

/// Servers of version 7 with types take an unknown action for the type of a document, whose source they miss.
fn taken_for_a_document(reason: &str) -> bool {
    reason.contains("source is missing") || reason.contains("request body is required")
}

async fn point_in_time(transport: &Transport, request: &ScanRequest, dialect: Dialect) -> Result<Memory> {
    let (action, name) = match dialect {
        Dialect::Elasticsearch => ("_pit", "id"),
        Dialect::OpenSearch => ("_search/point_in_time", "pit_id"),
    };
    let path = format!("/{}/{action}", encoded(&request.indices.join(",")));
    let options = options_query(&request.options);
    let mut query: Vec<(&str, &str)> = options
        .iter()
        .filter(|(name, _)| dialect == Dialect::OpenSearch || *name != "allow_no_indices")
        .map(|(n, v)| (*n, v.as_str()))
        .collect();
    query.push(("keep_alive", KEEP_ALIVE));
    let answer = transport.call(Method::Post, &path, &query, None).await?;
    let id = answer.get(name).and_then(Value::as_str);
    let id = id.ok_or_else(|| Error::Answer("a point in time has no id".to_owned()))?.to_owned();
    Ok(Memory::PointInTime { id, after: None, dialect })
}

/// The body of the search for a page.
fn body(request: &ScanRequest) -> Value {
    let time = &request.time_field;
    let range =
        json!({"range": {time: {"gte": request.start_ms, "lt": request.end_ms, "format": "epoch_millis"}}});
    let mut fields: Vec<Value> = request.fields.iter().map(|field| json!({ "field": field })).collect();
    fields.push(json!({"field": time, "format": "epoch_millis"}));
    let mut body = json!({"size": request.page_size.clamp(1, 10_000), "track_total_hits": false, "_source": false,
        "query": {"bool": {"filter": [request.query, range]}}, "fields": fields,
        // Rows of the same time come in the order in which they were written, however segments are merged: a datafeed
        // that goes on in the midst of them counts on that.
        "sort": [{time: {"order": "asc"}}, {"_seq_no": {"order": "asc"}}]});
    for (name, value) in
        [("runtime_mappings", &request.runtime_mappings), ("script_fields", &request.script_fields)]
    {
        if let Some(value) = value {
            body[name] = value.clone();
        }
    }
    body
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Page>> {
        let Some(found) = self.ask().await? else { return Ok(None) };
        match &mut self.memory {
            Memory::PointInTime { id, after, .. } => {
                *id = found.pit_id.unwrap_or_else(|| std::mem::take(id));
                *after = found.last;
            }
            Memory::Scroll { id } => *id = found.scroll_id.or_else(|| id.take()),
            Memory::Over => {}
        }
        if found.page.times_ms.is_empty() {
            self.close().await;
            return Ok(None);
        }
        Ok(Some(found.page))
    }

    /// Asks for the next page; `None` when the scan is over.
    async fn ask(&self) -> Result<Option<Hits>> {
        let options = options_query(&self.request.options);
        let mut query = vec![COMPLETE];
        let mut path = "/_search".to_owned();
        let mut repeat = Repeat::Always;
        let mut body = body(&self.request);
        match &self.memory {
            Memory::Over => return Ok(None),
            Memory::PointInTime { id, after, .. } => {
                body["pit"] = json!({"id": id, "keep_alive": KEEP_ALIVE});
                if let Some(sort) = body["sort"].as_array_mut() {
                    sort.push(json!({"_shard_doc": "asc"}));
                }
                if let Some(after) = after {
                    body["search_after"] = after.clone();
                }
            }
            Memory::Scroll { id: None } => {
                path = format!("/{}/_search", encoded(&self.request.indices.join(",")));
                query.extend(options.iter().map(|(name, value)| (*name, value.as_str())));
                query.push(("scroll", KEEP_ALIVE));
                // Scrolls refuse to leave the total out.
                body["track_total_hits"] = json!(true);
            }
            Memory::Scroll { id: Some(id) } => {
                "/_search/scroll".clone_into(&mut path);
                query.clear();
                body = json!({"scroll": KEEP_ALIVE, "scroll_id": id});
                // The second answer would be the page after the one that was lost.
                repeat = Repeat::Unsent;
            }
        }
        let ask = Ask {
            method: Method::Post,
            path: &path,
            query: &query,
            body: Some(Bytes::from(body.to_string())),
            content_type: "application/json",
            repeat,
        };
        let reply = self.transport.send(ask).await?;
        if reply.status >= 400 {
            return read(&reply).map(|_| None);
        }
        hits(&reply.body, &self.request).map(Some)
    }

    /// Lets the cluster forget the scan; if it does not, it does so by itself after a while.
    async fn close(&mut self) {
        let closed = match std::mem::replace(&mut self.memory, Memory::Over) {
            Memory::PointInTime { id, dialect: Dialect::Elasticsearch, .. } => {
                self.transport.call(Method::Delete, "/_pit", &[], Some(&json!({ "id": id }))).await
            }
            Memory::PointInTime { id, dialect: Dialect::OpenSearch, .. } => {
                let body = json!({ "pit_id": [id] });
                self.transport.call(Method::Delete, "/_search/point_in_time", &[], Some(&body)).await
            }
            Memory::Scroll { id } => {
                let body = json!({ "scroll_id": id });
                self.transport.call(Method::Delete, "/_search/scroll", &[], Some(&body)).await
            }
            Memory::Over => return,
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a scan was not closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IndicesOptions;

    fn request() -> ScanRequest {
        ScanRequest {
            indices: vec!["logs".to_owned()],
            query: json!({"match_all": {}}),
            runtime_mappings: None,
            script_fields: None,
            time_field: "t".to_owned(),
            start_ms: 1,
            end_ms: 9,
            fields: vec!["host".to_owned()],
            page_size: 50_000,
            options: IndicesOptions::default(),
        }
    }

    #[test]
    fn pages_stay_inside_the_result_window() {
        let body = body(&request());
        assert_eq!(body["size"], 10_000);
        assert_eq!(body["query"]["bool"]["filter"][1]["range"]["t"]["lt"], 9);
    }
}
