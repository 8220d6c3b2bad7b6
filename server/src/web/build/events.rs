//! The stream of a build page: log lines as they come, states, and newer builds of the same ref.
//!
//! The id of a message is attempt and record, `1-57`: a page that comes back goes on after the last one it showed.

use super::super::ansi::Style;
use super::super::views::facts::State;
use super::super::views::live::{
    AppendChunk, AppendLines, AppendNotice, AppendStep, ClearLog, SwapNewer, SwapProgress, SwapRows, SwapState,
    SwapStepHead, event, message,
};
use super::super::views::log::{CHUNK, Chunk, LogLine, Step, StepName};
use super::fold::{Rendering, log_line, progress_of};
use super::view::{self, LogFacts};
use super::{BuildPath, find};
use crate::app::App;
use crate::builds;
use crate::db::{BuildState, rows};
use crate::error::{Context, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use slipway_protocol::Record;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

// A message holds at most so many records; at full speed the next one follows at once.
const BATCH: usize = 200;
/// Messages are gathered for so long, so that a page is not redrawn for each line.
const PAUSE: Duration = Duration::from_millis(100);
const PING: Duration = Duration::from_secs(15);
/// After this a page connects anew; nobody holds a stream for ever.
const LONGEST: i64 = crate::clock::HOUR;

#[derive(Deserialize)]
pub struct After {
    after: Option<String>,
}

/// `1-57` → attempt 1, record 57.
fn position(text: &str) -> Option<(i64, u64)> {
    let (attempt, record) = text.split_once('-')?;
    Some((attempt.parse().ok()?, record.parse().ok()?))
}

/// `…/builds/{n}/events?after=1-57`, or after `Last-Event-ID`.
pub async fn stream(
    allowed: Allowed<ReadRepository>,
    path: Path<BuildPath>,
    query: Query<After>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let build = find(&app, &allowed, path.number).await?;
    let last = request.headers().get("last-event-id").and_then(|v| v.to_str().ok());
    let (attempt, record) = last.and_then(position).or_else(|| position(query.after.as_deref()?)).unwrap_or((0, 0));
    let (out, messages) = mpsc::channel(8);
    let follower = Follower {
        app,
        allowed,
        build,
        attempt,
        record,
        out,
        steps: BTreeMap::new(),
        progress: HashMap::new(),
        styles: HashMap::new(),
        shown: None,
        newer: None,
    };
    actix_web::rt::spawn(follower.run());
    Ok(answer(messages))
}

fn answer(messages: mpsc::Receiver<Bytes>) -> HttpResponse {
    let stream = tokio_stream::wrappers::ReceiverStream::new(messages);
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::map(stream, Ok::<_, std::convert::Infallible>))
}

/// The reader is gone.
struct Gone;

type Sent = Result<(), Gone>;

struct Follower {
    app: Data<App>,
    allowed: Allowed<ReadRepository>,
    build: rows::Build,
    attempt: i64,
    record: u64,
    out: mpsc::Sender<Bytes>,
    steps: BTreeMap<u32, Step>,
    progress: HashMap<u32, BTreeMap<String, (i64, i64)>>,
    styles: HashMap<u32, Style>,
    /// State and cancel wish that the page shows.
    shown: Option<(BuildState, bool)>,
    newer: Option<(i64, BuildState)>,
}

impl Follower {
    async fn run(mut self) {
        let mut build_changed = self.app.wake.follow(self.build.id);
        let mut repository_changed = self.app.wake.follow(self.build.repository_id);
        let until = self.app.clock.now() + LONGEST;
        while self.app.clock.now() < until {
            build_changed.borrow_and_update();
            repository_changed.borrow_and_update();
            match self.step().await {
                Ok(Ok(true)) => {
                    sleep(PAUSE).await;
                    continue;
                }
                Ok(Ok(false)) => {}
                Ok(Err(Gone)) => return,
                Err(error) => {
                    tracing::warn!("a live page lost its stream: {}", error.for_log());
                    return;
                }
            }
            let ping = tokio::select! {
                _ = build_changed.changed() => false,
                _ = repository_changed.changed() => false,
                () = sleep(PING) => true,
                () = self.app.wake.stopped() => return,
            };
            if ping && self.send(": ping\n\n".to_owned()).await.is_err() {
                return;
            }
        }
    }

    async fn send(&self, text: String) -> Sent {
        self.out.send(Bytes::from(text)).await.map_err(|_closed| Gone)
    }

    /// Sends what is new; true when something was.
    async fn step(&mut self) -> Result<Result<bool, Gone>> {
        let build = builds::find(&self.app, self.build.id).await?;
        let Some(build) = build else { return Ok(Err(Gone)) };
        let was_open = is_open(self.build.state);
        self.build = build;
        let mut sent = false;
        if let Some(attempt) = builds::present_attempt(&self.app, &self.build).await? {
            if attempt.number != self.attempt {
                if self.restart(&attempt).await?.is_err() {
                    return Ok(Err(Gone));
                }
                sent = true;
            }
            match self.records(&attempt).await? {
                Ok(true) => return Ok(Ok(true)),
                Ok(false) => {}
                Err(Gone) => return Ok(Err(Gone)),
            }
        }
        for text in [self.state(was_open).await?, self.newer().await?].into_iter().flatten() {
            sent = true;
            if self.send(text).await.is_err() {
                return Ok(Err(Gone));
            }
        }
        Ok(Ok(sent))
    }

    /// Another attempt than the page shows: the log starts again.
    async fn restart(&mut self, attempt: &rows::Attempt) -> Result<Sent> {
        let first = self.attempt == 0;
        self.attempt = attempt.number;
        self.record = 0;
        self.steps.clear();
        self.progress.clear();
        self.styles.clear();
        if first {
            return Ok(Ok(()));
        }
        let text = format!("The builder was lost. This is attempt {}.", attempt.number);
        let html = ClearLog { text: &text }.render().context("rendering")?;
        Ok(self.send(message(&format!("{}-0", attempt.number), &html)).await)
    }

    /// The next records as one message; false when there are none.
    async fn records(&mut self, attempt: &rows::Attempt) -> Result<Result<bool, Gone>> {
        if self.steps.is_empty() && self.record > 0 {
            self.load_steps(attempt).await?;
        }
        let batch = builds::log::read(&self.app, attempt.id, self.record, BATCH).await?;
        let Some((last, _)) = batch.last() else { return Ok(Ok(false)) };
        self.record = *last;
        let mut html = String::new();
        let mut lines: Vec<LogLine> = Vec::new();
        let mut heads: BTreeMap<u32, bool> = BTreeMap::new();
        for (_, record) in &batch {
            if let Record::Line(line) = record {
                let style = self.styles.entry(line.step).or_default();
                let shown = log_line(line, style, Rendering { plain: false });
                if lines.last().is_some_and(|l| !same_chunk(l, &shown)) {
                    append(&mut html, &mut lines)?;
                }
                lines.push(shown);
                if let Some(step) = self.steps.get_mut(&line.step) {
                    has_lines(step);
                }
                continue;
            }
            append(&mut html, &mut lines)?;
            self.other(record, &mut html, &mut heads)?;
        }
        append(&mut html, &mut lines)?;
        self.heads(&heads, &mut html)?;
        let id = format!("{}-{}", self.attempt, self.record);
        Ok(self.send(message(&id, &html)).await.map(|()| true))
    }

    async fn load_steps(&mut self, attempt: &rows::Attempt) -> Result<()> {
        for row in builds::log::steps(&self.app, attempt.id).await? {
            let number = u32::try_from(row.step).unwrap_or_default();
            let state = match (&row.error, row.completed_at) {
                (Some(_), _) => State::Failed,
                (None, Some(_)) => State::Succeeded,
                (None, None) => State::Running,
            };
            let mut step = new_step(number, &row.name);
            step.state = state;
            step.cached = row.is_cached;
            if row.lines > 0 {
                has_lines(&mut step);
            }
            self.steps.insert(number, step);
        }
        Ok(())
    }

    fn other(&mut self, record: &Record, html: &mut String, heads: &mut BTreeMap<u32, bool>) -> Result<()> {
        match record {
            Record::StepStarted(started) => {
                if let Some(step) = self.steps.get_mut(&started.step) {
                    step.state = State::Running;
                    heads.insert(started.step, true);
                } else {
                    let step = new_step(started.step, &started.name);
                    html.push_str(&AppendStep { step: &step }.render().context("rendering")?);
                    self.steps.insert(started.step, step);
                }
            }
            Record::Progress { step, id, current, total } => {
                let parts = self.progress.entry(*step).or_default();
                if parts.len() < 64 || parts.contains_key(id) {
                    parts.insert(id.clone(), (*current, *total));
                }
                heads.entry(*step).or_insert(false);
            }
            Record::StepDone(done) => {
                if let Some(step) = self.steps.get_mut(&done.step) {
                    step.state = if done.error.is_some() { State::Failed } else { State::Succeeded };
                    step.cached = done.cached;
                    step.error.clone_from(&done.error);
                    heads.insert(done.step, true);
                    self.progress.remove(&done.step);
                }
            }
            Record::Notice { text, .. } => html.push_str(&AppendNotice { text }.render().context("rendering")?),
            Record::Line(_) => {}
        }
        Ok(())
    }

    /// Heads and bars once for each message, however often they changed in it.
    fn heads(&mut self, heads: &BTreeMap<u32, bool>, html: &mut String) -> Result<()> {
        for (number, changed) in heads {
            let Some(step) = self.steps.get(number) else { continue };
            if *changed {
                html.push_str(&SwapStepHead { step }.render().context("rendering")?);
            }
            if let Some(progress) = self.progress.get(number).and_then(progress_of) {
                html.push_str(&SwapProgress { step: *number, progress: &progress }.render().context("rendering")?);
            }
        }
        Ok(())
    }

    /// Head, result and stages, when they changed.
    async fn state(&mut self, was_open: bool) -> Result<Option<String>> {
        let now = (self.build.state, self.build.cancel_requested_at.is_some());
        if self.shown == Some(now) {
            return Ok(None);
        }
        // The page may have been drawn before the last change: the first message tells the state anew.
        let first = self.shown.replace(now).is_none();
        let attempt = builds::present_attempt(&self.app, &self.build).await?;
        let facts = LogFacts {
            steps: self.steps.len() as u64,
            cached: self.steps.values().filter(|s| s.cached).count() as u64,
            first_error: None,
        };
        let on = self.allowed.on();
        let view = view::of(&self.app, self.allowed.principal(), on, &self.build, attempt.as_ref(), facts).await?;
        let html = SwapState { build: &view, repository: &on.name.to_string() }.render().context("rendering")?;
        let mut text = message("", &html);
        if (was_open || first) && !is_open(self.build.state) {
            text.push_str(&event("", "finished", &view.status));
        }
        Ok(Some(text))
    }

    async fn newer(&mut self) -> Result<Option<String>> {
        let on = self.allowed.on();
        let found = builds::newest_of_ref(&self.app, &self.build).await?.filter(|n| n.number > self.build.number);
        let now = found.as_ref().map(|n| (n.number, n.state));
        if now.is_none() || self.newer == now {
            return Ok(None);
        }
        self.newer = now;
        let Some(newer) = view::newer(&self.app, on, &self.build).await? else { return Ok(None) };
        let html = SwapNewer { newer: &newer }.render().context("rendering")?;
        Ok(Some(message("", &html)))
    }
}

fn is_open(state: BuildState) -> bool {
    matches!(state, BuildState::Queued | BuildState::Running)
}

fn new_step(number: u32, name: &str) -> Step {
    Step {
        number,
        name: StepName::parse(name),
        state: State::Running,
        cached: false,
        secs: None,
        chunks: Vec::new(),
        progress: None,
        open: true,
        error: None,
        notices: Vec::new(),
    }
}

/// The page holds lines of this step: its head is swapped alone.
fn has_lines(step: &mut Step) {
    if step.chunks.is_empty() {
        step.chunks.push(Chunk { step: step.number, index: 0, lines: Vec::new(), gap: None });
    }
}

fn same_chunk(a: &LogLine, b: &LogLine) -> bool {
    a.step == b.step && Chunk::index_of(a.number) == Chunk::index_of(b.number)
}

/// Lines of one chunk: a new chunk when they begin it, else more of one that is on the page.
fn append(html: &mut String, lines: &mut Vec<LogLine>) -> Result<()> {
    let Some(first) = lines.first() else { return Ok(()) };
    let (step, index) = (first.step, Chunk::index_of(first.number));
    if (first.number - 1) % CHUNK == 0 {
        let chunk = Chunk { step, index, lines: std::mem::take(lines), gap: None };
        html.push_str(&AppendChunk { chunk: &chunk }.render().context("rendering")?);
    } else {
        html.push_str(&AppendLines { step, chunk: index, lines }.render().context("rendering")?);
        lines.clear();
    }
    Ok(())
}

/// `…/-/builds/events`: the newest builds of a repository, whenever one appears or changes.
pub async fn list(allowed: Allowed<ReadRepository>, app: Data<App>) -> Result<HttpResponse> {
    let (out, messages) = mpsc::channel(2);
    actix_web::rt::spawn(async move {
        let mut changed = app.wake.follow(allowed.on().id);
        let until = app.clock.now() + LONGEST;
        while app.clock.now() < until {
            let ping = tokio::select! {
                _ = changed.changed() => false,
                () = sleep(PING) => true,
                () = app.wake.stopped() => return,
            };
            let text = if ping { Ok(": ping\n\n".to_owned()) } else { rows_message(&app, &allowed).await };
            let Ok(text) = text else { return };
            if out.send(Bytes::from(text)).await.is_err() {
                return;
            }
            sleep(PAUSE).await;
        }
    });
    Ok(answer(messages))
}

async fn rows_message(app: &App, allowed: &Allowed<ReadRepository>) -> Result<String> {
    let rows = super::rows_of_page(app, allowed, 1).await?;
    Ok(message("", &SwapRows { rows: &rows }.render().context("rendering")?))
}
