//! The log of a build on its page: steps with chunks of lines, more lines on demand, and the raw text.

use super::super::ansi::Style;
use super::super::origin::Origin;
use super::super::page;
use super::super::views::facts::State;
use super::super::views::filters::plural_text;
use super::super::views::live::Chunks;
use super::super::views::log::{Before, CHUNK, Chunk, Gap, LogOptions, LogView, Mark, Step};
use super::fold::{self, How};
use super::lines::{Lines, Room, gap};
use super::pieces::in_turns;
use super::{BuildPath, find};
use crate::app::App;
use crate::auth::address::client_address;
use crate::builds::{self, log::Conceal};
use crate::db::{BuildState, rows};
use crate::error::{Error, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use uuid::Uuid;

/// What of the log is on the page.
pub struct Shown {
    pub view: LogView,
    /// The stream goes on after this record.
    pub last_record: u64,
    /// The last step that began.
    pub last_step: u32,
    pub steps: u64,
    pub cached: u64,
    /// First line marked as an error, in the step that failed.
    pub first_error: Option<(u32, u32)>,
}

/// Everything up to the last record that is stored now; `with_lines` is false when something else stands in their place.
pub async fn view(
    app: &App,
    allowed: &Allowed<ReadRepository>,
    build: &rows::Build,
    attempt: Option<&rows::Attempt>,
    conceal: Option<&Conceal>,
    options: LogOptions,
    with_lines: bool,
) -> Result<Shown> {
    let base = format!("/{}/-/builds/{}", allowed.on().name, build.number);
    let raw_url = format!("{base}/raw");
    let Some(attempt) = attempt else {
        let view = LogView { options, raw_url, ..LogView::default() };
        return Ok(Shown { view, last_record: 0, last_step: 0, steps: 0, cached: 0, first_error: None });
    };
    // A build that is queued again still shows the log of the attempt that was lost: nothing in it runs.
    let is_open = matches!(build.state, BuildState::Queued | BuildState::Running) && attempt.ended_at.is_none();
    let how = How { conceal, base: &base, is_open, with_lines };
    let mut drawn = fold::draw(app, attempt, how).await?;
    let first_error = match drawn.failed {
        Some(step) => first_error(app, attempt.id, step).await?,
        None => None,
    };
    Ok(Shown {
        last_record: page::count(attempt.last_record),
        last_step: drawn.last_step,
        steps: drawn.counted,
        cached: drawn.cached,
        first_error,
        view: LogView {
            before: fold_before(&mut drawn.steps, is_open),
            steps: drawn.steps,
            cut: drawn.cut,
            options,
            raw_url,
            find: String::new(),
            summary: if is_open { String::new() } else { plural_text(drawn.lines, "line", "lines") },
        },
    })
}

/// The first line of a step that is marked as an error, in its beginning; the page that is drawn later finds the same.
pub(super) async fn first_error(app: &App, attempt_id: Uuid, step: u32) -> Result<Option<(u32, u32)>> {
    let is_error = |text: &str| Mark::of(&Style::default().text(text.as_bytes())) == Mark::Error;
    let found = builds::log::first_line(app, attempt_id, step, is_error).await?;
    Ok(found.map(|line| (step, line)))
}

/// Of a failed build the steps before the failed one go into one line, so that the error is on the first screen.
fn fold_before(steps: &mut Vec<Step>, open: bool) -> Option<Before> {
    let failed = steps.iter().position(|s| s.state == State::Failed)?;
    if open || failed < 3 || steps[..failed].iter().any(|s| s.state != State::Succeeded) {
        return None;
    }
    let before: Vec<Step> = steps.drain(..failed).collect();
    let secs: u64 = before.iter().filter_map(|s| s.secs).sum();
    let took = super::super::views::filters::duration_text(secs);
    Some(Before { text: before_text(&before, &took), steps: before })
}

/// Counts the Dockerfile's own steps; what BuildKit does around them is there too, uncounted.
fn before_text(before: &[Step], took: &str) -> String {
    let (mut all, mut cached) = (0, 0);
    for step in before.iter().filter(|s| s.name.is_counted) {
        all += 1;
        cached += u64::from(step.cached);
    }
    let from_cache = if cached > 0 { format!(", {cached} of them from cache") } else { String::new() };
    match all {
        0 => format!("Everything before this step succeeded in {took}"),
        _ => format!("{} before this one succeeded in {took}{from_cache}", plural_text(all, "step", "steps")),
    }
}

/// `s9-L41001` → step 9, line 41,001.
fn place(text: &str) -> Option<(u32, u32)> {
    let (step, line) = text.strip_prefix('s')?.split_once("-L")?;
    Some((step.parse().ok()?, line.parse().ok()?))
}

/// Puts the lines from there on into the page, if they are in a gap of it.
pub async fn open_at(app: &App, attempt_id: Uuid, shown: &mut LogView, from: &str, how: Middle<'_>) -> Result<()> {
    let Some((number, line)) = place(from) else { return Ok(()) };
    let before = shown.before.iter_mut().flat_map(|before| before.steps.iter_mut());
    let Some(step) = shown.steps.iter_mut().chain(before).find(|step| step.number == number) else { return Ok(()) };
    step.open = true;
    let holds = |chunk: &Chunk| chunk.gap.as_ref().is_some_and(|gap| (gap.first..=gap.last).contains(&line));
    let Some(at) = step.chunks.iter().position(holds) else { return Ok(()) };
    let Some(Gap { first, last, .. }) = step.chunks.remove(at).gap else { return Ok(()) };
    let start = first.max(Chunk::index_of(line) * CHUNK + 1);
    let mut opened = Vec::new();
    if start > first {
        opened.push(gap(number, first, start - 1, how.base));
    }
    let mut lines = Lines::open(app, attempt_id, how.conceal, how.base, how.until).await?;
    opened.extend(lines.part(number, (start, last), MOST_LINES, &mut Room(OPENED)).await?);
    step.chunks.splice(at..at, opened);
    Ok(())
}

/// How lines of the middle of a step are drawn.
#[derive(Clone, Copy)]
pub struct Middle<'a> {
    pub base: &'a str,
    pub conceal: Option<&'a Conceal>,
    /// The last record that the page shows.
    pub until: u64,
}

#[derive(Deserialize)]
pub struct LinesQuery {
    step: u32,
    from: u32,
    to: u32,
}

// One answer; the rest of a gap stays a gap.
const MOST_LINES: u32 = 5 * CHUNK;
/// HTML of a fragment, and of lines that are opened on a page that has others.
const FRAGMENT: usize = 3 << 19;
const OPENED: usize = 384 << 10;

/// `…/builds/{n}/lines?step=&from=&to=`: the chunks of a gap, as a fragment.
pub async fn lines(
    allowed: Allowed<ReadRepository>,
    path: Path<BuildPath>,
    query: Query<LinesQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let build = find(&app, &allowed, path.number).await?;
    let attempt = builds::present_attempt(&app, &build).await?.ok_or_else(|| Error::not_found("this log"))?;
    let conceal = Origin::of(&app, allowed.principal(), allowed.on(), &build).await?.conceal;
    let base = format!("/{}/-/builds/{}", allowed.on().name, build.number);
    let there = builds::log::lines_of_step(&app, attempt.id, query.step).await?;
    let (from, to) = (query.from.max(1), query.to.max(query.from).min(there));
    let mut lines = Lines::open(&app, attempt.id, conceal.as_ref(), &base, u64::MAX).await?;
    let chunks = lines.part(query.step, (from, to), MOST_LINES, &mut Room(FRAGMENT)).await?;
    page::html(&Chunks { chunks: &chunks })
}

#[derive(Deserialize)]
pub struct RawQuery {
    plain: Option<u8>,
}

/// `…/builds/{n}/raw?plain=1`: the log as text, with `Range`.
pub async fn raw(
    allowed: Allowed<ReadRepository>,
    path: Path<BuildPath>,
    query: Query<RawQuery>,
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
    let stream = in_turns(app.drawing.clone(), client_address(&app, &request), raw.stream);
    Ok(answer.body(actix_web::body::SizedStream::new(raw.length, stream)))
}

#[cfg(test)]
mod tests {
    use super::super::super::views::log::StepName;
    use super::*;
    use crate::db::{self, Protection};
    use crate::names::Digest;
    use crate::testing::{self, TestApp};
    use slipway_protocol::{Line, Record, RecordBatch, StepStarted, Stream};

    /// An attempt whose only step has so many lines of 10,000 characters.
    async fn attempt(app: &TestApp, lines: u32) -> rows::Attempt {
        let tx = app.db.begin().await.unwrap();
        let namespace = db::namespaces::insert(&tx, testing::namespace("acme")).await.unwrap();
        let repository = db::repositories::insert(&tx, testing::repository(namespace.id, "web")).await.unwrap();
        tx.commit().await.unwrap();
        testing::built(app, &repository, &Digest::of(b"one")).await;
        let build = db::builds::find_by_number(&app.db, repository.id, 1).await.unwrap().unwrap();
        let attempt = rows::Attempt {
            id: Uuid::now_v7(),
            build_id: build.id,
            number: 1,
            builder: "mine".into(),
            token_hash: String::new(),
            lease_until: i64::MAX,
            started_at: 0,
            ended_at: None,
            end_reason: None,
            last_record: 0,
            log_bytes: 0,
            log_cut: None,
            log_notices: None,
            protection: Protection::Unprotected,
        };
        let tx = app.db.begin().await.unwrap();
        let attempt = db::attempts::insert(&tx, attempt).await.unwrap();
        tx.commit().await.unwrap();
        let line = |line| Line { step: 1, line, stream: Stream::Out, at: 1, text: "x".repeat(10_000) };
        let start = StepStarted { step: 1, vertex: String::new(), name: "RUN x".into(), at: 1 };
        let records = std::iter::once(Record::StepStarted(start)).chain((1..=lines).map(|n| Record::Line(line(n))));
        builds::log::append(app, &attempt, RecordBatch { first: 1, records: records.collect() }).await.unwrap();
        attempt
    }

    #[tokio::test]
    async fn lines_that_are_opened_on_a_page_leave_it_small() {
        let app = TestApp::start().await;
        let id = attempt(&app, 100).await.id;
        let step = Step {
            number: 1,
            name: StepName::parse("RUN x"),
            state: State::Succeeded,
            cached: false,
            secs: None,
            chunks: vec![gap(1, 1, 100, "/b")],
            progress: None,
            open: false,
            error: None,
            notices: Vec::new(),
        };
        let mut view = LogView { steps: vec![step], ..LogView::default() };
        open_at(&app, id, &mut view, "s1-L7", Middle { base: "/b", conceal: None, until: u64::MAX }).await.unwrap();
        let chunks = &view.steps[0].chunks;
        let opened = chunks.iter().map(|chunk| chunk.lines.len()).sum::<usize>();
        assert!((20..40).contains(&opened), "{opened} lines of 10 kB");
        let rest = chunks.last().and_then(|chunk| chunk.gap.as_ref()).unwrap();
        assert_eq!((rest.first as usize, rest.last), (opened + 1, 100));
    }
}
