//! The brute-force matcher: evaluates a predicate on a document's JSON. The reference for every other executor, and the
//! filter behind those that only narrow down.

use std::ops::Bound;

use serde_json::Value;

use super::field::{Field, FieldKind};
use super::predicate::{Predicate, Test};
use super::value::{Native, natives, relative, visit};

impl Predicate {
    /// Does the document with this id and source fulfil the predicate?
    pub fn matches(&self, id: &str, source: &Value) -> bool {
        self.matches_in(id, source, "")
    }

    /// The same for the object at `base` of a document: a nested object, whose fields have whole paths.
    pub fn matches_in(&self, id: &str, object: &Value, base: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::And(parts) => parts.iter().all(|part| part.matches_in(id, object, base)),
            Self::Or(parts) => parts.iter().any(|part| part.matches_in(id, object, base)),
            Self::AtLeast { count, of } => {
                of.iter().filter(|part| part.matches_in(id, object, base)).take(*count).count() == *count
            }
            Self::Not(part) => !part.matches_in(id, object, base),
            Self::Ids(ids) => ids.binary_search_by(|wanted| wanted.as_str().cmp(id)).is_ok(),
            Self::Value { field, test } => match field.path.as_str() {
                "_id" => test.accepts_term(id),
                _ => test.accepts_field(field, object, base),
            },
            Self::Slice { number, of, field } => share(id, field.as_deref(), object, *of) == *number,
            Self::Nested { path, inner } => {
                let Some(below) = relative(path, base) else { return false };
                let mut found = false;
                visit(object, below, false, &mut |nested| {
                    found = found || (nested.is_object() && inner.matches_in(id, nested, path));
                });
                found
            }
        }
    }
}

/// The share that a document belongs to. Documents without a value belong to the first.
fn share(id: &str, field: Option<&Field>, source: &Value, of: u64) -> u64 {
    let hash = match field {
        None => crc32fast::hash(id.as_bytes()),
        Some(field) => match natives(field, source, "").first() {
            Some(Native::Int(value)) => crc32fast::hash(&value.to_le_bytes()),
            Some(Native::Double(value)) => crc32fast::hash(&value.to_le_bytes()),
            Some(Native::Text(text)) => crc32fast::hash(text.as_bytes()),
            Some(Native::Ip(bits)) => crc32fast::hash(&bits.to_le_bytes()),
            Some(Native::Geo(..)) | None => 0,
        },
    };
    u64::from(hash) % of.max(1)
}

impl Test {
    fn accepts_field(&self, field: &Field, object: &Value, base: &str) -> bool {
        let values = natives(field, object, base);
        match (&field.kind, self) {
            (FieldKind::Text { analyzer }, test) => values.iter().any(|value| {
                let Native::Text(text) = value else { return false };
                test.accepts_text(&analyzer.terms(text))
            }),
            (_, Self::Exists) => !values.is_empty(),
            (_, test) => values.iter().any(|value| test.accepts(value)),
        }
    }

    /// Does one analysed text pass? Tests of single terms pass when one term does.
    pub fn accepts_text(&self, terms: &[String]) -> bool {
        match self {
            Self::Exists => true,
            Self::Phrase { terms: wanted, slop, prefix } => phrase_at(terms, wanted, *slop, *prefix),
            test => terms.iter().any(|term| test.accepts_term(term)),
        }
    }

    /// Does one value pass? Values of text must have been analysed: see [`Test::accepts_text`].
    pub fn accepts(&self, value: &Native) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::IntIn(wanted), Native::Int(value)) => wanted.binary_search(value).is_ok(),
            (Self::IntBetween(lower, upper), Native::Int(value)) => (lower..=upper).contains(&value),
            (Self::DoubleIn(wanted), Native::Double(value)) => wanted.contains(value),
            (Self::DoubleBetween(lower, upper), Native::Double(value)) => within(value, lower, upper),
            (Self::IpIn(blocks), Native::Ip(value)) => {
                blocks.iter().any(|(first, last)| (first..=last).contains(&value))
            }
            (Self::GeoBox(corners), Native::Geo(lat, lon)) => in_box(*lat, *lon, *corners),
            (Self::GeoDistance { centre, metres }, Native::Geo(lat, lon)) => {
                distance_m(*centre, (*lat, *lon)) <= *metres
            }
            (test, Native::Text(term)) => test.accepts_term(term),
            _ => false,
        }
    }

    /// Does one term pass?
    pub fn accepts_term(&self, term: &str) -> bool {
        match self {
            Self::Exists => true,
            Self::TermIn(wanted) => wanted.binary_search_by(|candidate| candidate.as_str().cmp(term)).is_ok(),
            Self::TermBetween(lower, upper) => {
                let after = match lower {
                    Bound::Included(bound) => term >= bound.as_str(),
                    Bound::Excluded(bound) => term > bound.as_str(),
                    Bound::Unbounded => true,
                };
                let before = match upper {
                    Bound::Included(bound) => term <= bound.as_str(),
                    Bound::Excluded(bound) => term < bound.as_str(),
                    Bound::Unbounded => true,
                };
                after && before
            }
            Self::TermPrefix(prefix) => term.starts_with(prefix.as_str()),
            Self::TermPattern(pattern) => pattern.is_match(term),
            Self::TermFuzzy { term: wanted, edits, prefix_length } => {
                fuzzy(wanted, term, *edits, *prefix_length)
            }
            Self::Phrase { terms, slop, prefix } => phrase_at(&[term.to_owned()], terms, *slop, *prefix),
            _ => false,
        }
    }
}

fn within(value: &f64, lower: &Bound<f64>, upper: &Bound<f64>) -> bool {
    let after = match lower {
        Bound::Included(bound) => value >= bound,
        Bound::Excluded(bound) => value > bound,
        Bound::Unbounded => true,
    };
    let before = match upper {
        Bound::Included(bound) => value <= bound,
        Bound::Excluded(bound) => value < bound,
        Bound::Unbounded => true,
    };
    after && before
}

fn in_box(lat: f64, lon: f64, [top, left, bottom, right]: [f64; 4]) -> bool {
    let inside = if left <= right { (left..=right).contains(&lon) } else { lon >= left || lon <= right };
    inside && (bottom..=top).contains(&lat)
}

/// The haversine distance on a sphere of the Earth's mean radius, which Lucene uses too.
fn distance_m(a: (f64, f64), b: (f64, f64)) -> f64 {
    const RADIUS_M: f64 = 6_371_008.771_4;
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let h = half(a.0, b.0) + a.0.to_radians().cos() * b.0.to_radians().cos() * half(a.1, b.1);
    2.0 * RADIUS_M * h.sqrt().min(1.0).asin()
}

/// Do `wanted` stand in `terms`? The slop is the largest difference between the shifts of the terms from where they would
/// stand in an exact phrase (Lucene's sloppy phrase).
fn phrase_at(terms: &[String], wanted: &[String], slop: u32, prefix: bool) -> bool {
    let fits = |position: usize, index: usize| {
        let last = index + 1 == wanted.len();
        terms.get(position).is_some_and(|term| {
            if last && prefix { term.starts_with(wanted[index].as_str()) } else { *term == wanted[index] }
        })
    };
    if slop == 0 {
        return (0..terms.len()).any(|start| (0..wanted.len()).all(|index| fits(start + index, index)));
    }
    let slop = i64::from(slop);
    // The exact phrase may begin before the text does: a term can be moved up to `slop` places.
    (-slop..=terms.len() as i64).any(|start| {
        let mut used = Vec::with_capacity(wanted.len());
        placed(&fits, start, wanted.len(), slop, &mut used)
    })
}

/// Can every term from `used.len()` on be placed at its exact position plus a shift within `0..=slop`, none twice?
fn placed(
    fits: &dyn Fn(usize, usize) -> bool,
    start: i64,
    count: usize,
    slop: i64,
    used: &mut Vec<usize>,
) -> bool {
    let index = used.len();
    if index == count {
        return true;
    }
    // The ways to place many terms are very many. A request that ends meanwhile has no answer, whatever is said here.
    if crate::guard::is_over() {
        return false;
    }
    for shift in 0..=slop {
        let Ok(position) = usize::try_from(start + index as i64 + shift) else { continue };
        if !used.contains(&position) && fits(position, index) {
            used.push(position);
            if placed(fits, start, count, slop, used) {
                return true;
            }
            used.pop();
        }
    }
    false
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one each.
fn fuzzy(wanted: &str, term: &str, edits: usize, prefix_length: usize) -> bool {
    let b: Vec<char> = term.chars().collect();
    // A longer one cannot be near, however long it is.
    let a: Vec<char> = wanted.chars().take(b.len() + edits + 1).collect();
    let prefix = prefix_length.min(a.len());
    if a.len().abs_diff(b.len()) > edits || b.len() < prefix || a[..prefix] != b[..prefix] {
        return false;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(previous[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut previous, row);
    }
    previous[b.len()] <= edits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn phrases_and_slop() {
        let text = words("the quick brown fox jumps");
        assert!(phrase_at(&text, &words("quick brown"), 0, false));
        assert!(!phrase_at(&text, &words("quick fox"), 0, false));
        assert!(phrase_at(&text, &words("quick fox"), 1, false));
        assert!(!phrase_at(&text, &words("fox quick"), 2, false));
        assert!(phrase_at(&text, &words("brown quick"), 2, false));
        assert!(phrase_at(&text, &words("brown fo"), 0, true));
        assert!(!phrase_at(&text, &words("the the"), 3, false));
    }

    #[test]
    fn edits_are_counted() {
        assert!(fuzzy("host", "hots", 1, 0));
        assert!(fuzzy("host", "ghost", 1, 0));
        assert!(!fuzzy("host", "ghosts", 1, 0));
        assert!(!fuzzy("host", "most", 1, 1));
        assert!(fuzzy("", "a", 1, 3));
    }

    #[test]
    fn distances() {
        // Berlin to Paris.
        let metres = distance_m((52.52, 13.405), (48.8566, 2.3522));
        assert!((metres - 877_500.0).abs() < 1_500.0, "{metres}");
        assert!(
            in_box(0.0, 179.0, [10.0, 170.0, -10.0, -170.0])
                && !in_box(0.0, 0.0, [10.0, 170.0, -10.0, -170.0])
        );
    }
}
