//! The page of one build: head, facts, result, stages and log.
//!
//! `BuildView` is what changes when the build moves on; the page and the stream print the same pieces of it.

use super::super::ansi;
use super::builds::BuildFacts;
use super::cut::Cut;
use super::facts::{Signature, Size, State, When};
use super::layout::Layout;
use super::log::LogView;
use super::pull::PullBox;
use super::search::Search;
use super::{build, facts, filters};
use askama::Template;

/// `/{ns}/{repo}/-/builds/{n}`.
#[derive(Template)]
#[template(path = "builds/show.html")]
pub struct BuildPage {
    pub layout: Layout,
    pub build: BuildView,
    pub log: LogView,
    /// In place of the log.
    pub search: Option<Search>,
    /// `…/events?after=<id of the last record on this page>`; set while the build is open, and later while newer builds may come.
    pub events_url: Option<String>,
}

/// A build as its page shows it.
#[derive(Debug, Clone)]
pub struct BuildView {
    /// `/acme/web/-/builds/12`.
    pub url: String,
    pub facts: BuildFacts,
    /// Tags that it moved; while it is open, those that it will move.
    pub tags: Vec<String>,
    pub steps_cached: u64,
    pub steps: u64,
    /// Empty while the first one goes well.
    pub attempts: Vec<Attempt>,
    /// A manager may cancel it: POST `{url}/cancel`.
    pub can_cancel: bool,
    /// Cancel was pressed, the builder has not answered yet.
    pub cancelling: bool,
    /// A manager may run it again: POST `{url}/rerun`, with `cache=off` or without.
    pub can_rerun: bool,
    pub result: BuildResult,
    /// Left column: queue, build, sign, tags.
    pub stages: Vec<Stage>,
    /// Median of the last good builds of this branch.
    pub usual_secs: Option<u64>,
    /// Link to a newer build of the same ref.
    pub newer: Option<Newer>,
}

impl BuildView {
    /// The tab's icon in this state.
    pub fn favicon(&self) -> &'static str {
        Layout { mark: self.facts.state.mark(), ..Layout::default() }.icon()
    }

    /// Percent of the bar, while it runs.
    pub fn progress(&self) -> Option<u64> {
        let (secs, usual) = (self.facts.secs?, self.usual_secs?);
        (self.facts.state == State::Running).then(|| (secs * 100).checked_div(usual).unwrap_or(100).min(99))
    }
}

/// One try of a build by one builder.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: u64,
    /// `None` when it was lost: that is the end of the attempt, not of the build.
    pub state: Option<State>,
    /// Why it was lost.
    pub why: Option<String>,
    /// When it ended, or began.
    pub at: When,
    pub secs: Option<u64>,
}

/// The box between the facts and the log.
#[derive(Debug, Clone)]
pub enum BuildResult {
    /// Running, cancelled, skipped: nothing to say beside the state.
    None,
    Queued(Queued),
    Ready(Box<Ready>),
    Failed(Box<Failure>),
    /// A sentence: why it was skipped, who cancelled it, by which build it was overtaken.
    Note(String),
}

/// Why nothing happens yet.
#[derive(Debug, Clone, Default)]
pub struct Queued {
    /// `Next in line`, `3rd in line`.
    pub place: String,
    pub hold: Option<Hold>,
}

/// What a build waits for beside its turn.
#[derive(Debug, Clone)]
pub enum Hold {
    /// `no builder is connected`, `BuildKit does not answer: …`.
    NoBuilder(String),
    /// A sentence of what the operator has to do.
    Operator(String),
    /// A sentence of what will be over by itself.
    Limit(String),
}

/// Built, signed, and the tags moved.
#[derive(Debug, Clone)]
pub struct Ready {
    /// `acme/web:main`.
    pub image: String,
    pub platforms: Cut<String>,
    pub size: Size,
    pub signature: Signature,
    pub public: bool,
    pub pull: PullBox,
    /// Which tags were left where they are, and why.
    pub left_alone: Option<String>,
    /// `Each push to main builds again: a webhook tells Slipway` and the like.
    pub next_push: String,
    /// The tag's page.
    pub tag_url: String,
}

impl Ready {
    pub fn is_verified(&self) -> bool {
        matches!(self.signature, Signature::Verified { .. })
    }
}

/// Why it failed, with the place in the Dockerfile.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    /// `cargo build exited with code 101`.
    pub heading: String,
    /// One more sentence, or empty.
    pub message: String,
    /// The line of the log that says why.
    pub first_error: Option<ErrorLink>,
    /// `Dockerfile:13` and its page at the forge.
    pub place: Option<(String, Option<String>)>,
    /// The place could not be read, so it defines no step.
    pub is_unread: bool,
    pub file: String,
    pub excerpt: Vec<ExcerptLine>,
    /// What to do next, if there is something better than to look at the log.
    pub hint: Option<String>,
    /// The base image that was refused, for whoever may allow it: POST `{url}/allow-base`, and then take that back.
    pub base: Option<BaseBox>,
}

/// A line of the log that tells of an error.
#[derive(Debug, Clone)]
pub struct ErrorLink {
    /// `s9-L14`.
    pub id: String,
    pub line: u32,
    /// No line of the step before it does.
    pub is_first: bool,
    /// What it says, or the beginning of that.
    pub text: String,
}

/// A base image that can be allowed, or that was.
#[derive(Debug, Clone)]
pub struct BaseBox {
    /// Whether everybody may pull what is built on it.
    pub public: bool,
    /// `acme/base`.
    pub name: String,
    /// `acme/web`, which wants to build on it.
    pub repository: String,
    /// It was allowed since.
    pub is_allowed: bool,
}

impl BaseBox {
    /// Where its being allowed is taken back: POST with the base's name.
    pub fn forbid_url(&self) -> String {
        format!("/{}/-/settings/bases/remove", self.repository)
    }
}

/// One line of a Dockerfile.
#[derive(Debug, Clone)]
pub struct ExcerptLine {
    pub number: u32,
    /// `RUN`, or empty.
    pub instruction: String,
    pub rest: String,
    pub comment: bool,
    /// Belongs to the failing instruction.
    pub hit: bool,
}

impl ExcerptLine {
    pub fn new(number: u32, text: &str, hit: bool) -> Self {
        let text = &ansi::visible(text);
        let word = text.split(' ').next().unwrap_or("");
        let is_instruction = word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase());
        let split = if is_instruction { word.len() } else { 0 };
        Self {
            number,
            instruction: text[..split].to_owned(),
            rest: text[split..].to_owned(),
            comment: text.trim_start().starts_with('#'),
            hit,
        }
    }
}

/// One row of the left column.
#[derive(Debug, Clone)]
pub struct Stage {
    /// `Build linux/amd64`, `Sign`, `Move tags`.
    pub name: String,
    pub state: State,
    pub secs: Option<u64>,
}

/// A build of the same ref that came later.
#[derive(Debug, Clone)]
pub struct Newer {
    pub number: u64,
    pub url: String,
    pub state: State,
    pub title: String,
    /// This build's tags were not moved because the newer one was first.
    pub overtook: bool,
}
