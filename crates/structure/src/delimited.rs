//! Values separated by commas, tabs, semicolons, bars or whatever the caller says.

use serde_json::{Value, json};

use crate::csv::{self, Row};
use crate::fields::{Columns, Record, is_number};
use crate::outcome::{Structure, convert_processors, date_processor, pipeline};
use crate::{Error, Format, Options, Result, timestamp};

/// Delimiters that are tried, and the fewest columns that they must make: what is rare in prose needs fewer.
const TRIED: [(char, usize); 4] = [(',', 2), ('\t', 2), (';', 4), ('|', 5)];

/// The text as rows, if it looks delimited.
pub(crate) fn find(sample: &str, lines: usize, options: &Options) -> Result<Structure> {
    let quote = options.quote.unwrap_or('"');
    let forced = options.format == Some(Format::Delimited) || options.delimiter.is_some();
    let tried: Vec<(char, usize)> = options
        .delimiter
        .map_or_else(|| TRIED.to_vec(), |delimiter| vec![(delimiter, if forced { 1 } else { 2 })]);
    let mut why = String::new();
    for (delimiter, columns_min) in tried {
        options.stop.check()?;
        match fitting(sample, delimiter, quote, columns_min, forced) {
            Ok(rows) => return described(sample, lines, delimiter, quote, rows, options),
            Err(reason) => why = format!("delimited by [{}]: {reason}", delimiter.escape_debug()),
        }
    }
    Err(Error::NoFormat(why))
}

fn fitting(
    sample: &str,
    delimiter: char,
    quote: char,
    columns_min: usize,
    forced: bool,
) -> Result<Vec<Row>, String> {
    let mut rows = csv::rows(sample, delimiter, quote);
    if rows.last().is_some_and(|row| row.open_quote) {
        // The sample may end inside a row.
        rows.pop();
    }
    let Some(first) = rows.first() else { return Err("there are no rows".to_owned()) };
    let width = first.values.len();
    if width < columns_min {
        return Err(format!("the first row has [{width}] columns, at least [{columns_min}] are needed"));
    }
    if let Some(other) = rows.iter().position(|row| row.values.len() != width) {
        if !forced {
            return Err(format!(
                "row [{}] has [{}] columns, the first has [{width}]",
                other + 1,
                rows[other].values.len()
            ));
        }
        rows.retain(|row| row.values.len() <= width);
    }
    if rows.len() < 2 && !forced {
        return Err("there is only one row".to_owned());
    }
    // Commas in the fractions of seconds and after a log message's time do not make columns.
    if !forced && delimiter == ',' {
        let in_time = sample.lines().take(20).any(|line| {
            timestamp::best(std::iter::once(line), false)
                .and_then(|(found, _)| found.span(line))
                .is_some_and(|span| line[span.start..span.end].contains(','))
        });
        if in_time {
            return Err("commas are part of the times".to_owned());
        }
    }
    Ok(rows)
}

fn described(
    sample: &str,
    lines: usize,
    delimiter: char,
    quote: char,
    rows: Vec<Row>,
    options: &Options,
) -> Result<Structure> {
    let trim = options.should_trim_fields.unwrap_or(delimiter == '|');
    let cleaned = |value: &String| if trim { value.trim().to_owned() } else { value.clone() };
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.values.iter().map(cleaned).collect()).collect();
    let has_header = options.has_header_row.unwrap_or_else(|| looks_like_header(&rows));
    let width = rows[0].len();
    let names = names(&rows, width, has_header, options)?;
    let body = &rows[usize::from(has_header)..];
    let record = |row: &Vec<String>| -> Record {
        names.iter().cloned().zip(row.iter().map(|value| Value::String(value.clone()))).collect()
    };
    let records: Vec<Record> = body.iter().map(record).collect();
    let columns = Columns::of(&records);
    let time = crate::time_field::time_of(&columns, options)?;
    let sample_start: String = sample.lines().take(2).flat_map(|line| [line, "\n"]).collect();
    let mut found = Structure::new(Format::Delimited, lines, rows.len(), sample_start);
    found.explanation.push(format!(
        "Not NDJSON and not XML; every row has [{width}] columns delimited by [{}]",
        delimiter.escape_debug()
    ));
    found.explanation.push(format!("The first row is {}a header", if has_header { "" } else { "not " }));
    let time_ref = time.as_ref().map(|(field, found)| (field.as_str(), found));
    (found.mappings, found.field_stats) = columns.described(time_ref, &options.stop)?;
    let separators = regex::escape(&delimiter.to_string());
    if has_header {
        let quoted = |name: &String| {
            let (quote, name) = (regex::escape(&quote.to_string()), regex::escape(name));
            format!("{quote}?{name}{quote}?")
        };
        let line: Vec<String> = names.iter().map(quoted).collect();
        found.exclude_lines_pattern = Some(format!("^{}", line.join(&separators)));
    }
    if let Some((field, time)) = &time {
        if let Some(before) = names.iter().position(|name| name == field) {
            let before = format!(".*?{separators}").repeat(before);
            found.multiline_start_pattern =
                Some(format!("^{before}{}?{}", regex::escape(&quote.to_string()), time.start));
        }
        found.explanation.push(format!("The field [{field}] is a time of the format {:?}", time.java));
        found.with_time(field, time);
    }
    let mut csv = json!({ "field": "message", "target_fields": names, "ignore_missing": false });
    if delimiter != ',' {
        csv["separator"] = json!(delimiter.to_string());
    }
    if quote != '"' {
        csv["quote"] = json!(quote.to_string());
    }
    if trim {
        csv["trim"] = json!(true);
    }
    let mut steps = vec![json!({ "csv": csv })];
    steps.extend(time.as_ref().map(|(field, time)| date_processor(field, time)));
    steps.extend(convert_processors(&found.mappings, columns.names()));
    steps.push(json!({ "remove": { "field": "message" } }));
    found.ingest_pipeline = pipeline(steps);
    found.column_names = Some(names);
    found.has_header_row = Some(has_header);
    found.delimiter = Some(delimiter.to_string());
    found.quote = Some(quote.to_string());
    found.should_trim_fields = Some(trim);
    Ok(found)
}

fn names(rows: &[Vec<String>], width: usize, has_header: bool, options: &Options) -> Result<Vec<String>> {
    if let Some(names) = &options.column_names {
        if names.len() != width {
            return Err(Error::Contradiction(format!(
                "[{}] column names were specified [{}], but there are [{width}] columns in the sample",
                names.len(),
                names.join(",")
            )));
        }
        return Ok(names.clone());
    }
    let numbered = |index: usize| format!("column{}", index + 1);
    if !has_header {
        return Ok((0..width).map(numbered).collect());
    }
    Ok(rows[0]
        .iter()
        .enumerate()
        .map(|(index, name)| if name.is_empty() { numbered(index) } else { name.clone() })
        .collect())
}

/// Names differ from each other and from the values below them, and are neither numbers nor times.
fn looks_like_header(rows: &[Vec<String>]) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    if rest.is_empty() {
        return false;
    }
    let is_value = |text: &str| {
        is_number(text)
            || matches!(text, "true" | "false")
            || timestamp::best(std::iter::once(text), true).is_some()
            || text.parse::<std::net::IpAddr>().is_ok()
    };
    if first.iter().any(|name| is_value(name)) || first.iter().all(String::is_empty) {
        return false;
    }
    let mut named: Vec<&String> = first.iter().filter(|name| !name.is_empty()).collect();
    named.sort();
    if named.windows(2).any(|pair| pair[0] == pair[1]) {
        return false;
    }
    let column =
        |index: usize| rest.iter().filter_map(move |row| row.get(index)).filter(|value| !value.is_empty());
    let typed = (0..first.len())
        .any(|index| column(index).next().is_some() && column(index).all(|value| is_value(value)));
    let repeated = (0..first.len()).any(|index| column(index).any(|value| *value == first[index]));
    // All columns are words: a name is as a rule shorter than what it names, or unlike it in length.
    let lengths = |index: usize| column(index).map(|value| value.chars().count());
    let unlike = (0..first.len()).any(|index| {
        let name = first[index].chars().count();
        lengths(index).min().zip(lengths(index).max()).is_some_and(|(min, max)| name < min || name > max)
    });
    !repeated && (typed || unlike)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Result<Structure> {
        find(text, text.lines().count(), &Options::default())
    }

    #[test]
    fn files_with_a_header_are_described() {
        let text = "time,host,took\n2018-05-17T13:41:23,\"web, 1\",1.5\n2018-05-17T13:41:32,web2,2\n";
        let found = found(text).unwrap();
        assert_eq!(
            found.column_names.as_deref(),
            Some(&["time".to_owned(), "host".to_owned(), "took".to_owned()][..])
        );
        assert_eq!(found.has_header_row, Some(true));
        assert_eq!(found.timestamp_field.as_deref(), Some("time"));
        assert_eq!(found.java_timestamp_formats, Some(vec!["ISO8601".to_owned()]));
        assert_eq!(found.exclude_lines_pattern.as_deref(), Some("^\"?time\"?,\"?host\"?,\"?took\"?"));
        assert!(found.need_client_timezone);
        assert_eq!(found.mappings["properties"]["took"]["type"], "double");
        assert_eq!(found.ingest_pipeline["processors"][0]["csv"]["target_fields"][1], "host");
        assert_eq!(found.field_stats["time"]["latest"], "2018-05-17T13:41:32");
    }

    #[test]
    fn files_without_a_header_get_numbered_columns() {
        let found = found("a;1;x;y\nb;2;x;y\n").unwrap();
        assert_eq!((found.has_header_row, found.delimiter.as_deref()), (Some(false), Some(";")));
        assert_eq!(found.column_names.unwrap()[1], "column2");
    }

    #[test]
    fn log_lines_are_not_delimited() {
        assert!(found("2018-06-27 11:59:06,123 a\n2018-06-27 11:59:07,123 b\n").is_err());
        assert!(found("one, two\nthree\n").is_err());
    }
}
