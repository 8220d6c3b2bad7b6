//! What the answers do to rights: few who left lose theirs, many wait for an admin.
//!
//! Whether they are many is asked first, of all answers (`many`); then they are written some people at a time. When that
//! breaks off, the next look finds the rest as many, or as few, as they were: who is held or ended counts among them for a
//! day. All that one look writes is of one time, so that the next can tell who went with whom.

use super::{Answer, PIECE, ending, is_stale, many};
use crate::accounts::standing;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::events::NewEvent;
use crate::db::{self, MembershipState, Tx, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The daily look.
    Day,
    /// The person is here: what was suspended holds again.
    SignIn,
}

pub(super) async fn settle(
    app: &App,
    of: (&str, &str),
    mut answers: Vec<(rows::Membership, Answer)>,
    occasion: Occasion,
) -> Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let going = many::going(app, of, &answers).await?;
    let is_mass = !going.is_empty() && many::are_many(app, of, &answers, &going).await?;
    // They come as the forge answered; `db.rs` says in which order rows are locked.
    answers.sort_by_key(|(row, _)| row.user_id);
    let (now, mut held) = (app.clock.now(), 0);
    for piece in answers.chunks(PIECE) {
        let tx = app.db.begin().await?;
        // Asked again: somebody may have signed in, or been ended, since the question.
        let mut losing = BTreeMap::new();
        let mut touched = BTreeSet::new();
        for (asked, answer) in piece {
            let present = db::memberships::lock(&tx, asked.user_id, of.0, of.1).await?;
            let Some(present) = present.filter(|p| p.answered_at == asked.answered_at) else { continue };
            touched.insert(present.user_id);
            if take_in(app, &tx, present.clone(), answer, occasion, now).await? {
                losing.insert(present.user_id, present);
            }
        }
        // Who is held stays held, whatever the others do.
        losing.retain(|_, m| m.state != MembershipState::Held);
        if is_mass {
            held += losing.len();
            hold(&tx, std::mem::take(&mut losing).into_values().collect(), now).await?;
        }
        for user_id in touched {
            if let Some(row) = losing.remove(&user_id) {
                ending::end(app, &tx, row, &Principal::SYSTEM, now).await?;
            }
            standing::settle(app, &tx, user_id, standing::Why::Forge).await?;
        }
        tx.commit().await?;
    }
    if held > 0 {
        let name = &answers[0].0.organization_login;
        tracing::warn!(
            "{held} people left the organisation {name} at once: an admin must confirm that their rights end"
        );
    }
    Ok(())
}

/// Writes an answer; true when a right is lost by it.
async fn take_in(
    app: &App,
    tx: &Tx,
    row: rows::Membership,
    answer: &Answer,
    occasion: Occasion,
    now: Millis,
) -> Result<bool> {
    let own = ending::grants_via(tx, &row).await?;
    let is_losing = many::is_losing(&row, answer, &own);
    match answer {
        Answer::Member { is_owner, login } => {
            let yes = rows::Membership { organization_login: login.clone(), ..row.clone().confirmed(now) };
            // Who is no owner any more, and held for that, stays held.
            let state = if is_losing { row.state } else { yes.state };
            db::memberships::put(tx, rows::Membership { state, ..yes }).await?;
            if *is_owner && occasion == Occasion::SignIn {
                for grant in own.iter().filter(|g| g.suspended_at.is_some()) {
                    db::namespaces::suspend_grant(tx, grant.id, None).await?;
                }
            }
        }
        Answer::Gone if !is_losing => {}
        Answer::Gone => {
            let asked = Some(now);
            let no = rows::Membership {
                is_member: false,
                asked_at: asked,
                answered_at: asked,
                unanswered_since: None,
                detail: None,
                ..row
            };
            db::memberships::put(tx, no).await?;
        }
        Answer::Unknown { reason, .. } => {
            // Looks are a day apart: the day before the first one without an answer counts too.
            let since = row.unanswered_since.unwrap_or_else(|| row.answered_at.unwrap_or(now).max(now - DAY));
            let detail: String = reason.chars().take(200).collect();
            let silent =
                rows::Membership { asked_at: Some(now), unanswered_since: Some(since), detail: Some(detail), ..row };
            if is_stale(&silent, now) {
                for grant in own.iter().filter(|g| g.suspended_at.is_none()) {
                    db::namespaces::suspend_grant(tx, grant.id, Some(now)).await?;
                    note_suspended(app, tx, grant, &silent).await?;
                }
            }
            db::memberships::put(tx, silent).await?;
        }
    }
    Ok(is_losing)
}

async fn note_suspended(app: &App, tx: &Tx, grant: &rows::Grant, row: &rows::Membership) -> Result<()> {
    let user = db::users::find(tx, row.user_id).await?.map(|u| u.name).unwrap_or_default();
    let event = NewEvent {
        kind: "namespace.role_suspended",
        namespace_id: Some(grant.namespace_id),
        repository_id: None,
        subject: user.clone(),
        cause: Some("the forge could not be asked for seven days".into()),
        body: json!({"user": user, "role": grant.role, "organization": row.organization_login, "detail": row.detail}),
    };
    db::events::add(tx, &Principal::SYSTEM, event, app.clock.now()).await
}

async fn hold(tx: &Tx, leavers: Vec<rows::Membership>, now: Millis) -> Result<()> {
    let mut names = Vec::new();
    for row in &leavers {
        let present = db::memberships::find(tx, row.user_id, &row.forge_url, &row.organization_id).await?;
        let Some(present) = present else { continue };
        names.extend(db::users::find(tx, row.user_id).await?.map(|u| u.name));
        let held = rows::Membership { state: MembershipState::Held, changed_at: now, ..present };
        db::memberships::put(tx, held).await?;
    }
    let Some(first) = leavers.first() else { return Ok(()) };
    let namespace = db::namespaces::find_by_account(tx, &first.forge_url, &first.organization_id).await?;
    let event = NewEvent {
        kind: "organization.leavers_held",
        namespace_id: namespace.map(|n| n.id),
        repository_id: None,
        subject: first.organization_login.clone(),
        cause: Some("more than a fifth of the people left at once".into()),
        body: json!({"organization_id": first.organization_id, "people": names}),
    };
    db::events::add(tx, &Principal::SYSTEM, event, now).await
}
