//! A forge, a server that knows it, and people: what the tests of bad input stand on.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use slipway_forge::{Forge, ForgeConfig, Repo};
use slipway_tests::{Run, Server, free_port, tool};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::browser::Browser;

/// A forge and a server that trust each other.
pub(crate) struct Site {
    pub(crate) forge: Forge,
    pub(crate) server: Server,
}

/// A code repository that fills a repository here.
pub(crate) struct Connected {
    pub(crate) repo: Repo,
    /// `mona/web`
    pub(crate) name: String,
    pub(crate) source_id: String,
    pub(crate) secret: String,
}

impl Site {
    /// Everybody may sign in; no builder, unless the settings say otherwise.
    pub(crate) async fn new(settings: &[(&str, &str)]) -> Self {
        // The forge's files lie in the server's folder, which goes away however the test ends.
        let port = free_port();
        let client = ForgeConfig::default().client;
        let mut builder = Server::builder()
            .env("SLIPWAY_GITHUB_URL", format!("http://127.0.0.1:{port}"))
            .env("SLIPWAY_GITHUB_CLIENT_ID", &client.client_id)
            .env("SLIPWAY_GITHUB_CLIENT_SECRET", &client.client_secret)
            .env("SLIPWAY_TRUSTED_PROXIES", "127.0.0.0/8,::1/128")
            .env("SLIPWAY_SOURCES_POLL_SECS", "1");
        let defaults = [("SLIPWAY_SIGN_IN_EVERYBODY", "true"), ("SLIPWAY_BUILDER_EMBEDDED", "false")];
        for (name, value) in defaults.iter().chain(settings) {
            builder = builder.env(name, *value);
        }
        let server = builder.start().await;
        let data = server.data_dir().parent().map(|folder| folder.join("forge"));
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        let forge = Forge::start(ForgeConfig { listen, data, client, ..ForgeConfig::default() });
        Self { forge, server }
    }

    /// One for all tests that leave it as it was: they make people and repositories of their own.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Site> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::new(&[])).await
    }

    pub(crate) fn browser(&self) -> Browser {
        let data = self.server.data_dir();
        Browser::new(&self.server.url(""), data.with_file_name("log"))
    }

    /// A browser in which this person has pressed **Get started** and agreed.
    pub(crate) async fn signed_in(&self, login: &str) -> Browser {
        let browser = self.browser();
        let back = self.consent(&browser, login, "get-started").await;
        let end = browser.get(&back).await.is(303);
        assert_eq!(end.location(), "/new/import");
        browser
    }

    /// Goes to the forge and agrees there; the address that the forge sends the browser back to.
    pub(crate) async fn consent(&self, browser: &Browser, login: &str, purpose: &str) -> String {
        self.forge.person(login);
        let out = browser.get(&format!("/login/github?purpose={purpose}")).await.is(303).location();
        self.agree(browser, &out, login).await
    }

    /// Presses **Authorize** on the forge's page.
    pub(crate) async fn agree(&self, browser: &Browser, authorize: &str, login: &str) -> String {
        let page = browser.post(authorize, &[("decision", "authorize"), ("person", login)]).await;
        page.is(302).location()
    }

    /// A repository at the forge with this Dockerfile, imported by its owner.
    pub(crate) async fn connected(&self, browser: &Browser, owner: &str, name: &str, private: bool) -> Connected {
        let repo = self.forge.repository(owner, name, private);
        if repo.head("main").is_none() {
            repo.commit("main", &[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")], "Begin");
        }
        let listed = self.listed(browser, &repo.full_name()).await;
        let done = browser.post("/new/import", &[("repository", &listed), ("dockerfile", "Dockerfile")]).await;
        let to = done.is(303).location();
        let name = to.trim_start_matches('/').split("/-/").next().unwrap_or_default().to_owned();
        let source_id = self.sql(&format!("SELECT {ID} FROM source WHERE remote_id = '{}'", repo.id())).await;
        let hook = until("the webhook is made", async || repo.hooks().pop()).await;
        let secret = hook.secret.expect("our hooks have secrets");
        Connected { repo, name, source_id: uuid(&source_id), secret }
    }

    /// Asks for the list of repositories until this one is in it; its id there.
    pub(crate) async fn listed(&self, browser: &Browser, full_name: &str) -> String {
        let ask = format!("SELECT {ID} FROM forge_repository WHERE full_name = '{full_name}' AND scan_state = 'done'");
        let id = until("the repository is listed", async || {
            let id = self.sql(&ask).await;
            if id.is_empty() {
                browser.post("/new/import/refresh", &[]).await.is(303);
            }
            (!id.is_empty()).then_some(id)
        });
        uuid(&id.await)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.server.data_dir().join("slipway.db")
    }

    /// Runs SQL in the server's database, beside it.
    pub(crate) async fn sql(&self, statement: &str) -> String {
        let run =
            Run::new(tool("sqlite3")).args(["-cmd".as_ref(), ".timeout 10000".as_ref(), self.database().as_os_str()]);
        run.args([statement]).output().await.ok().text().to_owned()
    }

    /// How many rows there are.
    pub(crate) async fn count(&self, from: &str) -> u64 {
        self.sql(&format!("SELECT count(*) FROM {from}")).await.parse().expect("a count is a number")
    }
}

/// Ids are stored as bytes.
pub(crate) const ID: &str = "lower(hex(id))";

/// `0190…` with its dashes.
pub(crate) fn uuid(hex: &str) -> String {
    hex.parse::<uuid::Uuid>().unwrap_or_else(|error| panic!("`{hex}` is no id: {error}")).to_string()
}

/// Asks until there is an answer; for up to thirty seconds.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}
