//! A cluster behind TLS with a certificate authority of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use store::ClusterConfig;

use crate::server::{Server, say, skipped};
use crate::servers::try_open;
use crate::service::Service;

/// A proxy that is ended when it is dropped.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An authority and a certificate for `localhost` that it has signed.
fn certificates(folder: &Path) -> bool {
    let script = "set -e
        key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj /CN=authority
        openssl req -x509 $key -keyout other.key -out other.pem -days 2 -subj /CN=other
        openssl req $key -keyout leaf.key -out leaf.csr -subj /CN=localhost
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > san
        openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out leaf.pem";
    let made = Command::new("bash").args(["-c", script]).current_dir(folder).output();
    made.is_ok_and(|output| output.status.success())
}

/// The adapter and the door trust the authority that they are given, and no other.
pub(crate) async fn is_spoken(server: &Server) {
    let folder = tempfile::tempdir().unwrap();
    if !certificates(folder.path()) {
        return skipped("TLS", "there is no openssl");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live/server/tls_proxy.py");
    let port = server.url.rsplit(':').next().unwrap();
    let mut command = Command::new("python3");
    command.arg(script).args(["leaf.pem", "leaf.key", port]).current_dir(folder.path());
    let Ok(mut child) = command.stdout(Stdio::piped()).spawn() else {
        return skipped("TLS", "there is no python3");
    };
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let _proxy = Proxy(child);
    let url = format!("https://localhost:{}", line.trim());
    let mut config = ClusterConfig::new(vec![url.clone()]);
    let untrusted = try_open(config.clone()).await.unwrap_err();
    assert!(untrusted.to_string().contains("certificate"), "{untrusted}");
    config.ca_certificate = Some(folder.path().join("other.pem"));
    assert!(try_open(config.clone()).await.is_err());
    config.ca_certificate = Some(folder.path().join("ca.pem"));
    try_open(config).await.unwrap();
    let authority = folder.path().join("ca.pem");
    let variables = [("AUSPEX_STORE_CA_CERTIFICATE", authority.to_str().unwrap())];
    let service = Service::start(&["--store", &url], &variables);
    let document = json!({"x": 1});
    service.done("PUT", "/over-tls/_doc/1?refresh=true", Some(&document)).await;
    assert_eq!(service.done("GET", "/over-tls/_doc/1", None).await["_source"], document);
    say("  TLS with an authority of its own");
}
