//! The rule as it was when a build was made: what the build does is settled then.

use crate::db::{Protection, rows};
use crate::error::{Context, Result};
use crate::names::{RefName, TagName};
use crate::sources::rules::{MappedTag, tags_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is built, and which tags it moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Path of the Dockerfile inside the source.
    pub dockerfile: String,
    /// Folder inside the source; empty for all of it.
    pub context: String,
    pub stage: Option<String>,
    pub platforms: Vec<String>,
    pub build_args: BTreeMap<String, String>,
    /// Of the source; builds of it move `latest`.
    pub default_branch: String,
    /// The tags that the ref maps to, for people.
    pub tags: Vec<String>,
}

impl Snapshot {
    pub(super) fn of(rule: &rows::Rule, source: &rows::Source, ref_name: &RefName) -> Self {
        Self {
            dockerfile: rule.dockerfile.clone(),
            context: rule.context.clone(),
            stage: rule.stage.clone().filter(|stage| !stage.is_empty()),
            platforms: words(&rule.platforms),
            build_args: serde_json::from_str(&rule.build_args).unwrap_or_default(),
            default_branch: source.default_branch.clone(),
            tags: tags_of(ref_name, &source.default_branch).tags.into_iter().map(|t| t.name.to_string()).collect(),
        }
    }

    /// Of a build's row.
    pub fn parse(build: &rows::Build) -> Result<Self> {
        serde_json::from_str(&build.rule_snapshot).context("reading the rule of a build")
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a snapshot is plain data")
    }

    /// What the build's ref maps to, with what orders them.
    pub(super) fn mapped_tags(&self, build: &rows::Build) -> Result<Vec<MappedTag>> {
        Ok(tags_of(&build.ref_name.parse()?, &self.default_branch).tags)
    }

    /// Those of `mapped_tags` that an attempt must not move. A branch that was no longer the default one when the attempt
    /// began moves no `latest`: caches of unprotected refs were within its reach.
    pub(super) fn held_back(&self, build: &rows::Build, protection: Protection) -> Result<Vec<TagName>> {
        if protection == Protection::Protected {
            return Ok(Vec::new());
        }
        let of_any_branch = tags_of(&build.ref_name.parse()?, "").tags;
        let mapped = self.mapped_tags(build)?.into_iter().map(|tag| tag.name);
        Ok(mapped.filter(|name| of_any_branch.iter().all(|tag| tag.name != *name)).collect())
    }
}

/// A list in a column: JSON, or words with commas or spaces between.
fn words(column: &str) -> Vec<String> {
    serde_json::from_str(column).unwrap_or_else(|_| {
        column.split([',', ' ', '\n']).map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_json_or_words() {
        assert_eq!(words(""), Vec::<String>::new());
        assert_eq!(words("linux/amd64,linux/arm64/v8"), ["linux/amd64", "linux/arm64/v8"]);
        assert_eq!(words("[\"linux/arm64\"]"), ["linux/arm64"]);
        assert_eq!(words("linux/amd64 linux/s390x"), ["linux/amd64", "linux/s390x"]);
    }
}
