//! Putting builds into the queue, and taking out those that newer ones made pointless.

use super::ending;
use super::snapshot::Snapshot;
use super::states::Why;
use crate::app::App;
use crate::db::{self, BuildState, Trigger, Tx, rows};
use crate::error::Result;
use crate::names::{CommitHash, RefName};
use crate::policy::Principal;
use uuid::Uuid;

/// What a build is made from.
#[derive(Clone, Debug)]
pub struct NewBuild {
    pub rule: rows::Rule,
    pub source: rows::Source,
    pub ref_name: RefName,
    /// Of the ref update at the source: it orders tag moves.
    pub ref_number: i64,
    pub commit: CommitHash,
    pub title: String,
    pub author: String,
    pub trigger: Trigger,
    pub no_cache: bool,
    pub rerun_of: Option<Uuid>,
    /// Made as skipped: a reason code and a sentence.
    pub skip: Option<(&'static str, String)>,
}

/// Adds a build to `tx`. After the commit, `wake` makes builders and pages look at once.
pub async fn enqueue(app: &App, tx: &Tx, by: &Principal, new: NewBuild) -> Result<rows::Build> {
    let snapshot = Snapshot::of(&new.rule, &new.source, &new.ref_name);
    let skipped = new.skip.is_some();
    let draft = rows::Build {
        id: Uuid::now_v7(),
        repository_id: new.rule.repository_id,
        namespace_id: Some(new.source.namespace_id),
        number: 0,
        source_id: Some(new.source.id),
        rule_id: Some(new.rule.id),
        rule_snapshot: snapshot.to_json(),
        ref_name: new.ref_name.to_string(),
        ref_number: new.ref_number,
        commit_hash: new.commit.to_string(),
        commit_title: new.title.replace('\0', ""),
        commit_author: new.author.replace('\0', ""),
        trigger: new.trigger,
        principal_kind: by.kind(),
        principal_id: by.id(),
        state: if skipped { BuildState::Skipped } else { BuildState::Queued },
        reason: new.skip.as_ref().map(|(reason, _)| (*reason).to_owned()),
        detail: new.skip.map(|(_, detail)| detail),
        failure: None,
        digest: None,
        no_cache: new.no_cache,
        rerun_of: new.rerun_of,
        superseded_by: None,
        requeues: 0,
        created_at: 0,
        started_at: None,
        finished_at: None,
        cancel_requested_at: None,
        cancelled_by: None,
    };
    insert(app, tx, by, draft).await
}

/// Gives a draft its number and time, and tells everybody.
pub(super) async fn insert(app: &App, tx: &Tx, by: &Principal, mut draft: rows::Build) -> Result<rows::Build> {
    let now = app.clock.now();
    draft.number = db::repositories::next_build_number(tx, draft.repository_id).await?;
    draft.created_at = now;
    draft.finished_at = super::is_over(draft.state).then_some(now);
    let build = db::builds::insert(tx, draft).await?;
    ending::announce(tx, by, &build, now).await?;
    // Of a commit that asks not to be built the forge hears nothing.
    if build.state != BuildState::Skipped {
        ending::tell_forge(app, tx, &build).await?;
    }
    ending::wake_after(app, tx, &build);
    Ok(build)
}

/// Takes older builds of a ref out of the queue; those that run go on, since ref numbers keep them from rolling tags back.
pub async fn supersede(app: &App, tx: &Tx, repository_id: Uuid, ref_name: &RefName, newer: Uuid) -> Result<()> {
    let Some(by) = db::builds::find(tx, newer).await? else { return Ok(()) };
    for mut build in db::builds::lock_queued_of_ref(tx, repository_id, ref_name.as_str(), newer).await? {
        if build.rule_id != by.rule_id || build.number > by.number || build.ref_number > by.ref_number {
            continue;
        }
        build.superseded_by = Some(newer);
        let why = Why::new("superseded", format!("build {} has a newer commit of the same ref", by.number));
        ending::change(app, tx, &Principal::SYSTEM, &mut build, BuildState::Skipped, why).await?;
        ending::wake_after(app, tx, &build);
    }
    Ok(())
}
