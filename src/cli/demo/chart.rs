//! A series drawn with Braille characters, and below it its anomalies and the known events.

use serde_json::Value;

use super::report::Paint;
use super::scenario::Scenario;

const ROWS: usize = 8;
const WIDTH_DEFAULT: usize = 100;
const WIDTH_MAX: usize = 160;
const LABEL: usize = 9;

/// Columns of the terminal, within reason.
pub(super) fn width() -> usize {
    let columns = usize::from(console_columns().unwrap_or(0));
    if columns == 0 { WIDTH_DEFAULT } else { columns.clamp(60, WIDTH_MAX) }
}

fn console_columns() -> Option<u16> {
    std::env::var("COLUMNS").ok()?.parse().ok()
}

/// The chart as text: the series, a line of anomalies in the colours of their severity, a line of known events, and dates.
pub(super) fn draw(
    scenario: &Scenario,
    series: &[(i64, f64)],
    records: &[Value],
    width: usize,
    paint: Paint,
) -> String {
    let columns = width.saturating_sub(LABEL + 2).max(10);
    let scale = TimeScale { start: scenario.start_ms, end: scenario.end_ms, columns };
    let mut text = format!("  {}\n", paint.dim(scenario.chart.title));
    text.push_str(&curve(series, &scale));
    text.push_str(&format!("{:>LABEL$} {}\n", "anomalies", anomalies(records, &scale, paint)));
    text.push_str(&format!("{:>LABEL$} {}\n", "known", events(scenario, &scale)));
    text.push_str(&format!("{:>LABEL$} {}", "", dates(&scale)));
    text
}

struct TimeScale {
    start: i64,
    end: i64,
    columns: usize,
}

impl TimeScale {
    /// The place of a time among `parts` equal parts of the whole.
    fn part(&self, time: i64, parts: usize) -> Option<usize> {
        if time < self.start || time >= self.end {
            return None;
        }
        let share = (time - self.start) as f64 / (self.end - self.start) as f64;
        Some(((share * parts as f64) as usize).min(parts - 1))
    }
}

/// Each character is two dots wide and four high; each dot column shows the range of its values.
fn curve(series: &[(i64, f64)], scale: &TimeScale) -> String {
    let dots_x = scale.columns * 2;
    let dots_y = ROWS * 4;
    let mut ranges: Vec<Option<(f64, f64)>> = vec![None; dots_x];
    for (time, value) in series {
        if let Some(column) = scale.part(*time, dots_x) {
            let (low, high) = ranges[column].unwrap_or((*value, *value));
            ranges[column] = Some((low.min(*value), high.max(*value)));
        }
    }
    let least = ranges.iter().flatten().map(|range| range.0).fold(f64::INFINITY, f64::min);
    let most = ranges.iter().flatten().map(|range| range.1).fold(f64::NEG_INFINITY, f64::max);
    if least > most {
        return "  no data\n".to_owned();
    }
    let height = |value: f64| {
        if most > least {
            ((value - least) / (most - least) * (dots_y - 1) as f64).round() as usize
        } else {
            0
        }
    };
    let mut cells = vec![vec![0u8; scale.columns]; ROWS];
    for (x, range) in ranges.iter().enumerate() {
        let Some((low, high)) = range else { continue };
        for y in height(*low)..=height(*high) {
            let from_top = dots_y - 1 - y;
            cells[from_top / 4][x / 2] |= dot(x % 2, from_top % 4);
        }
    }
    let mut text = String::new();
    for (row, line) in cells.iter().enumerate() {
        let label = match row {
            0 => short(most),
            _ if row == ROWS - 1 => short(least),
            _ => String::new(),
        };
        let line: String =
            line.iter().map(|bits| char::from_u32(0x2800 + u32::from(*bits)).unwrap_or(' ')).collect();
        text.push_str(&format!("{label:>LABEL$} {line}\n"));
    }
    text
}

/// The bit of a dot within a Braille character (Unicode 15, section 21.1).
fn dot(x: usize, y: usize) -> u8 {
    [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]][x][y]
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => format!("{:.0}k", value / 1000.0),
        size if size >= 1_000.0 => format!("{:.1}k", value / 1000.0),
        size if size >= 10.0 || value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn anomalies(records: &[Value], scale: &TimeScale, paint: Paint) -> String {
    let mut best = vec![0.0f64; scale.columns];
    for record in records {
        let column = record["timestamp"].as_i64().and_then(|time| scale.part(time, scale.columns));
        if let Some(column) = column {
            best[column] = best[column].max(record["record_score"].as_f64().unwrap_or(0.0));
        }
    }
    let mark = |score: f64| match score {
        _ if score >= 75.0 => paint.severity(score, "█"),
        _ if score >= 50.0 => paint.severity(score, "▆"),
        _ if score >= 25.0 => paint.severity(score, "▃"),
        _ => " ".to_owned(),
    };
    best.into_iter().map(mark).collect::<String>().trim_end().to_owned()
}

fn events(scenario: &Scenario, scale: &TimeScale) -> String {
    let mut line = vec![' '; scale.columns];
    for event in scenario.events.iter().filter(|event| !event.must_not) {
        let from = scale.part(event.start_ms.max(scale.start), scale.columns);
        let to = scale.part((event.end_ms - 1).min(scale.end - 1), scale.columns);
        if let (Some(from), Some(to)) = (from, to) {
            line[from..=to].fill('━');
        }
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

fn dates(scale: &TimeScale) -> String {
    let print = |time: i64| {
        jiff::Timestamp::from_millisecond(time)
            .map_or_else(|_| String::new(), |time| time.strftime("%Y-%m-%d").to_string())
    };
    let (left, middle, right) =
        (print(scale.start), print((scale.start + scale.end) / 2), print(scale.end - 1));
    let space = scale.columns.saturating_sub(left.len() + middle.len() + right.len());
    format!("{left}{}{middle}{}{right}", " ".repeat(space / 2), " ".repeat(space - space / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_rises_from_left_to_right() {
        let scale = TimeScale { start: 0, end: 200, columns: 10 };
        let series: Vec<(i64, f64)> = (0..20).map(|step| (step * 10, step as f64)).collect();
        let text = curve(&series, &scale);
        // Braille blanks are not spaces; trimmed, the picture can be read here.
        let picture: Vec<String> =
            text.lines().map(|line| line.replace('\u{2800}', " ").trim_end().to_owned()).collect();
        let expected = [
            "       19         ⢀⠌",
            "                 ⢀⠂",
            "                ⡠⠁",
            "               ⡐",
            "              ⠌",
            "            ⢀⠊",
            "           ⠠⠁",
            "        0 ⡐⠁",
        ];
        assert_eq!(picture, expected, "{text}");
    }

    #[test]
    fn times_outside_are_left_out() {
        let scale = TimeScale { start: 0, end: 100, columns: 10 };
        assert_eq!(
            [scale.part(-1, 10), scale.part(0, 10), scale.part(99, 10), scale.part(100, 10)],
            [None, Some(0), Some(9), None]
        );
        assert_eq!(curve(&[], &scale), "  no data\n");
    }
}
