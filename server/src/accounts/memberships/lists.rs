//! Who waits for an admin, and whose rights ended: for the admins of the organisation's namespace, and of the site.

use super::ending::{self, Ended};
use crate::accounts::standing::{self, Lost};
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::{self, MembershipState, rows};
use crate::error::{Error, Result};
use crate::policy::{self, Allowed, EndRights, OrganizationAccess, UseAccount};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What ended longer ago is in the events only.
const SHOWN: Millis = 30 * DAY;
/// Rows of the page.
const MOST: u64 = 500;

/// One organisation's people who left.
#[derive(Debug)]
pub struct Group {
    pub organization_id: String,
    pub login: String,
    /// The namespace that it has here.
    pub namespace: Option<String>,
    namespace_id: Option<Uuid>,
    pub held: Vec<Departure>,
    pub ended: Vec<Departure>,
}

/// A person, and what ends or has ended.
#[derive(Debug)]
pub struct Departure {
    pub person: String,
    pub at: Millis,
    pub roles: Vec<String>,
    /// `None` when the person may still sign in.
    pub lost: Option<Lost>,
}

impl Departure {
    /// What ends, in one line.
    pub fn text(&self) -> String {
        let mut parts = vec![self.person.clone()];
        parts.extend((!self.roles.is_empty()).then(|| self.roles.join(", ")));
        if let Some(lost) = &self.lost {
            parts.push("sign-in".to_owned());
            parts.push(format!("sessions: {}", lost.sessions.len()));
            parts.push(format!(
                "tokens: {}",
                if lost.tokens.is_empty() { "none".into() } else { lost.tokens.join(", ") }
            ));
        }
        parts.join("; ")
    }
}

/// What the asker may see of it, by organisation.
pub async fn groups(app: &App, allowed: &Allowed<UseAccount>) -> Result<Vec<Group>> {
    let mut may_see = Vec::new();
    for group in all_groups(app).await? {
        let access = access(app, allowed, group.namespace_id).await?;
        if policy::may::<EndRights>(allowed.principal(), &access) {
            may_see.push(group);
        }
    }
    Ok(may_see)
}

/// All of it, for the operator.
pub async fn all_groups(app: &App) -> Result<Vec<Group>> {
    let since = app.clock.now() - SHOWN;
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    for row in db::memberships::noteworthy(&app.db, since, MOST).await? {
        let key = (row.forge_url.clone(), row.organization_id.clone());
        let departure = departure(app, &row).await?;
        let group = match groups.remove(&key) {
            Some(group) => group,
            None => group(app, &row).await?,
        };
        let group = groups.entry(key).or_insert(group);
        if row.state == MembershipState::Held { group.held.push(departure) } else { group.ended.push(departure) }
    }
    Ok(groups.into_values().collect())
}

async fn group(app: &App, row: &rows::Membership) -> Result<Group> {
    let namespace = db::namespaces::find_by_account(&app.db, &row.forge_url, &row.organization_id).await?;
    Ok(Group {
        organization_id: row.organization_id.clone(),
        login: row.organization_login.clone(),
        namespace_id: namespace.as_ref().map(|n| n.id),
        namespace: namespace.map(|n| n.name),
        held: Vec::new(),
        ended: Vec::new(),
    })
}

async fn access(app: &App, allowed: &Allowed<UseAccount>, namespace_id: Option<Uuid>) -> Result<OrganizationAccess> {
    let role = match (namespace_id, allowed.principal().user_id()) {
        (Some(namespace_id), Some(user)) => db::namespaces::role_of(&app.db, namespace_id, user).await?,
        _ => None,
    };
    Ok(OrganizationAccess { role })
}

async fn departure(app: &App, row: &rows::Membership) -> Result<Departure> {
    let person = db::users::find(&app.db, row.user_id).await?.map(|u| u.name).unwrap_or_default();
    let Ended { roles, lost } = match &row.ended {
        Some(text) if row.state != MembershipState::Held => serde_json::from_str(text).unwrap_or_default(),
        _ => coming(app, row).await?,
    };
    Ok(Departure { person, at: row.changed_at, roles, lost })
}

/// What would end.
async fn coming(app: &App, row: &rows::Membership) -> Result<Ended> {
    let mut roles = Vec::new();
    for grant in ending::grants_via(&app.db, row).await? {
        let namespace = db::namespaces::find(&app.db, grant.namespace_id).await?;
        roles.extend(namespace.map(|n| format!("{} of {}", grant.role, n.name)));
    }
    let lost = if row.is_member { None } else { standing::would_lose(app, row).await? };
    Ok(Ended { roles, lost })
}

/// Everybody who is held.
pub(super) async fn all_held(app: &App) -> Result<Vec<rows::Membership>> {
    let mut found = db::memberships::noteworthy(&app.db, i64::MAX, u64::from(u32::MAX)).await?;
    found.retain(|row| row.state == MembershipState::Held);
    Ok(found)
}

/// People of a namespace's organisation who wait for an admin.
pub async fn held_in(app: &App, namespace_id: Uuid) -> Result<usize> {
    let Some(namespace) = db::namespaces::find(&app.db, namespace_id).await? else { return Ok(0) };
    let (Some(forge_url), Some(id)) = (namespace.forge_url, namespace.forge_account_id) else { return Ok(0) };
    let all = db::memberships::of_organization(&app.db, &forge_url, &id).await?;
    Ok(all.iter().filter(|row| row.state == MembershipState::Held).count())
}

/// Ends the rights of those who are held for an organisation; how many they were. An admin confirmed it.
pub async fn confirm(app: &App, allowed: &Allowed<UseAccount>, organization_id: &str) -> Result<usize> {
    let held = all_held(app).await?.into_iter().filter(|row| row.organization_id == organization_id);
    let mut meant = Vec::new();
    for row in held {
        let namespace = db::namespaces::find_by_account(&app.db, &row.forge_url, &row.organization_id).await?;
        let access = access(app, allowed, namespace.map(|n| n.id)).await?;
        if policy::may::<EndRights>(allowed.principal(), &access) {
            meant.push(row);
        }
    }
    if meant.is_empty() {
        return Err(Error::Absent("nobody waits for this".into()));
    }
    let tx = app.db.begin().await?;
    let ended = ending::end_held(app, &tx, meant, allowed.principal()).await?;
    tx.commit().await?;
    Ok(ended)
}
