//! Trouble on demand: the next answers fail, hang, or the whole forge is down.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use serde_json::json;

use crate::{
    access,
    app::{App, lock},
    config::random_hex,
};

/// GitHub's limit for a person's token.
const REQUESTS_PER_HOUR: u64 = 5000;

#[derive(Default)]
pub(crate) struct Faults {
    pub(crate) down: AtomicBool,
    pub(crate) planned: Mutex<Vec<Fault>>,
    /// `METHOD /path` → how often it was asked.
    pub(crate) requests: Mutex<BTreeMap<String, u64>>,
    used: AtomicU64,
}

/// The next `left` requests whose path contains `path` go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) path: String,
    pub(crate) left: u32,
    pub(crate) kind: FaultKind,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum FaultKind {
    Status(u16),
    /// No answer for this long, then 504.
    Silence(Duration),
    /// The answer as it is now, this much later.
    Late(Duration),
}

impl Faults {
    pub(crate) fn plan(&self, path: &str, left: u32, kind: FaultKind) {
        lock(&self.planned).push(Fault { path: path.to_owned(), left, kind });
    }

    fn take(&self, path: &str) -> Option<FaultKind> {
        let mut planned = lock(&self.planned);
        let at = planned.iter().position(|fault| path.contains(&fault.path))?;
        planned[at].left = planned[at].left.saturating_sub(1);
        let kind = planned[at].kind;
        if planned[at].left == 0 {
            planned.remove(at);
        }
        Some(kind)
    }
}

/// Every request passes here: it is counted, may be made to fail, and API answers get
/// the headers that GitHub sends with all of them.
pub(crate) async fn gate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let app = request.app_data::<Data<App>>().expect("the app is given to all routes").clone();
    let path = request.path().to_owned();
    if path.starts_with("/_control") {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    *lock(&app.faults.requests).entry(format!("{} {path}", request.method())).or_default() += 1;
    let fault =
        if app.faults.down.load(Ordering::Relaxed) { Some(FaultKind::Status(503)) } else { app.faults.take(&path) };
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let caller = access::authenticate(&app, authorization).ok().flatten();
    let mut response = match fault {
        Some(FaultKind::Late(time)) => {
            let answer = next.call(request).await?.map_into_boxed_body();
            tokio::time::sleep(time).await;
            answer
        }
        Some(FaultKind::Status(status)) => request.into_response(fail(status)),
        Some(FaultKind::Silence(time)) => {
            tokio::time::sleep(time).await;
            request.into_response(fail(504))
        }
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if path.starts_with("/api/") {
        decorate(&app, caller.as_ref(), response.response_mut());
    }
    Ok(response)
}

fn fail(status: u16) -> HttpResponse {
    let message = match status {
        401 => "Bad credentials",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        503 => "No server is currently available to service your request.",
        _ => "Server Error",
    };
    let code =
        actix_web::http::StatusCode::from_u16(status).unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(code);
    if status == 429 {
        // One second, so that tests can wait for it.
        builder.insert_header(("retry-after", "1")).insert_header(("x-ratelimit-remaining", "0"));
        builder.insert_header(("x-ratelimit-reset", (hour_end() - 3600 + 1).to_string()));
    }
    builder.json(json!({ "message": message, "documentation_url": "https://docs.github.com/rest" }))
}

fn decorate(app: &App, caller: Option<&access::Caller>, response: &mut HttpResponse) {
    let unchanged = response.status() == 304;
    let used = app.faults.used.fetch_add(u64::from(!unchanged), Ordering::Relaxed);
    let remaining = REQUESTS_PER_HOUR.saturating_sub(used % REQUESTS_PER_HOUR + 1);
    let mut add = |name: &'static str, value: String| {
        let name = actix_web::http::header::HeaderName::from_static(name);
        if let (false, Ok(value)) = (response.headers().contains_key(&name), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    };
    add("x-github-request-id", random_hex(8).to_uppercase());
    add("x-github-media-type", "github.v3; format=json".to_owned());
    add("x-ratelimit-limit", REQUESTS_PER_HOUR.to_string());
    add("x-ratelimit-remaining", remaining.to_string());
    add("x-ratelimit-used", (REQUESTS_PER_HOUR - remaining).to_string());
    add("x-ratelimit-reset", hour_end().to_string());
    add("x-ratelimit-resource", "core".to_owned());
    add("vary", "Accept, Authorization, Cookie".to_owned());
    if let Some(caller) = caller {
        add("x-oauth-scopes", caller.scopes.join(", "));
        add("x-accepted-oauth-scopes", "repo".to_owned());
    }
}

/// One hour from now, in seconds since 1970.
fn hour_end() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs()) + 3600
}
