//! What a record says to a detector.

use types::BaseFunction;

use super::geo::position_of;
use super::plan::DetectorPlan;
use super::splitter::number_of;
use crate::{FieldValue, Group, GroupValue, Numbers};

/// What a detector reads off a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading<'a> {
    /// Only that there is one.
    Nothing,
    Number(f64),
    /// Of a group of records.
    Numbers(Numbers),
    Text(FieldValue<'a>),
    Position(f64, f64),
}

impl<'a> Reading<'a> {
    /// `None` when the record says nothing to the detector.
    pub(super) fn of(detector: &DetectorPlan, values: &[FieldValue<'a>], since_start_s: f64) -> Option<Self> {
        if matches!(detector.base, BaseFunction::TimeOfDay | BaseFunction::TimeOfWeek) {
            return Some(Self::Number(since_start_s));
        }
        let Some(field) = detector.field else { return Some(Self::Nothing) };
        let value = values.get(field).copied()?;
        match (detector.base, value) {
            (_, FieldValue::Missing) => None,
            (BaseFunction::DistinctCount | BaseFunction::InfoContent, value) => Some(Self::Text(value)),
            (BaseFunction::LatLong, FieldValue::Str(text)) => {
                position_of(text).map(|(latitude, longitude)| Self::Position(latitude, longitude))
            }
            (BaseFunction::LatLong, FieldValue::Num(_)) => None,
            (_, value) => number_of(value).map(Self::Number),
        }
    }

    /// What a detector reads off a group of records; the same as off each of them, one after the other.
    pub(super) fn of_group(detector: &DetectorPlan, group: &Group<'a>) -> Option<Self> {
        let Some(field) = detector.field else { return Some(Self::Nothing) };
        match group.values.get(field)? {
            GroupValue::Numbers(numbers) => (numbers.count > 0).then_some(Self::Numbers(*numbers)),
            GroupValue::Same(FieldValue::Missing) => None,
            GroupValue::Same(value) if detector.base == BaseFunction::DistinctCount => {
                Some(Self::Text(*value))
            }
            GroupValue::Same(value) => {
                let (value, count) = (number_of(*value)?, group.records);
                let sum = value * count as f64;
                Some(Self::Numbers(Numbers { count, sum, min: value, max: value }))
            }
        }
    }
}
