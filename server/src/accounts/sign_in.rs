//! The round trip of a sign-in: out to the forge, and back with a code.
//!
//! A state is bound to the browser that started, lives ten minutes and is good for one callback; PKCE ties the code to us.

mod purpose;

pub use purpose::Purpose;

use super::admission::Organization;
use super::memberships;
use super::oauth::{self, Account, Granted};
use super::people::{self, Arrival};
use crate::app::App;
use crate::clock::MINUTE;
use crate::config::GitHub;
use crate::db::{self, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{self, Forge};
use crate::secrets::{self, Place, Secret};
use std::time::Duration;
use url::Url;
use uuid::Uuid;

/// How long a person may take at the forge.
pub const LIFETIME: i64 = 10 * MINUTE;

/// For all organisations that a sign-in asks for.
const WAIT: Duration = Duration::from_secs(20);

/// Where to send the browser, and what it must bring back.
#[derive(Debug)]
pub struct Started {
    pub location: Url,
    pub browser: Secret,
}

/// What the forge sent the browser back with.
#[derive(Debug, Default)]
pub struct Answer {
    pub code: Option<String>,
    pub state: Option<String>,
    /// `access_denied`, …
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// How a round trip ended.
#[derive(Debug)]
pub enum Outcome {
    In {
        user_id: Uuid,
        next: String,
    },
    /// Nothing was stored. `next` is where the person wanted to go, when that is known.
    Refused {
        problem: Problem,
        next: String,
    },
}

/// Why a sign-in did not work; each has its own way on.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// The person said no at the forge.
    Denied,
    /// The state is unknown, used, too old, or of another browser.
    Stale,
    NotAllowed {
        login: String,
    },
    /// Not known to be a member: an organisation whose members may sign in keeps this app out. `url` is where people
    /// ask for its approval.
    NotApproved {
        login: String,
        url: String,
    },
    /// Somebody who is signed in connected the account of another person.
    OtherAccount {
        login: String,
        signed_in: String,
    },
    ForgeDown {
        reason: String,
    },
    Refused {
        reason: String,
    },
}

/// The OAuth App that the operator set up.
fn github(app: &App) -> Result<&GitHub> {
    app.config.github.as_ref().ok_or_else(|| {
        Error::Unavailable(
            "sign-in is not set up: the operator must set `github.client_id` and `github.client_secret`".into(),
        )
    })
}

/// Notes a round trip and tells where it goes. `next` is a path of ours, already checked.
/// `before` is what the browser brought from an earlier try: a one-time link that it came with is not lost.
pub async fn start(
    app: &App,
    purpose: Purpose,
    next: String,
    invite: Option<&str>,
    before: Option<&str>,
) -> Result<Started> {
    let github = github(app)?;
    let (state, verifier, browser) = (secrets::new_token(""), secrets::new_token(""), secrets::new_token(""));
    // Also where only roles rest on an organisation: each sign-in asks about that one too.
    let asks_organizations = !app.config.sign_in.organizations.is_empty() || db::memberships::any(&app.db).await?;
    let scopes = purpose.scopes(asks_organizations);
    let location = oauth::authorize_url(app, github, &state, &verifier, scopes)?;
    let (id, now) = (Uuid::now_v7(), app.clock.now());
    let invite_hash = match (invite, before) {
        (Some(invite), _) => Some(secrets::hash(invite)),
        (None, Some(before)) => db::sessions::invite_of_browser(&app.db, &secrets::hash(before), now).await?,
        (None, None) => None,
    };
    let row = rows::SignIn {
        id,
        state_hash: secrets::hash(state.reveal()),
        browser_hash: secrets::hash(browser.reveal()),
        verifier_encrypted: app.master_key.seal_text(verifier_place(id), &verifier),
        purpose: purpose.as_str().to_owned(),
        next,
        invite_hash,
        created_at: now,
        expires_at: now + LIFETIME,
        used_at: None,
    };
    let tx = app.db.begin().await?;
    db::sessions::insert_sign_in(&tx, row).await?;
    tx.commit().await?;
    Ok(Started { location, browser })
}

fn verifier_place(row: Uuid) -> Place {
    Place { table: "sign_in", column: "verifier_encrypted", row }
}

/// Ends a round trip. `browser` is the cookie's value, `signed_in` who the browser already is.
pub async fn finish(app: &App, answer: Answer, browser: Option<&str>, signed_in: Option<Uuid>) -> Result<Outcome> {
    let Some(row) = take(app, answer.state.as_deref(), browser).await? else {
        return Ok(Outcome::Refused { problem: Problem::Stale, next: "/".into() });
    };
    let next = row.next.clone();
    match complete(app, answer, row, signed_in).await {
        Ok(Ok(user_id)) => Ok(Outcome::In { user_id, next }),
        Ok(Err(problem)) => Ok(Outcome::Refused { problem, next }),
        Err(Error::Forge(error)) => Ok(Outcome::Refused { problem: of_forge(error), next }),
        Err(other) => Err(other),
    }
}

/// The round trip that a state belongs to. Its state is used up even when the browser is the wrong one.
async fn take(app: &App, state: Option<&str>, browser: Option<&str>) -> Result<Option<rows::SignIn>> {
    let Some(state) = state else { return Ok(None) };
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let row = db::sessions::take_sign_in(&tx, &secrets::hash(state), now).await?;
    tx.commit().await?;
    let browser = browser.map(secrets::hash);
    Ok(row.filter(|row| row.expires_at > now && Some(&row.browser_hash) == browser.as_ref()))
}

async fn complete(
    app: &App,
    answer: Answer,
    row: rows::SignIn,
    signed_in: Option<Uuid>,
) -> Result<Result<Uuid, Problem>> {
    let code = match (answer.error.as_deref(), answer.code) {
        (Some("access_denied"), _) => return Ok(Err(Problem::Denied)),
        (Some(error), _) => {
            let reason = answer.error_description.unwrap_or_else(|| error.to_owned());
            return Ok(Err(Problem::Refused { reason }));
        }
        (None, None) => return Ok(Err(Problem::Stale)),
        (None, Some(code)) => code,
    };
    let github = github(app)?;
    let verifier = app.master_key.open_text(verifier_place(row.id), &row.verifier_encrypted)?;
    let granted = oauth::exchange(app, github, code, &verifier).await?;
    let account = oauth::account_of(app, github, &granted.token).await?;
    let forge_url = github.identity_url();
    if row.purpose == Purpose::Connect.as_str()
        && let Some(problem) = other_account(app, &forge_url, &account, signed_in).await?
    {
        return Ok(Err(problem));
    }
    let asking = organizations(app, &granted, &account, &forge_url);
    let (organizations, unsaid) = forge::within(WAIT, asking).await?;
    let arrival = Arrival {
        forge_url: &forge_url,
        account: &account,
        granted: &granted,
        organizations: &organizations,
        invite_hash: row.invite_hash.as_deref(),
    };
    let user_id = people::arrive(app, &arrival).await?;
    // Who is refused may have rights from before.
    let known = db::users::find_identity(&app.db, &forge_url, &account.id.to_string()).await?;
    if let Some(known) = known {
        memberships::at_sign_in(app, known.user_id, &granted.token).await?;
    }
    let login = account.login;
    Ok(user_id.ok_or_else(|| match unsaid {
        None => Problem::NotAllowed { login },
        Some(ForgeError::NotApproved) => {
            Problem::NotApproved { login, url: crate::forge::approval_page(&forge_url, &github.client_id) }
        }
        Some(other) => of_forge(other),
    }))
}

/// Accounts are never linked: who connects must come back as the person that the browser already is.
async fn other_account(
    app: &App,
    forge_url: &str,
    account: &Account,
    signed_in: Option<Uuid>,
) -> Result<Option<Problem>> {
    let Some(user_id) = signed_in else { return Ok(None) };
    let known = db::users::find_identity(&app.db, forge_url, &account.id.to_string()).await?;
    if known.is_some_and(|identity| identity.user_id == user_id) {
        return Ok(None);
    }
    let user = db::users::find(&app.db, user_id).await?;
    let signed_in = user.map(|u| u.name).unwrap_or_default();
    Ok(Some(Problem::OtherAccount { login: account.login.clone(), signed_in }))
}

/// The configured organisations that the account is a member of, asked only when nothing else lets it in; and why the
/// forge did not say it of another one.
async fn organizations(
    app: &App,
    granted: &Granted,
    account: &Account,
    forge_url: &str,
) -> Result<(Vec<Organization>, Option<ForgeError>)> {
    if people::is_admitted_without_organizations(app, forge_url, account).await? {
        return Ok((Vec::new(), None));
    }
    let forge = Forge::with_token(app, &granted.token)?;
    let (mut found, mut unsaid) = (Vec::new(), None);
    for word in &app.config.sign_in.organizations {
        match membership(&forge, word).await {
            Ok(Some(organization)) => found.push(organization),
            Err(error @ ForgeError::Unreachable(_)) => return Err(error.into()),
            // The one that a person can do something about is told first.
            Err(error) if unsaid.is_none() || matches!(error, ForgeError::NotApproved) => {
                unsaid = Some(error);
            }
            Ok(None) | Err(_) => {}
        }
    }
    Ok((found, unsaid))
}

/// The organisation that a word of the operator names, if the account is an active member of it.
async fn membership(forge: &Forge, word: &str) -> Result<Option<Organization>, ForgeError> {
    let id = word.strip_prefix("id:");
    let name = match id {
        Some(id) => forge.organization_login(id).await?,
        None => word.to_owned(),
    };
    match forge.own_membership(&name).await {
        Ok(found) if found.is_active && id.is_none_or(|id| id == found.organization_id) => {
            Ok(Some(Organization { id: found.organization_id, login: found.organization_login }))
        }
        Ok(_) | Err(ForgeError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_forge(error: ForgeError) -> Problem {
    match error {
        ForgeError::Refused(reason) => Problem::Refused { reason },
        ForgeError::Unreachable(reason) => Problem::ForgeDown { reason },
        other => Problem::Refused { reason: other.to_string() },
    }
}
