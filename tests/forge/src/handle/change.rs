//! Putting a commit together.

use crate::{
    git::{FileChange, NewCommit},
    handle::Repo,
    model::Repository,
    pushes,
};

/// A commit that is not written yet; [`Change::commit`] writes and pushes it.
#[must_use = "nothing happens before `commit`"]
pub struct Change {
    repo: Repo,
    branch: String,
    parent: Option<String>,
    files: Vec<(String, FileChange)>,
    author: Option<(String, String)>,
    quiet: bool,
}

impl Change {
    pub(crate) fn new(repo: Repo, branch: &str) -> Self {
        let parent = repo.head(branch);
        Self { repo, branch: branch.to_owned(), parent, files: Vec::new(), author: None, quiet: false }
    }

    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, "100644", content.as_ref())
    }

    pub fn executable(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, "100755", content.as_ref())
    }

    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.write(path, "120000", target.as_bytes())
    }

    /// An entry for a submodule; its commit need not exist here.
    pub fn submodule(mut self, path: &str, commit: &str) -> Self {
        self.files.push((path.to_owned(), FileChange::Submodule { commit: commit.to_owned() }));
        self
    }

    pub fn remove(mut self, path: &str) -> Self {
        self.files.push((path.to_owned(), FileChange::Remove));
        self
    }

    /// Puts the commit on another one than the branch's tip: a force push.
    pub fn on_top_of(mut self, sha: Option<&str>) -> Self {
        self.parent = sha.map(str::to_owned);
        self
    }

    pub fn author(mut self, name: &str, email: &str) -> Self {
        self.author = Some((name.to_owned(), email.to_owned()));
        self
    }

    /// The hooks do not hear of it, as when a delivery is lost.
    pub fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Writes the commit, moves the branch, tells the hooks; gives the commit's hash.
    pub fn commit(self, message: &str) -> String {
        let author = self.author.as_ref().map(|(name, email)| (name.as_str(), email.as_str()));
        let new = NewCommit { parent: self.parent, message, author, files: &self.files };
        let sha = self.repo.git().write_commit(&new).expect("git writes the commit");
        let name = format!("refs/heads/{}", self.branch);
        if self.quiet {
            let repository = self.repo.look(Repository::clone);
            let moved = self.repo.git().set_ref(&name, &sha);
            moved.and_then(|()| pushes::keep_quiet(&self.repo.app, &repository)).expect("git moves the branch");
        } else {
            self.repo.push(|git| git.set_ref(&name, &sha));
        }
        sha
    }

    fn write(mut self, path: &str, mode: &'static str, content: &[u8]) -> Self {
        self.files.push((path.to_owned(), FileChange::Write { mode, content: content.to_vec() }));
        self
    }
}
