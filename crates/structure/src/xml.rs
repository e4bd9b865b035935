//! XML elements, one after the other; a message is an element directly below the root, or a root of its own.

use serde_json::Value;

use crate::fields::{Columns, Record};
use crate::outcome::{Structure, pipeline};
use crate::{Error, Format, Options, Result};

/// Text that is nested deeper is no log.
const DEPTH_MAX: usize = 64;

#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Record,
    children: Vec<Element>,
    text: String,
}

/// The text as elements, if it is made of them.
pub(crate) fn find(sample: &str, lines: usize, truncated: bool, options: &Options) -> Result<Structure> {
    let refused = |why: String| Error::NoFormat(format!("not XML: {why}"));
    if !sample.trim_start().starts_with('<') {
        return Err(refused("it does not begin with an element".to_owned()));
    }
    options.stop.check()?;
    let (roots, complete) = Reader { text: sample, at: 0 }.elements(truncated).map_err(refused)?;
    // A single root that holds elements is the frame of a document.
    let messages: Vec<&Element> = match roots.as_slice() {
        [one] if one.children.len() > 1 || !complete => one.children.iter().collect(),
        many => many.iter().collect(),
    };
    let tag = messages
        .first()
        .map(|first| first.name.clone())
        .ok_or_else(|| refused("there are no messages".to_owned()))?;
    if messages.iter().any(|message| message.name != tag) {
        return Err(refused("its messages are elements of different names".to_owned()));
    }
    let records: Vec<Record> = messages.iter().map(|message| fields(message)).collect();
    let columns = Columns::of(&records);
    let time = crate::time_field::time_of(&columns, options)?;
    let sample_start: String = sample.lines().take(2).flat_map(|line| [line, "\n"]).collect();
    let mut found = Structure::new(Format::Xml, lines, records.len(), sample_start);
    found.explanation.push(format!("The text is made of XML elements [{tag}]"));
    found.multiline_start_pattern = Some(format!("^\\s*<{}", regex::escape(&tag)));
    let time_ref = time.as_ref().map(|(field, found)| (field.as_str(), found));
    let (inner, stats) = columns.described(time_ref, &options.stop)?;
    let mut properties = serde_json::json!({ &tag: { "type": "object", "properties": inner["properties"] } });
    if time.is_some()
        && let Some(object) = properties[&tag].get_mut("properties").and_then(Value::as_object_mut)
    {
        object.shift_remove("@timestamp");
        properties["@timestamp"] = serde_json::json!({ "type": "date" });
    }
    found.mappings = serde_json::json!({ "properties": properties });
    found.field_stats = stats;
    if let Some((field, time)) = &time {
        found.explanation.push(format!("The field [{field}] is a time of the format {:?}", time.java));
        found.with_time(field, time);
    }
    // No processor of an ingest pipeline reads XML.
    found.ingest_pipeline = pipeline(Vec::new());
    Ok(found)
}

fn fields(message: &Element) -> Record {
    let mut record = message.attributes.clone();
    if message.children.is_empty() && !message.text.trim().is_empty() {
        record.push((message.name.clone(), Value::String(message.text.trim().to_owned())));
    }
    collect("", message, &mut record);
    record
}

fn collect(prefix: &str, element: &Element, record: &mut Record) {
    for child in &element.children {
        let name = if prefix.is_empty() { child.name.clone() } else { format!("{prefix}.{}", child.name) };
        for (attribute, value) in &child.attributes {
            record.push((format!("{name}.{attribute}"), value.clone()));
        }
        if child.children.is_empty() {
            record.push((name, Value::String(child.text.trim().to_owned())));
        } else {
            collect(&name, child, record);
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Moves behind the next `mark`; what was before it.
    fn until(&mut self, mark: &str) -> Option<&'a str> {
        let length = self.rest().find(mark)?;
        let before = &self.rest()[..length];
        self.at += length + mark.len();
        Some(before)
    }

    /// All outermost elements; false when the text ends inside one, which `truncated` allows.
    fn elements(mut self, truncated: bool) -> Result<(Vec<Element>, bool), String> {
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            let Some(before) = self.until("<") else {
                if !self.rest().trim().is_empty() && open.len() == 1 {
                    return Err("text outside of elements".to_owned());
                }
                return Self::ended(open, truncated);
            };
            let last = open.len() - 1;
            if last == 0 && !before.trim().is_empty() {
                return Err("text outside of elements".to_owned());
            }
            open[last].text.push_str(&unescaped(before));
            if let Some(mark) = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>"), ("!", ">")]
                .iter()
                .find(|(begin, _)| self.rest().starts_with(begin))
            {
                self.at += mark.0.len();
                match self.until(mark.1) {
                    Some(data) if mark.0 == "![CDATA[" => open[last].text.push_str(data),
                    Some(_) => {}
                    None => return Self::ended(open, truncated),
                }
                continue;
            }
            let Some(tag) = self.until(">") else { return Self::ended(open, truncated) };
            if let Some(name) = tag.strip_prefix('/') {
                let Some(closed) = open.pop().filter(|closed| closed.name == name.trim() && !open.is_empty())
                else {
                    return Err(format!("[/{name}] closes nothing"));
                };
                let last = open.len() - 1;
                open[last].children.push(closed);
                continue;
            }
            let element = element_of(tag.strip_suffix('/').unwrap_or(tag))?;
            if tag.ends_with('/') {
                open[last].children.push(element);
            } else if open.len() > DEPTH_MAX {
                return Err(format!("elements are nested deeper than [{DEPTH_MAX}]"));
            } else {
                open.push(element);
            }
        }
    }

    fn ended(mut open: Vec<Element>, truncated: bool) -> Result<(Vec<Element>, bool), String> {
        let complete = open.len() == 1;
        if !complete && !truncated {
            return Err("an element is not closed".to_owned());
        }
        if open.len() > 1 {
            // What is whole inside the outermost element counts.
            open.truncate(2);
            let outermost = open.pop().unwrap_or_default();
            open[0].children.push(outermost);
        }
        let roots = open.pop().map(|root| root.children).unwrap_or_default();
        Ok((roots, complete))
    }
}

fn element_of(tag: &str) -> Result<Element, String> {
    let tag = tag.trim();
    let end = tag.find(char::is_whitespace).unwrap_or(tag.len());
    let (name, mut rest) = tag.split_at(end);
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.');
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!("[{name}] is no name of an element"));
    }
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    while let Some((attribute, after)) = rest.trim_start().split_once('=') {
        let after = after.trim_start();
        let Some(quote) = after.chars().next().filter(|c| matches!(c, '"' | '\'')) else { break };
        let Some((value, more)) = after[1..].split_once(quote) else { break };
        element.attributes.push((attribute.trim().to_owned(), Value::String(unescaped(value))));
        rest = more;
    }
    Ok(element)
}

fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_messages() {
        let text = "<log4j:event logger=\"a\" timestamp=\"1526649688123\" level=\"INFO\">\n<log4j:message><![CDATA[x < y]]></log4j:message>\n</log4j:event>\n<log4j:event logger=\"b\" timestamp=\"1526649688124\" level=\"WARN\">\n<log4j:message>z</log4j:message></log4j:event>\n";
        let found = find(text, 5, false, &Options::default()).unwrap();
        assert_eq!(found.num_messages_analyzed, 2);
        assert_eq!(found.timestamp_field.as_deref(), Some("timestamp"));
        assert_eq!(found.multiline_start_pattern.as_deref(), Some("^\\s*<log4j:event"));
        assert_eq!(found.field_stats["log4j:message"]["cardinality"], 2);
        assert_eq!(found.mappings["properties"]["log4j:event"]["properties"]["level"]["type"], "keyword");
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        for text in ["plain\ntext\n", "<a>\n<b>\n", "<a></b>\n", "<a/> text\n", "< >\n"] {
            assert!(find(text, 2, false, &Options::default()).is_err(), "{text}");
        }
    }
}
