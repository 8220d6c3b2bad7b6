//! People: how they sign in, who may, and the tokens they make.

pub mod admission;
pub mod invites;
pub mod memberships;
pub mod oauth;
mod people;
pub mod sign_in;
pub mod standing;
pub mod tokens;

#[cfg(test)]
mod tests;

use crate::app::App;
use crate::db;
use crate::error::Result;
use uuid::Uuid;

/// What a person is called here.
pub async fn name_of(app: &App, user_id: Uuid) -> Result<Option<String>> {
    Ok(db::users::find(&app.db, user_id).await?.map(|user| user.name))
}
