//! How a repository stands, as a header or a card tells it: by its default branch. What failed elsewhere is work under way.

use crate::app::App;
use crate::builds;
use crate::db::{BuildState, rows};
use crate::error::Result;
use crate::names::RefName;
use uuid::Uuid;

/// The newest builds of the default branch, newest first; of all refs where it has none, or no code says which it is.
pub async fn builds(
    app: &App,
    repository_id: Uuid,
    source: Option<&rows::Source>,
    limit: u64,
) -> Result<Vec<rows::Build>> {
    if let Some(default) = source.and_then(|source| RefName::of_branch(&source.default_branch).ok()) {
        let found = builds::of_ref(app, repository_id, &default, limit).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    builds::newest(app, repository_id, limit).await
}

/// The one that tells how the repository stands. One that was skipped tells nothing, unless there are no others.
pub fn telling(builds: &[rows::Build]) -> Option<&rows::Build> {
    builds.iter().find(|build| build.state != BuildState::Skipped).or(builds.first())
}
