//! `/new/import`: the person's code repositories, each one click from a build.

use super::page::{self, when};
use super::paging::ListQuery;
use super::views::import::{Filled, Import, ImportRow, ImportRowState, ImportState};
use super::views::layout::Layout;
use crate::accounts::sign_in::Purpose;
use crate::app::App;
use crate::auth::extract::Then;
use crate::builds;
use crate::db::{ConnectionState, ScanState, rows};
use crate::error::{Error, Result};
use crate::policy::{Allowed, UseAccount};
use crate::sources::{import, listing};
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// A first list of few repositories is there before the page is drawn.
const PATIENCE: Duration = Duration::from_secs(3);

const HERE: &str = "/new/import";

/// `GET /new/import?q=&page=`.
pub async fn show(
    allowed: Allowed<UseAccount>,
    query: Query<ListQuery>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let page = page_of(&app, &allowed, &query, None).await?;
    if let Some(last) = query.beyond(page.total, HERE).filter(|_| page.state.has_list()) {
        return Ok(page::see(&last));
    }
    let page = Import { layout: page.layout.clone().flash(page::flash(&app, &request)), ..page };
    page::html_after_form(&app, &request, &page)
}

async fn page_of(app: &App, allowed: &Allowed<UseAccount>, query: &ListQuery, error: Option<String>) -> Result<Import> {
    let viewer = page::viewer(app, allowed.principal()).await?;
    let mut page = Import {
        layout: Layout::new("Build from code", viewer).here("Build from code"),
        forge: "GitHub".to_owned(),
        account: String::new(),
        state: ImportState::NotConnected,
        rows: Vec::new(),
        query: query.text(),
        total: 0,
        pages: query.pages(0, HERE),
        unapproved: Vec::new(),
        approval_url: None,
        no_builder: builds::no_builder(app),
        error,
        connect_url: super::sign_in::out_url(Purpose::Connect, HERE, None),
        broad_scopes: true,
    };
    let Some((identity, connection)) = listing::connections(app, allowed).await?.into_iter().next() else {
        return Ok(page);
    };
    let connection = await_listing(app, connection).await?;
    page.account.clone_from(&identity.login);
    let (found, total) = listing::search(app, connection.id, &page.query, query.number()).await?;
    page.state = state(app, &connection, total);
    if !page.state.has_list() {
        return Ok(page);
    }
    let imported = listing::imported(app, allowed, &identity.forge_url, &found).await?;
    let filled = |listed: &rows::ForgeRepository| imported.get(&listed.remote_id).map_or(&[][..], Vec::as_slice);
    page.rows = found.iter().map(|listed| row(app, listed, filled(listed))).collect();
    page.total = total;
    page.pages = query.pages(total, HERE);
    page.unapproved = listing::unapproved(&connection);
    page.approval_url = listing::approval_url(app, &identity);
    page.layout.refresh = page.state.is_listing() || looking(&found);
    page.layout.live = page.layout.refresh;
    Ok(page)
}

fn looking(found: &[rows::ForgeRepository]) -> bool {
    found.iter().any(|r| r.scan_state == ScanState::Pending)
}

/// Right after the sign-in the list is being fetched: a short wait saves the person a page that says so.
async fn await_listing(app: &App, connection: rows::Connection) -> Result<rows::Connection> {
    let mut changed = app.wake.follow(connection.id);
    let wait = async {
        loop {
            let now = listing::connection(app, connection.id).await?;
            if is_settled(&now) || (now.listed_at.is_some() && listing::is_scanned(app, now.id).await?) {
                return Ok::<_, Error>(now);
            }
            look_again(&mut changed).await;
        }
    };
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(found) => found,
        Err(_late) => listing::connection(app, connection.id).await,
    }
}

/// `found`: how many are listed already.
fn state(app: &App, connection: &rows::Connection, found: u64) -> ImportState {
    if !connection.scopes.split([',', ' ']).any(|s| s == "repo") {
        return ImportState::NotConnected;
    }
    match (connection.state, &connection.listing_error, connection.listed_at) {
        (ConnectionState::Revoked, _, _) => ImportState::Revoked,
        (_, Some(reason), at) => ImportState::Failed { at: at.map(|at| when(app, at)), reason: reason.clone() },
        (_, None, Some(at)) => ImportState::Ready { at: when(app, at) },
        (_, None, None) => ImportState::Listing { found },
    }
}

fn row(app: &App, listed: &rows::ForgeRepository, imported: &[listing::Filled]) -> ImportRow {
    let dockerfiles = listing::dockerfiles_of(listed);
    let state = match (imported.first(), listed.scan_state) {
        (Some(_), _) => ImportRowState::Imported {
            others: dockerfiles.into_iter().filter(|path| imported.iter().all(|i| i.dockerfile != *path)).collect(),
            repositories: imported
                .iter()
                .map(|i| Filled { name: i.repository.to_string(), dockerfile: i.dockerfile.clone() })
                .collect(),
        },
        (None, ScanState::Pending) => ImportRowState::Looking,
        (None, ScanState::Failed) => {
            ImportRowState::Blocked { reason: "Its files could not be listed. Press Refresh to try again".to_owned() }
        }
        (None, ScanState::Done) if dockerfiles.is_empty() => ImportRowState::NoDockerfile,
        (None, ScanState::Done) => ImportRowState::Found { dockerfiles },
    };
    ImportRow {
        id: listed.id.to_string(),
        full_name: listed.full_name.clone(),
        url: listed.html_url.clone(),
        private: listed.is_private,
        pushed: listed.pushed_at.map(|at| when(app, at)),
        target: listing::likely_target(listed),
        state,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildForm {
    repository: Uuid,
    dockerfile: Option<String>,
}

/// `POST /new/import?q=&page=`: the pressed Build.
pub async fn build(
    Then(allowed, form): Then<Allowed<UseAccount>, Form<BuildForm>>,
    query: Query<ListQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let form = form.into_inner();
    match import::import(&app, &allowed, form.repository, form.dockerfile).await {
        Ok((name, number)) => Ok(page::see(&format!("/{name}/-/builds/{number}"))),
        Err(error @ (Error::Internal { .. } | Error::NotFound(_))) => Err(error),
        Err(error) => {
            let told = told_of(&app, &allowed, form.repository, &error).await;
            let page = page_of(&app, &allowed, &query, Some(told)).await?;
            page::with_status(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// What went wrong, and with which repository: the list is long.
async fn told_of(app: &App, allowed: &Allowed<UseAccount>, listed_id: Uuid, error: &Error) -> String {
    let text = error.to_string();
    let name = match listing::find(app, allowed, listed_id).await {
        Ok((listed, ..)) if !text.contains(&listed.full_name) => listed.full_name,
        _ => return text,
    };
    match error {
        Error::Forge(_) | Error::Unavailable(_) => format!("`{name}` was not imported: {text}"),
        _ => format!("`{name}`: {text}"),
    }
}

/// `POST /new/import/refresh?q=&page=`: asks the forge again.
pub async fn refresh(allowed: Allowed<UseAccount>, query: Query<ListQuery>, app: Data<App>) -> Result<HttpResponse> {
    for (_, connection) in listing::connections(&app, &allowed).await? {
        let mut changed = app.wake.follow(connection.id);
        listing::refresh(&app, connection.id).await?;
        let answered = async {
            loop {
                let now = listing::connection(&app, connection.id).await?;
                if now.listed_at != connection.listed_at || is_settled(&now) {
                    return Ok::<_, Error>(());
                }
                look_again(&mut changed).await;
            }
        };
        // Late, the page shows the old list with its age.
        tokio::time::timeout(PATIENCE, answered).await.unwrap_or(Ok(()))?;
    }
    Ok(page::see(&query.pages(0, HERE).url))
}

/// The list will not come, for now.
fn is_settled(connection: &rows::Connection) -> bool {
    connection.listing_error.is_some() || connection.state != ConnectionState::Active
}

/// The wake-up is a hint; looking now and then loses nothing.
async fn look_again(changed: &mut watch::Receiver<u64>) {
    tokio::select! {
        _ = changed.changed() => {}
        () = tokio::time::sleep(Duration::from_millis(200)) => {}
    }
}
