//! What the answers do to rights, in one transaction: few who left lose theirs, many wait for an admin.

use super::{Answer, ending, is_stale};
use crate::accounts::standing;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::events::NewEvent;
use crate::db::{self, MembershipState, Tx, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Fewer than this are never held: in a namespace of three, one person is more than a fifth already.
const FEWEST_HELD: usize = 2;
/// One in so many may leave at once.
const SHARE: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The daily look.
    Day,
    /// The person is here: what was suspended holds again.
    SignIn,
}

pub(super) async fn settle(
    app: &App,
    (forge_url, organization_id): (&str, &str),
    answers: Vec<(rows::Membership, Answer)>,
    occasion: Occasion,
) -> Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // Asked again: somebody may have signed in, or been ended, since the question.
    let mut losing = Vec::new();
    let mut touched = BTreeSet::new();
    for (asked, answer) in answers {
        let present = db::memberships::lock(&tx, asked.user_id, forge_url, organization_id).await?;
        let Some(present) = present.filter(|p| p.answered_at == asked.answered_at) else { continue };
        touched.insert(present.user_id);
        if take_in(app, &tx, present.clone(), &answer, occasion).await? {
            losing.push(present);
        }
    }
    // Who is held stays held, whatever the others do.
    let fresh: Vec<_> = losing.into_iter().filter(|m| m.state != MembershipState::Held).collect();
    if !fresh.is_empty() {
        if is_mass(&tx, (forge_url, organization_id), &fresh, now).await? {
            hold(app, &tx, &fresh, now).await?;
        } else {
            for row in fresh {
                ending::end(app, &tx, row, &Principal::SYSTEM).await?;
            }
        }
    }
    for user_id in touched {
        standing::settle(app, &tx, user_id, standing::Why::Forge).await?;
    }
    tx.commit().await
}

/// Writes an answer; true when a right is lost by it.
async fn take_in(app: &App, tx: &Tx, row: rows::Membership, answer: &Answer, occasion: Occasion) -> Result<bool> {
    let now = app.clock.now();
    let own = ending::grants_via(tx, &row).await?;
    match answer {
        Answer::Member { is_owner, login } => {
            let keeps = *is_owner || own.is_empty();
            let yes = rows::Membership { organization_login: login.clone(), ..row.clone().confirmed(now) };
            // Who is no owner any more, and held for that, stays held.
            let state = if keeps { yes.state } else { row.state };
            db::memberships::put(tx, rows::Membership { state, ..yes }).await?;
            if *is_owner && occasion == Occasion::SignIn {
                for grant in own.iter().filter(|g| g.suspended_at.is_some()) {
                    db::namespaces::suspend_grant(tx, grant.id, None).await?;
                }
            }
            Ok(!keeps)
        }
        Answer::Gone if row.state == MembershipState::Left => Ok(false),
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
            Ok(true)
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
            Ok(false)
        }
    }
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

/// Whether more than a fifth of the organisation's people here, or of a namespace's, would go at once; together with those
/// who were held within a day. Who waits for longer did not go with these.
async fn is_mass(
    tx: &Tx,
    (forge_url, organization_id): (&str, &str),
    fresh: &[rows::Membership],
    now: Millis,
) -> Result<bool> {
    let all = db::memberships::of_organization(tx, forge_url, organization_id).await?;
    let is_fresh = |m: &&rows::Membership| m.state == MembershipState::Held && now - m.changed_at < DAY;
    let held = all.iter().filter(is_fresh).map(|m| m.user_id);
    let going: BTreeSet<Uuid> = fresh.iter().map(|m| m.user_id).chain(held).collect();
    if is_many(going.len(), all.len()) {
        return Ok(true);
    }
    let mut namespaces = BTreeSet::new();
    for user_id in &going {
        namespaces.extend(db::namespaces::grants_of(tx, *user_id).await?.into_iter().map(|g| g.namespace_id));
    }
    for namespace_id in namespaces {
        let people = db::namespaces::grants_in(tx, namespace_id).await?;
        let lost = people.iter().filter(|g| going.contains(&g.user_id)).count();
        if is_many(lost, people.len()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_many(going: usize, people: usize) -> bool {
    going >= FEWEST_HELD && going * SHARE > people
}

async fn hold(app: &App, tx: &Tx, leavers: &[rows::Membership], now: Millis) -> Result<()> {
    let mut names = Vec::new();
    for row in leavers {
        let present = db::memberships::find(tx, row.user_id, &row.forge_url, &row.organization_id).await?;
        let Some(present) = present else { continue };
        names.extend(db::users::find(tx, row.user_id).await?.map(|u| u.name));
        let held = rows::Membership { state: MembershipState::Held, changed_at: now, ..present };
        db::memberships::put(tx, held).await?;
    }
    let Some(first) = leavers.first() else { return Ok(()) };
    let namespace = db::namespaces::find_by_account(tx, &first.forge_url, &first.organization_id).await?;
    tracing::warn!(
        "{} people left the organisation {} at once: an admin must confirm that their rights end",
        names.len(),
        first.organization_login
    );
    let event = NewEvent {
        kind: "organization.leavers_held",
        namespace_id: namespace.map(|n| n.id),
        repository_id: None,
        subject: first.organization_login.clone(),
        cause: Some("more than a fifth of the people left at once".into()),
        body: json!({"organization_id": first.organization_id, "people": names}),
    };
    db::events::add(tx, &Principal::SYSTEM, event, app.clock.now()).await
}

#[cfg(test)]
mod tests {
    use super::is_many;

    #[test]
    fn more_than_a_fifth_is_many_and_one_person_never_is() {
        for (going, people, expected) in [
            (1, 1, false),
            (1, 3, false),
            (2, 2, true),
            (2, 9, true),
            (2, 10, false),
            (3, 10, true),
            (20, 100, false),
            (21, 100, true),
        ] {
            assert_eq!(is_many(going, people), expected, "{going} of {people}");
        }
    }
}
