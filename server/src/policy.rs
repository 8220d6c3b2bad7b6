//! Who may do what. Pure: no await, no IO; all rules stand in `actions`.
//!
//! `Allowed<A>` is the proof that a principal may do `A`; only `check` makes one, and services ask for it in their arguments.

pub mod actions;
mod principal;

pub use actions::*;
pub use principal::{Access, Bound, Principal, Scope, Who};

use crate::db::{Role, Visibility};
use crate::names::{NamespaceName, RepositoryName};
use uuid::Uuid;

/// A permission, and the rule that gives it.
pub trait Action: 'static {
    /// What it is done to.
    type On: Clone + Send + Sync + 'static;
    fn decide(principal: &Principal, on: &Self::On) -> Decision;
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// The asker may see the thing, but not do this.
    Forbid,
    /// The asker may not know that the thing exists.
    Hide,
}

/// Proof that `principal` may do `A` on `on`.
#[derive(Debug)]
pub struct Allowed<A: Action> {
    principal: Principal,
    on: A::On,
}

impl<A: Action> Clone for Allowed<A> {
    fn clone(&self) -> Self {
        Self { principal: self.principal.clone(), on: self.on.clone() }
    }
}

impl<A: Action> Allowed<A> {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn on(&self) -> &A::On {
        &self.on
    }
}

/// The only way to an `Allowed`.
pub fn check<A: Action>(principal: &Principal, on: A::On) -> Result<Allowed<A>, Decision> {
    match A::decide(principal, &on) {
        Decision::Allow => Ok(Allowed { principal: principal.clone(), on }),
        other => Err(other),
    }
}

/// Whether a button should be drawn.
pub fn may<A: Action>(principal: &Principal, on: &A::On) -> bool {
    A::decide(principal, on) == Decision::Allow
}

/// A repository, and the principal's role in its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryAccess {
    pub id: Uuid,
    pub namespace_id: Uuid,
    pub name: RepositoryName,
    pub visibility: Visibility,
    /// It has a manifest or was made by a person; nobody but pushers knows of it before.
    pub is_live: bool,
    pub role: Option<Role>,
}

/// The code behind a repository, as somebody may know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAccess {
    pub repository: RepositoryAccess,
    pub is_private: bool,
    /// The forge lists it to the principal's own connection.
    pub is_listed: bool,
}

/// A namespace, and the principal's role in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceAccess {
    pub id: Uuid,
    pub name: NamespaceName,
    pub has_public_repository: bool,
    pub role: Option<Role>,
}

/// An organisation at a forge, and the principal's role in the namespace that it has here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrganizationAccess {
    pub role: Option<Role>,
}

/// The whole site.
#[derive(Clone, Copy, Debug)]
pub struct Site;

fn allow_if(yes: bool, visible: bool) -> Decision {
    match (yes, visible) {
        (true, _) => Decision::Allow,
        (false, true) => Decision::Forbid,
        (false, false) => Decision::Hide,
    }
}
