//! What pages ask about sources, and the change of a rule.

use super::build_args::parse as parse_args;
use super::{dockerfiles, listing};
use crate::app::App;
use crate::db::{self, ConnectionState, rows};
use crate::error::{Error, Result};
use crate::forge;
use crate::names::RefName;
use crate::policy::{self, AdministerRepository, Allowed, Principal, ReadSource, RepositoryAccess, SourceAccess};
use uuid::Uuid;

const EXAMPLES: u64 = 300;

/// What is wrong with the fields of a rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    pub dockerfile: Option<String>,
    pub context: Option<String>,
    /// A line for each argument that is wrong.
    pub build_args: Option<String>,
}

/// The source that a build came from, while it is connected.
pub async fn of_build(app: &App, build: &rows::Build) -> Result<Option<rows::Source>> {
    match build.source_id {
        Some(id) => db::sources::find(&app.db, id).await,
        None => Ok(None),
    }
}

/// Whether somebody may know which code repository this is. Of one that was disconnected nobody knows any more whether
/// it was private, so it is taken for private.
pub async fn may_read(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    source: Option<&rows::Source>,
) -> Result<bool> {
    let is_private = source.is_none_or(|s| s.is_private);
    let access = |is_listed| SourceAccess { repository: on.clone(), is_private, is_listed };
    if policy::may::<ReadSource>(principal, &access(false)) {
        return Ok(true);
    }
    let (Some(user), Some(source)) = (principal.user_id(), source) else { return Ok(false) };
    Ok(policy::may::<ReadSource>(principal, &access(is_listed(app, user, source).await?)))
}

/// Whether the forge lists a code repository to one of a person's connections.
async fn is_listed(app: &App, user: Uuid, source: &rows::Source) -> Result<bool> {
    for identity in db::users::identities_of(&app.db, user).await? {
        if forge::plain(&identity.forge_url) != source.forge_url {
            continue;
        }
        let Some(connection) = db::users::connection_of_identity(&app.db, identity.id).await? else { continue };
        let listed = db::sources::listing::find_by_remote(&app.db, connection.id, &source.remote_id).await?;
        if let Some(listed) = listed.filter(|_| connection.state == ConnectionState::Active)
            && listing::still_counts(app, &listed).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

pub async fn rule_of_repository(app: &App, repository_id: Uuid) -> Result<Option<rows::Rule>> {
    Ok(db::sources::rules_into(&app.db, repository_id).await?.into_iter().next())
}

/// The source that fills a repository.
pub async fn of_repository(app: &App, repository_id: Uuid) -> Result<Option<rows::Source>> {
    match rule_of_repository(app, repository_id).await? {
        Some(rule) => db::sources::find(&app.db, rule.source_id).await,
        None => Ok(None),
    }
}

/// Dockerfiles that the last listing found in a source.
pub async fn dockerfiles_of(app: &App, source: &rows::Source) -> Result<Vec<String>> {
    let Some(connection) = source.connection_id else { return Ok(Vec::new()) };
    let listed = db::sources::listing::find_by_remote(&app.db, connection, &source.remote_id).await?;
    Ok(listed.map(|l| listing::dockerfiles_of(&l)).unwrap_or_default())
}

/// Refs that exist at a source, for examples: the first few hundred.
pub async fn some_refs(app: &App, source_id: Uuid) -> Result<Vec<RefName>> {
    let some = db::sources::refs::some_live(&app.db, source_id, EXAMPLES).await?;
    Ok(some.iter().filter_map(|name| name.parse().ok()).collect())
}

/// Changes what is built; the next build uses it.
pub async fn change_rule(
    app: &App,
    allowed: &Allowed<AdministerRepository>,
    dockerfile: &str,
    context: &str,
    build_args: &str,
) -> Result<std::result::Result<(), Wrong>> {
    let rule = rule_of_repository(app, allowed.on().id)
        .await?
        .ok_or_else(|| Error::not_found("the rule of this repository"))?;
    let (dockerfile, context) = (dockerfiles::dockerfile(dockerfile), dockerfiles::context(context));
    let (dockerfile, context, args) = match (dockerfile, context, parse_args(build_args)) {
        (Ok(dockerfile), Ok(context), Ok(args)) => (dockerfile, context, args),
        (dockerfile, context, args) => {
            return Ok(Err(Wrong {
                dockerfile: dockerfile.err().map(|e| e.to_string()),
                context: context.err().map(|e| e.to_string()),
                build_args: args.err(),
            }));
        }
    };
    let changed = rows::Rule {
        dockerfile: dockerfile.clone(),
        context: context.clone(),
        build_args: serde_json::to_string(&args).expect("names and values are plain data"),
        updated_at: app.clock.now(),
        ..rule
    };
    let tx = app.db.begin().await?;
    db::sources::update_rule(&tx, changed).await?;
    let event = db::events::NewEvent {
        kind: "rule.changed",
        namespace_id: Some(allowed.on().namespace_id),
        repository_id: Some(allowed.on().id),
        subject: allowed.on().name.to_string(),
        cause: None,
        body: serde_json::json!({"dockerfile": dockerfile, "context": context}),
    };
    db::events::add(&tx, allowed.principal(), event, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Ok(()))
}
