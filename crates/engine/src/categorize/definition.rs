//! What a reader sees of a category: terms, regular expression, template, examples, grok pattern.

use types::JobId;
use types::results::{CategoryDefinition, ResultType};

use super::analyzer::{AnalyzedText, Analyzer};
use super::category::Category;
use super::grok::grok_pattern;

/// Stands for what varies in a template.
const WILDCARD: &str = "***";

/// The definition of a category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// From 1.
    pub category_id: u32,
    /// Words common to all messages, in their order, joined by spaces.
    pub terms: String,
    /// Finds the messages of the category (as far as no filter took out a part of a word).
    pub regex: String,
    /// Characters of the longest message and ten per cent.
    pub max_matching_length: u64,
    /// Different messages, the first ones seen, sorted.
    pub examples: Vec<String>,
    /// A pattern for ingest pipelines; matches the examples.
    pub grok_pattern: String,
    /// Messages that were given this id.
    pub num_matches: u64,
    /// Ids of dead categories whose messages this one gets now, ascending.
    pub preferred_to_categories: Vec<u32>,
    /// The category that gets this one's messages now, when it is dead.
    pub superseded_by: Option<u32>,
    /// A message with `***` for what varies.
    pub template: String,
}

impl Definition {
    /// The definition as a result of a job; `partition` is the field and its value when categories are kept apart.
    pub fn into_result(self, job_id: &JobId, partition: Option<(&str, &str)>) -> CategoryDefinition {
        CategoryDefinition {
            job_id: job_id.clone(),
            result_type: ResultType::CategoryDefinition,
            category_id: u64::from(self.category_id),
            terms: self.terms,
            regex: self.regex,
            max_matching_length: self.max_matching_length,
            examples: self.examples,
            grok_pattern: Some(self.grok_pattern),
            num_matches: self.num_matches,
            preferred_to_categories: self.preferred_to_categories.into_iter().map(u64::from).collect(),
            template: Some(self.template),
            partition_field_name: partition.map(|(field, _)| field.to_owned()),
            partition_field_value: partition.map(|(_, value)| value.to_owned()),
            mlcategory: self.category_id.to_string(),
        }
    }
}

/// An example cut at the words common to all messages.
pub(super) struct Gaps<'a> {
    /// Text before the first word, between words, after the last: one more than there are words.
    pub(super) texts: Vec<&'a str>,
}

pub(super) fn define(id: u32, category: &Category, analyzer: &Analyzer, examples_limit: usize) -> Definition {
    let fold_case = analyzer.changes_case();
    let words: Vec<&str> = category.words.iter().map(|w| &*w.text).collect();
    let mut analyzed: Vec<(&str, AnalyzedText)> = Vec::new();
    for example in &category.examples {
        let mut text = AnalyzedText::default();
        analyzer.analyze(example, &mut text);
        analyzed.push((example, text));
    }
    let mut examples: Vec<String> =
        category.examples.iter().take(examples_limit).map(|e| e.to_string()).collect();
    examples.sort_unstable();
    let regex = regex_of(&words, fold_case);
    let gaps: Option<Vec<Gaps<'_>>> = analyzed.iter().map(|(m, a)| gaps(category, m, a)).collect();
    let grok = gaps.and_then(|gaps| grok_pattern(&words, &gaps, &category.examples));
    Definition {
        category_id: id,
        terms: words.join(" "),
        max_matching_length: (category.longest + category.longest / 10) as u64,
        examples,
        grok_pattern: grok.unwrap_or_else(|| regex.clone()),
        regex,
        num_matches: category.matches,
        preferred_to_categories: category.preferred_to.clone(),
        superseded_by: category.superseded_by,
        template: template(category, analyzed.first()),
    }
}

fn regex_of(words: &[&str], fold_case: bool) -> String {
    let prefix = if fold_case { "(?i)" } else { "" };
    if words.is_empty() {
        return format!("{prefix}.*");
    }
    let escaped: Vec<String> = words.iter().map(|w| escape(w)).collect();
    format!("{prefix}.*?{}.*", escaped.join(".+?"))
}

/// Escapes what has a meaning in regular expressions, and nothing else: people read these.
pub(super) fn escape(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Cuts an example at the common words; `None` where the words are not found (a cut or filtered example).
fn gaps<'a>(category: &Category, message: &'a str, analyzed: &'a AnalyzedText) -> Option<Gaps<'a>> {
    let text = analyzed.text(message);
    let (mut texts, mut from) = (Vec::new(), 0);
    let mut tokens = analyzed.tokens.iter();
    for word in &category.words {
        let token = tokens.find(|t| t.hash == word.hash)?;
        texts.push(text.get(from..token.start as usize)?);
        from = token.end as usize;
    }
    texts.push(text.get(from..)?);
    Some(Gaps { texts })
}

/// The first example with wildcards for what is not common; its punctuation stays.
fn template(category: &Category, first: Option<&(&str, AnalyzedText)>) -> String {
    let Some((message, analyzed)) = first else {
        let words: Vec<&str> = category.words.iter().map(|w| &*w.text).collect();
        return words.join(&format!(" {WILDCARD} "));
    };
    let text = analyzed.text(message);
    let mut words = category.words.iter().peekable();
    let mut out = String::with_capacity(text.len());
    let (mut from, mut wildcard_at) = (0, usize::MAX);
    // Brackets that opened within the last wildcard close with it.
    let mut closing: &[char] = &[];
    for token in &analyzed.tokens {
        let (start, end) = (token.start as usize, token.end as usize);
        let mut between = text.get(from..start).unwrap_or_default();
        if wildcard_at == out.len() {
            between = between.trim_start_matches(closing);
        }
        from = end;
        if words.next_if(|w| w.hash == token.hash).is_some() {
            out.push_str(between);
            out.push_str(token.text(text));
        } else if wildcard_at == out.len() && between.trim().is_empty() {
            continue; // wildcards side by side are one
        } else {
            out.push_str(between);
            out.push_str(WILDCARD);
            wildcard_at = out.len();
            closing = if token.text(text).contains(['(', '[', '{']) { &[')', ']', '}'] } else { &[] };
        }
    }
    let rest = text.get(from..).unwrap_or_default();
    out.push_str(if wildcard_at == out.len() { rest.trim_start_matches(closing) } else { rest });
    out.trim().to_owned()
}
