//! `/`: what Slipway is for strangers, what goes on for people.

use super::namespace::card;
use super::views::builds::BuildRow;
use super::views::cut::Cut;
use super::views::home::{Dashboard, Welcome};
use super::views::layout::Layout;
use super::{page, present, sign_in};
use crate::app::App;
use crate::auth::extract::repository_access;
use crate::builds::view::{Newest, Queue};
use crate::error::Result;
use crate::policy::{self, Allowed, Principal, ReadRepository, UseAccount};
use crate::{builds, namespaces};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

// The rest is a click away.
const MOST_REPOSITORIES: u64 = 12;

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
        builds: builds::no_builder(app).is_none(),
        callback_url: app.config.public_link("/login/github/callback"),
        examples,
    })
}

async fn dashboard(app: &App, request: &HttpRequest, allowed: &Allowed<UseAccount>) -> Result<HttpResponse> {
    let own = namespaces::newest_of_user(app, allowed, MOST_REPOSITORIES).await?;
    if own.is_empty() {
        return Ok(page::see("/new/import"));
    }
    let Some(user) = allowed.principal().user_id() else { return Ok(page::see("/login")) };
    let running = rows(app, allowed.principal(), builds::running_of_user(app, user).await?).await?;
    let failed = rows(app, allowed.principal(), builds::failed_of_user(app, user).await?).await?;
    let mut repositories = Vec::new();
    for (namespace, repository) in &own {
        let name = format!("{namespace}/{}", repository.name);
        repositories.push(card(app, &name, &format!("/{name}"), repository).await?);
    }
    let viewer = page::viewer(app, allowed.principal()).await?;
    let mut layout = Layout::new("Home", viewer).flash(page::flash(app, request));
    layout.live = !running.is_empty();
    layout.refresh = layout.live;
    page::html_after_form(
        app,
        request,
        &Dashboard { layout, no_builder: builds::no_builder(app), running, failed, repositories },
    )
}

/// Builds as rows; those whose repository went meanwhile are left out.
pub(super) async fn rows(app: &App, principal: &Principal, builds: Newest) -> Result<Cut<BuildRow>> {
    let (mut cut, queue) = (Cut { shown: Vec::new(), more: builds.more }, Queue::default());
    for placed in builds.shown {
        if let Some(on) = repository_access(app, principal, &placed.home.name().parse()?).await? {
            cut.shown.push(present::build_row(app, principal, &on, &placed.build, &queue).await?);
        }
    }
    Ok(cut)
}
