//! GitHub's JSON, as far as we read it.

use super::{Addresses, Commit, Membership, Owner, RemoteRepository};
use crate::clock::Millis;
use crate::db::NamespaceKind;
use crate::names::CommitHash;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize)]
pub(super) struct AccountShape {
    id: u64,
    login: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
pub(super) struct MembershipShape {
    role: String,
    organization: AccountShape,
}

#[derive(Deserialize)]
pub(super) struct RepositoryShape {
    id: u64,
    name: String,
    full_name: String,
    owner: AccountShape,
    private: bool,
    html_url: String,
    clone_url: String,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default)]
    pushed_at: Option<String>,
    #[serde(default)]
    permissions: Permissions,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Permissions {
    admin: bool,
}

#[derive(Deserialize)]
pub(super) struct RefShape {
    pub(super) name: String,
    pub(super) commit: Sha,
}

#[derive(Deserialize)]
pub(super) struct Sha {
    pub(super) sha: String,
}

#[derive(Deserialize)]
pub(super) struct GitRefShape {
    pub(super) object: Sha,
}

#[derive(Deserialize)]
pub(super) struct BranchShape {
    pub(super) commit: CommitShape,
}

#[derive(Deserialize)]
pub(super) struct CommitShape {
    sha: String,
    commit: CommitBody,
}

#[derive(Deserialize)]
struct CommitBody {
    message: String,
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct TreeShape {
    pub(super) tree: Vec<TreeEntry>,
    #[serde(default)]
    pub(super) truncated: bool,
}

#[derive(Deserialize)]
pub(super) struct TreeEntry {
    pub(super) path: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
pub(super) struct HookShape {
    pub(super) id: u64,
    #[serde(default)]
    pub(super) config: HookConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct HookConfig {
    pub(super) url: String,
}

impl From<MembershipShape> for Membership {
    fn from(shape: MembershipShape) -> Self {
        // GitHub calls the owners of an organisation `admin`.
        let (id, login) = (shape.organization.id.to_string(), shape.organization.login);
        Self { id, login, is_owner: shape.role == "admin" }
    }
}

impl RepositoryShape {
    /// Links must be web addresses of this forge, or they are made from the name.
    pub(super) fn at(self, forge_url: &str) -> RemoteRepository {
        let place = Addresses::of(forge_url, self.full_name, &self.html_url, &self.clone_url);
        RemoteRepository {
            html_url: place.html_url,
            clone_url: place.clone_url,
            id: self.id.to_string(),
            name: self.name,
            full_name: place.full_name,
            owner: Owner {
                id: self.owner.id.to_string(),
                login: self.owner.login,
                kind: if self.owner.kind == "Organization" { NamespaceKind::Organization } else { NamespaceKind::User },
            },
            is_private: self.private,
            can_admin: self.permissions.admin,
            default_branch: self.default_branch.unwrap_or_else(|| "main".to_owned()),
            pushed_at: self.pushed_at.as_deref().and_then(millis),
        }
    }
}

impl CommitShape {
    /// `None` when the hash is none.
    pub(super) fn facts(self) -> Option<Commit> {
        let hash: CommitHash = self.sha.parse().ok()?;
        let author = self.commit.author.and_then(|a| a.name).unwrap_or_default();
        Some(Commit { hash, message: self.commit.message, author })
    }
}

fn millis(text: &str) -> Option<Millis> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Millis::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_other_hosts_are_not_followed() {
        let shape = |clone_url: &str| {
            let text = serde_json::json!({
                "id": 7, "name": "web", "full_name": "acme/web", "private": true,
                "owner": {"id": 1, "login": "acme", "type": "Organization"},
                "html_url": "javascript:alert(1)", "clone_url": clone_url, "default_branch": "main",
                "pushed_at": "2026-11-21T08:00:00Z", "permissions": {"admin": true, "push": true},
            });
            serde_json::from_value::<RepositoryShape>(text).unwrap().at("https://github.com")
        };
        let good = shape("https://github.com/acme/web.git");
        assert_eq!(good.clone_url, "https://github.com/acme/web.git");
        assert_eq!(good.html_url, "https://github.com/acme/web");
        assert_eq!(good.owner.kind, NamespaceKind::Organization);
        assert_eq!(good.pushed_at, Some(1_795_248_000_000));
        for bad in ["https://github.com.evil.example/acme/web.git", "file:///etc", "https://evil.example/x.git"] {
            assert_eq!(shape(bad).clone_url, "https://github.com/acme/web.git", "{bad}");
        }
    }
}
