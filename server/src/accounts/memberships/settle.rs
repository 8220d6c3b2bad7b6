//! What the answers do to rights: few who left lose theirs, many wait for an admin.
//!
//! Whether they are many is asked first, of all answers; then they are written some people at a time. When that breaks off,
//! the next look finds the rest as many, or as few, as they were: who is held counts among them for a day.

use super::{Answer, PIECE, ending, is_stale};
use crate::accounts::standing;
use crate::app::App;
use crate::clock::DAY;
use crate::db::events::NewEvent;
use crate::db::{self, MembershipState, Tx, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Fewer than this are never held: in a namespace of three, one person is more than a fifth already.
const FEWEST_HELD: u64 = 2;
/// One in so many may leave at once.
const SHARE: u64 = 5;
/// People of one question.
const ASKED: usize = 300;

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
    let going = going(app, (forge_url, organization_id), &answers).await?;
    let is_mass = !going.is_empty() && is_mass(app, (forge_url, organization_id), going).await?;
    let mut held = 0;
    for piece in answers.chunks(PIECE) {
        let tx = app.db.begin().await?;
        // Asked again: somebody may have signed in, or been ended, since the question.
        let mut losing = Vec::new();
        let mut touched = BTreeSet::new();
        for (asked, answer) in piece {
            let present = db::memberships::lock(&tx, asked.user_id, forge_url, organization_id).await?;
            let Some(present) = present.filter(|p| p.answered_at == asked.answered_at) else { continue };
            touched.insert(present.user_id);
            if take_in(app, &tx, present.clone(), answer, occasion).await? {
                losing.push(present);
            }
        }
        // Who is held stays held, whatever the others do.
        losing.retain(|m| m.state != MembershipState::Held);
        if is_mass {
            held += losing.len();
            hold(app, &tx, &losing).await?;
        } else {
            for row in losing {
                ending::end(app, &tx, row, &Principal::SYSTEM).await?;
            }
        }
        for user_id in touched {
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

/// Those who would lose a right by the answers, and do not wait for an admin already.
async fn going(app: &App, of: (&str, &str), answers: &[(rows::Membership, Answer)]) -> Result<BTreeSet<Uuid>> {
    let mut going = BTreeSet::new();
    for (asked, answer) in answers {
        if matches!(answer, Answer::Member { is_owner: true, .. } | Answer::Unknown { .. }) {
            continue;
        }
        let present = db::memberships::find(&app.db, asked.user_id, of.0, of.1).await?;
        let Some(present) = present.filter(|p| p.answered_at == asked.answered_at) else { continue };
        if present.state != MembershipState::Held
            && is_losing(&present, answer, &ending::grants_via(&app.db, &present).await?)
        {
            going.insert(present.user_id);
        }
    }
    Ok(going)
}

fn is_losing(row: &rows::Membership, answer: &Answer, own: &[rows::Grant]) -> bool {
    match answer {
        Answer::Member { is_owner, .. } => !is_owner && !own.is_empty(),
        Answer::Gone => row.state != MembershipState::Left,
        Answer::Unknown { .. } => false,
    }
}

/// Writes an answer; true when a right is lost by it.
async fn take_in(app: &App, tx: &Tx, row: rows::Membership, answer: &Answer, occasion: Occasion) -> Result<bool> {
    let now = app.clock.now();
    let own = ending::grants_via(tx, &row).await?;
    let is_losing = is_losing(&row, answer, &own);
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

/// Whether more than a fifth of the organisation's people here, or of a namespace's, would go at once; together with those
/// who were held within a day. Who waits for longer did not go with these.
async fn is_mass(app: &App, (forge_url, organization_id): (&str, &str), mut going: BTreeSet<Uuid>) -> Result<bool> {
    let yesterday = app.clock.now() - DAY;
    going.extend(db::memberships::held_since(&app.db, (forge_url, organization_id), yesterday).await?);
    let people = db::memberships::count(&app.db, forge_url, organization_id).await?;
    if is_many(going.len() as u64, people) {
        return Ok(true);
    }
    let mut namespaces: BTreeMap<Uuid, u64> = BTreeMap::new();
    for some in going.into_iter().collect::<Vec<_>>().chunks(ASKED) {
        for (namespace_id, lost) in db::namespaces::count_grants_of(&app.db, some).await? {
            *namespaces.entry(namespace_id).or_default() += lost;
        }
    }
    for (namespace_id, lost) in namespaces.into_iter().filter(|(_, lost)| *lost >= FEWEST_HELD) {
        if is_many(lost, db::namespaces::count_grants_in(&app.db, namespace_id).await?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_many(going: u64, people: u64) -> bool {
    going >= FEWEST_HELD && going * SHARE > people
}

async fn hold(app: &App, tx: &Tx, leavers: &[rows::Membership]) -> Result<()> {
    let (now, mut names) = (app.clock.now(), Vec::new());
    for row in leavers {
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
