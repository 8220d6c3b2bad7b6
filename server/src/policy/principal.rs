//! Who acts.

use crate::db::{PrincipalKind, Protection};
use crate::names::RepositoryName;
use uuid::Uuid;

/// Who acts, and the most that the credential at hand allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub who: Who,
    pub bound: Bound,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    User {
        id: Uuid,
        name: String,
        is_site_admin: bool,
    },
    /// One attempt of a build: pushes to one repository and its cache, reads both, what is public, and what the
    /// repository lists of its namespace.
    Build {
        attempt_id: Uuid,
        build_id: Uuid,
        repository_id: Uuid,
        namespace_id: Uuid,
        protection: Protection,
        /// The images that the repository lists.
        bases: Vec<Uuid>,
    },
    /// The server itself: jobs, and the operator's command line.
    System,
}

/// An upper bound that a credential puts on its principal; it never adds a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A session.
    None,
    /// A personal access token.
    Scopes(Vec<Scope>),
    /// A registry bearer.
    Registry {
        access: Vec<Access>,
        /// It lists whatever its principal may pull, beside what `access` names: nothing was asked for by name.
        catalog: bool,
    },
}

/// What a personal access token may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Read,
    Write,
    Admin,
}

/// One entry of a registry bearer's access list.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Access {
    pub name: String,
    pub actions: Vec<String>,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    /// Words as a token's row holds them, `read write`.
    pub fn parse_list(text: &str) -> Vec<Self> {
        Self::ALL.into_iter().filter(|s| text.split_whitespace().any(|w| w == s.as_str())).collect()
    }
}

impl Principal {
    pub const ANONYMOUS: Self = Self { who: Who::Anonymous, bound: Bound::None };
    pub const SYSTEM: Self = Self { who: Who::System, bound: Bound::None };

    pub fn user_id(&self) -> Option<Uuid> {
        match self.who {
            Who::User { id, .. } => Some(id),
            _ => None,
        }
    }

    pub fn attempt_id(&self) -> Option<Uuid> {
        match self.who {
            Who::Build { attempt_id, .. } => Some(attempt_id),
            _ => None,
        }
    }

    pub fn is_anonymous(&self) -> bool {
        self.who == Who::Anonymous
    }

    /// A site admin, or the server itself. What the credential leaves room for is asked separately.
    pub fn is_site_admin(&self) -> bool {
        matches!(self.who, Who::System | Who::User { is_site_admin: true, .. })
    }

    /// Whether the credential's bound leaves room for `scope`; a higher scope holds the lower ones.
    pub fn has_scope(&self, scope: Scope) -> bool {
        match &self.bound {
            Bound::None => true,
            Bound::Scopes(scopes) => match scope {
                Scope::Read => !scopes.is_empty(),
                Scope::Write => scopes.iter().any(|s| matches!(s, Scope::Write | Scope::Admin)),
                Scope::Admin => scopes.contains(&Scope::Admin),
            },
            // What a bearer may do is asked for by name; it opens no page or setting.
            Bound::Registry { .. } => false,
        }
    }

    /// Whether the credential's bound leaves room for a registry action on a repository.
    pub fn may_in_registry(&self, name: &RepositoryName, action: &str) -> bool {
        match &self.bound {
            Bound::None => true,
            Bound::Scopes(_) => self.has_scope(if action == "pull" { Scope::Read } else { Scope::Write }),
            Bound::Registry { access, .. } => {
                let name = name.to_string();
                access.iter().any(|a| a.name == name && a.actions.iter().any(|x| x == action))
            }
        }
    }

    pub fn kind(&self) -> PrincipalKind {
        match self.who {
            Who::Anonymous => PrincipalKind::Anonymous,
            Who::User { .. } => PrincipalKind::User,
            Who::Build { .. } => PrincipalKind::Build,
            Who::System => PrincipalKind::System,
        }
    }

    /// The id that goes with `kind` in rows.
    pub fn id(&self) -> Option<Uuid> {
        match self.who {
            Who::User { id, .. } => Some(id),
            Who::Build { attempt_id, .. } => Some(attempt_id),
            _ => None,
        }
    }
}
