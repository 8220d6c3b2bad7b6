//! Whether they are many who would go at once: together with those who went or were held shortly before.
//!
//! People are asked about at different hours of a day. Who left together is found out one after the other, so what counts
//! is who could have left with them, and not who was asked with them.

use super::{Answer, MOST_ASKED, ending};
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::{self, MembershipState, rows};
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Fewer than this are never held: in a namespace of three, one person is more than a fifth already.
const FEWEST_HELD: u64 = 2;
/// One in so many may leave at once.
const SHARE: u64 = 5;
/// People of one question.
const ASKED: usize = 300;
/// People whose ends are read at once: each may tell of a hundred sessions and as many tokens.
const READ: u64 = 50;

/// Those who would lose a right by the answers, and do not wait for an admin already.
pub(super) async fn going(
    app: &App,
    of: (&str, &str),
    answers: &[(rows::Membership, Answer)],
) -> Result<Vec<rows::Membership>> {
    let mut going = Vec::new();
    for (asked, answer) in answers {
        if matches!(answer, Answer::Member { is_owner: true, .. } | Answer::Unknown { .. }) {
            continue;
        }
        let present = db::memberships::find(&app.db, asked.user_id, of.0, of.1).await?;
        let Some(present) = present.filter(|p| p.answered_at == asked.answered_at) else { continue };
        if present.state != MembershipState::Held
            && is_losing(&present, answer, &ending::grants_via(&app.db, &present).await?)
        {
            going.push(present);
        }
    }
    Ok(going)
}

pub(super) fn is_losing(row: &rows::Membership, answer: &Answer, own: &[rows::Grant]) -> bool {
    match answer {
        Answer::Member { is_owner, .. } => !is_owner && !own.is_empty(),
        Answer::Gone => row.state != MembershipState::Left,
        Answer::Unknown { .. } => false,
    }
}

/// Whether more than a fifth of the organisation's people here, or of a namespace's, would go at once. Who was held or
/// ended since the first of them was last known to be in may have gone with them: within a day at least, since that is
/// how long it takes to ask everybody, and within two at most.
pub(super) async fn are_many(
    app: &App,
    of: (&str, &str),
    answers: &[(rows::Membership, Answer)],
    going: &[rows::Membership],
) -> Result<bool> {
    let here = db::memberships::count(&app.db, of.0, of.1).await?;
    // A look that cannot ask everybody knows the share among those who were answered about.
    if here > MOST_ASKED as u64 && is_many(going.len() as u64, answered(answers)) {
        return Ok(true);
    }
    let now = app.clock.now();
    let known = going.iter().filter_map(|row| row.answered_at).min().unwrap_or(now);
    let since = known.clamp(now - 2 * DAY, now - DAY);
    let ended = ended_since(app, of, since).await?;
    let mut together: BTreeSet<Uuid> = going.iter().map(|row| row.user_id).collect();
    together.extend(db::memberships::held_since(&app.db, of, since).await?);
    let mut namespaces = ended.roles;
    for some in together.iter().copied().collect::<Vec<_>>().chunks(ASKED) {
        for (namespace_id, lost) in db::namespaces::count_grants_of(&app.db, some).await? {
            namespaces.entry(namespace_id).or_default().going += lost;
        }
    }
    together.extend(ended.people);
    if is_many(together.len() as u64, here + ended.left) {
        return Ok(true);
    }
    for (namespace_id, lost) in namespaces.into_iter().filter(|(_, lost)| lost.going + lost.gone >= FEWEST_HELD) {
        let people = db::namespaces::count_grants_in(&app.db, namespace_id).await? + lost.gone;
        if is_many(lost.going + lost.gone, people) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Roles in a namespace.
#[derive(Default)]
struct Roles {
    /// Of people who still have them.
    going: u64,
    gone: u64,
}

#[derive(Default)]
struct EndedSince {
    people: BTreeSet<Uuid>,
    /// Those of them who are no longer counted among the organisation's people.
    left: u64,
    roles: BTreeMap<Uuid, Roles>,
}

async fn ended_since(app: &App, of: (&str, &str), since: Millis) -> Result<EndedSince> {
    let (mut found, mut after) = (EndedSince::default(), Uuid::nil());
    loop {
        let some = db::memberships::ended_after(&app.db, of, since, after, READ).await?;
        let Some(last) = some.last() else { return Ok(found) };
        after = last.id;
        for row in some {
            found.left += u64::from(row.state == MembershipState::Left);
            found.people.insert(row.user_id);
            let ended: ending::Ended = row.ended.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            for namespace_id in ended.namespaces {
                found.roles.entry(namespace_id).or_default().gone += 1;
            }
        }
    }
}

/// About how many the forge said yes or no, of those who do not wait already.
fn answered(answers: &[(rows::Membership, Answer)]) -> u64 {
    let said = |(row, answer): &&(rows::Membership, Answer)| {
        row.state != MembershipState::Held && !matches!(answer, Answer::Unknown { .. })
    };
    answers.iter().filter(said).count() as u64
}

fn is_many(going: u64, people: u64) -> bool {
    going >= FEWEST_HELD && going * SHARE > people
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
