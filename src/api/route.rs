//! The table of all routes: method, path, purpose, query parameters, handler.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::Method;
use axum::http::header::ALLOW;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};

use super::error::ApiError;
use super::extract::Params;
use super::manners::{self, AskedUri};
use super::openapi::parameters;
use super::{
    anomaly_detectors, calendars, cat_ml, datafeeds, deprecation, elasticsearch, filters, forecasts, health,
    info, json_error, maintenance, model_memory, model_snapshots, openapi, results, tasks, text_structure,
    upgrade_mode,
};
use crate::app::App;

/// Parameters that every route takes.
const COMMON: &str = "pretty human error_trace filter_path format source source_content_type";

/// One line of the table.
pub(super) struct Route {
    /// Separated by spaces.
    methods: &'static str,
    path: &'static str,
    summary: &'static str,
    params: &'static [&'static str],
    handler: MethodRouter<App>,
}

/// One operation, as the API's description lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteLine {
    /// The path, with `{names}` for what it leaves open.
    pub path: &'static str,
    /// In lower case.
    pub method: String,
    /// What it is for.
    pub summary: &'static str,
    /// Its query parameters, without those that every route takes.
    pub params: Vec<&'static str>,
}

/// A line of the table. `methods` and `params` (query parameters beside the common ones) are separated by spaces;
/// groups of parameters that several routes share are named once.
pub(super) fn route<H, T>(
    methods: &'static str,
    path: &'static str,
    summary: &'static str,
    params: &'static [&'static str],
    handler: H,
) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    let filter = methods.split(' ').map(filter_of).reduce(MethodFilter::or).unwrap_or(MethodFilter::GET);
    let check = move |request: Request, next: Next| known_params(params, request, next);
    Route { methods, path, summary, params, handler: on(filter, handler).route_layer(from_fn(check)) }
}

fn filter_of(method: &str) -> MethodFilter {
    match method {
        "GET" => MethodFilter::GET,
        "HEAD" => MethodFilter::HEAD,
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "DELETE" => MethodFilter::DELETE,
        other => unreachable!("the table is constant and has no method {other}"),
    }
}

async fn known_params(known: &'static [&'static str], request: Request, next: Next) -> Response {
    let params = match Params::of(request.uri()) {
        Ok(params) => params,
        Err(error) => return error.into_response(),
    };
    let known: Vec<&str> =
        known.iter().copied().chain([COMMON]).flat_map(|group| group.split_whitespace()).collect();
    let unknown: Vec<String> = params
        .names()
        .filter(|name| !known.contains(name))
        .map(|name| format!("[{name}]{}", hint(name, &known)))
        .collect();
    if unknown.is_empty() {
        if let Err(error) = params.pairs().try_for_each(|(name, value)| parameters::check(name, value)) {
            return error.into_response();
        }
        let warnings = deprecation::warnings(&request, &params);
        let mut response = next.run(request).await;
        deprecation::warn(response.headers_mut(), &warnings);
        return response;
    }
    let plural = if unknown.len() > 1 { "s" } else { "" };
    let path = asked(&request).path().to_owned();
    ApiError::argument(format!(
        "request [{path}] contains unrecognized parameter{plural}: {}",
        unknown.join(", ")
    ))
    .into_response()
}

/// ` -> did you mean [known]?`, if a known name is near.
fn hint(unknown: &str, known: &[&str]) -> String {
    let near = json_error::nearest(unknown, known);
    near.map_or_else(String::new, |near| format!(" -> did you mean [{near}]?"))
}

pub(super) fn asked(request: &Request) -> axum::http::Uri {
    request.extensions().get::<AskedUri>().map_or_else(|| request.uri().clone(), |AskedUri(uri)| uri.clone())
}

impl Route {
    pub(super) fn path(&self) -> &'static str {
        self.path
    }
}

/// All routes; those of the document API are left out when the cluster answers them.
fn table(with_documents: bool) -> Vec<Route> {
    let mut routes = Vec::new();
    routes.extend(anomaly_detectors::routes());
    routes.extend(calendars::routes());
    routes.extend(cat_ml::routes());
    routes.extend(datafeeds::routes());
    routes.extend(filters::routes());
    routes.extend(forecasts::routes());
    routes.extend(health::routes());
    routes.extend(maintenance::routes());
    routes.extend(model_memory::routes());
    routes.extend(model_snapshots::routes());
    routes.extend(openapi::routes());
    routes.extend(results::routes());
    routes.extend(info::routes());
    routes.extend(tasks::routes());
    routes.extend(text_structure::routes());
    routes.extend(upgrade_mode::routes());
    routes.extend(if with_documents {
        elasticsearch::routes()
    } else {
        elasticsearch::routes_beside_a_cluster()
    });
    routes
}

/// Every operation, sorted.
pub fn route_lines() -> Vec<RouteLine> {
    let lines = |route: Route| {
        route.methods.split(' ').map(move |method| RouteLine {
            path: route.path,
            method: method.to_ascii_lowercase(),
            summary: route.summary,
            params: route.params.iter().flat_map(|group| group.split_whitespace()).collect(),
        })
    };
    let mut lines: Vec<RouteLine> = table(true).into_iter().flat_map(lines).collect();
    lines.sort();
    lines
}

/// Methods of each path, as the answer to a wrong one lists them.
type Methods = std::sync::Arc<BTreeMap<&'static str, String>>;

/// All routes with everything around them.
pub(crate) fn router(app: &App) -> Router {
    let passes_on = app.gateway().is_some();
    let table = table(!passes_on);
    let mut methods: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    for route in &table {
        methods.entry(route.path).or_default().extend(route.methods.split(' '));
    }
    let listed = methods.into_iter().map(|(path, mut methods)| {
        methods.sort_unstable();
        (path, methods.join(", "))
    });
    let methods: Methods = std::sync::Arc::new(listed.collect());
    let routes = table
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.handler))
        .method_not_allowed_fallback(wrong_method);
    let routes = if passes_on { routes.fallback(elasticsearch::pass) } else { routes.fallback(no_handler) };
    let routes = routes.layer(Extension(methods)).with_state(app.clone());
    manners::with_manners(routes, app)
}

pub(super) async fn no_handler(State(_): State<App>, request: Request) -> ApiError {
    ApiError::no_handler(&asked(&request).to_string(), request.method().as_str())
}

async fn wrong_method(Extension(methods): Extension<Methods>, request: Request) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let allowed = path.and_then(|path| methods.get(path)).map_or("", String::as_str);
    if request.method() == Method::OPTIONS {
        return ([(ALLOW, allowed.replace(' ', ""))], "").into_response();
    }
    ApiError::wrong_method(&asked(&request).to_string(), request.method().as_str(), allowed).into_response()
}
