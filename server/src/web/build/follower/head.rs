//! What stands over the log of an open page, when it changed: state, result, stages, counters, newer builds of the same ref.

use super::super::super::views::build::BuildView;
use super::super::super::views::live::{SwapCounts, SwapMoving, SwapNewer, SwapState, event, message};
use super::super::events::Head;
use super::super::{failed, view};
use super::{Follower, MOVE_EVERY, is_open};
use crate::builds;
use crate::error::{Context, Result};
use askama::Template;

impl Follower {
    /// Head, result and stages, when they changed.
    pub(super) async fn state(&mut self) -> Result<Option<String>> {
        let now = (Head::of(&self.build), self.at.attempt);
        if self.shown == Some(now) {
            return self.moving().await;
        }
        let was_open = self.shown.replace(now).is_none_or(|(head, _)| head.is_open());
        self.at.head = Some(now.0);
        let view = self.view().await?;
        self.moved(&view)?;
        let repository = self.allowed.on().name.to_string();
        let mut html = SwapState { build: &view, repository: &repository }.render().context("rendering")?;
        if !is_open(self.build.state) {
            html.push_str(&self.log.close()?);
        }
        let mut text = message(&self.at.to_string(), &html);
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
            let conceal = self.origin.conceal.as_ref();
            facts.error = failed::error_line(&self.app, attempt.id, step, conceal).await?;
        }
        view::of(&self.app, self.allowed.principal(), self.allowed.on(), &self.build, &self.origin, facts).await
    }

    /// How many tags and builds there are, when a build came or ended.
    pub(super) async fn counts(&mut self) -> Result<Option<String>> {
        if !std::mem::take(&mut self.may_count) {
            return Ok(None);
        }
        let now = view::counts(&self.app, self.allowed.on()).await?;
        if self.counts.replace(now) == Some(now) {
            return Ok(None);
        }
        Ok(Some(message("", &SwapCounts { counts: now }.render().context("rendering")?)))
    }

    pub(super) async fn newer(&mut self) -> Result<Option<String>> {
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
