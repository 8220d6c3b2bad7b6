//! `/login`, the way to the forge and back, and `/logout`.
//!
//! The way out is a link, not a form: our own policy lets no form lead to another site.

use super::next;
use crate::accounts::invites;
use crate::accounts::sign_in::{self, Answer, LIFETIME, Outcome, Problem, Purpose, Started};
use crate::app::App;
use crate::auth::extract::{client_address, principal_of};
use crate::auth::sessions;
use crate::error::{Error, Result};
use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use std::fmt::Write as _;

#[derive(Debug, Default, Deserialize)]
pub struct Ask {
    purpose: Option<String>,
    next: Option<String>,
    invite: Option<String>,
}

/// What the forge adds to our callback address.
#[derive(Debug, Default, Deserialize)]
pub struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

pub async fn show(app: Data<App>, ask: Query<Ask>, request: HttpRequest) -> Result<HttpResponse> {
    let next = next::safe(ask.next.as_deref());
    if ask.invite.is_none() && principal_of(&request).await?.user_id().is_some() {
        return Ok(see_other(&next));
    }
    let invited = match &ask.invite {
        Some(token) => {
            app.limits.sign_in(client_address(&app, &request))?;
            invites::is_open(&app, token).await?
        }
        None => false,
    };
    let invite = ask.invite.as_deref().filter(|_| invited);
    let mut text = format!("Sign in with GitHub: {}\n", out_url(Purpose::SignIn, &next, invite));
    writeln!(text, "Get started: {}", out_url(Purpose::GetStarted, "/new/import", invite))
        .expect("text can be written");
    if ask.invite.is_some() && !invited {
        text.push_str("This one-time link was used already, is too old, or is not right.\n");
    }
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text))
}

/// The link that leads to the forge.
pub fn out_url(purpose: Purpose, next: &str, invite: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("purpose", purpose.as_str()).append_pair("next", next);
    if let Some(invite) = invite {
        query.append_pair("invite", invite);
    }
    format!("/login/github?{}", query.finish())
}

pub async fn go(app: Data<App>, ask: Query<Ask>, request: HttpRequest) -> Result<HttpResponse> {
    app.limits.sign_in(client_address(&app, &request))?;
    let purpose = match ask.purpose.as_deref() {
        None => Purpose::SignIn,
        Some(word) => Purpose::parse(word)
            .ok_or_else(|| Error::invalid("the purpose is `sign-in`, `get-started` or `connect`"))?,
    };
    let next = match purpose {
        Purpose::GetStarted => "/new/import".to_owned(),
        _ => next::safe(ask.next.as_deref()),
    };
    let Started { location, browser } = sign_in::start(&app, purpose, next, ask.invite.as_deref()).await?;
    let lifetime = Duration::milliseconds(LIFETIME);
    let cookie = sessions::cookie(&app, "sign-in", browser.reveal().to_owned(), lifetime);
    let mut response = see_other(location.as_str());
    set_cookie(&mut response, &cookie);
    Ok(response)
}

pub async fn callback(app: Data<App>, back: Query<Back>, request: HttpRequest) -> Result<HttpResponse> {
    let back = back.into_inner();
    let answer =
        Answer { code: back.code, state: back.state, error: back.error, error_description: back.error_description };
    let browser = request.cookie(&sessions::cookie_name(&app, "sign-in"));
    let signed_in = principal_of(&request).await?.user_id();
    let outcome = sign_in::finish(&app, answer, browser.as_ref().map(Cookie::value), signed_in).await?;
    let mut response = match outcome {
        Outcome::In { user_id, next } => {
            let session = sessions::start(&app, &request, user_id).await?;
            let mut response = see_other(&next);
            set_cookie(&mut response, &session);
            response
        }
        Outcome::Refused { problem, next } => refused(&problem, &next),
    };
    set_cookie(&mut response, &sessions::cookie(&app, "sign-in", String::new(), Duration::ZERO));
    Ok(response)
}

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::Denied | Problem::NotAllowed { .. } | Problem::OtherAccount { .. } => StatusCode::FORBIDDEN,
        Problem::Stale | Problem::Refused { .. } => StatusCode::BAD_REQUEST,
        Problem::ForgeDown { .. } => StatusCode::BAD_GATEWAY,
    }
}

fn refused(problem: &Problem, next: &str) -> HttpResponse {
    let text = format!("{problem:?}\nTry again: {}\n", out_url(Purpose::SignIn, next, None));
    HttpResponse::build(status(problem)).content_type("text/plain; charset=utf-8").body(text)
}

pub async fn leave(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let cookie = sessions::end(&app, &request).await?;
    let mut response = see_other("/");
    set_cookie(&mut response, &cookie);
    Ok(response)
}

fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}

fn set_cookie(response: &mut HttpResponse, cookie: &Cookie) {
    response.add_cookie(cookie).expect("our cookies hold plain ASCII");
}
