//! Bodies and answers in YAML, CBOR and SMILE.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::server::Server;

/// Media type, body as it is sent, reading of what comes back.
type Form = (&'static str, fn(&Value) -> Vec<u8>, fn(&[u8]) -> Value);

const FORMS: [Form; 4] = [
    ("json", |value| value.to_string().into_bytes(), |bytes| serde_json::from_slice(bytes).unwrap()),
    (
        "yaml",
        |value| serde_yaml_ng::to_string(value).unwrap().into_bytes(),
        |bytes| serde_yaml_ng::from_slice(bytes).unwrap(),
    ),
    (
        "cbor",
        |value| {
            let mut bytes = Vec::new();
            ciborium::into_writer(value, &mut bytes).unwrap();
            bytes
        },
        |bytes| ciborium::from_reader(bytes).unwrap(),
    ),
    ("smile", |value| serde_smile::to_vec(value).unwrap(), |bytes| serde_smile::from_slice(bytes).unwrap()),
];

/// Status, media type and bytes of an answer.
async fn send(server: &Server, mut request: Request<Body>) -> (u16, String, Vec<u8>) {
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
    let response = server.app.router().oneshot(request).await.unwrap();
    let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, kind, bytes.to_vec())
}

#[tokio::test]
async fn bodies_and_answers_have_the_form_that_is_asked_for() {
    let server = Server::start().await;
    let job =
        json!({ "analysis_config": { "detectors": [{ "function": "count" }] }, "data_description": {} });
    for (name, write, read) in FORMS {
        let kind = format!("application/{name}");
        let uri = format!("/_ml/anomaly_detectors/{name}");
        let put = Request::put(&uri).header("content-type", &kind).body(Body::from(write(&job))).unwrap();
        let (status, answered, bytes) = send(&server, put).await;
        assert_eq!((status, &answered), (200, &kind), "the answer has the form of the body");
        assert_eq!(read(&bytes)["job_id"], name);

        let get = Request::get(format!("{uri}?filter_path=jobs.job_id")).header("accept", &kind);
        let (_, answered, bytes) = send(&server, get.body(Body::empty()).unwrap()).await;
        assert_eq!((answered, read(&bytes)), (kind.clone(), json!({ "jobs": [{ "job_id": name }] })));

        let get = Request::get(format!("{uri}x?format={name}")).header("accept", "application/json");
        let (status, answered, bytes) = send(&server, get.body(Body::empty()).unwrap()).await;
        assert_eq!((status, answered), (404, kind.clone()));
        assert_eq!(read(&bytes)["error"]["type"], "resource_not_found_exception");

        let vendor = format!("application/vnd.elasticsearch+{name};compatible-with=8");
        let get = Request::get(&uri).header("accept", &vendor);
        let (_, answered, bytes) = send(&server, get.body(Body::empty()).unwrap()).await;
        assert_eq!((answered, read(&bytes)["count"].as_u64()), (vendor, Some(1)));

        let get = Request::get(format!("/_cat/ml/anomaly_detectors/{name}?h=id&format={name}"));
        let (_, answered, bytes) = send(&server, get.body(Body::empty()).unwrap()).await;
        assert_eq!((answered, read(&bytes)), (kind, json!([{ "id": name }])));
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_refused() {
    let server = Server::start().await;
    for (kind, body) in [
        ("application/yaml", "a: [1"),
        ("application/cbor", "{}"),
        ("application/smile", "{}"),
        ("application/json", "a: 1"),
    ] {
        let put = Request::put("/_ml/anomaly_detectors/broken").header("content-type", kind);
        let put = put.header("accept", "application/json").body(Body::from(body)).unwrap();
        let (status, _, bytes) = send(&server, put).await;
        let error: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((status, &error["error"]["type"]), (400, &json!("x_content_parse_exception")), "{kind}");
    }
    let put = Request::put("/_ml/anomaly_detectors/broken").header("content-type", "application/toml");
    assert_eq!(send(&server, put.body(Body::from("a")).unwrap()).await.0, 406);
}
