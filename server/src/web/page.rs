//! What the handlers of pages share: rendering, who looks, and times.

use super::views::facts::When;
use super::views::layout::{Flash, Viewer};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Context, Result};
use crate::policy::{Principal, Who};
use actix_web::cookie::time::Duration;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use time::OffsetDateTime;

/// Entries on one page of a list.
pub const ROWS: u64 = 30;

/// A rendered page.
pub fn html(page: &impl Template) -> Result<HttpResponse> {
    with_status(StatusCode::OK, page)
}

/// A rendered page with another status: 422 for a form with errors.
pub fn with_status(status: StatusCode, page: &impl Template) -> Result<HttpResponse> {
    let body = page.render().context("rendering a page")?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(body))
}

/// Who looks at the page, for its top bar.
pub async fn viewer(app: &App, principal: &Principal) -> Result<Option<Viewer>> {
    let Who::User { id, name, is_site_admin } = &principal.who else { return Ok(None) };
    let namespace = crate::namespaces::own(app, *id).await?;
    let administers = *is_site_admin || crate::namespaces::administers_any(app, *id).await?;
    Ok(Some(Viewer { name: name.clone(), namespace, administers }))
}

/// A stored time as pages show it.
pub fn when(app: &App, at: Millis) -> When {
    When::new(moment(at), moment(app.clock.now()))
}

/// Now or at another moment; a time out of range is shown as 1970.
pub fn moment(at: Millis) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// After a form: go and look.
pub fn see(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}

/// As `see`, with one sentence about what was done on the next page.
pub fn see_saying(app: &App, location: &str, text: &str) -> HttpResponse {
    see_telling(app, location, &Flash { good: true, text: text.to_owned() })
}

/// As `see_saying`, where what was done needs another look. A browser keeps cookies of 4,096 bytes, and no letter takes more
/// than three.
pub fn see_warning(app: &App, location: &str, text: &str) -> HttpResponse {
    see_telling(app, location, &Flash { good: false, text: text[..text.floor_char_boundary(1_000)].to_owned() })
}

fn see_telling(app: &App, location: &str, flash: &Flash) -> HttpResponse {
    let mut response = see(location);
    let kind = if flash.good { "text" } else { "warning" };
    let value = serde_urlencoded::to_string([(kind, &flash.text)]).unwrap_or_default();
    let cookie = crate::auth::sessions::cookie(app, "flash", value, Duration::minutes(1));
    response.add_cookie(&cookie).ok();
    response
}

/// The sentence that the last form left, once.
pub fn flash(app: &App, request: &HttpRequest) -> Option<Flash> {
    let cookie = request.cookie(&crate::auth::sessions::cookie_name(app, "flash"))?;
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(cookie.value()).ok()?;
    let (kind, text) = pairs.into_iter().find(|(k, _)| k == "text" || k == "warning")?;
    (!text.is_empty()).then_some(Flash { good: kind == "text", text })
}

/// Renders a page that may carry a flash, and takes the flash's cookie back.
pub fn html_after_form(app: &App, request: &HttpRequest, page: &impl Template) -> Result<HttpResponse> {
    let mut response = html(page)?;
    if request.cookie(&crate::auth::sessions::cookie_name(app, "flash")).is_some() {
        let gone = crate::auth::sessions::cookie(app, "flash", String::new(), Duration::ZERO);
        response.add_cookie(&gone).ok();
    }
    Ok(response)
}

/// Rows are signed in the database; what is shown is not.
pub fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
