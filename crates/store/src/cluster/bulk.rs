//! Many writes as lines, and what became of each one when an answer was lost.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use bytes::Bytes;
use elasticsearch::http::Method;
use serde_json::{Map, Value, json};

use super::answer::bulk_outcomes;
use super::transport::{Ask, Repeat, Transport, read};
use crate::{Action, BulkOp, Error, Outcome, Result, Store};

/// Bytes in one request, unless one write alone has more. Clusters refuse more than 100 MB by default.
const REQUEST_BYTES_MAX: usize = 16 << 20;
/// Only what is read of the answer is asked for.
const ANSWERED: &str =
    "errors,items.*._id,items.*.status,items.*._seq_no,items.*._primary_term,items.*.error,error,status";

/// A new id that nobody else has.
fn new_id() -> String {
    // Each state is seeded anew from the system's random numbers.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

fn push_line(lines: &mut Vec<u8>, op: &BulkOp) {
    let (action, document) = match &op.action {
        Action::Index(json) => ("index", Some(json)),
        Action::Create(json) => ("create", Some(json)),
        Action::Update(json) => ("update", Some(json)),
        Action::Delete => ("delete", None),
    };
    let mut target = Map::new();
    target.insert("_index".to_owned(), json!(op.index));
    target.extend(op.id.as_ref().map(|id| ("_id".to_owned(), json!(id))));
    if crate::indices::is_write_alias(&op.index) {
        target.insert("require_alias".to_owned(), json!(true));
    }
    if let Some(version) = op.expected {
        target.insert("if_seq_no".to_owned(), json!(version.seq_no));
        target.insert("if_primary_term".to_owned(), json!(version.primary_term));
    }
    lines.extend_from_slice(json!({ action: target }).to_string().as_bytes());
    lines.push(b'\n');
    let Some(document) = document else { return };
    let wrapped = matches!(op.action, Action::Update(_));
    lines.extend_from_slice(if wrapped { b"{\"doc\":" } else { b"" });
    lines.extend_from_slice(document.as_bytes());
    lines.extend_from_slice(if wrapped { b"}\n" } else { b"\n" });
}

/// Requests of a bearable size: their bodies and the writes in each.
fn requests(ops: &[BulkOp], bytes_max: usize) -> Vec<(Vec<u8>, Range<usize>)> {
    let mut requests = Vec::new();
    let (mut lines, mut first) = (Vec::new(), 0);
    for (at, op) in ops.iter().enumerate() {
        let before = lines.len();
        push_line(&mut lines, op);
        if lines.len() > bytes_max && before > 0 {
            let rest = lines.split_off(before);
            requests.push((std::mem::replace(&mut lines, rest), first..at));
            first = at;
        }
    }
    requests.push((lines, first..ops.len()));
    requests
}

/// Carries out writes.
///
/// # Errors
/// When a request as a whole failed; writes of the requests before it have been carried out.
pub(super) async fn bulk(
    store: &dyn Store,
    transport: &Transport,
    mut ops: Vec<BulkOp>,
) -> Result<Vec<Outcome>> {
    for op in &mut ops {
        // With an id of our own a document is not written twice when the request is repeated.
        op.id.get_or_insert_with(new_id);
    }
    let mut outcomes = Vec::with_capacity(ops.len());
    for (lines, range) in requests(&ops, REQUEST_BYTES_MAX) {
        let ask = Ask {
            method: Method::Post,
            path: "/_bulk",
            query: &[("filter_path", ANSWERED)],
            body: Some(Bytes::from(lines)),
            content_type: "application/x-ndjson",
            repeat: Repeat::Always,
        };
        let reply = transport.send(ask).await?;
        let ops = &ops[range];
        let mut answered = bulk_outcomes(&read(&reply)?, ops.len())?;
        if reply.repeated {
            for (op, outcome) in ops.iter().zip(&mut answered) {
                own_conflict(store, op, outcome).await?;
            }
        }
        outcomes.extend(answered);
    }
    Ok(outcomes)
}

/// A write that was repeated may meet what it wrote itself: then it has succeeded.
async fn own_conflict(store: &dyn Store, op: &BulkOp, outcome: &mut Outcome) -> Result<()> {
    let (Action::Index(json) | Action::Create(json)) = &op.action else { return Ok(()) };
    if !matches!(outcome.error, Some(Error::VersionConflict(_))) {
        return Ok(());
    }
    let wanted: Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(found) = store.get(&op.index, &outcome.id).await?
        && found.source == wanted
    {
        *outcome = Outcome { id: found.id, status: 201, version: Some(found.version), error: None };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    fn lines(op: &BulkOp) -> String {
        let mut lines = Vec::new();
        push_line(&mut lines, op);
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn writes_become_lines() {
        let plain = BulkOp::index("i", "1", "{}".to_owned());
        assert_eq!(lines(&plain), "{\"index\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{}\n");
        let expecting = plain.expecting(Version { seq_no: 4, primary_term: 2 });
        assert!(lines(&expecting).contains("\"if_seq_no\":4,\"if_primary_term\":2"));
        assert!(lines(&BulkOp::update("i", "1", "{}".to_owned())).ends_with("{\"doc\":{}}\n"));
        assert_eq!(lines(&BulkOp::delete("i", "1")).lines().count(), 1);
    }

    #[test]
    fn long_requests_are_cut_between_writes() {
        let ops: Vec<BulkOp> = (0..7).map(|n| BulkOp::index("i", n.to_string(), "{}".to_owned())).collect();
        let cut = requests(&ops, lines(&ops[0]).len() * 3);
        let ranges: Vec<_> = cut.iter().map(|(_, range)| range.clone()).collect();
        assert_eq!(ranges, [0..3, 3..6, 6..7]);
        let joined: Vec<u8> = cut.into_iter().flat_map(|(body, _)| body).collect();
        assert_eq!(joined, ops.iter().map(lines).collect::<String>().into_bytes());
        assert_eq!(requests(&ops[..2], 1).len(), 2);
    }

    #[test]
    fn new_ids_differ() {
        assert_ne!(new_id(), new_id());
    }
}
