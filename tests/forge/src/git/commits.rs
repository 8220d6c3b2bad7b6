//! Reading commits.

use anyhow::{Context, Result};

use super::Git;

/// Fields are parted by a unit separator and commits by NUL (`-z`).
const FORMAT: &str = "--format=%H%x1f%T%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%cI%x1f%B";

#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) sha: String,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Signature,
    pub(crate) committer: Signature,
    pub(crate) message: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) date: String,
}

impl Commit {
    pub(crate) fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

impl Git {
    /// `revisions` are as for `git log`: `["abc"]`, `["^old", "new"]`, `["new", "--not", …]`.
    pub(crate) fn log(&self, revisions: &[&str], skip: usize, limit: usize) -> Result<Vec<Commit>> {
        let (skip, limit) = (format!("--skip={skip}"), format!("--max-count={limit}"));
        let mut arguments = vec!["log", "-z", FORMAT, &skip, &limit];
        arguments.extend(revisions);
        arguments.push("--");
        let text = self.text(&arguments)?;
        text.split('\0').filter(|record| !record.is_empty()).map(parse).collect()
    }

    pub(crate) fn commit(&self, sha: &str) -> Result<Commit> {
        self.log(&[sha], 0, 1)?.pop().context("there is no such commit")
    }

    /// Files that a commit added, removed and modified, compared with its first parent.
    pub(crate) fn changed_files(&self, sha: &str) -> Result<[Vec<String>; 3]> {
        let text = self.text(&[
            "diff-tree",
            "--no-commit-id",
            "--name-status",
            "--no-renames",
            "-r",
            "-z",
            "--root",
            "-m",
            "--first-parent",
            sha,
        ])?;
        let mut files = [Vec::new(), Vec::new(), Vec::new()];
        let mut parts = text.split('\0');
        while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
            let list = match status {
                "A" => 0,
                "D" => 1,
                _ => 2,
            };
            files[list].push(path.to_owned());
        }
        Ok(files)
    }

    /// The diff of a commit as people read it, cut at a sensible length.
    pub(crate) fn patch(&self, sha: &str) -> Result<String> {
        let bytes = self.run(&["show", "--format=", "--patch", "--first-parent", sha, "--"])?;
        let end = bytes.len().min(64 * 1024);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }
}

fn parse(record: &str) -> Result<Commit> {
    let mut fields = record.splitn(10, '\u{1f}').map(str::to_owned);
    let mut next = || fields.next().context("git printed a short commit");
    let (sha, tree, parents) = (next()?, next()?, next()?);
    let author = Signature { name: next()?, email: next()?, date: next()? };
    let committer = Signature { name: next()?, email: next()?, date: next()? };
    let parents = parents.split_whitespace().map(str::to_owned).collect();
    let message = next()?.trim_end().to_owned();
    Ok(Commit { sha, tree, parents, author, committer, message })
}
