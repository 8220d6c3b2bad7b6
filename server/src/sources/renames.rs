//! Code repositories that are renamed or transferred: deliveries tell it before the next comparison does.

use super::{link, privacy};
use crate::app::App;
use crate::db::{self, rows};
use crate::error::{Error, Result};
use crate::forge::{Addresses, RemoteRepository};

/// Notes that a signed delivery calls a code repository by another name than we know. The forge is asked what is true
/// now, since deliveries may be late and names change hands; where it cannot be asked, the delivery is believed: builds
/// of its push would find nothing at the old address.
pub async fn note_told(app: &App, source: &rows::Source, told: Option<Addresses>) -> Result<()> {
    let Some(told) = told.filter(|told| told.full_name != source.full_name) else { return Ok(()) };
    let said = match ask(app, source).await {
        Ok(said) => Some(said),
        Err(Error::Forge(_) | Error::Unavailable(_)) => None,
        Err(error) => return Err(error),
    };
    let now = said.as_ref().map_or(&told.full_name, |said| &said.full_name);
    tracing::info!(source.id = %source.id, "{} is told to be {} now, and known as {now}", source.full_name, told.full_name);
    let tx = app.db.begin().await?;
    if let Some(said) = said {
        privacy::note_facts(app, &tx, source, said).await?;
    } else {
        let Some(known) = db::sources::lock(&tx, source.id).await? else { return Ok(()) };
        let Addresses { full_name, html_url, clone_url } = told;
        db::sources::set_facts(&tx, &rows::Source { full_name, html_url, clone_url, ..known }).await?;
    }
    tx.commit().await
}

async fn ask(app: &App, source: &rows::Source) -> Result<RemoteRepository> {
    Ok(link(app, source).await?.forge.repository(&source.remote_id).await?)
}
