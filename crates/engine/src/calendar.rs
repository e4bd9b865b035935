//! Calendar events, asked by bucket.

use types::calendar::CalendarEvent;

/// A shift of a model's clock beyond a year is a mistake.
const SHIFT_MAX_S: i64 = 366 * 86_400;

/// Events sorted by their start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calendar {
    events: Vec<CalendarEvent>,
}

/// What the events that overlap a bucket ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scheduled {
    /// No results.
    pub(crate) skip_result: bool,
    /// No learning.
    pub(crate) skip_model_update: bool,
    /// Descriptions of the events.
    pub(crate) descriptions: Vec<String>,
}

impl Calendar {
    pub(crate) fn new(mut events: Vec<CalendarEvent>) -> Self {
        events.sort_by(|a, b| (a.start_time, &a.description).cmp(&(b.start_time, &b.description)));
        Self { events }
    }

    /// Events that overlap `[start_ms, end_ms)`.
    pub(crate) fn scheduled(&self, start_ms: i64, end_ms: i64) -> Scheduled {
        let mut scheduled = Scheduled::default();
        for event in &self.events {
            if event.start_time.0 < end_ms && event.end_time.0 > start_ms {
                scheduled.skip_result |= event.skip_result;
                scheduled.skip_model_update |= event.skip_model_update;
                scheduled.descriptions.push(event.description.clone());
            }
        }
        scheduled
    }

    /// Seconds by which the events that start in `[from_ms, to_ms)` set the models' clock forward, all together.
    pub(crate) fn time_shift_s(&self, from_ms: i64, to_ms: i64) -> i64 {
        let starts = |event: &&CalendarEvent| (from_ms..to_ms).contains(&event.start_time.0);
        let shifts = self.events.iter().filter(starts).filter_map(|event| event.force_time_shift);
        shifts.fold(0, i64::saturating_add).clamp(-SHIFT_MAX_S, SHIFT_MAX_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::TimestampMs;

    #[test]
    fn the_end_of_an_event_is_excluded() {
        let event = CalendarEvent {
            description: "release".into(),
            start_time: TimestampMs(100),
            end_time: TimestampMs(200),
            skip_result: true,
            skip_model_update: false,
            force_time_shift: None,
            calendar_id: None,
            event_id: None,
        };
        let calendar = Calendar::new(vec![event]);
        assert!(calendar.scheduled(150, 160).skip_result);
        assert!(!calendar.scheduled(150, 160).skip_model_update);
        assert_eq!(calendar.scheduled(199, 300).descriptions, ["release"]);
        assert_eq!(calendar.scheduled(200, 300), Scheduled::default());
        assert_eq!(calendar.scheduled(0, 100), Scheduled::default());
    }

    #[test]
    fn time_shifts_count_once_at_the_start_of_their_event() {
        let event = |start: i64, shift: Option<i64>| CalendarEvent {
            description: "clock change".into(),
            start_time: TimestampMs(start),
            end_time: TimestampMs(start + 1000),
            skip_result: false,
            skip_model_update: false,
            force_time_shift: shift,
            calendar_id: None,
            event_id: None,
        };
        let calendar = Calendar::new(vec![event(100, Some(3600)), event(150, Some(-600)), event(160, None)]);
        assert_eq!(calendar.time_shift_s(0, 100), 0);
        assert_eq!(calendar.time_shift_s(100, 150), 3600);
        assert_eq!(calendar.time_shift_s(100, 200), 3000);
        assert_eq!(calendar.time_shift_s(101, 150), 0);
    }
}
