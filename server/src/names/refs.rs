//! Git refs and commits as forges send them.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A full ref, `refs/heads/main` or `refs/tags/v1`, by the rules of `git check-ref-format`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefName(String);

impl RefName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `main` of `refs/heads/main`.
    pub fn branch(&self) -> Option<&str> {
        self.0.strip_prefix("refs/heads/")
    }

    /// `v1` of `refs/tags/v1`.
    pub fn tag(&self) -> Option<&str> {
        self.0.strip_prefix("refs/tags/")
    }

    /// Branch or tag without its prefix.
    pub fn short(&self) -> &str {
        self.branch().or_else(|| self.tag()).unwrap_or(&self.0)
    }

    /// As sentences name it: "the branch `x`", "the git tag `v1`".
    pub fn title(&self) -> String {
        let kind = if self.tag().is_some() { "git tag" } else { "branch" };
        format!("the {kind} `{}`", self.short())
    }

    pub fn of_branch(branch: &str) -> Result<Self> {
        format!("refs/heads/{branch}").parse()
    }
}

impl FromStr for RefName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let short = text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("refs/tags/"));
        let good = short.is_some_and(|s| !s.starts_with('-') && is_ref_format(s)) && text.len() <= 1_024;
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::invalid("this is not a branch or tag that git allows"))
        }
    }
}

// git-check-ref-format(1), rules 1 to 10.
fn is_ref_format(name: &str) -> bool {
    let bad_char =
        |c: char| c.is_ascii_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\x7f');
    !name.is_empty()
        && name != "@"
        && !name.contains(bad_char)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && name.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && std::path::Path::new(part).extension().is_none_or(|e| e != "lock")
        })
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A full commit hash, 40 (sha1) or 64 (sha256) lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitHash(String);

impl CommitHash {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What forges send for "there was or is nothing".
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }
}

impl FromStr for CommitHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && matches!(text.len(), 40 | 64) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid("a commit is 40 or 64 lower-case hex digits"))
    }
}

impl fmt::Display for CommitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_follow_git() {
        for good in ["refs/heads/main", "refs/heads/feature/a,b=c", "refs/tags/v1.2.3", "refs/heads/ü\"x'"] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "main",
            "refs/heads/",
            "refs/heads/--upload-pack=touch x",
            "refs/heads/-h",
            "refs/heads/a..b",
            "refs/heads/a\nb",
            "refs/heads/../x",
            "refs/heads/a.lock",
            "refs/heads/a@{1}",
            "refs/pull/1/head",
            "refs/heads/a//b",
            "refs/heads/.a",
            "refs/heads/a b",
            "refs/heads/@",
        ] {
            assert!(bad.parse::<RefName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn commits_are_full_hashes() {
        assert!("a".repeat(40).parse::<CommitHash>().is_ok());
        for bad in ["", "abc", "--upload-pack=x", &"A".repeat(40), &"g".repeat(40)] {
            assert!(bad.parse::<CommitHash>().is_err(), "{bad:?}");
        }
    }
}
