//! Sources against a real forge: listing, import, webhooks, polling, and what goes wrong there.

mod auxiliary;
mod deliveries;
mod imports;
mod knowing;
mod late;
mod privacy;
mod pushes;
mod renames;
mod statuses;
mod told;
mod troubles;
mod turning;

use crate::app::App;
use crate::db::{self, BuildState, ConnectionState, rows};
use crate::jobs::{self, Task};
use crate::names::RepositoryName;
use crate::policy::{self, AdministerRepository, Allowed, Bound, Principal, RepositoryAccess, Site, UseAccount, Who};
use crate::secrets::{Place, Secret};
use crate::testing::{self, TestApp};
use slipway_forge::{Forge, ForgeConfig, Repo};
use std::time::Duration;
use tokio::sync::watch;
use uuid::Uuid;

/// Polling that a test does not wait for.
const NEVER: u64 = 100_000;

/// A server with its jobs and its HTTP, and a forge, on loopback.
struct Scene {
    forge: Forge,
    app: TestApp,
    server: actix_web::dev::ServerHandle,
    _stop: watch::Sender<bool>,
}

struct Someone {
    principal: Principal,
    connection_id: Uuid,
}

/// With the server goes its hold on the app, and so the connections to the database.
impl Drop for Scene {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Scene {
    async fn start(poll_secs: u64) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let forge = Forge::start(ForgeConfig::default());
        // None that the kernel gives to a connection of another test meanwhile.
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], slipway_tests::free_port()));
        let app = TestApp::start_with(&format!(
            "listen = \"{address}\"\npublic_url = \"http://{address}\"\n[sources]\npoll_secs = {poll_secs}\n\
             [github]\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
            forge.url(),
            forge.client_id(),
            forge.client_secret(),
        ))
        .await;
        let (stop, stopped) = watch::channel(false);
        let app_of_server = app.app.clone();
        let (tell, started) = std::sync::mpsc::channel();
        // actix wants a thread of its own kind.
        std::thread::spawn(move || {
            let runs = async {
                let server = crate::http::server::start(&app_of_server, None).unwrap();
                tell.send(server.handle()).unwrap();
                server.await
            };
            actix_web::rt::System::new().block_on(runs).unwrap();
        });
        tokio::spawn(jobs::run(app.app.clone(), stopped));
        let scene = Self { forge, app, server: started.recv().unwrap(), _stop: stop };
        scene.wait("the server answers", async |_| tokio::net::TcpStream::connect(address).await.is_ok()).await;
        scene
    }

    /// A code repository with a Dockerfile on `main`.
    fn code(&self, owner: &str, name: &str, private: bool) -> Repo {
        self.forge.person("mona");
        let code = self.forge.repository(owner, name, private);
        code.commit("main", &[("Dockerfile", "FROM scratch\n")], "Say hello");
        code
    }

    /// A person of the forge, signed in and connected.
    async fn someone(&self, login: &str) -> Someone {
        let (app, now) = (&*self.app, self.app.clock.now());
        let remote_id = self.forge.person(login).id.to_string();
        let token = Secret::new(self.forge.token_for(login, &["repo", "read:org"]));
        let (user_id, identity_id, connection_id) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let place = Place { table: "connection", column: "token_encrypted", row: connection_id };
        let name = login.to_owned();
        let tx = app.db.begin().await.unwrap();
        let user = rows::User { id: user_id, created_at: now, ..testing::user(&name) };
        db::users::insert(&tx, user).await.unwrap();
        let identity = rows::Identity {
            id: identity_id,
            user_id,
            forge: "github".into(),
            forge_url: self.forge.url(),
            remote_id,
            login: login.into(),
            created_at: now,
            updated_at: now,
        };
        db::users::insert_identity(&tx, identity).await.unwrap();
        let connection = rows::Connection {
            id: connection_id,
            identity_id,
            scopes: "repo read:org".into(),
            token_encrypted: app.master_key.seal_text(place, &token),
            state: ConnectionState::Active,
            state_detail: None,
            listed_at: None,
            listing_error: None,
            created_at: now,
            updated_at: now,
        };
        db::users::insert_connection(&tx, connection).await.unwrap();
        tx.commit().await.unwrap();
        let who = Who::User { id: user_id, name, is_site_admin: false };
        Someone { principal: Principal { who, bound: Bound::None }, connection_id }
    }

    /// Lists, and gives the row of a code repository once its Dockerfiles are known.
    async fn listed(&self, who: &Someone, full_name: &str) -> rows::ForgeRepository {
        super::listing::refresh(&self.app, who.connection_id).await.unwrap();
        // As it was found: a job that lists again may have it scanned again.
        let found = std::cell::RefCell::default();
        let look = async |app: &App| {
            let row = row_of(app, who, full_name).await;
            row.is_some_and(|row| found.replace(Some(row)).is_none())
        };
        self.wait("it is listed and scanned", look).await;
        found.take().expect("it was found")
    }

    async fn import(&self, who: &Someone, full_name: &str) -> crate::error::Result<(RepositoryName, i64)> {
        let listed = self.listed(who, full_name).await;
        super::import::import(&self.app, &may_use(who), listed.id, None).await
    }

    async fn source(&self, full_name: &str) -> rows::Source {
        source_of(&self.app, full_name).await.expect("it is connected")
    }

    async fn builds(&self, name: &RepositoryName) -> Vec<rows::Build> {
        builds_of(&self.app, name).await
    }

    async fn wait(&self, what: &str, is_so: impl AsyncFn(&App) -> bool) {
        for _ in 0..300 {
            if is_so(&self.app).await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("within 15 s it did not happen that {what}");
    }

    /// Waits for a build of a ref at a commit.
    async fn build_of(&self, name: &RepositoryName, ref_name: &str, commit: &str) -> rows::Build {
        let found = async |app: &App| {
            let builds = builds_of(app, name).await;
            builds.into_iter().find(|b| b.ref_name == ref_name && b.commit_hash == commit)
        };
        self.wait(&format!("{ref_name} at {commit} is built"), async |app| found(app).await.is_some()).await;
        found(&self.app).await.unwrap()
    }

    /// Waits until all jobs that are due have run.
    async fn quiet(&self) {
        self.forge.deliveries_sent().await;
        self.wait("all jobs are done", async |app| db::jobs::count_open(&app.db).await.unwrap() == 0).await;
    }

    async fn ask_for(&self, task: Task) {
        let tx = self.app.db.begin().await.unwrap();
        jobs::enqueue(&self.app, &tx, &task, None).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn poll(&self, full_name: &str) -> rows::Source {
        let source = self.source(full_name).await;
        super::polling::poll(&self.app, &source).await.unwrap();
        self.source(full_name).await
    }

    /// A role in the namespace of a repository.
    async fn give(&self, who: &Someone, name: &RepositoryName, role: db::Role) {
        let tx = self.app.db.begin().await.unwrap();
        let namespace = db::namespaces::find_by_name(&tx, name.namespace.as_str()).await.unwrap().unwrap();
        let user_id = who.principal.user_id().unwrap();
        let row = rows::Grant::given(namespace.id, user_id, role, 0);
        db::namespaces::insert_grant(&tx, row).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn repository_of(&self, name: &RepositoryName) -> RepositoryAccess {
        let namespace = db::namespaces::find_by_name(&self.app.db, name.namespace.as_str()).await.unwrap().unwrap();
        let row = db::repositories::find_by_name(&self.app.db, namespace.id, &name.name).await.unwrap().unwrap();
        RepositoryAccess {
            id: row.id,
            namespace_id: namespace.id,
            name: name.clone(),
            visibility: db::Visibility::Public,
            is_live: true,
            role: None,
        }
    }

    async fn admin(&self, who: &Someone, name: &RepositoryName) -> Allowed<AdministerRepository> {
        let access = crate::auth::extract::repository_access(&self.app, &who.principal, name).await.unwrap();
        let access: RepositoryAccess = access.expect("it exists");
        policy::check(&who.principal, access).expect("an admin")
    }
}

fn may_use(who: &Someone) -> Allowed<UseAccount> {
    policy::check(&who.principal, Site).expect("a person")
}

async fn row_of(app: &App, who: &Someone, full_name: &str) -> Option<rows::ForgeRepository> {
    let (rows, _) = super::listing::search(app, who.connection_id, full_name, 1).await.unwrap();
    rows.into_iter().find(|r| r.full_name == full_name && r.scan_state == db::ScanState::Done)
}

async fn source_of(app: &App, full_name: &str) -> Option<rows::Source> {
    let all = db::sources::due(&app.db, i64::MAX, i64::MAX, i64::MAX, i64::MAX, 100).await.unwrap();
    all.into_iter().find(|s| s.full_name == full_name)
}

/// Newest first.
async fn builds_of(app: &App, name: &RepositoryName) -> Vec<rows::Build> {
    let namespace = db::namespaces::find_by_name(&app.db, name.namespace.as_str()).await.unwrap().unwrap();
    let repository = db::repositories::find_by_name(&app.db, namespace.id, &name.name).await.unwrap().unwrap();
    db::builds::list(&app.db, repository.id, None, 100).await.unwrap()
}

fn is_queued(build: &rows::Build) -> bool {
    build.state == BuildState::Queued
}
