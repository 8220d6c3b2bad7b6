//! The page of one build, its list, and the buttons on them.

mod attempts;
pub mod base;
pub mod events;
mod failed;
mod fold;
mod follower;
mod hint;
mod lines;
pub mod list_events;
mod live;
pub mod log;
pub mod middle;
mod options;
mod pieces;
mod search;
mod stages;
mod view;

use super::origin::Origin;
use super::page::{self, ROWS, count};
use super::paging::{ListQuery, Order};
use super::present;
use super::views::build::BuildPage;
use super::views::builds::{BuildList, BuildRow};
use super::views::layout::Flash;
use super::views::repository::RepositoryTab;
use crate::app::App;
use crate::auth::extract::Then;
use crate::builds::view::Queue;
use crate::builds::{self, Rerun, Told};
use crate::db::{BuildState, rows};
use crate::error::{Error, Result};
use crate::names::RefName;
use crate::policy::{Allowed, ManageBuilds, ReadRepository};
use crate::sources;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use options::LogQuery;
pub use search::AT_ONCE as SEARCHES;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct BuildPath {
    #[serde(deserialize_with = "number")]
    number: i64,
}

/// No build has the number 0: one that is no number is looked for as any other, and the answer is the repository's.
fn number<'de, D: serde::Deserializer<'de>>(path: D) -> std::result::Result<i64, D::Error> {
    Ok(String::deserialize(path)?.parse().unwrap_or(0))
}

/// A build of the repository of the path.
pub async fn find(app: &App, allowed: &Allowed<ReadRepository>, number: i64) -> Result<rows::Build> {
    let found = builds::find_by_number(app, allowed.on().id, number).await?;
    found.ok_or_else(|| Error::not_found(format!("build {number} of `{}`", allowed.on().name)))
}

/// `/{ns}/{repo}/-/builds/{n}?q=&from=&ts=&wrap=&plain=`.
pub async fn show(
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<LogQuery>>,
    path: Path<BuildPath>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let build = find(&app, &allowed, path.number).await?;
    let attempt = builds::present_attempt(&app, &build).await?;
    let origin = Origin::of(&app, allowed.principal(), on, &build).await?;
    let options = options::of(&query, &request);
    let wanted = query.q.trim();
    let from = wanted.is_empty().then_some(query.from.as_str());
    let mut shown = log::view(&app, &allowed, &build, attempt.as_ref(), origin.conceal.as_ref(), options, from).await?;
    shown.view.find = query.find.chars().take(search::LONGEST_QUERY).collect();
    let search = match &attempt {
        Some(attempt) if !wanted.is_empty() => {
            Some(search::find(&app, attempt.id, shown.last_record, origin.conceal.as_ref(), wanted).await?)
        }
        _ => None,
    };
    let head = present::head(&app, allowed.principal(), on).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let view = view::of(&app, allowed.principal(), on, &build, &origin, &shown).await?;
    let mut layout = head.layout(&format!("Build {}", build.number), viewer, RepositoryTab::Builds);
    layout = layout.flash(page::flash(&app, &request));
    layout.live = true;
    // What was found stays as it is while it is read.
    let follows = search.is_none();
    layout.refresh = view.facts.state.is_open() && follows;
    layout.mark = view.facts.state.mark();
    let after = events::Position {
        attempt: attempt.as_ref().map_or(0, |a| a.number),
        record: shown.last_record,
        step: shown.last_step,
        head: Some(events::Head::of(&build)),
    };
    let page = BuildPage {
        events_url: follows.then(|| format!("{}/events?after={after}", view.url)),
        layout,
        build: view,
        log: shown.view,
        search,
    };
    let mut response = page::html_after_form(&app, &request, &page)?;
    options::keep(&app, &query, options, &mut response);
    Ok(response)
}

/// The states that the list can be asked for, by their stored words.
const STATES: [Order<Option<BuildState>>; 9] = [
    ("", "Any state", None),
    ("queued", "Queued", Some(BuildState::Queued)),
    ("running", "Running", Some(BuildState::Running)),
    ("succeeded", "Succeeded", Some(BuildState::Succeeded)),
    ("failed", "Failed", Some(BuildState::Failed)),
    ("partly_failed", "Some platforms failed", Some(BuildState::PartlyFailed)),
    ("timed_out", "Timed out", Some(BuildState::TimedOut)),
    ("cancelled", "Cancelled", Some(BuildState::Cancelled)),
    ("skipped", "Skipped", Some(BuildState::Skipped)),
];

/// `/{ns}/{repo}/-/builds?q=&branch=&state=&page=`.
pub async fn list(
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<ListQuery>>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let page = list_page(&app, &allowed, &query, None).await?;
    if let Some(last) = query.beyond(page.total, &page.list_url()) {
        return Ok(page::see(&last));
    }
    let unknown = query.unknown_state(&STATES).map(|text| Flash { good: false, text });
    let layout = page.layout.clone().flash(page::flash(&app, &request).or(unknown));
    let page = BuildList { layout, ..page };
    page::html_after_form(&app, &request, &page)
}

async fn list_page(
    app: &App,
    allowed: &Allowed<ReadRepository>,
    query: &ListQuery,
    wrong: Option<(String, String)>,
) -> Result<BuildList> {
    let on = allowed.on();
    let (text, branch) = (query.text(), query.branch());
    let (state, states) = query.state(&STATES);
    let head = present::head(app, allowed.principal(), on).await?;
    let viewer = page::viewer(app, allowed.principal()).await?;
    let source = sources::of_repository(app, on.id).await?;
    let told = told(app, allowed, source.as_ref()).await?;
    let search = builds::Search { text: &text, branch: &branch, state, told };
    let is_whole = search.is_empty();
    let (found, total) = if is_whole {
        (builds::page(app, on.id, query.offset(), ROWS).await?, head.builds)
    } else {
        builds::search(app, on.id, search, query.offset(), ROWS).await?
    };
    let rows = build_rows(app, allowed, &found).await?;
    let default = source.as_ref().filter(|_| head.manager).map(|s| s.default_branch.clone());
    let (build_ref, build_error) = match wrong {
        Some((typed, error)) => (Some(typed), Some(error)),
        None => (default, None),
    };
    let mut layout = head.layout("Builds", viewer, RepositoryTab::Builds);
    layout.live = true;
    Ok(BuildList {
        layout,
        no_builder: builds::no_builder(app).filter(|_| source.is_some()),
        rows,
        total,
        pages: query.pages(total, &format!("{}/-/builds", head.url())),
        source: source.map(|s| if told == Told::Nobody { "a private source".to_owned() } else { s.full_name }),
        build_ref,
        build_error,
        events_url: (query.number() == 1 && is_whole).then(|| format!("{}/-/builds/events", head.url())),
        query: text,
        branch,
        states,
        head,
    })
}

/// Whose commits somebody may search by what is told of them.
async fn told(app: &App, allowed: &Allowed<ReadRepository>, source: Option<&rows::Source>) -> Result<Told> {
    if sources::may_read(app, allowed.principal(), allowed.on(), None).await? {
        return Ok(Told::All);
    }
    let is_known = sources::may_read(app, allowed.principal(), allowed.on(), source).await?;
    Ok(source.filter(|_| is_known).map_or(Told::Nobody, |source| Told::Of(source.id)))
}

async fn build_rows(app: &App, allowed: &Allowed<ReadRepository>, found: &[rows::Build]) -> Result<Vec<BuildRow>> {
    let (mut rows, queue) = (Vec::new(), Queue::default());
    for build in found {
        rows.push(present::build_row(app, allowed.principal(), allowed.on(), build, &queue).await?);
    }
    Ok(rows)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildNow {
    #[serde(rename = "ref")]
    ref_name: String,
    cache: Option<String>,
}

/// `POST /{ns}/{repo}/-/builds`: Build now.
pub async fn build_now(
    Then(Then(allowed, readable), form): Then<Then<Allowed<ManageBuilds>, Allowed<ReadRepository>>, Form<BuildNow>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    match start_now(&app, &allowed, form.ref_name.trim(), form.cache.as_deref() == Some("off")).await {
        Ok(build) => Ok(page::see(&format!("/{}/-/builds/{}", allowed.on().name, build.number))),
        Err(error @ (Error::Invalid(_) | Error::NotFound(_) | Error::Absent(_) | Error::Conflict(_))) => {
            let wrong = Some((form.ref_name.clone(), error.to_string()));
            page::with_status(
                StatusCode::UNPROCESSABLE_ENTITY,
                &list_page(&app, &readable, &ListQuery::default(), wrong).await?,
            )
        }
        Err(error) => Err(error),
    }
}

/// A branch, else a tag of that name.
async fn start_now(app: &App, allowed: &Allowed<ManageBuilds>, typed: &str, no_cache: bool) -> Result<rows::Build> {
    if typed.starts_with("refs/") {
        return builds::build_now(app, allowed, &typed.parse()?, no_cache).await;
    }
    let branch = RefName::of_branch(typed)?;
    match builds::build_now(app, allowed, &branch, no_cache).await {
        Err(Error::Absent(_)) => {
            builds::build_now(app, allowed, &format!("refs/tags/{typed}").parse()?, no_cache).await
        }
        other => other,
    }
}

/// `POST …/builds/{n}/cancel`; twice is as once.
pub async fn cancel(allowed: Allowed<ManageBuilds>, path: Path<BuildPath>, app: Data<App>) -> Result<HttpResponse> {
    let build = builds::cancel(&app, &allowed, path.number).await?;
    Ok(page::see(&format!("/{}/-/builds/{}", allowed.on().name, build.number)))
}

#[derive(Deserialize)]
pub struct RerunForm {
    cache: Option<String>,
}

/// `POST …/builds/{n}/rerun`: a new number for the same commit and rule.
pub async fn rerun(
    Then(allowed, form): Then<Allowed<ManageBuilds>, Form<RerunForm>>,
    path: Path<BuildPath>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let mode = if form.cache.as_deref() == Some("off") { Rerun::SameWithoutCache } else { Rerun::Same };
    let build = builds::rerun(&app, &allowed, path.number, mode).await?;
    Ok(page::see(&format!("/{}/-/builds/{}", allowed.on().name, count(build.number))))
}
