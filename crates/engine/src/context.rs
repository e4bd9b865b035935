//! What an analysis needs to know beside its job: filter lists and calendar events.

use std::collections::{BTreeMap, BTreeSet};

use types::calendar::CalendarEvent;

/// Filter lists by id, and the events of the calendars that apply to the job.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Filter id → its values; a trailing or leading `*` in a value stands for any text.
    pub filters: BTreeMap<String, BTreeSet<String>>,
    /// Events, in any order.
    pub events: Vec<CalendarEvent>,
}

impl Context {
    /// Is `value` in the filter? An unknown filter is empty.
    pub fn filter_has(&self, filter_id: &str, value: &str) -> bool {
        self.filters.get(filter_id).is_some_and(|items| {
            items.contains(value)
                || items.iter().any(|item| item.contains('*') && matches_wildcard(item, value))
        })
    }
}

/// Filter items take `*` at their beginning, end or both.
fn matches_wildcard(item: &str, value: &str) -> bool {
    match (item.strip_prefix('*'), item.strip_suffix('*')) {
        (Some(_), Some(_)) if item.len() <= 2 => true,
        (Some(_), Some(_)) => value.contains(&item[1..item.len() - 1]),
        (Some(end), None) => value.ends_with(end),
        (None, Some(start)) => value.starts_with(start),
        (None, None) => item == value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_take_values_and_wildcards() {
        let items: BTreeSet<String> =
            ["a", "*.example.com", "web*", "*mid*"].iter().map(ToString::to_string).collect();
        let context = Context { filters: BTreeMap::from([("f".to_owned(), items)]), events: Vec::new() };
        for value in ["a", "x.example.com", "web1", "amidst"] {
            assert!(context.filter_has("f", value), "{value}");
        }
        for value in ["b", "example.org", "aweb"] {
            assert!(!context.filter_has("f", value), "{value}");
        }
        assert!(!context.filter_has("unknown", "a"));
    }
}
