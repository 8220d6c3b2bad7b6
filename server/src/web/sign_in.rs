//! `/login`, the way to the forge and back, and `/logout`.
//!
//! The way out is a link, not a form: our own policy lets no form lead to another site.

use super::views::layout::Layout;
use super::views::login::{Login, LoginFailed, LoginProblem, Provider, WhoMay};
use super::{next, page};
use crate::accounts::invites;
use crate::accounts::sign_in::{self, Answer, LIFETIME, Outcome, Problem, Purpose, Started};
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::extract::principal_of;
use crate::auth::sessions;
use crate::error::{Error, Result};
use crate::http::request_id::RequestId;
use crate::policy::Principal;
use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Query};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde::Deserialize;

/// Where "Get started" leads.
const START: &str = "/new/import";

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

/// `GET /login?next=&invite=`.
pub async fn show(app: Data<App>, ask: Query<Ask>, request: HttpRequest) -> Result<HttpResponse> {
    let next = next::safe(ask.next.as_deref());
    let principal = principal_of(&request).await?;
    if ask.invite.is_none() && principal.user_id().is_some() {
        return Ok(page::see(&next));
    }
    let invited = match &ask.invite {
        Some(token) => {
            app.limits.sign_in(client_address(&app, &request))?;
            invites::is_open(&app, token).await?
        }
        None => false,
    };
    let invite = ask.invite.as_deref().filter(|_| invited);
    page::html(&Login {
        layout: Layout { login_url: String::new(), ..layout(&app, "Sign in", &principal).await? },
        providers: providers_with(&app, &next, invite),
        who: if app.config.sign_in.everybody { WhoMay::Everybody } else { WhoMay::Named },
        invited,
        link_refused: ask.invite.is_some() && !invited,
    })
}

async fn layout(app: &App, title: &str, principal: &Principal) -> Result<Layout> {
    Ok(Layout::new(title, page::viewer(app, principal).await?))
}

/// The forges that the operator set up, and where their buttons lead.
pub fn providers(app: &App, next: &str) -> Vec<Provider> {
    providers_with(app, next, None)
}

fn providers_with(app: &App, next: &str, invite: Option<&str>) -> Vec<Provider> {
    app.config.github.iter().map(|_| provider(next, invite)).collect()
}

fn provider(next: &str, invite: Option<&str>) -> Provider {
    Provider {
        name: "GitHub".into(),
        sign_in_url: out_url(Purpose::SignIn, next, invite),
        start_url: out_url(Purpose::GetStarted, START, invite),
    }
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

/// `GET /login/github?purpose=&next=&invite=`.
pub async fn go(app: Data<App>, ask: Query<Ask>, request: HttpRequest) -> Result<HttpResponse> {
    app.limits.sign_in(client_address(&app, &request))?;
    let purpose = match ask.purpose.as_deref() {
        None => Purpose::SignIn,
        Some(word) => Purpose::parse(word)
            .ok_or_else(|| Error::invalid("the purpose is `sign-in`, `get-started` or `connect`"))?,
    };
    let next = match purpose {
        Purpose::GetStarted => START.to_owned(),
        _ => next::safe(ask.next.as_deref()),
    };
    let before = browser_of(&app, &request);
    let invite = ask.invite.as_deref();
    let Started { location, browser } = sign_in::start(&app, purpose, next, invite, before.as_deref()).await?;
    let lifetime = Duration::milliseconds(LIFETIME);
    let cookie = sessions::cookie(&app, "sign-in", browser.reveal().to_owned(), lifetime);
    let mut response = page::see(location.as_str());
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// `GET /login/github/callback`.
pub async fn callback(app: Data<App>, back: Query<Back>, request: HttpRequest) -> Result<HttpResponse> {
    let back = back.into_inner();
    let answer =
        Answer { code: back.code, state: back.state, error: back.error, error_description: back.error_description };
    let browser = browser_of(&app, &request);
    let principal = principal_of(&request).await?;
    match sign_in::finish(&app, answer, browser.as_deref(), principal.user_id()).await? {
        Outcome::In { user_id, next } => {
            let session = sessions::start(&app, &request, user_id).await?;
            let mut response = page::see(&next);
            set_cookie(&mut response, &session);
            set_cookie(&mut response, &sessions::cookie(&app, "sign-in", String::new(), Duration::ZERO));
            Ok(response)
        }
        // The browser keeps its cookie: trying again keeps the one-time link that it came with.
        Outcome::Refused { problem, next } => {
            let status = status(&problem);
            let request_id = request.extensions().get::<RequestId>().map(|r| r.0.clone()).unwrap_or_default();
            let layout = Layout { login_url: String::new(), ..layout(&app, "Sign in", &principal).await? };
            let failed = LoginFailed { layout, provider: provider(&next, None), problem: shown(problem), request_id };
            page::with_status(status, &failed)
        }
    }
}

fn browser_of(app: &App, request: &HttpRequest) -> Option<String> {
    request.cookie(&sessions::cookie_name(app, "sign-in")).map(|c| c.value().to_owned()).filter(|v| !v.is_empty())
}

fn status(problem: &Problem) -> StatusCode {
    match problem {
        Problem::Denied | Problem::NotAllowed { .. } | Problem::NotApproved { .. } | Problem::OtherAccount { .. } => {
            StatusCode::FORBIDDEN
        }
        Problem::Stale | Problem::Refused { .. } => StatusCode::BAD_REQUEST,
        Problem::ForgeDown { .. } => StatusCode::BAD_GATEWAY,
    }
}

fn shown(problem: Problem) -> LoginProblem {
    match problem {
        Problem::Denied => LoginProblem::Denied,
        Problem::Stale => LoginProblem::StateExpired,
        Problem::NotAllowed { login } => LoginProblem::NotAllowed { account: login },
        Problem::NotApproved { login, url } => LoginProblem::NotApproved { account: login, url },
        Problem::OtherAccount { login, signed_in } => LoginProblem::OtherAccount { account: login, signed_in },
        Problem::ForgeDown { reason } => LoginProblem::ForgeDown { reason },
        Problem::Refused { reason } => LoginProblem::Refused { reason },
    }
}

/// `POST /logout`.
pub async fn leave(app: Data<App>, request: HttpRequest) -> Result<HttpResponse> {
    let cookie = sessions::end(&app, &request).await?;
    let mut response = page::see("/");
    set_cookie(&mut response, &cookie);
    Ok(response)
}

fn set_cookie(response: &mut HttpResponse, cookie: &Cookie) {
    response.add_cookie(cookie).expect("our cookies hold plain ASCII");
}
