//! Outliers in a population: three days of a web server's access log with some 2,000 clients, four attackers in the
//! second half, and a gateway with many users behind one address, which is busy but harmless.

use serde::Serialize;
use serde_json::json;

use super::access_site::{self, Action, BROWSERS, CLIENTS, Client};
use super::random::Random;
use super::season::{HOUR_MS, MINUTE_MS, SECOND_MS, daily, utc, within};
use super::{ChartSpec, KnownEvent, Scenario};

const INDEX: &str = "demo-access-log";
const SEED: u64 = 0xacce_0001;
const START: i64 = utc(2025, 6, 3, 0, 0);
const END: i64 = utc(2025, 6, 6, 0, 0);
const SLOT_MS: i64 = 15 * MINUTE_MS;

/// Visits of a typical client in an average hour.
const VISITS_PER_HOUR: f64 = 0.19;
/// Requests of a visit after the first one.
const FURTHER_REQUESTS: f64 = 6.0;
const USERS_BEHIND_GATEWAY: usize = 50;

const DAY: [f64; 24] = [
    0.40, 0.28, 0.22, 0.20, 0.22, 0.35, 0.60, 0.90, 1.15, 1.30, 1.35, 1.35, 1.30, 1.35, 1.35, 1.30, 1.30,
    1.35, 1.45, 1.55, 1.60, 1.45, 1.05, 0.65,
];

const CRAWLER: &str = "198.51.100.240";
const CRAWL: (i64, i64) = (utc(2025, 6, 4, 18, 0), utc(2025, 6, 4, 20, 0));
/// Thirty times the requests of an ordinary client that is there.
const CRAWL_REQUESTS: f64 = 180.0;

const STUFFER: &str = "203.0.113.241";
const STUFFING: (i64, i64) = (utc(2025, 6, 5, 2, 0), utc(2025, 6, 5, 3, 30));
const STUFFING_REQUESTS: f64 = 80.0;

const SCANNER: &str = "192.0.2.242";
const SCAN: (i64, i64) = (utc(2025, 6, 5, 9, 30), utc(2025, 6, 5, 10, 30));
const SCAN_REQUESTS: f64 = 150.0;

/// An ordinary client until then: number 1234.
const THIEF_NUMBER: usize = 1_234;
const THIEF: &str = "10.18.4.210";
const THEFT: (i64, i64) = (utc(2025, 6, 5, 12, 0), utc(2025, 6, 5, 19, 0));
/// Few requests, each large.
const THEFT_REQUESTS: f64 = 5.0;
const THEFT_BYTES: f64 = 4_000_000.0;

const GATEWAY: &str = "10.200.0.1";

const LEARNING_UNTIL: i64 = utc(2025, 6, 4, 12, 0);

pub(super) fn scenario() -> Scenario {
    Scenario {
        name: "access-log",
        title: "Web server log: outliers in a population",
        index: INDEX,
        mapping: json!({"properties": {
            "@timestamp": {"type": "date"}, "clientip": {"type": "keyword"}, "method": {"type": "keyword"},
            "uri": {"type": "keyword"}, "status": {"type": "keyword"}, "bytes": {"type": "long"},
            "agent": {"type": "keyword"}, "country": {"type": "keyword"}
        }}),
        job_id: "demo-access-log",
        job: json!({
            "description": "Clients that are not like the others",
            "groups": ["demos"],
            "analysis_config": {
                "bucket_span": "15m",
                "detectors": [
                    {"function": "high_count", "over_field_name": "clientip",
                     "detector_description": "Many requests"},
                    {"function": "high_distinct_count", "field_name": "uri", "over_field_name": "clientip",
                     "detector_description": "Many different URIs"},
                    {"function": "high_sum", "field_name": "bytes", "over_field_name": "clientip",
                     "detector_description": "Many bytes"},
                    {"function": "high_count", "by_field_name": "status", "over_field_name": "clientip",
                     "detector_description": "Many answers of one status"}
                ],
                "influencers": ["clientip", "status"]
            },
            "data_description": {"time_field": "@timestamp", "time_format": "epoch_ms"}
        }),
        datafeed: json!({"indices": [INDEX], "query": {"match_all": {}}, "scroll_size": 5000}),
        start_ms: START,
        end_ms: END,
        learning_until_ms: LEARNING_UNTIL,
        events: vec![
            attack("Crawler", CRAWL, CRAWLER, &[0]),
            attack("Credential stuffing", STUFFING, STUFFER, &[3]),
            attack("Vulnerability scanner", SCAN, SCANNER, &[1]),
            attack("Slow exfiltration", THEFT, THIEF, &[2]),
            KnownEvent {
                must_not: true,
                ..attack("Gateway of many users", (LEARNING_UNTIL, END), GATEWAY, &[])
            },
        ],
        tolerated: Vec::new(),
        floor: 4,
        chart: ChartSpec {
            title: "requests in a quarter of an hour",
            aggregation: json!(null),
            query: json!(null),
            time_field: "@timestamp",
            interval: "15m",
        },
        documents,
    }
}

fn attack(
    name: &'static str,
    (start_ms, end_ms): (i64, i64),
    client: &'static str,
    detectors: &'static [usize],
) -> KnownEvent {
    KnownEvent { name, start_ms, end_ms, entity: Some(client), detectors, must_not: false }
}

/// A line of the log.
#[derive(Debug)]
struct Request {
    time: i64,
    /// Index into the clients.
    client: usize,
    agent: &'static str,
    action: Action,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    clientip: &'a str,
    method: &'static str,
    uri: &'a str,
    status: &'static str,
    bytes: u64,
    agent: &'static str,
    country: &'static str,
}

fn documents() -> Box<dyn Iterator<Item = String>> {
    let (clients, requests) = log();
    Box::new(requests.into_iter().map(move |request| {
        let client = &clients[request.client];
        serde_json::to_string(&Document {
            timestamp: types::TimestampMs(request.time).to_iso(),
            clientip: &client.address,
            method: request.action.method,
            uri: &request.action.uri,
            status: request.action.status,
            bytes: request.action.bytes,
            agent: request.agent,
            country: client.country,
        })
        .expect("a request has only strings and whole numbers")
    }))
}

/// The clients, and their requests in the order of time.
fn log() -> (Vec<Client>, Vec<Request>) {
    let mut random = Random::seeded(SEED);
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|number| access_site::client(&mut random, number)).collect();
    let mut requests = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        visits(&mut random, number, client.agent, client.activity, &mut requests);
    }
    let gateway = named(&mut clients, GATEWAY, BROWSERS[0], "DE");
    for _ in 0..USERS_BEHIND_GATEWAY {
        let agent = *random.choice(&BROWSERS);
        visits(&mut random, gateway, agent, 1.0, &mut requests);
    }
    let mut attacks = Random::seeded(SEED + 1);
    let crawler = named(&mut clients, CRAWLER, "ExampleBot/2.1 (+http://bot.example/about)", "US");
    attack_requests(&mut attacks, &clients, crawler, CRAWL, CRAWL_REQUESTS, crawl, &mut requests);
    let stuffer = named(&mut clients, STUFFER, "python-requests/2.32.3", "NL");
    attack_requests(&mut attacks, &clients, stuffer, STUFFING, STUFFING_REQUESTS, stuff, &mut requests);
    let scanner = named(&mut clients, SCANNER, "Mozilla/5.0 zgrab/0.x", "PL");
    attack_requests(&mut attacks, &clients, scanner, SCAN, SCAN_REQUESTS, scan, &mut requests);
    attack_requests(&mut attacks, &clients, THIEF_NUMBER, THEFT, THEFT_REQUESTS, steal, &mut requests);
    requests.sort_by_key(|request| request.time);
    (clients, requests)
}

/// Adds a client that is not one of the ordinary ones.
fn named(clients: &mut Vec<Client>, address: &str, agent: &'static str, country: &'static str) -> usize {
    clients.push(Client { address: address.to_owned(), agent, country, activity: 0.0 });
    clients.len() - 1
}

/// All visits of one person.
fn visits(
    random: &mut Random,
    client: usize,
    agent: &'static str,
    activity: f64,
    requests: &mut Vec<Request>,
) {
    let hours_per_slot = SLOT_MS as f64 / HOUR_MS as f64;
    for slot in 0..(END - START) / SLOT_MS {
        let slot_start = START + slot * SLOT_MS;
        let mean = VISITS_PER_HOUR * activity * daily(&DAY, slot_start) * hours_per_slot;
        for _ in 0..random.poisson(mean) {
            let mut time = slot_start + random.between(0, SLOT_MS);
            for _ in 0..=random.poisson(FURTHER_REQUESTS) {
                let action = access_site::ordinary(random);
                if within(time, (START, END)) {
                    requests.push(Request { time, client, agent, action });
                }
                time += random.between(SECOND_MS, 45 * SECOND_MS);
            }
        }
    }
}

/// What an attacker does in its time, `per_slot` requests in each quarter of an hour.
fn attack_requests(
    random: &mut Random,
    clients: &[Client],
    client: usize,
    (from, to): (i64, i64),
    per_slot: f64,
    action: fn(&mut Random) -> Action,
    requests: &mut Vec<Request>,
) {
    let agent = clients[client].agent;
    for slot in 0..(to - from) / SLOT_MS {
        for _ in 0..random.poisson(per_slot) {
            let time = from + slot * SLOT_MS + random.between(0, SLOT_MS);
            requests.push(Request { time, client, agent, action: action(random) });
        }
    }
}

fn crawl(random: &mut Random) -> Action {
    let uri = access_site::product(random);
    let bytes = access_site::size(random, 11_000.0, 0.4);
    Action { method: "GET", uri, status: "200", bytes }
}

fn stuff(random: &mut Random) -> Action {
    let status = if random.chance(0.2) { "403" } else { "401" };
    let bytes = access_site::size(random, 900.0, 0.1);
    Action { method: "POST", uri: "/login".to_owned(), status, bytes }
}

fn scan(random: &mut Random) -> Action {
    const KNOWN: [&str; 12] = [
        "/wp-content/plugins/wp-file-manager/lib/php/connector.minimal.php",
        "/wp-login.php",
        "/xmlrpc.php",
        "/.env",
        "/.git/config",
        "/phpmyadmin/index.php",
        "/server-status",
        "/actuator/env",
        "/cgi-bin/luci",
        "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
        "/solr/admin/info/system",
        "/boaform/admin/formLogin",
    ];
    const FOLDERS: [&str; 10] =
        ["admin", "backup", "old", "test", "api", "tmp", "db", "conf", "upload", "shop"];
    const FILES: [&str; 10] =
        ["index", "config", "dump", "shell", "setup", "login", "users", "export", "info", "install"];
    const ENDINGS: [&str; 8] = ["php", "bak", "zip", "sql", "asp", "jsp", "tar.gz", "txt"];
    let uri = if random.chance(0.15) {
        (*random.choice(&KNOWN)).to_owned()
    } else {
        format!("/{}/{}.{}", random.choice(&FOLDERS), random.choice(&FILES), random.choice(&ENDINGS))
    };
    Action { method: "GET", uri, status: "404", bytes: 512 }
}

fn steal(random: &mut Random) -> Action {
    let uri = format!("/export/orders-{}.csv", random.between(100, 1_000));
    let bytes = access_site::size(random, THEFT_BYTES, 0.3);
    Action { method: "GET", uri, status: "200", bytes }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn of<'a>(log: &'a (Vec<Client>, Vec<Request>), address: &str, time: (i64, i64)) -> Vec<&'a Request> {
        log.1
            .iter()
            .filter(|request| log.0[request.client].address == address && within(request.time, time))
            .collect()
    }

    #[test]
    fn addresses_are_all_different() {
        let (clients, _) = log();
        let addresses: BTreeSet<&str> = clients.iter().map(|client| client.address.as_str()).collect();
        assert_eq!(addresses.len(), clients.len());
        assert_eq!(clients[THIEF_NUMBER].address, THIEF);
    }

    #[test]
    fn ordinary_clients_are_many_and_alike() {
        let log = log();
        assert!((210_000..250_000).contains(&log.1.len()), "{}", log.1.len());
        let slot = |request: &Request| (request.time - START) / SLOT_MS;
        let mut counts: BTreeMap<(i64, usize), (u32, u64)> = BTreeMap::new();
        for request in
            log.1.iter().filter(|request| request.client < CLIENTS && request.client != THIEF_NUMBER)
        {
            let entry = counts.entry((slot(request), request.client)).or_default();
            *entry = (entry.0 + 1, entry.1 + request.action.bytes);
        }
        let mean = counts.values().map(|entry| f64::from(entry.0)).sum::<f64>() / counts.len() as f64;
        assert!((4.0..7.0).contains(&mean), "{mean}");
        assert!(counts.values().all(|entry| entry.0 < 50 && entry.1 < 3_000_000));
        let mut by_hour = [0u32; 24];
        for request in &log.1 {
            by_hour[((request.time - START) / HOUR_MS % 24) as usize] += 1;
        }
        assert!(by_hour[20] > 5 * by_hour[3], "{by_hour:?}");
    }

    #[test]
    fn the_crawler_asks_thirty_times_as_much() {
        let log = log();
        let slots = (CRAWL.1 - CRAWL.0) / SLOT_MS;
        let per_slot = of(&log, CRAWLER, CRAWL).len() as i64 / slots;
        assert!((150..210).contains(&per_slot), "{per_slot}");
        assert_eq!(of(&log, CRAWLER, (START, END)).len(), of(&log, CRAWLER, CRAWL).len());
    }

    #[test]
    fn stuffing_is_refused_at_the_login() {
        let log = log();
        let tries = of(&log, STUFFER, STUFFING);
        assert!(tries.len() > 400, "{}", tries.len());
        let refused = |request: &&Request| ["401", "403"].contains(&request.action.status);
        assert!(tries.iter().all(|request| refused(request) && request.action.uri == "/login"));
    }

    #[test]
    fn the_scanner_asks_for_many_pages_that_are_not_there() {
        let log = log();
        let found = of(&log, SCANNER, SCAN);
        let uris: BTreeSet<&str> = found.iter().map(|request| request.action.uri.as_str()).collect();
        assert!(uris.len() > 300, "{}", uris.len());
        assert!(found.iter().all(|request| request.action.status == "404"));
    }

    #[test]
    fn the_thief_takes_many_bytes_with_few_requests() {
        let log = log();
        let slots = ((THEFT.1 - THEFT.0) / SLOT_MS) as u64;
        let taken = of(&log, THIEF, THEFT);
        let bytes: u64 = taken.iter().map(|request| request.action.bytes).sum();
        assert!((3..9).contains(&(taken.len() as u64 / slots)), "{}", taken.len());
        assert!(bytes / slots > 10_000_000, "{bytes}");
        assert!(!of(&log, THIEF, (START, THEFT.0)).is_empty());
    }

    #[test]
    fn the_gateway_is_busy_from_the_start() {
        let log = log();
        for day in 0..3 {
            let from = START + day * 24 * HOUR_MS;
            let count = of(&log, GATEWAY, (from, from + 24 * HOUR_MS)).len();
            assert!((1_000..3_000).contains(&count), "{day}: {count}");
        }
    }
}
