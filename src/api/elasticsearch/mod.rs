//! The document and search API of Elasticsearch, answered by the embedded store.

mod cluster;

use super::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(cluster::routes());
    routes
}
