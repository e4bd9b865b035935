//! The table of a demo: known events, whether they were found, how high they scored, and how soon.

use std::io::Write;

use serde_json::json;

use super::judge::{ALARM_SCORE, Finding, Verdict};
use super::run::Outcome;
use super::scenario::Scenario;
use crate::cli::CliError;

/// Colours, where the terminal shows them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    /// Colours only on a terminal, and not where `NO_COLOR` is set.
    pub(super) fn for_terminal(is_terminal: bool) -> Self {
        Self { on: is_terminal && std::env::var_os("NO_COLOR").is_none() }
    }

    #[cfg(test)]
    pub(super) fn off() -> Self {
        Self { on: false }
    }

    /// The text in the colour of a score's severity.
    pub(super) fn severity(self, score: f64, text: &str) -> String {
        let colour = match score {
            _ if score >= 75.0 => "31",
            _ if score >= 50.0 => "38;5;208",
            _ if score >= 25.0 => "33",
            _ => "34",
        };
        self.code(colour, text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn write(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|source| CliError::Output { path: "-".to_owned(), source })
}

pub(super) fn print(
    scenario: &Scenario,
    outcome: &Outcome,
    verdict: &Verdict,
    chart: &str,
    paint: Paint,
) -> Result<(), CliError> {
    write(&table(scenario, outcome, verdict, chart, paint))
}

fn table(scenario: &Scenario, outcome: &Outcome, verdict: &Verdict, chart: &str, paint: Paint) -> String {
    let mut text = format!(
        "\n{}\n{}\n{chart}\n",
        paint.bold(scenario.title),
        paint.dim(&format!(
            "{} documents loaded in {:.1} s · {} buckets analysed in {:.1} s · job {}",
            outcome.documents, outcome.load_s, outcome.buckets, outcome.run_s, scenario.job_id
        ))
    );
    let width =
        verdict.findings.iter().map(|finding| finding.name.chars().count()).max().unwrap_or(0).max(11);
    text.push_str(&format!("  {:<width$}  {:<9}  {:>5}  {:>8}\n", "known event", "", "score", "delay"));
    for finding in &verdict.findings {
        text.push_str(&row(finding, width, paint));
    }
    let promise = if verdict.keeps_promise() { "" } else { " — fewer than promised" };
    text.push_str(&format!(
        "  {} of {} as they should be (promised: {}){promise}; alarms (≥ {ALARM_SCORE:.0}) on {} other days of {}\n",
        verdict.found(),
        verdict.findings.len(),
        verdict.floor,
        verdict.alarm_days,
        verdict.watched_days
    ));
    text
}

fn row(finding: &Finding, width: usize, paint: Paint) -> String {
    let word = match (finding.must_not, finding.good()) {
        (false, true) => "found",
        (false, false) => "missed",
        (true, true) => "quiet",
        (true, false) => "alarmed",
    };
    let score = finding.best.map_or_else(|| "–".to_owned(), |best| format!("{best:.0}"));
    let score = paint.severity(finding.best.unwrap_or(0.0), &format!("{score:>5}"));
    let delay = finding.delay_ms.map_or_else(|| "–".to_owned(), duration);
    let word = if finding.good() { format!("{word:<9}") } else { paint.bold(&format!("{word:<9}")) };
    format!("  {:<width$}  {word}  {score}  {delay:>8}\n", finding.name)
}

fn duration(ms: i64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0..60 => format!("{minutes} min"),
        60..2880 => format!("{} h {:02}", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// One JSON object on a line.
pub(super) fn json(scenario: &Scenario, outcome: &Outcome, verdict: &Verdict) -> Result<(), CliError> {
    let events: Vec<_> = verdict
        .findings
        .iter()
        .map(|finding| {
            json!({"name": finding.name, "must_not": finding.must_not, "as_it_should_be": finding.good(),
                   "score": finding.best, "delay_ms": finding.delay_ms})
        })
        .collect();
    let line = json!({"demo": scenario.name, "job_id": scenario.job_id, "documents": outcome.documents,
        "buckets": outcome.buckets, "load_s": outcome.load_s, "run_s": outcome.run_s, "alarm_score": ALARM_SCORE,
        "events": events, "found": verdict.found(), "floor": verdict.floor, "other_alarm_days": verdict.alarm_days,
        "watched_days": verdict.watched_days});
    write(&format!("{line}\n"))
}

/// Where to go on from here.
pub(super) fn urls(base: &str, scenarios: &[Scenario]) -> Result<(), CliError> {
    let mut text = format!("\nThe service goes on at {base}. Ask it:\n");
    for scenario in scenarios {
        text.push_str(&format!(
            "  curl '{base}/_ml/anomaly_detectors/{}/results/records?record_score={ALARM_SCORE:.0}&sort=record_score&desc=true&size=5&pretty'\n",
            scenario.job_id
        ));
    }
    text.push_str(&format!("  curl '{base}/_ml/anomaly_detectors/_stats?pretty'\n  curl '{base}/_cat/indices?v'\nCtrl-C ends it.\n"));
    write(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(
            [duration(1_800_000), duration(5_400_000), duration(200_000_000)],
            ["30 min", "1 h 30", "2 d 7 h"]
        );
    }

    #[test]
    fn a_row_says_what_became_of_an_event() {
        let finding =
            Finding { name: "blizzard", must_not: false, best: Some(91.4), delay_ms: Some(1_800_000) };
        assert_eq!(row(&finding, 11, Paint::off()), "  blizzard     found         91    30 min\n");
        let quiet = Finding { name: "gateway", must_not: true, best: None, delay_ms: None };
        assert_eq!(row(&quiet, 11, Paint::off()), "  gateway      quiet          –         –\n");
    }
}
