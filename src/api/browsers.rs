//! Keeps pages of other sites from using this server through the browser of somebody who can reach it.
//!
//! A page can make a browser send a request here, though it cannot read the answer. Browsers say where such a request comes from:
//! in `Origin` and `Sec-Fetch-Site`, old ones in `Referer` at least, and none of these can be changed by a page. Programs that are
//! no browsers send none of them. What changes something is therefore refused when it comes from elsewhere, and, where a browser
//! says nothing at all, when it has nothing that a page could not send either.

use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::error::ApiError;
use super::extract::Params;
use super::hosts::asked_host;
use crate::app::App;
use crate::authority::Authority;
use crate::config::{AllowedHosts, Config};

/// The media types that a page may give a body without asking the server first.
const OF_PAGES: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
/// Headers that a page cannot set without asking the server first, and that clients send.
const OF_CLIENTS: [HeaderName; 4] = [
    HeaderName::from_static("x-elastic-client-meta"),
    HeaderName::from_static("x-opaque-id"),
    HeaderName::from_static("x-requested-with"),
    HeaderName::from_static("kbn-xsrf"),
];
static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Where plain text is what is asked about.
const TEXTS: [&str; 2] = ["/_text_structure/find_structure", "/_ml/find_file_structure"];

/// Nothing may be loaded, run, framed or sent by an answer that a browser shows.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a page of this server may do: run and look as its own text says, and ask this server.
pub(super) fn page_policy(page: &str) -> HeaderValue {
    let sources = |element: &str| {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let texts = page.split(&open).skip(1).filter_map(|rest| rest.split(&close).next());
        let hash = |text: &str| format!(" 'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
        texts.map(hash).collect::<String>()
    };
    let policy = format!(
        "{POLICY}; script-src{}; style-src{}; connect-src 'self'",
        sources("script"),
        sources("style")
    );
    HeaderValue::from_str(&policy).expect("a hash in base64 is ASCII")
}

/// Lets through what may come from where it comes.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    match check(&request, app.config()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(request: &Request, config: &Config) -> Result<(), ApiError> {
    let host = asked_host(request, config)?;
    not_of_a_page(request)?;
    if changes(request.method(), request.uri()) {
        let own = |page: &str| is_own(page, host.as_ref(), &config.allowed_hosts);
        comes_from_here(request.headers(), own)?;
    }
    Ok(())
}

/// Can the request change anything? Reading is left to pages, since they do not see the answers.
fn changes(method: &Method, uri: &Uri) -> bool {
    if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method) {
        return true;
    }
    let path = super::path::decoded(uri.path());
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let acts = |part: &[&str]| {
        matches!(
            part,
            ["_refresh" | "_flush" | "_forcemerge", ..] | ["_cache", "clear"] | ["_search", "scroll"]
        )
    };
    let opens_scroll = || Params::of(uri).map_or(true, |params| params.text("scroll").is_some());
    segments.windows(1).any(acts)
        || segments.windows(2).any(acts)
        || (segments.last() == Some(&"_search") && opens_scroll())
}

fn is_own(page: &str, host: Option<&Authority>, allowed: &AllowedHosts) -> bool {
    let Some(page) = Authority::of_url(page) else { return false };
    let named = match allowed {
        AllowedHosts::Any => &[],
        AllowedHosts::These(names) => names.as_slice(),
    };
    host.into_iter().chain(named).any(|own| own.serves(&page))
}

/// What the browser says about the page that sent the request; what is no browser says nothing.
fn comes_from_here(headers: &HeaderMap, own: impl Fn(&str) -> bool) -> Result<(), ApiError> {
    let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
    if origins.peek().is_some() {
        return origins.try_for_each(|origin| {
            let text = String::from_utf8_lossy(origin.as_bytes());
            if own(&text) { Ok(()) } else { Err(foreign(&format!("comes from a page of [{text}]"))) }
        });
    }
    if let Some(site) = headers.get(&FETCH_SITE) {
        return match site.as_bytes() {
            b"same-origin" | b"none" => Ok(()),
            _ => Err(foreign("comes from a page of another site")),
        };
    }
    if let Some(page) = headers.get(header::REFERER) {
        return match page.to_str() {
            Ok(page) if own(page) => Ok(()),
            _ => Err(foreign("comes from a page of another site")),
        };
    }
    if is_of_a_browser(headers) && !has_what_pages_cannot_send(headers) {
        return Err(foreign(
            "comes from a browser that does not say from which page; a request with [content-type: application/json] is taken",
        ));
    }
    Ok(())
}

fn foreign(why: &str) -> ApiError {
    ApiError::forbidden(format!(
        "what changes something is refused to pages of other sites, and this request {why}; if this server is behind a proxy, \
         put the host of its pages into the setting [allowed_hosts]"
    ))
}

/// Every browser calls itself so, and no page can change it. PowerShell does too, and says its own name besides.
fn is_of_a_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let begins = [b"Mozilla/".as_slice(), b"Opera/"].iter().any(|name| agent.starts_with(name));
    begins && !agent.windows(b"PowerShell/".len()).any(|part| part == b"PowerShell/")
}

fn has_what_pages_cannot_send(headers: &HeaderMap) -> bool {
    let typed = headers.contains_key(header::CONTENT_TYPE) && !is_typed_by_a_page(headers);
    typed || OF_CLIENTS.iter().any(|name| headers.contains_key(name))
}

fn is_typed_by_a_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_TYPE).iter().any(|value| {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        OF_PAGES.contains(&text.split([';', ',']).next().unwrap_or_default().trim())
    })
}

/// Bodies of the types that forms have are refused, as Elasticsearch refuses them. A form without fields has no body: it is told
/// from a program, which has a name of its own or does not say a type.
fn not_of_a_page(request: &Request) -> Result<(), ApiError> {
    let headers = request.headers();
    if !is_typed_by_a_page(headers) || (is_about_text(request) && !is_of_a_browser(headers)) {
        return Ok(());
    }
    let has_body = !request.body().is_end_stream() && request.body().size_hint().exact() != Some(0);
    let is_program = headers.contains_key(header::USER_AGENT) && !is_of_a_browser(headers);
    if has_body || (changes(request.method(), request.uri()) && !is_program) {
        let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        return Err(ApiError::content_type(&String::from_utf8_lossy(value)));
    }
    Ok(())
}

fn is_about_text(request: &Request) -> bool {
    let is_text = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().starts_with(b"text/plain");
    TEXTS.contains(&request.uri().path().trim_end_matches('/'))
        && request.headers().get(header::CONTENT_TYPE).is_some_and(is_text)
}

/// What every answer tells browsers: that no page of another site may read, frame or run it. Nobody is permitted more, whatever
/// a cluster behind this server would permit.
pub(super) fn shield(headers: &mut HeaderMap) {
    let permissions: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in permissions {
        headers.remove(name);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
}
