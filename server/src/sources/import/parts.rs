//! The rows that an import makes.

use super::Found;
use crate::app::App;
use crate::db::{self, HookState, RepositoryState, SourceState, Tx, Visibility, rows};
use crate::error::{Error, Result};
use crate::forge::Heads;
use crate::names::{CommitHash, NamespaceName, RefName, RepositoryName};
use crate::policy::Principal;
use crate::secrets::Secret;
use crate::sources::{dockerfiles, hook_secret_place, owners};
use uuid::Uuid;

pub(super) async fn new_source(app: &App, tx: &Tx, namespace: &rows::Namespace, found: &Found) -> Result<rows::Source> {
    let (id, remote) = (Uuid::now_v7(), &found.remote);
    let secret = Secret::new(hex::encode(crate::secrets::random::<32>()));
    let row = rows::Source {
        id,
        namespace_id: namespace.id,
        connection_id: Some(found.connection.id),
        forge: "github".to_owned(),
        forge_url: found.account.forge_url.clone(),
        remote_id: remote.id.clone(),
        full_name: remote.full_name.clone(),
        html_url: remote.html_url.clone(),
        clone_url: remote.clone_url.clone(),
        default_branch: remote.default_branch.clone(),
        is_private: remote.is_private,
        state: SourceState::Active,
        state_detail: None,
        hook_state: HookState::Pending,
        hook_detail: None,
        hook_remote_id: None,
        hook_secret_encrypted: app.master_key.seal_text(hook_secret_place(id), &secret),
        next_ref_number: 1,
        polled_at: Some(app.clock.now()),
        poll_etag: memory(&found.heads, &found.default, &found.head.hash),
        delivered_at: None,
        created_at: app.clock.now(),
    };
    db::sources::insert(tx, row).await
}

/// What the first comparison may take as known: nothing when a push came between the two questions, since that one
/// would be known to the list and not to us.
fn memory(heads: &Heads, default: &RefName, head: &CommitHash) -> Option<String> {
    let agrees = heads.refs.iter().any(|(name, commit)| name == default && commit == head);
    Some(heads.memory.clone()).filter(|memory| agrees && !memory.is_empty())
}

/// The first repository of a source has its name; further ones add what tells their Dockerfile from the others.
pub(super) async fn new_repository(
    app: &App,
    tx: &Tx,
    by: &Principal,
    namespace: &rows::Namespace,
    found: &Found,
    visibility: Visibility,
    is_first: bool,
) -> Result<(rows::Repository, RepositoryName)> {
    let mut wanted = RepositoryName::near(&found.remote.name);
    if let Some(extra) = dockerfiles::distinction(&found.dockerfile).filter(|_| !is_first) {
        wanted = format!("{wanted}-{}", RepositoryName::near(extra));
    }
    let namespace_name: NamespaceName = namespace.name.parse()?;
    let mut free = None;
    for name in owners::numbered(&wanted, 150) {
        let present = db::repositories::find_by_name(tx, namespace.id, &name).await?;
        // A push that broke off before its first manifest owns no name.
        if present.as_ref().is_none_or(|row| row.state == RepositoryState::Provisional) {
            free = Some((RepositoryName::new(&namespace_name, &name)?, present));
            break;
        }
    }
    let taken = || Error::Conflict(format!("`{wanted}` is taken, and so are its numbers"));
    let (name, provisional) = free.ok_or_else(taken)?;
    let now = app.clock.now();
    let row = rows::Repository {
        id: provisional.as_ref().map_or_else(Uuid::now_v7, |row| row.id),
        namespace_id: namespace.id,
        name: name.name.clone(),
        visibility,
        state: RepositoryState::Live,
        description: None,
        next_build_number: 1,
        created_at: now,
        updated_at: now,
        maker_kind: None,
        maker_id: None,
    };
    let row = match provisional {
        None => {
            db::repositories::check_number(tx, namespace, app.config.repositories_per_namespace).await?;
            db::repositories::insert(tx, row).await?
        }
        // Its push was faster; the caller looks again.
        Some(_) if !db::repositories::take_over(tx, row.id, visibility, now).await? => return Err(taken()),
        Some(_) => row,
    };
    let event = db::events::NewEvent {
        kind: "repository.created",
        namespace_id: Some(namespace.id),
        repository_id: Some(row.id),
        subject: name.to_string(),
        cause: Some("import".into()),
        body: serde_json::json!({"visibility": row.visibility}),
    };
    db::events::add(tx, by, event, now).await?;
    Ok((row, name))
}

pub(super) fn new_rule(app: &App, source_id: Uuid, repository_id: Uuid, dockerfile: &str) -> rows::Rule {
    // An image of this machine's kind: another one would have to be emulated.
    let platform = match std::env::consts::ARCH {
        "aarch64" => "linux/arm64",
        _ => "linux/amd64",
    };
    let now = app.clock.now();
    rows::Rule {
        id: Uuid::now_v7(),
        source_id,
        repository_id,
        dockerfile: dockerfile.to_owned(),
        context: dockerfiles::context_of(dockerfile).to_owned(),
        stage: None,
        platforms: serde_json::json!([platform]).to_string(),
        build_args: "{}".to_owned(),
        ref_pattern: None,
        is_enabled: true,
        created_at: now,
        updated_at: now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_knows_of_a_later_push_is_not_remembered() {
        let (main, ours): (RefName, CommitHash) = ("refs/heads/main".parse().unwrap(), "1".repeat(40).parse().unwrap());
        let heads = |commit: &str| Heads {
            refs: vec![(main.clone(), commit.repeat(40).parse().unwrap())],
            is_complete: true,
            no_tags: None,
            memory: "etag".to_owned(),
        };
        assert_eq!(memory(&heads("1"), &main, &ours).as_deref(), Some("etag"));
        assert_eq!(memory(&heads("2"), &main, &ours), None);
    }
}
