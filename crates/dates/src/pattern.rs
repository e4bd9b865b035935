//! Patterns of Java's `DateTimeFormatter`: the letters that dates of documents use, without locales.

use super::civil::{DAY_MS, days_from_civil, days_in_month, week_year_start};
use super::zone::{Zone, parse_offset};

/// What to take for the parts that a date string lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The earliest time: `2026-01-31` is its first millisecond.
    Earliest,
    /// The latest time of day: `2026-01-31` is its last millisecond. A missing month or day is January or 1 all the same,
    /// as in Elasticsearch.
    Latest,
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    pub(super) items: Vec<Item>,
    /// Named formats take any number of digits for a fraction, and (unless strict) fewer digits for the rest.
    pub(super) leniency: Leniency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leniency {
    /// A pattern of the user's: exactly what it says.
    Pattern,
    /// `strict_…`: any fraction.
    NamedStrict,
    /// Any fraction, and numbers of fewer digits where no digit follows.
    Named,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    Literal(String),
    /// A pattern letter and how often it stands there.
    Field(char, usize),
    Optional(Vec<Item>),
}

/// The largest year, on either side, that is read.
const YEAR_MAX: i64 = 200_000_000;

const LETTERS: &str = "yuMLdDHkKhmsSnAaEeYwXxZzV";

/// What was read of a date; what a pattern does not have is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Parts {
    pub(super) year: Option<i64>,
    pub(super) month: Option<i64>,
    pub(super) day: Option<i64>,
    pub(super) day_of_year: Option<i64>,
    pub(super) week_year: Option<i64>,
    pub(super) week: Option<i64>,
    pub(super) weekday: Option<i64>,
    pub(super) hour: Option<i64>,
    pub(super) hour12: Option<i64>,
    pub(super) afternoon: Option<bool>,
    pub(super) minute: Option<i64>,
    pub(super) second: Option<i64>,
    pub(super) nanos: Option<i64>,
    pub(super) milli_of_day: Option<i64>,
    pub(super) offset_s: Option<i32>,
    pub(super) zone: Option<Zone>,
}

impl Parts {
    /// The moment, in `zone` unless the text named one; `None` for a date that does not exist, such as 30 February.
    pub(super) fn resolve(&self, zone: &Zone, missing: Missing) -> Option<i64> {
        let late = missing == Missing::Latest;
        let in_range = |value: Option<i64>, default: i64, most: i64| {
            let value = value.unwrap_or(default);
            (0..=most).contains(&value).then_some(value)
        };
        let time = if let Some(milli) = self.milli_of_day {
            in_range(Some(milli), 0, DAY_MS - 1)?
        } else {
            let hour = match (self.hour, self.hour12) {
                (None, Some(hour)) => Some(hour % 12 + if self.afternoon == Some(true) { 12 } else { 0 }),
                (hour, _) => hour,
            };
            let hour = in_range(hour, if late { 23 } else { 0 }, 23)?;
            let minute = in_range(self.minute, if late { 59 } else { 0 }, 59)?;
            let second = in_range(self.second, if late { 59 } else { 0 }, 59)?;
            let nanos = in_range(self.nanos, if late { 999_999_999 } else { 0 }, 999_999_999)?;
            ((hour * 60 + minute) * 60 + second) * 1000 + nanos / 1_000_000
        };
        let local = self.days()? * DAY_MS + time;
        match (self.offset_s, &self.zone) {
            (Some(offset), _) => Some(local - i64::from(offset) * 1000),
            (None, Some(own)) => Some(own.to_utc(local)),
            (None, None) => Some(zone.to_utc(local)),
        }
    }

    fn days(&self) -> Option<i64> {
        // Nine digits of a year fit the pattern, but their milliseconds would not fit.
        if self.year.or(self.week_year).is_some_and(|year| year.abs() > YEAR_MAX) {
            return None;
        }
        if let Some(week_year) = self.week_year {
            let week = self.week.unwrap_or(1);
            let weekday = self.weekday.unwrap_or(1);
            if !(1..=53).contains(&week) || !(1..=7).contains(&weekday) {
                return None;
            }
            return Some(week_year_start(week_year) + (week - 1) * 7 + weekday - 1);
        }
        let year = self.year.unwrap_or(1970);
        if let Some(day) = self.day_of_year {
            let length = days_from_civil(year + 1, 1, 1) - days_from_civil(year, 1, 1);
            return (1..=length).contains(&day).then(|| days_from_civil(year, 1, 1) + day - 1);
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return None;
        }
        Some(days_from_civil(year, month, day))
    }
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub(super) fn compile(text: &str, leniency: Leniency) -> Result<Self, String> {
        let mut stack: Vec<Vec<Item>> = vec![Vec::new()];
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let item = match c {
                '[' => {
                    stack.push(Vec::new());
                    continue;
                }
                ']' => match stack.pop() {
                    Some(inner) if !stack.is_empty() => Item::Optional(inner),
                    _ => return Err("Pattern invalid as it contains ] without previous [".to_owned()),
                },
                '\'' => Item::Literal(quoted(&mut chars)?),
                '{' | '}' | '#' => return Err(format!("Pattern includes reserved character: '{c}'")),
                c if c.is_ascii_alphabetic() => {
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    if !LETTERS.contains(c) {
                        return Err(format!("Unknown pattern letter: {c}"));
                    }
                    if count > 9 {
                        return Err(format!("Too many pattern letters: {c}"));
                    }
                    Item::Field(c, count)
                }
                c => Item::Literal(c.to_string()),
            };
            stack.last_mut().expect("the outermost level is never popped").push(item);
        }
        match (stack.pop(), stack.is_empty()) {
            (Some(items), true) => Ok(Self { items, leniency }),
            _ => Err("Pattern invalid as it contains [ without ]".to_owned()),
        }
    }

    /// Reads a whole text.
    pub(super) fn parse(&self, text: &str) -> Option<Parts> {
        let mut parts = Parts::default();
        let rest = self.read(&self.items, text, &mut parts)?;
        rest.is_empty().then_some(parts)
    }

    fn read<'t>(&self, items: &[Item], text: &'t str, parts: &mut Parts) -> Option<&'t str> {
        let mut rest = text;
        for (index, item) in items.iter().enumerate() {
            rest = match item {
                Item::Literal(literal) => rest.strip_prefix(literal.as_str())?,
                Item::Optional(inner) => {
                    let mut attempt = parts.clone();
                    match self.read(inner, rest, &mut attempt) {
                        Some(after) => {
                            *parts = attempt;
                            after
                        }
                        None => rest,
                    }
                }
                Item::Field(letter, count) => {
                    let adjacent =
                        matches!(items.get(index + 1), Some(Item::Field(next, n)) if is_numeric(*next, *n));
                    self.read_field(*letter, *count, adjacent, rest, parts)?
                }
            };
        }
        Some(rest)
    }

    /// `adjacent`: a number follows without anything between, so that this one has exactly as many digits as letters.
    fn read_field<'t>(
        &self,
        letter: char,
        count: usize,
        adjacent: bool,
        text: &'t str,
        parts: &mut Parts,
    ) -> Option<&'t str> {
        let least = if self.leniency == Leniency::Named && !adjacent { 1 } else { count };
        let exact =
            |most: usize| number(text, if count == 1 && !adjacent { 1 } else { least }, most.max(count));
        let read = |slot: &mut Option<i64>, found: Option<(i64, &'t str)>| {
            let (value, rest) = found?;
            *slot = Some(value);
            Some(rest)
        };
        let two = if count == 1 && adjacent { 1 } else { 2 };
        match letter {
            'y' | 'u' if count == 2 => {
                let (value, rest) = number(text, 2, 2)?;
                parts.year = Some(2000 + value);
                Some(rest)
            }
            'y' | 'u' => read(&mut parts.year, year(text, count, least, adjacent)),
            'Y' => read(&mut parts.week_year, year(text, count, least, adjacent)),
            'M' | 'L' if count >= 3 => read(&mut parts.month, name(text, &MONTHS, count)),
            'M' | 'L' => read(&mut parts.month, exact(two)),
            'd' => read(&mut parts.day, exact(two)),
            'D' => read(&mut parts.day_of_year, number(text, least, 3)),
            'w' => read(&mut parts.week, exact(two)),
            'E' => read(&mut parts.weekday, name(text, &WEEKDAYS, count)),
            'e' if count >= 3 => read(&mut parts.weekday, name(text, &WEEKDAYS, count)),
            'e' => read(&mut parts.weekday, number(text, 1, 1)),
            'H' => read(&mut parts.hour, exact(two)),
            'k' => {
                let (value, rest) = exact(two)?;
                parts.hour = Some(value % 24);
                Some(rest)
            }
            'h' | 'K' => read(&mut parts.hour12, exact(two)),
            'm' => read(&mut parts.minute, exact(two)),
            's' => read(&mut parts.second, exact(two)),
            'n' => read(&mut parts.nanos, number(text, 1, 9)),
            'A' => read(&mut parts.milli_of_day, number(text, 1, 8)),
            _ => self.read_unnumbered(letter, count, text, parts),
        }
    }

    /// Fractions, halves of the day, offsets and zones.
    fn read_unnumbered<'t>(
        &self,
        letter: char,
        count: usize,
        text: &'t str,
        parts: &mut Parts,
    ) -> Option<&'t str> {
        match letter {
            'S' => {
                let any = self.leniency != Leniency::Pattern;
                let digits =
                    text.bytes().take(if any { 9 } else { count }).take_while(u8::is_ascii_digit).count();
                if digits == 0 || (!any && digits != count) {
                    return None;
                }
                let value: i64 = text[..digits].parse().ok()?;
                parts.nanos = Some(value * 10_i64.pow(9 - u32::try_from(digits).ok()?));
                Some(&text[digits..])
            }
            'a' => {
                let half = text.get(..2)?;
                let afternoon = half.eq_ignore_ascii_case("pm");
                if !afternoon && !half.eq_ignore_ascii_case("am") {
                    return None;
                }
                parts.afternoon = Some(afternoon);
                Some(&text[2..])
            }
            'X' | 'x' | 'Z' => {
                let (seconds, rest) = parse_offset(text)?;
                parts.offset_s = Some(seconds);
                Some(rest)
            }
            'z' | 'V' => {
                let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "/_+-:".contains(c)));
                let (id, rest) = text.split_at(end.unwrap_or(text.len()));
                parts.zone = Some(Zone::parse(id).ok()?);
                Some(rest)
            }
            _ => None,
        }
    }
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    if chars.next_if_eq(&'\'').is_some() {
        return Ok("'".to_owned());
    }
    let mut literal = String::new();
    loop {
        match chars.next() {
            None => return Err("Pattern ends with an incomplete string literal".to_owned()),
            Some('\'') if chars.next_if_eq(&'\'').is_some() => literal.push('\''),
            Some('\'') => return Ok(literal),
            Some(c) => literal.push(c),
        }
    }
}

fn is_numeric(letter: char, count: usize) -> bool {
    match letter {
        'M' | 'L' | 'e' => count < 3,
        'a' | 'E' | 'X' | 'x' | 'Z' | 'z' | 'V' => false,
        _ => true,
    }
}

fn number(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least || digits == 0 {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn year(text: &str, count: usize, least: usize, adjacent: bool) -> Option<(i64, &str)> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let most = if adjacent || count == 4 { count } else { 9 };
    let (value, rest) = number(unsigned, least, most)?;
    Some((if negative { -value } else { value }, rest))
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Three letters: the short name; more: the whole one.
fn name<'t>(text: &'t str, names: &[&str], count: usize) -> Option<(i64, &'t str)> {
    names.iter().zip(1..).find_map(|(name, value)| {
        let wanted = if count == 4 { name } else { &name[..3] };
        let head = text.get(..wanted.len())?;
        head.eq_ignore_ascii_case(wanted).then(|| (value, &text[wanted.len()..]))
    })
}
