//! The plain HTML front: what the pages share.

pub(crate) mod front;
pub(crate) mod settings;
mod view;

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite},
    http::StatusCode,
};
use askama::Template;

use crate::{app::App, model::Account};

/// Remembers which of the forge's people sits in front of the browser.
const COOKIE: &str = "forge_user";

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    text: &'a str,
}

pub(crate) fn render(page: &impl Template) -> HttpResponse {
    respond(StatusCode::OK, page)
}

/// A 400 page.
pub(crate) fn problem(title: &str, text: &str) -> HttpResponse {
    respond(StatusCode::BAD_REQUEST, &ProblemPage { title, text })
}

pub(crate) fn not_found(text: &str) -> HttpResponse {
    respond(StatusCode::NOT_FOUND, &ProblemPage { title: "Not found", text })
}

fn respond(status: StatusCode, page: &impl Template) -> HttpResponse {
    let html = page.render().expect("templates write into memory");
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        // No `form-action`: the consent form ends with a redirect to the app.
        .insert_header(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'"))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("x-frame-options", "DENY"))
        .insert_header(("cache-control", "no-store"))
        .body(html)
}

/// The person of the cookie, or the first one.
pub(crate) fn person(app: &App, request: &HttpRequest) -> Option<Account> {
    let named = request.cookie(COOKIE).and_then(|cookie| person_named(app, cookie.value()));
    named.or_else(|| app.read(|state| state.people().next().cloned()))
}

pub(crate) fn person_named(app: &App, login: &str) -> Option<Account> {
    app.read(|state| state.account_named(login).filter(|account| !account.organization).cloned())
}

pub(crate) fn remember(response: &mut HttpResponse, login: &str) {
    let cookie = Cookie::build(COOKIE, login.to_owned()).path("/").http_only(true).same_site(SameSite::Lax).finish();
    response.add_cookie(&cookie).expect("a login is a cookie value");
}
