//! Bare repositories, spoken to by the `git` program.
//!
//! Calls block for a few milliseconds each, which is fine for a forge of one person.

mod commits;
mod objects;
mod write;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

pub(crate) use commits::{Commit, Signature};
pub(crate) use objects::{Entry, Found};
pub(crate) use write::{FileChange, NewCommit};

use crate::app::Refs;

#[derive(Debug, Clone)]
pub(crate) struct Git {
    pub(crate) folder: PathBuf,
}

impl Git {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Makes an empty bare repository that serves what GitHub serves.
    pub(crate) fn init(folder: &Path, default_branch: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let git = Self::at(folder.to_owned());
        git.run(&["init", "--quiet", "--bare", "--initial-branch", default_branch])?;
        for (key, value) in [
            ("http.receivepack", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("uploadpack.allowFilter", "true"),
            ("receive.denyDeleteCurrent", "ignore"),
            ("gc.auto", "0"),
        ] {
            git.run(&["config", key, value])?;
        }
        Ok(git)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.env("GIT_DIR", &self.folder).stdin(Stdio::null());
        for (key, value) in environment() {
            command.env(key, value);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.command().args(arguments).output().context("starting git")?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!("git {} failed: {}", arguments.join(" "), text.trim());
        }
        Ok(output.stdout)
    }

    /// Output as text, without the newline at its end.
    pub(crate) fn text(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        Ok(String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned())
    }

    /// Branches and tags; an annotated tag has the id of its tag object.
    pub(crate) fn refs(&self) -> Result<Refs> {
        let format = "--format=%(refname) %(objectname)";
        let text = self.text(&["for-each-ref", format, "refs/heads", "refs/tags"])?;
        let pairs = text.lines().filter_map(|line| line.rsplit_once(' '));
        Ok(pairs.map(|(name, id)| (name.to_owned(), id.to_owned())).collect::<BTreeMap<_, _>>())
    }

    /// What a ref points at when tag objects are peeled off.
    pub(crate) fn peel(&self, id: &str) -> Option<String> {
        self.verify(&format!("{id}^{{commit}}"))
    }

    /// The commit that a branch, tag, `heads/…`, `tags/…` or (short) hash names.
    pub(crate) fn resolve(&self, name: &str) -> Option<String> {
        if name.is_empty() || name.starts_with('-') {
            return None;
        }
        let hash = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut candidates = if hash { vec![name.to_owned()] } else { Vec::new() };
        for folder in ["refs/heads/", "refs/tags/", "refs/"] {
            candidates.push(format!("{folder}{name}"));
        }
        if name.starts_with("refs/") || name == "HEAD" {
            candidates.push(name.to_owned());
        }
        candidates.iter().find_map(|candidate| self.peel(candidate))
    }

    pub(crate) fn verify(&self, revision: &str) -> Option<String> {
        self.text(&["rev-parse", "--verify", "--quiet", revision]).ok()
    }

    pub(crate) fn is_ancestor(&self, old: &str, new: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", old, new]).is_ok()
    }
}

/// Keeps the machine's own git configuration out, and gives commits an author.
pub(crate) fn environment() -> [(&'static str, &'static str); 7] {
    [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Mona Lisa"),
        ("GIT_AUTHOR_EMAIL", "mona@example.com"),
        ("GIT_COMMITTER_NAME", "Mona Lisa"),
        ("GIT_COMMITTER_EMAIL", "mona@example.com"),
    ]
}
