//! `/settings/tokens`: personal access tokens.

use super::facts::When;
use super::filters;
use super::layout::{Layout, Pages};
use askama::Template;

/// `/settings/tokens`.
#[derive(Template)]
#[template(path = "tokens/list.html")]
pub struct TokenList {
    pub layout: Layout,
    pub rows: Vec<TokenRow>,
    pub pages: Pages,
    /// `docker login registry.example.org -u mona`, for the empty state.
    pub login: String,
}

/// `/settings/tokens/{id}/revoke`.
#[derive(Template)]
#[template(path = "tokens/revoke.html")]
pub struct TokenRevoke {
    pub layout: Layout,
    pub row: TokenRow,
}

#[derive(Debug, Clone)]
pub struct TokenRow {
    /// The page that asks before it is revoked is `/settings/tokens/{id}/revoke`.
    pub id: String,
    pub name: String,
    /// `slp_Ab3d…`.
    pub prefix: String,
    /// `Pull`, `Pull and push`.
    pub scopes: String,
    pub created: When,
    pub used: Option<When>,
    /// `None`: never.
    pub expires: Option<When>,
    pub expired: bool,
}

/// `/settings/tokens/new`; after an error with status 422 and what was typed.
#[derive(Template)]
#[template(path = "tokens/new.html")]
pub struct TokenNew {
    pub layout: Layout,
    /// Its number: sent again, it makes no second token.
    pub form: String,
    pub name: String,
    pub name_error: Option<String>,
    /// Days: `30`, `90`, `365`, or `never`; sent as `expires`.
    pub expires: String,
    pub expires_error: Option<String>,
    /// Sent as `scope`: `pull`, `push`, `delete`, …
    pub scopes: Vec<ScopeChoice>,
    pub scopes_error: Option<String>,
}

impl TokenNew {
    pub fn has_errors(&self) -> bool {
        self.name_error.is_some() || self.expires_error.is_some() || self.scopes_error.is_some()
    }
}

#[derive(Debug, Clone)]
pub struct ScopeChoice {
    pub value: String,
    pub label: String,
    pub hint: String,
    pub checked: bool,
}

/// The answer that shows the token, once: it is no redirect, and is not to be stored by the browser.
#[derive(Template)]
#[template(path = "tokens/created.html")]
pub struct TokenCreated {
    pub layout: Layout,
    pub name: String,
    pub token: String,
    pub expires: Option<When>,
    /// `echo 'slp_…' | docker login registry.example.org -u mona --password-stdin`.
    pub login: String,
}

/// The answer to a form that made its token before: when the page that showed it is loaded again.
#[derive(Template)]
#[template(path = "tokens/made.html")]
pub struct TokenMade {
    pub layout: Layout,
    /// The form to revoke posts to `/settings/tokens/{id}/revoke`.
    pub id: String,
    pub name: String,
    /// `slp_Ab3d…`.
    pub prefix: String,
    pub made: When,
    pub revoked: bool,
}
