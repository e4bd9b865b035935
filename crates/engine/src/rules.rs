//! Custom rules: when the scope and the conditions of a rule hold, its actions are taken.

use types::detector::{AppliesTo, DetectionRule, FilterType, RuleAction};

use crate::Context;

/// What the rules that hold ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actions {
    /// No result.
    pub(crate) skip_result: bool,
    /// No learning.
    pub(crate) skip_model_update: bool,
}

/// The numbers that conditions look at; a number that is not there meets no condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    /// The bucket's value.
    pub(crate) actual: Option<f64>,
    /// The expected value.
    pub(crate) typical: Option<f64>,
    /// Start of the bucket, epoch seconds.
    pub(crate) time_s: i64,
}

/// Which actions do the rules ask for? `value_of` gives the value of a split field of the series.
pub(crate) fn actions<'v>(
    rules: &[DetectionRule],
    context: &Context,
    numbers: Numbers,
    value_of: impl Fn(&str) -> Option<&'v str>,
) -> Actions {
    let mut actions = Actions::default();
    for rule in rules {
        let scope_holds = rule.scope.iter().all(|(field, filter)| {
            let Some(value) = value_of(field) else { return false };
            context.filter_has(&filter.filter_id, value) == (filter.filter_type == FilterType::Include)
        });
        if !scope_holds || !rule.conditions.iter().all(|condition| holds(condition, numbers)) {
            continue;
        }
        actions.skip_result |= rule.actions.contains(&RuleAction::SkipResult);
        actions.skip_model_update |= rule.actions.contains(&RuleAction::SkipModelUpdate);
    }
    actions
}

fn holds(condition: &types::detector::RuleCondition, numbers: Numbers) -> bool {
    let number = match condition.applies_to {
        AppliesTo::Actual => numbers.actual,
        AppliesTo::Typical => numbers.typical,
        AppliesTo::DiffFromTypical => numbers.actual.zip(numbers.typical).map(|(a, t)| (a - t).abs()),
        AppliesTo::Time => Some(numbers.time_s as f64),
    };
    number.is_some_and(|number| condition.holds(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn rule(json: &str) -> DetectionRule {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn scope_and_conditions_must_all_hold() {
        let rules = [rule(
            r#"{"actions":["skip_result"],"scope":{"host":{"filter_id":"safe"}},
                "conditions":[{"applies_to":"actual","operator":"lt","value":10},
                              {"applies_to":"diff_from_typical","operator":"gt","value":2}]}"#,
        )];
        let safe = BTreeSet::from(["a".to_owned()]);
        let context = Context { filters: BTreeMap::from([("safe".to_owned(), safe)]), events: vec![] };
        let check = |host: &'static str, actual: f64| {
            let numbers = Numbers { actual: Some(actual), typical: Some(5.0), time_s: 0 };
            actions(&rules, &context, numbers, |f| (f == "host").then_some(host)).skip_result
        };
        assert!(check("a", 9.0));
        assert!(!check("b", 9.0));
        assert!(!check("a", 11.0));
        assert!(!check("a", 6.0));
    }
}
