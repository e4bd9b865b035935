//! Text whose messages have a time, as logs have. Lines without one belong to the message before.

use serde_json::{Value, json};

use crate::fields::{Columns, Record};
use crate::grok::Grok;
use crate::outcome::{Structure, convert_processors, date_processor, pipeline};
use crate::timestamp::{self, Found};
use crate::{Error, Format, Options, Result, guess};

/// Expressions for whole messages that are tried before one is guessed.
const WHOLE: [&str; 2] = ["COMBINEDAPACHELOG", "COMMONAPACHELOG"];
/// Messages from which an expression is guessed.
const GUESSED_FROM: usize = 500;
/// At least this part of the lines has the time, or they have none.
const SHARE_MIN: f64 = 0.1;

struct Messages {
    all: Vec<String>,
    time: Option<Found>,
    start: Option<String>,
}

/// The text as messages.
pub(crate) fn find(sample: &str, lines: usize, options: &Options) -> Result<Structure> {
    let messages = messages(sample, options)?;
    let texts: Vec<&str> = messages.all.iter().map(String::as_str).collect();
    let sample_start: String = sample.lines().take(2).flat_map(|line| [line, "\n"]).collect();
    let mut found = Structure::new(Format::SemiStructuredText, lines, texts.len(), sample_start);
    found.explanation.push("Not NDJSON, not XML and not delimited: text".to_owned());
    let field = options
        .timestamp_field
        .clone()
        .unwrap_or_else(|| if options.ecs { "@timestamp".to_owned() } else { "timestamp".to_owned() });
    let (pattern, time_field) = pattern(&texts, &messages, &field, options)?;
    let grok = Grok::new(&pattern, options.ecs)?;
    if options.grok_pattern.is_some() && !texts.iter().any(|text| grok.fields(text).is_some()) {
        return Err(Error::Contradiction(format!(
            "Supplied Grok pattern [{pattern}] does not match sample messages"
        )));
    }
    let mut records: Vec<Record> = Vec::with_capacity(texts.len());
    for text in &texts {
        options.stop.check()?;
        let taken = grok.fields(text).unwrap_or_default();
        let value = |part: crate::grok::Taken<'_>| Value::String(part.text.to_owned());
        records.push(taken.into_iter().map(|(name, part)| (name.to_owned(), value(part))).collect());
    }
    let columns = Columns::of(&records);
    let time = messages.time.as_ref().filter(|_| columns.names().contains(&time_field));
    let (mut mappings, mut stats) =
        columns.described(time.map(|found| (time_field.as_str(), found)), &options.stop)?;
    if let Some(properties) = mappings["properties"].as_object_mut() {
        // The grok processor takes the time out of the message, and the date processor removes what it read.
        properties.shift_remove(&time_field);
        if time.is_some() {
            properties.insert("@timestamp".to_owned(), json!({ "type": "date" }));
        }
        properties.insert("message".to_owned(), json!({ "type": "text" }));
    }
    let whole: Vec<Record> =
        texts.iter().map(|text| vec![("message".to_owned(), Value::String((*text).to_owned()))]).collect();
    stats.extend(Columns::of(&whole).described(None, &options.stop)?.1);
    let grok_step = json!({ "grok": { "field": "message", "patterns": [pattern],
        "ecs_compatibility": if options.ecs { "v1" } else { "disabled" } } });
    let mut steps = vec![with_definitions(grok_step, messages.time.as_ref())];
    if let Some(time) = time {
        found.explanation.push(format!("Messages have a time of the format {:?}", time.java));
        found.with_time(&time_field, time);
        steps.push(date_processor(&time_field, time));
    }
    steps.extend(convert_processors(&mappings, columns.names()));
    if time.is_some() && time_field != "@timestamp" {
        steps.push(json!({ "remove": { "field": time_field } }));
    }
    found.explanation.push(format!("A Grok pattern that fits the messages is [{pattern}]"));
    found.multiline_start_pattern = messages.start;
    found.grok_pattern = Some(pattern);
    found.mappings = mappings;
    found.field_stats = stats;
    found.ingest_pipeline = pipeline(steps);
    Ok(found)
}

fn with_definitions(mut step: Value, time: Option<&Found>) -> Value {
    if let Some(time) = time.filter(|time| is_custom(time.grok)) {
        step["grok"]["pattern_definitions"] = json!({ "CUSTOM_TIMESTAMP": time.grok });
    }
    step
}

/// The format of the time has no name in the library.
fn is_custom(grok: &str) -> bool {
    grok.contains('%') || grok.contains('[')
}

fn pattern(texts: &[&str], messages: &Messages, field: &str, options: &Options) -> Result<(String, String)> {
    if let Some(pattern) = &options.grok_pattern {
        return Ok((pattern.clone(), field.to_owned()));
    }
    for name in WHOLE {
        let pattern = format!("%{{{name}}}");
        let grok = Grok::new(&pattern, options.ecs)?;
        if texts.iter().all(|text| grok.matches_all(text)) {
            return Ok((pattern, "timestamp".to_owned()));
        }
    }
    let some = &texts[..texts.len().min(GUESSED_FROM)];
    let Some(time) = &messages.time else {
        let spans = vec![(0, 0); some.len()];
        return Ok((guess::expression(some, &spans, None, options)?, field.to_owned()));
    };
    let timed: Vec<(&str, (usize, usize))> =
        some.iter().filter_map(|text| time.span(text).map(|span| (*text, (span.start, span.end)))).collect();
    let (some, spans): (Vec<&str>, Vec<(usize, usize)>) = timed.into_iter().unzip();
    // What the library has no name for is written out, so that the expression can be used as it stands.
    let grok = if is_custom(time.grok) { "CUSTOM_TIMESTAMP" } else { time.grok };
    let guessed = guess::expression(&some, &spans, Some((grok, field)), options)?;
    let written_out = format!("(?<{field}>{})", time.grok);
    let guessed = if is_custom(time.grok) {
        guessed.replace(&format!("%{{CUSTOM_TIMESTAMP:{field}}}"), &written_out)
    } else {
        guessed
    };
    Ok((guessed, field.to_owned()))
}

/// Lines put together to messages.
fn messages(sample: &str, options: &Options) -> Result<Messages> {
    let lines: Vec<&str> = sample.lines().filter(|line| !line.trim().is_empty()).collect();
    let each =
        || Messages { all: lines.iter().map(|line| (*line).to_owned()).collect(), time: None, start: None };
    let found = match &options.timestamp_format {
        Some(None) => return Ok(each()),
        Some(Some(format)) => {
            let named = timestamp::named(format, lines.iter().copied(), false);
            let (found, _) = named.ok_or_else(|| {
                Error::Contradiction(format!(
                    "Specified timestamp format [{format}] does not match the sample"
                ))
            })?;
            Some(found)
        }
        None => timestamp::best(lines.iter().copied(), false)
            .filter(|(_, count)| *count as f64 >= SHARE_MIN * lines.len() as f64)
            .map(|(found, _)| found),
    };
    let Some(time) = found else { return Ok(each()) };
    let spans: Vec<Option<usize>> = lines.iter().map(|line| time.span(line).map(|span| span.start)).collect();
    let first = spans.iter().flatten().next().copied().unwrap_or(0);
    let at_front = spans.iter().flatten().all(|start| *start == first);
    let mut all: Vec<String> = Vec::new();
    for (line, span) in lines.iter().zip(&spans) {
        // A time further back than usual is a part of the text.
        let begins = span.is_some_and(|start| !at_front || start == first);
        match all.last_mut() {
            Some(message) if !begins => {
                let length = message.chars().count() + 1 + line.chars().count();
                if length > options.line_merge_size_limit {
                    return Err(Error::MessageTooLong { length, limit: options.line_merge_size_limit });
                }
                message.push('\n');
                message.push_str(line);
            }
            None if !begins => {} // The end of a message whose beginning is not in the sample.
            _ => all.push((*line).to_owned()),
        }
    }
    let start = start_pattern(&lines, &spans, first, at_front, time.start);
    Ok(Messages { all, time: Some(time), start })
}

/// Pattern of the first characters of a message.
fn start_pattern(
    lines: &[&str],
    spans: &[Option<usize>],
    first: usize,
    at_front: bool,
    time: &str,
) -> Option<String> {
    if !at_front {
        return Some(format!("^.*?{time}"));
    }
    let prefixes: Vec<&str> =
        lines.iter().zip(spans).filter_map(|(line, span)| span.map(|start| &line[..start])).collect();
    let prefix = *prefixes.first()?;
    if prefixes.iter().all(|other| *other == prefix) {
        let boundary = if time.starts_with("\\d") || time.starts_with("[A-Z]") { "\\b" } else { "" };
        return Some(format!("^{}{boundary}{time}", regex::escape(prefix)));
    }
    Some(format!("^.{{{first}}}{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Structure {
        find(text, text.lines().count(), &Options::default()).unwrap()
    }

    #[test]
    fn logs_get_a_pattern_and_a_time() {
        let text = "[2018-06-27T11:59:06,123][INFO ][o.e.n.Node] [node-0] initializing\n[2018-06-27T11:59:07,124][WARN ][o.e.e.Env] [node-0] heap size [494.9mb]\n";
        let found = found(text);
        assert_eq!(
            found.grok_pattern.as_deref(),
            Some(r"\[%{TIMESTAMP_ISO8601:timestamp}\]\[%{LOGLEVEL:loglevel} \]\[.*")
        );
        assert_eq!(found.multiline_start_pattern.as_deref(), Some(r"^\[\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"));
        assert_eq!(found.timestamp_field.as_deref(), Some("timestamp"));
        assert_eq!(found.java_timestamp_formats, Some(vec!["ISO8601".to_owned()]));
        assert_eq!(found.mappings["properties"]["loglevel"]["type"], "keyword");
        assert_eq!(found.mappings["properties"]["message"]["type"], "text");
        assert_eq!(found.field_stats["loglevel"]["cardinality"], 2);
        assert!(found.ingest_pipeline["processors"][0]["grok"].is_object());
    }

    #[test]
    fn lines_without_a_time_belong_to_the_message_before() {
        let text = "2018-06-27 11:59:06 ERROR boom\n  at a.b.C\n  at d.e.F\n2018-06-27 11:59:07 INFO fine\n";
        let found = found(text);
        assert_eq!((found.num_lines_analyzed, found.num_messages_analyzed), (4, 2));
        assert!(found.multiline_start_pattern.unwrap().starts_with("^\\b\\d{4}-"));
    }

    #[test]
    fn messages_without_an_end_are_refused() {
        let text = format!(
            "2018-06-27 11:59:06 a\n{}2018-06-27 11:59:07 b\n2018-06-27 11:59:08 b\n",
            "xxxxxxxxx\n".repeat(9)
        );
        let options = Options { line_merge_size_limit: 50, ..Options::default() };
        assert!(matches!(find(&text, 12, &options), Err(Error::MessageTooLong { .. })));
    }

    #[test]
    fn text_without_a_time_is_read_line_by_line() {
        let found = found("alpha beta\ngamma delta\n");
        assert_eq!((found.num_messages_analyzed, found.timestamp_field), (2, None));
    }
}
