//! Checking the tokens that people and builds bring.

use crate::app::App;
use crate::db::{self, rows};
use crate::error::{Error, Result};
use crate::policy::{Bound, Principal, Scope, Who};
use crate::secrets;
use std::net::IpAddr;
use uuid::Uuid;

/// Prefix of personal access tokens.
pub const PERSONAL: &str = "slp_";
/// Prefix of the tokens of attempts.
pub const ATTEMPT: &str = "sla_";

fn refused() -> Error {
    Error::Unauthorized("the token is unknown, has expired or was revoked; make a new one on /settings/tokens".into())
}

/// A personal access token that is good now.
pub async fn find_personal(app: &App, token: &str, address: IpAddr) -> Result<rows::Token> {
    let found = db::tokens::find_by_hash(&app.db, &secrets::hash(token)).await?;
    let Some(row) = found.filter(|t| is_good(app, t)) else {
        app.limits.wrong_credential(address)?;
        return Err(refused());
    };
    note_use(app, &row, address).await?;
    Ok(row)
}

fn is_good(app: &App, token: &rows::Token) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|end| end > app.clock.now())
}

// Last use is shown to the minute: one write a minute for each token, not one a request.
async fn note_use(app: &App, token: &rows::Token, address: IpAddr) -> Result<()> {
    let now = app.clock.now();
    if token.used_at.is_some_and(|at| now - at < crate::clock::MINUTE) {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    db::tokens::note_use(&tx, token.id, now, &address.to_string()).await?;
    tx.commit().await
}

/// The principal of a personal token, looked up again: a revoked token, or a person who is disabled or suspended, is refused.
pub async fn principal_of_token(app: &App, id: Uuid) -> Result<Principal> {
    let token = db::tokens::find(&app.db, id).await?.filter(|t| is_good(app, t)).ok_or_else(refused)?;
    let user = db::users::find(&app.db, token.user_id).await?.filter(rows::User::may_act).ok_or_else(refused)?;
    Ok(Principal {
        who: Who::User { id: user.id, name: user.name, is_site_admin: user.is_site_admin },
        bound: Bound::Scopes(Scope::parse_list(&token.scopes)),
    })
}

/// The principal of an attempt whose token this is, while the attempt is the present one of its build.
pub async fn find_attempt(app: &App, token: &str, address: IpAddr) -> Result<(Uuid, Principal)> {
    let found = db::builds::find_attempt_by_token(&app.db, &secrets::hash(token)).await?;
    let Some(attempt) = found.filter(|attempt| attempt.ended_at.is_none()) else {
        app.limits.wrong_credential(address)?;
        return Err(Error::Unauthorized("the token of this attempt is unknown, or the attempt has ended".into()));
    };
    let principal = principal_of_attempt(app, attempt.id).await?;
    Ok((attempt.id, principal))
}

/// Looked up again with each request: an attempt that ended can do nothing.
pub async fn principal_of_attempt(app: &App, attempt_id: Uuid) -> Result<Principal> {
    let ended = || Error::Unauthorized("this attempt of the build has ended".into());
    let attempt =
        db::builds::find_attempt(&app.db, attempt_id).await?.filter(|a| a.ended_at.is_none()).ok_or_else(ended)?;
    let build = db::builds::find(&app.db, attempt.build_id).await?.ok_or_else(ended)?;
    let repository = db::repositories::find(&app.db, build.repository_id).await?.ok_or_else(ended)?;
    Ok(Principal {
        who: Who::Build {
            attempt_id,
            build_id: build.id,
            repository_id: repository.id,
            namespace_id: repository.namespace_id,
            protection: attempt.protection,
            bases: db::bases::ids(&app.db, repository.id).await?,
        },
        bound: Bound::None,
    })
}
