//! `/{ns}`: the repositories of a namespace.

use super::builds::BuildRow;
use super::cut::Cut;
use super::facts::{Avatar, Size, State, When};
use super::filters;
use super::layout::{Layout, Pages, SortOption};
use super::pull::PushLines;
use super::repository::Durations;
use askama::Template;

/// `/{ns}?q=&sort=&page=`.
#[derive(Template)]
#[template(path = "namespace/show.html")]
pub struct Namespace {
    pub layout: Layout,
    pub name: String,
    /// `GitHub`, name and page of the account that it is bound to.
    pub account: Option<Account>,
    pub cards: Vec<RepositoryCard>,
    /// People of its organisation who wait for the viewer, who is an admin.
    pub held: u64,
    pub query: String,
    pub sorts: Vec<SortOption>,
    pub pages: Pages,
    pub building: Cut<BuildRow>,
    /// Members: the viewer may build and push here.
    pub manager: bool,
    pub push_lines: PushLines,
    pub storage: u64,
    pub repositories: u64,
}

impl Namespace {
    pub fn avatar(&self) -> Avatar {
        Avatar::of(&self.name)
    }
}

#[derive(Debug, Clone)]
pub struct Account {
    pub forge: String,
    pub name: String,
    pub url: String,
}

/// One repository in a list.
#[derive(Debug, Clone)]
pub struct RepositoryCard {
    /// As it is shown: `web` in its namespace, `acme/web` elsewhere.
    pub name: String,
    pub url: String,
    pub public: bool,
    /// State and ref of the last build, of the default branch where it has one.
    pub build: Option<(State, String)>,
    pub image: Option<CardImage>,
    pub updated: When,
    /// Of the same builds.
    pub durations: Durations,
}

/// The image that a card offers.
#[derive(Debug, Clone)]
pub struct CardImage {
    pub tag: String,
    /// `3 platforms`, `Helm chart`.
    pub holds: String,
    pub size: Size,
}
