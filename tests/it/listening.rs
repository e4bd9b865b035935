//! A server in process that listens on a port of its own.

use std::net::SocketAddr;

use auspex::config::Config;

use crate::server::Server;

pub(crate) struct Listening {
    pub(crate) server: Server,
    pub(crate) address: SocketAddr,
}

impl Listening {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let server = Server::with(change).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = server.app.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { server, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
