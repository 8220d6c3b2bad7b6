//! `/{ns}/{repo}/-/settings`: rule, visibility, how pushes arrive, deletion.

use super::layout::Layout;
use super::repository::{RepositoryHead, SourceFacts, TurnedPrivate};
use super::signing_key::KeyFacts;
use super::{filters, repository};
use askama::Template;

/// `/{ns}/{repo}/-/settings`.
#[derive(Template)]
#[template(path = "settings/show.html")]
pub struct Settings {
    pub layout: Layout,
    pub head: RepositoryHead,
    /// It is private because its code became so.
    pub turned_private: Option<TurnedPrivate>,
    /// `None` when no code is connected.
    pub source: Option<SourceFacts>,
    /// The one of `head.full_name()`, when there is a source. Form: POST `…/-/settings/rule`.
    pub rule: Option<RuleForm>,
    /// Shown with the rule.
    pub bases: Bases,
    /// Of the namespace.
    pub key: KeyFacts,
}

/// The private images that builds may start from. Forms: POST `…/-/settings/bases` and `…/-/settings/bases/remove`.
#[derive(Debug, Clone, Default)]
pub struct Bases {
    /// `acme/base`, and whether it is public by now.
    pub listed: Vec<(String, bool)>,
    pub typed: String,
    pub error: Option<String>,
}

/// What is built; after an error with status 422 and what was typed.
#[derive(Debug, Clone, Default)]
pub struct RuleForm {
    pub dockerfile: String,
    pub dockerfile_error: Option<String>,
    /// Empty for the whole repository.
    pub context: String,
    pub context_error: Option<String>,
    /// `NAME=value`, one a line.
    pub build_args: String,
    pub build_args_error: Option<String>,
    /// Dockerfiles that were found at the default branch, as suggestions.
    pub found: Vec<String>,
    /// How refs become tags, with refs that exist.
    pub mapping: Vec<Mapping>,
}

impl RuleForm {
    pub fn has_errors(&self) -> bool {
        self.dockerfile_error.is_some() || self.context_error.is_some() || self.build_args_error.is_some()
    }
}

/// "branch `main` → `main`, `latest`".
#[derive(Debug, Clone)]
pub struct Mapping {
    /// `Each branch`, `Version tags`.
    pub rule: String,
    /// A ref that exists, or one that could.
    pub example_ref: String,
    pub example_tags: Vec<String>,
    /// `the slash is no legal part of a tag`.
    pub note: String,
}

/// `/{ns}/{repo}/-/settings/visibility`: what becomes public, before it does.
#[derive(Template)]
#[template(path = "settings/publish.html")]
pub struct RepositoryPublish {
    pub layout: Layout,
    pub head: RepositoryHead,
    /// Its images come from code that is not public.
    pub code_is_private: bool,
    /// Private images whose layers it may hold.
    pub bases: Vec<String>,
}

/// `/{ns}/{repo}/-/settings/delete`: the name is typed.
#[derive(Template)]
#[template(path = "settings/delete.html")]
pub struct RepositoryDelete {
    pub layout: Layout,
    pub head: RepositoryHead,
    pub typed: String,
    /// The name was not right (status 422).
    pub error: Option<String>,
    pub size: u64,
    /// Whether code is connected.
    pub has_source: bool,
}
