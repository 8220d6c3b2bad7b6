//! Where an attempt's code repository is now. Names change hands at forges: what lies at the address that we noted may be
//! another repository by now, which this attempt may not read.
//!
//! The forge's API knows repositories by id. It is asked beside git, so that nobody waits for it.

use crate::app::App;
use crate::db::rows;
use crate::error::{Error, ForgeError, Result};
use crate::forge::RemoteRepository;
use crate::forge::git::{Answer, Question, Remote};
use crate::sources;
use std::time::Duration;

/// For the API; git has mostly answered long before.
const WAIT: Duration = Duration::from_secs(5);

/// The refs of the source's repository, and its address.
pub(super) async fn refs(app: &App, source: &rows::Source, question: &Question) -> Result<(String, Answer)> {
    let remote = remote(app, source).await?;
    let (found, answer) = tokio::join!(find(app, source), remote.refs(&source.clone_url, question));
    let found = match (found, answer) {
        (Ok(Some(found)), answer) => {
            note(app, source, &found).await?;
            let is_there = |base: &str| base == found.clone_url;
            if is_there(&source.clone_url) || answer.as_ref().is_ok_and(|(base, _)| is_there(base)) {
                return Ok(answer?);
            }
            found
        }
        (Ok(None), answer) => return Ok(answer?),
        // git's own words, where it refuses too.
        (Err(_), Ok(refusal @ (_, Answer::Refusal { .. }))) => return Ok(refusal),
        (Err(error), _) => return Err(error),
    };
    let present = rows::Source { clone_url: found.clone_url, ..source.clone() };
    Ok(self::remote(app, &present).await?.refs(&present.clone_url, question).await?)
}

/// What to ask git with.
pub(super) async fn remote(app: &App, source: &rows::Source) -> Result<Remote> {
    let authorization = sources::clone_authorization(app, source).await?;
    app.git.remote(&source.forge_url, authorization)
}

/// What the forge says of the repository with the source's id. `None` when it says nothing: then the address counts that
/// was noted last, since builds go on while only the API is away, or asks to wait.
async fn find(app: &App, source: &rows::Source) -> Result<Option<RemoteRepository>> {
    let link = match sources::link(app, source).await {
        Ok(link) => link,
        // Nothing allows it to be asked. git asks without a credential, and reads what everybody may.
        Err(Error::Forge(ForgeError::Revoked)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let why = match tokio::time::timeout(WAIT, link.forge.repository(&source.remote_id)).await {
        Ok(Ok(found)) => return Ok(Some(found)),
        Ok(Err(error @ (ForgeError::Unreachable(_) | ForgeError::RateLimited(_)))) => error.to_string(),
        Ok(Err(error)) => return Err(error.into()),
        Err(_elapsed) => format!("no answer within {} s", WAIT.as_secs()),
    };
    tracing::warn!(source.id = %source.id, "whether {} has moved is not known: {why}", source.full_name);
    Ok(None)
}

/// As far as it matters here: polling notes the rest.
async fn note(app: &App, source: &rows::Source, found: &RemoteRepository) -> Result<()> {
    let turned = found.is_private && !source.is_private;
    if found.clone_url == source.clone_url && !turned {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    sources::privacy::note_facts(app, &tx, source, found.clone()).await?;
    tx.commit().await
}
