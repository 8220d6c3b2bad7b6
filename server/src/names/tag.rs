//! Tags, and what a manifest is asked for by.

use super::{Digest, name_type};
use crate::error::{Error, OciCode, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// Characters of a tag.
const LONGEST: usize = 128;
/// Digits of a hash that keep two long names apart.
const HASH: usize = 8;

/// A tag, `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagName(String);
name_type!(TagName);

impl FromStr for TagName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
        let rest = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if first && rest && text.len() <= LONGEST {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::registry(
            OciCode::ManifestInvalid,
            "a tag is at most 128 letters, digits, `_`, `.` and `-`, and starts with a letter, digit or `_`",
        ))
    }
}

impl TagName {
    /// The nearest legal tag to a branch name: what is not allowed becomes `-`. A part of its hash keeps names apart of
    /// which that leaves too little: it stands in the place of what is too long, and behind names in other alphabets.
    pub fn near(branch: &str) -> Self {
        let mut near: String = branch
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '-' })
            .collect();
        let begins_well = near.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if !begins_well || subject_of(&near).is_some() {
            near.insert(0, '_');
        }
        if near.len() > LONGEST || !branch.is_ascii() {
            let hash = hex::encode(Sha256::digest(branch));
            near.truncate(LONGEST - 1 - HASH);
            near = format!("{near}-{}", &hash[..HASH]);
        }
        Self(near)
    }

    /// Whether signatures and the like of an image are kept at the tag: `sha256-<64 hex>`, whatever follows.
    pub fn is_accessory(&self) -> bool {
        self.subject().is_some()
    }

    /// The image whose signatures and the like are kept at the tag.
    pub fn subject(&self) -> Option<Digest> {
        subject_of(&self.0)
    }
}

/// In any case of letters: a tag that a person or a client takes for such a one is such a one.
fn subject_of(tag: &str) -> Option<Digest> {
    let (prefix, hex) = tag.get(..71)?.split_at(7);
    let is_hex = hex.bytes().all(|b| b.is_ascii_hexdigit());
    let is_one = prefix.eq_ignore_ascii_case("sha256-") && is_hex;
    is_one.then(|| Digest::trusted(&format!("sha256:{}", hex.to_ascii_lowercase())))
}

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    Tag(TagName),
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains(':') { text.parse().map(Self::Digest) } else { text.parse().map(Self::Tag) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_specification() {
        for good in ["latest", "v1.2.3", "_x", "A", &"a".repeat(128)] {
            assert!(good.parse::<TagName>().is_ok(), "{good}");
        }
        for bad in ["", ".x", "-x", "a/b", "a b", "a,b", "a=b", "a\"b", "a\nb", "--upload-pack", &"a".repeat(129)] {
            assert!(bad.parse::<TagName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_branch_maps_to_the_nearest_tag() {
        assert_eq!(TagName::near("feature/login").as_str(), "feature-login");
        assert_eq!(TagName::near("-x").as_str(), "_-x");
        assert_eq!(TagName::near(",=\"").as_str(), "_---");
        assert!(TagName::near(&"é".repeat(300)).as_str().parse::<TagName>().is_ok());
    }

    #[test]
    fn long_names_that_end_differently_stay_apart() {
        let long = "renovate/".to_owned() + &"a".repeat(150);
        let accessory = format!("sha256-{}", "ab".repeat(60));
        let all: Vec<String> = [128, 129, 130, 200]
            .iter()
            .flat_map(|length| ["x", "y"].map(|end| format!("{:a<1$}{end}", "b", length - 1)))
            .chain([
                format!("{long}1"),
                format!("{long}2"),
                long.replace('/', "-") + "1",
                "é".repeat(129),
                "ü".repeat(129),
            ])
            .chain([format!("{accessory}1"), format!("{accessory}2")])
            .collect();
        let tags: Vec<TagName> = all.iter().map(|name| TagName::near(name)).collect();
        for (tag, name) in tags.iter().zip(&all) {
            assert!(tag.as_str().parse::<TagName>().is_ok() && !tag.is_accessory(), "{name}: {tag}");
            assert_eq!(tag.as_str() == name, name.len() <= LONGEST && !name.starts_with("sha256"), "{name}: {tag}");
            assert_eq!(tags.iter().filter(|other| *other == tag).count(), 1, "{name}: {tag}");
            assert_eq!(TagName::near(name), *tag);
        }
        assert_eq!(&tags[8].as_str()[..20], "renovate-aaaaaaaaaaa");
    }

    #[test]
    fn names_in_other_alphabets_stay_apart() {
        let tags = ["日本", "中国", "feature/ü", "feature/ö", "feature/-"].map(TagName::near);
        assert_eq!(tags.iter().collect::<std::collections::HashSet<_>>().len(), tags.len(), "{tags:?}");
        assert!(tags.iter().all(|tag| tag.as_str().parse::<TagName>().is_ok()), "{tags:?}");
        assert!(tags[2].as_str().starts_with("feature---"), "{}", tags[2]);
    }

    #[test]
    fn no_branch_maps_to_a_tag_where_signatures_are_looked_for() {
        let hex = "0123456789abcdef".repeat(4);
        for branch in [
            format!("sha256-{hex}"),
            format!("sha256-{hex}.sig"),
            format!("sha256-{hex}.att"),
            format!("sha256-{hex}.sbom"),
            format!("sha256-{hex}-x"),
            format!("sha256/{hex}.sig"),
            format!("sha256:{hex}.sig"),
            format!("SHA256-{}.sig", hex.to_uppercase()),
            format!("sha256-{hex}{}", "a".repeat(200)),
        ] {
            let tag = TagName::near(&branch);
            assert!(!tag.is_accessory() && tag.as_str().starts_with('_'), "{branch}: {tag}");
            assert!(tag.as_str().parse::<TagName>().is_ok(), "{branch}: {tag}");
        }
        for other in ["sha256-abc.sig", &format!("sha256-{}", "g".repeat(64)), &format!("sha512-{hex}"), "sha256"] {
            assert_eq!(TagName::near(other).as_str(), other);
        }
        let tag: TagName = format!("sha256-{hex}.sig").parse().unwrap();
        assert_eq!(tag.subject().unwrap().as_str(), format!("sha256:{hex}"));
    }
}
