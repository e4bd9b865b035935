//! What must hold for any messages: repeatable, restartable, never a panic, definitions that fit their messages.

use proptest::collection::vec;
use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

use super::categorizer::MAX_EXAMPLE_LENGTH;
use super::{Categorizer, CategorizerConfig};

fn categorizer() -> Categorizer {
    Categorizer::new(&CategorizerConfig::default()).unwrap()
}

fn with_analyzer(analyzer: Value) -> Categorizer {
    Categorizer::new(&CategorizerConfig { analyzer: Some(analyzer), ..Default::default() }).unwrap()
}

fn saved(categorizer: &Categorizer) -> Vec<u8> {
    postcard::to_allocvec(categorizer).unwrap()
}

fn restored(bytes: &[u8]) -> Categorizer {
    postcard::from_bytes(bytes).unwrap()
}

/// Messages that look like a log's: few texts, many values, words that vary.
fn log_message() -> impl Strategy<Value = String> {
    let user = prop::sample::select(vec!["anna", "bert", "carl", "dora", "emil", "fay", "gus", "hal", "ina"]);
    let text = prop::sample::select(vec![
        "user <u> logged in from 10.0.0.<n>",
        "<u> opened file /var/log/<n>.log",
        "request <n> took <n> ms for <u>",
        "state changed from <u> to <u> in LOCAL(<n>)",
        "k=<u>, v=<n>, w=Foo{x=<n>}",
        "worker <u> <u> finished job <u>",
        "\n\n  error in module <u>\n  at line <n>",
        "ÄRGER mit <u>: <n> bytes",
        "<n>",
        "",
    ]);
    (text, vec(user, 3), any::<u16>()).prop_map(|(text, users, n)| {
        let mut text = text.replace("<n>", &n.to_string());
        for user in users {
            text = text.replacen("<u>", user, 1);
        }
        text
    })
}

fn any_message() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => log_message(),
        1 => any::<String>(),
        1 => "[ -~]{0,80}",
        1 => "[a-f0-9:=\\{\\}\\[\\]\\(\\)\"', ./]{0,60}",
        1 => vec(any::<u8>(), 0..60).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn restoring_equals_never_having_stopped(messages in vec(any_message(), 1..120), stop in 0usize..120) {
        let (mut whole, mut stopped) = (categorizer(), categorizer());
        for (i, message) in messages.iter().enumerate() {
            if i == stop {
                let bytes = saved(&stopped);
                stopped = restored(&bytes);
                prop_assert_eq!(saved(&stopped), bytes);
            }
            prop_assert_eq!(whole.categorize(message), stopped.categorize(message));
            if i % 40 == 0 {
                prop_assert_eq!(whole.take_changed(), stopped.take_changed());
            }
            prop_assert_eq!(whole.memory_bytes(), stopped.memory_bytes());
        }
        prop_assert_eq!(saved(&whole), saved(&stopped));
        prop_assert_eq!(whole.stats(), stopped.stats());
        prop_assert_eq!(whole.take_counted(), stopped.take_counted());
        for id in 1..=whole.category_count() {
            prop_assert_eq!(whole.definition(id), stopped.definition(id));
        }
    }

    #[test]
    fn definitions_fit_the_messages(messages in vec(any_message(), 1..150)) {
        let mut categorizer = categorizer();
        let given: Vec<(String, u32)> =
            messages.into_iter().filter_map(|m| categorizer.categorize(&m).map(|id| (m, id))).collect();
        let mut total = 0;
        for id in 1..=categorizer.category_count() {
            let definition = categorizer.definition(id).unwrap();
            total += definition.num_matches;
            let regex = Regex::new(&definition.regex).unwrap();
            for (message, _) in given.iter().filter(|(_, given)| categorizer.current_id(*given) == id) {
                prop_assert!(regex.is_match(message), "{} does not find {message:?}", definition.regex);
                prop_assert!(message.chars().count() as u64 <= definition.max_matching_length);
            }
            for example in &definition.examples {
                prop_assert!(regex.is_match(example), "{} does not find {example:?}", definition.regex);
                prop_assert!(example.len() <= MAX_EXAMPLE_LENGTH);
            }
            prop_assert!(definition.examples.is_sorted());
            prop_assert!((1..=4).contains(&definition.examples.len()));
            let dead = definition.superseded_by.is_some();
            let live = categorizer.definition(categorizer.current_id(id)).unwrap();
            prop_assert_eq!(dead, live.preferred_to_categories.contains(&id));
        }
        prop_assert_eq!(total, given.len() as u64);
        prop_assert_eq!(categorizer.stats().categorized_doc_count, total);
    }

    #[test]
    fn every_definition_change_is_reported(messages in vec(log_message(), 1..100)) {
        let mut categorizer = categorizer();
        let mut written = Vec::new();
        for message in &messages {
            categorizer.categorize(message);
            let changed = categorizer.take_changed();
            written.resize(categorizer.category_count() as usize, None);
            for id in changed {
                written[id as usize - 1] = categorizer.definition(id);
            }
        }
        let counted = categorizer.take_counted();
        for id in 1..=categorizer.category_count() {
            let now = categorizer.definition(id).unwrap();
            let mut then = written[id as usize - 1].clone().unwrap();
            if counted.contains(&id) {
                then.num_matches = now.num_matches;
            }
            // A dead category's own document does not say so; that of its successor does.
            then.superseded_by = now.superseded_by;
            prop_assert_eq!(then, now);
        }
    }

    #[test]
    fn a_damaged_state_is_refused_or_works(
        messages in vec(log_message(), 1..30), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut categorizer = categorizer();
        messages.iter().for_each(|m| { categorizer.categorize(m); });
        let mut bytes = saved(&categorizer);
        let at = place.index(bytes.len());
        bytes[at] = byte;
        if let Ok(mut other) = postcard::from_bytes::<Categorizer>(&bytes) {
            for message in &messages {
                other.categorize(message);
                other.categorize(&format!("another {message}"));
            }
        }
    }

    #[test]
    fn custom_analyzers_are_repeatable_and_never_panic(messages in vec(any_message(), 1..60)) {
        let analyzers = [
            json!("standard"),
            json!({"tokenizer": "ml_standard", "filter": [{"type": "limit", "max_token_count": 5}, "lowercase"]}),
            json!({
                "char_filter": [{"type": "pattern_replace", "pattern": "\\[.*?\\]"}],
                "tokenizer": {"type": "simple_pattern_split", "pattern": "[^-0-9A-Za-z_.]+"},
                "filter": [{"type": "stop", "stopwords": ["", "user"]}],
            }),
        ];
        for analyzer in analyzers {
            let (mut a, mut b) = (with_analyzer(analyzer.clone()), with_analyzer(analyzer));
            for message in &messages {
                prop_assert_eq!(a.categorize(message), b.categorize(message));
                b = restored(&saved(&b));
            }
            for id in 1..=a.category_count() {
                prop_assert_eq!(a.definition(id), b.definition(id));
            }
        }
    }
}

#[test]
fn very_long_lines_are_bounded() {
    let mut categorizer = categorizer();
    let words = |n: usize| (0..n).map(|i| format!("w{}", "x".repeat(i % 7))).collect::<Vec<_>>().join(" ");
    let lines =
        [words(200_000), "=".repeat(1 << 20), "x".repeat(1 << 20), "é".repeat(1 << 19), "{".repeat(1 << 16)];
    for line in &lines {
        categorizer.categorize(line);
        categorizer.categorize(&format!("{line} end"));
    }
    assert!(categorizer.memory_bytes() < 200_000, "{}", categorizer.memory_bytes());
    for id in 1..=categorizer.category_count() {
        let definition = categorizer.definition(id).unwrap();
        assert!(definition.examples.iter().all(|e| e.len() <= MAX_EXAMPLE_LENGTH));
    }
}

#[test]
fn categories_that_turn_out_to_be_one_keep_the_older_id() {
    let mut categorizer = categorizer();
    let users = ["anna", "bert", "carl", "dora", "emil", "fay"];
    let ids: Vec<u32> = users
        .iter()
        .map(|u| categorizer.categorize(&format!("session of {u} ended after timeout")).unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3, 4, 1, 1]);
    let definition = categorizer.definition(1).unwrap();
    assert_eq!(definition.terms, "session of ended after timeout");
    assert_eq!(definition.template, "session of *** ended after timeout");
    assert_eq!(definition.preferred_to_categories, [2, 3, 4]);
    assert_eq!(definition.max_matching_length, 38, "longest of 35 characters and ten per cent");
    let dead = categorizer.definition(3).unwrap();
    assert_eq!((dead.superseded_by, dead.num_matches), (Some(1), 1));
    assert_eq!(categorizer.stats().dead_category_count, 3);
    assert_eq!(categorizer.current_id(4), 1);
    assert_eq!(categorizer.take_changed(), [1, 2, 3, 4]);
    assert_eq!(categorizer.take_changed(), [] as [u32; 0]);
}

#[test]
fn filters_are_taken_out_before_anything_else() {
    let config = CategorizerConfig { filters: vec![r"\[.*?\]".to_owned()], ..Default::default() };
    let mut categorizer = Categorizer::new(&config).unwrap();
    let ids = ["start [alpha] now", "start [beta gamma] now", "start now"].map(|m| categorizer.categorize(m));
    assert_eq!(ids, [Some(1); 3]);
    assert_eq!(
        categorizer.definition(1).unwrap().examples[0],
        "start [alpha] now",
        "examples stay as they came"
    );
    let bad = CategorizerConfig { filters: vec!["(".to_owned()], ..Default::default() };
    assert!(Categorizer::new(&bad).is_err());
}

#[test]
fn without_room_known_categories_go_on() {
    let mut categorizer = categorizer();
    assert_eq!(categorizer.categorize("disk is full"), Some(1));
    categorizer.set_may_grow(false);
    assert_eq!(categorizer.categorize("network is down today"), None);
    assert_eq!(categorizer.categorize("disk is full"), Some(1));
    assert_eq!(categorizer.stats().failed_category_count, 1);
    categorizer.set_may_grow(true);
    assert_eq!(categorizer.categorize("network is down today"), Some(2));
}

#[test]
fn blank_messages_have_no_category() {
    let mut categorizer = categorizer();
    for message in ["", "   ", "\n\t\n", "---", "…".trim_matches('…')] {
        assert_eq!(categorizer.categorize(message), None, "{message:?}");
    }
    assert_eq!(categorizer.stats().failed_category_count, 0);
    assert_eq!(categorizer.definition(0), None);
    assert_eq!(categorizer.definition(1), None);
}
