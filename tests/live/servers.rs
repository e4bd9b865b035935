//! What is tried on which server: one test each for what can be asked at once, for the demos and for the kills.

use std::sync::Arc;
use std::time::Instant;

use store::{ClusterConfig, Config, Store};
use tokio::sync::Mutex;
use types::time::SystemClock;

use crate::server::{Server, say, start_or_skip};
use crate::{across, computed, demos, differential, door, kill, push_down, tls};

/// One server at a time: they need much memory, and the machine has two cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

pub(crate) async fn try_open(config: ClusterConfig) -> store::Result<Arc<dyn Store>> {
    store::open(&Config::Cluster(config), Arc::new(SystemClock)).await
}

async fn open(config: ClusterConfig) -> Arc<dyn Store> {
    try_open(config).await.unwrap()
}

fn config(server: &Server) -> ClusterConfig {
    ClusterConfig::new(vec![server.url.clone()])
}

macro_rules! all_promises {
    (($server:expr, $config:expr); $($name:ident),* $(,)?) => {
        $(
            $server.wipe().await;
            let started = Instant::now();
            crate::contract::$name(open($config.clone()).await).await;
            say(&format!("  {} {:.1} s", stringify!($name), started.elapsed().as_secs_f64()));
        )*
    };
}

async fn keeps_the_contract(server: &Server) {
    let config = config(server);
    each_promise!(all_promises, (server, config));
    // The same with a prefix, and with a first host that is away.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = ClusterConfig::new(vec![format!("http://{closed}"), server.url.clone()]);
    config.index_prefix = "team-a".to_owned();
    server.wipe().await;
    crate::contract::own_indices_can_be_made(open(config).await).await;
    server.wipe().await;
}

#[tokio::test]
async fn opensearch_2() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("opensearch") else { return };
    keeps_the_contract(&server).await;
    door::is_open(&server).await;
    push_down::gives_the_same(&server).await;
    computed::fields_are_read(&server).await;
}

#[tokio::test]
async fn opensearch_3() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("opensearch3") else { return };
    keeps_the_contract(&server).await;
    door::is_open(&server).await;
    push_down::gives_the_same(&server).await;
    computed::fields_are_read(&server).await;
    across::clusters_are_read(&server, "opensearch3").await;
}

#[tokio::test]
async fn opensearch_3_demos() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("opensearch3") else { return };
    demos::give_the_same_documents(&server).await;
}

#[tokio::test]
async fn opensearch_3_kills() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(mut server) = start_or_skip("opensearch3") else { return };
    kill::loses_nothing(&mut server).await;
}

#[tokio::test]
async fn elasticsearch_7() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("elasticsearch") else { return };
    keeps_the_contract(&server).await;
    door::is_open(&server).await;
    push_down::gives_the_same(&server).await;
    computed::fields_are_read(&server).await;
    across::clusters_are_read(&server, "elasticsearch").await;
    server.wipe().await;
    differential::agrees_with_the_embedded_store(&server).await;
}

#[tokio::test]
async fn elasticsearch_7_demos() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("elasticsearch") else { return };
    demos::give_the_same_documents(&server).await;
}

#[tokio::test]
async fn elasticsearch_7_kills() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(mut server) = start_or_skip("elasticsearch") else { return };
    kill::loses_nothing(&mut server).await;
}

#[tokio::test]
async fn elasticsearch_8() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("elasticsearch8") else { return };
    keeps_the_contract(&server).await;
    door::is_open(&server).await;
    push_down::gives_the_same(&server).await;
    computed::fields_are_read(&server).await;
    tls::is_spoken(&server).await;
}

#[tokio::test]
async fn elasticsearch_9() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(server) = start_or_skip("elasticsearch9") else { return };
    keeps_the_contract(&server).await;
    door::is_open(&server).await;
    push_down::gives_the_same(&server).await;
    computed::fields_are_read(&server).await;
}
