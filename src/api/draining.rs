//! An answer that is given before the request's body was read: what is left of it is read on and thrown away, so that the next request
//! on the connection is not taken for the rest of this one, nor the connection closed under it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};

use crate::app::App;

/// How long the rest of a body is waited for.
const DRAIN_TIME: Duration = Duration::from_secs(10);
/// What is read beyond the largest body that would have been taken.
const BEYOND_BYTES: usize = 1 << 20;

/// A body that the handlers read, and that is still there when they have answered.
struct Lent(Arc<Mutex<Body>>);

impl Lent {
    fn body(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.body()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

/// Reads to its end what the handlers have left. A body without an end, or one that does not come, closes the connection.
pub(super) async fn drain(State(app): State<App>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let version = request.version();
    // Whoever asks before sending is told not to send.
    let asks_first = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    let shared = Arc::new(Mutex::new(body));
    let lent = Body::new(Lent(Arc::clone(&shared)));
    let mut response = next.run(Request::from_parts(parts, lent)).await;
    // Somebody who passes the body on may still be at it.
    let Some(body) = Arc::into_inner(shared) else { return response };
    let body = body.into_inner().unwrap_or_else(PoisonError::into_inner);
    let most = app.config().body_limit_bytes.saturating_add(BEYOND_BYTES);
    let is_too_much = HttpBody::size_hint(&body).lower() > most as u64;
    let ended = !asks_first
        && !is_too_much
        && tokio::time::timeout(DRAIN_TIME, read_to_end(body, most)).await.unwrap_or(false);
    if !ended && version <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Did it end, after no more than so many bytes?
async fn read_to_end(mut body: Body, most: usize) -> bool {
    let mut read = 0_usize;
    while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(frame) = frame else { return false };
        read = read.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if read > most {
            return false;
        }
    }
    true
}
