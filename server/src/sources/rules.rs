//! From refs to tags.

use crate::names::{RefName, TagName};

/// A tag that a ref fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedTag {
    pub name: TagName,
}

/// The tags that a build of `ref_name` moves.
pub fn tags_of(ref_name: &RefName, default_branch: &str) -> Vec<MappedTag> {
    let mut tags = vec![MappedTag { name: TagName::near(ref_name.short()) }];
    if ref_name.branch() == Some(default_branch) {
        tags.push(MappedTag { name: "latest".parse().expect("`latest` is a tag") });
    }
    tags
}
