//! Where a build belongs: its repository and namespace, for names.

use crate::db::{self, Ask, rows};
use crate::error::{Error, Result};
use uuid::Uuid;

/// A repository with its namespace.
#[derive(Clone, Debug)]
pub struct Home {
    pub repository: rows::Repository,
    pub namespace: rows::Namespace,
}

impl Home {
    pub(super) async fn of(c: &impl Ask, repository_id: Uuid) -> Result<Self> {
        let gone = || Error::not_found("the repository of this build");
        let repository = db::repositories::find_in_any_state(c, repository_id).await?.ok_or_else(gone)?;
        let namespace = db::namespaces::find(c, repository.namespace_id).await?.ok_or_else(gone)?;
        Ok(Self { repository, namespace })
    }

    /// `acme/web`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.namespace.name, self.repository.name)
    }

    /// `acme/web build 12`.
    pub fn title(&self, number: i64) -> String {
        format!("{} build {number}", self.name())
    }
}
