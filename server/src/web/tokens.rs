//! `/settings/tokens`: personal access tokens.

use super::page::{self, ROWS, when};
use super::paging::ListQuery;
use super::views::layout::Layout;
use super::views::tokens::{ScopeChoice, TokenCreated, TokenList, TokenMade, TokenNew, TokenRevoke, TokenRow};
use crate::accounts::tokens::{self, DEFAULT_DAYS, NewToken, Sent, Wrong};
use crate::app::App;
use crate::auth::extract::Then;
use crate::db::rows;
use crate::error::{Error, Result};
use crate::policy::{Allowed, Scope, UseAccount, Who};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use uuid::Uuid;

const PAGE: &str = "/settings/tokens";

/// `GET /settings/tokens?page=`.
pub async fn list(
    allowed: Allowed<UseAccount>,
    query: Query<ListQuery>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let (found, total) = tokens::page(&app, &allowed, query.offset(), ROWS).await?;
    if let Some(last) = query.beyond(total, PAGE) {
        return Ok(page::see(&last));
    }
    let rows = found.iter().map(|t| row(&app, t)).collect();
    let pages = query.pages(total, PAGE);
    let layout = layout(&app, &allowed, "Access tokens").await?.flash(page::flash(&app, &request));
    let login = format!("docker login {} -u {}", app.config.public_host(), name(&allowed));
    page::html_after_form(&app, &request, &TokenList { layout, rows, pages, login })
}

/// `GET /settings/tokens/new`.
pub async fn new(allowed: Allowed<UseAccount>, app: Data<App>) -> Result<HttpResponse> {
    page::html(&TokenNew {
        layout: layout(&app, &allowed, "New access token").await?,
        form: Uuid::now_v7().to_string(),
        name: String::new(),
        name_error: None,
        expires: DEFAULT_DAYS.to_string(),
        expires_error: None,
        scopes: choices(&["read".to_owned()]),
        scopes_error: None,
    })
}

/// `POST /settings/tokens`: the answer shows the token, this once. Who loads it again sends the form again, and that makes
/// no other one.
pub async fn create(
    Then(allowed, form): Then<Allowed<UseAccount>, Form<Vec<(String, String)>>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let field = |key: &str| form.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default();
    let scopes: Vec<String> = form.iter().filter(|(k, _)| k == "scope").map(|(_, v)| v.clone()).collect();
    // A program's form has no number.
    let number = field("form").parse().unwrap_or_else(|_none| Uuid::now_v7());
    let made = match NewToken::check(&field("name"), &scopes, &field("expires")) {
        Ok(wish) => match tokens::create_once(&app, &allowed, wish, number).await {
            Err(Error::TooMany(text)) => Err(Wrong { name: Some(text), ..Wrong::default() }),
            other => Ok(other?),
        },
        Err(wrong) => Err(wrong),
    };
    match made {
        Ok(Sent::Before(token)) => page::html(&TokenMade {
            layout: layout(&app, &allowed, "Your new token").await?,
            id: token.id.to_string(),
            revoked: token.revoked_at.is_some(),
            name: token.name,
            prefix: format!("{}…", token.prefix),
            made: when(&app, token.created_at),
        }),
        Ok(Sent::Now(token, secret)) => {
            let (secret, host) = (secret.reveal(), app.config.public_host());
            page::html(&TokenCreated {
                layout: layout(&app, &allowed, "Your new token").await?,
                name: token.name,
                expires: token.expires_at.map(|at| when(&app, at)),
                login: format!("echo '{secret}' | docker login {host} -u {} --password-stdin", name(&allowed)),
                // The one time that it is shown.
                token: secret.to_owned(),
            })
        }
        Err(Wrong { name, scopes: scopes_error, expiry }) => {
            let again = TokenNew {
                layout: layout(&app, &allowed, "New access token").await?,
                form: number.to_string(),
                name: field("name"),
                name_error: name,
                expires: field("expires"),
                expires_error: expiry,
                scopes: choices(&scopes),
                scopes_error,
            };
            page::with_status(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
    }
}

/// `GET /settings/tokens/{id}/revoke`: what would stop.
pub async fn confirm_revoke(allowed: Allowed<UseAccount>, id: Path<String>, app: Data<App>) -> Result<HttpResponse> {
    let token = tokens::find(&app, &allowed, parse(&id)?).await?;
    let layout = layout(&app, &allowed, "Revoke a token").await?;
    page::html(&TokenRevoke { layout, row: row(&app, &token) })
}

fn parse(id: &str) -> Result<Uuid> {
    id.parse().map_err(|_no_id: uuid::Error| Error::not_found("this token"))
}

/// The pressed button of that page.
pub async fn revoke(allowed: Allowed<UseAccount>, id: Path<String>, app: Data<App>) -> Result<HttpResponse> {
    let token = tokens::revoke(&app, &allowed, parse(&id)?).await?;
    Ok(page::see_saying(&app, PAGE, &format!("The token {} was revoked.", token.name)))
}

async fn layout(app: &App, allowed: &Allowed<UseAccount>, title: &str) -> Result<Layout> {
    let viewer = page::viewer(app, allowed.principal()).await?;
    Ok(Layout::new(title, viewer).crumb("Access tokens", PAGE))
}

fn name(allowed: &Allowed<UseAccount>) -> &str {
    match &allowed.principal().who {
        Who::User { name, .. } => name,
        _ => "YOUR-NAME",
    }
}

fn row(app: &App, token: &rows::Token) -> TokenRow {
    TokenRow {
        id: token.id.to_string(),
        name: token.name.clone(),
        prefix: format!("{}…", token.prefix),
        scopes: words(&Scope::parse_list(&token.scopes)).to_owned(),
        created: when(app, token.created_at),
        used: token.used_at.map(|at| when(app, at)),
        expires: token.expires_at.map(|at| when(app, at)),
        expired: token.expires_at.is_some_and(|at| at <= app.clock.now()),
    }
}

/// A higher scope holds the lower ones.
fn words(scopes: &[Scope]) -> &'static str {
    if scopes.contains(&Scope::Admin) {
        "Everything that you may"
    } else if scopes.contains(&Scope::Write) {
        "Pull and push"
    } else {
        "Pull"
    }
}

fn choices(checked: &[String]) -> Vec<ScopeChoice> {
    [
        (Scope::Read, "Pull", "Read images that you may read."),
        (Scope::Write, "Push", "Write and delete images and tags, and start builds. Holds Pull."),
        (Scope::Admin, "Administer", "Everything that you may do, settings and tokens too. Holds Push."),
    ]
    .into_iter()
    .map(|(scope, label, hint)| ScopeChoice {
        value: scope.as_str().into(),
        label: label.into(),
        hint: hint.into(),
        checked: checked.iter().any(|c| c == scope.as_str()),
    })
    .collect()
}
