//! Which format a text has: the first of NDJSON, XML, delimited values and text that fits.

use crate::outcome::Structure;
use crate::{Error, Format, Options, Result, delimited, ndjson, text, xml};

/// A text has at least so many lines.
const LINES_MIN: usize = 2;

/// Finds out how a text is built, from its first lines.
///
/// # Errors
/// When it is too short, or not what the caller says it is.
pub fn find_structure(content: &str, options: &Options) -> Result<Structure> {
    check(options)?;
    let (content, has_mark) = match content.strip_prefix('\u{feff}') {
        Some(rest) => (rest, true),
        None => (content, false),
    };
    let all = content.lines().count();
    if all < LINES_MIN {
        return Err(Error::TooFewLines(all));
    }
    let lines = all.min(options.lines_to_sample);
    let truncated = lines < all || !content.ends_with('\n');
    let end = content.match_indices('\n').nth(lines - 1).map_or(content.len(), |(at, _)| at + 1);
    let sample = &content[..end];
    let mut found = match options.format {
        Some(Format::Ndjson) => ndjson::find(sample, lines, truncated, options),
        Some(Format::Xml) => xml::find(sample, lines, truncated, options),
        Some(Format::Delimited) => delimited::find(sample, lines, options),
        Some(Format::SemiStructuredText) => text::find(sample, lines, options),
        None if options.delimiter.is_some() || options.column_names.is_some() => {
            delimited::find(sample, lines, options)
        }
        None if options.grok_pattern.is_some() => text::find(sample, lines, options),
        None => guess(sample, lines, truncated, options),
    }?;
    found.has_byte_order_marker = has_mark;
    found.charset.clone_from(&options.charset);
    found.ecs_compatibility = Some(if options.ecs { "v1" } else { "disabled" });
    found.explanation.insert(0, format!("Using character encoding [{}]", options.charset));
    Ok(found)
}

fn guess(sample: &str, lines: usize, truncated: bool, options: &Options) -> Result<Structure> {
    // One after the other: the first that fits spares the rest.
    let tried: [&dyn Fn() -> Result<Structure>; 3] = [
        &|| ndjson::find(sample, lines, truncated, options),
        &|| xml::find(sample, lines, truncated, options),
        &|| delimited::find(sample, lines, options),
    ];
    let mut reasons = Vec::new();
    for attempt in tried {
        match attempt() {
            Ok(found) => return Ok(found),
            Err(Error::NoFormat(reason)) => reasons.push(reason),
            Err(other) => return Err(other),
        }
    }
    let mut found = text::find(sample, lines, options)?;
    found.explanation.splice(0..0, reasons);
    Ok(found)
}

fn check(options: &Options) -> Result<()> {
    if options.lines_to_sample < LINES_MIN {
        return Err(Error::Contradiction(format!(
            "[lines_to_sample] must be at least [{LINES_MIN}], found [{}]",
            options.lines_to_sample
        )));
    }
    let is = |format: Format| options.format.is_none_or(|chosen| chosen == format);
    let delimited_only = [
        ("column_names", options.column_names.is_some()),
        ("delimiter", options.delimiter.is_some()),
        ("quote", options.quote.is_some()),
        ("has_header_row", options.has_header_row.is_some()),
        ("should_trim_fields", options.should_trim_fields.is_some()),
    ];
    if let Some((name, _)) = delimited_only.iter().find(|(_, given)| *given && !is(Format::Delimited)) {
        return Err(Error::Contradiction(format!(
            "[{name}] may only be specified if [format] is [delimited]"
        )));
    }
    if options.grok_pattern.is_some() && !is(Format::SemiStructuredText) {
        return Err(Error::Contradiction(
            "[grok_pattern] may only be specified if [format] is [semi_structured_text]".to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn format(text: &str) -> Format {
        find_structure(text, &Options::default()).unwrap().format
    }

    #[test]
    fn each_format_is_recognised() {
        assert_eq!(format("{\"a\":1}\n{\"a\":2}\n"), Format::Ndjson);
        assert_eq!(format("<a><b>1</b></a>\n<a><b>2</b></a>\n"), Format::Xml);
        assert_eq!(format("a\tb\n1\t2\n"), Format::Delimited);
        assert_eq!(
            format("Jun  7 10:11:29 h sshd[1]: a\nJun  7 10:11:30 h sshd[2]: b\n"),
            Format::SemiStructuredText
        );
    }

    #[test]
    fn too_little_and_contradictions_are_refused() {
        let default = Options::default();
        assert_eq!(find_structure("one", &default).unwrap_err(), Error::TooFewLines(1));
        let wrong = Options { format: Some(Format::Ndjson), delimiter: Some(','), ..Options::default() };
        assert_eq!(
            find_structure("a\nb", &wrong).unwrap_err().to_string(),
            "[delimiter] may only be specified if [format] is [delimited]"
        );
        let missing = Options { timestamp_field: Some("x".into()), ..Options::default() };
        assert!(find_structure("{\"a\":1}\n{\"a\":2}\n", &missing).is_err());
        let ndjson = Options { format: Some(Format::Ndjson), ..Options::default() };
        assert!(find_structure("a\nb\n", &ndjson).is_err());
    }

    #[test]
    fn a_stopped_search_ends() {
        let options = Options::default();
        options.stop.stop();
        for text in ["{\"a\":1}\n{\"a\":2}\n", "<a>1</a>\n<a>2</a>\n", "a\tb\n1\t2\n", "alpha 1\nbeta 2\n"] {
            assert_eq!(find_structure(text, &options).unwrap_err(), Error::Stopped, "{text}");
        }
    }

    #[test]
    fn the_character_set_and_the_mark_are_told() {
        let options = Options { charset: "UTF-16LE".to_owned(), ..Options::default() };
        let found = find_structure("\u{feff}alpha\nbeta\n", &options).unwrap();
        assert_eq!((found.charset.as_str(), found.has_byte_order_marker), ("UTF-16LE", true));
        assert_eq!(found.explanation[0], "Using character encoding [UTF-16LE]");
    }

    #[test]
    fn days_alone_are_iso_and_times_behind_other_columns_begin_messages() {
        let days = "{\"title\":\"Dune\",\"released\":\"1965-06-01\"}\n{\"title\":\"Hyperion\",\"released\":\"1989-05-26\"}\n";
        let found = find_structure(days, &Options::default()).unwrap();
        assert_eq!(found.java_timestamp_formats, Some(vec!["ISO8601".to_owned()]));
        assert_eq!(found.mappings["properties"]["released"]["format"], "iso8601");
        assert_eq!(found.ecs_compatibility, Some("disabled"));
        let exact = Some(Some("yyyy-MM-dd".to_owned()));
        let found = find_structure(days, &Options { timestamp_format: exact, ..Options::default() }).unwrap();
        assert_eq!(found.joda_timestamp_formats, Some(vec!["YYYY-MM-dd".to_owned()]));

        let rows = "vendor,picked_up,fare\n1,2018-06-01 00:15:40,3\n2,2018-06-01 00:16:46,4.3\n";
        let options = Options { format: Some(Format::Delimited), ..Options::default() };
        let found = find_structure(rows, &options).unwrap();
        assert_eq!(found.joda_timestamp_formats, Some(vec!["YYYY-MM-dd HH:mm:ss".to_owned()]));
        let start = found.multiline_start_pattern.unwrap();
        assert_eq!(start, r#"^.*?,"?\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"#);
    }

    #[test]
    fn the_time_is_in_the_column_that_has_its_format() {
        let format = Some(Some("yyyy-MM-dd HH:mm:ss".to_owned()));
        let options = Options { timestamp_format: format, ..Options::default() };
        let rows = "host,when,state\nweb1,2018-05-17 13:41:23,up\nweb2,2018-05-17 13:41:32,down\n";
        assert_eq!(find_structure(rows, &options).unwrap().timestamp_field.as_deref(), Some("when"));
        for field in ["host", "state"] {
            let wrong = Options { timestamp_field: Some(field.to_owned()), ..options.clone() };
            assert!(find_structure(rows, &wrong).is_err(), "{field}");
        }
        // A time inside a longer value is none that a pipeline could read.
        let inside = "host,when\nweb1,at 2018-05-17 13:41:23\nweb2,at 2018-05-17 13:41:32\n";
        let delimited = Options { format: Some(Format::Delimited), ..options };
        assert!(find_structure(inside, &delimited).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_breaks_the_search(text in "[-a-c0-2é<>/\"'{}\\[\\]:,;|\t\n =%.T]{0,120}") {
            for format in [None, Some(Format::Ndjson), Some(Format::Xml), Some(Format::Delimited), Some(Format::SemiStructuredText)] {
                let options = Options { format, ..Options::default() };
                let _ = find_structure(&text, &options);
            }
        }

        #[test]
        fn a_guessed_expression_fits_its_messages(words in proptest::collection::vec("[a-z]{1,4}( [0-9]{1,3}| [A-Z]+|=[0-9.]{1,4}|\\[x\\])?", 2..6)) {
            let text: String = words.iter().map(|word| format!("2018-06-27 11:59:06 INFO {word}\n")).collect();
            let options = Options { format: Some(Format::SemiStructuredText), ..Options::default() };
            let found = find_structure(&text, &options).unwrap();
            let pattern = found.grok_pattern.unwrap();
            let grok = crate::Grok::new(&pattern, false).unwrap();
            for line in text.lines() {
                prop_assert!(grok.matches_all(line), "{} does not fit {}", pattern, line);
            }
        }
    }
}
