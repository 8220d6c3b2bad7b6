//! One-time links: whoever opens one may sign in. The first start prints one, so that nobody needs a password.

use crate::app::App;
use crate::clock::DAY;
use crate::db::{self, Tx, rows};
use crate::error::Result;
use crate::secrets;
use uuid::Uuid;

const LIFETIME: i64 = 7 * DAY;

/// Makes a link; only its hash is kept.
pub async fn create(app: &App, tx: &Tx, makes_site_admin: bool) -> Result<String> {
    let token = secrets::new_token("");
    let now = app.clock.now();
    let row = rows::Invite {
        id: Uuid::now_v7(),
        hash: secrets::hash(token.reveal()),
        makes_site_admin,
        created_at: now,
        expires_at: now + LIFETIME,
        used_at: None,
        used_by: None,
    };
    db::users::insert_invite(tx, row).await?;
    Ok(app.config.public_link(&format!("/login?invite={}", token.reveal())))
}

/// Whether a link is still good.
pub async fn is_open(app: &App, token: &str) -> Result<bool> {
    Ok(db::users::find_open_invite(&app.db, &secrets::hash(token), app.clock.now()).await?.is_some())
}

/// The link that makes the first site admin, while nobody has come.
pub async fn for_first_start(app: &App) -> Result<Option<String>> {
    if db::users::anybody_came(&app.db).await? {
        return Ok(None);
    }
    let tx = app.db.begin().await?;
    let link = create(app, &tx, true).await?;
    tx.commit().await?;
    Ok(Some(link))
}
