//! A folder with the files of one commit, for one attempt.
//!
//! Each source has a bare mirror that only grows by what is new; the folder is made from it and removed afterwards.

pub(crate) mod git;
pub(crate) mod links;
mod mirror;
mod paths;
mod room;
mod stamp;
mod tree;

pub(crate) use paths::Places;

use crate::config::Config;
use crate::failure::{Failed, because, internal};
use anyhow::{Context, Result};
use git::{Git, GitError};
use slipway_protocol::{Reason, SourceSpec, Target};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tree::TooLarge;
use uuid::Uuid;

/// Makes checkouts.
pub(crate) struct Checkouts {
    git: Git,
    mirrors: PathBuf,
    folders: PathBuf,
    max_bytes: u64,
    /// Below this, mirrors go.
    wanted_free: u64,
    /// One git at a time works on a mirror.
    locks: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>,
}

/// What is fetched, and the attempt's token, which opens the way to it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) spec: &'a SourceSpec,
    pub(crate) token: &'a str,
}

/// The files of one commit; gone when dropped.
#[derive(Debug)]
pub(crate) struct Checkout {
    folder: PathBuf,
    pub(crate) places: Places,
}

impl Checkouts {
    pub(crate) async fn new(config: &Config) -> Result<Self> {
        let folders = config.work_dir.join("checkouts");
        let mirrors = config.work_dir.join("mirrors");
        let home = config.work_dir.join("empty");
        // Whatever an earlier run left.
        let _ = std::fs::remove_dir_all(&folders);
        for dir in [&folders, &mirrors, &home] {
            std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        }
        let probe = folders.join("probe");
        std::fs::create_dir_all(&probe)?;
        let git = Git::new(config, &home, &probe).await?;
        let _ = std::fs::remove_dir_all(&probe);
        Ok(Self {
            git,
            mirrors,
            folders,
            max_bytes: config.max_source_bytes,
            wanted_free: config.wanted_free(),
            locks: Mutex::default(),
        })
    }

    /// Fetches the commit, checks what is in it, and lays its files out.
    pub(crate) async fn make(&self, attempt: Uuid, source: &Source<'_>, target: &Target) -> Result<Checkout, Failed> {
        let wanted = paths::Wanted::parse(target)?;
        let spec = source.spec;
        if !is_commit(&spec.commit) {
            return Err(because(Reason::SourceUnavailable, "the commit is no full hash"));
        }
        let lock = self.lock(spec.id);
        let _one_at_a_time = lock.lock().await;
        let mirror = mirror::Mirror::new(&self.git, &self.mirrors, source)?;
        mirror.bring().await?;

        let folder = self.folders.join(attempt.to_string());
        let files = folder.join("files");
        let mut checkout = Checkout { folder: folder.clone(), places: Places::default() };
        self.prepare(&folder, &files).map_err(|error| internal("prepare the checkout", &error))?;
        let index = folder.join("index");
        let git = || mirror.call(&files).env("GIT_INDEX_FILE", &index).patience(Duration::from_mins(10));
        let read = async || {
            let indexing = git().run(["read-tree", "--end-of-options", mirror.commit()]);
            // Together, for speed; when the list is refused the other git is killed too.
            tokio::try_join!(mirror.list(self.max_bytes), indexing)
        };
        let mut listed = read().await;
        if listed.as_ref().is_err_and(|error| !is_too_large(error)) {
            // A crash may have left less than the ref promises.
            mirror.forget();
            mirror.bring().await?;
            self.prepare(&folder, &files).map_err(|error| internal("prepare the checkout", &error))?;
            listed = read().await;
        }
        let (entries, ()) = listed.map_err(|error| self.explain("read the commit", &error))?;
        let laid_out = git().env("GIT_WORK_TREE", &files).run(["checkout-index", "--all", "--quiet"]).await;
        laid_out.map_err(|error| self.explain("check the source out", &error))?;
        let places = tokio::task::spawn_blocking(move || {
            stamp::stamp(&files, &entries);
            let places = paths::find(&files, &entries, &wanted)?;
            Ok::<_, Failed>(Places { absent: tree::absent(&entries, &places), ..places })
        });
        checkout.places = places.await.map_err(|error| internal("check the source out", &error.into()))??;
        Ok(checkout)
    }

    /// What a git that failed means, where it is not a fault of ours.
    fn explain(&self, what: &str, error: &anyhow::Error) -> Failed {
        if error.downcast_ref().is_some_and(|error: &GitError| error.is_disk_full(&self.git)) {
            return because(Reason::DiskFull, "the builder's disk is full");
        }
        if is_too_large(error) {
            return because(Reason::SourceUnsupported, TooLarge(self.max_bytes).to_string());
        }
        internal(what, error)
    }

    /// Two empty folders that git may write to.
    fn prepare(&self, folder: &Path, files: &Path) -> Result<()> {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(files)?;
        self.git.own(folder)?;
        self.git.own(files)
    }

    fn lock(&self, source: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.entry(source).or_default().clone()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // A large tree takes a while, and nobody waits for it.
        let folder = std::mem::take(&mut self.folder);
        std::thread::spawn(move || {
            if let Err(error) = std::fs::remove_dir_all(&folder)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!("remove {}: {error}", folder.display());
            }
        });
    }
}

/// Whether a commit is more than git may read or write for us: then no other copy of it is smaller.
fn is_too_large(error: &anyhow::Error) -> bool {
    error.is::<TooLarge>() || error.downcast_ref().is_some_and(GitError::is_over_a_limit)
}

/// 40 or 64 lower case hex digits: nothing that git could take for an option or a name.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests;
