//! What a database server says of itself: connections, checkpoints, replication, vacuum, locks, failures.

/// Which servers say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
    Any,
}

/// When it is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rhythm {
    /// So many times an hour on each server, all day.
    Steady(f64),
    /// So many times an average hour on each server, more by day than by night.
    Busy(f64),
    /// Every so many minutes.
    Every(i64),
}

/// A message with places for values, such as `{n}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) role: Role,
    pub(super) rhythm: Rhythm,
    pub(super) level: &'static str,
    pub(super) text: &'static str,
}

use Rhythm::{Busy, Every, Steady};
use Role::{Any, Primary, Replica};

const fn log(role: Role, rhythm: Rhythm, text: &'static str) -> Template {
    Template { role, rhythm, level: "LOG", text }
}

const fn of(level: &'static str, role: Role, rhythm: Rhythm, text: &'static str) -> Template {
    Template { role, rhythm, level, text }
}

/// The lines that a checkpoint leaves; they have a rhythm of their own and vanish when none is made.
pub(super) const CHECKPOINTS: [Template; 2] = [
    log(Primary, Every(5), "checkpoint starting: time"),
    log(
        Primary,
        Every(5),
        "checkpoint complete: wrote {n} buffers ({pct}%); {small} WAL file(s) added, 0 removed, {small} recycled; write={s} s, sync={s} s, total={s} s; sync files={small}, longest={s} s, average={s} s; distance={n} kB, estimate={n} kB",
    ),
];

pub(super) const LOGIN_FAILURE: Template =
    of("FATAL", Primary, Steady(4.0), "password authentication failed for user \"{user}\" from host {ip}");
pub(super) const DEADLOCK: Template = of(
    "ERROR",
    Primary,
    Steady(2.0),
    "deadlock detected: Process {pid} waits for ShareLock on transaction {xid}; blocked by process {pid}.",
);

/// Said only in the planted events.
pub(super) const TOO_MANY_CLIENTS: Template = of(
    "FATAL",
    Primary,
    Steady(0.0),
    "sorry, too many clients already: backend {pid} for client {ip} refused",
);
pub(super) const CORRUPTION: Template = of(
    "ERROR",
    Primary,
    Steady(0.0),
    "invalid page in block {n} of relation base/{n}/{n}: checksum verification failed, calculated {n} but expected {n}",
);

/// All other messages, without those of statements.
pub(super) const SERVER: &[Template] = &[
    log(Any, Busy(18.0), "connection received: host={ip} port={port}"),
    log(
        Any,
        Busy(18.0),
        "connection authorized: user=app database=shop application_name=backend SSL enabled",
    ),
    log(
        Any,
        Busy(18.0),
        "disconnection: session time: 0:{small}:{s} user=app database=shop host={ip} port={port}",
    ),
    log(Any, Busy(4.0), "could not receive data from client {ip}: Connection reset by peer"),
    log(Any, Busy(3.0), "unexpected EOF on client connection {pid} with an open transaction"),
    log(
        Any,
        Steady(4.0),
        "SSL connection negotiated with protocol TLSv1.3 cipher TLS_AES_256_GCM_SHA384 after {ms} ms",
    ),
    log(Any, Steady(3.0), "incomplete startup packet received by postmaster child {pid}"),
    log(Any, Steady(3.0), "terminating idle session {pid} because of idle session timeout"),
    of("FATAL", Any, Steady(3.0), "terminating connection {pid} because of administrator command"),
    of("WARNING", Any, Steady(3.0), "there is already a transaction in progress in backend {pid}"),
    of("WARNING", Any, Steady(3.0), "there is no transaction in progress to commit in backend {pid}"),
    log(Replica, Every(5), "restartpoint starting: time"),
    log(
        Replica,
        Every(5),
        "restartpoint complete: wrote {n} buffers ({pct}%); {small} WAL file(s) added, 0 removed, {small} recycled; write={s} s, sync={s} s, total={s} s",
    ),
    log(Replica, Every(10), "recovery restart point at {lsn}"),
    log(Replica, Busy(6.0), "restored log file \"{wal}\" from archive"),
    log(Replica, Steady(4.0), "consistent recovery state verified at {lsn}"),
    log(Replica, Steady(4.0), "started streaming WAL from primary at {lsn} on timeline {small}"),
    log(Replica, Steady(4.0), "replication lag of {n} bytes behind the primary, replay position {lsn}"),
    log(Replica, Steady(3.0), "recovery still waiting after {ms} ms: recovery conflict on buffer pin"),
    log(Replica, Steady(3.0), "recovery finished waiting after {ms} ms: recovery conflict on snapshot"),
    of("ERROR", Replica, Steady(3.0), "canceling statement due to conflict with recovery in backend {pid}"),
    of("ERROR", Replica, Steady(3.0), "cannot execute UPDATE in a read-only transaction of backend {pid}"),
    log(Primary, Steady(6.0), "standby \"replica_a\" reports apply position {lsn}"),
    log(Primary, Steady(6.0), "standby \"replica_b\" confirmed flush up to {lsn}"),
    log(Primary, Busy(8.0), "archived write-ahead log file \"{wal}\""),
    log(Primary, Steady(5.0), "received replication command: IDENTIFY_SYSTEM by walsender {pid}"),
    log(Primary, Steady(5.0), "received replication command: START_REPLICATION {lsn} TIMELINE {small}"),
    log(Primary, Steady(5.0), "logical decoding found consistent point at {lsn}"),
    log(
        Primary,
        Steady(5.0),
        "starting logical decoding for slot \"search_feed\" streaming transactions committing after {lsn}",
    ),
    log(Primary, Steady(4.0), "oldest replication slot retains {n} kB of write-ahead log"),
    log(Primary, Steady(4.0), "base backup progress: {n} kB of {n} kB transferred, {pct}%"),
    log(Primary, Steady(4.0), "segment {wal} removed by log cleaner after {ms} ms"),
    log(
        Primary,
        Busy(8.0),
        "automatic vacuum of table \"shop.public.orders\": index scans: {small} pages: {n} removed, {n} remain tuples: {n} removed, {n} remain",
    ),
    log(
        Primary,
        Busy(6.0),
        "automatic vacuum of table \"shop.public.sessions\": index scans: {small} pages: {n} removed, {n} remain tuples: {n} removed, {n} remain elapsed: {s} s",
    ),
    log(
        Primary,
        Busy(6.0),
        "automatic analyze of table \"shop.public.orders\" system usage: CPU: user: {s} s, elapsed: {s} s",
    ),
    log(
        Primary,
        Busy(5.0),
        "automatic analyze of table \"shop.public.carts\" avg read rate: {s} MB/s, buffer usage: {n} hits",
    ),
    log(Primary, Steady(4.0), "autovacuum worker {pid} started on database with oid {n}"),
    log(Primary, Steady(4.0), "autovacuum launcher woke up, {small} workers running"),
    log(Primary, Steady(3.0), "vacuum cost balance redistributed among {small} workers, limit {n}"),
    of("WARNING", Primary, Steady(3.0), "oldest xmin {xid} is far in the past, close open transactions soon"),
    log(Primary, Steady(3.0), "aggressive freeze of table \"audit_trail\" advanced relfrozenxid to {xid}"),
    log(Primary, Busy(7.0), "process {pid} still waiting for ShareLock on transaction {xid} after {ms} ms"),
    log(Primary, Busy(7.0), "process {pid} acquired ShareLock on transaction {xid} after {ms} ms"),
    log(
        Primary,
        Busy(4.0),
        "process {pid} still waiting for ExclusiveLock on tuple ({n},{small}) of relation {n} after {ms} ms",
    ),
    log(
        Primary,
        Busy(4.0),
        "process {pid} acquired AccessExclusiveLock on relation {n} of database {n} after {ms} ms",
    ),
    of("ERROR", Primary, Busy(4.0), "canceling statement due to lock timeout in backend {pid}"),
    of("ERROR", Any, Busy(4.0), "canceling statement due to statement timeout in backend {pid}"),
    of("ERROR", Any, Busy(3.0), "canceling statement due to user request in backend {pid}"),
    of(
        "ERROR",
        Primary,
        Busy(3.0),
        "could not serialize access due to concurrent update of row version {xid}",
    ),
    of(
        "ERROR",
        Primary,
        Busy(4.0),
        "duplicate key value violates unique constraint \"customers_email_key\" for row {n}",
    ),
    of(
        "ERROR",
        Primary,
        Busy(4.0),
        "insert or update on table \"payments\" violates foreign key constraint for row {n}",
    ),
    of(
        "ERROR",
        Primary,
        Busy(3.0),
        "null value in column \"shipping_address\" of relation violates not-null constraint near row {n}",
    ),
    of(
        "ERROR",
        Primary,
        Busy(3.0),
        "new row for relation \"stock\" violates check constraint \"stock_not_negative\" with quantity {n}",
    ),
    of("ERROR", Any, Steady(3.0), "syntax error at or near \"FORM\" at character {n}"),
    of("ERROR", Any, Steady(3.0), "column \"discount_code\" does not exist at character {n}"),
    of("ERROR", Any, Steady(3.0), "invalid input syntax for type integer at parameter {small}"),
    of("ERROR", Any, Steady(3.0), "value too long for type character varying({small})"),
    of("ERROR", Any, Steady(3.0), "division by zero while evaluating expression {n}"),
    of("ERROR", Any, Steady(3.0), "permission denied for schema accounting requested by backend {pid}"),
    of(
        "FATAL",
        Any,
        Steady(3.0),
        "no pg_hba.conf entry for host \"{ip}\", database \"postgres\", no encryption",
    ),
    log(Any, Busy(5.0), "temporary file: path \"base/pgsql_tmp/pgsql_tmp{pid}.{small}\", size {n}"),
    log(Any, Steady(4.0), "background writer cleaned {n} buffers in {ms} ms"),
    log(Any, Steady(3.0), "statistics collector wrote snapshot of {n} relations"),
    log(Any, Steady(3.0), "parallel worker {pid} exited normally after {ms} ms"),
    log(Any, Steady(3.0), "hash table for join spilled to disk, {small} batches, memory usage {n} kB"),
    log(Any, Every(15), "memory context dump: TopMemoryContext {n} total in {small} blocks; {n} free"),
    log(Any, Every(30), "reloaded certificate revocation list, {n} entries valid"),
];
