//! Organisations that have not approved this app: their repositories are missing from the list, and people ask why.
//!
//! The forge leaves them out of its lists, so those that we know of by other ways are asked for by name: the ones that the
//! operator named, and owners of what was listed before.

use crate::app::App;
use crate::db::{self, ConnectionState, Tx, rows};
use crate::error::{ForgeError, Result};
use crate::forge::Forge;
use std::collections::BTreeSet;

/// Organisations that are asked for by name: one call each.
const MOST_ASKED: usize = 20;
/// What the detail of an active connection starts with, before the names.
const DETAIL: &str = "not approved by: ";

/// Organisations that are known to keep this app out.
pub fn unapproved(connection: &rows::Connection) -> Vec<String> {
    let names = connection.state_detail.as_deref().and_then(|detail| detail.strip_prefix(DETAIL));
    names.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// Where a member sees which organisations let this app in, and asks the others.
pub fn approval_url(app: &App, identity: &rows::Identity) -> Option<String> {
    let github = app.config.github.as_ref()?;
    Some(crate::forge::approval_page(&identity.forge_url, &github.client_id))
}

/// Asks the forge; rows of the last list are still there. `None` when it cannot be found out: the list of repositories is
/// good without it, and forges of GitHub's shape do not answer all of its questions.
pub(super) async fn find(app: &App, connection: &rows::Connection, forge: &Forge) -> Result<Option<Vec<String>>> {
    let lower = |name: String| name.to_lowercase();
    let member: BTreeSet<String> = match forge.memberships().await {
        Ok(all) => all.into_iter().map(|m| lower(m.login)).collect(),
        // All of them are asked for by name then.
        Err(ForgeError::NotFound | ForgeError::Refused(_) | ForgeError::NotApproved) => BTreeSet::new(),
        Err(error) => return Ok(unknown(connection, &error)),
    };
    let named = app.config.sign_in.organizations.iter().filter(|word| !word.starts_with("id:"));
    let mut known: BTreeSet<String> = named.cloned().map(lower).collect();
    known.extend(db::sources::listing::organizations(&app.db, connection.id).await?.into_iter().map(lower));
    let mut found = Vec::new();
    for name in known.difference(&member).take(MOST_ASKED) {
        match forge.keeps_out(name).await {
            Ok(true) => found.push(name.clone()),
            Ok(false) => {}
            Err(error) => return Ok(unknown(connection, &error)),
        }
    }
    Ok(Some(found))
}

fn unknown(connection: &rows::Connection, error: &ForgeError) -> Option<Vec<String>> {
    tracing::info!(connection.id = %connection.id, "which organisations have not approved this app is not known: {error}");
    None
}

/// Keeps the names with the connection, unless a newer token came meanwhile.
pub(super) async fn note(app: &App, tx: &Tx, used: &rows::Connection, names: &[String]) -> Result<()> {
    let now = db::users::find_connection(tx, used.id).await?;
    if now.is_none_or(|now| now.token_encrypted != used.token_encrypted || now.state != ConnectionState::Active) {
        return Ok(());
    }
    let detail = (!names.is_empty()).then(|| format!("{DETAIL}{}", names.join(" ")));
    db::users::set_connection_state(tx, used.id, ConnectionState::Active, detail, app.clock.now()).await
}
