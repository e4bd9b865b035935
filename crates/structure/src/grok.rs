//! Grok: named patterns for kinds of values (`IP`, `NUMBER`, …) and expressions made of them, `%{IP:client}`.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use crate::{Error, Result};

/// Patterns inside patterns, at most.
const DEPTH_MAX: usize = 16;
/// Bytes that a compiled expression may take.
const COMPILED_MAX: usize = 10 * 1024 * 1024;

/// An expression that is ready to be used.
#[derive(Clone, Debug)]
pub struct Grok {
    regex: Regex,
    /// The field of each group of the compiled expression.
    fields: BTreeMap<String, String>,
}

/// A part of a text that a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken<'t> {
    /// The part.
    pub text: &'t str,
    /// Characters before it.
    pub offset: usize,
    /// Its characters.
    pub length: usize,
}

/// The named patterns. What stands inside `%{}` is another one of them.
#[rustfmt::skip]
const LIBRARY: &[(&str, &str)] = &[
    ("USERNAME", r"[a-zA-Z0-9._-]+"),
    ("USER", "%{USERNAME}"),
    ("EMAILLOCALPART", r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~]{1,64}(?:\.[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~]{1,62}){0,63}"),
    ("EMAILADDRESS", "%{EMAILLOCALPART}@%{HOSTNAME}"),
    ("INT", r"[+-]?[0-9]+"),
    ("BASE10NUM", r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"),
    ("NUMBER", "%{BASE10NUM}"),
    ("BASE16NUM", r"[+-]?(?:0x)?[0-9A-Fa-f]+"),
    ("BASE16FLOAT", r"[+-]?(?:0x)?(?:[0-9A-Fa-f]+(?:\.[0-9A-Fa-f]*)?|\.[0-9A-Fa-f]+)"),
    ("POSINT", r"\b[1-9][0-9]*\b"),
    ("NONNEGINT", r"\b[0-9]+\b"),
    ("WORD", r"\b\w+\b"),
    ("NOTSPACE", r"\S+"),
    ("SPACE", r"\s*"),
    ("DATA", ".*?"),
    ("GREEDYDATA", ".*"),
    ("QUOTEDSTRING", r#"(?:"(?:\\.|[^\\"])*"|'(?:\\.|[^\\'])*'|`(?:\\.|[^\\`])*`)"#),
    ("QS", "%{QUOTEDSTRING}"),
    ("UUID", r"[A-Fa-f0-9]{8}-(?:[A-Fa-f0-9]{4}-){3}[A-Fa-f0-9]{12}"),
    ("URN", r"urn:[0-9A-Za-z][0-9A-Za-z-]{0,31}:[0-9a-zA-Z()+,.:=@;$_!*'/?#-]+"),
    ("CISCOMAC", r"(?:[A-Fa-f0-9]{4}\.){2}[A-Fa-f0-9]{4}"),
    ("WINDOWSMAC", r"(?:[A-Fa-f0-9]{2}-){5}[A-Fa-f0-9]{2}"),
    ("COMMONMAC", r"(?:[A-Fa-f0-9]{2}:){5}[A-Fa-f0-9]{2}"),
    ("MAC", "(?:%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC})"),
    ("IPV4", r"\b(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\b"),
    ("IPV6", r"(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?::(?:[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){0,6})?(?:%[0-9A-Za-z]+)?"),
    ("IP", "(?:%{IPV6}|%{IPV4})"),
    ("HOSTNAME", r"\b[0-9A-Za-z][0-9A-Za-z-]{0,62}(?:\.[0-9A-Za-z][0-9A-Za-z-]{0,62})*\.?"),
    ("IPORHOST", "(?:%{IP}|%{HOSTNAME})"),
    ("HOSTPORT", "%{IPORHOST}:%{POSINT}"),
    ("UNIXPATH", r"(?:/[\w_%!$@:.,+~-]*)+"),
    ("WINPATH", r"(?:[A-Za-z]+:|\\)(?:\\[^\\?*]*)+"),
    ("PATH", "(?:%{UNIXPATH}|%{WINPATH})"),
    ("TTY", r"/dev/(?:pts|tty(?:[pq])?)(?:\w+)?/?[0-9]+"),
    ("URIPROTO", r"[A-Za-z](?:[A-Za-z0-9+\-.]+)+"),
    ("URIHOST", r"%{IPORHOST}(?::%{POSINT})?"),
    ("URIPATH", r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+"),
    ("URIPARAM", r"\?[A-Za-z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>-]*"),
    ("URIPATHPARAM", "%{URIPATH}(?:%{URIPARAM})?"),
    ("URI", r"%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?"),
    ("MONTH", r"\b(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?|[Ss]ep(?:tember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b"),
    ("MONTHNUM", r"(?:0?[1-9]|1[0-2])"),
    ("MONTHNUM2", r"(?:0[1-9]|1[0-2])"),
    ("MONTHDAY", r"(?:0[1-9]|[12][0-9]|3[01]|[1-9])"),
    ("DAY", r"(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)"),
    ("YEAR", r"(?:\d\d){1,2}"),
    ("HOUR", r"(?:2[0123]|[01]?[0-9])"),
    ("MINUTE", r"[0-5][0-9]"),
    ("SECOND", r"(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?"),
    ("TIME", "%{HOUR}:%{MINUTE}(?::%{SECOND})"),
    ("DATE_US", "%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}"),
    ("DATE_EU", "%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}"),
    ("ISO8601_TIMEZONE", r"(?:Z|[+-]%{HOUR}(?::?%{MINUTE}))"),
    ("ISO8601_SECOND", "%{SECOND}"),
    ("TIMESTAMP_ISO8601", r"%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?\s?%{ISO8601_TIMEZONE}?"),
    ("DATE", "(?:%{DATE_US}|%{DATE_EU})"),
    ("DATESTAMP", "%{DATE}[- ]%{TIME}"),
    ("TZ", "(?:[A-Z]{3,4})"),
    ("DATESTAMP_RFC822", "%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}"),
    ("DATESTAMP_RFC2822", "%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} [+-][0-9]{4}"),
    ("DATESTAMP_OTHER", "%{DAY} %{MONTH} +%{MONTHDAY} %{TIME} %{TZ} %{YEAR}"),
    ("DATESTAMP_EVENTLOG", "%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}"),
    ("HTTPDERROR_DATE", "%{DAY} %{MONTH} +%{MONTHDAY} %{TIME} %{YEAR}"),
    ("CATALINA_DATESTAMP", "%{MONTH} %{MONTHDAY}, %{YEAR} %{HOUR}:%{MINUTE}:%{SECOND} (?:AM|PM)"),
    ("TOMCAT_DATESTAMP", "%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:%{MINUTE}:%{SECOND} %{ISO8601_TIMEZONE}"),
    ("SYSLOGTIMESTAMP", "%{MONTH} +%{MONTHDAY} %{TIME}"),
    ("PROG", r"[\x21-\x5a\x5c\x5e-\x7e]+"),
    ("SYSLOGPROG", r"%{PROG:program}(?:\[%{POSINT:pid}\])?"),
    ("SYSLOGHOST", "%{IPORHOST}"),
    ("SYSLOGBASE", "%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:"),
    ("SYSLOGFACILITY", r"<%{NONNEGINT:facility}\.%{NONNEGINT:priority}>"),
    ("SYSLOGLINE", "%{SYSLOGBASE} %{GREEDYDATA:message}"),
    ("HTTPDATE", "%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} [+-]?[0-9]+"),
    ("HTTPDUSER", "(?:%{EMAILADDRESS}|%{USER})"),
    ("COMMONAPACHELOG", r#"%{IPORHOST:clientip} %{HTTPDUSER:ident} %{HTTPDUSER:auth} \[%{HTTPDATE:timestamp}\] "(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" (?:-|%{NUMBER:response}) (?:-|%{NUMBER:bytes})"#),
    ("COMBINEDAPACHELOG", "%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}"),
    ("LOGLEVEL", r"(?:[Aa]lert|ALERT|[Tt]race|TRACE|[Dd]ebug|DEBUG|[Nn]otice|NOTICE|[Ii]nfo(?:rmation)?|INFO(?:RMATION)?|[Ww]arn(?:ing)?|WARN(?:ING)?|[Ee]rr(?:or)?|ERR(?:OR)?|[Cc]rit(?:ical)?|CRIT(?:ICAL)?|[Ff]atal|FATAL|[Ss]evere|SEVERE|EMERG(?:ENCY)?|[Ee]merg(?:ency)?)"),
    ("JAVACLASS", r"(?:[a-zA-Z$_][a-zA-Z$_0-9]*\.)*[a-zA-Z$_][a-zA-Z$_0-9]*"),
    ("JAVAFILE", r"[a-zA-Z$_0-9. -]+"),
];

/// Names that only the Elastic Common Schema has, by their older names.
const ECS: &[(&str, &str)] = &[
    ("clientip", "source.address"),
    ("ident", "apache.access.user.identity"),
    ("auth", "user.name"),
    ("verb", "http.request.method"),
    ("request", "url.original"),
    ("httpversion", "http.version"),
    ("response", "http.response.status_code"),
    ("bytes", "http.response.body.bytes"),
    ("referrer", "http.request.referrer"),
    ("agent", "user_agent.original"),
    ("logsource", "host.hostname"),
    ("program", "process.name"),
    ("pid", "process.pid"),
    ("loglevel", "log.level"),
    ("ipaddress", "related.ip"),
    ("path", "file.path"),
];

/// The name of a field in the Elastic Common Schema, if it has another there.
pub fn ecs_name(field: &str) -> &str {
    ECS.iter().find(|(old, _)| *old == field).map_or(field, |(_, new)| new)
}

impl Grok {
    /// Reads an expression. `ecs` gives the fields of the library's own patterns their names in the common schema.
    ///
    /// # Errors
    /// When it names an unknown pattern or is not well formed.
    pub fn new(expression: &str, ecs: bool) -> Result<Self> {
        let mut fields = BTreeMap::new();
        let expanded = expand(expression, 0, ecs, &mut fields)?;
        let regex = RegexBuilder::new(&expanded).dot_matches_new_line(true).size_limit(COMPILED_MAX).build();
        let regex =
            regex.map_err(|error| Error::Pattern(format!("Invalid grok pattern [{expression}]: {error}")))?;
        for name in regex.capture_names().flatten() {
            fields.entry(name.to_owned()).or_insert_with(|| name.to_owned());
        }
        Ok(Self { regex, fields })
    }

    /// What each field takes of a text, in the order of the expression; `None` if the text does not match.
    pub fn fields<'t>(&self, text: &'t str) -> Option<Vec<(&str, Taken<'t>)>> {
        let parts = self.regex.captures(text)?;
        let named = self.regex.capture_names().flatten();
        let taken = named.filter_map(|group| {
            let part = parts.name(group)?;
            let before = text[..part.start()].chars().count();
            let taken = Taken { text: part.as_str(), offset: before, length: part.as_str().chars().count() };
            Some((self.fields.get(group)?.as_str(), taken))
        });
        Some(taken.collect())
    }

    /// Does all of a text match?
    pub fn matches_all(&self, text: &str) -> bool {
        self.regex.find(text).is_some_and(|found| found.start() == 0 && found.end() == text.len())
    }
}

/// Replaces `%{NAME:field:type}` by what it stands for, with a group for the field.
fn expand(
    expression: &str,
    depth: usize,
    ecs: bool,
    fields: &mut BTreeMap<String, String>,
) -> Result<String> {
    if depth > DEPTH_MAX {
        return Err(Error::Pattern("circular reference in grok patterns".to_owned()));
    }
    let mut expanded = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find("%{") {
        expanded.push_str(&rest[..at]);
        let Some(length) = rest[at..].find('}') else {
            return Err(Error::Pattern(format!("Invalid grok pattern [{expression}]: [%{{] is not closed")));
        };
        let mut parts = rest[at + 2..at + length].splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let pattern = LIBRARY.iter().find(|(known, _)| *known == name).map(|(_, pattern)| *pattern);
        let pattern = pattern.ok_or_else(|| {
            Error::Pattern(format!("Unable to find pattern [{name}] in Grok's pattern dictionary"))
        })?;
        let inner = expand(pattern, depth + 1, ecs, fields)?;
        match parts.next().filter(|field| !field.is_empty()) {
            Some(field) => {
                let field = if ecs && depth > 0 { ecs_name(field) } else { field };
                let group = format!("g{}", fields.len());
                expanded.push_str(&format!("(?P<{group}>{inner})"));
                fields.insert(group, field.to_owned());
            }
            None => expanded.push_str(&format!("(?:{inner})")),
        }
        rest = &rest[at + length + 1..];
    }
    expanded.push_str(rest);
    // Groups of the caller's own have names that our expressions may not.
    Ok(own_groups(&expanded, fields))
}

/// `(?<a.b>…)` becomes a group with a plain name.
fn own_groups(expression: &str, fields: &mut BTreeMap<String, String>) -> String {
    let mut renamed = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find("(?<") {
        let after = &rest[at + 3..];
        renamed.push_str(&rest[..at]);
        match after.find('>').filter(|_| !after.starts_with(['=', '!'])) {
            Some(end) => {
                let group = format!("g{}", fields.len());
                fields.insert(group.clone(), after[..end].to_owned());
                renamed.push_str(&format!("(?P<{group}>"));
                rest = &after[end + 1..];
            }
            None => {
                renamed.push_str("(?<");
                rest = after;
            }
        }
    }
    renamed + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_library_compiles() {
        for (name, _) in LIBRARY {
            Grok::new(&format!("%{{{name}:x}}"), false).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[test]
    fn fields_take_their_parts() {
        let grok = Grok::new(r"Hello %{WORD:first.name} (?<last_name>\w+)", false).unwrap();
        let taken = grok.fields("é Hello John Doe").unwrap();
        assert_eq!(taken[0].0, "first.name");
        assert_eq!(taken[0].1, Taken { text: "John", offset: 8, length: 4 });
        assert_eq!((taken[1].0, taken[1].1.text), ("last_name", "Doe"));
        assert!(grok.fields("Goodbye").is_none());
    }

    #[test]
    fn web_logs_are_read() {
        let line =
            r#"10.0.0.1 - bob [29/Jun/2016:10:11:29 +0100] "GET /a?b=1 HTTP/1.1" 200 123 "-" "curl/7""#;
        let grok = Grok::new("%{COMBINEDAPACHELOG}", false).unwrap();
        assert!(grok.matches_all(line));
        let fields: BTreeMap<&str, &str> =
            grok.fields(line).unwrap().into_iter().map(|(name, taken)| (name, taken.text)).collect();
        assert_eq!(
            (fields["clientip"], fields["response"], fields["agent"]),
            ("10.0.0.1", "200", "\"curl/7\"")
        );
        let ecs = Grok::new("%{COMBINEDAPACHELOG}", true).unwrap();
        assert!(ecs.fields(line).unwrap().iter().any(|(name, _)| *name == "http.response.status_code"));
    }

    #[test]
    fn broken_expressions_are_named() {
        assert!(Grok::new("%{NOSUCH:x}", false).unwrap_err().to_string().contains("[NOSUCH]"));
        assert!(Grok::new("%{WORD:x", false).is_err());
        assert!(Grok::new("(", false).is_err());
    }
}
