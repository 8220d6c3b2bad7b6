//! The bodies of GitHub's `push` and `repository` events, as far as we read it; what we do not know is left out, not refused.

use crate::forge::Commit;
use crate::names::{CommitHash, RefName};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct PushShape {
    r#ref: String,
    before: String,
    after: String,
    #[serde(default)]
    deleted: bool,
    head_commit: Option<CommitShape>,
    repository: RepositoryShape,
}

#[derive(Debug, Deserialize)]
struct CommitShape {
    id: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    author: AuthorShape,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuthorShape {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RepositoryShape {
    id: u64,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default)]
    private: Option<bool>,
    #[serde(default)]
    visibility: Option<String>,
    #[serde(default)]
    full_name: Option<String>,
}

impl RepositoryShape {
    /// GitHub's third word, `internal`, is not for everybody either.
    fn is_private(&self) -> Option<bool> {
        match self.visibility.as_deref() {
            Some(word) => Some(word != "public"),
            None => self.private,
        }
    }
}

#[derive(Deserialize)]
struct AboutShape {
    #[serde(default)]
    action: String,
    repository: RepositoryShape,
}

/// What an event tells of the code repository itself.
#[derive(Debug, PartialEq, Eq)]
pub struct About {
    pub repository_id: String,
    /// `privatized`, `renamed`, …; empty for a push.
    pub action: String,
    /// `None` when it does not say.
    pub is_private: Option<bool>,
    /// What it is called now; `None` when it does not say.
    pub full_name: Option<String>,
}

/// Reads what any event of a repository at the forge has in common; the error is a sentence for the page.
pub fn read_about(body: &[u8]) -> Result<About, String> {
    let shape: AboutShape =
        serde_json::from_slice(body).map_err(|e| format!("this is no event of a repository: {e}"))?;
    let is_private = match shape.action.as_str() {
        "privatized" => Some(true),
        _ => shape.repository.is_private(),
    };
    let repository = shape.repository;
    Ok(About {
        repository_id: repository.id.to_string(),
        action: shape.action,
        is_private,
        full_name: repository.full_name,
    })
}

/// One ref that changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Push {
    pub repository_id: String,
    pub default_branch: Option<String>,
    pub ref_name: RefName,
    /// Where the ref was; `None` when it is new. Of an annotated tag this is the tag object.
    pub before: Option<CommitHash>,
    pub change: Change,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// `target` is what the ref names, `commit` what a build checks out: they differ for annotated tags.
    Moved {
        target: CommitHash,
        commit: Commit,
    },
    Deleted,
}

impl Push {
    /// What the ref names after it; `None` when it is gone.
    pub fn after(&self) -> Option<&CommitHash> {
        match &self.change {
            Change::Moved { target, .. } => Some(target),
            Change::Deleted => None,
        }
    }
}

/// Reads a push; the error is a sentence for the page.
pub fn read(body: &[u8]) -> Result<Push, String> {
    let shape: PushShape = serde_json::from_slice(body).map_err(|e| format!("this is no push event: {e}"))?;
    let hash = |text: &str| text.parse::<CommitHash>().map_err(|e| e.to_string());
    let (before, after) = (hash(&shape.before)?, hash(&shape.after)?);
    let ref_name: RefName = shape.r#ref.parse().map_err(|e: crate::error::Error| e.to_string())?;
    let change = if shape.deleted || after.is_zero() { Change::Deleted } else { moved(after, shape.head_commit)? };
    Ok(Push {
        repository_id: shape.repository.id.to_string(),
        default_branch: shape.repository.default_branch,
        ref_name,
        before: (!before.is_zero()).then_some(before),
        change,
    })
}

fn moved(target: CommitHash, head: Option<CommitShape>) -> Result<Change, String> {
    let head = head.ok_or("the ref names no commit")?;
    let hash = head.id.parse().map_err(|e: crate::error::Error| e.to_string())?;
    let author = head.author.name.unwrap_or_default();
    Ok(Change::Moved { target, commit: Commit { hash, message: head.message, author } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Push {
        let path = format!("{}/../tests/fixtures/github/{name}.json", env!("CARGO_MANIFEST_DIR"));
        read(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn real_pushes_are_read() {
        let branch = fixture("push_branch_created");
        assert_eq!(branch.ref_name.branch(), Some("master"));
        assert_eq!(branch.before, None);
        let Change::Moved { target, commit } = branch.change else { panic!("it was created") };
        assert_eq!(target, commit.hash);
        assert_eq!((commit.title().as_str(), commit.author.as_str()), ("Initial commit", "Codertocat"));
        assert_eq!(branch.default_branch.as_deref(), Some("master"));

        let tag = fixture("push_tag_created");
        assert_eq!(tag.ref_name.tag(), Some("simple-tag"));
        assert!(matches!(tag.change, Change::Moved { .. }));

        let deleted = fixture("push_tag_deleted");
        assert_eq!(deleted.change, Change::Deleted);
        assert!(deleted.before.is_some());
        assert_eq!(fixture("push_tag_deleted_in_organization").change, Change::Deleted);
    }

    #[test]
    fn every_event_says_whether_the_code_is_private() {
        for (repository, expected) in [
            (serde_json::json!({"id": 1, "private": true}), Some(true)),
            (serde_json::json!({"id": 1, "private": false}), Some(false)),
            (serde_json::json!({"id": 1, "private": true, "visibility": "internal"}), Some(true)),
            (serde_json::json!({"id": 1, "private": false, "visibility": "internal"}), Some(true)),
            (serde_json::json!({"id": 1, "private": false, "visibility": "public"}), Some(false)),
            (serde_json::json!({"id": 1}), None),
        ] {
            let body = serde_json::json!({"ref": "refs/heads/main", "repository": repository});
            assert_eq!(read_about(body.to_string().as_bytes()).unwrap().is_private, expected, "{repository}");
        }
        let body = br#"{"action":"privatized","repository":{"id":7}}"#;
        let privatized = read_about(body).unwrap();
        assert_eq!((privatized.repository_id.as_str(), privatized.is_private), ("7", Some(true)));
        assert!(read_about(b"{}").is_err());
    }

    #[test]
    fn every_event_says_what_the_repository_is_called_now() {
        for name in ["push_branch_created", "push_tag_deleted", "create_tag"] {
            let path = format!("{}/../tests/fixtures/github/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let told = read_about(&std::fs::read(path).unwrap()).unwrap().full_name;
            assert_eq!(told.as_deref(), Some("Codertocat/Hello-World"));
        }
        assert_eq!(read_about(br#"{"repository":{"id":7}}"#).unwrap().full_name, None);
    }

    #[test]
    fn what_is_no_push_is_said() {
        for other in ["ping", "ping_organization", "create_tag", "delete_tag"] {
            let path = format!("{}/../tests/fixtures/github/{other}.json", env!("CARGO_MANIFEST_DIR"));
            assert!(read(&std::fs::read(path).unwrap()).is_err(), "{other}");
        }
        for (name, commit) in [
            ("refs/heads/--upload-pack=x", "a".repeat(40)),
            ("refs/heads/../x", "a".repeat(40)),
            ("refs/pull/1/head", "a".repeat(40)),
            ("refs/heads/main", "$(reboot)".to_owned()),
        ] {
            let body = serde_json::json!({
                "ref": name, "before": "0".repeat(40), "after": commit,
                "head_commit": {"id": commit}, "repository": {"id": 1},
            });
            assert!(read(body.to_string().as_bytes()).is_err(), "{name} {commit}");
        }
    }
}
