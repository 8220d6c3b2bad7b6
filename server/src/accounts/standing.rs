//! Whether people who are here may still be: by the operator's lists at each start, and by what the forge says of them.
//!
//! A sign-in asks anew and lifts every suspension, so nothing here is for ever.

use super::admission::{self, Asker, Organization, Reason};
use super::memberships::{self, PATIENCE};
use crate::app::App;
use crate::clock::Millis;
use crate::db::events::NewEvent;
use crate::db::{self, MembershipState, Suspension, Tx, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What made us look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The lists of the operator, as they are at this start.
    Lists,
    /// What the forge said, or did not say.
    Forge,
}

/// What goes with somebody's right to sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Browsers that were signed in.
    pub sessions: Vec<String>,
    /// Names and first letters of tokens.
    pub tokens: Vec<String>,
}

/// People who are read together.
const READ: u64 = 300;
/// People who are changed together: a few rows each.
const CHANGED: usize = 50;

/// Applies the operator's lists to everybody who came: a name that was taken off them is shut out, also if the person
/// never comes back.
pub async fn at_start(app: &App) -> Result<()> {
    let Some(forge_url) = app.config.github.as_ref().map(crate::config::GitHub::identity_url) else { return Ok(()) };
    let mut after = String::new();
    loop {
        let accounts = db::users::identities_after(&app.db, &forge_url, &after, READ).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after.clone_from(&last.remote_id);
        apply_lists(app, &forge_url, accounts).await?;
    }
}

/// As `at_start`, for those of whom nobody knows why they were let in: they came before that was written down.
pub(super) async fn of_unknown(app: &App) -> Result<()> {
    let Some(forge_url) = app.config.github.as_ref().map(crate::config::GitHub::identity_url) else { return Ok(()) };
    let mut after = String::new();
    loop {
        let accounts = db::users::unknown_identities_after(&app.db, &forge_url, &after, READ).await?;
        let Some(last) = accounts.last() else { return Ok(()) };
        after.clone_from(&last.remote_id);
        apply_lists(app, &forge_url, accounts).await?;
    }
}

/// Writes for those only whom the lists change: at nearly every start that is nobody.
async fn apply_lists(app: &App, forge_url: &str, accounts: Vec<rows::Identity>) -> Result<()> {
    let now = app.clock.now();
    let people = all_known(app, forge_url, accounts).await?;
    let mut changed: Vec<Uuid> =
        people.iter().filter(|known| known.is_changed_by_lists(app, now)).map(|known| known.user.id).collect();
    // `db.rs` says in which order rows are locked.
    changed.sort_unstable();
    for some in changed.chunks(CHANGED) {
        let tx = app.db.begin().await?;
        for user_id in some {
            settle(app, &tx, *user_id, Why::Lists).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

/// What is known of somebody at the forge that is set up here.
struct Known {
    user: rows::User,
    identity: rows::Identity,
    invites: Vec<rows::Invite>,
    memberships: Vec<rows::Membership>,
}

async fn known(app: &App, tx: &impl db::Ask, user_id: Uuid) -> Result<Option<Known>> {
    let Some(github) = &app.config.github else { return Ok(None) };
    let Some(user) = db::users::find(tx, user_id).await? else { return Ok(None) };
    let identities = db::users::identities_of(tx, user_id).await?;
    // People who were made for programs are on no list.
    let Some(identity) = identities.into_iter().find(|i| i.forge_url == github.identity_url()) else {
        return Ok(None);
    };
    let mut memberships = db::memberships::of_user(tx, user_id).await?;
    memberships.retain(|m| m.forge_url == identity.forge_url);
    Ok(Some(Known { invites: db::users::invites_used_by(tx, user_id).await?, user, identity, memberships }))
}

/// As `known`, of many.
async fn all_known(app: &App, forge_url: &str, accounts: Vec<rows::Identity>) -> Result<Vec<Known>> {
    let ids: Vec<Uuid> = accounts.iter().map(|identity| identity.user_id).collect();
    let users = db::users::find_all(&app.db, &ids).await?;
    let mut users: BTreeMap<Uuid, rows::User> = users.into_iter().map(|user| (user.id, user)).collect();
    let (mut invites, mut memberships) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
    for row in db::users::invites_used_by_any(&app.db, &ids).await? {
        invites.entry(row.used_by).or_default().push(row);
    }
    for row in db::memberships::of_users(&app.db, forge_url, &ids).await? {
        memberships.entry(row.user_id).or_default().push(row);
    }
    let known = |identity: rows::Identity| {
        Some(Known {
            user: users.remove(&identity.user_id)?,
            invites: invites.remove(&Some(identity.user_id)).unwrap_or_default(),
            memberships: memberships.remove(&identity.user_id).unwrap_or_default(),
            identity,
        })
    };
    Ok(accounts.into_iter().filter_map(known).collect())
}

impl Known {
    /// Why the person may sign in, with those of the memberships that count.
    fn admitted(&self, app: &App, counts: impl Fn(&rows::Membership) -> bool) -> Option<Reason> {
        let counting = self.memberships.iter().filter(|m| m.state != MembershipState::Left && counts(m));
        let organizations: Vec<Organization> = counting.map(organization).collect();
        let asker = Asker {
            login: &self.identity.login,
            remote_id: &self.identity.remote_id,
            organizations: &organizations,
            has_invite: false,
            was_invited: !self.invites.is_empty(),
        };
        admission::admit(&app.config.sign_in, &asker)
    }

    /// Whether the person may have come as a member of an organisation that was never asked about them.
    fn may_be_member(&self, app: &App) -> bool {
        let left = |word: &String| {
            let mut gone = self.memberships.iter().filter(|m| m.state == MembershipState::Left);
            gone.any(|m| admission::names_organization(std::slice::from_ref(word), &organization(m)))
        };
        self.user.admitted_by.is_none() && !app.config.sign_in.organizations.iter().all(left)
    }

    fn may_administer(&self, app: &App) -> bool {
        let asker = Asker { login: &self.identity.login, remote_id: &self.identity.remote_id, ..Asker::default() };
        admission::is_named(&app.config.sign_in.site_admins, &asker)
            || self.invites.iter().any(|invite| invite.makes_site_admin)
    }
}

fn organization(row: &rows::Membership) -> Organization {
    Organization { id: row.organization_id.clone(), login: row.organization_login.clone() }
}

/// What a look at somebody leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Everything stays as it is.
    Stays,
    /// May be here again, or for a reason that nobody knew.
    LetIn(Reason),
    /// From now on it is known that nobody knows the reason.
    Unknown,
    Suspend(Suspension),
}

impl Known {
    /// Who is named may be somebody else by now, so nobody is made an admin before a sign-in says who it is.
    fn is_admin_no_longer(&self, app: &App) -> bool {
        self.user.is_site_admin && !self.may_administer(app)
    }

    fn is_changed_by_lists(&self, app: &App, now: Millis) -> bool {
        self.is_admin_no_longer(app) || self.verdict(app, Why::Lists, now) != Verdict::Stays
    }

    fn verdict(&self, app: &App, why: Why, now: Millis) -> Verdict {
        let user = &self.user;
        if let Some(reason) = self.admitted(app, |m| !memberships::is_stale(m, now)) {
            let is_back = why == Why::Lists && user.suspended_because == Some(Suspension::Lists);
            return if is_back || user.admitted_by.is_none() { Verdict::LetIn(reason) } else { Verdict::Stays };
        }
        let because = if self.admitted(app, |_| true).is_some() {
            Suspension::Unanswered
        } else if self.may_be_member(app) {
            match user.admitted_at {
                None => return Verdict::Unknown,
                Some(since) if now - since < PATIENCE => return Verdict::Stays,
                Some(_) => Suspension::Unanswered,
            }
        } else if why == Why::Lists {
            Suspension::Lists
        } else {
            Suspension::Left
        };
        // Only the end for good goes further than what is suspended already.
        let is_new = user.suspended_at.is_none();
        let is_worse = because == Suspension::Left && user.suspended_because != Some(Suspension::Left);
        if is_new || is_worse { Verdict::Suspend(because) } else { Verdict::Stays }
    }
}

/// Looks at one person anew; what ended with the right to sign in, when that ended for good.
pub(super) async fn settle(app: &App, tx: &Tx, user_id: Uuid, why: Why) -> Result<Option<Lost>> {
    let Some(known) = known(app, tx, user_id).await? else { return Ok(None) };
    let (now, user) = (app.clock.now(), &known.user);
    if why == Why::Lists && known.is_admin_no_longer(app) {
        db::users::set_site_admin(tx, user.id, false).await?;
        note(app, tx, user, "user.site_admin_ended", json!({"because": Suspension::Lists})).await?;
    }
    match known.verdict(app, why, now) {
        Verdict::Stays => {}
        Verdict::LetIn(reason) => {
            if why == Why::Lists && user.suspended_because == Some(Suspension::Lists) {
                db::users::set_suspended(tx, user.id, None).await?;
                note(app, tx, user, "user.let_in_again", json!({"reason": reason})).await?;
            }
            if user.admitted_by.is_none() {
                db::users::set_admitted(tx, user.id, Some(reason), user.admitted_at.unwrap_or(now)).await?;
            }
        }
        Verdict::Unknown => db::users::set_admitted(tx, user.id, None, now).await?,
        Verdict::Suspend(because) => return suspend(app, tx, user, because).await,
    }
    Ok(None)
}

/// Writes down what ends, and then ends it.
async fn suspend(app: &App, tx: &Tx, user: &rows::User, because: Suspension) -> Result<Option<Lost>> {
    let now = app.clock.now();
    let lost = held_by(app, tx, user.id).await?;
    note(
        app,
        tx,
        user,
        "user.suspended",
        json!({"because": because, "sessions": lost.sessions, "tokens": lost.tokens}),
    )
    .await?;
    db::users::set_suspended(tx, user.id, Some((now, because))).await?;
    if because != Suspension::Unanswered {
        db::sessions::delete_of_user(tx, user.id).await?;
    }
    tracing::info!(user.id = %user.id, "{} is suspended until the next sign-in ({because})", user.name);
    if because != Suspension::Left {
        return Ok(None);
    }
    for token in db::tokens::of_user(tx, user.id).await?.iter().filter(|t| t.revoked_at.is_none()) {
        db::tokens::revoke(tx, token.id, now).await?;
    }
    Ok(Some(lost))
}

/// Sessions and tokens that work now.
async fn held_by(app: &App, c: &impl db::Ask, user_id: Uuid) -> Result<Lost> {
    let now = app.clock.now();
    let sessions = db::sessions::of_user(c, user_id).await?.into_iter().filter(|s| s.expires_at > now);
    let tokens = db::tokens::of_user(c, user_id).await?.into_iter();
    let tokens = tokens.filter(|t| t.revoked_at.is_none() && t.expires_at.is_none_or(|end| end > now));
    Ok(Lost {
        sessions: sessions.map(|s| s.user_agent.unwrap_or_else(|| "a browser".into())).collect(),
        tokens: tokens.map(|t| format!("{} ({}…)", t.name, t.prefix)).collect(),
    })
}

/// What somebody would lose if this membership did not count; `None` when another reason lets the person in.
pub(super) async fn would_lose(app: &App, row: &rows::Membership) -> Result<Option<Lost>> {
    let Some(known) = known(app, &app.db, row.user_id).await? else { return Ok(None) };
    let is_other = |m: &rows::Membership| m.id != row.id;
    if known.user.suspended_at.is_some() || known.admitted(app, is_other).is_some() || known.may_be_member(app) {
        return Ok(None);
    }
    held_by(app, &app.db, row.user_id).await.map(Some)
}

async fn note(app: &App, tx: &Tx, user: &rows::User, kind: &'static str, body: serde_json::Value) -> Result<()> {
    let subject = user.name.clone();
    let event = NewEvent { kind, namespace_id: None, repository_id: None, subject, cause: None, body };
    db::events::add(tx, &Principal::SYSTEM, event, app.clock.now()).await
}
