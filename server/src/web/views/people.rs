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
}

#[derive(Debug, Clone)]
pub struct Organization {
    /// Sent as `organization`.
    pub id: String,
    pub login: String,
    /// The namespace that it has here.
    pub namespace: Option<String>,
    /// Many at once: they keep their rights until somebody confirms.
    pub held: Vec<Leaver>,
    pub ended: Vec<Leaver>,
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
