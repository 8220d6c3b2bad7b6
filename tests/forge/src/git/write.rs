//! Making commits, branches and tags without a work tree.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::Git;

/// One path of a new commit.
#[derive(Debug, Clone)]
pub(crate) enum FileChange {
    /// Mode is `100644`, `100755` or `120000`.
    Write {
        mode: &'static str,
        content: Vec<u8>,
    },
    Submodule {
        commit: String,
    },
    Remove,
}

pub(crate) struct NewCommit<'a> {
    /// The commit goes on top of this one; none for a first commit.
    pub(crate) parent: Option<String>,
    pub(crate) message: &'a str,
    pub(crate) author: Option<(&'a str, &'a str)>,
    pub(crate) files: &'a [(String, FileChange)],
}

impl Git {
    /// Writes a commit; no ref moves.
    pub(crate) fn write_commit(&self, new: &NewCommit<'_>) -> Result<String> {
        let index = tempfile::tempdir()?;
        let index = index.path().join("index");
        let with_index = |arguments: &[&str]| {
            let mut command = self.command();
            command.env("GIT_INDEX_FILE", &index).args(arguments);
            command
        };
        if let Some(parent) = &new.parent {
            finish(with_index(&["read-tree", parent]), None)?;
        }
        for (path, change) in new.files {
            let entry = match change {
                FileChange::Write { mode, content } => {
                    let hash = with_index(&["hash-object", "-w", "--stdin"]);
                    format!("{mode},{},{path}", finish(hash, Some(content))?)
                }
                FileChange::Submodule { commit } => format!("160000,{commit},{path}"),
                FileChange::Remove => {
                    let zero = format!("0 {}\t{path}\0", "0".repeat(40));
                    let remove = with_index(&["update-index", "-z", "--index-info"]);
                    finish(remove, Some(zero.as_bytes()))?;
                    continue;
                }
            };
            finish(with_index(&["update-index", "--add", "--replace", "--cacheinfo", &entry]), None)?;
        }
        let tree = finish(with_index(&["write-tree"]), None)?;
        let mut command = self.command();
        command.args(["commit-tree", &tree]);
        if let Some(parent) = &new.parent {
            command.args(["-p", parent]);
        }
        if let Some((name, email)) = new.author {
            command.env("GIT_AUTHOR_NAME", name).env("GIT_AUTHOR_EMAIL", email);
            command.env("GIT_COMMITTER_NAME", name).env("GIT_COMMITTER_EMAIL", email);
        }
        finish(command, Some(new.message.as_bytes()))
    }

    pub(crate) fn set_ref(&self, name: &str, id: &str) -> Result<()> {
        self.run(&["update-ref", name, id]).map(drop)
    }

    pub(crate) fn delete_ref(&self, name: &str) -> Result<()> {
        self.run(&["update-ref", "-d", name]).map(drop)
    }

    pub(crate) fn annotated_tag(&self, name: &str, at: &str, message: &str) -> Result<()> {
        self.run(&["tag", "--annotate", "--message", message, name, at]).map(drop)
    }
}

/// Runs a command with `input` and gives its output as text.
fn finish(mut command: Command, input: Option<&[u8]>) -> Result<String> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(input) = input {
        let mut stdin = child.stdin.take().context("stdin is piped")?;
        stdin.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("git failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
