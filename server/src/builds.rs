//! Builds: made here, run by builders.

use crate::app::App;
use crate::db::{self, BuildState, Trigger, Tx, rows};
use crate::error::Result;
use crate::names::{CommitHash, RefName};
use crate::policy::Principal;
use uuid::Uuid;

/// What a build is made of.
pub struct NewBuild {
    pub rule: rows::Rule,
    pub source: rows::Source,
    pub ref_name: RefName,
    /// Orders the tags that the build may move.
    pub ref_number: i64,
    pub commit: CommitHash,
    pub title: String,
    pub author: String,
    pub trigger: Trigger,
    pub no_cache: bool,
    pub rerun_of: Option<Uuid>,
    /// Reason and sentence of a build that is only noted, not run.
    pub skip: Option<(&'static str, String)>,
}

/// Adds a build to the queue, or notes a skipped one.
pub async fn enqueue(app: &App, tx: &Tx, by: &Principal, new: NewBuild) -> Result<rows::Build> {
    let now = app.clock.now();
    let number = db::repositories::next_build_number(tx, new.rule.repository_id).await?;
    let is_skipped = new.skip.is_some();
    let (reason, detail) = new.skip.map_or((None, None), |(reason, text)| (Some(reason.to_owned()), Some(text)));
    let row = rows::Build {
        id: Uuid::now_v7(),
        repository_id: new.rule.repository_id,
        number,
        source_id: Some(new.source.id),
        rule_id: Some(new.rule.id),
        rule_snapshot: "{}".to_owned(),
        ref_name: new.ref_name.to_string(),
        ref_number: new.ref_number,
        commit_hash: new.commit.to_string(),
        commit_title: new.title,
        commit_author: new.author,
        trigger: new.trigger,
        principal_kind: by.kind(),
        principal_id: by.id(),
        state: if is_skipped { BuildState::Skipped } else { BuildState::Queued },
        reason,
        detail,
        failure: None,
        digest: None,
        no_cache: new.no_cache,
        rerun_of: new.rerun_of,
        superseded_by: None,
        requeues: 0,
        created_at: now,
        started_at: None,
        finished_at: is_skipped.then_some(now),
        cancel_requested_at: None,
        cancelled_by: None,
    };
    let row = db::builds::insert(tx, row).await?;
    app.wake.builds.notify_waiters();
    Ok(row)
}

/// Takes older queued builds of the same ref out of the queue.
pub async fn supersede(app: &App, tx: &Tx, repository_id: Uuid, ref_name: &RefName, newer: Uuid) -> Result<u64> {
    db::builds::supersede(tx, repository_id, ref_name.as_str(), newer, app.clock.now()).await
}
