//! Scores labelled series, for the scorers of NAB and of KPI sets: every `timestamp,value` CSV under a folder gets a
//! `timestamp,score` CSV, with one fixed configuration for all files.
//!
//! `nab IN_DIR OUT_DIR [key=value ...]`; a key is a field of `engine::model::Tuning`, a value is JSON. Timestamps are
//! epoch seconds or `YYYY-MM-DD hh:mm:ss`; the timestamp written is the bucket's end. `severity=1` writes 0..100.

use engine::model::{ModelConfig, Sample, SeriesModel, Side, Tuning, ValueKind, severity};
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(output)) = (args.next(), args.next()) else {
        return Err("usage: nab IN_DIR OUT_DIR [key=value ...]".into());
    };
    let mut tuning = serde_json::to_value(Tuning::default())?;
    let mut as_severity = false;
    for pair in args {
        let (key, value) = pair.split_once('=').ok_or("an option is key=value")?;
        if key == "severity" {
            as_severity = value == "1";
        } else {
            tuning[key] = serde_json::from_str(value)?;
        }
    }
    let tuning: Tuning = serde_json::from_value(tuning)?;
    let mut files = Vec::new();
    csv_files(Path::new(&input), &mut files)?;
    for file in files {
        let scored = score(&fs::read_to_string(&file)?, &tuning, as_severity);
        let to = Path::new(&output).join(file.strip_prefix(&input)?);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(to, scored)?;
    }
    Ok(())
}

fn score(text: &str, tuning: &Tuning, as_severity: bool) -> String {
    let rows: Vec<(i64, f64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split(',');
            let time = epoch_s(cells.next()?.trim())?;
            Some((time, cells.next().and_then(|v| v.trim().parse().ok()).unwrap_or(f64::NAN)))
        })
        .collect();
    let mut steps: Vec<i64> = rows.windows(2).map(|w| w[1].0 - w[0].0).filter(|d| *d > 0).collect();
    steps.sort_unstable();
    let span = steps.get(steps.len() / 2).map_or(300.0, |s| *s as f64);
    let cfg = ModelConfig::with_tuning(span, ValueKind::Metric, Side::Both, tuning.clone());
    let mut model = SeriesModel::new(&cfg);
    let mut out = String::from("timestamp,score\n");
    for (time, value) in rows {
        let outcome = model.step(&cfg, &Sample::new(time, value));
        let s = if as_severity { severity(outcome.score) } else { outcome.score };
        let _ = writeln!(out, "{},{s:.5}", time + span as i64);
    }
    out
}

fn csv_files(dir: &Path, out: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        if path.is_dir() {
            csv_files(&path, out)?;
        } else if path.extension().is_some_and(|e| e == "csv") {
            out.push(path);
        }
    }
    Ok(())
}

/// Epoch seconds of a number or of `YYYY-MM-DD hh:mm:ss` in UTC; days by the civil calendar from 1970-01-01.
fn epoch_s(text: &str) -> Option<i64> {
    if let Ok(v) = text.parse::<f64>() {
        return Some(v as i64);
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let y = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + day_of_year - 719_468;
    Some(days * 86_400 + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19).unwrap_or(0))
}
