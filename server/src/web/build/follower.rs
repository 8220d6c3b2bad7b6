//! Follows a build for one open page: log lines as they come, states, and newer builds of the same ref.

use super::super::origin::Origin;
use super::super::views::build::BuildView;
use super::super::views::live::{ClearLog, SwapMoving, SwapNewer, SwapState, event, message};
use super::events::{CHECK_AFTER, LONGEST, PAUSE, PING, Position, STALLED};
use super::live::{LiveLog, fitting};
use super::{attempts, fold, log, view};
use crate::app::App;
use crate::auth::address::client_address;
use crate::builds;
use crate::db::{BuildState, rows};
use crate::error::{Context, Result};
use crate::policy::{Allowed, ReadRepository};
use actix_web::HttpRequest;
use actix_web::web::{Bytes, Data};
use askama::Template;
use slipway_protocol::Record;
use std::collections::VecDeque;
use std::net::IpAddr;
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
    address: IpAddr,
    checked_at: Instant,
    /// State, cancel wish and number of attempts that the page shows.
    shown: Option<(BuildState, bool, i64)>,
    newer: Option<(i64, BuildState)>,
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
            address: client_address(&app, &request),
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
            shown: None,
            newer: None,
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
                turn = self.app.drawing.any_time(self.address) => turn,
                () = self.out.closed() => return,
            };
            if !self.may_still_read().await {
                return;
            }
            build_changed.borrow_and_update();
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
                _ = repository_changed.changed() => {}
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
        Ok(Some(news))
    }

    /// Another attempt than the page shows: the log starts again.
    async fn restart(&mut self, attempt: &rows::Attempt) -> Result<Option<String>> {
        let first = self.at.attempt == 0;
        self.at = Position { attempt: attempt.number, ..Position::default() };
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
        let html = self.log.render(&batch)?;
        self.at.step = self.log.last_step();
        Ok(Some(message(&self.at.to_string(), &html)))
    }

    /// Head, result and stages, when they changed.
    async fn state(&mut self) -> Result<Option<String>> {
        let now = (self.build.state, self.build.cancel_requested_at.is_some(), self.at.attempt);
        if self.shown == Some(now) {
            return self.moving().await;
        }
        // The page may have been drawn before the last change: the first message tells the state anew.
        let was_open = self.shown.replace(now).is_none_or(|(state, ..)| is_open(state));
        let view = self.view().await?;
        self.moved(&view)?;
        let repository = self.allowed.on().name.to_string();
        let html = SwapState { build: &view, repository: &repository }.render().context("rendering")?;
        let mut text = message("", &html);
        if was_open && !is_open(self.build.state) {
            text.push_str(&event("", "finished", &view.facts.end()));
        }
        Ok(Some(text))
    }

    /// What moves while the state stays, when it reads otherwise than before.
    async fn moving(&mut self) -> Result<Option<String>> {
        if !is_open(self.build.state) || self.since(self.moved_at) < MOVE_EVERY {
            return Ok(None);
        }
        let view = self.view().await?;
        Ok(self.moved(&view)?.then(|| message("", &self.moving)))
    }

    fn moved(&mut self, view: &BuildView) -> Result<bool> {
        let moving = SwapMoving { build: view }.render().context("rendering")?;
        self.moved_at = self.app.clock.steady();
        Ok(std::mem::replace(&mut self.moving, moving) != self.moving)
    }

    async fn view(&self) -> Result<BuildView> {
        let attempt = builds::present_attempt(&self.app, &self.build).await?;
        let mut facts = self.log.facts();
        if let (Some(attempt), Some(step), false) = (&attempt, self.log.failed(), is_open(self.build.state)) {
            facts.first_error = log::first_error(&self.app, attempt.id, step).await?;
        }
        view::of(&self.app, self.allowed.principal(), self.allowed.on(), &self.build, &self.origin, facts).await
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
