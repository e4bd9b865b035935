//! The thread that writes an index: it takes all that waits and commits it in one transaction.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Map, Value};

use super::apply::{Applier, WriteOp, Written};
use super::file;
use super::handle::Shared;
use crate::error::{Error, Result};
use crate::mapping::{Cell, Mapping, merge};
use crate::query::FieldKind;

/// Once so many operations are gathered, the transaction is committed even if more wait.
const GROUP_OPS: usize = 20_000;
/// Fields with a column of their own; a table of SQLite has at most 2,000 columns in all.
const COLUMNS_MAX: usize = 1990;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Operations on documents, each with its own outcome.
    Write { ops: Vec<WriteOp>, reply: Sender<Result<Vec<Result<Written>>>> },
    /// Additions to the mapping.
    Merge { body: Map<String, Value>, limit: usize, reply: Sender<Result<Arc<Mapping>>> },
    /// An index on a column.
    EnsureIndex { column: u32, reply: Option<Sender<Result<()>>> },
    /// The catalog's entry, to be kept in the file.
    Identity { entry: String, reply: Sender<Result<()>> },
    /// The end.
    Stop,
}

/// An answer that is sent once the transaction has been committed.
enum Pending {
    Write(Sender<Result<Vec<Result<Written>>>>, Vec<Result<Written>>),
    Merge(Sender<Result<Arc<Mapping>>>, Result<Arc<Mapping>>),
    Index(Option<Sender<Result<()>>>),
}

/// Runs until told to stop.
pub(super) fn run(mut connection: Connection, shared: &Shared, commands: &Receiver<Command>) {
    while let Ok(first) = commands.recv() {
        let mut group = Vec::new();
        let mut ops = 0;
        let mut stop = false;
        let mut next = Some(first);
        while let Some(command) = next.take() {
            match &command {
                Command::Stop => {
                    stop = true;
                    break;
                }
                Command::Write { ops: own, .. } => ops += own.len(),
                Command::Merge { .. } | Command::EnsureIndex { .. } | Command::Identity { .. } => {}
            }
            group.push(command);
            if ops < GROUP_OPS {
                next = commands.try_recv().ok();
            }
        }
        commit(&mut connection, shared, group);
        if stop {
            return;
        }
    }
}

fn commit(connection: &mut Connection, shared: &Shared, group: Vec<Command>) {
    if group.is_empty() {
        return;
    }
    let mut pending = Vec::with_capacity(group.len());
    match transact(connection, shared, group, &mut pending) {
        Ok((mapping, count)) => {
            shared.publish(mapping, count);
            for answer in pending {
                // Whoever asked may have gone away.
                match answer {
                    Pending::Write(reply, results) => drop(reply.send(Ok(results))),
                    Pending::Merge(reply, result) => drop(reply.send(result)),
                    Pending::Index(Some(reply)) => drop(reply.send(Ok(()))),
                    Pending::Index(None) => {}
                }
            }
        }
        Err(error) => {
            let why = || format!("the write failed and was taken back: {}", describe(&error));
            let failed = || match &error {
                Error::Damaged(_) => Error::Unavailable { index: shared.name.clone(), why: why() },
                _ => Error::Corrupt(why()),
            };
            tracing::error!(index = shared.name, error = describe(&error), "write failed");
            for answer in pending {
                match answer {
                    Pending::Write(reply, _) => drop(reply.send(Err(failed()))),
                    Pending::Merge(reply, _) => drop(reply.send(Err(failed()))),
                    Pending::Index(Some(reply)) => drop(reply.send(Err(failed()))),
                    Pending::Index(None) => {}
                }
            }
        }
    }
}

/// The whole chain of causes, since the transaction's failure is told to many.
fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn transact(
    connection: &mut Connection,
    shared: &Shared,
    group: Vec<Command>,
    pending: &mut Vec<Pending>,
) -> Result<(Arc<Mapping>, i64)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let mut mapping = shared.mapping();
    let mut failure = None;
    let mut count = 0;
    match &transaction {
        Ok(transaction) => {
            count = file::number(transaction, "count").ok().flatten().unwrap_or(0);
            let mut next_seq = file::number(transaction, "next_seq").ok().flatten().unwrap_or(0);
            let before = (next_seq, count);
            for command in group {
                let done = handle(transaction, shared, command, &mut mapping, &mut next_seq, &mut count);
                match done {
                    (Some(answer), None) => pending.push(answer),
                    (answer, error) => {
                        pending.extend(answer);
                        failure = failure.or(error);
                    }
                }
            }
            if failure.is_none() && before != (next_seq, count) {
                let stored = file::set_number(transaction, "next_seq", next_seq)
                    .and_then(|()| file::set_number(transaction, "count", count));
                failure = stored.err();
            }
        }
        Err(_) => {
            for command in group {
                pending.extend(refused(command));
            }
        }
    }
    if let Some(error) = failure {
        return Err(error);
    }
    transaction?.commit()?;
    Ok((mapping, count))
}

/// The answer to a command that was not even tried.
fn refused(command: Command) -> Option<Pending> {
    match command {
        Command::Write { reply, .. } => Some(Pending::Write(reply, Vec::new())),
        Command::Merge { reply, .. } => Some(Pending::Merge(reply, Err(Error::Corrupt("not tried".into())))),
        Command::EnsureIndex { reply, .. } => Some(Pending::Index(reply)),
        Command::Identity { reply, .. } => Some(Pending::Index(Some(reply))),
        Command::Stop => None,
    }
}

/// Carries one command out. An error here is one of the machine, and takes the transaction back.
fn handle(
    connection: &Connection,
    shared: &Shared,
    command: Command,
    mapping: &mut Arc<Mapping>,
    next_seq: &mut i64,
    count: &mut i64,
) -> (Option<Pending>, Option<Error>) {
    match command {
        Command::Write { ops, reply } => match write(connection, shared, ops, mapping, next_seq, count) {
            Ok(results) => (Some(Pending::Write(reply, results)), None),
            Err(error) => (Some(Pending::Write(reply, Vec::new())), Some(error)),
        },
        Command::Merge { body, limit, reply } => match merged(connection, mapping, &body, limit) {
            Ok(new) => {
                *mapping = Arc::clone(&new);
                (Some(Pending::Merge(reply, Ok(new))), None)
            }
            Err(error) if error.is_of_machine() => {
                (Some(Pending::Merge(reply, Err(Error::Corrupt(error.to_string())))), Some(error))
            }
            Err(error) => (Some(Pending::Merge(reply, Err(error))), None),
        },
        Command::EnsureIndex { column, reply } => match ensure_index(connection, mapping, column) {
            Ok(()) => (Some(Pending::Index(reply)), None),
            Err(error) => (Some(Pending::Index(reply)), Some(error)),
        },
        Command::Identity { entry, reply } => match file::set_identity(connection, &entry) {
            Ok(()) => (Some(Pending::Index(Some(reply))), None),
            Err(error) => (Some(Pending::Index(Some(reply))), Some(error)),
        },
        Command::Stop => (None, None),
    }
}

fn write(
    connection: &Connection,
    shared: &Shared,
    ops: Vec<WriteOp>,
    mapping: &mut Arc<Mapping>,
    next_seq: &mut i64,
    count: &mut i64,
) -> Result<Vec<Result<Written>>> {
    note_lists(connection, &ops, mapping)?;
    let columns = mapping.layout.columns.len();
    let mut applier = Applier::new(connection, shared.salt, columns, *next_seq, *count)?;
    let mut results = Vec::with_capacity(ops.len());
    for op in ops {
        match applier.apply(op) {
            Err(error) if error.is_of_machine() => return Err(error),
            result => results.push(result),
        }
    }
    *next_seq = applier.next_seq;
    *count = applier.count;
    Ok(results)
}

/// Readers must know of columns with lists before the first list is there.
fn note_lists(connection: &Connection, ops: &[WriteOp], mapping: &mut Arc<Mapping>) -> Result<()> {
    let mut layout = None;
    for op in ops {
        let WriteOp::Index { cells, .. } = op else { continue };
        for (number, cell) in cells.iter().enumerate() {
            if matches!(cell, Cell::Many(_)) && !mapping.layout.columns[number].multi {
                layout.get_or_insert_with(|| mapping.layout.clone()).columns[number].multi = true;
            }
        }
    }
    if let Some(layout) = layout {
        let body = mapping.body.clone();
        let new = Mapping::compile(&mapping.index, body, layout, mapping.generation + 1, usize::MAX)?;
        file::store_mapping(connection, &mapping.layout, &new)?;
        *mapping = new;
    }
    Ok(())
}

fn merged(
    connection: &Connection,
    old: &Arc<Mapping>,
    body: &Map<String, Value>,
    limit: usize,
) -> Result<Arc<Mapping>> {
    let body = merge::merge(&old.body, body)?;
    if body == old.body && old.generation > 0 {
        return Ok(Arc::clone(old));
    }
    let mut layout = old.layout.clone();
    let mut new = Mapping::compile(&old.index, body, layout.clone(), old.generation + 1, limit)?;
    if new.layout.columns.len() > COLUMNS_MAX {
        return Err(Error::illegal(format!(
            "Limit of fields with values [{COLUMNS_MAX}] of an index of the embedded store has been exceeded while adding new fields \
             [{}]",
            new.layout.columns.len() - old.layout.columns.len()
        )));
    }
    file::store_mapping(connection, &old.layout, &new)?;
    // Datafeeds and most searches page by time: the first date field gets its index at once, others on demand.
    let is_date = |leaf: &&crate::mapping::Leaf| matches!(leaf.field.kind, FieldKind::Date { .. });
    let dated = old.leaves.iter().any(|leaf| is_date(&leaf) && leaf.column.is_some());
    if !dated {
        let first = new.leaves.iter().filter(is_date).find_map(|leaf| leaf.column);
        if let Some(column) = first {
            layout.clone_from(&new.layout);
            layout.columns[column as usize].indexed = true;
            file::create_column_index(connection, column)?;
            let body = new.body.clone();
            new = Mapping::compile(&old.index, body, layout, old.generation + 1, usize::MAX)?;
            file::store_mapping(connection, &new.layout, &new)?;
        }
    }
    Ok(new)
}

fn ensure_index(connection: &Connection, mapping: &mut Arc<Mapping>, column: u32) -> Result<()> {
    if mapping.layout.is_indexed(column) || mapping.layout.get(column).is_none() {
        return Ok(());
    }
    file::create_column_index(connection, column)?;
    // Without figures about the column SQLite would take any index on a keyword for a very good one.
    connection.execute_batch("PRAGMA analysis_limit = 2000; ANALYZE docs;")?;
    let mut layout = mapping.layout.clone();
    layout.columns[column as usize].indexed = true;
    let body = mapping.body.clone();
    let new = Mapping::compile(&mapping.index, body, layout, mapping.generation + 1, usize::MAX)?;
    file::store_mapping(connection, &mapping.layout, &new)?;
    *mapping = new;
    Ok(())
}
