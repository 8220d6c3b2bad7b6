//! The questions: by an owner of the organisation, who sees everybody, or else by the person's own permission.

use super::Answer;
use crate::app::App;
use crate::db::{self, ConnectionState, Role, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{Forge, InOrganization};
use futures_util::StreamExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use uuid::Uuid;

/// People whose permission is tried before the organisation counts as one without an owner here.
const MOST_TRIED: usize = 10;
const AT_ONCE: usize = 4;
/// Questions without an answer before the rest is not asked.
const MOST_FAILURES: usize = 8;

/// How an owner asks.
struct Owner {
    forge: Forge,
    /// What the organisation is called now.
    organization: String,
}

/// Asks about each of these people.
pub(super) async fn all(
    app: &App,
    forge_url: &str,
    organization_id: &str,
    people: Vec<rows::Membership>,
) -> Result<Vec<(rows::Membership, Answer)>> {
    let owner = find_owner(app, forge_url, organization_id, &people).await?;
    let (owner, failures) = (owner.as_ref(), AtomicUsize::new(0));
    let answers = futures_util::stream::iter(people)
        .map(async |row| Box::pin(unless_down(app, owner, &row, &failures)).await.map(|answer| (row, answer)))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    answers.into_iter().collect()
}

/// A forge that hangs is not asked about hundreds of people: each question may take half a minute.
async fn unless_down(
    app: &App,
    owner: Option<&Owner>,
    row: &rows::Membership,
    failures: &AtomicUsize,
) -> Result<Answer> {
    if failures.load(Ordering::Relaxed) >= MOST_FAILURES {
        return Ok(unsaid("the forge did not answer about others"));
    }
    let answer = one(app, owner, row).await?;
    if matches!(answer, Answer::Unknown { is_down: true, .. }) {
        failures.fetch_add(1, Ordering::Relaxed);
    }
    Ok(answer)
}

async fn one(app: &App, owner: Option<&Owner>, row: &rows::Membership) -> Result<Answer> {
    let identities = db::users::identities_of(&app.db, row.user_id).await?;
    let Some(identity) = identities.into_iter().find(|i| i.forge_url == row.forge_url) else {
        return Ok(unsaid("the person has no account at the forge"));
    };
    let mut answer = unsaid("nobody gave a permission to ask with: it takes a sign-in");
    if let Some(owner) = owner {
        answer = by_owner(owner, &identity, &row.organization_id).await;
    }
    if matches!(answer, Answer::Unknown { .. })
        && let Some(forge) = connected(app, &identity).await?
    {
        answer = own(&forge, &row.organization_id).await;
    }
    Ok(answer)
}

/// By the person's own permission.
pub(super) async fn own(forge: &Forge, organization_id: &str) -> Answer {
    // The list says that the token is heard; it leaves out what an organisation keeps from apps, or behind a sign-on.
    let listed = match forge.memberships().await {
        Ok(listed) => listed,
        Err(error) => return unknown(&error),
    };
    if let Some(found) = listed.into_iter().find(|m| m.id == organization_id) {
        return Answer::Member { is_owner: found.is_owner, login: found.login };
    }
    let name = match forge.organization_login(organization_id).await {
        Ok(name) => name,
        Err(error) => return unknown(&error),
    };
    answer(forge.own_membership(&name).await, organization_id)
}

/// By an owner, who sees members that hide their membership too.
async fn by_owner(owner: &Owner, identity: &rows::Identity, organization_id: &str) -> Answer {
    let first = owner.forge.membership_of(&owner.organization, &identity.login).await;
    match first {
        Ok(found) if found.account_id == identity.remote_id => return answer(Ok(found), organization_id),
        Ok(_) | Err(ForgeError::NotFound) => {}
        Err(error) => return unknown(&error),
    }
    // A "no" to a name that the person may have given up says nothing.
    let name = match owner.forge.account_login(&identity.remote_id).await {
        Ok(name) => name,
        Err(ForgeError::NotFound) => return Answer::Gone,
        Err(error) => return unknown(&error),
    };
    match owner.forge.membership_of(&owner.organization, &name).await {
        Ok(found) if found.account_id != identity.remote_id => unsaid("the forge answered about another account"),
        other => answer(other, organization_id),
    }
}

fn answer(found: Result<InOrganization, ForgeError>, organization_id: &str) -> Answer {
    match found {
        Ok(found) if found.organization_id != organization_id => {
            unsaid("the forge answered about another organisation")
        }
        Ok(found) if found.is_active => Answer::Member { is_owner: found.is_owner, login: found.organization_login },
        // Invited, and not in yet; or not even that.
        Ok(_) | Err(ForgeError::NotFound) => Answer::Gone,
        Err(error) => unknown(&error),
    }
}

fn unknown(error: &ForgeError) -> Answer {
    let is_down = matches!(error, ForgeError::Unreachable(_) | ForgeError::RateLimited(_));
    Answer::Unknown { reason: error.to_string(), is_down }
}

fn unsaid(reason: &str) -> Answer {
    Answer::Unknown { reason: reason.to_owned(), is_down: false }
}

/// Somebody whose stored permission is that of an owner: admins of the organisation's namespace first.
async fn find_owner(
    app: &App,
    forge_url: &str,
    organization_id: &str,
    people: &[rows::Membership],
) -> Result<Option<Owner>> {
    let mut candidates: Vec<Uuid> = Vec::new();
    if let Some(namespace) = db::namespaces::find_by_account(&app.db, forge_url, organization_id).await? {
        let grants = db::namespaces::grants_in(&app.db, namespace.id).await?;
        candidates.extend(grants.iter().filter(|g| g.role == Role::Admin).map(|g| g.user_id));
    }
    let others: Vec<Uuid> = people.iter().map(|m| m.user_id).filter(|id| !candidates.contains(id)).collect();
    candidates.extend(others);
    let mut tried = 0;
    for user_id in candidates {
        let identities = db::users::identities_of(&app.db, user_id).await?;
        let Some(identity) = identities.into_iter().find(|i| i.forge_url == forge_url) else { continue };
        let Some(forge) = connected(app, &identity).await? else { continue };
        tried += 1;
        if tried > MOST_TRIED {
            break;
        }
        let Ok(listed) = forge.memberships().await else { continue };
        let Some(found) = listed.into_iter().find(|m| m.id == organization_id && m.is_owner) else { continue };
        // Its "no" counts only where its "yes" about itself is heard: not behind a sign-on, nor without the scope.
        if is_heard(&forge, &found.login, &identity).await {
            return Ok(Some(Owner { forge, organization: found.login }));
        }
    }
    Ok(None)
}

/// Whether the question that is asked about others is answered when it is about oneself.
async fn is_heard(forge: &Forge, organization: &str, identity: &rows::Identity) -> bool {
    let Ok(login) = forge.account_login(&identity.remote_id).await else { return false };
    let found = forge.membership_of(organization, &login).await;
    found.is_ok_and(|found| found.is_owner && found.account_id == identity.remote_id)
}

/// How to act for somebody, if a permission that works is stored.
async fn connected(app: &App, identity: &rows::Identity) -> Result<Option<Forge>> {
    let connection = db::users::connection_of_identity(&app.db, identity.id).await?;
    let Some(connection) = connection.filter(|c| c.state == ConnectionState::Active) else { return Ok(None) };
    match Forge::of_connection(app, &identity.forge_url, &connection) {
        Ok(forge) => Ok(Some(forge)),
        Err(Error::Forge(_) | Error::Unavailable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_forge_says_for_certain_is_a_no() {
        let found = |organization_id: &str, is_active| InOrganization {
            organization_id: organization_id.into(),
            organization_login: "acme".into(),
            is_active,
            is_owner: false,
            account_id: "7".into(),
        };
        let member = Answer::Member { is_owner: false, login: "acme".into() };
        assert_eq!(answer(Ok(found("60", true)), "60"), member);
        assert_eq!(answer(Ok(found("60", false)), "60"), Answer::Gone, "who is only invited is not in");
        assert_eq!(answer(Err(ForgeError::NotFound), "60"), Answer::Gone);
        for (unsure, is_down) in [
            (Ok(found("61", true)), false),
            (Ok(found("61", false)), false),
            (Err(ForgeError::Refused("no".into())), false),
            (Err(ForgeError::NotApproved), false),
            (Err(ForgeError::Revoked), false),
            (Err(ForgeError::Unreachable("it is away".into())), true),
            (Err(ForgeError::RateLimited(60)), true),
        ] {
            let answer = answer(unsure, "60");
            assert!(matches!(answer, Answer::Unknown { is_down: found, .. } if found == is_down), "{answer:?}");
        }
    }
}
