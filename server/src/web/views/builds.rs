//! Lists of builds.

use super::facts::{Commit, State, When};
use super::filters;
use super::layout::{Layout, Pages, SortOption};
use super::repository::RepositoryHead;
use askama::Template;

/// What a list and a page say alike of a build.
#[derive(Debug, Clone)]
pub struct BuildFacts {
    pub number: u64,
    pub state: State,
    /// The state in words: `Failed`, `Cancelled by mona after 58s`, `Timed out after 30m 00s`.
    pub status: String,
    pub title: String,
    pub commit: Commit,
    /// Branch or tag, `main`.
    pub ref_name: String,
    /// Who caused it, if a person did.
    pub actor: Option<String>,
    /// `push`, `import`, `re-run of #11`, `press of Build now`.
    pub trigger: String,
    /// When it ended, or began, or was made.
    pub at: When,
    pub secs: Option<u64>,
}

impl BuildFacts {
    /// `Started by push`, `Re-run of #11`.
    pub fn cause(&self) -> String {
        match self.trigger.strip_prefix("re-run of ") {
            Some(number) => format!("Re-run of {number}"),
            None => format!("Started by {}", self.trigger),
        }
    }

    /// What a reader is told at the end: `Finished in 1m 04s: Succeeded`.
    pub fn end(&self) -> String {
        match (self.state, self.secs) {
            // Their words tell how long it took.
            (State::Cancelled | State::TimedOut, _) | (_, None) => format!("Finished: {}", self.status),
            (_, Some(secs)) => format!("Finished in {}: {}", filters::duration_text(secs), self.status),
        }
    }
}

/// One build in a list.
#[derive(Debug, Clone)]
pub struct BuildRow {
    /// `acme/web`, for lists over several repositories.
    pub repository: String,
    pub facts: BuildFacts,
    /// First sentence of the failure.
    pub failure: Option<String>,
    /// `next in line`, `3rd in line`, `waits for a builder`, when it is queued.
    pub place: Option<String>,
}

impl BuildRow {
    pub fn url(&self) -> String {
        format!("/{}/-/builds/{}", self.repository, self.facts.number)
    }

    /// The builds of the same branch or tag.
    pub fn branch_url(&self) -> String {
        let query = serde_urlencoded::to_string([("branch", &self.facts.ref_name)]).unwrap_or_default();
        format!("/{}/-/builds?{query}", self.repository)
    }
}

/// `/{ns}/{repo}/-/builds`.
#[derive(Template)]
#[template(path = "builds/list.html", blocks = ["rows"])]
pub struct BuildList {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub rows: Vec<BuildRow>,
    pub query: String,
    /// Branch or tag, or a part of it; empty for all.
    pub branch: String,
    pub states: Vec<SortOption>,
    /// All that match, over all pages.
    pub total: u64,
    pub pages: Pages,
    /// `full name of the source`, when the repository is connected.
    pub source: Option<String>,
    /// Managers of a connected repository get the Build now form, with this ref filled in.
    pub build_ref: Option<String>,
    /// What was wrong with the ref that the form sent (status 422), beside `build_ref`.
    pub build_error: Option<String>,
    /// Why nothing is built, on a server without a builder.
    pub no_builder: Option<String>,
    /// The stream that swaps `#builds` when a build appears or changes.
    pub events_url: Option<String>,
}

impl BuildList {
    /// Not all builds were asked for.
    pub fn is_search(&self) -> bool {
        !self.query.is_empty() || !self.branch.is_empty() || self.states.iter().any(|s| s.chosen && !s.word.is_empty())
    }

    pub fn list_url(&self) -> String {
        format!("{}/-/builds", self.head.url())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::facts;
    use super::*;

    #[test]
    fn the_end_is_told_with_its_state() {
        let end = |state, status: &str, secs| {
            BuildFacts { status: status.to_owned(), secs, ..facts(1, state, "Add /healthz") }.end()
        };
        assert_eq!(end(State::Succeeded, "Succeeded", Some(64)), "Finished in 1m 04s: Succeeded");
        let cancelled = "Cancelled by mona after 58s";
        assert_eq!(end(State::Cancelled, cancelled, Some(58)), "Finished: Cancelled by mona after 58s");
        assert_eq!(end(State::Skipped, "Skipped", None), "Finished: Skipped");
    }
}
