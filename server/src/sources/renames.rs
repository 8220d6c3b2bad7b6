//! Code repositories that are renamed or transferred: deliveries tell it before the next comparison does.

use super::{link, privacy};
use crate::app::App;
use crate::db::rows;
use crate::error::{Error, Result};
use crate::forge::RemoteRepository;

/// Notes that a signed delivery calls a code repository by another name than we know. The forge is asked what is true
/// now, since deliveries may be late, and names change hands. Where it cannot be asked nothing changes: git finds what
/// was renamed by the redirect at its old address, and nobody who can sign a delivery names code that is not theirs.
pub async fn note_told(app: &App, source: &rows::Source, told: Option<&str>) -> Result<()> {
    if told.is_none_or(|told| told == source.full_name) {
        return Ok(());
    }
    let said = match ask(app, source).await {
        Ok(said) => said,
        Err(error @ (Error::Forge(_) | Error::Unavailable(_))) => {
            tracing::info!(source.id = %source.id, "whether {} has another name now is not known: {error}", source.full_name);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    tracing::info!(source.id = %source.id, "{} is known as {} now", source.full_name, said.full_name);
    let tx = app.db.begin().await?;
    privacy::note_facts(app, &tx, source, said).await?;
    tx.commit().await
}

async fn ask(app: &App, source: &rows::Source) -> Result<RemoteRepository> {
    Ok(link(app, source).await?.forge.repository(&source.remote_id).await?)
}
