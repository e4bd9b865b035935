//! Reads `categorization_analyzer`, which has the form of Elasticsearch's analyze API. What is not understood is
//! refused: an analyzer that silently does something else would give other categories than its author expects.

use serde_json::{Map, Value};

use super::analyzer::{Analyzer, Tokenizer};
use super::char_filter::CharFilter;
use super::config::ConfigError;
use super::pattern::{Pattern, replacement};
use super::token_filter::{ENGLISH, TokenFilter};

const ANALYZERS: &str = "standard, simple, whitespace, keyword, stop, pattern";
const CHAR_FILTERS: &str = "first_line_with_letters, first_non_blank_line, pattern_replace, mapping";
const TOKENIZERS: &str = "ml_standard, ml_classic, standard, whitespace, letter, lowercase, keyword, pattern, \
                          simple_pattern, simple_pattern_split, char_group";
const TOKEN_FILTERS: &str = "lowercase, uppercase, trim, stop, limit, length, pattern_replace";

/// Letters, digits and underscores, joined by a point or an apostrophe inside: near to Unicode's word boundaries.
const STANDARD_WORD: &str = r"[\w]+(?:['.’][\w]+)*";
const LETTERS: &str = r"\p{L}+";

/// The first line with letters, less what the filters match, cut by the project's own tokeniser.
pub(super) fn default_analyzer(filters: &[String]) -> Result<Analyzer, ConfigError> {
    let mut char_filters = vec![CharFilter::FirstLineWithLetters];
    for filter in filters {
        let pattern = Pattern::new(filter, "categorization_filters")?;
        char_filters.push(CharFilter::Replace { pattern, replacement: String::new() });
    }
    Ok(Analyzer { char_filters, tokenizer: Tokenizer::Masking, token_filters: Vec::new() })
}

/// # Errors
/// When a part is unknown or has a bad setting.
pub(super) fn parse_analyzer(analyzer: &Value) -> Result<Analyzer, ConfigError> {
    match analyzer {
        Value::String(name) => built_in(name),
        Value::Object(fields) => custom(fields),
        _ => Err(ConfigError::Form("must be the name of an analyzer or an object".to_owned())),
    }
}

fn built_in(name: &str) -> Result<Analyzer, ConfigError> {
    let (tokenizer, filters): (&str, &[&str]) = match name {
        "standard" => ("standard", &["lowercase"]),
        "simple" => ("lowercase", &["lowercase"]),
        "stop" => ("lowercase", &["lowercase", "stop"]),
        "whitespace" => ("whitespace", &[]),
        "keyword" => ("keyword", &[]),
        "pattern" => ("pattern", &["lowercase"]),
        _ => return Err(unsupported("analyzer", name, ANALYZERS)),
    };
    let part = |name: &str| Value::String(name.to_owned());
    let token_filters = filters.iter().map(|f| token_filter(&part(f))).collect::<Result<_, _>>()?;
    Ok(Analyzer { char_filters: Vec::new(), tokenizer: self::tokenizer(&part(tokenizer))?, token_filters })
}

fn custom(fields: &Map<String, Value>) -> Result<Analyzer, ConfigError> {
    if let Some(unknown) =
        fields.keys().find(|k| !matches!(k.as_str(), "char_filter" | "tokenizer" | "filter"))
    {
        return Err(ConfigError::Form(format!("unknown field [{unknown}]")));
    }
    let list = |field: &str| match fields.get(field) {
        None => Ok(Vec::new()),
        Some(Value::Array(parts)) => Ok(parts.clone()),
        Some(_) => Err(ConfigError::Form(format!("[{field}] must be an array"))),
    };
    let Some(tokenizer_part) = fields.get("tokenizer") else {
        return Err(ConfigError::Form("must have a [tokenizer]".to_owned()));
    };
    let char_filters = list("char_filter")?.iter().map(char_filter).collect::<Result<_, _>>()?;
    let tokenizer = tokenizer(tokenizer_part)?;
    let mut token_filters = Vec::new();
    if part_name("tokenizer", tokenizer_part)?.0 == "lowercase" {
        token_filters.push(TokenFilter::LowerCase);
    }
    for part in list("filter")? {
        token_filters.push(token_filter(&part)?);
    }
    Ok(Analyzer { char_filters, tokenizer, token_filters })
}

fn unsupported(kind: &'static str, name: &str, supported: &'static str) -> ConfigError {
    ConfigError::Unsupported { kind, name: name.to_owned(), supported }
}

/// A part is a name, or an object with `type` and settings.
fn part_name<'a>(kind: &'static str, part: &'a Value) -> Result<(&'a str, Settings<'a>), ConfigError> {
    match part {
        Value::String(name) => Ok((name, Settings { kind, name, fields: None })),
        Value::Object(fields) => match fields.get("type") {
            Some(Value::String(name)) => Ok((name, Settings { kind, name, fields: Some(fields) })),
            _ => Err(ConfigError::Form(format!("has a {kind} without [type]"))),
        },
        _ => Err(ConfigError::Form(format!("has a {kind} that is neither a name nor an object"))),
    }
}

fn char_filter(part: &Value) -> Result<CharFilter, ConfigError> {
    let (name, settings) = part_name("char_filter", part)?;
    match name {
        "first_line_with_letters" => settings.only(&[]).map(|()| CharFilter::FirstLineWithLetters),
        "first_non_blank_line" => settings.only(&[]).map(|()| CharFilter::FirstNonBlankLine),
        "pattern_replace" => {
            settings.only(&["pattern", "replacement", "flags"])?;
            Ok(CharFilter::Replace {
                pattern: settings.pattern("char_filter", None)?,
                replacement: replacement(&settings.string("replacement")?.unwrap_or_default()),
            })
        }
        "mapping" => {
            settings.only(&["mappings"])?;
            let pairs = settings.strings("mappings")?.unwrap_or_default();
            let split = |rule: &String| {
                let (from, to) = rule.split_once("=>")?;
                let from = from.trim();
                (!from.is_empty()).then(|| (from.to_owned(), to.trim().to_owned()))
            };
            let read =
                pairs.iter().map(|p| split(p).ok_or_else(|| settings.bad("a mapping must be [from => to]")));
            Ok(CharFilter::Mapping(read.collect::<Result<_, _>>()?))
        }
        _ => Err(unsupported("char_filter", name, CHAR_FILTERS)),
    }
}

fn tokenizer(part: &Value) -> Result<Tokenizer, ConfigError> {
    let (name, settings) = part_name("tokenizer", part)?;
    let own = |pattern: &str| Pattern::new(pattern, "tokenizer");
    match name {
        "ml_standard" | "ml_classic" => settings.only(&[]).map(|()| Tokenizer::Masking),
        "standard" => settings.only(&[]).and_then(|()| Ok(Tokenizer::Matches(own(STANDARD_WORD)?))),
        "whitespace" => settings.only(&[]).and_then(|()| Ok(Tokenizer::Matches(own(r"\S+")?))),
        "letter" | "lowercase" => settings.only(&[]).and_then(|()| Ok(Tokenizer::Matches(own(LETTERS)?))),
        "keyword" => settings.only(&[]).map(|()| Tokenizer::Whole),
        "pattern" => {
            settings.only(&["pattern", "flags", "group"])?;
            let pattern = settings.pattern("tokenizer", Some(r"\W+"))?;
            match settings.integer("group")?.unwrap_or(-1) {
                -1 => Ok(Tokenizer::Between(pattern)),
                0 => Ok(Tokenizer::Matches(pattern)),
                _ => Err(settings.bad("only the groups -1 and 0 are supported")),
            }
        }
        "simple_pattern" => {
            settings.only(&["pattern"])?;
            Ok(Tokenizer::Matches(settings.pattern("tokenizer", None)?))
        }
        "simple_pattern_split" => {
            settings.only(&["pattern"])?;
            Ok(Tokenizer::Between(settings.pattern("tokenizer", None)?))
        }
        "char_group" => {
            settings.only(&["tokenize_on_chars"])?;
            let chars = settings.strings("tokenize_on_chars")?.unwrap_or_default();
            Ok(Tokenizer::Between(own(&char_group(&settings, &chars)?)?))
        }
        _ => Err(unsupported("tokenizer", name, TOKENIZERS)),
    }
}

/// The characters and character classes of a `char_group` tokeniser as a regular expression.
fn char_group(settings: &Settings<'_>, chars: &[String]) -> Result<String, ConfigError> {
    let mut class = String::new();
    for c in chars {
        match c.as_str() {
            "whitespace" => class.push_str(r"\s"),
            "letter" => class.push_str(r"\p{L}"),
            "digit" => class.push_str(r"\p{Nd}"),
            "punctuation" => class.push_str(r"\p{P}"),
            "symbol" => class.push_str(r"\p{S}"),
            "\\n" => class.push_str(r"\n"),
            "\\t" => class.push_str(r"\t"),
            one if one.chars().count() == 1 => class.push_str(&regex::escape(one)),
            _ => return Err(settings.bad("[tokenize_on_chars] holds single characters or names of classes")),
        }
    }
    if class.is_empty() {
        Err(settings.bad("[tokenize_on_chars] is required"))
    } else {
        Ok(format!("[{class}]+"))
    }
}

fn token_filter(part: &Value) -> Result<TokenFilter, ConfigError> {
    let (name, settings) = part_name("filter", part)?;
    match name {
        "lowercase" => settings.only(&[]).map(|()| TokenFilter::LowerCase),
        "uppercase" => settings.only(&[]).map(|()| TokenFilter::UpperCase),
        "trim" => settings.only(&[]).map(|()| TokenFilter::Trim),
        "stop" => {
            settings.only(&["stopwords", "ignore_case"])?;
            let english = || ENGLISH.iter().map(|w| (*w).to_owned()).collect();
            let words = match settings.strings("stopwords")? {
                None => english(),
                Some(words) if words == ["_english_"] => english(),
                Some(words) if words == ["_none_"] => Vec::new(),
                Some(words) => words,
            };
            Ok(TokenFilter::Stop { words, ignore_case: settings.boolean("ignore_case")?.unwrap_or(false) })
        }
        "limit" => {
            settings.only(&["max_token_count", "consume_all_tokens"])?;
            Ok(TokenFilter::Limit(settings.size("max_token_count")?.unwrap_or(1)))
        }
        "length" => {
            settings.only(&["min", "max"])?;
            let (min, max) =
                (settings.size("min")?.unwrap_or(0), settings.size("max")?.unwrap_or(usize::MAX));
            Ok(TokenFilter::Length { min, max })
        }
        "pattern_replace" => {
            settings.only(&["pattern", "replacement", "all", "flags"])?;
            Ok(TokenFilter::Replace {
                pattern: settings.pattern("filter", None)?,
                replacement: replacement(&settings.string("replacement")?.unwrap_or_default()),
                all: settings.boolean("all")?.unwrap_or(true),
            })
        }
        _ => Err(unsupported("filter", name, TOKEN_FILTERS)),
    }
}

/// The settings of one part.
struct Settings<'a> {
    kind: &'static str,
    name: &'a str,
    fields: Option<&'a Map<String, Value>>,
}

impl Settings<'_> {
    fn bad(&self, reason: impl Into<String>) -> ConfigError {
        ConfigError::Setting { kind: self.kind, name: self.name.to_owned(), reason: reason.into() }
    }

    fn only(&self, known: &[&str]) -> Result<(), ConfigError> {
        let mut names = self.fields.into_iter().flat_map(Map::keys);
        match names.find(|k| k.as_str() != "type" && !known.contains(&k.as_str())) {
            Some(unknown) => Err(self.bad(format!("unknown setting [{unknown}]"))),
            None => Ok(()),
        }
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.fields.and_then(|f| f.get(field)).filter(|v| !v.is_null())
    }

    fn string(&self, field: &str) -> Result<Option<String>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.bad(format!("[{field}] must be a string"))),
        }
    }

    /// A list of strings; one string counts as a list of one.
    fn strings(&self, field: &str) -> Result<Option<Vec<String>>, ConfigError> {
        let wrong = || self.bad(format!("[{field}] must be an array of strings"));
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text.clone()])),
            Some(Value::Array(items)) => {
                let text = |v: &Value| v.as_str().map(str::to_owned).ok_or_else(wrong);
                items.iter().map(text).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A number, also one written as a string, as settings of Elasticsearch may be.
    fn integer(&self, field: &str) -> Result<Option<i64>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        number.map(Some).ok_or_else(|| self.bad(format!("[{field}] must be an integer")))
    }

    fn size(&self, field: &str) -> Result<Option<usize>, ConfigError> {
        let size =
            |n: i64| usize::try_from(n).map_err(|_| self.bad(format!("[{field}] must not be negative")));
        self.integer(field)?.map(size).transpose()
    }

    fn boolean(&self, field: &str) -> Result<Option<bool>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(Value::String(s)) if s == "true" || s == "false" => Ok(Some(s == "true")),
            Some(_) => Err(self.bad(format!("[{field}] must be true or false"))),
        }
    }

    /// `pattern` with Java's `flags` (`CASE_INSENSITIVE|COMMENTS`).
    fn pattern(&self, place: &'static str, default: Option<&str>) -> Result<Pattern, ConfigError> {
        let pattern = match (self.string("pattern")?, default) {
            (Some(pattern), _) => pattern,
            (None, Some(default)) => default.to_owned(),
            (None, None) => return Err(self.bad("[pattern] is required")),
        };
        let mut flags = String::new();
        for flag in self.string("flags")?.unwrap_or_default().split('|').filter(|f| !f.trim().is_empty()) {
            flags.push(match flag.trim() {
                "CASE_INSENSITIVE" => 'i',
                "MULTILINE" => 'm',
                "DOTALL" => 's',
                "COMMENTS" => 'x',
                "UNICODE_CASE" | "UNICODE_CHARACTER_CLASS" => continue, // always on here
                other => return Err(self.bad(format!("unknown flag [{other}]"))),
            });
        }
        let prefix = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
        Pattern::new(&format!("{prefix}{pattern}"), place)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::analyzer::AnalyzedText;
    use super::*;

    /// Tokens of a text; values as `<>`.
    fn tokens(analyzer: &Value, text: &str) -> String {
        let mut out = AnalyzedText::default();
        parse_analyzer(analyzer).unwrap().analyze(text, &mut out);
        let show = |t: &super::super::token::Token| {
            if t.is_value() { "<>".to_owned() } else { t.text(out.text(text)).to_owned() }
        };
        out.tokens.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn analyzers_cut_as_their_author_expects() {
        let check = |analyzer: Value, text: &str, expected: &str| {
            assert_eq!(tokens(&analyzer, text), expected, "{analyzer}");
        };
        check(json!("standard"), "The User's file, v2!", "the user's file <>");
        check(json!("simple"), "It's A2B", "it s a b");
        check(json!("stop"), "The end of it", "end");
        check(json!("whitespace"), "Say [hello] 12 13", "Say [hello] <>");
        check(json!({"tokenizer": "keyword"}), "one thing", "one thing");
        check(json!({"tokenizer": {"type": "pattern", "pattern": ","}}), "a,b c,,d", "a b c d");
        check(
            json!({"tokenizer": {"type": "pattern", "pattern": "[a-z]+", "group": 0}}),
            "A bc Def",
            "bc ef",
        );
        check(
            json!({"tokenizer": {"type": "char_group", "tokenize_on_chars": ["whitespace", "-"]}}),
            "a-b c",
            "a b c",
        );
        check(
            json!({"tokenizer": "ml_standard", "filter": [{"type": "limit", "max_token_count": "3"}]}),
            "a 1 b c",
            "a <> b",
        );
        check(
            json!({
                "char_filter": ["first_line_with_letters", {"type": "pattern_replace", "pattern": "\\[statement:.*\\]"}],
                "tokenizer": {"type": "simple_pattern_split", "pattern": "[^-0-9A-Za-z_.]+"},
                "filter": [
                    {"type": "pattern_replace", "pattern": "^[0-9].*"},
                    {"type": "pattern_replace", "pattern": "^[^0-9A-Za-z]+"},
                    {"type": "stop", "stopwords": ["", "Monday"]},
                ],
            }),
            "\n12\nMonday 12:30 query failed [statement: select 1] -now",
            "query failed now",
        );
        check(
            json!({"char_filter": [{"type": "mapping", "mappings": ["& => and"]}], "tokenizer": "ml_classic"}),
            "this & that",
            "this and that",
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let check = |analyzer: Value, expected: &str| {
            let error = parse_analyzer(&analyzer).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(json!(1), "must be the name of an analyzer or an object");
        check(json!("klingon"), "uses the analyzer [klingon], which is not supported");
        check(json!({}), "must have a [tokenizer]");
        check(json!({"tokenizer": "ml_standard", "normalizer": "x"}), "unknown field [normalizer]");
        check(json!({"tokenizer": "ngram"}), "uses the tokenizer [ngram], which is not supported");
        check(json!({"tokenizer": "ml_standard", "filter": ["stemmer"]}), "uses the filter [stemmer]");
        check(json!({"tokenizer": "ml_standard", "filter": "stop"}), "[filter] must be an array");
        check(
            json!({"tokenizer": "ml_standard", "char_filter": ["html_strip"]}),
            "uses the char_filter [html_strip]",
        );
        check(json!({"tokenizer": {"pattern": "x"}}), "a tokenizer without [type]");
        check(json!({"tokenizer": {"type": "pattern", "pattern": "("}}), "invalid regular expression [(]");
        check(
            json!({"tokenizer": {"type": "pattern", "group": 2}}),
            "only the groups -1 and 0 are supported",
        );
        check(
            json!({"tokenizer": "letter", "filter": [{"type": "stop", "words": []}]}),
            "unknown setting [words]",
        );
        check(
            json!({"tokenizer": "letter", "filter": [{"type": "limit", "max_token_count": -1}]}),
            "must not be negative",
        );
    }
}
