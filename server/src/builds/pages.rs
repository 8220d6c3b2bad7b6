//! More of what pages ask about builds.

use super::snapshot::Snapshot;
use super::states::is_over;
use super::view;
use crate::app::App;
use crate::db::build_search::{Refs, Told, Wanted};
use crate::db::{self, BuildState, rows};
use crate::error::Result;
use crate::names::RefName;
use uuid::Uuid;

pub async fn find(app: &App, id: Uuid) -> Result<Option<rows::Build>> {
    db::builds::find(&app.db, id).await
}

/// The newest attempt; `None` before a builder took the build.
pub async fn present_attempt(app: &App, build: &rows::Build) -> Result<Option<rows::Attempt>> {
    Ok(view::attempts(app, build.id).await?.pop())
}

/// The newest builds of a repository, newest first.
pub async fn newest(app: &App, repository_id: Uuid, limit: u64) -> Result<Vec<rows::Build>> {
    view::list(app, repository_id, None, limit).await
}

/// Builds of a repository, newest first, without the `offset` newest ones: numbers have no gap.
pub async fn page(app: &App, repository_id: Uuid, offset: u64, limit: u64) -> Result<Vec<rows::Build>> {
    let Some(newest) = newest(app, repository_id, 1).await?.pop() else { return Ok(Vec::new()) };
    let before = newest.number + 1 - i64::try_from(offset).unwrap_or(i64::MAX);
    view::list(app, repository_id, Some(before), limit).await
}

/// Which builds of a repository are looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Search<'a> {
    /// Words that tell of them; empty for all.
    pub text: &'a str,
    /// A branch, else a tag, or a part of their names; empty for all.
    pub branch: &'a str,
    pub state: Option<BuildState>,
    pub told: Told,
}

impl Search<'_> {
    /// All builds are meant.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.branch.is_empty() && self.state.is_none()
    }
}

/// As `page`, of those that are looked for; the number is of all of these.
pub async fn search(
    app: &App,
    repository_id: Uuid,
    search: Search<'_>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::Build>, u64)> {
    let Search { text, branch, state, told } = search;
    let wanted = Wanted { text, told, state, refs: refs(app, repository_id, branch).await? };
    db::build_search::find(&app.db, repository_id, &wanted, offset, limit).await
}

/// A branch that was built wins over a tag of the same name, as where a build is started.
async fn refs(app: &App, repository_id: Uuid, typed: &str) -> Result<Refs> {
    if typed.is_empty() {
        return Ok(Refs::All);
    }
    for name in [typed.to_owned(), format!("refs/heads/{typed}"), format!("refs/tags/{typed}")] {
        if db::builds::newest_of_ref(&app.db, repository_id, &name).await?.is_some() {
            return Ok(Refs::One(name));
        }
    }
    Ok(Refs::Like(typed.to_owned()))
}

pub async fn number_of(app: &App, id: Uuid) -> Result<Option<i64>> {
    Ok(db::builds::find(&app.db, id).await?.map(|b| b.number))
}

/// The tags that a build moved or holds; of one that has not ended those that it will move, if it goes well.
pub async fn tags_of(app: &App, build: &rows::Build) -> Result<Vec<String>> {
    let planned = Snapshot::parse(build).map(|s| s.tags).unwrap_or_default();
    if build.state != BuildState::Succeeded {
        return Ok(if is_over(build.state) { Vec::new() } else { planned });
    }
    let moved = db::tags::moved_by_build(&app.db, build.id).await?;
    let mut held = Vec::new();
    for tag in planned {
        let holds =
            db::tags::find(&app.db, build.repository_id, &tag).await?.is_some_and(|t| t.build_id == Some(build.id));
        if holds || moved.iter().any(|m| m.tag == tag) {
            held.push(tag);
        }
    }
    Ok(held)
}

/// What the image of a build was made of.
pub async fn materials(app: &App, build_id: Uuid) -> Result<Vec<rows::Material>> {
    db::builds::materials(&app.db, build_id).await
}

/// How long builds of this ref take, in seconds.
pub async fn usual_secs(app: &App, build: &rows::Build) -> Result<Option<u64>> {
    let usual = view::usual_duration(app, build.repository_id, &build.ref_name).await?;
    Ok(usual.and_then(|millis| u64::try_from(millis / 1_000).ok()))
}

/// The newest builds of a ref, newest first.
pub async fn of_ref(app: &App, repository_id: Uuid, ref_name: &RefName, limit: u64) -> Result<Vec<rows::Build>> {
    db::builds::of_ref(&app.db, repository_id, ref_name.as_str(), limit).await
}

/// The newest build of the same ref.
pub async fn newest_of_ref(app: &App, build: &rows::Build) -> Result<Option<rows::Build>> {
    db::builds::newest_of_ref(&app.db, build.repository_id, &build.ref_name).await
}

/// Whether a build of the repository waits or runs.
pub async fn is_any_open(app: &App, repository_id: Uuid) -> Result<bool> {
    db::builds::is_any_open(&app.db, repository_id).await
}

/// It succeeded, and some of its tags stayed where they were.
pub fn was_overtaken(build: &rows::Build) -> bool {
    build.state == BuildState::Succeeded && build.detail.is_some()
}
