//! Pages for what went wrong; each offers a way on.

use super::filters;
use super::layout::Layout;
use askama::Template;

/// 404: no such page, or none for this person. Nothing tells the two apart.
#[derive(Template)]
#[template(path = "errors/not_found.html")]
pub struct NotFound {
    pub layout: Layout,
    /// Inside a repository, a link that leads on there and its words.
    pub way_on: Option<(String, String)>,
    pub request_id: String,
}

/// Every other refusal (400, 403, 405, 409, 410, 413, 429, 503).
#[derive(Template)]
#[template(path = "errors/refused.html")]
pub struct Refused {
    pub layout: Layout,
    pub status: u16,
    /// `This form was sent from another site`.
    pub heading: String,
    /// What the user may read.
    pub text: String,
    /// A link that leads on, and its words.
    pub way_on: Option<(String, String)>,
    pub request_id: String,
}

/// 500: our fault.
#[derive(Template)]
#[template(path = "errors/broken.html")]
pub struct Broken {
    pub layout: Layout,
    pub request_id: String,
}
