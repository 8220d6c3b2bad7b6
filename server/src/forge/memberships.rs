//! Who is in an organisation. Accounts and organisations are known by their ids, and asked for by the names that the forge
//! has for them now: names are given up, and taken by others.
//!
//! `NotFound` is a "no" only where the caller has seen that its token is heard there at all.

use super::Forge;
use super::rest::escaped_whole;
use crate::error::ForgeError;
use serde::Deserialize;

/// What an account is in an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InOrganization {
    pub organization_id: String,
    pub organization_login: String,
    /// Not only invited.
    pub is_active: bool,
    pub is_owner: bool,
    /// Whose membership it is.
    pub account_id: String,
}

#[derive(Deserialize)]
struct AccountShape {
    id: u64,
    login: String,
}

#[derive(Deserialize)]
struct Shape {
    state: String,
    role: String,
    organization: AccountShape,
    user: AccountShape,
}

impl From<Shape> for InOrganization {
    fn from(shape: Shape) -> Self {
        Self {
            organization_id: shape.organization.id.to_string(),
            organization_login: shape.organization.login,
            is_active: shape.state == "active",
            is_owner: shape.state == "active" && shape.role == "admin",
            account_id: shape.user.id.to_string(),
        }
    }
}

type Result<T> = std::result::Result<T, ForgeError>;

impl Forge {
    /// What the token's own account is in an organisation.
    pub async fn own_membership(&self, organization: &str) -> Result<InOrganization> {
        let path = format!("/user/memberships/orgs/{}", escaped_whole(organization));
        Ok(self.client.get(&path, None).await?.json::<Shape>()?.into())
    }

    /// What somebody is in an organisation that the token's account is in.
    pub async fn membership_of(&self, organization: &str, login: &str) -> Result<InOrganization> {
        let path = format!("/orgs/{}/memberships/{}", escaped_whole(organization), escaped_whole(login));
        Ok(self.client.get(&path, None).await?.json::<Shape>()?.into())
    }

    /// What an organisation is called now.
    pub async fn organization_login(&self, id: &str) -> Result<String> {
        self.login_at("organizations", id).await
    }

    /// What a person is called now.
    pub async fn account_login(&self, id: &str) -> Result<String> {
        self.login_at("user", id).await
    }

    async fn login_at(&self, kind: &str, id: &str) -> Result<String> {
        let found: AccountShape = self.client.get(&format!("/{kind}/{}", escaped_whole(id)), None).await?.json()?;
        if found.id.to_string() == id {
            return Ok(found.login);
        }
        Err(ForgeError::Unreachable("it answered with another account than was asked for".into()))
    }
}
