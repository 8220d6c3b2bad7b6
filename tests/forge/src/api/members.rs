//! Who is in an organisation, asked by one of its members, and accounts by their number.

use actix_web::{HttpResponse, http::StatusCode};

use super::{
    Call, Reply,
    error::{ApiError, not_found},
    organizations::{self, NEEDS_SCOPE},
    shapes,
    user::may_read_organizations,
};
use crate::model::Account;

/// `GET /orgs/{org}/memberships/{login}`
pub(crate) async fn membership(call: Call) -> Reply {
    let asker = may_read_organizations(&call, NEEDS_SCOPE)?;
    let body = call.app.read(|state| {
        let org = state.account_named(&call.parts.org).filter(|found| found.organization).ok_or_else(not_found)?;
        organizations::let_in(&call, org)?;
        if !org.members.contains_key(&asker) {
            let message = format!("You must be a member of {} to see membership information.", org.login);
            return Err(ApiError::new(StatusCode::FORBIDDEN, &message));
        }
        let person = state.account_named(&call.parts.login).ok_or_else(not_found)?;
        organizations::membership(&call.app, org, person).ok_or_else(not_found)
    })?;
    Ok(call.json(&body))
}

/// `GET /orgs/{org}/members/{login}`: 204 for a member, 302 for those outside, who may see the public ones only.
pub(crate) async fn is_member(call: Call) -> Reply {
    let asker = call.caller.as_ref().map(|caller| caller.person);
    let (is_asker, is_member) = call.app.read(|state| {
        let org = state.account_named(&call.parts.org).filter(|found| found.organization).ok_or_else(not_found)?;
        organizations::let_in(&call, org)?;
        let person = state.account_named(&call.parts.login).ok_or_else(not_found)?;
        let is_asker = asker.is_some_and(|asker| org.members.contains_key(&asker));
        Ok::<_, ApiError>((is_asker, org.members.contains_key(&person.id)))
    })?;
    if !is_asker {
        let place = call.app.api(&format!("/orgs/{}/public_members/{}", call.parts.org, call.parts.login));
        return Ok(HttpResponse::Found().insert_header(("location", place)).finish());
    }
    if is_member { Ok(HttpResponse::NoContent().finish()) } else { Err(not_found()) }
}

/// `GET /user/{id}`
pub(crate) async fn account(call: Call) -> Reply {
    by_number(&call, |account| !account.organization)
}

/// `GET /organizations/{id}`
pub(crate) async fn organization(call: Call) -> Reply {
    by_number(&call, |account| account.organization)
}

fn by_number(call: &Call, is_meant: impl Fn(&Account) -> bool) -> Reply {
    let id: u64 = call.parts.id.as_deref().and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let body = call.app.read(|state| {
        state.account(id).filter(|account| is_meant(account)).map(|account| shapes::account(&call.app, account))
    });
    Ok(call.json(&body.ok_or_else(not_found)?))
}
