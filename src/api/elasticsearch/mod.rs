//! The document and search API of Elasticsearch, answered by the embedded store or passed on to the cluster.
//!
//! | file | holds |
//! | --- | --- |
//! | [`documents`], [`bulk`] | one document, many documents |
//! | [`search`](mod@search) | searches, counts, scrolls, points in time |
//! | [`by_query`] | deleting and updating what matches |
//! | [`indices`], [`aliases`], [`templates`] | indices and what belongs to them |
//! | [`cluster`], [`features`], [`cat`] | what clients ask about the server |
//! | [`passed`] | with a cluster: its own answer to all of that |
//! | [`passable`] | which requests are passed on to it |

mod aliases;
mod bulk;
mod by_query;
mod cat;
mod cluster;
mod documents;
mod features;
mod indices;
mod params;
mod passable;
mod passed;
mod search;
mod templates;

use std::sync::Arc;

use ::search::Search;
use ::search::guard::Guard;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use types::ErrorKind;

pub(super) use self::passed::{Passed, forward, pass};
use super::error::ApiError;
use super::route::Route;
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(aliases::routes());
    routes.extend(bulk::routes());
    routes.extend(by_query::routes());
    routes.extend(cat::routes());
    routes.extend(cluster::routes());
    routes.extend(documents::routes());
    routes.extend(features::routes());
    routes.extend(indices::routes());
    routes.extend(search::routes());
    routes.extend(templates::routes());
    routes
}

/// What is not always passed on when there is a cluster: who this is, and what is set here.
pub(super) fn routes_beside_a_cluster() -> Vec<Route> {
    routes().into_iter().filter(|route| passed::has_route(route.path())).collect()
}

/// Asks the embedded store on a thread where it may block.
async fn ask<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Search) -> ::search::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    let Some(search) = app.search().cloned() else {
        return Err(ApiError::new(
            ErrorKind::BadRequest,
            "the documents are kept in a cluster: ask that cluster for them",
        ));
    };
    let worked = tokio::task::spawn_blocking(move || work(&search)).await;
    match worked {
        Ok(outcome) => Ok(outcome?),
        Err(error) => {
            tracing::error!(%error, "the embedded store broke off");
            Err(ApiError::internal())
        }
    }
}

/// Asks what may take long: on one of a bounded number of threads, within a time and a budget, and no longer than somebody waits for
/// the answer.
async fn ask_search<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Search) -> ::search::Result<T> + Send + 'static,
) -> Result<T, ApiError> {
    /// Ends the search when the request is dropped, as it is when its client leaves.
    struct UntilDropped(Arc<Guard>);
    impl Drop for UntilDropped {
        fn drop(&mut self) {
            self.0.cancel();
        }
    }
    let place = app.searches().place().await.map_err(ApiError::from)?;
    let guard = Guard::new(app.config().search_timeout, Some(&app.breakers().request));
    let _until_dropped = UntilDropped(Arc::clone(&guard));
    ask(app, move |search| {
        // Given back when the search has ended, and not when its client has left.
        let _place = place;
        guard.run(|| work(search))
    })
    .await
}

/// An answer whose status the store chose.
fn with_status(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
}
