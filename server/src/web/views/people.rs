//! `/settings/people`: who left an organisation.

use super::facts::When;
use super::filters;
use super::layout::Layout;
use askama::Template;

/// `/settings/people`.
#[derive(Template)]
#[template(path = "people/list.html")]
pub struct People {
    pub layout: Layout,
    pub organizations: Vec<Organization>,
    /// Organisations that are not listed.
    pub more: u64,
}

#[derive(Debug, Clone)]
pub struct Organization {
    pub login: String,
    /// The namespace that it has here.
    pub namespace: Option<String>,
    /// Many at once: they keep their rights until somebody confirms.
    pub held: Vec<Leaver>,
    /// Who else waits.
    pub more_held: u64,
    /// The last of `held`, sent as `until`.
    pub until: String,
    pub ended: Vec<Leaver>,
    pub more_ended: u64,
}

#[derive(Debug, Clone)]
pub struct Leaver {
    pub name: String,
    pub at: When,
    /// `admin of acme`.
    pub roles: Vec<String>,
    pub keeps_sign_in: bool,
    pub sessions: u64,
    /// `laptop (slp_Ab3d…)`.
    pub tokens: Vec<String>,
}
