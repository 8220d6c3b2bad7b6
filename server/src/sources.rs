//! Code repositories at forges: what can be imported, what was, how pushes are known, and what they build.
//!
//! ```text
//! listing ─► import ─► source, rule, first build ─► ensure_hook
//! hooks   ─► delivery ─┐
//! polling ─► heads ────┴─► refs (numbers) ─► pushes ─► builds
//! ```

mod build_args;
pub mod deliveries;
pub mod dockerfiles;
pub mod import;
pub mod listing;
mod missing;
mod owners;
mod pages;
pub mod payload;
pub mod polling;
pub mod privacy;
pub mod pushes;
pub mod refs;
pub mod renames;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod versions;

pub use missing::{Missing, missing};
pub use pages::{change_rule, dockerfiles_of, may_read, of_build, of_repository, rule_of_repository, some_refs};

use crate::app::App;
use crate::db::{self, ConnectionState, HookState, SourceState, Tx, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{self, Forge};
use crate::jobs::{self, Task, Turn};
use crate::policy::{AdministerRepository, Allowed};
use crate::secrets::Place;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use slipway_protocol::HeadersSecret;
use std::time::Duration;
use uuid::Uuid;

/// For what the forge is asked while an admin waits.
const WAIT: Duration = Duration::from_secs(30);

/// A source's forge, and the connection by which we act there.
pub struct Link {
    pub forge: Forge,
    pub connection: rows::Connection,
}

/// How to act for a source; `Revoked` when nothing allows it any more.
pub async fn link(app: &App, source: &rows::Source) -> Result<Link> {
    let connection = match source.connection_id {
        Some(id) => db::users::find_connection(&app.db, id).await?,
        None => None,
    };
    let connection = connection.ok_or(ForgeError::Revoked)?;
    Ok(Link { forge: Forge::of_connection(app, &source.forge_url, &connection)?, connection })
}

/// Where a source's webhook secret is kept.
pub fn hook_secret_place(source_id: Uuid) -> Place {
    Place { table: "source", column: "hook_secret_encrypted", row: source_id }
}

/// What the forge calls.
pub fn hook_url(app: &App, source: &rows::Source) -> String {
    app.config.public_link(&format!("/hooks/{}/{}", source.forge, source.id))
}

/// The `Authorization` header that clones the source, for its own host only; `None` when anybody may clone it
/// and no permission is left.
pub async fn clone_authorization(app: &App, source: &rows::Source) -> Result<Option<HeadersSecret>> {
    if !source.clone_url.starts_with(&format!("{}/", source.forge_url)) {
        return Err(Error::invalid(format!("`{}` is not an address of {}", source.clone_url, source.forge_url)));
    }
    let connection = match link(app, source).await {
        Ok(link) => link.connection,
        Err(Error::Forge(ForgeError::Revoked)) if !source.is_private => return Ok(None),
        Err(error) => return Err(error),
    };
    // git's smart HTTP takes a token as the password of `x-access-token`.
    let token = forge::token_of(app, &connection)?;
    Ok(Some(HeadersSecret(format!("Basic {}", STANDARD.encode(format!("x-access-token:{}", token.reveal()))))))
}

/// The forge no longer takes the token of `used`: unless a newer one came meanwhile, its connection is marked.
pub async fn note_revoked(app: &App, tx: &Tx, used: &rows::Connection) -> Result<()> {
    let Some(now) = db::users::find_connection(tx, used.id).await? else { return Ok(()) };
    if now.token_encrypted != used.token_encrypted {
        return Ok(());
    }
    let detail = Some(ForgeError::Revoked.to_string());
    db::users::set_connection_state(tx, used.id, ConnectionState::Revoked, detail, app.clock.now()).await
}

/// Puts a source right that lost its webhook, its code repository or its permission, as far as that can be done from
/// here: the person's own connection replaces one that is gone or sees the code no more, the hook is made again, and the refs are compared.
pub async fn repair(app: &App, allowed: &Allowed<AdministerRepository>) -> Result<()> {
    let rules = db::sources::rules_into(&app.db, allowed.on().id).await?;
    for rule in rules {
        let Some(source) = db::sources::find(&app.db, rule.source_id).await? else { continue };
        let own = match allowed.principal().user_id() {
            Some(user) => match forge::within(WAIT, better_connection(app, user, &source)).await {
                // It is slow, which says nothing of what its connection may see.
                Err(Error::Forge(ForgeError::Unreachable(_))) => None,
                other => other?,
            },
            None => None,
        };
        let tx = app.db.begin().await?;
        if let Some((own, is_private)) = own {
            if is_private {
                privacy::note_private(app, &tx, source.id).await?;
            }
            db::sources::set_connection(&tx, source.id, own.id).await?;
        }
        db::sources::set_state(&tx, source.id, SourceState::Active, None).await?;
        db::sources::set_hook(&tx, source.id, HookState::Pending, None).await?;
        let source_id = source.id;
        jobs::enqueue(app, &tx, &Task::EnsureHook { source_id }, Some(format!("ensure-hook:{source_id}"))).await?;
        jobs::enqueue(app, &tx, &Task::PollSource { source_id }, Some(format!("poll:{source_id}"))).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The person's own connection, where that of the source sees the code no more.
async fn better_connection(app: &App, user: Uuid, source: &rows::Source) -> Result<Option<(rows::Connection, bool)>> {
    if reaches(app, source).await { Ok(None) } else { own_connection(app, user, source).await }
}

/// Whether the source's own connection still sees the code repository; a forge that is down says nothing about that.
async fn reaches(app: &App, source: &rows::Source) -> bool {
    let Ok(link) = link(app, source).await else { return false };
    !matches!(
        link.forge.repository(&source.remote_id).await,
        Err(ForgeError::NotFound | ForgeError::Refused(_) | ForgeError::NotApproved | ForgeError::Revoked)
    )
}

// Only one that may see the code repository: otherwise an admin could hide a working source behind a blind one. And
// whether the code is private, as it sees it.
async fn own_connection(app: &App, user: Uuid, source: &rows::Source) -> Result<Option<(rows::Connection, bool)>> {
    for identity in db::users::identities_of(&app.db, user).await? {
        if forge::plain(&identity.forge_url) != source.forge_url {
            continue;
        }
        let Some(connection) = db::users::connection_of_identity(&app.db, identity.id).await? else { continue };
        let Ok(forge) = Forge::of_connection(app, &source.forge_url, &connection) else { continue };
        if let Ok(found) = forge.repository(&source.remote_id).await {
            return Ok(Some((connection, found.is_private)));
        }
    }
    Ok(None)
}

/// Lets go of a source: its webhook is removed at the forge by a job, and the row with its refs and rules goes.
pub async fn disconnect(app: &App, tx: &Tx, source_id: Uuid) -> Result<()> {
    let Some(source) = db::sources::find(tx, source_id).await? else { return Ok(()) };
    if let (Some(connection_id), Some(hook_id)) = (source.connection_id, source.hook_remote_id) {
        let task = Task::RemoveHook {
            connection_id,
            forge_url: source.forge_url,
            repository_remote_id: source.remote_id,
            hook_remote_id: hook_id,
        };
        jobs::enqueue(app, tx, &task, None).await?;
    }
    db::sources::delete(tx, source_id).await
}

/// A repository is being deleted, and its rules count no more: sources that fill no other one are let go. False when the
/// turn is over before all are.
pub async fn forget_repository(app: &App, repository_id: Uuid, turn: &mut Turn) -> Result<bool> {
    for rule in db::sources::rules_left_by(&app.db, repository_id).await? {
        loop {
            if !turn.has_piece(app) {
                return Ok(false);
            }
            if forget_deliveries(app, rule.source_id).await? == 0 {
                break;
            }
        }
        let tx = app.db.begin().await?;
        // Whoever imports from it again holds it until its new rule is there.
        db::sources::lock(&tx, rule.source_id).await?;
        if db::sources::rules_of(&tx, rule.source_id).await?.is_empty() {
            disconnect(app, &tx, rule.source_id).await?;
        } else {
            db::sources::delete_rule(&tx, rule.id).await?;
        }
        tx.commit().await?;
    }
    Ok(true)
}

/// Some deliveries of a source that is about to go: they may be large, and there may be thousands.
async fn forget_deliveries(app: &App, source_id: Uuid) -> Result<u64> {
    let tx = app.db.begin().await?;
    if !db::sources::rules_of(&tx, source_id).await?.is_empty() {
        return Ok(0);
    }
    let gone = db::sources::deliveries::forget_some(&tx, source_id, 50).await?;
    tx.commit().await?;
    Ok(gone)
}
