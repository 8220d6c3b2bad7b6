//! The questions of a sign-in. The person waits for them, so together they have a bound; what they leave open is asked by a
//! job at once.

use super::{Answer, ask, enqueue, settle};
use crate::app::App;
use crate::db::{self, rows};
use crate::error::Result;
use crate::forge::Forge;
use crate::secrets::Secret;
use std::time::Duration;
use uuid::Uuid;

/// Organisations of one person that a sign-in asks about.
const MOST: usize = 20;
/// For all of them together: a forge may take half a minute for one question.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks about somebody who has just shown a fresh token.
pub(in crate::accounts) async fn at_sign_in(app: &App, user_id: Uuid, token: &Secret) -> Result<()> {
    let forge = Forge::with_token(app, token)?;
    let mut known = db::memberships::of_user(&app.db, user_id).await?;
    known.retain(|row| row.forge_url == forge.url());
    let (mut open, began) = (Vec::new(), app.clock.steady());
    let mut is_down = false;
    for row in known.into_iter().take(MOST) {
        let left = PATIENCE.saturating_sub(app.clock.steady().saturating_duration_since(began));
        // A forge that does not answer about one organisation is not asked about the next.
        if is_down || left.is_zero() {
            open.push(row);
            continue;
        }
        match tokio::time::timeout(left, Box::pin(one(app, &forge, &row))).await {
            Ok(Ok(answer @ (Answer::Member { .. } | Answer::Gone))) => {
                let organization = (row.forge_url.clone(), row.organization_id.clone());
                let of = (&*organization.0, &*organization.1);
                settle::settle(app, of, vec![(row, answer)], settle::Occasion::SignIn).await?;
            }
            // A sign-in that says nothing is no day without an answer: tokens of a sign-in may be too weak to ask.
            Ok(Ok(Answer::Unknown { is_down: silent, .. })) => {
                is_down = silent;
                open.push(row);
            }
            Ok(Err(error)) => return Err(error),
            Err(_late) => {
                is_down = true;
                open.push(row);
            }
        }
    }
    ask_soon(app, open).await
}

/// With the fresh token, or else by somebody who owns the organisation.
async fn one(app: &App, forge: &Forge, row: &rows::Membership) -> Result<Answer> {
    let own = ask::own(forge, &row.organization_id).await;
    if !matches!(own, Answer::Unknown { is_down: false, .. }) {
        return Ok(own);
    }
    let mut answers = ask::all(app, &row.forge_url, &row.organization_id, vec![row.clone()]).await?;
    Ok(answers.pop().map_or(own, |(_, answer)| answer))
}

async fn ask_soon(app: &App, mut open: Vec<rows::Membership>) -> Result<()> {
    if open.is_empty() {
        return Ok(());
    }
    // `db.rs` says in which order rows are locked.
    open.sort_by(|a, b| a.organization_id.cmp(&b.organization_id));
    let tx = app.db.begin().await?;
    for row in open {
        db::memberships::make_due(&tx, row.id).await?;
        enqueue(app, &tx, row.forge_url, row.organization_id, app.clock.now()).await?;
    }
    tx.commit().await
}
