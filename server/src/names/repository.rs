//! Names of namespaces and repositories.

use super::name_type;
use crate::error::{Error, OciCode, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Top-level words that pages and protocols use (`library` is for mirrors of Docker Hub, made by the operator).
const RESERVED: &[&str] = &[
    "admin",
    "api",
    "assets",
    "avatars",
    "buildcache",
    "builder",
    "compare",
    "docs",
    "explore",
    "healthz",
    "hooks",
    "library",
    "login",
    "logout",
    "metrics",
    "mfa",
    "new",
    "notifications",
    "oauth",
    "organizations",
    "readyz",
    "search",
    "settings",
    "setup",
    "status",
    "token",
    "v2",
    "webhooks",
];

/// Whether a namespace of that name would hide a page.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// One part of a repository name, OCI distribution-spec "Pulling manifests": `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_part(part: &str) -> bool {
    let bytes = part.as_bytes();
    let word = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = bytes.first().is_some_and(word) && bytes.last().is_some_and(word);
    ends && part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).all(|separator| {
        matches!(separator, "" | "." | "_" | "__") || (!separator.is_empty() && separator.bytes().all(|b| b == b'-'))
    })
}

/// The tenant's name, one part of at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NamespaceName(String);
name_type!(NamespaceName);

impl FromStr for NamespaceName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() <= 64 && is_part(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::registry(
            OciCode::NameInvalid,
            "a namespace is at most 64 lower-case letters and digits, with single dots, dashes or underscores between them",
        ))
    }
}

impl NamespaceName {
    /// The nearest legal name to a login at a forge; never empty.
    pub fn near(login: &str) -> Self {
        let mut near = nearest(login, 64);
        if near.is_empty() || is_reserved(&near) {
            near = format!("{}-ns", if near.is_empty() { "user" } else { &near });
        }
        Self(near)
    }
}

/// `namespace/name`, where `name` may have several parts; at most 255 characters in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryName {
    pub namespace: NamespaceName,
    /// What follows the namespace, `web/api`.
    pub name: String,
}

impl RepositoryName {
    pub fn new(namespace: &NamespaceName, name: &str) -> Result<Self> {
        format!("{namespace}/{name}").parse()
    }

    /// The nearest legal name (without the namespace) to a name at a forge; never empty.
    pub fn near(name: &str) -> String {
        let near = nearest(name, 150);
        if near.is_empty() { "image".to_owned() } else { near }
    }
}

impl FromStr for RepositoryName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: &str| Error::registry(OciCode::NameInvalid, why.to_owned());
        if text.len() > 255 {
            return Err(invalid("a repository name has at most 255 characters"));
        }
        let (namespace, name) =
            text.split_once('/').ok_or_else(|| invalid("a repository name has a namespace and a name: `acme/web`"))?;
        if !name.split('/').all(is_part) {
            return Err(invalid(
                "each part of a repository name is lower-case letters and digits, with single dots, dashes or underscores between them",
            ));
        }
        Ok(Self { namespace: namespace.parse()?, name: name.to_owned() })
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

fn nearest(text: &str, limit: usize) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(limit);
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_specification() {
        for good in ["a/b", "acme/web", "acme/web/api", "a-b/c_d", "a__b/c.d", "a/b---c"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "A/b",
            "a/B",
            "a//b",
            "/a/b",
            "a/b/",
            "a/-/b",
            "a/b-",
            "a/.b",
            "a/b..c",
            "a/b___c",
            "a/b\n",
            "a/é",
            "../etc",
            "a/..",
            "a/b:c",
            "a/b,push=true",
        ] {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_login_maps_to_the_nearest_namespace() {
        assert_eq!(NamespaceName::near("Mona_Lisa").as_str(), "mona-lisa");
        assert_eq!(NamespaceName::near("settings").as_str(), "settings-ns");
        assert_eq!(NamespaceName::near("---").as_str(), "user-ns");
    }
}
