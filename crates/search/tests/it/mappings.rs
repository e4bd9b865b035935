//! What a mapping says has its effect, or is refused by name.

use search::document::by_query::ByQueryParams;
use search::{Search, SearchParams, SourceFilter, WriteParams};
use serde_json::{Value, json};

use super::options::{ask, filled, ids, write};

fn count(search: &Search, index: &str, query: Value) -> u64 {
    let answer = ask(search, index, &json!({"size": 0, "query": query}));
    answer["hits"]["total"]["value"].as_u64().unwrap()
}

fn put(search: &Search, index: &str, id: &str, document: &Value) -> search::Result<()> {
    let text = document.to_string();
    search.index_document(index, Some(id), text.as_bytes(), &WriteParams::default()).map(drop)
}

fn source(search: &Search, index: &str, id: &str) -> Value {
    search.get_document(index, id, &SourceFilter::default()).unwrap()["_source"].clone()
}

#[test]
fn what_the_source_leaves_out_is_not_stored() {
    let mappings = json!({"_source": {"excludes": ["secret", "deep.*.key"]}, "properties": {
        "secret": {"type": "keyword"}, "deep": {"properties": {"a": {"properties": {"key": {"type": "text"}}}}}}});
    let document = json!({"n": 1, "secret": "x", "deep": {"a": {"key": "hidden", "other": 2}}});
    let (_folder, search) = filled("a", &[("1", document)], &mappings);
    let kept = json!({"n": 1, "deep": {"a": {"other": 2}}});
    assert_eq!(source(&search, "a", "1"), kept);
    assert_eq!(ask(&search, "a", &json!({}))["hits"]["hits"][0]["_source"], kept);
    // A keyword is found without being told; a text is looked up in what is stored, and says so.
    assert_eq!(count(&search, "a", json!({"term": {"secret": "x"}})), 1);
    let body = json!({"query": {"match": {"deep.a.key": "hidden"}}});
    let refused = search.search("a", &SearchParams::default(), &body).unwrap_err();
    let reason = refused.to_json().to_string();
    assert!(reason.contains("Cannot search on field [deep.a.key]"), "{reason}");
    // Writing again and updating leave it out as well.
    search.update_by_query("a", &json!({}), &ByQueryParams::default()).unwrap();
    search.update_document("a", "1", &json!({"doc": {"secret": "y", "m": 2}}), None, false).unwrap();
    assert_eq!(source(&search, "a", "1"), json!({"n": 1, "deep": {"a": {"other": 2}}, "m": 2}));
    assert_eq!(count(&search, "a", json!({"term": {"secret": "y"}})), 1);
}

#[test]
fn an_index_without_sources_has_values_only() {
    let mappings = json!({"_source": {"enabled": false}, "properties": {"k": {"type": "keyword"}}});
    let (_folder, search) = filled("a", &[("1", json!({"k": "x"}))], &mappings);
    assert_eq!(source(&search, "a", "1"), Value::Null);
    let answer = ask(&search, "a", &json!({"query": {"term": {"k": "x"}}, "docvalue_fields": ["k"]}));
    assert_eq!(answer["hits"]["hits"][0].get("_source"), None);
    let refused = search.update_document("a", "1", &json!({"doc": {"k": "y"}}), None, false).unwrap_err();
    assert_eq!((refused.exception(), refused.status()), ("document_source_missing_exception", 400));
    assert!(search.update_by_query("a", &json!({}), &ByQueryParams::default()).is_err());
}

#[test]
fn nested_values_are_seen_from_outside_when_the_mapping_says_so() {
    let inner = |more: &str, value: bool| json!({"type": "nested", more: value, "properties": {"f": {"type": "keyword"}}});
    for (nested, expected) in [
        (inner("include_in_root", true), 1),
        (inner("include_in_parent", true), 1),
        (inner("include_in_root", false), 0),
    ] {
        let mappings = json!({"properties": {"u": nested}});
        let (_folder, search) = filled("a", &[("1", json!({"u": [{"f": "x"}, {"f": "y"}]}))], &mappings);
        assert_eq!(count(&search, "a", json!({"term": {"u.f": "x"}})), expected, "{mappings}");
        let within = json!({"nested": {"path": "u", "query": {"term": {"u.f": "x"}}}});
        assert_eq!(count(&search, "a", within), 1);
        let answer = ask(&search, "a", &json!({"size": 0, "aggs": {"t": {"terms": {"field": "u.f"}}}}));
        let buckets = answer["aggregations"]["t"]["buckets"].as_array().unwrap().len();
        assert_eq!(buckets as u64, expected * 2);
    }
}

#[test]
fn numbers_are_rounded_as_their_field_says() {
    let mappings = json!({"properties": {"p": {"type": "scaled_float", "scaling_factor": 100}}});
    let (_folder, search) = filled("a", &[("1", json!({"p": 1.236})), ("2", json!({"p": ""}))], &mappings);
    assert_eq!(count(&search, "a", json!({"term": {"p": 1.24}})), 1);
    assert_eq!(count(&search, "a", json!({"range": {"p": {"gte": 1.24}}})), 1);
    assert_eq!(count(&search, "a", json!({"range": {"p": {"lte": 1.239}}})), 0);
    assert_eq!(count(&search, "a", json!({"exists": {"field": "p"}})), 1);
    let answer = ask(&search, "a", &json!({"size": 0, "aggs": {"s": {"sum": {"field": "p"}}}}));
    assert_eq!(answer["aggregations"]["s"]["value"], 1.24);
}

#[test]
fn a_text_without_characters_is_no_number_and_no_error() {
    let mappings = json!({"properties": {"n": {"type": "long"}, "f": {"type": "double"},
        "strict": {"type": "long", "coerce": false}}});
    let (_folder, search) = filled("a", &[("1", json!({"n": "", "f": ""}))], &mappings);
    assert_eq!(count(&search, "a", json!({"exists": {"field": "n"}})), 0);
    assert!(put(&search, "a", "2", &json!({"strict": ""})).is_err());
    assert!(put(&search, "a", "2", &json!({"n": "x"})).is_err());
}

#[test]
fn points_are_taken_in_every_form() {
    let mappings = json!({"properties": {"p": {"type": "geo_point"}}});
    let documents = [
        ("1", json!({"p": "u33dc"})),
        ("2", json!({"p": "POINT (13.36 52.5)"})),
        ("3", json!({"p": {"geohash": "u33dc"}})),
    ];
    let (_folder, search) = filled("a", &documents, &mappings);
    let near = json!({"geo_distance": {"distance": "20km", "p": "52.5,13.4"}});
    assert_eq!(count(&search, "a", near), 3);
    assert_eq!(count(&search, "a", json!({"geo_distance": {"distance": "20km", "p": "u33dc"}})), 3);
}

#[test]
fn a_key_stands_once_in_a_document() {
    let (_folder, search) = filled("a", &[("1", json!({"n": 1}))], &json!({}));
    let twice = br#"{"n": 1, "n": 2}"#;
    let refused = search.index_document("a", Some("2"), twice, &WriteParams::default()).unwrap_err();
    assert_eq!(refused.status(), 400);
    assert!(refused.to_json().to_string().contains("Duplicate field 'n'"), "{}", refused.to_json());
    write(&search, "a", &[("2", json!({"m": {"n": {"n": 2}}, "n": 1}))]);
}

#[test]
fn what_a_document_lacks_is_counted_as_it_is_asked() {
    let mappings = json!({"properties": {"k": {"type": "keyword"}, "n": {"type": "long"}}});
    let documents = [("1", json!({"k": "a", "n": 1})), ("2", json!({"k": "b"})), ("3", json!({"n": 3}))];
    let (_folder, search) = filled("a", &documents, &mappings);
    for (field, missing, different, values) in [
        ("k", json!("zz"), 3, 3),
        ("k", json!("a"), 2, 3),
        ("n", json!(7), 3, 3),
        ("n", json!(1), 2, 3),
        ("unmapped", json!("zz"), 1, 3),
        ("unmapped", json!(5), 1, 3),
    ] {
        let with = |kind: &str| json!({kind: {"field": field, "missing": missing}});
        let aggs = json!({"c": with("cardinality"), "v": with("value_count")});
        let answer = ask(&search, "a", &json!({"size": 0, "aggs": aggs}));
        let got = (&answer["aggregations"]["c"]["value"], &answer["aggregations"]["v"]["value"]);
        assert_eq!(got, (&json!(different), &json!(values)), "{field} {missing}");
    }
}

#[test]
fn a_query_string_for_all_fields_forgives_what_a_field_cannot_hold() {
    let (_folder, search) = filled("a", &[("1", json!({"status": 200, "host": "web"}))], &json!({}));
    let asked = |more: Value| {
        let mut query = json!({"query": "status:abc OR host:web"});
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        search.search("a", &SearchParams::default(), &json!({"query": {"query_string": query}}))
    };
    assert_eq!(ids(&asked(json!({})).unwrap()), ["a/1"]);
    assert_eq!(ids(&asked(json!({"fields": ["*"]})).unwrap()), ["a/1"]);
    assert!(asked(json!({"lenient": false})).is_err());
    assert!(asked(json!({"fields": ["host"]})).is_err());
}

#[test]
fn parameters_have_an_effect_or_are_refused_by_name() {
    let (_folder, search) = filled("a", &[("1", json!({"n": 1}))], &json!({}));
    let field = |params: Value| json!({"properties": {"new": params}});
    let refused = [
        (json!({"nope": {}}), "nope"),
        (json!({"runtime": {"x": {"type": "long"}}}), "runtime"),
        (json!({"dynamic": "runtime"}), "dynamic: runtime"),
        (json!({"subobjects": false}), "subobjects: false"),
        (json!({"_source": {"nope": 1}}), "nope"),
        (json!({"_source": {"enabled": "perhaps"}}), "perhaps"),
        (field(json!({"type": "long", "nope": 1})), "nope"),
        (field(json!({"type": "long", "analyzer": "simple"})), "analyzer"),
        (field(json!({"type": "long", "index": "perhaps"})), "perhaps"),
        (field(json!({"type": "long", "scaling_factor": 10})), "scaling_factor"),
        (field(json!({"type": "long", "script": {"source": "1"}})), "script"),
        (field(json!({"type": "scaled_float"})), "scaling_factor"),
        (field(json!({"type": "scaled_float", "scaling_factor": -1})), "scaling_factor"),
        (field(json!({"type": "keyword", "ignore_above": "long"})), "ignore_above"),
        (field(json!({"type": "keyword", "similarity": "boolean"})), "similarity"),
        (
            field(json!({"type": "keyword", "split_queries_on_whitespace": true})),
            "split_queries_on_whitespace",
        ),
        (field(json!({"type": "text", "fielddata": true})), "fielddata"),
        (field(json!({"type": "text", "search_analyzer": "simple"})), "search_analyzer"),
        (field(json!({"type": "text", "position_increment_gap": 0})), "position_increment_gap"),
        (field(json!({"type": "date", "locale": "de"})), "locale"),
        (field(json!({"type": "date", "coerce": true})), "coerce"),
        (field(json!({"type": "version"})), "version"),
        (field(json!({"type": "nope"})), "nope"),
        (field(json!({"type": "object", "include_in_root": true})), "include_in_root"),
        (field(json!({"properties": {"x": {"type": "long"}}, "nope": 1})), "nope"),
        (field(json!({"type": "keyword", "fields": {"x": {"type": "keyword", "nope": 1}}})), "nope"),
        (field(json!({"type": "keyword", "fields": {"x": {"type": "keyword", "copy_to": "n"}}})), "copy_to"),
        (field(json!({"type": "alias", "path": "n", "nope": 1})), "nope"),
    ];
    for (mapping, name) in refused {
        let error = search.put_mapping("a", &mapping, search::Expand::default()).unwrap_err();
        assert_eq!(
            (error.status(), error.exception()),
            (400, "mapper_parsing_exception"),
            "{mapping}: {error}"
        );
        assert!(error.to_string().contains(name), "{mapping}: {error}");
    }
    // Nothing of it is in the mapping.
    let mapping = search.get_mapping("a", search::Expand::default()).unwrap();
    assert_eq!(mapping["a"]["mappings"]["properties"], json!({"n": {"type": "long"}}));
}
