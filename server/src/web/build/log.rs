//! The log of a build on its page: steps with chunks of lines; and the raw text.

use super::super::origin::Origin;
use super::super::page;
use super::super::views::filters::plural_text;
use super::super::views::log::{LogOptions, LogView};
use super::failed::{self, ErrorLine};
use super::fold::{self, How};
use super::middle::{self, Middle};
use super::pieces::in_turns;
use super::{BuildPath, find};
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::extract::Then;
use crate::auth::turns::Asker;
use crate::builds::{self, log::Conceal};
use crate::db::{BuildState, rows};
use crate::error::{Error, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

/// What of the log is on the page.
pub struct Shown {
    pub view: LogView,
    /// The stream goes on after this record.
    pub last_record: u64,
    /// The last step that began.
    pub last_step: u32,
    pub steps: u64,
    pub cached: u64,
    /// Why the step failed that failed.
    pub error: Option<ErrorLine>,
}

/// Everything up to the last record that is stored now. `from` is a line that has to be there, `s9-L41001`, or empty;
/// `None` when something else stands in the place of all lines.
pub async fn view(
    app: &App,
    allowed: &Allowed<ReadRepository>,
    build: &rows::Build,
    attempt: Option<&rows::Attempt>,
    conceal: Option<&Conceal>,
    options: LogOptions,
    from: Option<&str>,
) -> Result<Shown> {
    let base = format!("/{}/-/builds/{}", allowed.on().name, build.number);
    let raw_url = format!("{base}/raw");
    let Some(attempt) = attempt else {
        let view = LogView { options, raw_url, ..LogView::default() };
        return Ok(Shown { view, last_record: 0, last_step: 0, steps: 0, cached: 0, error: None });
    };
    // A build that is queued again still shows the log of the attempt that was lost: nothing in it runs.
    let is_open = matches!(build.state, BuildState::Queued | BuildState::Running) && attempt.ended_at.is_none();
    let how = How { conceal, base: &base, is_open, with_lines: from.is_some() };
    let mut drawn = fold::draw(app, attempt, how).await?;
    let error = match drawn.failed {
        Some(step) => failed::error_line(app, attempt.id, step, conceal).await?,
        None => None,
    };
    let middle = Middle { base: &base, conceal, until: page::count(attempt.last_record) };
    let mut opens_at = None;
    match from.map(middle::place) {
        Some(Some(place)) => middle::open_at(app, attempt.id, &mut drawn.steps, place, middle).await?,
        Some(None) if !is_open => {
            let failed = drawn.steps.iter_mut().find(|step| Some(step.number) == drawn.failed);
            if let Some(step) = failed {
                opens_at = failed::open(app, attempt.id, step, error.as_ref(), middle).await?;
            }
        }
        _ => {}
    }
    Ok(Shown {
        last_record: page::count(attempt.last_record),
        last_step: drawn.last_step,
        steps: drawn.counted,
        cached: drawn.cached,
        error,
        view: LogView {
            before: failed::fold_before(&mut drawn.steps, is_open),
            steps: drawn.steps,
            cut: drawn.cut,
            options,
            raw_url,
            find: String::new(),
            opens_at,
            summary: if is_open { String::new() } else { plural_text(drawn.lines, "line", "lines") },
        },
    })
}

#[derive(Deserialize)]
pub struct RawQuery {
    plain: Option<u8>,
}

/// `…/builds/{n}/raw?plain=1`: the log as text, with `Range`.
pub async fn raw(
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<RawQuery>>,
    path: Path<BuildPath>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let build = find(&app, &allowed, path.number).await?;
    let attempt = builds::present_attempt(&app, &build).await?.ok_or_else(|| Error::not_found("this log"))?;
    if let Some(why) = builds::log::removed(&attempt) {
        return Err(Error::Gone(format!("the log of build {} is no longer kept: {why}", build.number)));
    }
    let range = request.headers().get(header::RANGE).and_then(|v| v.to_str().ok());
    let conceal = Origin::of(&app, allowed.principal(), allowed.on(), &build).await?.conceal;
    let raw = builds::log::open(app.clone().into_inner(), attempt.id, query.plain != Some(1), conceal, range).await?;
    let mut answer =
        HttpResponse::build(if raw.range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
    answer
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::CONTENT_DISPOSITION, format!("inline; filename=\"build-{}.log\"", build.number)));
    if let Some((start, end)) = raw.range {
        answer.insert_header((header::CONTENT_RANGE, format!("bytes {start}-{end}/{}", raw.total)));
    }
    let asker = Asker::of(allowed.principal(), client_address(&app, &request));
    let stream = in_turns(app.drawing.clone(), asker, raw.stream);
    Ok(answer.body(actix_web::body::SizedStream::new(raw.length, stream)))
}
