//! Expressions that name jobs or datafeeds: `_all`, wildcards, comma lists, groups.

use std::collections::BTreeSet;

use crate::Result;

/// Ids that an expression matches, sorted, each once. `groups` gives the groups of an id.
///
/// # Errors
/// `unknown` of the part that matches nothing: always for a plain name, for a pattern only without `allow_no_match`.
pub(crate) fn matching<'a>(
    expression: &str,
    ids: impl Iterator<Item = (&'a str, &'a [String])> + Clone,
    allow_no_match: bool,
    unknown: impl Fn(&str) -> crate::Error,
) -> Result<Vec<String>> {
    let expression = if expression.trim().is_empty() { "_all" } else { expression };
    let mut found = BTreeSet::new();
    for part in expression.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let pattern = part == "_all" || part.contains('*');
        let matched = ids
            .clone()
            .filter(|(id, groups)| matches(part, id) || groups.iter().any(|group| matches(part, group)));
        let before = found.len();
        let mut any = false;
        for (id, _) in matched {
            found.insert(id.to_owned());
            any = true;
        }
        debug_assert!(any || found.len() == before);
        if !any && (!pattern || !allow_no_match) {
            return Err(unknown(part));
        }
    }
    Ok(found.into_iter().collect())
}

/// Does a name match a pattern in which `*` stands for any text? `_all` matches every name.
pub fn matches(pattern: &str, name: &str) -> bool {
    if pattern == "_all" {
        return true;
    }
    let Some((first, others)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut others = others;
    while let Some((part, next)) = others.split_once('*') {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        others = next;
    }
    rest.ends_with(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn check(expression: &str, allow_no_match: bool) -> Result<Vec<String>> {
        let web = ["web".to_owned(), "all-web".to_owned()];
        let none: [String; 0] = [];
        let ids = [("b-2", &web[..]), ("a-1", &web[..1]), ("c", &none[..])];
        matching(expression, ids.into_iter(), allow_no_match, |part| Error::UnknownJob(part.to_owned()))
    }

    #[test]
    fn lists_groups_and_wildcards_are_sorted_and_unique() {
        assert_eq!(check("", true).unwrap(), ["a-1", "b-2", "c"]);
        assert_eq!(check("web,*-2,b-2", true).unwrap(), ["a-1", "b-2"]);
        assert_eq!(check("*l*-w*b", true).unwrap(), ["b-2"]);
    }

    #[test]
    fn what_matches_nothing_is_an_error_if_it_is_a_name_or_must_match() {
        assert_eq!(check("x*", true).unwrap(), Vec::<String>::new());
        assert!(check("x*", false).is_err());
        assert_eq!(check("c,x", true).unwrap_err().to_string(), "No known job with id 'x'");
    }
}
