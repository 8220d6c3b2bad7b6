//! `/`: what Slipway is for strangers, what goes on for people.

use super::namespace::card;
use super::views::builds::BuildRow;
use super::views::home::{Dashboard, Welcome};
use super::views::layout::Layout;
use super::{page, present, sign_in};
use crate::app::App;
use crate::auth::extract::repository_access;
use crate::builds::view::Placed;
use crate::error::Result;
use crate::policy::{self, Allowed, Principal, ReadRepository, UseAccount};
use crate::{builds, namespaces};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

// The rest is a click away.
const MOST_REPOSITORIES: usize = 12;

/// `GET /`.
pub async fn show(principal: Principal, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    match policy::check::<UseAccount>(&principal, policy::Site) {
        Ok(allowed) => dashboard(&app, &request, &allowed).await,
        Err(_) => welcome(&app, &request, &principal).await,
    }
}

async fn welcome(app: &App, request: &HttpRequest, principal: &Principal) -> Result<HttpResponse> {
    let mut examples = Vec::new();
    if let Some((name, repository)) = namespaces::newest_public(app).await?
        && let Some(on) = repository_access(app, principal, &name).await?
        && policy::may::<ReadRepository>(principal, &on)
    {
        examples.push(card(app, &name.to_string(), &format!("/{name}"), &repository).await?);
    }
    page::html(&Welcome {
        layout: Layout::new("Welcome", None).flash(page::flash(app, request)),
        providers: sign_in::providers(app, "/"),
        callback_url: app.config.public_link("/login/github/callback"),
        examples,
    })
}

async fn dashboard(app: &App, request: &HttpRequest, allowed: &Allowed<UseAccount>) -> Result<HttpResponse> {
    let mut own = namespaces::repositories_of_user(app, allowed).await?;
    if own.is_empty() {
        return Ok(page::see("/new/import"));
    }
    let Some(user) = allowed.principal().user_id() else { return Ok(page::see("/login")) };
    let (mut running, mut failed) = (Vec::new(), Vec::new());
    for placed in builds::running_of_user(app, user).await? {
        running.extend(row(app, allowed.principal(), &placed).await?);
    }
    for placed in builds::failed_of_user(app, user).await? {
        failed.extend(row(app, allowed.principal(), &placed).await?);
    }
    own.sort_by_key(|(_, r)| std::cmp::Reverse(r.updated_at));
    let mut repositories = Vec::new();
    for (namespace, repository) in own.iter().take(MOST_REPOSITORIES) {
        let name = format!("{namespace}/{}", repository.name);
        repositories.push(card(app, &name, &format!("/{name}"), repository).await?);
    }
    let viewer = page::viewer(app, allowed.principal()).await?;
    let mut layout = Layout::new("Home", viewer).flash(page::flash(app, request));
    layout.live = !running.is_empty();
    layout.refresh = layout.live;
    page::html_after_form(app, request, &Dashboard { layout, running, failed, repositories })
}

/// `None` when its repository went meanwhile.
async fn row(app: &App, principal: &Principal, placed: &Placed) -> Result<Option<BuildRow>> {
    match repository_access(app, principal, &placed.home.name().parse()?).await? {
        Some(on) => Ok(Some(present::build_row(app, principal, &on, &placed.build).await?)),
        None => Ok(None),
    }
}
