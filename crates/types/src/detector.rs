//! Detectors and their custom rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Function;

/// One question asked of the data: a function, its field and how the data are split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    /// Shown to people; made from the other properties when it was not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_description: Option<String>,
    /// What is computed for each bucket.
    #[serde(default)]
    pub function: Function,
    /// The field that the function works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_name: Option<String>,
    /// Splits into series that are compared with their own history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_field_name: Option<String>,
    /// Makes it a population: members are compared with each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_field_name: Option<String>,
    /// Splits into independent parts, normalised on their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_field_name: Option<String>,
    /// Is a missing split value a series of its own?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_null: Option<bool>,
    /// Leaves out entities that occur in most buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_frequent: Option<ExcludeFrequent>,
    /// Rules that hide results or stop learning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_rules: Vec<DetectionRule>,
    /// Position in the list, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_index: Option<usize>,
}

/// Which frequent entities are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExcludeFrequent {
    /// None.
    None,
    /// Frequent values of the by and over fields.
    All,
    /// Frequent values of the by field.
    By,
    /// Frequent values of the over field.
    Over,
}

/// A custom rule: when its scope and conditions hold, its actions are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectionRule {
    /// What is done.
    #[serde(default = "skip_result")]
    pub actions: Vec<RuleAction>,
    /// Split fields and the filter lists that their values must (not) be in; all must hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope: BTreeMap<String, FilterRef>,
    /// Conditions on numbers; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<RuleCondition>,
}

fn skip_result() -> Vec<RuleAction> {
    vec![RuleAction::SkipResult]
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// No result; the model still learns.
    SkipResult,
    /// The model does not learn; results are still made.
    SkipModelUpdate,
}

/// A reference to a filter list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterRef {
    /// The filter.
    pub filter_id: String,
    /// Must the value be in it?
    #[serde(default)]
    pub filter_type: FilterType,
}

/// Must a value be in the filter list, or not?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FilterType {
    /// The rule holds for values in the list.
    #[default]
    Include,
    /// The rule holds for values that are not in the list.
    Exclude,
}

/// A condition on a number of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCondition {
    /// Which number is looked at.
    pub applies_to: AppliesTo,
    /// How it is compared.
    pub operator: Operator,
    /// With what; for `time`, epoch seconds.
    pub value: f64,
}

impl RuleCondition {
    /// Does `number` meet the condition?
    pub fn holds(&self, number: f64) -> bool {
        match self.operator {
            Operator::Gt => number > self.value,
            Operator::Gte => number >= self.value,
            Operator::Lt => number < self.value,
            Operator::Lte => number <= self.value,
        }
    }
}

/// The number that a condition looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// The value of the bucket.
    Actual,
    /// The value expected.
    Typical,
    /// |actual − typical|.
    DiffFromTypical,
    /// The bucket's time in epoch seconds.
    Time,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

/// The field that stands for the category of a log message.
pub const ML_CATEGORY: &str = "mlcategory";

impl Detector {
    /// By, over and partition field, those that are set, with the name of their property.
    pub fn split_fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("by_field_name", self.by_field_name.as_deref()),
            ("over_field_name", self.over_field_name.as_deref()),
            ("partition_field_name", self.partition_field_name.as_deref()),
        ]
        .into_iter()
        .filter_map(|(property, field)| field.map(|field| (property, field)))
    }

    /// Is it split by the category of the message?
    pub fn uses_category(&self) -> bool {
        self.split_fields().any(|(_, field)| field == ML_CATEGORY)
    }

    /// A description made from the properties: `mean(price) by host over user partitionfield=zone`.
    pub fn generated_description(&self) -> String {
        let mut text = self.function.name();
        if let Some(field) = &self.field_name {
            text = format!("{text}({})", quoted(field));
        }
        if let Some(by) = &self.by_field_name {
            text = format!("{text} by {}", quoted(by));
        }
        if let Some(over) = &self.over_field_name {
            text = format!("{text} over {}", quoted(over));
        }
        if self.use_null == Some(true) {
            text.push_str(" usenull=true");
        }
        if let Some(partition) = &self.partition_field_name {
            text = format!("{text} partitionfield={}", quoted(partition));
        }
        match self.exclude_frequent {
            None | Some(ExcludeFrequent::None) => {}
            Some(ExcludeFrequent::All) => text.push_str(" excludefrequent=all"),
            Some(ExcludeFrequent::By) => text.push_str(" excludefrequent=by"),
            Some(ExcludeFrequent::Over) => text.push_str(" excludefrequent=over"),
        }
        text
    }
}

fn quoted(field: &str) -> String {
    if field.chars().all(|c| c.is_alphanumeric() || c == '_') {
        field.to_owned()
    } else {
        format!("\"{field}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_made_as_users_know_them() {
        let json = r#"{"function":"avg","field_name":"a.b","by_field_name":"host","partition_field_name":"zone","use_null":true}"#;
        let detector: Detector = serde_json::from_str(json).unwrap();
        assert_eq!(
            detector.generated_description(),
            "mean(\"a.b\") by host usenull=true partitionfield=zone"
        );
    }

    #[test]
    fn rules_default_to_skip_result() {
        let rule: DetectionRule =
            serde_json::from_str(r#"{"conditions":[{"applies_to":"actual","operator":"gt","value":1}]}"#)
                .unwrap();
        assert_eq!(rule.actions, [RuleAction::SkipResult]);
        assert!(rule.conditions[0].holds(2.0) && !rule.conditions[0].holds(1.0));
    }
}
