//! What surrounds every page: top bar, tabs, flash, and what the head needs.

use super::facts::Avatar;

/// `{% extends "layout.html" %}` needs this as the field `layout`.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Without " · Slipway".
    pub title: String,
    pub viewer: Option<Viewer>,
    /// `/login?next=…`; shown to those who are signed out.
    pub login_url: String,
    pub crumbs: Vec<Crumb>,
    /// `Public` or `Private` beside the last crumb.
    pub visibility: &'static str,
    /// Name of the tab row for screen readers; the row is there when `tabs` is not empty.
    pub tabs_label: &'static str,
    pub tabs: Vec<Tab>,
    pub flash: Option<Flash>,
    /// Loads `live.js`.
    pub live: bool,
    /// Without scripts the page loads itself again every five seconds.
    pub refresh: bool,
    /// A stream of builds: while one of them is open, the page is brought up to date with each change.
    pub follows: Option<String>,
    /// `""`, `running`, `succeeded` or `failed`: the mark on the tab's icon.
    pub mark: &'static str,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub name: String,
    /// The person's own namespace, when it exists.
    pub namespace: Option<String>,
    /// Whether people and their rights are this person's business in some namespace.
    pub administers: bool,
}

impl Viewer {
    pub fn avatar(&self) -> Avatar {
        Avatar::of(&self.name)
    }
}

#[derive(Debug, Clone)]
pub struct Crumb {
    pub text: String,
    /// The last crumb of a page without tabs has none.
    pub url: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Tab {
    pub text: &'static str,
    pub url: String,
    pub icon: &'static str,
    pub hotkey: &'static str,
    /// Its counter is `#count-builds` for `Builds`.
    pub count: Option<u64>,
    pub selected: bool,
}

/// What a repository's tabs count; an open page is told when it changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub tags: u64,
    pub builds: u64,
}

/// One sentence about what the last form did.
#[derive(Debug, Clone)]
pub struct Flash {
    /// Otherwise it was done, and something about it needs another look.
    pub good: bool,
    pub text: String,
}

impl Layout {
    pub fn new(title: impl Into<String>, viewer: Option<Viewer>) -> Self {
        Self { title: title.into(), viewer, login_url: "/login".to_owned(), ..Self::default() }
    }

    /// Adds a crumb with a link.
    #[must_use]
    pub fn crumb(mut self, text: impl Into<String>, url: impl Into<String>) -> Self {
        self.crumbs.push(Crumb { text: text.into(), url: Some(url.into()) });
        self
    }

    /// Adds the page's own name.
    #[must_use]
    pub fn here(mut self, text: impl Into<String>) -> Self {
        self.crumbs.push(Crumb { text: text.into(), url: None });
        self
    }

    #[must_use]
    pub fn flash(mut self, flash: Option<Flash>) -> Self {
        self.flash = flash;
        self
    }

    /// Follows a stream of builds.
    #[must_use]
    pub fn following(mut self, events_url: Option<String>) -> Self {
        self.follows = events_url;
        self
    }

    /// The file of the tab's icon.
    pub fn icon(&self) -> &'static str {
        match self.mark {
            "running" => "logo-running.svg",
            "succeeded" => "logo-succeeded.svg",
            "failed" => "logo-failed.svg",
            _ => "logo.svg",
        }
    }
}

/// One order that a list can have.
#[derive(Debug, Clone)]
pub struct SortOption {
    /// Its word in `?sort=`.
    pub word: &'static str,
    pub label: &'static str,
    pub chosen: bool,
}

/// One of the pages of a long list.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    /// This page.
    pub url: String,
    pub number: u64,
    pub last: u64,
    pub previous_url: Option<String>,
    pub next_url: Option<String>,
}
