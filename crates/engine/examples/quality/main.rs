//! Tables of detection quality, as Markdown: `quality calibration|alarms|reaction|births|periods [SEED]|ordinary [SEED]|
//! context DIR…|planted CSV…|renormalised [CSV]`; the last with NAB's `nyc_taxi`. `key=value` changes a field of
//! `engine::model::Tuning` (a value is JSON) for tables that run a model by itself.
#![allow(clippy::print_stdout, reason = "a measuring tool")]

mod clean;
mod context;
mod ordinary;
mod periods;
mod planted;
mod reaction;
mod renormalised;
mod siblings;
mod simulate;

use clean::calibrate;
use engine::model::Tuning;
use reaction::{Event, react};
use siblings::{ALIKE, Kind, NEWCOMERS, Nursery, OTHERS, SIBLINGS, SPIKES};
use simulate::{FAMILIES, TUNING};
use std::error::Error;
use std::path::Path;

/// Sizes of the events, in the unit that each has.
const EVENTS: [(Event, &str, &[f64]); 10] = [
    (Event::Spike, "spike, one bucket (σ)", &[4.0, 6.0, 8.0, 12.0, 20.0]),
    (Event::Dip, "dip, two buckets (σ)", &[4.0, 6.0, 8.0, 12.0, 20.0]),
    (Event::LevelShift, "level shift (σ)", &[2.0, 4.0, 8.0, 20.0]),
    (Event::Trend, "trend for a week (σ a day)", &[1.0, 3.0, 6.0]),
    (Event::Variance, "noise times", &[0.3, 1.5, 2.0, 3.0, 5.0]),
    (Event::Silence, "count of 100 is zero (hours)", &[0.25, 1.0, 24.0]),
    (Event::Gap, "metric without values (hours)", &[1.0, 24.0, 72.0]),
    (Event::ClockChange, "pattern an hour later (amplitude, σ)", &[5.0, 10.0, 30.0]),
    (Event::NewSeason, "new daily pattern (amplitude, σ)", &[2.0, 4.0, 10.0]),
    (Event::BornLate, "born late, spike of 12 σ (hours after)", &[6.0, 12.0, 24.0, 72.0, 120.0]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let (changes, arguments): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.contains('='));
    perturb(&changes)?;
    match (arguments.first().map(String::as_str), &arguments[arguments.len().min(1)..]) {
        (Some("calibration"), _) => calibration(30, 60),
        (Some("alarms"), _) => alarms(),
        (Some("reaction"), _) => reactions(20),
        (Some("births"), seeds) => births(seeds.first().and_then(|seed| seed.parse().ok()).unwrap_or(1)),
        (Some("periods"), seeds) => {
            periods::print(20, seeds.first().and_then(|seed| seed.parse().ok()).unwrap_or(4000));
        }
        (Some("ordinary"), [seed]) => ordinary(seed.parse()?, 10),
        (Some("ordinary"), []) => ordinary(1, 20),
        (Some("context"), folders) if !folders.is_empty() => contexts(folders)?,
        (Some("planted"), files) if !files.is_empty() => plants(files)?,
        (Some("renormalised"), files) => renormalised::print(taxi(files)?.as_deref(), 30)?,
        _ => {
            let usage = "usage: quality calibration|alarms|reaction|births|periods [SEED]|ordinary [SEED]|context DIR…|planted CSV…|renormalised [CSV]";
            return Err(usage.into());
        }
    }
    Ok(())
}

/// Other constants, for experiments.
fn perturb(changes: &[String]) -> Result<(), Box<dyn Error>> {
    let mut tuning = serde_json::to_value(Tuning::default())?;
    for change in changes {
        let (key, value) = change.split_once('=').ok_or("a change is key=value")?;
        tuning[key] = serde_json::from_str(value)?;
    }
    TUNING.set(serde_json::from_value(tuning)?).map_err(|_| "constants are set once")?;
    Ok(())
}

fn ordinary(first_seed: u64, seeds: u64) {
    let (threshold, rows) = ordinary::judge(first_seed, seeds);
    println!("one false alarm a month at S = {threshold:.2}\n");
    println!("| event | series | found of {seeds}, by length in buckets | alarms a month | ≥ 50 |");
    println!("|---|---|---|---|---|");
    for row in &rows {
        let cells: Vec<String> =
            row.lengths.iter().zip(&row.found).map(|(length, found)| format!("{length}: {found}")).collect();
        let [alarms, major] = row.alarms;
        println!("| {} | {} | {} | {alarms:.2} | {major:.2} |", row.event, row.name, cells.join(", "));
    }
    for event in ["stuck", "middle", "order"] {
        let rows = rows.iter().filter(|row| row.event == event);
        let mut all = [0; 5];
        rows.clone().for_each(|row| all.iter_mut().zip(row.found).for_each(|(all, found)| *all += found));
        let share =
            all.map(|found| format!("{:.2}", found as f64 / (rows.clone().count() as u64 * seeds) as f64));
        println!("| {event} | all | {} | | |", share.join(", "));
    }
}

fn calibration(series: u64, days: i64) {
    println!(
        "| clean series | KS distance | p ≤ .01 | p ≤ .001 | p ≤ .0001 | ≥ 50 | ≥ 75 |\n|---|---|---|---|---|---|---|"
    );
    for family in &FAMILIES {
        let c = calibrate(family, series, days);
        let [a, b, d] = c.tails;
        println!(
            "| {} | {:.3} | {a:.4} | {b:.5} | {d:.6} | {:.2} | {:.2} |",
            family.name, c.distance, c.alarms[0], c.alarms[1]
        );
    }
}

/// A thousand series, of all families alike.
fn alarms() {
    let series = 1000 / FAMILIES.len() as u64 + 1;
    let (mut major, mut critical) = (0.0, 0.0);
    for family in &FAMILIES {
        let c = calibrate(family, series, 60);
        major += c.alarms[0] / FAMILIES.len() as f64;
        critical += c.alarms[1] / FAMILIES.len() as f64;
    }
    let count = series * FAMILIES.len() as u64;
    println!(
        "{count} clean series of 60 days, per series and month: {major:.3} buckets ≥ 50, {critical:.3} ≥ 75"
    );
}

fn reactions(series: u64) {
    println!("| event | size | seen | median delay, buckets | alarms after | announced | adapted, hours |");
    println!("|---|---|---|---|---|---|---|");
    for (event, name, sizes) in EVENTS {
        for size in sizes {
            let r = react(event, *size, series);
            let delay = r.median_delay().map_or_else(|| "–".to_owned(), |d| d.to_string());
            let adapted = r.slowest_h().map_or_else(|| "not all".to_owned(), |h| format!("{h:.0}"));
            println!(
                "| {name} | {size} | {} of {} | {delay} | {:.1} | {} | {adapted} |",
                r.found,
                r.series,
                r.mean_alarms(),
                r.announced
            );
        }
    }
    let nursery = Nursery::new(Kind::Daily, 1);
    for hours in [3.0, 6.0, 12.0, 24.0] {
        let b = nursery.births(Kind::Daily, Some((12.0, hours)));
        println!(
            "| born late among siblings, spike of 12 σ (hours after) | {hours} | {} of {NEWCOMERS} | {} | {:.1} | – | – |",
            b.found,
            if b.found > 0 { "0" } else { "–" },
            b.alarms as f64 / NEWCOMERS as f64
        );
    }
}

/// Newcomers with siblings of this kind, and with others that have nothing in common.
fn births(seed: u64) {
    let spikes: Vec<String> = SPIKES.iter().map(|(size, hours)| format!("{size} σ, {hours} h")).collect();
    println!(
        "| {NEWCOMERS} newcomers | {SIBLINGS} others | alarms in the first week | {} |",
        spikes.join(" | ")
    );
    println!("|---|---|---{}|", "|---".repeat(SPIKES.len()));
    let row = |nursery: &Nursery, newcomers: Kind, others: &str| {
        let clean = nursery.births(newcomers, None);
        let found = SPIKES.iter().map(|spike| nursery.births(newcomers, Some(*spike)).found.to_string());
        let found: Vec<String> = found.collect();
        println!("| {} | {others} | {} | {} |", newcomers.name(), clean.alarms, found.join(" | "));
    };
    let strangers = Nursery::new(Kind::Mixed, seed);
    for kind in ALIKE {
        row(&strangers, kind, "all different");
        row(&Nursery::new(kind, seed), kind, "alike");
    }
    let siblings = Nursery::new(Kind::Daily, seed);
    for kind in OTHERS {
        row(&strangers, kind, "all different");
        row(&siblings, kind, Kind::Daily.name());
    }
}

fn contexts(folders: &[String]) -> Result<(), Box<dyn Error>> {
    let mut curves = Vec::new();
    for folder in folders {
        curves.extend(context::curves(Path::new(folder))?);
    }
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    println!("curves: {}", names.join(", "));
    let (threshold, table) = context::judge(&curves, 10);
    println!("one false alarm a month at S = {threshold:.2}\n");
    let mut before = 0.0;
    let sizes = context::SIZES.map(|most| {
        let name =
            if most.is_finite() { format!("{before}–{most} σ") } else { format!("over {before} σ") };
        before = most;
        name
    });
    println!("| kind | {} |\n|---{}|", sizes.join(" | "), "|---".repeat(sizes.len()));
    let mut all = ([0; context::SIZES.len()], [0; context::SIZES.len()]);
    for row in &table {
        print_found(row.kind, &row.found, &row.of);
        for class in 0..context::SIZES.len() {
            all.0[class] += row.found[class];
            all.1[class] += row.of[class];
        }
    }
    print_found("all", &all.0, &all.1);
    Ok(())
}

fn plants(files: &[String]) -> Result<(), Box<dyn Error>> {
    for file in files {
        let planted = planted::judge(file)?;
        let scores: Vec<String> = planted.scores.iter().map(|(kind, s)| format!("{kind} {s:.0}")).collect();
        let [major, critical] = planted.elsewhere;
        println!(
            "planted: {}; elsewhere ≥ 50: {major}, ≥ 75: {critical}, highest {:.0}",
            scores.join(", "),
            planted.highest
        );
    }
    Ok(())
}

/// Times in epoch seconds, and values.
type Rows = Vec<(i64, f64)>;

/// Times and values of the taxi series, when it is named.
fn taxi(files: &[String]) -> Result<Option<Rows>, Box<dyn Error>> {
    let Some(file) = files.first() else { return Ok(None) };
    let text = std::fs::read_to_string(file)?;
    let rows = text.lines().skip(1).filter_map(|line| {
        let (time, value) = line.split_once(',')?;
        Some((context::epoch_s(time)?, value.trim().parse().ok()?))
    });
    Ok(Some(rows.collect()))
}

fn print_found(kind: &str, found: &[usize], of: &[usize]) {
    let cells: Vec<String> = found.iter().zip(of).map(|(found, of)| format!("{found} of {of}")).collect();
    println!("| {kind} | {} |", cells.join(" | "));
}
