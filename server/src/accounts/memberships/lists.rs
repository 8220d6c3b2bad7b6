//! Who waits for an admin, and whose rights ended: for the admins of the organisation's namespace, and of the site.

use super::ending::{self, Ended};
use crate::accounts::standing::{self, Lost};
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::memberships::Leaving;
use crate::db::{self, MembershipState, rows};
use crate::error::{Error, Result};
use crate::policy::{self, Allowed, EndRights, OrganizationAccess, Principal, UseAccount};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// What ended longer ago is in the events only.
const SHOWN: Millis = 30 * DAY;
/// Organisations of one list.
const MOST_ORGANIZATIONS: usize = 50;
/// People who wait, in one list: several questions each, and what one confirmation ends.
const MOST_HELD: usize = 500;
/// People whose rights ended, in one list.
const MOST_ENDED: usize = 200;
/// Accounts of one question.
const ASKED: usize = 300;

/// Who left, by organisation.
#[derive(Debug)]
pub struct Departures {
    pub groups: Vec<Group>,
    /// Organisations that are not listed.
    pub more: u64,
}

/// One organisation's people who left.
#[derive(Debug)]
pub struct Group {
    /// Its number at the forge.
    pub id: String,
    pub login: String,
    /// The namespace that it has here.
    pub namespace: Option<String>,
    /// Those who wait for longest.
    pub held: Vec<Departure>,
    /// What a confirmation of `held` says.
    pub listed: Option<Listed>,
    pub all_held: u64,
    /// Newest first.
    pub ended: Vec<Departure>,
    pub all_ended: u64,
}

/// Those whom somebody was shown before the confirmation.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The membership of the last one.
    pub until: Uuid,
    pub people: u64,
}

/// `3:0193f1c2-…`: how many, and the last one.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.people, self.until)
    }
}

impl FromStr for Listed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (people, until) = text.split_once(':')?;
            Some(Self { until: until.parse().ok()?, people: people.parse().ok()? })
        };
        read().ok_or_else(|| Error::invalid(format!("`{text}` is no mark of a list of people who wait")))
    }
}

/// What a confirmation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    pub ended: u64,
    /// People of the organisation who still wait.
    pub left: u64,
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

/// What the asker may see of it.
pub async fn departures(app: &App, allowed: &Allowed<UseAccount>) -> Result<Departures> {
    if policy::may::<EndRights>(allowed.principal(), &OrganizationAccess { role: None }) {
        return all_departures(app).await;
    }
    let Some(user) = allowed.principal().user_id() else { return describe(app, Vec::new()).await };
    // Their organisations first: what others lose hides nothing of it.
    let mut accounts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (namespace, role) in db::namespaces::of_user(&app.db, user).await? {
        if policy::may::<EndRights>(allowed.principal(), &OrganizationAccess { role: Some(role) })
            && let (Some(forge_url), Some(id)) = (namespace.forge_url, namespace.forge_account_id)
        {
            accounts.entry(forge_url).or_default().push(id);
        }
    }
    let mut leaving = Vec::new();
    for (forge_url, ids) in &accounts {
        for some in ids.chunks(ASKED) {
            let of = Some((&**forge_url, some.to_vec()));
            leaving.extend(db::memberships::leaving(&app.db, of, since(app)).await?);
        }
    }
    leaving.sort_by_key(|organization| organization.held == 0);
    describe(app, leaving).await
}

/// All of it, for the operator.
pub async fn all_departures(app: &App) -> Result<Departures> {
    describe(app, db::memberships::leaving(&app.db, None, since(app)).await?).await
}

fn since(app: &App) -> Millis {
    app.clock.now() - SHOWN
}

/// Each organisation has its share of a list.
async fn describe(app: &App, mut leaving: Vec<Leaving>) -> Result<Departures> {
    let more = leaving.len().saturating_sub(MOST_ORGANIZATIONS) as u64;
    leaving.truncate(MOST_ORGANIZATIONS);
    let share = |most: usize, has: fn(&Leaving) -> bool| {
        let organizations = leaving.iter().filter(|organization| has(organization)).count();
        (most / organizations.max(1)) as u64
    };
    let shares = (share(MOST_HELD, |o| o.held > 0), share(MOST_ENDED, |o| o.ended > 0));
    let mut groups = Vec::new();
    for organization in leaving {
        groups.extend(group(app, organization, shares).await?);
    }
    Ok(Departures { groups, more })
}

/// `None` when there is nobody any more.
async fn group(app: &App, of: Leaving, (most_held, most_ended): (u64, u64)) -> Result<Option<Group>> {
    let id = (&*of.forge_url, &*of.organization_id);
    let held = db::memberships::held(&app.db, id, None, most_held).await?;
    let ended = db::memberships::ended(&app.db, id, since(app), most_ended).await?;
    let Some(first) = held.last().or(ended.first()) else { return Ok(None) };
    let namespace = db::namespaces::find_by_account(&app.db, &of.forge_url, &of.organization_id).await?;
    Ok(Some(Group {
        login: first.organization_login.clone(),
        id: of.organization_id.clone(),
        namespace: namespace.map(|n| n.name),
        listed: held.last().map(|last| Listed { until: last.id, people: held.len() as u64 }),
        held: described(app, &held).await?,
        all_held: of.held.max(held.len() as u64),
        ended: described(app, &ended).await?,
        all_ended: of.ended.max(ended.len() as u64),
    }))
}

async fn described(app: &App, rows: &[rows::Membership]) -> Result<Vec<Departure>> {
    let mut found = Vec::new();
    for row in rows {
        found.push(departure(app, row).await?);
    }
    Ok(found)
}

async fn departure(app: &App, row: &rows::Membership) -> Result<Departure> {
    let person = db::users::find(&app.db, row.user_id).await?.map(|u| u.name).unwrap_or_default();
    let Ended { roles, lost, .. } = match &row.ended {
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
    Ok(Ended { roles, lost, ..Ended::default() })
}

/// People of a namespace's organisation who wait for an admin.
pub async fn held_in(app: &App, namespace_id: Uuid) -> Result<u64> {
    let Some(namespace) = db::namespaces::find(&app.db, namespace_id).await? else { return Ok(0) };
    let (Some(forge_url), Some(id)) = (namespace.forge_url, namespace.forge_account_id) else { return Ok(0) };
    db::memberships::count_held(&app.db, &forge_url, &id).await
}

/// Ends the rights of those who were listed and are still held. An admin confirmed it.
pub async fn confirm(app: &App, allowed: &Allowed<UseAccount>, listed: Listed) -> Result<Confirmed> {
    let absent = || Error::Absent("nobody waits for this any more: read the list again".into());
    let last = db::memberships::find_by_id(&app.db, listed.until).await?.ok_or_else(absent)?;
    if last.state != MembershipState::Held || !may_end(app, allowed, &last).await? {
        return Err(absent());
    }
    end_listed(app, &last, listed.people, allowed.principal()).await
}

/// Those who are held no later than the last one of a list of so many.
async fn end_listed(app: &App, last: &rows::Membership, people: u64, by: &Principal) -> Result<Confirmed> {
    let id = (&*last.forge_url, &*last.organization_id);
    let most = people.min(MOST_HELD as u64);
    let meant = db::memberships::held(&app.db, id, Some(last), most + 1).await?;
    if meant.len() as u64 > most {
        return Err(Error::Conflict("more people wait than were listed: read the list again".into()));
    }
    ending::end_held(app, id, meant, by).await
}

async fn may_end(app: &App, allowed: &Allowed<UseAccount>, row: &rows::Membership) -> Result<bool> {
    let namespace = db::namespaces::find_by_account(&app.db, &row.forge_url, &row.organization_id).await?;
    let role = match (namespace, allowed.principal().user_id()) {
        (Some(namespace), Some(user)) => db::namespaces::role_of(&app.db, namespace.id, user).await?,
        _ => None,
    };
    Ok(policy::may::<EndRights>(allowed.principal(), &OrganizationAccess { role }))
}

/// Ends the rights of those whom the operator was listed, of an organisation that is named by login or id, and who are
/// still held.
pub async fn confirm_by_operator(app: &App, organization: &str, listed: Option<Listed>) -> Result<Confirmed> {
    let is_meant = |known: &db::memberships::Organization| match organization.strip_prefix("id:") {
        Some(id) => known.id == id,
        None => known.login.eq_ignore_ascii_case(organization),
    };
    let mut waiting = db::memberships::organizations_that_wait(&app.db).await?;
    waiting.retain(is_meant);
    // One that was renamed meanwhile has two names.
    waiting.dedup_by(|a, b| (&a.forge_url, &a.id) == (&b.forge_url, &b.id));
    let Some(first) = waiting.first() else {
        return Err(Error::Absent(format!("nobody is held for the organisation `{organization}`")));
    };
    if let Some(other) = waiting.iter().find(|known| known.id != first.id) {
        let (a, b) = (&first.id, &other.id);
        return Err(Error::Conflict(format!(
            "more than one organisation is called `{organization}`: name it by its number, `id:{a}` or `id:{b}`"
        )));
    }
    let listed = listed.ok_or_else(|| {
        Error::invalid("say with `--until` whom you have read of: `slipway admin leavers` prints the whole command")
    })?;
    let last = db::memberships::find_by_id(&app.db, listed.until).await?;
    let is_of =
        |row: &rows::Membership| waiting.iter().any(|o| o.forge_url == row.forge_url && o.id == row.organization_id);
    let last = last.filter(|row| row.state == MembershipState::Held && is_of(row)).ok_or_else(|| {
        Error::Absent(format!("the last one of that list no longer waits for `{organization}`: read the list again"))
    })?;
    end_listed(app, &last, listed.people, &Principal::SYSTEM).await
}
