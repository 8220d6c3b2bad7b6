//! Steering a forge as a whole: people, tokens, deliveries, trouble.

mod start;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use actix_web::dev::ServerHandle;
use anyhow::Result;
use tempfile::TempDir;

use crate::{
    app::{App, lock},
    config::{Client, ForgeConfig},
    faults::FaultKind,
    handle::{Person, Repo, create_repository},
    model::Delivery,
    oauth, webhooks,
};
use start::Started;

/// A running forge; dropping it stops it.
///
/// Its methods panic when git fails or a thing does not exist: a test wants to know at once.
/// They do not wait for the hooks they cause; see [`Forge::deliveries_sent`].
pub struct Forge {
    pub(crate) app: Arc<App>,
    address: SocketAddr,
    client: Client,
    server: ServerHandle,
    thread: Option<JoinHandle<()>>,
    /// Removed with the forge.
    _data: Option<TempDir>,
}

impl Forge {
    /// Starts a forge on a thread of its own; by default on a free port with a temporary folder.
    pub fn start(config: ForgeConfig) -> Self {
        Self::try_start(config).expect("the forge starts")
    }

    pub fn try_start(config: ForgeConfig) -> Result<Self> {
        let temporary = if config.data.is_none() { Some(tempfile::tempdir()?) } else { None };
        let client = config.client.clone();
        let Started { app, address, server, thread } = start::start(config, temporary.as_ref().map(TempDir::path))?;
        Ok(Self { app, address, client, server, thread: Some(thread), _data: temporary })
    }

    /// `http://127.0.0.1:PORT`, or the public URL that was configured
    pub fn url(&self) -> String {
        self.app.public_url.clone()
    }

    /// The base of the REST API, as GitHub Enterprise has it.
    pub fn api_url(&self) -> String {
        self.app.api("")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn client_id(&self) -> &str {
        &self.client.client_id
    }

    pub fn client_secret(&self) -> &str {
        &self.client.client_secret
    }

    /// The person of that login, made when there is none. The password is `demo`.
    pub fn person(&self, login: &str) -> Person {
        self.app.change(|state| {
            let known = state.account_named(login).cloned();
            let account = known.unwrap_or_else(|| state.add_account(login, false).clone());
            Person { id: account.id, login: account.login, email: account.email, password: account.password }
        })
    }

    /// An organisation owned by `owner`.
    pub fn organization(&self, login: &str, owner: &str) -> u64 {
        let owner = self.person(owner).id;
        self.app.change(|state| {
            let known = state.account_named(login).map(|account| account.id);
            let id = known.unwrap_or_else(|| state.add_account(login, true).id);
            let account = state.accounts.iter_mut().find(|account| account.id == id);
            account.expect("it was found or made just now").members.insert(owner, true);
            id
        })
    }

    /// Makes somebody a member of an organisation, or an owner.
    pub fn member(&self, organization: &str, login: &str, owner: bool) {
        let person = self.person(login).id;
        self.organization_mut(organization, |account| {
            account.members.insert(person, owner);
        });
    }

    /// Somebody leaves an organisation, or is removed.
    pub fn leave(&self, organization: &str, login: &str) {
        let person = self.person(login).id;
        self.organization_mut(organization, |account| {
            account.members.remove(&person);
        });
    }

    /// An account takes another name; the old one is free for others.
    pub fn rename_account(&self, login: &str, to: &str) {
        self.app.change(|state| {
            let found = state.accounts.iter_mut().find(|account| account.login == login);
            to.clone_into(&mut found.expect("the account exists").login);
        });
    }

    /// Whether an organisation answers tokens only after its single sign-on, which none has passed.
    pub fn want_sign_on(&self, organization: &str, wanted: bool) {
        self.organization_mut(organization, |account| account.wants_sign_on = wanted);
    }

    /// Whether an organisation keeps OAuth apps out that it has not approved.
    pub fn restrict_apps(&self, organization: &str, restricted: bool) {
        self.organization_mut(organization, |account| account.restricts_apps = restricted);
    }

    fn organization_mut(&self, login: &str, act: impl FnOnce(&mut crate::model::Account)) {
        self.app.change(|state| {
            let found = state.accounts.iter_mut().find(|account| account.login == login && account.organization);
            act(found.expect("the organisation exists"));
        });
    }

    /// The repository `owner/name`; an empty one is made when there is none.
    pub fn repository(&self, owner: &str, name: &str, private: bool) -> Repo {
        let known = self.app.read(|state| state.repository_named(owner, name).map(|found| found.id));
        let id = known.map_or_else(|| create_repository(&self.app, owner, name, private), Ok);
        Repo { app: Arc::clone(&self.app), id: id.expect("the repository can be made") }
    }

    pub fn find_repository(&self, owner: &str, name: &str) -> Option<Repo> {
        let id = self.app.read(|state| state.repository_named(owner, name).map(|found| found.id))?;
        Some(Repo { app: Arc::clone(&self.app), id })
    }

    /// A token as the OAuth flow would give it, without the flow.
    pub fn token_for(&self, login: &str, scopes: &[&str]) -> String {
        let person = self.person(login).id;
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        oauth::token::issue(&self.app, person, &self.client.client_id, scopes).value
    }

    /// What happens when a person revokes the app; gives the number of tokens that ended.
    pub fn revoke_tokens(&self, login: &str) -> usize {
        let person = self.person(login).id;
        self.app.change(|state| state.revoke(person, None))
    }

    /// All deliveries to hooks, oldest first; those under way are not among them yet.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.app.read(|state| state.deliveries.clone())
    }

    /// Waits until nothing is under way, and gives [`Forge::deliveries`].
    pub async fn deliveries_sent(&self) -> Vec<Delivery> {
        while self.app.deliveries_under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.deliveries()
    }

    /// Sends a delivery again, as the button on GitHub's page does.
    pub fn redeliver(&self, id: u64) {
        let delivery = self.app.read(|state| state.deliveries.iter().find(|delivery| delivery.id == id).cloned());
        webhooks::redeliver(&self.app, &delivery.expect("the delivery exists"));
    }

    /// The next `count` API answers have this status.
    pub fn fail_next(&self, count: u32, status: u16) {
        self.fail_next_at("/api/v3/", count, status);
    }

    /// The next `count` answers to requests whose path contains `path` have this status.
    pub fn fail_next_at(&self, path: &str, count: u32, status: u16) {
        self.app.faults.plan(path, count, FaultKind::Status(status));
    }

    /// The next requests whose path contains `path` hang for this long, then get 504.
    pub fn hang_next_at(&self, path: &str, count: u32, time: Duration) {
        self.app.faults.plan(path, count, FaultKind::Silence(time));
    }

    /// The next requests whose path contains `path` get their answer this much later: it may be out of date by then.
    pub fn answer_late_at(&self, path: &str, count: u32, time: Duration) {
        self.app.faults.plan(path, count, FaultKind::Late(time));
    }

    /// The next `count` API requests get no answer for this long, then 504.
    pub fn hang_next(&self, count: u32, time: Duration) {
        self.app.faults.plan("/api/v3/", count, FaultKind::Silence(time));
    }

    /// Forgets failures that were planned.
    pub fn heal(&self) {
        lock(&self.app.faults.planned).clear();
        self.set_down(false);
    }

    /// While down, everything answers 503.
    pub fn set_down(&self, down: bool) {
        self.app.faults.down.store(down, Ordering::Relaxed);
    }

    /// Whether hooks for `localhost` and private addresses are refused, as GitHub does.
    pub fn refuse_local_hooks(&self, refuse: bool) {
        self.app.refuse_local_hooks.store(refuse, Ordering::Relaxed);
    }

    /// How many requests had this text in `METHOD /path`.
    pub fn requests(&self, text: &str) -> u64 {
        let requests = lock(&self.app.faults.requests);
        requests.iter().filter(|(line, _)| line.contains(text)).map(|(_, count)| count).sum()
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        // The command is sent at once; the future only waits for its end.
        drop(self.server.stop(false));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
