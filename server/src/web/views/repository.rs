//! A repository's overview, and the head that all its pages share.

use super::builds::BuildRow;
use super::cut::Cut;
use super::facts::{Commit, Signature, Size, When};
use super::layout::{Layout, Tab, Viewer};
use super::pull::{Kind, PullBox, PushLines};
use super::{facts, filters, repository};
use askama::Template;

/// Which repository a page is about, and what the viewer may do in it.
#[derive(Debug, Clone)]
pub struct RepositoryHead {
    pub namespace: String,
    /// May have several parts, `base/rust`.
    pub name: String,
    pub public: bool,
    pub tags: u64,
    pub builds: u64,
    /// Push, delete tags, build.
    pub manager: bool,
    /// Settings.
    pub admin: bool,
}

/// The row of tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositoryTab {
    Overview,
    Tags,
    Builds,
    Settings,
}

impl RepositoryHead {
    /// `acme/base/rust`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// `/acme/base/rust`; everything else about it is behind `/-/`.
    pub fn url(&self) -> String {
        format!("/{}/{}", self.namespace, self.name)
    }

    /// The page of a tag.
    pub fn tag_url(&self, tag: &str) -> String {
        format!("{}/-/tags/{tag}", self.url())
    }

    /// What lies behind `/-/settings`.
    pub fn settings_url(&self, rest: &str) -> String {
        format!("{}/-/settings{rest}", self.url())
    }

    pub fn layout(&self, title: &str, viewer: Option<Viewer>, selected: RepositoryTab) -> Layout {
        let url = self.url();
        let title = format!("{title} · {}", self.full_name());
        let tab = |text, rest: &str, icon, hotkey, count, tab| Tab {
            text,
            url: format!("{url}{rest}"),
            icon,
            hotkey,
            count,
            selected: tab == selected,
        };
        let mut tabs = vec![
            tab("Overview", "", "package-16", "g o", None, RepositoryTab::Overview),
            tab("Tags", "/-/tags", "tag-16", "g t", Some(self.tags), RepositoryTab::Tags),
            tab("Builds", "/-/builds", "play-16", "g b", Some(self.builds), RepositoryTab::Builds),
        ];
        if self.admin {
            tabs.push(tab("Settings", "/-/settings", "gear-16", "g s", None, RepositoryTab::Settings));
        }
        Layout {
            visibility: if self.public { "Public" } else { "Private" },
            tabs_label: "Repository",
            tabs,
            ..Layout::new(title, viewer).crumb(&self.namespace, format!("/{}", self.namespace)).crumb(&self.name, &url)
        }
    }
}

/// `/{ns}/{repo}`.
#[derive(Template)]
#[template(path = "repository/show.html")]
pub struct Overview {
    pub layout: Layout,
    pub head: RepositoryHead,
    /// The code repository cannot be reached any more.
    pub gone: Option<SourceGone>,
    /// It is private because its code became so.
    pub turned_private: Option<TurnedPrivate>,
    /// Of the default branch, where it has one.
    pub last_build: Option<BuildRow>,
    /// Newest first behind the one that is offered, tags of one digest in one row; at most some ten.
    pub images: Vec<ImageRow>,
    /// For the image that is offered: `latest`, else that of the default branch.
    pub pull: Option<PullBox>,
    pub source: Option<SourceFacts>,
    pub storage: Storage,
    /// Oldest first, at most 30 finished builds of the same branch.
    pub durations: Durations,
    /// How to push by hand, for a repository without images.
    pub push_lines: PushLines,
    /// Managers of a connected repository get the Build now form, with this ref filled in.
    pub build_ref: Option<String>,
}

/// The banner over a repository that became private with its code.
#[derive(Debug, Clone)]
pub struct TurnedPrivate {
    /// `acme/web`, or how strangers to the code read it.
    pub code: String,
    pub at: When,
    /// Admins choose anew there.
    pub settings_url: Option<String>,
}

/// The banner over a repository whose source is gone.
#[derive(Debug, Clone)]
pub struct SourceGone {
    pub full_name: String,
    /// "GitHub answers that it does not exist, or that mona may not see it any more".
    pub reason: String,
    /// When it was last looked for.
    pub tried: When,
    /// Where an admin repairs it: POST, no fields.
    pub repair_url: Option<String>,
    /// Where an admin hides the images, while they are public and the code may have become private.
    pub visibility_url: Option<String>,
}

/// One image and all tags that point at it.
#[derive(Debug, Clone)]
pub struct ImageRow {
    /// Never empty; the first one is the row's title. A list of its own has the rest.
    pub tags: Cut<String>,
    pub digest: String,
    pub kind: Kind,
    pub platforms: Cut<String>,
    pub signature: Signature,
    pub size: Size,
    pub at: When,
    pub cause: Cause,
    /// The tag that moved then, where that is not the row's title.
    pub moved: Option<String>,
}

/// Why a tag points where it points.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// `Build #148`, `pushed by mona`, `deleted by mona`.
    pub text: String,
    pub url: Option<String>,
    pub commit: Option<Commit>,
}

/// The code behind a repository.
#[derive(Debug, Clone)]
pub struct SourceFacts {
    /// `GitHub`; decides the icon.
    pub forge: String,
    pub full_name: String,
    /// Its page at the forge.
    pub url: Option<String>,
    pub default_branch: String,
    pub pushes: Pushes,
    /// Why pushes are not built, on a server without a builder.
    pub no_builder: Option<String>,
}

/// How a push is known.
#[derive(Debug, Clone)]
pub enum Pushes {
    /// A webhook is in place.
    Webhook { last: Option<When> },
    /// Branch heads are asked for.
    Polling { secs: u64, because: String },
    /// Neither works.
    Broken { because: String },
}

/// Bytes of a repository's blobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Storage {
    pub own: u64,
    /// Also used by other repositories: deleting here frees none of it.
    pub shared: u64,
}

impl Storage {
    pub fn total(&self) -> u64 {
        self.own + self.shared
    }

    /// Percent of the bar.
    pub fn own_share(&self) -> u64 {
        (self.own * 100).checked_div(self.total()).unwrap_or(0)
    }
}

/// Seconds and success of finished builds, as bars.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    /// Oldest first.
    pub builds: Vec<(u64, bool)>,
}

/// One bar in a picture of 264 by 40.
pub struct Bar {
    pub x: u64,
    pub y: u64,
    pub height: u64,
    pub good: bool,
}

impl Durations {
    pub fn bars(&self) -> Vec<Bar> {
        let longest = self.builds.iter().map(|build| build.0).max().unwrap_or(0).max(1);
        let bar = |(at, &(secs, good)): (usize, &(u64, bool))| {
            let height = (secs * 40 / longest).max(3);
            Bar { x: at as u64 * 9, y: 40 - height, height, good }
        };
        self.builds.iter().take(30).enumerate().map(bar).collect()
    }

    /// Of the picture: as many bars as there are.
    pub fn width(&self) -> u64 {
        self.len().clamp(1, 30) * 9
    }

    pub fn median(&self) -> u64 {
        let mut good: Vec<u64> = self.builds.iter().filter(|build| build.1).map(|build| build.0).collect();
        good.sort_unstable();
        good.get(good.len() / 2).copied().unwrap_or(0)
    }

    pub fn failed(&self) -> u64 {
        self.builds.iter().filter(|build| !build.1).count() as u64
    }

    pub fn len(&self) -> u64 {
        self.builds.len() as u64
    }

    /// A picture of one bar says nothing.
    pub fn worth_showing(&self) -> bool {
        self.builds.len() > 1
    }
}
