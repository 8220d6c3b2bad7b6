//! From an account at the forge to a person here.
//!
//! Identity is the forge's address and numeric id, never a name or an e-mail: a new account is a new person.

use super::admission::{self, Asker, Organization, Reason};
use super::oauth::{Account, Granted};
use crate::app::App;
use crate::db::events::NewEvent;
use crate::db::{self, ConnectionState, Tx, rows};
use crate::error::{Error, Result};
use crate::jobs;
use crate::names::NamespaceName;
use crate::policy::{Bound, Principal, Who};
use crate::secrets::Place;
use serde_json::json;
use uuid::Uuid;

/// Somebody who came back from the forge.
pub(super) struct Arrival<'a> {
    pub(super) forge_url: &'a str,
    pub(super) account: &'a Account,
    pub(super) granted: &'a Granted,
    pub(super) organizations: &'a [Organization],
    pub(super) invite_hash: Option<&'a str>,
}

/// The person that an account belongs to, made when it is new; `None` and nothing stored when it may not sign in.
pub(super) async fn arrive(app: &App, arrival: &Arrival<'_>) -> Result<Option<Uuid>> {
    // Two first sign-ins at once take name and account from each other; the second look finds what the other one made.
    for _ in 0..3 {
        match let_in(app, arrival).await {
            Err(Error::Conflict(_)) => {}
            other => return other,
        }
    }
    let_in(app, arrival).await
}

async fn let_in(app: &App, arrival: &Arrival<'_>) -> Result<Option<Uuid>> {
    let (now, account) = (app.clock.now(), arrival.account);
    let remote_id = account.id.to_string();
    let tx = app.db.begin().await?;
    let known = db::users::find_identity(&tx, arrival.forge_url, &remote_id).await?;
    let earlier = match &known {
        Some(identity) => db::users::invites_used_by(&tx, identity.user_id).await?,
        None => Vec::new(),
    };
    let invite = match arrival.invite_hash {
        Some(hash) => db::users::find_open_invite(&tx, hash, now).await?,
        None => None,
    };
    let asker = Asker {
        login: &account.login,
        remote_id: &remote_id,
        organizations: arrival.organizations,
        has_invite: invite.is_some(),
        was_invited: !earlier.is_empty(),
    };
    let Some(reason) = admission::admit(&app.config.sign_in, &asker) else { return Ok(None) };
    let (user, identity) = match known {
        Some(identity) => match renamed(&tx, identity, &account.login, now).await? {
            Some(found) => found,
            None => return Ok(None),
        },
        None => newcomer(app, &tx, arrival).await?,
    };
    // Before the person, whose row a daily look locks last.
    let mut organizations: Vec<_> = arrival.organizations.iter().map(|o| (&*o.id, &*o.login)).collect();
    organizations.sort_unstable();
    for known in organizations {
        db::memberships::confirm(&tx, user.id, arrival.forge_url, known, now).await?;
    }
    let is_admin = reason == Reason::SiteAdmin || invite.iter().chain(&earlier).any(|i| i.makes_site_admin);
    if is_admin != user.is_site_admin {
        db::users::set_site_admin(&tx, user.id, is_admin).await?;
    }
    if let (Some(hash), Some(_)) = (arrival.invite_hash, invite)
        && !db::users::use_invite(&tx, hash, user.id, now).await?
    {
        // Somebody else was faster with the same link.
        return Ok(None);
    }
    // Whatever was suspended, the forge has just said who this is.
    db::users::set_admitted(&tx, user.id, Some(reason), now).await?;
    db::users::set_suspended(&tx, user.id, None).await?;
    keep_permission(app, &tx, &user, &identity, arrival.granted).await?;
    tx.commit().await?;
    tracing::info!(user.id = %user.id, "{} signed in as `{}` ({reason:?})", account.login, user.name);
    Ok(Some(user.id))
}

/// Whether membership in an organisation makes no difference.
pub(super) async fn is_admitted_without_organizations(app: &App, forge_url: &str, account: &Account) -> Result<bool> {
    let remote_id = account.id.to_string();
    let was_invited = match db::users::find_identity(&app.db, forge_url, &remote_id).await? {
        Some(identity) => !db::users::invites_used_by(&app.db, identity.user_id).await?.is_empty(),
        None => false,
    };
    let asker = Asker { login: &account.login, remote_id: &remote_id, was_invited, ..Asker::default() };
    Ok(admission::admit(&app.config.sign_in, &asker).is_some())
}

/// Follows a rename at the forge; `None` when the operator disabled the person.
async fn renamed(
    tx: &Tx,
    identity: rows::Identity,
    login: &str,
    now: i64,
) -> Result<Option<(rows::User, rows::Identity)>> {
    let Some(user) = db::users::find(tx, identity.user_id).await?.filter(|u| u.disabled_at.is_none()) else {
        return Ok(None);
    };
    if identity.login != login {
        db::users::set_login(tx, identity.id, login, now).await?;
    }
    Ok(Some((user, identity)))
}

async fn newcomer(app: &App, tx: &Tx, arrival: &Arrival<'_>) -> Result<(rows::User, rows::Identity)> {
    let (account, now) = (arrival.account, app.clock.now());
    let user = rows::User {
        id: Uuid::now_v7(),
        name: free_name(tx, &account.login).await?,
        display_name: account.name.clone(),
        is_site_admin: false,
        created_at: now,
        disabled_at: None,
        admitted_by: None,
        admitted_at: None,
        suspended_at: None,
        suspended_because: None,
    };
    let user = db::users::insert(tx, user).await?;
    let identity = rows::Identity {
        id: Uuid::now_v7(),
        user_id: user.id,
        forge: "github".into(),
        forge_url: arrival.forge_url.to_owned(),
        remote_id: account.id.to_string(),
        login: account.login.clone(),
        created_at: now,
        updated_at: now,
    };
    let identity = db::users::insert_identity(tx, identity).await?;
    note(app, tx, &user, "user.created", json!({"login": account.login, "forge": arrival.forge_url})).await?;
    Ok((user, identity))
}

/// The nearest free name to a login: `mona`, `mona-2`, …
pub(super) async fn free_name(tx: &Tx, login: &str) -> Result<String> {
    let near = NamespaceName::near(login);
    let mut name = near.as_str().to_owned();
    let mut n = 2;
    while db::users::find_by_name(tx, &name).await?.is_some() {
        let suffix = format!("-{n}");
        // A name has at most 64 characters, and is plain ASCII.
        let room = near.as_str().len().min(64 - suffix.len());
        name = format!("{}{suffix}", near.as_str()[..room].trim_end_matches('-'));
        n += 1;
    }
    Ok(name)
}

/// Keeps the newest token that reaches repositories. One that only tells who somebody is has done its work, and is
/// forgotten: so a sign-in never puts a poorer token in the place of a richer one. The forge's list is asked for each time,
/// because it decides what private code the person may know of.
async fn keep_permission(
    app: &App,
    tx: &Tx,
    user: &rows::User,
    identity: &rows::Identity,
    granted: &Granted,
) -> Result<()> {
    let stored = db::users::connection_of_identity(tx, identity.id).await?;
    if !granted.scopes.iter().any(|s| s == "repo") {
        return match stored.filter(|c| c.state == ConnectionState::Active) {
            Some(stored) => jobs::list_repositories(app, tx, stored.id).await,
            None => Ok(()),
        };
    }
    let (now, scopes) = (app.clock.now(), granted.scopes.join(" "));
    let id = stored.as_ref().map_or_else(Uuid::now_v7, |c| c.id);
    let place = Place { table: "connection", column: "token_encrypted", row: id };
    let sealed = app.master_key.seal_text(place, &granted.token);
    if stored.is_some() {
        db::users::replace_connection_token(tx, id, &scopes, sealed, now).await?;
    } else {
        let row = rows::Connection {
            id,
            identity_id: identity.id,
            scopes: scopes.clone(),
            token_encrypted: sealed,
            state: ConnectionState::Active,
            state_detail: None,
            listed_at: None,
            listing_error: None,
            created_at: now,
            updated_at: now,
        };
        db::users::insert_connection(tx, row).await?;
    }
    note(app, tx, user, "connection.made", json!({"scopes": scopes, "again": stored.is_some()})).await?;
    jobs::list_repositories(app, tx, id).await
}

async fn note(app: &App, tx: &Tx, user: &rows::User, kind: &'static str, body: serde_json::Value) -> Result<()> {
    let who = Who::User { id: user.id, name: user.name.clone(), is_site_admin: user.is_site_admin };
    let event =
        NewEvent { kind, namespace_id: None, repository_id: None, subject: user.name.clone(), cause: None, body };
    db::events::add(tx, &Principal { who, bound: Bound::None }, event, app.clock.now()).await
}
