//! The state of the forge and its JSON file.
//!
//! The file is replaced as a whole after each change, so a crash leaves the old or the new
//! state. Refs, commits and files are not in it: the bare repositories are their truth.

use std::{collections::BTreeMap, fs, io::Write, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::model::{Account, Delivery, Grant, Hook, OAuthApp, Repository, Token, now};

/// Older deliveries are forgotten.
const DELIVERIES_KEPT: usize = 500;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) next_id: u64,
    pub(crate) accounts: Vec<Account>,
    pub(crate) repositories: Vec<Repository>,
    pub(crate) apps: Vec<OAuthApp>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) deliveries: Vec<Delivery>,
}

impl State {
    pub(crate) fn new() -> Self {
        // The first person of the demo has the id 1001.
        Self {
            next_id: 1001,
            accounts: Vec::new(),
            repositories: Vec::new(),
            apps: Vec::new(),
            tokens: Vec::new(),
            grants: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    pub(crate) fn load(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Ok(Self::new());
        }
        let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("understanding {}", file.display()))
    }

    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let folder = file.parent().context("the state file lies in a folder")?;
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        temporary.write_all(&serde_json::to_vec(self)?)?;
        temporary.persist(file)?;
        Ok(())
    }

    pub(crate) fn take_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub(crate) fn account(&self, id: u64) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// Logins are compared without regard to case, as at GitHub.
    pub(crate) fn account_named(&self, login: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(|account| !account.organization)
    }

    pub(crate) fn add_account(&mut self, login: &str, organization: bool) -> &mut Account {
        let id = self.take_id();
        self.accounts.push(Account {
            id,
            login: login.to_owned(),
            name: title_case(login),
            email: format!("{login}@example.com"),
            password: "demo".to_owned(),
            organization,
            members: BTreeMap::new(),
            restricts_apps: false,
            wants_sign_on: false,
            created_at: now(),
        });
        self.accounts.last_mut().expect("an account was pushed just now")
    }

    pub(crate) fn repository(&self, id: u64) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.id == id)
    }

    pub(crate) fn repository_mut(&mut self, id: u64) -> Option<&mut Repository> {
        self.repositories.iter_mut().find(|repository| repository.id == id)
    }

    pub(crate) fn repository_named(&self, owner: &str, name: &str) -> Option<&Repository> {
        let owner = self.account_named(owner)?.id;
        let same = |r: &&Repository| r.owner == owner && r.name.eq_ignore_ascii_case(name);
        self.repositories.iter().find(same)
    }

    /// The repository that had this name before it was renamed.
    pub(crate) fn repository_formerly(&self, owner: &str, name: &str) -> Option<&Repository> {
        let old = format!("{owner}/{name}");
        let had = |r: &&Repository| r.former_names.iter().any(|n| n.eq_ignore_ascii_case(&old));
        self.repositories.iter().find(had)
    }

    pub(crate) fn full_name(&self, repository: &Repository) -> String {
        let owner = self.account(repository.owner).map_or("ghost", |owner| &owner.login);
        format!("{owner}/{}", repository.name)
    }

    pub(crate) fn hook_mut(&mut self, repository: u64, hook: u64) -> Option<&mut Hook> {
        self.repository_mut(repository)?.hooks.iter_mut().find(|candidate| candidate.id == hook)
    }

    pub(crate) fn app(&self, client_id: &str) -> Option<&OAuthApp> {
        self.apps.iter().find(|app| app.client_id == client_id)
    }

    pub(crate) fn add_delivery(&mut self, delivery: Delivery) {
        self.deliveries.push(delivery);
        let surplus = self.deliveries.len().saturating_sub(DELIVERIES_KEPT);
        self.deliveries.drain(..surplus);
    }

    /// What happens when a person revokes an app in the settings; counts the tokens lost.
    pub(crate) fn revoke(&mut self, person: u64, client_id: Option<&str>) -> usize {
        let before = self.tokens.len();
        let of_app = |id: &str| client_id.is_none_or(|wanted| wanted == id);
        self.tokens.retain(|token| token.person != person || !of_app(&token.client_id));
        self.grants.retain(|grant| grant.person != person || !of_app(&grant.client_id));
        before - self.tokens.len()
    }
}

fn title_case(login: &str) -> String {
    let mut letters = login.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
