//! What a sign-in is for.

/// Why somebody goes to the forge; it decides which permissions are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Identity only.
    SignIn,
    /// Identity and repositories in one consent, then on to the import page.
    GetStarted,
    /// Somebody who is signed in adds the permission to repositories.
    Connect,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::GetStarted => "get-started",
            Self::Connect => "connect",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::SignIn, Self::GetStarted, Self::Connect].into_iter().find(|p| p.as_str() == text)
    }

    /// An OAuth App has no finer right than `repo` to read private code and to make webhooks.
    pub(super) fn scopes(self, asks_organizations: bool) -> &'static [&'static str] {
        match self {
            Self::SignIn if asks_organizations => &["read:user", "read:org"],
            Self::SignIn => &["read:user"],
            Self::GetStarted | Self::Connect => &["read:user", "repo", "read:org"],
        }
    }
}
