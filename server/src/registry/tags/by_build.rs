//! The order in which builds move tags: a slow or repeated build never rolls one back.

use super::{Origin, set};
use crate::clock::Millis;
use crate::db::{self, Cause, Trigger, Tx, rows};
use crate::error::Result;
use crate::names::{Digest, RefName, TagName};
use crate::policy::Principal;
use crate::sources::rules::{self, MappedTag, Moves};

/// What became of one tag of a build.
#[derive(Debug, PartialEq, Eq)]
pub struct Moved {
    pub tag: TagName,
    pub done: bool,
    /// A sentence for the build page when it did not move.
    pub why_not: Option<String>,
}

/// Moves all tags of a build to its image but those that are `held_back`, as far as order allows. The caller's
/// transaction holds the signature too.
pub async fn move_for_build(
    tx: &Tx,
    repository: &rows::Repository,
    build: &rows::Build,
    digest: &Digest,
    (tags, held_back): (&[MappedTag], &[TagName]),
    now: Millis,
) -> Result<Vec<Moved>> {
    db::repositories::lock(tx, repository.id).await?;
    let namespace = db::namespaces::find(tx, repository.namespace_id).await?;
    let title = format!("{}/{}", namespace.map(|n| n.name).unwrap_or_default(), repository.name);
    let origin = Origin { cause: Cause::Build, build: Some(build) };
    let withdrawn = withdrawn(tx, build).await?;
    let source = match build.source_id {
        Some(id) => db::sources::find(tx, id).await?,
        None => None,
    };
    let mut all = Vec::new();
    for mapped in tags {
        let present = db::tags::find(tx, repository.id, mapped.name.as_str()).await?;
        let why_not = match &present {
            _ if withdrawn.is_some() => withdrawn.clone(),
            Some(present) => {
                let has_let_go = has_let_go(tx, present, source.as_ref()).await?;
                // As it is now, like what the holder maps to.
                let default = source.as_ref().map_or("", |source| &source.default_branch);
                objection(present, build, mapped, default, has_let_go)
            }
            None => None,
        };
        let is_held_back = || {
            held_back
                .contains(&mapped.name)
                .then(|| "the branch was not the default one when its build began".to_owned())
        };
        let why_not = why_not.or_else(is_held_back);
        if why_not.is_none() {
            set(tx, &Principal::SYSTEM, repository, &title, &mapped.name, digest, &origin, now).await?;
        }
        all.push(Moved { tag: mapped.name.clone(), done: why_not.is_none(), why_not });
    }
    Ok(all)
}

/// Says that the build's ref was deleted while it was built: whoever deletes `v1.2` takes the release back, and no
/// `latest` may name it after that. A build that a person asked for again is wanted all the same.
async fn withdrawn(tx: &Tx, build: &rows::Build) -> Result<Option<String>> {
    let (Some(source_id), false) = (build.source_id, build.trigger == Trigger::Rerun) else { return Ok(None) };
    let found = db::sources::refs::find(tx, source_id, &build.ref_name).await?;
    let is_gone = found.is_some_and(|found| found.deleted_at.is_some());
    let title = build.ref_name.parse::<RefName>().map_or_else(|_| "its ref".to_owned(), |name| name.title());
    Ok(is_gone.then(|| format!("{title} was deleted meanwhile")))
}

/// Whether the holder holds the tag against no other ref of `source`: it was deleted there, or it maps to the tag no
/// more, as a branch and `latest` once another branch is the default.
async fn has_let_go(tx: &Tx, present: &rows::Tag, source: Option<&rows::Source>) -> Result<bool> {
    let (Some(source), Some(name)) = (source, &present.ref_name) else { return Ok(true) };
    let still_maps = name.parse::<RefName>().is_ok_and(|holder| {
        // As it is now, not as it was when the build was made: a late build of the old default takes nothing back.
        rules::tags_of(&holder, &source.default_branch).tags.iter().any(|tag| tag.name.as_str() == present.name)
    });
    Ok(!still_maps || db::tags::ref_is_gone(tx, source.id, name).await?)
}

/// Why the tag has to stay, if it has to. Pure.
fn objection(
    present: &rows::Tag,
    build: &rows::Build,
    mapped: &MappedTag,
    default_branch: &str,
    has_let_go: bool,
) -> Option<String> {
    let same_source = present.source_id.is_some() && present.source_id == build.source_id;
    let same_ref = present.ref_name.as_deref() == Some(build.ref_name.as_str());
    if !same_source || (has_let_go && !same_ref) {
        // Set by hand, by another source, or by a ref that has let go: the newest one wins.
        return None;
    }
    let holder = present.ref_name.as_deref().and_then(|r| r.parse::<RefName>().ok());
    if let (Some(holder), Ok(own)) = (&holder, build.ref_name.parse::<RefName>()) {
        if rules::wins_over(&own, holder, default_branch) {
            return None;
        }
        if rules::wins_over(holder, &own, default_branch) {
            let why = rules::why_it_wins(holder, &own);
            return Some(format!("`{}` belongs to `{}`: {why}", mapped.name, holder.short()));
        }
    }
    match &mapped.moves {
        Moves::ByVersion(_) => {
            let (held, number) = (present.ref_name.as_deref()?, present.ref_number?);
            let forward = rules::goes_forward(&mapped.moves, build.ref_number, held, number);
            let held = holder.as_ref().map_or(held, RefName::short);
            (!forward).then(|| format!("`{}` points to `{held}`, which is the newer version", mapped.name))
        }
        Moves::ByRefNumber => {
            if !same_ref {
                let holder = holder.as_ref().map_or("another ref", RefName::short);
                return Some(format!("`{}` belongs to `{holder}`, which maps to the same tag", mapped.name));
            }
            let newer = present.ref_number.is_some_and(|held| held > build.ref_number);
            newer.then(|| format!("`{}` points to a newer push already", mapped.name))
        }
    }
}
