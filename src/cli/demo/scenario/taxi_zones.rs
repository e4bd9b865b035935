//! Several metrics in eight zones: four weeks of single taxi trips, with the fields that the city of New York
//! publishes, and four faults in the last week.
//!
//! Volumes follow the shape of the real city: working days peak in the evening, weekends at night, airports in the
//! afternoon. About one trip in sixty of a real month is kept.

use serde::Serialize;
use serde_json::json;

use super::random::Random;
use super::season::{HOUR_MS, MINUTE_MS, SECOND_MS, daily, utc, weekday, within};
use super::{ChartSpec, KnownEvent, Scenario};

const INDEX: &str = "demo-taxi-zones";
const SEED: u64 = 0x7a0e_0001;
const START: i64 = utc(2025, 3, 3, 0, 0);
const END: i64 = utc(2025, 3, 31, 0, 0);
const SLOT_MS: i64 = 5 * MINUTE_MS;

/// Trips in an average hour, all zones together.
const TRIPS_PER_HOUR: f64 = 212.0;

const JFK: &str = "JFK Airport";
const LAGUARDIA: &str = "LaGuardia Airport";
const UPPER_EAST: &str = "Upper East Side";

/// No taxi leaves the airport.
const STRIKE: (i64, i64) = (utc(2025, 3, 25, 14, 0), utc(2025, 3, 25, 20, 0));
/// Fares of one zone are higher by [`SURGE`].
const SURGE_TIME: (i64, i64) = (utc(2025, 3, 26, 17, 0), utc(2025, 3, 26, 21, 0));
const SURGE: f64 = 1.6;
/// Trips of one vendor are missing.
const OUTAGE: (i64, i64) = (utc(2025, 3, 27, 11, 0), utc(2025, 3, 27, 16, 0));
/// Tips of one zone are all 0.
const NO_TIPS: (i64, i64) = (utc(2025, 3, 28, 12, 0), utc(2025, 3, 28, 17, 0));

const VENDORS: [&str; 2] = ["Creative Mobile Technologies", "VeriFone"];
const VENDOR_SHARES: [f64; 2] = [0.55, 0.45];
const VENDOR_OUT: &str = VENDORS[1];
const PAYMENTS: [&str; 3] = ["Credit card", "Cash", "No charge"];
const PAYMENT_SHARES: [f64; 3] = [0.71, 0.28, 0.01];
/// Shares of trips with one, two … six passengers.
const PASSENGER_SHARES: [f64; 6] = [0.71, 0.15, 0.05, 0.03, 0.04, 0.02];

const WORKING_DAY: [f64; 24] = [
    0.55, 0.35, 0.22, 0.16, 0.16, 0.25, 0.60, 1.05, 1.35, 1.30, 1.20, 1.20, 1.25, 1.25, 1.30, 1.30, 1.15,
    1.35, 1.65, 1.70, 1.50, 1.40, 1.25, 0.90,
];
const WEEKEND: [f64; 24] = [
    1.30, 1.15, 0.95, 0.70, 0.45, 0.20, 0.25, 0.40, 0.65, 0.90, 1.10, 1.20, 1.30, 1.30, 1.30, 1.30, 1.30,
    1.35, 1.40, 1.40, 1.25, 1.20, 1.25, 1.30,
];
const AIRPORT: [f64; 24] = [
    0.55, 0.30, 0.12, 0.08, 0.12, 0.30, 0.60, 0.85, 0.90, 0.95, 1.00, 1.05, 1.15, 1.30, 1.50, 1.60, 1.60,
    1.55, 1.45, 1.40, 1.40, 1.40, 1.30, 0.95,
];

struct Zone {
    name: &'static str,
    /// Share of the city's trips.
    share: f64,
    airport: bool,
    /// Median length of a trip.
    miles: f64,
    /// Median tolls of a trip, in dollars.
    tolls: f64,
}

const ZONES: [Zone; 8] = [
    Zone { name: "Midtown", share: 0.28, airport: false, miles: 1.7, tolls: 0.0 },
    Zone { name: UPPER_EAST, share: 0.18, airport: false, miles: 1.6, tolls: 0.0 },
    Zone { name: "Times Square", share: 0.12, airport: false, miles: 1.9, tolls: 0.0 },
    Zone { name: JFK, share: 0.12, airport: true, miles: 16.0, tolls: 5.76 },
    Zone { name: LAGUARDIA, share: 0.10, airport: true, miles: 9.0, tolls: 5.76 },
    Zone { name: "Penn Station", share: 0.09, airport: false, miles: 1.8, tolls: 0.0 },
    Zone { name: "Williamsburg", share: 0.06, airport: false, miles: 2.8, tolls: 0.0 },
    Zone { name: "Harlem", share: 0.05, airport: false, miles: 2.4, tolls: 0.0 },
];

pub(super) fn scenario() -> Scenario {
    Scenario {
        name: "taxi-zones",
        title: "New York taxis by zone: several metrics",
        index: INDEX,
        mapping: mapping(),
        job_id: "demo-taxi-zones",
        job: json!({
            "description": "Trips, amounts, tips and passengers of each zone",
            "groups": ["demos"],
            "analysis_config": {
                "bucket_span": "1h",
                "detectors": [
                    {"function": "count", "partition_field_name": "zone", "detector_description": "Trips by zone"},
                    {"function": "mean", "field_name": "total_amount", "partition_field_name": "zone",
                     "detector_description": "Amount by zone"},
                    {"function": "mean", "field_name": "tip_amount", "partition_field_name": "zone",
                     "detector_description": "Tip by zone"},
                    {"function": "sum", "field_name": "passenger_count", "partition_field_name": "zone",
                     "detector_description": "Passengers by zone"}
                ],
                "influencers": ["zone", "payment_type", "vendor"]
            },
            "data_description": {"time_field": "tpep_pickup_datetime", "time_format": "epoch_ms"},
            "model_plot_config": {"enabled": true}
        }),
        datafeed: json!({"indices": [INDEX], "query": {"match_all": {}}, "scroll_size": 5000}),
        start_ms: START,
        end_ms: END,
        learning_until_ms: utc(2025, 3, 17, 0, 0),
        events: vec![
            event("No taxis at JFK", STRIKE, Some(JFK), &[0, 3]),
            event("Fare surge on the Upper East Side", SURGE_TIME, Some(UPPER_EAST), &[1]),
            event("Outage of a vendor", OUTAGE, None, &[0, 3]),
            event("Tips stuck at 0 at LaGuardia", NO_TIPS, Some(LAGUARDIA), &[2]),
        ],
        tolerated: Vec::new(),
        floor: 3,
        chart: ChartSpec {
            title: "trips from JFK Airport in an hour",
            aggregation: json!(null),
            query: json!({"term": {"zone": JFK}}),
            time_field: "tpep_pickup_datetime",
            interval: "1h",
        },
        documents,
    }
}

fn mapping() -> serde_json::Value {
    let mut properties = serde_json::Map::new();
    let types = [
        ("date", &["tpep_pickup_datetime", "tpep_dropoff_datetime"][..]),
        ("keyword", &["vendor", "zone", "dropoff_zone", "rate_code", "payment_type"]),
        ("integer", &["passenger_count"]),
        (
            "double",
            &[
                "trip_distance",
                "fare_amount",
                "extra",
                "mta_tax",
                "tip_amount",
                "tolls_amount",
                "improvement_surcharge",
                "total_amount",
            ],
        ),
    ];
    for (kind, names) in types {
        properties.extend(names.iter().map(|name| ((*name).to_owned(), json!({"type": kind}))));
    }
    json!({"properties": properties})
}

fn event(
    name: &'static str,
    (start_ms, end_ms): (i64, i64),
    entity: Option<&'static str>,
    detectors: &'static [usize],
) -> KnownEvent {
    KnownEvent { name, start_ms, end_ms, entity, detectors, must_not: false }
}

/// A trip with the names that the city's data dictionary uses; codes are given as words.
#[derive(Debug, Serialize)]
struct Trip {
    tpep_pickup_datetime: i64,
    tpep_dropoff_datetime: i64,
    vendor: &'static str,
    zone: &'static str,
    dropoff_zone: &'static str,
    rate_code: &'static str,
    payment_type: &'static str,
    passenger_count: usize,
    trip_distance: f64,
    fare_amount: f64,
    extra: f64,
    mta_tax: f64,
    tip_amount: f64,
    tolls_amount: f64,
    improvement_surcharge: f64,
    total_amount: f64,
}

fn documents() -> Box<dyn Iterator<Item = String>> {
    let to_json = |trip| serde_json::to_string(&trip).expect("a trip has only strings and finite numbers");
    Box::new(trips().map(to_json))
}

fn trips() -> impl Iterator<Item = Trip> {
    let mut random = Random::seeded(SEED);
    (0..(END - START) / SLOT_MS).flat_map(move |slot| slot_trips(&mut random, START + slot * SLOT_MS))
}

/// The trips that start in five minutes.
fn slot_trips(random: &mut Random, slot_start: i64) -> Vec<Trip> {
    let mut trips = Vec::new();
    for zone in &ZONES {
        let hours_per_slot = SLOT_MS as f64 / HOUR_MS as f64;
        let mean = TRIPS_PER_HOUR * zone.share * activity(zone, slot_start) * hours_per_slot;
        for _ in 0..random.poisson(mean) {
            let time = slot_start + random.between(0, SLOT_MS / SECOND_MS) * SECOND_MS;
            let trip = trip(random, zone, time);
            // What does not happen is drawn all the same: the rest of the data stays as it would have been.
            let strike = zone.name == JFK && within(slot_start, STRIKE);
            let outage = trip.vendor == VENDOR_OUT && within(slot_start, OUTAGE);
            if !strike && !outage {
                trips.push(trip);
            }
        }
    }
    trips.sort_by_key(|trip| trip.tpep_pickup_datetime);
    trips
}

fn activity(zone: &Zone, time: i64) -> f64 {
    let weekend = weekday(time) >= 5;
    if zone.airport {
        // Sunday evening brings the travellers of the weekend home.
        let day = if weekday(time) == 6 { 1.1 } else { 1.0 };
        return daily(&AIRPORT, time) * day;
    }
    daily(if weekend { &WEEKEND } else { &WORKING_DAY }, time)
}

fn trip(random: &mut Random, zone: &Zone, time: i64) -> Trip {
    let vendor = VENDORS[random.weighted(&VENDOR_SHARES)];
    let payment_type = PAYMENTS[random.weighted(&PAYMENT_SHARES)];
    let passenger_count = 1 + random.weighted(&PASSENGER_SHARES);
    let shares = ZONES.each_ref().map(|zone| zone.share);
    let dropoff_zone = ZONES[random.weighted(&shares)].name;
    let trip_distance = cents(random.log_normal(zone.miles, 0.35));
    let minutes = trip_distance * 4.5 * random.log_normal(1.0, 0.2) + 2.0;
    let flat = zone.name == JFK && random.chance(0.6);
    let mut fare = if flat { 70.0 } else { 3.0 + 2.2 * trip_distance + 0.35 * minutes };
    if zone.name == UPPER_EAST && within(time, SURGE_TIME) {
        fare *= SURGE;
    }
    let fare_amount = cents(fare);
    let evening = (16..20).contains(&(time.rem_euclid(24 * HOUR_MS) / HOUR_MS)) && weekday(time) < 5;
    let extra = if evening { 2.5 } else { 0.0 };
    let tolls_amount = if random.chance(0.5) { zone.tolls } else { 0.0 };
    let share = (0.2 + 0.06 * random.normal()).max(0.0);
    let no_tip = payment_type != PAYMENTS[0] || (zone.name == LAGUARDIA && within(time, NO_TIPS));
    let tip_amount = if no_tip { 0.0 } else { cents(fare_amount * share) };
    let (mta_tax, improvement_surcharge) = (0.5, 1.0);
    let total = fare_amount + extra + mta_tax + tip_amount + tolls_amount + improvement_surcharge;
    Trip {
        tpep_pickup_datetime: time,
        tpep_dropoff_datetime: time + (minutes * 60.0).round() as i64 * 1000,
        vendor,
        zone: zone.name,
        dropoff_zone,
        rate_code: if flat { "JFK" } else { "Standard rate" },
        payment_type,
        passenger_count,
        trip_distance,
        fare_amount,
        extra,
        mta_tax,
        tip_amount,
        tolls_amount,
        improvement_surcharge,
        total_amount: cents(total),
    }
}

fn cents(dollars: f64) -> f64 {
    (dollars * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK_MS: i64 = 7 * 24 * HOUR_MS;

    /// Trips in a range, and in the same hours of the week before.
    fn with_week_before((from, to): (i64, i64), zone: Option<&str>) -> [Vec<Trip>; 2] {
        [0, WEEK_MS].map(|back| {
            trips()
                .filter(|trip| within(trip.tpep_pickup_datetime, (from - back, to - back)))
                .filter(|trip| zone.is_none_or(|zone| trip.zone == zone))
                .collect()
        })
    }

    fn mean(trips: &[Trip], value: impl Fn(&Trip) -> f64) -> f64 {
        trips.iter().map(value).sum::<f64>() / trips.len() as f64
    }

    #[test]
    fn days_and_weeks_have_their_shape() {
        let mut by_hour = [[0u32; 24]; 2];
        for trip in trips() {
            let hour = trip.tpep_pickup_datetime.rem_euclid(24 * HOUR_MS) / HOUR_MS;
            by_hour[usize::from(weekday(trip.tpep_pickup_datetime) >= 5)][hour as usize] += 1;
        }
        let [working, weekend] = by_hour;
        assert!(working[19] > 6 * working[3], "{working:?}");
        assert!(weekend[0] > working[0] * 2 / 5 * 3 / 2, "{weekend:?}");
        let total: u32 = working.iter().chain(&weekend).sum();
        assert!((130_000..150_000).contains(&total), "{total}");
    }

    #[test]
    fn no_taxi_leaves_jfk_in_the_strike() {
        let [strike, before] = with_week_before(STRIKE, Some(JFK));
        assert_eq!(strike.len(), 0);
        assert!(before.len() > 150, "{}", before.len());
    }

    #[test]
    fn fares_rise_in_the_surge() {
        let [surge, before] = with_week_before(SURGE_TIME, Some(UPPER_EAST));
        let ratio = mean(&surge, |trip| trip.fare_amount) / mean(&before, |trip| trip.fare_amount);
        assert!((1.5..1.7).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_vendor_vanishes_in_the_outage() {
        let [outage, before] = with_week_before(OUTAGE, None);
        assert!(outage.iter().all(|trip| trip.vendor != VENDOR_OUT));
        let left = outage.len() as f64 / before.len() as f64;
        assert!((0.5..0.6).contains(&left), "{left}");
    }

    #[test]
    fn tips_are_stuck_at_laguardia() {
        let [stuck, before] = with_week_before(NO_TIPS, Some(LAGUARDIA));
        assert!(stuck.len() > 100 && stuck.iter().all(|trip| trip.tip_amount == 0.0));
        assert!(mean(&before, |trip| trip.tip_amount) > 3.0);
    }
}
