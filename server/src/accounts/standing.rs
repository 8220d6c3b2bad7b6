//! Whether people who are here may still be: by the operator's lists at each start, and by what the forge says of them.
//!
//! A sign-in asks anew and lifts every suspension, so nothing here is for ever.

use super::admission::{self, Asker, Organization};
use super::memberships::{self, PATIENCE};
use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, MembershipState, Suspension, Tx, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde::{Deserialize, Serialize};
use serde_json::json;
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

/// Applies the operator's lists to everybody who came: a name that was taken off them is shut out, also if the person
/// never comes back.
pub async fn at_start(app: &App) -> Result<()> {
    let Some(forge_url) = app.config.github.as_ref().map(crate::config::GitHub::identity_url) else { return Ok(()) };
    let tx = app.db.begin().await?;
    for identity in db::users::with_identity(&tx, &forge_url).await? {
        settle(app, &tx, identity.user_id, Why::Lists).await?;
    }
    tx.commit().await
}

/// As `at_start`, for those of whom nobody knows why they were let in: they came before that was written down.
pub(super) async fn of_unknown(app: &App) -> Result<()> {
    let Some(forge_url) = app.config.github.as_ref().map(crate::config::GitHub::identity_url) else { return Ok(()) };
    let tx = app.db.begin().await?;
    for user_id in db::users::of_unknown_admission(&tx, &forge_url).await? {
        settle(app, &tx, user_id, Why::Lists).await?;
    }
    tx.commit().await
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

impl Known {
    /// Why the person may sign in, with those of the memberships that count.
    fn admitted(&self, app: &App, counts: impl Fn(&rows::Membership) -> bool) -> Option<admission::Reason> {
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

/// Looks at one person anew; what ended with the right to sign in, when that ended for good.
pub(super) async fn settle(app: &App, tx: &Tx, user_id: Uuid, why: Why) -> Result<Option<Lost>> {
    let Some(known) = known(app, tx, user_id).await? else { return Ok(None) };
    let (now, user) = (app.clock.now(), &known.user);
    // Who is named may be somebody else by now, so nobody is made an admin before a sign-in says who it is.
    if why == Why::Lists && user.is_site_admin && !known.may_administer(app) {
        db::users::set_site_admin(tx, user.id, false).await?;
        note(app, tx, user, "user.site_admin_ended", json!({"because": Suspension::Lists})).await?;
    }
    if let Some(reason) = known.admitted(app, |m| !memberships::is_stale(m, now)) {
        if why == Why::Lists && user.suspended_because == Some(Suspension::Lists) {
            db::users::set_suspended(tx, user.id, None).await?;
            note(app, tx, user, "user.let_in_again", json!({"reason": reason})).await?;
        }
        if user.admitted_by.is_none() {
            db::users::set_admitted(tx, user.id, Some(reason), user.admitted_at.unwrap_or(now)).await?;
        }
        return Ok(None);
    }
    let because = if known.admitted(app, |_| true).is_some() {
        Suspension::Unanswered
    } else if known.may_be_member(app) {
        match user.admitted_at {
            None => return db::users::set_admitted(tx, user.id, None, now).await.map(|()| None),
            Some(since) if now - since < PATIENCE => return Ok(None),
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
    if is_new || is_worse { suspend(app, tx, user, because).await } else { Ok(None) }
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
