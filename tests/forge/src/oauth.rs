//! The OAuth web flow of GitHub's OAuth Apps: consent, code, token.

pub(crate) mod consent;
pub(crate) mod redirect;
pub(crate) mod token;

use std::time::{Duration, Instant};

/// GitHub's codes live ten minutes and work once.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_mins(10);

/// A code that was given to a browser and waits for its exchange.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) value: String,
    pub(crate) person: u64,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    /// The S256 challenge of PKCE.
    pub(crate) challenge: Option<String>,
    pub(crate) issued: Instant,
}

/// Scopes are parted by spaces or commas.
pub(crate) fn split_scopes(text: &str) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in text.split([' ', ',']).filter(|scope| !scope.is_empty()) {
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    scopes
}
