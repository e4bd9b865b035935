//! Shared vocabulary: ids, configurations, results, times, error kinds, clock.
