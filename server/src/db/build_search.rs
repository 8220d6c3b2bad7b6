//! Builds of a repository by words, by state and by ref. Each question has a limit; state and ref are found by an index.

use super::entity::builds::build;
use super::search::{begins, contains};
use super::{Ask, BuildState, rows};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::{Condition, Iterable as _, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

/// So much of a commit's hash is told to everybody.
const SHORT_HASH: usize = 7;

/// Which refs builds are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Refs {
    #[default]
    All,
    /// `refs/heads/main`.
    One(String),
    /// Those with this in their name.
    Like(String),
}

/// Whose builds are found by the titles and whole hashes of their commits: what is not told is not searched either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    #[default]
    Nobody,
    /// Those of a source.
    Of(Uuid),
    All,
}

/// Which builds are meant.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Branch, tag, title, state, number, or the beginning of the commit; empty for all.
    pub text: &'a str,
    pub told: Told,
    pub state: Option<BuildState>,
    pub refs: Refs,
}

/// Some of them, newest first, and how many there are.
pub async fn find(
    c: &impl Ask,
    repository_id: Uuid,
    wanted: &Wanted<'_>,
    offset: u64,
    limit: u64,
) -> Result<(Vec<rows::Build>, u64)> {
    let query = of(repository_id, wanted);
    let total = query.clone().count(c.connection()).await?;
    Ok((newest(c, query, offset, limit).await?, total))
}

async fn newest(c: &impl Ask, query: Select<build::Entity>, offset: u64, limit: u64) -> Result<Vec<rows::Build>> {
    Ok(query.order_by_desc(build::Column::Number).offset(offset).limit(limit).all(c.connection()).await?)
}

fn of(repository_id: Uuid, wanted: &Wanted<'_>) -> Select<build::Entity> {
    let mut query = build::Entity::find().filter(build::Column::RepositoryId.eq(repository_id));
    if let Some(state) = wanted.state {
        query = query.filter(build::Column::State.eq(state));
    }
    match &wanted.refs {
        Refs::All => {}
        Refs::One(name) => query = query.filter(build::Column::RefName.eq(name)),
        Refs::Like(part) => query = query.filter(contains(build::Column::RefName, part)),
    }
    if wanted.text.is_empty() { query } else { query.filter(said(wanted)) }
}

fn said(wanted: &Wanted<'_>) -> Condition {
    let text = wanted.text;
    let mut hit = Condition::any().add(contains(build::Column::RefName, text));
    let commit = begins(build::Column::CommitHash, text);
    let whole = Condition::any().add(contains(build::Column::CommitTitle, text)).add(commit.clone());
    if text.len() <= SHORT_HASH {
        hit = hit.add(commit);
    }
    match wanted.told {
        Told::Nobody => {}
        Told::Of(source_id) => hit = hit.add(Condition::all().add(build::Column::SourceId.eq(source_id)).add(whole)),
        Told::All => hit = hit.add(whole),
    }
    if let Ok(number) = text.trim_start_matches('#').parse::<i64>() {
        hit = hit.add(build::Column::Number.eq(number));
    }
    let word = text.to_lowercase().replace(' ', "_");
    match BuildState::iter().find(|state| state.as_str() == word) {
        Some(state) => hit.add(build::Column::State.eq(state)),
        None => hit,
    }
}
