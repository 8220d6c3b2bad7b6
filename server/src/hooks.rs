//! What forges send: checked, kept and answered in milliseconds; jobs do the rest.
//!
//! No body is read for a source that does not exist or without the form of a signature; the answer is that of a wrong
//! signature, which is checked over the raw bytes before anything looks into them.

mod body;
mod form;
mod in_flight;
mod signature;

pub use in_flight::InFlight;

use crate::app::App;
use crate::auth::address::client_address;
use crate::error::{Error, Result};
use crate::sources::deliveries::{self, Source};
use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use in_flight::Place;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use uuid::Uuid;

/// Well-signed deliveries of one source in a minute; a larger burst is found by polling. Its keys are sources.
const PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).expect("above 0");
static DELIVERIES: LazyLock<DefaultKeyedRateLimiter<Uuid>> =
    LazyLock::new(|| RateLimiter::keyed(Quota::per_minute(PER_MINUTE)));

/// `POST /hooks/github/{source_id}`
pub async fn github(
    request: HttpRequest,
    source_id: Path<String>,
    payload: Payload,
    app: Data<App>,
) -> Result<HttpResponse> {
    let address = client_address(&app, &request);
    let wrong = || match app.limits.wrong_credential(address) {
        Ok(()) => Error::Unauthorized("the signature is missing or wrong".into()),
        Err(too_many) => too_many,
    };
    let given = signature::parse(header(&request, "x-hub-signature-256")).ok_or_else(wrong)?;
    let id = source_id.parse::<Uuid>().map_err(|_no_id| wrong())?;
    let source = deliveries::source(&app, id).await?.ok_or_else(wrong)?;
    // Held until the delivery is kept: its bytes are in memory as long.
    let mut place = app.hooks.enter(address)?;
    let body = body::read(&request, payload, &mut place).await?;
    let secret = deliveries::secret(&app, &source)?;
    // The key of the check is the secret itself.
    if !signature::is_right(secret.reveal().as_bytes(), &body, &given) {
        return Err(wrong());
    }
    match take(&app, &request, &source, body, &mut place).await {
        Ok(answer) => Ok(HttpResponse::Accepted().json(serde_json::json!({"status": answer}))),
        Err(refusal) => {
            // Who signed it told of something, whatever becomes of it here.
            deliveries::look_soon(&app, &source).await?;
            Err(refusal)
        }
    }
}

/// Takes a delivery that is rightly signed; what became of it, in a word.
async fn take(
    app: &App,
    request: &HttpRequest,
    source: &Source,
    body: Bytes,
    place: &mut Place,
) -> Result<&'static str> {
    if let Err(not_until) = DELIVERIES.check_key(&source.id) {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        return Err(Error::TooManyRequests { retry_after_secs: wait.as_secs() + 1 });
    }
    let json = form::json_of(header(request, "content-type"), body, place)?;
    match header(request, "x-github-event") {
        event @ ("push" | "repository") => {
            let is_new = deliveries::keep(app, source, event, header(request, "x-github-delivery"), &json).await?;
            Ok(if is_new { "accepted" } else { "accepted before" })
        }
        "ping" => {
            deliveries::greet(app, source).await?;
            Ok("pong")
        }
        _ => {
            deliveries::look_soon(app, source).await?;
            Ok("not needed")
        }
    }
}

/// A header that came once; several are none.
fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    let mut all = request.headers().get_all(name);
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    }
}
