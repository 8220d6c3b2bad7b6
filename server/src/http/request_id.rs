//! One id for each request: in the log, on error pages, and in events.

use crate::request_id;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;

/// Kept with the request, for the error pages.
#[derive(Clone)]
pub struct RequestId(pub String);

/// Asked all day by machines and browsers: worth a line only when it goes wrong.
const ROUTINE: &[&str] = &["/healthz", "/readyz", "/assets/", "/builder/"];

/// Gives the request its id and a span, and logs how it was answered. The path only: queries hold codes and invitations.
pub async fn middleware<B: MessageBody>(req: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let id = hex::encode(crate::secrets::random::<8>());
    req.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (req.method().clone(), req.path().to_owned());
    #[expect(clippy::disallowed_methods, reason = "measures the request")]
    let started = std::time::Instant::now();
    // At the highest level, so that the id stands beside errors however little is logged.
    let span = tracing::error_span!("request", request.id = %id);
    let current = id.clone();
    let work = async move {
        let mut response = next.call(req).await?;
        let status = response.status().as_u16();
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        log(&method, &path, status, millis);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
        }
        Ok(response)
    };
    request_id::scope(current, work).instrument(span).await
}

fn log(method: &Method, path: &str, status: u16, millis: u64) {
    let text = format!("{method} {path} answered {status} in {millis} ms");
    if status < 400 && ROUTINE.iter().any(|start| path.starts_with(start)) {
        tracing::debug!(http.method = %method, http.path = path, http.status = status, duration_ms = millis, "{text}");
    } else {
        tracing::info!(http.method = %method, http.path = path, http.status = status, duration_ms = millis, "{text}");
    }
}
