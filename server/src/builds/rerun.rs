//! Building again: the same commit by the same rule, or the newest commit by the present rule.

use super::ending;
use super::enqueue::{NewBuild, enqueue, insert, supersede};
use crate::app::App;
use crate::db::{self, BuildState, Trigger, rows};
use crate::error::{Error, Result};
use crate::names::RefName;
use crate::policy::{Allowed, ManageBuilds};
use uuid::Uuid;

/// Which of the two meanings of "again".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rerun {
    /// The same commit and the rule as it was. It inherits the ref number, so it never overtakes a newer commit.
    Same,
    /// As `Same`, every step anew.
    SameWithoutCache,
    /// The newest commit of the ref, by the rule as it is now.
    Newest,
}

/// Makes a new build from build `number`.
pub async fn rerun(app: &App, allowed: &Allowed<ManageBuilds>, number: i64, mode: Rerun) -> Result<rows::Build> {
    app.room()?;
    let old = db::builds::find_by_number(&app.db, allowed.on().id, number)
        .await?
        .ok_or_else(|| Error::not_found(format!("build {number}")))?;
    if mode == Rerun::Newest {
        return newest(app, allowed, &old.ref_name.parse()?, Trigger::Rerun, Some(old.id), false).await;
    }
    if old.source_id.is_none() {
        return Err(Error::invalid("the source of this build was disconnected; connect it again first"));
    }
    let by = allowed.principal();
    let draft = rows::Build {
        id: Uuid::now_v7(),
        namespace_id: Some(allowed.on().namespace_id),
        trigger: Trigger::Rerun,
        principal_kind: by.kind(),
        principal_id: by.id(),
        state: BuildState::Queued,
        reason: None,
        detail: None,
        failure: None,
        digest: None,
        no_cache: mode == Rerun::SameWithoutCache,
        rerun_of: Some(old.id),
        superseded_by: None,
        requeues: 0,
        started_at: None,
        cancel_requested_at: None,
        cancelled_by: None,
        ..old
    };
    let tx = app.db.begin().await?;
    let build = insert(app, &tx, by, draft).await?;
    tx.commit().await?;
    ending::wake(app, &build);
    Ok(build)
}

/// Builds the newest commit of a ref by the present rule; with `no_cache` every step anew.
pub async fn build_now(
    app: &App,
    allowed: &Allowed<ManageBuilds>,
    ref_name: &RefName,
    no_cache: bool,
) -> Result<rows::Build> {
    app.room()?;
    newest(app, allowed, ref_name, Trigger::Manual, None, no_cache).await
}

async fn newest(
    app: &App,
    allowed: &Allowed<ManageBuilds>,
    ref_name: &RefName,
    trigger: Trigger,
    rerun_of: Option<Uuid>,
    no_cache: bool,
) -> Result<rows::Build> {
    let repository_id = allowed.on().id;
    let tx = app.db.begin().await?;
    let rules = db::build_inputs::rules_of(&tx, repository_id).await?;
    if rules.is_empty() {
        return Err(Error::invalid("nothing says what to build: connect a code repository first"));
    }
    for rule in rules {
        let Some(source) = db::build_inputs::source(&tx, rule.source_id).await? else { continue };
        let Some(present) = db::build_inputs::present_ref(&tx, source.id, ref_name.as_str()).await? else { continue };
        // A ref tells only its commit; whoever built that before knew the title.
        let known = db::builds::of_commit(&tx, repository_id, &present.commit_hash).await?;
        let (title, author) = known.map_or_else(
            || (format!("commit {}", &present.commit_hash[..present.commit_hash.len().min(7)]), String::new()),
            |b| (b.commit_title, b.commit_author),
        );
        let new = NewBuild {
            rule,
            source,
            ref_name: ref_name.clone(),
            ref_number: present.number,
            commit: present.commit_hash.parse()?,
            title,
            author,
            trigger,
            no_cache,
            rerun_of,
            skip: None,
        };
        let build = enqueue(app, &tx, allowed.principal(), new).await?;
        supersede(app, &tx, repository_id, ref_name, build.id).await?;
        tx.commit().await?;
        ending::wake(app, &build);
        return Ok(build);
    }
    Err(Error::Absent(format!("there is no branch or tag `{}` in the code repository", ref_name.short())))
}
