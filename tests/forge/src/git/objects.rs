//! Reading trees and blobs.

use anyhow::Result;

use super::Git;

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mode: String,
    /// `blob`, `tree`, or `commit` for a submodule.
    pub(crate) kind: String,
    pub(crate) sha: String,
    pub(crate) size: Option<usize>,
    pub(crate) path: String,
}

/// What lies at a path.
pub(crate) enum Found {
    Folder(Vec<Entry>),
    File(Entry),
}

impl Git {
    pub(crate) fn tree(&self, treeish: &str, recursive: bool) -> Result<Vec<Entry>> {
        let mut arguments = vec!["ls-tree", "-z", "--long", "--full-tree"];
        if recursive {
            arguments.extend(["-r", "-t"]);
        }
        arguments.push(treeish);
        Ok(parse(&self.text(&arguments)?))
    }

    /// Looks a path up in a commit; the empty path is the root folder.
    pub(crate) fn look(&self, commit: &str, path: &str) -> Option<Found> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return self.tree(commit, false).ok().map(Found::Folder);
        }
        let one = self.text(&["ls-tree", "-z", "--long", "--full-tree", commit, "--", path]).ok()?;
        let entry = parse(&one).into_iter().find(|entry| entry.path == path)?;
        if entry.kind != "tree" {
            return Some(Found::File(entry));
        }
        let mut entries = self.tree(&entry.sha, false).ok()?;
        for child in &mut entries {
            child.path = format!("{path}/{}", child.path);
        }
        Some(Found::Folder(entries))
    }

    pub(crate) fn blob(&self, sha: &str) -> Result<Vec<u8>> {
        self.run(&["cat-file", "blob", sha])
    }
}

/// Lines are `mode kind sha   size\tpath`, parted by NUL.
fn parse(text: &str) -> Vec<Entry> {
    let records = text.split('\0').filter_map(|record| record.split_once('\t'));
    let entry = |(head, path): (&str, &str)| {
        let mut words = head.split_whitespace().map(str::to_owned);
        Some(Entry {
            mode: words.next()?,
            kind: words.next()?,
            sha: words.next()?,
            size: words.next().and_then(|size| size.parse().ok()),
            path: path.to_owned(),
        })
    };
    records.filter_map(entry).collect()
}
