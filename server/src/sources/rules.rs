//! Which image tags a ref moves. Pure.
//!
//! ```text
//! branch main (default)  → main, latest
//! branch feature/login   → feature-login          mapped: no legal tag by itself
//! tag    v1.2.3          → 1.2.3, 1.2, 1          1.2 and 1 move forward in version order only
//! tag    v1.2.3-rc.1     → 1.2.3-rc.1             a pre-release moves none of the short ones
//! tag    v1.2.3+fork.1   → 1.2.3-fork.1, 1.2, 1   of two that differ in this part only, the newer push has the short ones
//! tag    nightly         → nightly
//! ```
//! Versions win over every other ref, and the default branch over all but versions: a branch `1.2` leaves the tag to
//! `v1.2.3`, and a branch `latest` to the default branch, whichever came first. And no ref maps to a tag where the
//! signatures of an image are kept.

use super::versions::Version;
use crate::db::{Protection, rows};
use crate::names::{RefName, TagName};

/// The image tags of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    pub tags: Vec<MappedTag>,
    /// The ref's own name is no legal tag: the page shows how it was changed.
    pub mapped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedTag {
    pub name: TagName,
    pub moves: Moves,
}

/// When a build may move a tag that another build of the source holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moves {
    /// Unless the holder's ref update is the newer one.
    ByRefNumber,
    /// Unless the holder's version is the higher one; equal versions go by number.
    ByVersion(Version),
}

/// The tags that a build of `ref_name` moves.
pub fn tags_of(ref_name: &RefName, default_branch: &str) -> Mapped {
    if let Some(version) = version_of(ref_name) {
        return Mapped { tags: version_tags(&version), mapped: false };
    }
    let short = ref_name.short();
    let name = TagName::near(short);
    let mapped = name.as_str() != short;
    let by_number = |name| MappedTag { name, moves: Moves::ByRefNumber };
    let mut tags = vec![by_number(name)];
    if ref_name.branch() == Some(default_branch) && tags[0].name.as_str() != "latest" {
        tags.push(by_number(legal("latest")));
    }
    Mapped { tags, mapped }
}

/// Releases are made from the default branch and from version tags; whoever may push to another branch has no part in them.
pub fn protection_of(ref_name: &RefName, default_branch: &str) -> Protection {
    if ref_name.branch() == Some(default_branch) || version_of(ref_name).is_some() {
        Protection::Protected
    } else {
        Protection::Unprotected
    }
}

/// The version that a git tag names.
pub fn version_of(ref_name: &RefName) -> Option<Version> {
    // An image tag has 128 characters.
    ref_name.tag().filter(|tag| tag.len() <= 128).and_then(Version::parse)
}

fn version_tags(version: &Version) -> Vec<MappedTag> {
    let mut tags = vec![MappedTag { name: legal(&version.to_string()), moves: Moves::ByRefNumber }];
    if version.is_release() {
        for short in [format!("{}.{}", version.major, version.minor), version.major.to_string()] {
            tags.push(MappedTag { name: legal(&short), moves: Moves::ByVersion(version.clone()) });
        }
    }
    tags
}

fn legal(tag: &str) -> TagName {
    tag.parse().expect("digits, dots and dashes of at most 128 characters, or `latest`")
}

/// Whether a build with `ref_number` may take a tag from its present holder, a build of the same source.
pub fn goes_forward(moves: &Moves, ref_number: i64, holder_ref: &str, holder_number: i64) -> bool {
    let held = match moves {
        Moves::ByRefNumber => return ref_number >= holder_number,
        Moves::ByVersion(_) => holder_ref.parse().ok().as_ref().and_then(version_of),
    };
    match (moves, held) {
        (Moves::ByVersion(version), Some(held)) if *version != held => *version > held,
        // A holder that is no version, as a branch of the same name.
        (Moves::ByVersion(_), None) => true,
        _ => ref_number >= holder_number,
    }
}

/// Whether `a` has every tag that both map to.
pub fn wins_over(a: &RefName, b: &RefName, default_branch: &str) -> bool {
    rank(a, default_branch) > rank(b, default_branch)
}

/// What a ref is to releases: whoever may push other branches keeps neither of these from its tags.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Other,
    DefaultBranch,
    Version,
}

fn rank(ref_name: &RefName, default_branch: &str) -> Rank {
    if version_of(ref_name).is_some() {
        Rank::Version
    } else if ref_name.branch() == Some(default_branch) {
        Rank::DefaultBranch
    } else {
        Rank::Other
    }
}

/// Why a ref that wins over another one does.
pub fn why_it_wins(winner: &RefName, loser: &RefName) -> &'static str {
    match (version_of(winner), loser.branch()) {
        (Some(_), Some(_)) => "versions win over branches",
        (Some(_), None) => "versions win over other tags",
        (None, _) => "the default branch wins over other refs",
    }
}

/// The ref that has all tags of `ref_name`, with one of them; `others` are the refs of its source. Where a tag is
/// left to move, the ref is built, and the others stay.
pub fn overruled<'a>(
    ref_name: &RefName,
    others: impl IntoIterator<Item = &'a RefName>,
    default_branch: &str,
) -> Option<(TagName, &'a RefName)> {
    let mut left = tags_of(ref_name, default_branch).tags;
    let mut winner = None;
    for other in others.into_iter().filter(|other| wins_over(other, ref_name, default_branch)) {
        let theirs = tags_of(other, default_branch).tags;
        if let Some(at) = left.iter().position(|tag| theirs.iter().any(|t| t.name == tag.name)) {
            winner = Some((left.remove(at).name, other));
        }
    }
    winner.filter(|_| left.is_empty())
}

/// The first tag of `ref_name` that another one of `others` moves as well, with that ref.
///
/// Versions share their short tags by design, and refs of a higher rank have theirs (`overruled`); anything else would
/// make two refs take a tag from each other for ever.
pub fn collision<'a>(
    ref_name: &RefName,
    others: impl IntoIterator<Item = &'a RefName>,
    default_branch: &str,
) -> Option<(TagName, &'a RefName)> {
    let own = tags_of(ref_name, default_branch).tags;
    let own_rank = rank(ref_name, default_branch);
    let ranks_alike = |other: &RefName| rank(other, default_branch) == own_rank;
    others.into_iter().filter(|other| *other != ref_name && ranks_alike(other)).find_map(|other| {
        let theirs = tags_of(other, default_branch).tags;
        let clash = |tag: &&MappedTag| theirs.iter().any(|t| t.name == tag.name && !shared(t, tag));
        own.iter().find(clash).map(|tag| (tag.name.clone(), other))
    })
}

fn shared(a: &MappedTag, b: &MappedTag) -> bool {
    matches!((&a.moves, &b.moves), (Moves::ByVersion(_), Moves::ByVersion(_)))
}

/// Whether a rule builds a ref: no pattern means every branch and tag; `*` stands for any text.
/// A pattern that starts with `refs/` is compared with the full name, any other with the short one.
pub fn builds(rule: &rows::Rule, ref_name: &RefName) -> bool {
    let Some(pattern) = rule.ref_pattern.as_deref().filter(|p| !p.is_empty()) else { return rule.is_enabled };
    let name = if pattern.starts_with("refs/") { ref_name.as_str() } else { ref_name.short() };
    rule.is_enabled && matches(pattern, name)
}

fn matches(pattern: &str, name: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Whether the author asked for no build, in the words that GitHub's own builds know: docs.github.com, "Skipping workflow
/// runs".
pub fn asks_to_skip(message: &str) -> Option<&'static str> {
    const WORDS: [&str; 5] = ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];
    const TRAILER: &str = "skip-checks: true";
    let message = message.to_lowercase();
    let is_trailer =
        |line: &str| line.split_once(':').is_some_and(|(k, v)| (k.trim(), v.trim()) == ("skip-checks", "true"));
    let word = WORDS.into_iter().find(|word| message.contains(word));
    word.or_else(|| message.lines().skip(1).any(is_trailer).then_some(TRAILER))
}

#[cfg(test)]
mod tests;
