//! Follows a build for one open page: log lines as they come, and what is over them (`head`).

mod head;

use super::super::origin::Origin;
use super::super::views::layout::Counts;
use super::super::views::live::{ClearLog, message};
use super::events::{CHECK_AFTER, Head, LONGEST, PAUSE, PING, Position, STALLED};
use super::live::{LiveLog, fitting};
use super::{attempts, fold};
use crate::app::App;
use crate::auth::address::client_address;
use crate::auth::turns::Asker;
use crate::builds;
use crate::db::{BuildState, rows};
use crate::error::{Context, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data};
use askama::Template;
use slipway_protocol::Record;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Duration, bar, counts and place in line of an open build are sent so often.
const MOVE_EVERY: Duration = Duration::from_secs(5);
// A message holds at most so many records; at full speed the next one follows at once.
const BATCH: usize = 200;

pub(super) struct Follower {
    app: Data<App>,
    allowed: Allowed<ReadRepository>,
    build: rows::Build,
    origin: Origin,
    at: Position,
    out: mpsc::Sender<Bytes>,
    log: LiveLog,
    /// Records that were read and did not fit into the last message.
    ahead: VecDeque<(u64, Record)>,
    /// The last reading may have left some.
    is_full: bool,
    request: HttpRequest,
    asker: Asker,
    checked_at: Instant,
    /// What the head of the page is drawn for, and the attempt that it tells of.
    shown: Option<(Head, i64)>,
    newer: Option<(i64, BuildState)>,
    /// What the tabs of the page count, as it was sent last.
    counts: Option<Counts>,
    /// A build of the repository changed since.
    may_count: bool,
    /// What moves by itself, as it was sent last.
    moving: String,
    moved_at: Instant,
    sent_at: Instant,
}

impl Follower {
    pub(super) fn new(
        app: Data<App>,
        allowed: Allowed<ReadRepository>,
        build: rows::Build,
        origin: Origin,
        at: Position,
        out: mpsc::Sender<Bytes>,
        request: HttpRequest,
    ) -> Self {
        let now = app.clock.steady();
        Self {
            checked_at: now,
            asker: Asker::of(allowed.principal(), client_address(&app, &request)),
            app,
            allowed,
            build,
            origin,
            at,
            out,
            log: LiveLog::default(),
            ahead: VecDeque::new(),
            is_full: false,
            request,
            shown: at.head.map(|head| (head, at.attempt)),
            newer: None,
            counts: None,
            may_count: true,
            moving: String::new(),
            moved_at: now,
            sent_at: now,
        }
    }

    pub(super) async fn run(mut self) {
        let mut build_changed = self.app.wake.follow(self.build.id);
        let mut repository_changed = self.app.wake.follow(self.build.repository_id);
        // By the steady clock: one that is set back must not keep a right alive.
        let began = self.app.clock.steady();
        while self.since(began) < LONGEST {
            let turn = tokio::select! {
                turn = self.app.drawing.any_time(&self.asker) => turn,
                () = self.out.closed() => return,
            };
            if !self.may_still_read().await {
                return;
            }
            build_changed.borrow_and_update();
            self.may_count |= repository_changed.has_changed().unwrap_or_default();
            repository_changed.borrow_and_update();
            let news = match self.step().await {
                Ok(Some(news)) => news,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!("a live page lost its stream: {}", error.for_log());
                    return;
                }
            };
            // A reader who takes them slowly keeps nobody waiting.
            drop(turn);
            let is_still = news.is_empty();
            for text in news {
                if !self.send(text).await {
                    return;
                }
            }
            if !is_still {
                if !self.is_behind() {
                    sleep(PAUSE).await;
                }
                continue;
            }
            tokio::select! {
                _ = build_changed.changed() => {}
                _ = repository_changed.changed() => self.may_count = true,
                () = sleep(if is_open(self.build.state) { MOVE_EVERY } else { PING }) => {}
                () = self.out.closed() => return,
                () = self.app.wake.stopped() => return,
            }
            if self.since(self.sent_at) >= PING && !self.send(": ping\n\n".to_owned()).await {
                return;
            }
        }
    }

    fn since(&self, at: Instant) -> Duration {
        self.app.clock.steady().saturating_duration_since(at)
    }

    /// A reader who takes nothing for so long is gone: false.
    async fn send(&mut self, text: String) -> bool {
        self.sent_at = self.app.clock.steady();
        let sent = tokio::time::timeout(STALLED, self.out.send(Bytes::from(text))).await;
        matches!(sent, Ok(Ok(())))
    }

    /// Who was signed out, or lost the right, reads no further; asked anew now and then.
    async fn may_still_read(&mut self) -> bool {
        if self.since(self.checked_at) < CHECK_AFTER {
            return true;
        }
        self.checked_at = self.app.clock.steady();
        // Code that turned private is told no further either.
        match Origin::of(&self.app, self.allowed.principal(), self.allowed.on(), &self.build).await {
            Ok(origin) => self.origin = origin,
            Err(_) => return false,
        }
        crate::auth::extract::check_again::<ReadRepository>(&self.app, &self.request, &self.allowed)
            .await
            .unwrap_or_default()
    }

    /// What is new, as messages; `None` when the build is gone.
    async fn step(&mut self) -> Result<Option<Vec<String>>> {
        let build = builds::find(&self.app, self.build.id).await?;
        let Some(build) = build else { return Ok(None) };
        self.build = build;
        let mut news = Vec::new();
        if let Some(attempt) = builds::present_attempt(&self.app, &self.build).await? {
            if attempt.number != self.at.attempt {
                news.extend(self.restart(&attempt).await?);
            }
            let records = self.records(&attempt).await?;
            // All lines come before the end that they led to.
            let is_first = records.is_some() && self.is_behind();
            news.extend(records);
            if is_first {
                return Ok(Some(news));
            }
        }
        news.extend(self.state().await?);
        news.extend(self.newer().await?);
        news.extend(self.counts().await?);
        Ok(Some(news))
    }

    /// Another attempt than the page shows: the log starts again.
    async fn restart(&mut self, attempt: &rows::Attempt) -> Result<Option<String>> {
        let first = self.at.attempt == 0;
        self.at = Position { attempt: attempt.number, head: self.at.head, ..Position::default() };
        self.log = LiveLog::default();
        self.ahead.clear();
        if first {
            return Ok(None);
        }
        let text = attempts::succession(&self.app, &builds::attempts(&self.app, self.build.id).await?).await?;
        let text = self.origin.told(text);
        let html = ClearLog { text: &text }.render().context("rendering")?;
        Ok(Some(message(&self.at.to_string(), &html)))
    }

    /// More records wait: the next message follows at once.
    fn is_behind(&self) -> bool {
        self.is_full || !self.ahead.is_empty()
    }

    /// The next records as one message, if there are any.
    async fn records(&mut self, attempt: &rows::Attempt) -> Result<Option<String>> {
        if self.log.is_empty() && self.at.record > 0 {
            let rows = fold::rows_of(&self.app, attempt, self.origin.conceal.as_ref()).await?;
            self.log.know(&rows, self.at.step);
        }
        if self.ahead.is_empty() {
            self.ahead = builds::log::read(&self.app, attempt.id, self.at.record, BATCH).await?.into();
            // Fewer come when they are large: only none is the end.
            self.is_full = !self.ahead.is_empty();
        }
        let fitting = fitting(self.ahead.iter().map(|(_, record)| record));
        let mut batch: Vec<_> = self.ahead.drain(..fitting.min(self.ahead.len())).collect();
        if let Some(conceal) = &self.origin.conceal {
            for (_, record) in &mut batch {
                conceal.record(record);
            }
        }
        let Some((last, _)) = batch.last() else { return Ok(None) };
        self.at.record = *last;
        self.log.now = self.app.clock.now();
        let html = self.log.render(&batch)?;
        self.at.step = self.log.last_step();
        Ok(Some(message(&self.at.to_string(), &html)))
    }
}

fn is_open(state: BuildState) -> bool {
    matches!(state, BuildState::Queued | BuildState::Running)
}
