//! Finding out what a push changed, and telling the hooks.
//!
//! The forge keeps the refs that hooks have heard of, and compares. So it does not matter
//! whether git over HTTP or a test's method call moved a ref, and nothing is told twice.

use std::{collections::hash_map::Entry, sync::Arc};

use anyhow::{Context, Result};

use crate::{
    app::{App, Refs, lock},
    model::{Account, Repository, now},
    webhooks::{self, payload},
};

/// GitHub sends nothing for tags when more than three come in one push.
const TAGS_AT_MOST: usize = 3;

/// One ref, before and after.
#[derive(Debug, Clone)]
pub(crate) struct RefChange {
    pub(crate) name: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    /// What branches pointed at before the push.
    pub(crate) known: Vec<String>,
}

impl RefChange {
    pub(crate) fn is_branch(&self) -> bool {
        self.name.starts_with("refs/heads/")
    }

    /// `main` of `refs/heads/main`
    pub(crate) fn short_name(&self) -> &str {
        self.name.splitn(3, '/').last().unwrap_or_default()
    }
}

/// To be called before refs may move: from now on, changes are noticed.
pub(crate) fn watch(app: &App, repository: &Repository) -> Result<()> {
    let mut announced = lock(&app.announced);
    if let Entry::Vacant(unknown) = announced.entry(repository.id) {
        unknown.insert(app.git(repository).refs()?);
    }
    Ok(())
}

/// Forgets what moved since the last announcement: hooks never hear of it.
pub(crate) fn keep_quiet(app: &App, repository: &Repository) -> Result<()> {
    let refs = app.git(repository).refs()?;
    lock(&app.announced).insert(repository.id, refs);
    touch(app, repository);
    Ok(())
}

/// Sends events for all refs that moved since the last announcement.
pub(crate) fn announce(app: &Arc<App>, repository: u64, pusher: u64) -> Result<()> {
    let found = app.read(|state| state.repository(repository).cloned());
    let repository = found.context("the repository is gone")?;
    let git = app.git(&repository);
    let changes = {
        let mut announced = lock(&app.announced);
        let after = git.refs()?;
        let before = announced.insert(repository.id, after.clone()).unwrap_or_default();
        compare(&before, &after)
    };
    if changes.is_empty() {
        return Ok(());
    }
    let repository = touch(app, &repository);
    let pusher: Account = app.read(|state| state.account(pusher).cloned()).context("the pusher is gone")?;
    let tags = changes.iter().filter(|change| !change.is_branch()).count();
    for change in changes.iter().filter(|change| change.is_branch() || tags <= TAGS_AT_MOST) {
        let body = payload::push(app, &git, &repository, &pusher, change)?;
        webhooks::emit(app, repository.id, "push", &body);
        if change.before.is_none() || change.after.is_none() {
            let event = if change.before.is_none() { "create" } else { "delete" };
            let body = payload::create_or_delete(app, &repository, &pusher, change);
            webhooks::emit(app, repository.id, event, &body);
        }
    }
    Ok(())
}

fn compare(before: &Refs, after: &Refs) -> Vec<RefChange> {
    let heads = before.iter().filter(|(name, _)| name.starts_with("refs/heads/"));
    let known: Vec<String> = heads.map(|(_, sha)| sha.clone()).collect();
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let change = |name: &String| RefChange {
        name: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
        known: known.clone(),
    };
    changed.map(change).collect()
}

fn touch(app: &App, repository: &Repository) -> Repository {
    app.change(|state| match state.repository_mut(repository.id) {
        Some(found) => {
            found.pushed_at = now();
            found.clone()
        }
        None => repository.clone(),
    })
}
