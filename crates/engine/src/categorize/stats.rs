//! Counts of categories, and whether the input looks as if it could be categorised.

use super::categorizer::Tally;
use super::category::Category;

/// Messages before the status can be `warn`: shares of a handful of messages say nothing.
const MESSAGES_FOR_WARNING: u64 = 100;

use types::stats::CategorizationStatus;

/// Counts as in model size statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategorizerStats {
    /// Messages that were given a category.
    pub categorized_doc_count: u64,
    /// Categories made, dead ones included.
    pub total_category_count: u64,
    /// Categories with more than 1 % of the messages.
    pub frequent_category_count: u64,
    /// Categories with one message.
    pub rare_category_count: u64,
    /// Categories that others took over.
    pub dead_category_count: u64,
    /// Messages that needed a category which could not be made.
    pub failed_category_count: u64,
    /// `warn` when the messages do not look like those of a machine.
    pub categorization_status: CategorizationStatus,
}

impl CategorizerStats {
    pub(super) fn new(tally: &Tally, categories: &[Category]) -> Self {
        let is_frequent = |c: &&Category| c.superseded_by.is_none() && c.matches * 100 > tally.categorized;
        let mut stats = Self {
            categorized_doc_count: tally.categorized,
            total_category_count: categories.len() as u64,
            frequent_category_count: categories.iter().filter(is_frequent).count() as u64,
            rare_category_count: tally.rare,
            dead_category_count: tally.dead,
            failed_category_count: tally.failed,
            categorization_status: CategorizationStatus::Ok,
        };
        if stats.looks_unsuitable() {
            stats.categorization_status = CategorizationStatus::Warn;
        }
        stats
    }

    /// Adds the counts of another partition.
    pub(super) fn add(&mut self, other: &Self) {
        self.categorized_doc_count += other.categorized_doc_count;
        self.total_category_count += other.total_category_count;
        self.frequent_category_count += other.frequent_category_count;
        self.rare_category_count += other.rare_category_count;
        self.dead_category_count += other.dead_category_count;
        self.failed_category_count += other.failed_category_count;
        if other.categorization_status == CategorizationStatus::Warn {
            self.categorization_status = CategorizationStatus::Warn;
        }
    }

    /// The documented reasons for `warn`.
    fn looks_unsuitable(&self) -> bool {
        let total = self.total_category_count;
        self.categorized_doc_count >= MESSAGES_FOR_WARNING
            && (total == 1
                || self.rare_category_count * 10 > total * 9
                || total * 2 > self.categorized_doc_count
                || self.frequent_category_count == 0
                || self.dead_category_count * 2 > total)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Categorizer, CategorizerConfig};
    use super::*;

    fn stats(messages: impl IntoIterator<Item = String>) -> CategorizerStats {
        let mut categorizer = Categorizer::new(&CategorizerConfig::default()).unwrap();
        for message in messages {
            categorizer.categorize(&message);
        }
        categorizer.stats()
    }

    fn letters(mut n: usize) -> String {
        let mut word = String::from("x");
        while n > 0 {
            word.push(char::from(b'g' + (n % 20) as u8));
            n /= 20;
        }
        word
    }

    #[test]
    fn machine_messages_are_ok() {
        let text = ["connection opened from host", "connection closed by peer", "disk is full on volume"];
        let stats = stats((0..300).map(|i| format!("{} {i}", text[i % 3])));
        assert_eq!(stats.total_category_count, 3);
        assert_eq!(stats.frequent_category_count, 3);
        assert_eq!(stats.rare_category_count, 0);
        assert_eq!(stats.categorized_doc_count, 300);
        assert_eq!(stats.categorization_status, CategorizationStatus::Ok);
    }

    #[test]
    fn one_category_warns_but_not_on_few_messages() {
        let messages = |n| (0..n).map(|i| format!("message number {i}"));
        assert_eq!(stats(messages(99)).categorization_status, CategorizationStatus::Ok);
        assert_eq!(stats(messages(100)).categorization_status, CategorizationStatus::Warn);
    }

    #[test]
    fn free_text_warns() {
        let words =
            |i: usize| (0..2 + i % 9).map(|k| letters(i * 37 + k * 101)).collect::<Vec<_>>().join(" ");
        let stats = stats((0..200).map(words));
        assert_eq!(stats.categorization_status, CategorizationStatus::Warn, "{stats:?}");
    }
}
