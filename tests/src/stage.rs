//! A forge and a server that know each other, and mona: where the tests of the whole flow play.

use std::fs;

use slipway_forge::{Forge, ForgeConfig, Repo};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Project, Server, ServerBuilder, Visitor, images};

/// Each stage runs a server and a BuildKit: more of them at once would only wait for the processors.
static PLACES: Semaphore = Semaphore::const_new(3);

/// What a Dockerfile here begins with: busybox, so that no base image and no network is needed.
pub const BUSYBOX: &str =
    "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// A server that lets nobody but mona in, and the forge that it asks.
pub struct Stage {
    pub server: Server,
    pub mona: Visitor,
    pub forge: Forge,
    _place: SemaphorePermit<'static>,
}

impl Stage {
    /// Mona has signed in.
    pub async fn start() -> Self {
        Self::with(ForgeConfig::default(), |server| server).await
    }

    /// Mona has signed in; forge and server have other settings.
    pub async fn with(forge: ForgeConfig, server: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let stage = Self::signed_out(forge, server).await;
        stage.mona.sign_in(&stage.forge, "mona").await;
        stage
    }

    pub async fn signed_out(forge: ForgeConfig, server: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let place = PLACES.acquire().await.expect("it is never closed");
        let forge = Forge::start(forge);
        forge.person("mona");
        let settings = Server::builder()
            .env("SLIPWAY_GITHUB_URL", forge.url())
            .env("SLIPWAY_GITHUB_CLIENT_ID", forge.client_id())
            .env("SLIPWAY_GITHUB_CLIENT_SECRET", forge.client_secret())
            .env("SLIPWAY_SIGN_IN_USERS", "mona");
        let server = server(settings).start().await;
        Self { mona: Visitor::new(&server), server, forge, _place: place }
    }

    /// A public repository of mona with one commit: busybox, and a Dockerfile that begins with [`BUSYBOX`].
    pub fn repository(&self, name: &str, dockerfile: &str) -> Repo {
        self.repository_with(name, false, dockerfile)
    }

    pub fn private_repository(&self, name: &str, dockerfile: &str) -> Repo {
        self.repository_with(name, true, dockerfile)
    }

    fn repository_with(&self, name: &str, private: bool, dockerfile: &str) -> Repo {
        let repo = self.forge.repository("mona", name, private);
        let busybox = fs::read(images::busybox()).expect("busybox-static is installed");
        let dockerfile = format!("{BUSYBOX}{dockerfile}");
        repo.change("main").executable("busybox", busybox).file("Dockerfile", dockerfile).commit("Begin");
        repo
    }

    /// Presses **Build** beside a repository of `/new/import`; build 1 is queued then.
    pub async fn import(&self, repo: &Repo) -> Project<'_> {
        Project::import(self, repo).await
    }

    /// A repository that is imported otherwise.
    pub fn project(&self, name: &str) -> Project<'_> {
        Project::of(self, name)
    }
}
