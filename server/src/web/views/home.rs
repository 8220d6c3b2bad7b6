//! `/`, for strangers and for people who are signed in.

use super::builds::BuildRow;
use super::cut::Cut;
use super::filters;
use super::layout::Layout;
use super::login::Provider;
use super::namespace::RepositoryCard;
use askama::Template;

/// `/` for those who are signed out.
#[derive(Template)]
#[template(path = "home/welcome.html")]
pub struct Welcome {
    pub layout: Layout,
    /// Empty when the operator has not set up a forge: the page then says how.
    pub providers: Vec<Provider>,
    /// `https://slipway.example.org/login/github/callback`, for the text to the operator.
    pub callback_url: String,
    /// Otherwise only images are kept here.
    pub builds: bool,
    /// A public repository, if there is one.
    pub examples: Vec<RepositoryCard>,
}

/// `/` for people who are signed in. Who has no repository is sent to `/new/import` by the handler.
#[derive(Template)]
#[template(path = "home/dashboard.html")]
pub struct Dashboard {
    pub layout: Layout,
    /// Why nothing is built, on a server without a builder.
    pub no_builder: Option<String>,
    /// Queued and running builds of the namespaces that this person is in.
    pub running: Cut<BuildRow>,
    /// The last build of a ref of these namespaces that failed.
    pub failed: Cut<BuildRow>,
    /// Last changed first; `name` holds the namespace too.
    pub repositories: Vec<RepositoryCard>,
}
