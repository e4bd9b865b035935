//! Formats of times, and finding them in text.

use std::sync::LazyLock;

use regex::Regex;

/// One format.
#[derive(Debug)]
struct Known {
    /// A name of the grok library, or a pattern of its own for `CUSTOM_TIMESTAMP`.
    grok: &'static str,
    /// Java's letters; `{frac}` and `{zone}` are filled in with what the text has.
    java: &'static [&'static str],
    regex: Regex,
    /// Short form of the pattern, for the beginning of messages.
    start: &'static str,
}

/// A format as it occurs in a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) java: Vec<String>,
    pub(crate) grok: &'static str,
    pub(crate) has_zone: bool,
    /// Pattern of the beginning of messages that begin with it.
    pub(crate) start: &'static str,
    index: usize,
}

/// Where a time is in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Grok, Java formats, pattern, pattern of the start. More special ones stand before more general ones.
#[rustfmt::skip]
const TABLE: &[(&str, &[&str], &str, &str)] = &[
    ("TIMESTAMP_ISO8601", &["ISO8601"],
        r"(?P<y>\d{4})-(?P<mo>\d{2})-(?P<d>\d{2})T(?P<h>\d{2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?P<frac>[.,]\d{1,9})?)?(?P<zone>Z|[+-]\d{2}:?\d{2})?",
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"),
    ("TIMESTAMP_ISO8601", &["yyyy-MM-dd HH:mm:ss{frac}{zone}"],
        r"(?P<y>\d{4})-(?P<mo>\d{2})-(?P<d>\d{2}) (?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<frac>[.,:]\d{1,9})?(?P<zone> ?(?:Z|[+-]\d{2}:?\d{2})\b)?",
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"),
    ("%{YEAR}-%{MONTHNUM2}-%{MONTHDAY}-%{HOUR}\\.%{MINUTE}\\.%{SECOND}", &["yyyy-MM-dd-HH.mm.ss{frac}"],
        r"(?P<y>\d{4})-(?P<mo>\d{2})-(?P<d>\d{2})-(?P<h>\d{2})\.(?P<mi>\d{2})\.(?P<s>\d{2})(?P<frac>[.,]\d{1,9})?",
        r"\d{4}-\d{2}-\d{2}-\d{2}\.\d{2}"),
    ("HTTPDATE", &["dd/MMM/yyyy:HH:mm:ss XX"],
        r"(?P<d>\d{2})/(?P<mon>[A-Z][a-z]{2})/(?P<y>\d{4}):(?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<zone> [+-]\d{4})",
        r"\d{2}/[A-Z]\S{2}/\d{4}:\d{2}:\d{2}"),
    ("DATESTAMP_RFC2822", &["EEE, dd MMM yyyy HH:mm:ss XX", "EEE, d MMM yyyy HH:mm:ss XX"],
        r"[A-Z][a-z]{2}, (?P<d>\d{1,2}) (?P<mon>[A-Z][a-z]{2}) (?P<y>\d{4}) (?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<zone> [+-]\d{4})",
        r"[A-Z]\S{2}, \d{1,2} [A-Z]\S{2} \d{4}"),
    ("DATESTAMP_OTHER", &["EEE MMM dd HH:mm:ss zzz yyyy", "EEE MMM d HH:mm:ss zzz yyyy"],
        r"[A-Z][a-z]{2} (?P<mon>[A-Z][a-z]{2}) {1,2}(?P<d>\d{1,2}) (?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<zone> [A-Z]{3,4}) (?P<y>\d{4})",
        r"[A-Z]\S{2} [A-Z]\S{2} {1,2}\d{1,2} \d{2}:\d{2}"),
    ("HTTPDERROR_DATE", &["EEE MMM dd HH:mm:ss{frac} yyyy", "EEE MMM d HH:mm:ss{frac} yyyy"],
        r"[A-Z][a-z]{2} (?P<mon>[A-Z][a-z]{2}) {1,2}(?P<d>\d{1,2}) (?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<frac>[.,]\d{1,9})? (?P<y>\d{4})",
        r"[A-Z]\S{2} [A-Z]\S{2} {1,2}\d{1,2} \d{2}:\d{2}"),
    ("CATALINA_DATESTAMP", &["MMM dd, yyyy h:mm:ss a", "MMM d, yyyy h:mm:ss a"],
        r"(?P<mon>[A-Z][a-z]{2}) (?P<d>\d{1,2}), (?P<y>\d{4}) (?P<h>\d{1,2}):(?P<mi>\d{2}):(?P<s>\d{2}) (?P<half>AM|PM)",
        r"[A-Z]\S{2} \d{1,2}, \d{4} \d{1,2}:\d{2}"),
    ("%{YEAR}/%{MONTHNUM2}/%{MONTHDAY} %{TIME}", &["yyyy/MM/dd HH:mm:ss{frac}"],
        r"(?P<y>\d{4})/(?P<mo>\d{2})/(?P<d>\d{2}) (?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<frac>[.,]\d{1,9})?",
        r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}"),
    ("DATESTAMP", &["dd/MM/yyyy HH:mm:ss{frac}", "MM/dd/yyyy HH:mm:ss{frac}"],
        r"(?P<d1>\d{1,2})/(?P<d2>\d{1,2})/(?P<y>\d{4}) (?P<h>\d{1,2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<frac>[.,]\d{1,9})?",
        r"\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d{2}"),
    ("%{MONTHDAY}\\.%{MONTHNUM2}\\.%{YEAR} %{TIME}", &["dd.MM.yyyy HH:mm:ss{frac}"],
        r"(?P<d>\d{1,2})\.(?P<mo>\d{2})\.(?P<y>\d{4}) (?P<h>\d{1,2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<frac>[.,]\d{1,9})?",
        r"\d{1,2}\.\d{2}\.\d{4} \d{1,2}:\d{2}"),
    ("SYSLOGTIMESTAMP", &["MMM dd HH:mm:ss{frac}", "MMM  d HH:mm:ss{frac}", "MMM d HH:mm:ss{frac}"],
        r"(?P<mon>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(?P<d>\d{1,2}) (?P<h>\d{2}):(?P<mi>\d{2}):(?P<s>\d{2})(?P<frac>[.,]\d{1,9})?",
        r"[A-Z]\S{2} {1,2}\d{1,2} \d{2}:\d{2}"),
    ("%{YEAR}%{MONTHNUM2}%{MONTHDAY} %{HOUR}%{MINUTE}%{SECOND}", &["yyyyMMdd HHmmss"],
        r"(?P<y>(?:19|20)\d{2})(?P<mo>[01]\d)(?P<d>[0-3]\d) (?P<h>[0-2]\d)(?P<mi>[0-5]\d)(?P<s>[0-5]\d)",
        r"\d{8} \d{6}"),
    ("[0-9]{2}%{MONTHNUM2}%{MONTHDAY} %{HOUR}%{MINUTE}%{SECOND}", &["yyMMdd HHmmss"],
        r"(?P<y>\d{2})(?P<mo>[01]\d)(?P<d>[0-3]\d) (?P<h>[0-2]\d)(?P<mi>[0-5]\d)(?P<s>[0-5]\d)",
        r"\d{6} \d{6}"),
    ("%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}", &["yyyyMMddHHmmss"],
        r"(?P<y>(?:19|20)\d{2})(?P<mo>[01]\d)(?P<d>[0-3]\d)(?P<h>[0-2]\d)(?P<mi>[0-5]\d)(?P<s>[0-5]\d)",
        r"\d{14}"),
    ("POSINT", &["UNIX_MS"], r"(?P<ms>1\d{12})", r"\d{13}"),
    ("NUMBER", &["UNIX"], r"(?P<unix>1\d{9})(?P<frac>\.\d{1,9})?", r"\d{10}"),
    // A day alone is ISO 8601 too; who names the format exactly gets it so.
    ("%{YEAR}-%{MONTHNUM2}-%{MONTHDAY}", &["ISO8601"], r"(?P<y>\d{4})-(?P<mo>\d{2})-(?P<d>\d{2})", r"\d{4}-\d{2}-\d{2}"),
    ("%{YEAR}-%{MONTHNUM2}-%{MONTHDAY}", &["yyyy-MM-dd"], r"(?P<y>\d{4})-(?P<mo>\d{2})-(?P<d>\d{2})", r"\d{4}-\d{2}-\d{2}"),
];

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let compiled = TABLE.iter().map(|&(grok, java, pattern, start)| Known {
        grok,
        java,
        regex: Regex::new(pattern).expect("the table is constant"),
        start,
    });
    compiled.collect()
});

/// The format that most texts have, and how many have it. A text that is nothing but the time must be asked for with
/// `whole`.
pub(crate) fn best<'a>(texts: impl Iterator<Item = &'a str> + Clone, whole: bool) -> Option<(Found, usize)> {
    let mut best: Option<(usize, usize)> = None;
    for (index, known) in KNOWN.iter().enumerate() {
        let count = texts.clone().filter(|text| span_of(known, text, whole).is_some()).count();
        if count > best.map_or(0, |(_, count)| count) {
            best = Some((index, count));
        }
    }
    let (index, count) = best?;
    Some((
        described(
            index,
            texts.filter_map(|text| span_of(&KNOWN[index], text, whole).map(|s| &text[s.start..s.end])),
        ),
        count,
    ))
}

/// The format with this Java name, and how many texts have it, if any has; `whole` as for [`best`].
pub(crate) fn named<'a>(
    java: &str,
    texts: impl Iterator<Item = &'a str> + Clone,
    whole: bool,
) -> Option<(Found, usize)> {
    (0..KNOWN.len()).find_map(|index| {
        let spans = |text: &'a str| span_of(&KNOWN[index], text, whole).map(|s| &text[s.start..s.end]);
        let times = texts.clone().filter_map(spans);
        let count = times.clone().count();
        let found = described(index, times);
        (count > 0 && found.java.iter().any(|known| known == java)).then_some((found, count))
    })
}

impl Found {
    /// Where the time is in a text.
    pub(crate) fn span(&self, text: &str) -> Option<Span> {
        span_of(&KNOWN[self.index], text, false)
    }

    /// A number that orders times of this format.
    pub(crate) fn order(&self, text: &str) -> Option<i64> {
        let parts = KNOWN[self.index].regex.captures(text)?;
        let number = |name: &str| parts.name(name).and_then(|part| part.as_str().trim().parse::<i64>().ok());
        if let Some(ms) = number("ms") {
            return Some(ms);
        }
        if let Some(seconds) = number("unix") {
            return Some(seconds * 1000);
        }
        let month = number("mo").or_else(|| {
            let name = parts.name("mon")?.as_str().to_ascii_lowercase();
            MONTHS.iter().position(|month| *month == name).and_then(|index| i64::try_from(index + 1).ok())
        });
        let (day, month) = match (number("d1"), number("d2")) {
            (Some(first), Some(second)) if self.java.first().is_some_and(|java| java.starts_with('M')) => {
                (second, first)
            }
            (Some(first), Some(second)) => (first, second),
            _ => (number("d").unwrap_or(1), month.unwrap_or(1)),
        };
        let afternoon = parts.name("half").is_some_and(|half| half.as_str() == "PM");
        let hour = number("h").unwrap_or(0) % if parts.name("half").is_some() { 12 } else { 24 };
        let hour = hour + if afternoon { 12 } else { 0 };
        // Days are counted in months of 31 days: enough for an order.
        let days = (number("y").unwrap_or(1970) * 12 + month) * 31 + day;
        let ms = ((days * 24 + hour) * 60 + number("mi").unwrap_or(0)) * 60 + number("s").unwrap_or(0);
        let frac = parts.name("frac").map_or("", |frac| frac.as_str());
        let millis: String = frac.chars().skip(1).chain("000".chars()).take(3).collect();
        Some(ms * 1000 + millis.parse::<i64>().unwrap_or(0))
    }
}

fn span_of(known: &Known, text: &str, whole: bool) -> Option<Span> {
    let plain = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    for found in known.regex.find_iter(text) {
        let (start, end) = (found.start(), found.end());
        if whole {
            return (start == 0 && end == text.trim_end().len()).then_some(Span { start, end });
        }
        let before = start.checked_sub(1).and_then(|index| text.as_bytes().get(index));
        let digits_only = known.java.first().is_some_and(|java| java.starts_with("UNIX"));
        if plain(before) && plain(text.as_bytes().get(end)) && !(digits_only && start > 0) {
            return Some(Span { start, end });
        }
    }
    None
}

/// The format with what the texts have of fractions and zones.
fn described<'a>(index: usize, texts: impl Iterator<Item = &'a str>) -> Found {
    let known = &KNOWN[index];
    let (mut frac, mut zone, mut day_first, mut month_first) = (String::new(), String::new(), false, false);
    let mut all_zones = true;
    for text in texts {
        let Some(parts) = known.regex.captures(text) else { continue };
        if let Some(part) = parts.name("frac").map(|part| part.as_str()) {
            let letters = format!("{}{}", &part[..1], "S".repeat(part.len() - 1));
            if letters.len() > frac.len() {
                frac = letters;
            }
        }
        match parts.name("zone").map(|part| part.as_str()) {
            Some(part) => {
                let space = if part.starts_with(' ') { " " } else { "" };
                zone = format!("{space}{}", if part.contains(':') { "XXX" } else { "XX" });
            }
            None => all_zones = false,
        }
        let over_twelve =
            |name: &str| parts.name(name).and_then(|p| p.as_str().parse::<u8>().ok()).is_some_and(|n| n > 12);
        day_first |= over_twelve("d1");
        month_first |= over_twelve("d2");
    }
    let fill = |java: &&str| java.replace("{frac}", &frac).replace("{zone}", &zone);
    let mut java: Vec<String> = known.java.iter().map(fill).collect();
    if known.grok == "DATESTAMP" {
        // Without a day over twelve nobody can say; days first is more common in the world.
        java = vec![java[usize::from(month_first && !day_first)].clone()];
    }
    let epoch = java.first().is_some_and(|java| java.starts_with("UNIX"));
    Found {
        java,
        grok: known.grok,
        has_zone: epoch || (all_zones && !zone.is_empty()),
        start: known.start,
        index,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(text: &str) -> Vec<String> {
        best(std::iter::once(text), false).map_or_else(Vec::new, |(found, _)| found.java)
    }

    #[test]
    fn times_are_found_in_every_form() {
        for (text, java) in [
            ("2018-06-27T11:59:06.123Z hello", "ISO8601"),
            ("[2018-06-27 11:59:06,123] hello", "yyyy-MM-dd HH:mm:ss,SSS"),
            ("a 2018-06-27 11:59:06+02:00 b", "yyyy-MM-dd HH:mm:ssXXX"),
            ("10.0.0.1 - - [29/Jun/2016:10:11:29 +0100] \"GET", "dd/MMM/yyyy:HH:mm:ss XX"),
            ("Jun  7 10:11:29 host sshd[1]: x", "MMM dd HH:mm:ss"),
            ("Sat Jun 11 03:28:22 2005 x", "EEE MMM dd HH:mm:ss yyyy"),
            ("081109 203615 148 INFO x", "yyMMdd HHmmss"),
            ("2005-06-03-15.42.50.363779 R02", "yyyy-MM-dd-HH.mm.ss.SSSSSS"),
            ("1530100746123 x", "UNIX_MS"),
            ("1117838570 x", "UNIX"),
            ("29/06/2016 10:11:29 x", "dd/MM/yyyy HH:mm:ss"),
            ("06/29/2016 10:11:29 x", "MM/dd/yyyy HH:mm:ss"),
        ] {
            assert_eq!(formats(text).first().map(String::as_str), Some(java), "{text}");
        }
        assert!(formats("nothing 12:30 here, 2018").is_empty());
    }

    #[test]
    fn times_are_ordered() {
        let texts = ["Feb  3 10:00:00 a", "Jan 30 10:00:00 b", "Feb  3 09:59:59 c"];
        let (found, count) = best(texts.iter().copied(), false).unwrap();
        assert_eq!(count, 3);
        let order: Vec<i64> = texts.iter().map(|text| found.order(text).unwrap()).collect();
        assert!(order[1] < order[2] && order[2] < order[0]);
        assert!(!found.has_zone);
    }
}
