//! The stream of a build page: log lines as they come, states, and newer builds of the same ref.
//!
//! The id of a message is attempt and record, `1-57`: a page that comes back goes on after the last one it showed.

use super::super::origin::Origin;
use super::super::views::live::{ClearLog, SwapNewer, SwapState, event, message};
use super::live::LiveLog;
use super::{BuildPath, attempts, find, log, view};
use crate::app::App;
use crate::builds;
use crate::clock::Millis;
use crate::db::{BuildState, rows};
use crate::error::{Context, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;

// A message holds at most so many records; at full speed the next one follows at once.
const BATCH: usize = 200;
/// Messages are gathered for so long, so that a page is not redrawn for each line.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Rights are looked at again after so long.
pub(super) const CHECK_AFTER: Millis = 15 * crate::clock::SECOND;
pub(super) const STALLED: Duration = Duration::from_secs(30);
pub(super) const PING: Duration = Duration::from_secs(15);
/// After this a page connects anew; nobody holds a stream for ever.
pub(super) const LONGEST: i64 = crate::clock::HOUR;

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
    let origin = Origin::of(&app, allowed.principal(), allowed.on(), &build).await?;
    let (out, messages) = mpsc::channel(8);
    let follower = Follower {
        checked_at: app.clock.now(),
        app,
        allowed,
        build,
        origin,
        attempt,
        record,
        out,
        log: LiveLog::default(),
        is_behind: false,
        request,
        shown: None,
        newer: None,
    };
    actix_web::rt::spawn(follower.run());
    Ok(answer(messages))
}

pub(super) fn answer(messages: mpsc::Receiver<Bytes>) -> HttpResponse {
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
    origin: Origin,
    attempt: i64,
    record: u64,
    out: mpsc::Sender<Bytes>,
    log: LiveLog,
    /// More records wait: the next message follows at once.
    is_behind: bool,
    request: HttpRequest,
    checked_at: Millis,
    /// State, cancel wish and number of attempts that the page shows.
    shown: Option<(BuildState, bool, i64)>,
    newer: Option<(i64, BuildState)>,
}

impl Follower {
    async fn run(mut self) {
        let mut build_changed = self.app.wake.follow(self.build.id);
        let mut repository_changed = self.app.wake.follow(self.build.repository_id);
        let until = self.app.clock.now() + LONGEST;
        while self.app.clock.now() < until {
            if !self.may_still_read().await {
                return;
            }
            build_changed.borrow_and_update();
            repository_changed.borrow_and_update();
            match self.step().await {
                Ok(Ok(true)) => {
                    if !self.is_behind {
                        sleep(PAUSE).await;
                    }
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

    /// A reader who takes nothing for so long is gone.
    async fn send(&self, text: String) -> Sent {
        let sent = tokio::time::timeout(STALLED, self.out.send(Bytes::from(text))).await;
        sent.ok().and_then(Result::ok).ok_or(Gone)
    }

    /// Who was signed out, or lost the right, reads no further; asked anew now and then.
    async fn may_still_read(&mut self) -> bool {
        let now = self.app.clock.now();
        if now - self.checked_at < CHECK_AFTER {
            return true;
        }
        self.checked_at = now;
        // Code that turned private is told no further either.
        match Origin::of(&self.app, self.allowed.principal(), self.allowed.on(), &self.build).await {
            Ok(origin) => self.origin = origin,
            Err(_) => return false,
        }
        crate::auth::extract::check_again::<ReadRepository>(&self.app, &self.request, &self.allowed)
            .await
            .unwrap_or_default()
    }

    /// Sends what is new; true when something was.
    async fn step(&mut self) -> Result<Result<bool, Gone>> {
        let build = builds::find(&self.app, self.build.id).await?;
        let Some(build) = build else { return Ok(Err(Gone)) };
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
        for text in [self.state().await?, self.newer().await?].into_iter().flatten() {
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
        self.log = LiveLog::default();
        if first {
            return Ok(Ok(()));
        }
        let text = attempts::succession(&self.app, &builds::attempts(&self.app, self.build.id).await?).await?;
        let text = self.origin.told(text);
        let html = ClearLog { text: &text }.render().context("rendering")?;
        Ok(self.send(message(&format!("{}-0", attempt.number), &html)).await)
    }

    /// The next records as one message; false when there are none.
    async fn records(&mut self, attempt: &rows::Attempt) -> Result<Result<bool, Gone>> {
        if self.log.is_empty() && self.record > 0 {
            for mut row in builds::log::steps(&self.app, attempt.id).await? {
                if let Some(conceal) = &self.origin.conceal {
                    conceal.text(&mut row.name);
                    row.error.iter_mut().for_each(|error| conceal.told(error));
                }
                self.log.know(&row);
            }
        }
        let mut batch = builds::log::read(&self.app, attempt.id, self.record, BATCH).await?;
        if let Some(conceal) = &self.origin.conceal {
            for (_, record) in &mut batch {
                conceal.record(record);
            }
        }
        let Some((last, _)) = batch.last() else { return Ok(Ok(false)) };
        self.record = *last;
        self.is_behind = batch.len() == BATCH;
        let html = self.log.render(&batch)?;
        let id = format!("{}-{}", self.attempt, self.record);
        Ok(self.send(message(&id, &html)).await.map(|()| true))
    }

    /// Head, result and stages, when they changed.
    async fn state(&mut self) -> Result<Option<String>> {
        let now = (self.build.state, self.build.cancel_requested_at.is_some(), self.attempt);
        if self.shown == Some(now) {
            return Ok(None);
        }
        // The page may have been drawn before the last change: the first message tells the state anew.
        let was_open = self.shown.replace(now).is_none_or(|(state, ..)| is_open(state));
        let attempt = builds::present_attempt(&self.app, &self.build).await?;
        let mut facts = self.log.facts();
        if let (Some(attempt), Some(step), false) = (&attempt, self.log.failed(), is_open(self.build.state)) {
            facts.first_error = log::first_error(&self.app, attempt.id, step).await?;
        }
        let on = self.allowed.on();
        let view = view::of(&self.app, self.allowed.principal(), on, &self.build, &self.origin, facts).await?;
        let html = SwapState { build: &view, repository: &on.name.to_string() }.render().context("rendering")?;
        let mut text = message("", &html);
        if was_open && !is_open(self.build.state) {
            text.push_str(&event("", "finished", &view.facts.status));
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
        let Some(newer) = view::newer(&self.app, self.allowed.principal(), on, &self.build).await? else {
            return Ok(None);
        };
        let html = SwapNewer { newer: &newer }.render().context("rendering")?;
        Ok(Some(message("", &html)))
    }
}

fn is_open(state: BuildState) -> bool {
    matches!(state, BuildState::Queued | BuildState::Running)
}
