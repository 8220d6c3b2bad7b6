//! `slipway migrate`, and what `serve` does before it serves: the database comes to this version's schema.
//!
//! An SQLite database is copied first, once for each upgrade, however often that breaks off: for an operator who wants to
//! go back to the program of before.

mod copies;
#[cfg(test)]
mod tests;

use super::lock;
use crate::app::App;
use crate::config::Config;
use crate::db::connect::Turn;
use crate::db::{self, backup};
use crate::error::Result;

/// `slipway migrate`.
pub(super) async fn run(config: Config) -> Result<String> {
    let _lock = lock::take(&config)?;
    let app = App::open(config).await?;
    let done = bring_up(&app).await?;
    Ok(format!("{done} migrations were applied; the database is up to date"))
}

/// `slipway migrate --check`: what would be done. Nothing is written.
pub(super) async fn check(config: Config) -> Result<String> {
    if config.sqlite_file().is_some_and(|file| !file.exists()) {
        return Ok("there is no database yet: the first start makes it".into());
    }
    let db = db::connect::open_to_read(&config.database_url).await?;
    let found = db::connect::migrations(&db).await;
    backup::close(db).await?;
    let found = found?;
    if found.applied.is_empty() {
        return Ok("the database is empty: the first start fills it".into());
    }
    Ok(match found.pending.as_slice() {
        [] => "the database is up to date: no migration would be applied".into(),
        pending => format!("{} would be applied:\n  {}", count(pending), pending.join("\n  ")),
    })
}

/// Applies what is pending, and says so; answers how many those were. Of several servers that start on one PostgreSQL
/// database one does it, and the others wait for it.
pub(super) async fn bring_up(app: &App) -> Result<usize> {
    let turn = Turn::take(&app.config.database_url).await?;
    let done = bring_up_alone(app).await;
    turn.end().await;
    done
}

async fn bring_up_alone(app: &App) -> Result<usize> {
    let found = db::connect::migrations(&app.db).await?;
    let pending = found.pending.len();
    // A new database is made by migrations too: nobody need hear of those, and there is nothing to copy.
    let is_upgrade = pending > 0 && !found.applied.is_empty();
    if is_upgrade {
        tracing::info!("the database gets {}: {}", count(&found.pending), found.pending.join(", "));
        if let Some(file) = app.config.sqlite_file() {
            copies::make(app, &file, &found.applied).await?;
        } else {
            tracing::info!("PostgreSQL keeps no copy: what can be taken back is your last backup");
        }
    }
    if pending > 0 {
        let started = app.clock.steady();
        db::connect::migrate(&app.db).await?;
        let millis = app.clock.steady().saturating_duration_since(started).as_millis();
        if is_upgrade {
            tracing::info!("{} applied in {millis} ms", count(&found.pending));
        }
    }
    copies::ended(app)?;
    Ok(pending)
}

fn count(migrations: &[String]) -> String {
    if migrations.len() == 1 { "1 migration".to_owned() } else { format!("{} migrations", migrations.len()) }
}
