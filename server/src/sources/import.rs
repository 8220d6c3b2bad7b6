//! Connecting a code repository: namespace, repository, source, rule, refs and first build, in one transaction after the
//! calls to the forge. Asked twice, it answers with what is there.

mod parts;

use super::owners::{self, Account};
use super::{dockerfiles, listing, privacy, pushes, refs};
use crate::app::App;
use crate::db::{self, Trigger, Tx, Visibility, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{self, Changed, Commit, Forge, Heads, RemoteRepository};
use crate::jobs::{self, Task};
use crate::names::{RefName, RepositoryName};
use crate::policy::{Allowed, Principal, UseAccount};
use parts::{new_repository, new_rule, new_source};
use std::time::Duration;
use uuid::Uuid;

/// For all questions of one import: branches and tags of a large repository come on a hundred pages.
const WAIT: Duration = Duration::from_mins(1);

/// What the forge said, before anything is written.
struct Found {
    connection: rows::Connection,
    account: Account,
    remote: RemoteRepository,
    dockerfile: String,
    default: RefName,
    head: Commit,
    heads: Heads,
    /// The sources of this code that were known to be private when the forge was asked last whether it is.
    private: Vec<Uuid>,
}

/// Connects a listed code repository and queues its first build; returns the repository and that build's number.
/// Without `dockerfile`, the one nearest to the root is taken.
pub async fn import(
    app: &App,
    allowed: &Allowed<UseAccount>,
    forge_repository_id: Uuid,
    dockerfile: Option<String>,
) -> Result<(RepositoryName, i64)> {
    app.room()?;
    let listed = listing::find(app, allowed, forge_repository_id).await?;
    let found = match forge::within(WAIT, ask(app, allowed.principal(), listed, dockerfile)).await? {
        Asked::Known(repository, build) => return Ok((repository, build)),
        Asked::New(found) => found,
    };
    // Two imports may take a name from each other; the second look sees who won.
    for _ in 0..3 {
        match write(app, allowed.principal(), &found).await {
            Err(Error::Conflict(_)) => {}
            other => return other,
        }
    }
    write(app, allowed.principal(), &found).await
}

enum Asked {
    /// It is imported already: the repository, and its last build.
    Known(RepositoryName, i64),
    New(Box<Found>),
}

/// All that the forge is asked.
async fn ask(
    app: &App,
    by: &Principal,
    (listed, identity, connection): (rows::ForgeRepository, rows::Identity, rows::Connection),
    dockerfile: Option<String>,
) -> Result<Asked> {
    let forge = Forge::of_connection(app, &identity.forge_url, &connection)?;
    let mut remote = forge.repository(&listed.remote_id).await?;
    if remote.is_private {
        // It counts, whatever becomes of this import.
        let tx = app.db.begin().await?;
        privacy::note_listed(app, &tx, forge.url(), &[&remote.id]).await?;
        tx.commit().await?;
    }
    let account = owners::account(&forge, &identity, &remote).await?;
    let dockerfile = dockerfile.filter(|path| !path.trim().is_empty());
    let dockerfile = dockerfile.map(|path| dockerfiles::dockerfile(&path)).transpose()?;
    if let Some(known) = existing(app, by, &account, &remote.id, dockerfile.as_deref()).await? {
        return Ok(Asked::Known(known.0, known.1));
    }
    let dockerfile = match dockerfile {
        Some(path) => path,
        None => first_dockerfile(app, &forge, &listed, &remote).await?,
    };
    let default = RefName::of_branch(&remote.default_branch)?;
    let head = match forge.branch_head(&remote.id, &remote.default_branch).await {
        Err(ForgeError::NotFound) => {
            let (name, branch) = (&remote.full_name, &remote.default_branch);
            return Err(Error::invalid(format!("`{name}` has no commit on `{branch}` yet: push one, then import it")));
        }
        other => other?,
    };
    let Changed::New(heads) = forge.heads(&remote.id, None).await? else {
        return Err(ForgeError::Unreachable("it answered a question that was not asked".into()).into());
    };
    if let Some(error) = heads.no_tags {
        let why = match error {
            ForgeError::Refused(why) => why,
            _ => "not found".to_owned(),
        };
        let name = &remote.full_name;
        return Err(Error::Unavailable(format!(
            "the forge does not list the tags of `{name}` ({why}), so old ones could not be told from new ones"
        )));
    }
    // The last question of all: the others may have taken a minute.
    let private = db::sources::private_of_remote(&app.db, forge.url(), &remote.id).await?;
    remote.is_private = forge.repository(&remote.id).await?.is_private;
    Ok(Asked::New(Box::new(Found { connection, account, remote, dockerfile, default, head, heads, private })))
}

/// The repository that this source and Dockerfile fill already, and its last build; for who may see it.
async fn existing(
    app: &App,
    by: &Principal,
    account: &Account,
    remote_id: &str,
    dockerfile: Option<&str>,
) -> Result<Option<(RepositoryName, i64)>> {
    let tx = app.db.begin().await?;
    let Some(namespace) = db::namespaces::find_by_account(&tx, &account.forge_url, &account.id).await? else {
        return Ok(None);
    };
    let Some(source) = db::sources::find_by_remote(&tx, namespace.id, &account.forge_url, remote_id).await? else {
        return Ok(None);
    };
    let rules = db::sources::rules_of(&tx, source.id).await?;
    let Some(rule) = rules.iter().find(|r| dockerfile.is_none_or(|d| r.dockerfile == d)) else { return Ok(None) };
    let Some(known) = filled(&tx, &namespace, rule).await? else { return Ok(None) };
    owners::enter(app, &tx, by, account, &namespace).await?;
    tx.commit().await?;
    Ok(Some(known))
}

/// The repository that a rule fills, and its last build.
async fn filled(tx: &Tx, namespace: &rows::Namespace, rule: &rows::Rule) -> Result<Option<(RepositoryName, i64)>> {
    let Some(repository) = db::repositories::find(tx, rule.repository_id).await? else { return Ok(None) };
    let name = RepositoryName::new(&namespace.name.parse()?, &repository.name)?;
    Ok(Some((name, (repository.next_build_number - 1).max(1))))
}

async fn first_dockerfile(
    app: &App,
    forge: &Forge,
    listed: &rows::ForgeRepository,
    remote: &RemoteRepository,
) -> Result<String> {
    let mut known = listing::dockerfiles_of(listed);
    if known.is_empty() {
        let scanned = listing::scan(app, forge, listed).await?;
        known = scanned.ok_or_else(|| {
            let name = &remote.full_name;
            Error::invalid(format!("the files of `{name}` could not be listed: type the path of its Dockerfile"))
        })?;
    }
    known.into_iter().next().ok_or_else(|| {
        Error::invalid(format!(
            "there is no Dockerfile or Containerfile on `{}` of `{}`: add one, or name its path",
            remote.default_branch, remote.full_name
        ))
    })
}

async fn write(app: &App, by: &Principal, found: &Found) -> Result<(RepositoryName, i64)> {
    let tx = app.db.begin().await?;
    let namespace = owners::namespace(app, &tx, by, &found.account).await?;
    let (forge_url, remote_id) = (&found.account.forge_url, &found.remote.id);
    let known = db::sources::find_by_remote(&tx, namespace.id, forge_url, remote_id).await?;
    let is_new = known.is_none();
    let source = match known {
        Some(source) => source,
        None => new_source(app, &tx, &namespace, found).await?,
    };
    if found.remote.is_private || privacy::has_turned(&tx, forge_url, remote_id, &found.private).await? {
        privacy::note_private(app, &tx, source.id).await?;
    }
    // Before its rules are read: two imports of one Dockerfile would both miss the other's.
    let source = db::sources::lock(&tx, source.id).await?;
    // It was let go a moment ago, with the last repository that it filled: the next look makes a new one.
    let source = source.ok_or_else(|| Error::Conflict("the source was disconnected meanwhile".into()))?;
    let rules = db::sources::rules_of(&tx, source.id).await?;
    if let Some(rule) = rules.iter().find(|r| r.dockerfile == found.dockerfile) {
        // Somebody else was faster; the role that came with this import stays.
        let known = filled(&tx, &namespace, rule).await?.ok_or_else(|| Error::not_found("the repository"))?;
        tx.commit().await?;
        return Ok(known);
    }
    // By what is known here and now: the forge's answer may be older.
    let visibility = if source.is_private { Visibility::Private } else { Visibility::Public };
    let (repository, name) = new_repository(app, &tx, by, &namespace, found, visibility, rules.is_empty()).await?;
    let rule = new_rule(app, source.id, repository.id, &found.dockerfile);
    let rule = db::sources::insert_rule(&tx, rule).await?;
    let number = if is_new {
        let head = (&found.default, &found.head.hash);
        refs::record_first(&tx, &source, head, &found.heads.refs, app.clock.now()).await?
    } else {
        if refs::record(&tx, &source, &found.default, &found.head.hash, app.clock.now()).await?.is_some() {
            // A push since we asked may have been set back: the next look hears of it again.
            db::sources::forget_memory(&tx, source.id).await?;
        }
        let known = refs::find_live(&tx, source.id, &found.default).await?;
        known.map_or(source.next_ref_number, |known| known.number)
    };
    let at = (&found.default, number);
    let build = pushes::start_rule(app, &tx, by, &source, rule, at, &found.head, Trigger::Import).await?;
    let source_id = source.id;
    if is_new {
        jobs::enqueue(app, &tx, &Task::EnsureHook { source_id }, Some(format!("ensure-hook:{source_id}"))).await?;
    }
    connected(app, &tx, by, &repository, &name, &source).await?;
    tx.commit().await?;
    Ok((name, build.number))
}

async fn connected(
    app: &App,
    tx: &Tx,
    by: &Principal,
    repository: &rows::Repository,
    name: &RepositoryName,
    source: &rows::Source,
) -> Result<()> {
    let event = db::events::NewEvent {
        kind: "source.connected",
        namespace_id: Some(repository.namespace_id),
        repository_id: Some(repository.id),
        subject: name.to_string(),
        cause: Some("import".into()),
        body: serde_json::json!({"source": source.full_name, "url": source.html_url}),
    };
    db::events::add(tx, by, event, app.clock.now()).await
}
