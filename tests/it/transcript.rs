//! Requests and answers, one after the other, as text for snapshots.

use std::fmt::Write;

use crate::server::Server;

/// What was asked and answered so far.
#[derive(Debug)]
pub(crate) struct Transcript<'a> {
    server: &'a Server,
    text: String,
}

impl<'a> Transcript<'a> {
    pub(crate) fn new(server: &'a Server) -> Self {
        Self { server, text: String::new() }
    }

    /// Sends a request and notes the answer.
    pub(crate) async fn ask(&mut self, method: &str, uri: &str, body: &str) {
        let answer = self.server.call(method, uri, body).await;
        let _ =
            writeln!(self.text, "{method} {uri}\n  {} {}", answer.status.as_u16(), answer.text.trim_end());
    }

    /// The same for requests that fail: only type and reason are noted.
    pub(crate) async fn fail(&mut self, method: &str, uri: &str, body: &str) {
        let answer = self.server.call(method, uri, body).await;
        assert!(answer.status.as_u16() >= 400, "{method} {uri} {body} was accepted: {}", answer.text);
        let _ = writeln!(self.text, "{method} {uri} {body}\n  {}", answer.failure());
    }

    pub(crate) fn end(self) -> String {
        self.text
    }
}
