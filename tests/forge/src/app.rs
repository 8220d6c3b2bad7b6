//! The one value that all handlers share.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use crate::{faults::Faults, git::Git, model::Repository, oauth::Code, store::State};

/// A repository's branches and tags: full ref name and object id.
pub(crate) type Refs = BTreeMap<String, String>;

pub(crate) struct App {
    pub(crate) data: PathBuf,
    pub(crate) public_url: String,
    pub(crate) control: bool,
    pub(crate) tree_limit: usize,
    pub(crate) refuse_local_hooks: AtomicBool,
    pub(crate) faults: Faults,
    /// Authorisation codes that wait to be exchanged.
    pub(crate) codes: Mutex<Vec<Code>>,
    /// The refs of each repository that hooks have heard of.
    pub(crate) announced: Mutex<HashMap<u64, Refs>>,
    pub(crate) deliveries_under_way: AtomicUsize,
    pub(crate) http: reqwest::Client,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) state: Mutex<State>,
}

impl App {
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Changes the state and writes it to disk.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.state);
        let result = act(&mut state);
        if let Err(error) = state.save(&self.data.join("state.json")) {
            tracing::error!("the forge's state could not be written: {error:#}");
        }
        result
    }

    /// The folder is named by id, so that a rename moves nothing.
    pub(crate) fn git(&self, repository: &Repository) -> Git {
        Git::at(self.data.join("repositories").join(format!("{}.git", repository.id)))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}/api/v3{path}", self.public_url)
    }
}

/// A panic in another test thread must not hide the state from this one.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
