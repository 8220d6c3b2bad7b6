//! The questions that we ask GitHub. Repositories are named by their id, so that a rename there changes nothing.

use super::shapes::{
    BranchShape, CommitShape, GitRefShape, HookShape, MembershipShape, RefShape, RepositoryShape, TreeShape,
};
use super::{Changed, Commit, CommitStatus, Forge, Heads, Membership, Page, RemoteRepository, StatusState, Tree};
use crate::error::ForgeError;
use crate::names::{CommitHash, RefName};
use crate::secrets::Secret;
use http::Method;
use serde_json::json;

/// The most that GitHub puts on a page.
const PAGE: usize = 100;
/// 5,000 branches and as many tags; whoever has more is served by webhooks.
const MOST_HEAD_PAGES: usize = 50;
const MOST_ORGANIZATION_PAGES: usize = 5;
/// What a hook tells of: pushes, and that code turns private or is renamed.
const EVENTS: [&str; 2] = ["push", "repository"];
/// GitHub allows 20 hooks for an event, so this is all of them.
const MOST_HOOK_PAGES: usize = 3;

type Result<T> = std::result::Result<T, ForgeError>;

impl Forge {
    /// The organisations the person is in, and with which power. Needs the scope `read:org`;
    /// organisations that have not approved the app are left out by the forge.
    pub async fn memberships(&self) -> Result<Vec<Membership>> {
        let mut all = Vec::new();
        for page in 1..=MOST_ORGANIZATION_PAGES {
            let path = format!("/user/memberships/orgs?state=active&per_page={PAGE}&page={page}");
            let items: Vec<MembershipShape> = self.client.get(&path, None).await?.json()?;
            let is_last = items.len() < PAGE;
            all.extend(items.into_iter().map(Membership::from));
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    /// Whether an organisation keeps this app out: its members are told so when they ask for it by name.
    pub async fn keeps_out(&self, organization: &str) -> Result<bool> {
        match self.client.get(&format!("/user/memberships/orgs/{}", escaped_whole(organization)), None).await {
            Ok(_) | Err(ForgeError::NotFound | ForgeError::Refused(_)) => Ok(false),
            Err(ForgeError::NotApproved) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// What the person may read, most recently pushed first; pages count from 1.
    pub async fn repositories(&self, page: usize) -> Result<Page<RemoteRepository>> {
        let path = format!(
            "/user/repos?affiliation=owner,collaborator,organization_member&sort=pushed&per_page={PAGE}&page={page}"
        );
        let items: Vec<RepositoryShape> = self.client.get(&path, None).await?.json()?;
        let is_last = items.len() < PAGE;
        Ok(Page { items: items.into_iter().map(|r| r.at(&self.url)).collect(), is_last })
    }

    pub async fn repository(&self, id: &str) -> Result<RemoteRepository> {
        Ok(self.client.get(&format!("/repositories/{id}"), None).await?.json::<RepositoryShape>()?.at(&self.url))
    }

    /// All branches and tags. With the `memory` of the last answer, no change costs nothing of the rate limit.
    pub async fn heads(&self, id: &str, memory: Option<&str>) -> Result<Changed<Heads>> {
        let known: Vec<(String, String)> = memory.and_then(|m| serde_json::from_str(m).ok()).unwrap_or_default();
        if !known.is_empty() && self.is_unchanged(&known).await? {
            return Ok(Changed::Nothing);
        }
        let mut heads = Heads { refs: Vec::new(), is_complete: true, no_tags: None, memory: String::new() };
        let mut seen = Vec::new();
        for kind in ["branches", "tags"] {
            let prefix = if kind == "branches" { "refs/heads/" } else { "refs/tags/" };
            let mut page = 1;
            // On to a page that is not full: then nothing can hide behind the last one.
            loop {
                let path = format!("/repositories/{id}/{kind}?per_page={PAGE}&page={page}");
                let reply = match self.client.get(&path, None).await {
                    // A gateway before the forge may know nothing of tags; the branches are worth having.
                    Err(error @ (ForgeError::NotFound | ForgeError::Refused(_))) if kind == "tags" => {
                        (heads.is_complete, heads.no_tags) = (false, Some(error));
                        return Ok(Changed::New(heads));
                    }
                    reply => reply?,
                };
                seen.push((path, reply.etag().unwrap_or_default().to_owned()));
                let items: Vec<RefShape> = reply.json()?;
                let is_last = items.len() < PAGE;
                heads.refs.extend(items.into_iter().filter_map(|item| parse_ref(prefix, &item)));
                page += 1;
                if is_last {
                    break;
                }
                if page > MOST_HEAD_PAGES {
                    heads.is_complete = false;
                    break;
                }
            }
        }
        // An answer without an ETag cannot be asked for conditionally.
        if seen.iter().all(|(_, etag)| !etag.is_empty()) {
            heads.memory = serde_json::to_string(&seen).expect("pairs of texts");
        }
        Ok(Changed::New(heads))
    }

    async fn is_unchanged(&self, known: &[(String, String)]) -> Result<bool> {
        for (path, etag) in known {
            match self.client.get(path, Some(etag)).await {
                Ok(reply) if reply.is_unchanged() => {}
                Ok(_) | Err(ForgeError::NotFound | ForgeError::Refused(_)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The commit at the head of a branch.
    pub async fn branch_head(&self, id: &str, branch: &str) -> Result<Commit> {
        let path = format!("/repositories/{id}/branches/{}", escaped(branch));
        let shape: BranchShape = self.client.get(&path, None).await?.json()?;
        shape.commit.facts().ok_or(ForgeError::NotFound)
    }

    /// What a ref names: a commit, or the tag object of an annotated tag. Cheaper than `branch_head`.
    pub async fn ref_target(&self, id: &str, name: &RefName) -> Result<String> {
        let short = name.as_str().trim_start_matches("refs/");
        let path = format!("/repositories/{id}/git/ref/{}", escaped(short));
        Ok(self.client.get(&path, None).await?.json::<GitRefShape>()?.object.sha)
    }

    /// Message and author of a commit. From the list: the commit itself would come with all its patches.
    pub async fn commit(&self, id: &str, hash: &CommitHash) -> Result<Commit> {
        let path = format!("/repositories/{id}/commits?sha={hash}&per_page=1");
        let items: Vec<CommitShape> = self.client.get(&path, None).await?.json()?;
        items.into_iter().next().and_then(CommitShape::facts).ok_or(ForgeError::NotFound)
    }

    /// All files at a branch or commit, with folders below folders.
    pub async fn tree(&self, id: &str, at: &str) -> Result<Tree> {
        let path = format!("/repositories/{id}/git/trees/{}", escaped_whole(at));
        let deep: TreeShape = self.client.get(&format!("{path}?recursive=1"), None).await?.json()?;
        let mut tree = Tree { is_complete: !deep.truncated, files: files_of(deep) };
        if !tree.is_complete {
            // The cut may fall anywhere; the root is what matters most.
            let mut root = files_of(self.client.get(&path, None).await?.json()?);
            root.retain(|file| !tree.files.contains(file));
            tree.files.extend(root);
        }
        Ok(tree)
    }

    /// The id of the hook that calls `url`.
    pub async fn find_hook(&self, id: &str, url: &str) -> Result<Option<String>> {
        for page in 1..=MOST_HOOK_PAGES {
            let path = format!("/repositories/{id}/hooks?per_page={PAGE}&page={page}");
            let hooks: Vec<HookShape> = self.client.get(&path, None).await?.json()?;
            if let Some(hook) = hooks.iter().find(|hook| hook.config.url == url) {
                return Ok(Some(hook.id.to_string()));
            }
            if hooks.len() < PAGE {
                break;
            }
        }
        Ok(None)
    }

    /// Makes the hook, or puts `existing` right; returns its id. A new hook is pinged by the forge.
    pub async fn save_hook(&self, id: &str, existing: Option<&str>, url: &str, secret: &Secret) -> Result<String> {
        let body = json!({
            "name": "web",
            "active": true,
            "events": EVENTS,
            // The forge must know the secret, to sign with it.
            "config": {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": secret.reveal()},
        });
        let (method, path) = match existing {
            Some(hook) => (Method::PATCH, format!("/repositories/{id}/hooks/{hook}")),
            None => (Method::POST, format!("/repositories/{id}/hooks")),
        };
        Ok(self.client.send(method, &path, Some(&body)).await?.json::<HookShape>()?.id.to_string())
    }

    pub async fn ping_hook(&self, id: &str, hook: &str) -> Result<()> {
        self.client.send(Method::POST, &format!("/repositories/{id}/hooks/{hook}/pings"), None).await?;
        Ok(())
    }

    /// Removes a hook; one that is gone is as good.
    pub async fn delete_hook(&self, id: &str, hook: &str) -> Result<()> {
        match self.client.send(Method::DELETE, &format!("/repositories/{id}/hooks/{hook}"), None).await {
            Ok(_) | Err(ForgeError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub async fn set_status(&self, id: &str, commit: &str, status: &CommitStatus) -> Result<()> {
        let state = match status.state {
            StatusState::Pending => "pending",
            StatusState::Success => "success",
            StatusState::Failure => "failure",
            StatusState::Error => "error",
        };
        let body = json!({
            "state": state,
            "context": status.context,
            "target_url": status.target_url,
            "description": status.description.chars().take(140).collect::<String>(),
        });
        self.client.send(Method::POST, &format!("/repositories/{id}/statuses/{commit}"), Some(&body)).await?;
        Ok(())
    }
}

// Names that git itself does not allow are no refs of ours.
fn parse_ref(prefix: &str, item: &RefShape) -> Option<(RefName, CommitHash)> {
    Some((format!("{prefix}{}", item.name).parse().ok()?, item.commit.sha.parse().ok()?))
}

fn files_of(shape: TreeShape) -> Vec<String> {
    shape.tree.into_iter().filter(|entry| entry.kind == "blob").map(|entry| entry.path).collect()
}

/// A name as part of a path; its slashes stay.
fn escaped(name: &str) -> String {
    name.split('/').map(escaped_whole).collect::<Vec<_>>().join("/")
}

pub(super) fn escaped_whole(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn branch_names_cannot_leave_their_path() {
        for (name, path) in [
            ("main", "main"),
            ("feature/a b", "feature/a%20b"),
            ("a?b#c", "a%3Fb%23c"),
            ("a%2e%2e", "a%252e%252e"),
            ("ü\"'", "%C3%BC%22%27"),
            ("a+b", "a%2Bb"),
        ] {
            assert_eq!(escaped(name), path);
        }
    }
}
