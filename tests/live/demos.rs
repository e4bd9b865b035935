//! The four demos: the same documents on a server as on the embedded store.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::Value;

use crate::server::{Server, say};
use crate::service::{Service, assert_same, command, results};

/// What the embedded store holds after the demos; made once.
static EMBEDDED: OnceLock<BTreeMap<String, Value>> = OnceLock::new();

fn demo(store: &[&str]) {
    let mut arguments = vec!["demo", "--once", "--json"];
    arguments.extend(store);
    let output = command(&arguments).stderr(std::process::Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn embedded() -> &'static BTreeMap<String, Value> {
    if EMBEDDED.get().is_none() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        demo(&["--data", data]);
        let service = Service::start(&["--data", data], &[]);
        let found = results(&service.base, ".ml-anomalies-*").await;
        let _ = EMBEDDED.set(found);
    }
    EMBEDDED.get().unwrap()
}

/// Runs the demos with a server as the store.
pub(crate) async fn give_the_same_documents(server: &Server) {
    let expected = embedded().await;
    server.wipe().await;
    let started = Instant::now();
    demo(&["--store", &server.url]);
    let found = results(&server.url, ".ml-anomalies-*").await;
    assert_same(expected, &found, "demos");
    say(&format!(
        "  demos: {} documents are the same ({:.0} s)",
        found.len(),
        started.elapsed().as_secs_f64()
    ));
    server.wipe().await;
}
