//! What is lost or damaged in the data folder is named; nothing that is not known is removed, and nothing wrong is answered.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use search::{BulkParams, Expand, Options, Search, SearchParams};
use serde_json::{Value, json};

fn open(folder: &Path) -> search::Result<Search> {
    let options = Options { durable: false, ..Options::default() };
    Search::open(folder, Arc::new(|| 1_700_000_000_000), options)
}

/// Two indices with 500 documents each, an alias and a template, and nobody who has them open.
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let search = open(folder.path()).unwrap();
    for index in ["a", "b"] {
        let mappings =
            json!({"properties": {"n": {"type": "long"}, "k": {"type": "keyword"}, "t": {"type": "text"}}});
        search.create_index(index, &json!({ "mappings": mappings })).unwrap();
        let mut body = String::new();
        for n in 0..500 {
            let document =
                json!({"n": n, "k": format!("k{}", n % 7), "t": format!("some words of number {n}")});
            body.push_str(&format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{document}\n"));
        }
        assert!(!search.bulk(Some(index), body.as_bytes(), &BulkParams::default()).unwrap().has_errors());
    }
    search.update_aliases(&json!({"actions": [{"add": {"index": "a", "alias": "one"}}]})).unwrap();
    folder
}

fn file_of(folder: &Path, index: &str) -> PathBuf {
    let search = open(folder).unwrap();
    let lines = search.cat_indices(index, Expand::default()).unwrap();
    folder.join("indices").join(format!("{}.db", lines[0].uuid))
}

fn count(search: &Search, index: &str) -> search::Result<Value> {
    search.count(index, &SearchParams::default(), &json!({})).map(|answer| answer["count"].clone())
}

/// Answers that look at everything in different ways.
fn answers(search: &Search, index: &str) -> Vec<search::Result<Value>> {
    let bodies = [
        json!({"size": 500, "sort": ["n"]}),
        json!({"size": 0, "aggs": {"s": {"sum": {"field": "n"}}, "k": {"terms": {"field": "k"}}}}),
        json!({"size": 500, "query": {"match": {"t": "number"}}, "sort": ["n"], "_source": false}),
        json!({"size": 10, "query": {"term": {"k": "k3"}}, "sort": [{"n": "desc"}]}),
    ];
    let mut all: Vec<search::Result<Value>> =
        bodies.iter().map(|body| search.search(index, &SearchParams::default(), body)).collect();
    all.extend(
        (0..500).step_by(50).map(|id| search.get_document(index, &id.to_string(), &Default::default())),
    );
    all.push(count(search, index));
    all.push(search.get_mapping(index, Expand::default()));
    all
}

#[test]
fn a_lost_catalog_is_made_again_from_the_files() {
    let folder = filled();
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::remove_file(folder.path().join(format!("catalog.db{suffix}"))));
    }
    let search = open(folder.path()).unwrap();
    assert_eq!((count(&search, "a").unwrap(), count(&search, "b").unwrap()), (json!(500), json!(500)));
    // The alias was added after the index was made.
    assert_eq!(count(&search, "one").unwrap(), 500);
    assert_eq!(search.left_alone(), [""; 0]);
}

#[test]
fn a_catalog_that_cannot_be_read_is_not_replaced() {
    let folder = filled();
    let catalog = folder.path().join("catalog.db");
    let files = fs::read_dir(folder.path().join("indices")).unwrap().count();
    fs::write(&catalog, b"this is no database, and never was one, whatever its name says").unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("cannot be read") && error.contains("auspex check"), "{error}");
    assert_eq!(fs::read_dir(folder.path().join("indices")).unwrap().count(), files);
}

#[test]
fn files_that_nobody_knows_are_left_alone() {
    let folder = filled();
    let indices = folder.path().join("indices");
    fs::write(indices.join("notes.db"), b"not a database at all, but somebody's notes").unwrap();
    // An older copy of an index, under a name of its own.
    fs::copy(file_of(folder.path(), "a"), indices.join("copy.db")).unwrap();
    let search = open(folder.path()).unwrap();
    let left = search.left_alone().join("\n");
    assert!(left.contains("notes.db") && left.contains("copy.db"), "{left}");
    assert!(indices.join("notes.db").exists() && indices.join("copy.db").exists());
    assert_eq!(count(&search, "a").unwrap(), 500);
}

#[test]
fn a_deleted_index_stays_deleted_when_its_file_outlives_a_crash() {
    let folder = filled();
    let file = file_of(folder.path(), "a");
    let kept = fs::read(&file).unwrap();
    open(folder.path()).unwrap().delete_index("a", Expand::default()).unwrap();
    assert!(!file.exists());
    fs::write(&file, kept).unwrap();
    let search = open(folder.path()).unwrap();
    assert!(!file.exists() && count(&search, "a").is_err());
    // Once is enough: the same file, put back later, is somebody's wish.
    drop(search);
    assert_eq!(count(&open(folder.path()).unwrap(), "b").unwrap(), 500);
}

#[test]
fn a_missing_file_is_an_error_and_not_an_empty_index() {
    for empty in [false, true] {
        let folder = filled();
        let file = file_of(folder.path(), "a");
        fs::remove_file(&file).unwrap();
        if empty {
            fs::write(&file, b"").unwrap();
        }
        let search = open(folder.path()).unwrap();
        let error = count(&search, "a").unwrap_err();
        assert_eq!(error.status(), 503, "{error}");
        assert_eq!(search.red_indices()[0].0, "a");
        assert_eq!(search.cluster_health("", Expand::default()).unwrap()["status"], "red");
        let written = search.bulk(Some("a"), b"{\"index\":{}}\n{\"n\":1}\n", &BulkParams::default()).unwrap();
        assert_eq!(written.items[0].status(), 503);
        // The others work, also in one search with it.
        let both = search.search("a,b", &SearchParams::default(), &json!({})).unwrap();
        assert_eq!((&both["_shards"]["failed"], &both["hits"]["total"]["value"]), (&json!(1), &json!(500)));
        assert_eq!(both["_shards"]["failures"][0]["index"], "a");
        let whole = SearchParams { all_or_nothing: true, ..SearchParams::default() };
        assert_eq!(search.search("a,b", &whole, &json!({})).unwrap_err().status(), 503);
        search.delete_index("a", Expand::default()).unwrap();
        assert_eq!(search.cluster_health("", Expand::default()).unwrap()["status"], "green");
    }
}

#[test]
fn an_index_to_which_a_search_does_not_fit_fails_alone() {
    let folder = filled();
    let search = open(folder.path()).unwrap();
    search.create_index("c", &json!({})).unwrap();
    let answer = search.search("*", &SearchParams::default(), &json!({"sort": ["n"]})).unwrap();
    assert_eq!((&answer["_shards"]["failed"], &answer["_shards"]["total"]), (&json!(1), &json!(3)));
    assert_eq!(answer["hits"]["total"]["value"], 1000);
    assert!(search.search("c", &SearchParams::default(), &json!({"sort": ["n"]})).is_err());
}

/// A flipped bit is found, whatever it is in: the answer is right, or there is none.
#[test]
fn a_flipped_bit_never_gives_a_wrong_answer() {
    let folder = filled();
    let right: Vec<Value> = {
        let search = open(folder.path()).unwrap();
        answers(&search, "a").into_iter().map(|answer| without_time(answer.unwrap())).collect()
    };
    let file = file_of(folder.path(), "a");
    let sound = fs::read(&file).unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let (mut errors, mut reds) = (0, 0);
    for _ in 0..60 {
        let mut bytes = sound.clone();
        let bit = random.random_range(0..bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &bytes).unwrap();
        let search = open(folder.path()).unwrap();
        for (answer, right) in answers(&search, "a").into_iter().zip(&right) {
            match answer {
                Ok(answer) => assert_eq!(without_time(answer), *right, "bit {bit}"),
                Err(error) => {
                    assert_eq!(error.status(), 503, "bit {bit}: {error}");
                    errors += 1;
                }
            }
        }
        assert_eq!(count(&search, "b").unwrap(), 500);
        reds += usize::from(!search.red_indices().is_empty());
        drop(search);
        fs::write(&file, &sound).unwrap();
        // A file that was put back is well again.
        assert_eq!(count(&open(folder.path()).unwrap(), "a").unwrap(), 500);
    }
    assert!(errors > 30 && reds > 30, "{errors} errors, {reds} times red: most pages are looked at");
}

fn without_time(mut answer: Value) -> Value {
    if let Some(answer) = answer.as_object_mut() {
        answer.shift_remove("took");
    }
    answer
}

#[test]
fn one_process_has_the_folder_also_when_the_lock_file_is_gone() {
    let folder = filled();
    let _first = open(folder.path()).unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    assert!(open(folder.path()).unwrap_err().to_string().contains("in use by another process"));
}

#[test]
fn nothing_is_written_into_a_folder_that_was_replaced() {
    let outer = tempfile::tempdir().unwrap();
    let (path, moved) = (outer.path().join("data"), outer.path().join("moved"));
    let search = open(&path).unwrap();
    search.create_index("a", &json!({})).unwrap();
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    let refused = search.create_index("b", &json!({})).unwrap_err();
    assert_eq!(refused.status(), 503, "{refused}");
    let refused = search.bulk(Some("a"), b"{\"index\":{}}\n{\"n\":1}\n", &BulkParams::default());
    assert!(refused.map_or(true, |answer| answer.items[0].status() == 503));
    assert_eq!(search.cluster_health("", Expand::default()).unwrap()["status"], "red");
}

#[cfg(unix)]
#[test]
fn the_folder_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = filled();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder.path()) & 0o077, 0);
    assert_eq!(mode(&folder.path().join("indices")), 0o700);
    for file in fs::read_dir(folder.path().join("indices")).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_check_finds_what_is_damaged_and_counts_what_can_be_read() {
    use search::cluster::verify::verify;
    let folder = filled();
    let (a, b) = (file_of(folder.path(), "a"), file_of(folder.path(), "b"));
    let report = verify(folder.path()).unwrap();
    assert!(report.is_sound() && report.files.iter().all(|file| file.documents == 500 && file.checked));
    let mut bytes = fs::read(&a).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&a, bytes).unwrap();
    fs::copy(&b, folder.path().join("indices").join("copy.db")).unwrap();
    fs::remove_file(&b).unwrap();
    let report = verify(folder.path()).unwrap();
    let of = |index: &str| {
        report.files.iter().find(|file| file.in_catalog && file.index.as_deref() == Some(index)).unwrap()
    };
    let found = of("a").problems.join("\n");
    assert!(found.contains("is not what was written to it"), "{found}");
    assert!(of("b").problems[0].contains("missing"), "{:?}", of("b"));
    let copy = report.files.iter().find(|file| !file.in_catalog).unwrap();
    assert_eq!((copy.index.as_deref(), copy.documents, report.is_sound()), (Some("b"), 500, false));
    let _open = open(folder.path()).unwrap();
    assert!(verify(folder.path()).unwrap_err().to_string().contains("in use"));
    assert!(verify(&folder.path().join("indices")).is_err());
}

#[test]
fn more_indices_than_can_be_open_work() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { durable: false, open_indices: 3, ..Options::default() };
    let search = Search::open(folder.path(), Arc::new(|| 1_700_000_000_000), options).unwrap();
    for n in 0..40 {
        let index = format!("i{n}");
        for line in 0..=n % 3 {
            let body = format!("{{\"index\":{{}}}}\n{{\"n\":{line}}}\n");
            assert!(
                !search.bulk(Some(&index), body.as_bytes(), &BulkParams::default()).unwrap().has_errors()
            );
        }
    }
    // Other tests have files open too.
    let path = folder.path().canonicalize().unwrap();
    let open_files = || {
        let all = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        all.filter(|file| {
            fs::read_link(file.path()).is_ok_and(|target| target.starts_with(path.join("indices")))
        })
        .count()
    };
    for n in (0..40).rev() {
        assert_eq!(count(&search, &format!("i{n}")).unwrap(), n % 3 + 1, "i{n}");
    }
    // One search holds all of them open until it is over.
    let all = search.search("*", &SearchParams::default(), &json!({})).unwrap();
    assert_eq!((&all["hits"]["total"]["value"], &all["_shards"]["failed"]), (&json!(79), &json!(0)));
    assert!(count(&search, "i0").is_ok());
    assert!(open_files() <= 3 * 16, "{}", open_files());
}
