//! People and repositories as tests hold them.

mod change;

use std::{collections::BTreeMap, fs, sync::Arc};

use anyhow::{Context, Result, ensure};

pub use change::Change;

use crate::{
    app::App,
    git::Git,
    model::{Hook, Permission, Repository, Status, now},
    pushes,
    webhooks::{self, payload},
};

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: u64,
    pub login: String,
    pub email: String,
    pub password: String,
}

/// A repository of the forge. Its methods that move refs tell the hooks, as a push does.
#[derive(Clone)]
pub struct Repo {
    pub(crate) app: Arc<App>,
    pub(crate) id: u64,
}

impl Repo {
    pub fn id(&self) -> u64 {
        self.id
    }

    /// `owner/name`, as it is now
    pub fn full_name(&self) -> String {
        self.app.read(|state| state.repository(self.id).map(|found| state.full_name(found))).expect("it exists")
    }

    pub fn clone_url(&self) -> String {
        self.app.url(&format!("/{}.git", self.full_name()))
    }

    /// The clone URL with a token in it, for `git push` in tests.
    pub fn clone_url_with(&self, token: &str) -> String {
        self.clone_url().replacen("://", &format!("://x-access-token:{token}@"), 1)
    }

    /// Adds a commit with these files to a branch (made when absent) and gives its hash.
    pub fn commit(&self, branch: &str, files: &[(&str, &str)], message: &str) -> String {
        let change = files.iter().fold(self.change(branch), |change, (path, text)| change.file(path, text));
        change.commit(message)
    }

    /// A commit to be put together: modes, links, removals, another author.
    pub fn change(&self, branch: &str) -> Change {
        Change::new(self.clone(), branch)
    }

    /// The commit at the tip of a branch.
    pub fn head(&self, branch: &str) -> Option<String> {
        self.git().verify(&format!("refs/heads/{branch}"))
    }

    /// Creates a branch, or moves one there by force.
    pub fn set_branch(&self, branch: &str, sha: &str) {
        self.push(|git| git.set_ref(&format!("refs/heads/{branch}"), sha));
    }

    pub fn delete_branch(&self, branch: &str) {
        self.push(|git| git.delete_ref(&format!("refs/heads/{branch}")));
    }

    /// A lightweight tag.
    pub fn tag(&self, name: &str, at: &str) {
        self.tags(&[name], at);
    }

    /// Several tags in one push; GitHub says nothing about more than three.
    pub fn tags(&self, names: &[&str], at: &str) {
        self.push(|git| names.iter().try_for_each(|name| git.set_ref(&format!("refs/tags/{name}"), at)));
    }

    pub fn annotated_tag(&self, name: &str, at: &str, message: &str) {
        self.push(|git| git.annotated_tag(name, at, message));
    }

    pub fn delete_tag(&self, name: &str) {
        self.push(|git| git.delete_ref(&format!("refs/tags/{name}")));
    }

    /// Commit statuses, oldest first.
    pub fn statuses(&self, sha: &str) -> Vec<Status> {
        let mut statuses = self.look(|found| found.statuses.clone());
        statuses.retain(|status| status.sha == sha);
        statuses
    }

    pub fn hooks(&self) -> Vec<Hook> {
        self.look(|found| found.hooks.clone())
    }

    /// Removes all hooks, as somebody may do on GitHub's settings page.
    pub fn remove_hooks(&self) {
        self.alter(|found| found.hooks.clear());
    }

    pub fn collaborator(&self, person: &Person, permission: Permission) {
        self.alter(|found| {
            found.collaborators.insert(person.id, permission);
        });
    }

    /// Hides the repository or publishes it, and tells the hooks, as GitHub does.
    pub fn set_private(&self, private: bool) {
        let was = self.look(|found| found.private);
        self.set_private_quietly(private);
        if was != private {
            let action = if private { "privatized" } else { "publicized" };
            let found = self.look(Repository::clone);
            let body = payload::about(&self.app, &found, action);
            webhooks::emit(&self.app, self.id, "repository", &body);
        }
    }

    /// As `set_private`, when the delivery is lost.
    pub fn set_private_quietly(&self, private: bool) {
        self.alter(|found| found.private = private);
    }

    pub fn set_default_branch(&self, branch: &str) {
        let name = format!("refs/heads/{branch}");
        self.git().run(&["symbolic-ref", "HEAD", &name]).expect("git can move HEAD");
        self.alter(|found| branch.clone_into(&mut found.default_branch));
    }

    pub fn describe(&self, description: &str) {
        self.alter(|found| description.clone_into(&mut found.description));
    }

    /// The old name redirects, as at GitHub.
    pub fn rename(&self, name: &str) {
        let old = self.full_name();
        self.alter(|found| {
            found.former_names.push(old);
            name.clone_into(&mut found.name);
        });
    }

    /// To another person or organisation; id and hooks stay, and the old name redirects, as at GitHub.
    pub fn transfer(&self, owner: &str) {
        let old = self.full_name();
        let owner =
            self.app.read(|state| state.account_named(owner).map(|found| found.id)).expect("they have an account");
        self.alter(|found| {
            found.former_names.push(old);
            found.owner = owner;
        });
    }

    pub fn delete(self) {
        self.app.change(|state| state.repositories.retain(|found| found.id != self.id));
        fs::remove_dir_all(&self.git().folder).expect("the repository's folder can be removed");
    }

    pub(crate) fn git(&self) -> Git {
        Git::at(self.app.data.join("repositories").join(format!("{}.git", self.id)))
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&Repository) -> T) -> T {
        self.app.read(|state| state.repository(self.id).map(look)).expect("the repository exists")
    }

    fn alter(&self, act: impl FnOnce(&mut Repository)) {
        self.app.change(|state| state.repository_mut(self.id).map(act)).expect("the repository exists");
    }

    /// Moves refs and tells the hooks, as if the owner had pushed.
    pub(crate) fn push(&self, act: impl FnOnce(&Git) -> Result<()>) {
        let repository = self.look(Repository::clone);
        let pushed = pushes::watch(&self.app, &repository)
            .and_then(|()| act(&self.git()))
            .and_then(|()| pushes::announce(&self.app, self.id, self.pusher(&repository)));
        pushed.expect("git moves refs");
    }

    /// The owner, or the first owner of the organisation.
    fn pusher(&self, repository: &Repository) -> u64 {
        let owner = self.app.read(|state| state.account(repository.owner).cloned());
        let owner = owner.expect("each repository has an owner");
        let first = owner.members.iter().find(|(_, is_owner)| **is_owner).map(|(id, _)| *id);
        if owner.organization { first.unwrap_or(owner.id) } else { owner.id }
    }
}

/// Makes an empty repository and gives its id.
pub(crate) fn create_repository(app: &App, owner: &str, name: &str, private: bool) -> Result<u64> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ensure!(!name.is_empty() && name.chars().all(plain), "`{name}` is no name for a repository");
    let id = app.change(|state| {
        let owner = state.account_named(owner).context("the owner has no account")?.id;
        let id = state.take_id();
        state.repositories.push(Repository {
            id,
            owner,
            name: name.to_owned(),
            private,
            description: String::new(),
            default_branch: "main".to_owned(),
            collaborators: BTreeMap::new(),
            former_names: Vec::new(),
            hooks: Vec::new(),
            statuses: Vec::new(),
            created_at: now(),
            pushed_at: now(),
        });
        Ok::<_, anyhow::Error>(id)
    })?;
    Git::init(&app.data.join("repositories").join(format!("{id}.git")), "main")?;
    Ok(id)
}
