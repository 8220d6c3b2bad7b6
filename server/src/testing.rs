//! An app for tests of services: a database and storage in a folder that goes with it.

use crate::app::App;
use crate::config::Config;
use crate::db::{self, NamespaceKind, PrincipalKind, RepositoryState, Visibility, rows};
use crate::names::Digest;
use std::cell::Cell;
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

/// Derefs to the app; the folder is removed at the end.
pub(crate) struct TestApp {
    pub app: Arc<App>,
    _dir: TempDir,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With more settings, as lines of the file; sections below.
    pub(crate) async fn start_with(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("slipway.toml");
        let settings = format!("data_dir = {:?}\n{more}\n[storage]\nmin_free_bytes = 1\n", dir.path().join("data"));
        std::fs::write(&file, settings).unwrap();
        let mut config = Config::load(Some(&file)).unwrap();
        if ON_POSTGRES.get() {
            config.database_url = slipway_tests::Postgres::database().await;
        }
        let app = App::open(config).await.unwrap();
        crate::db::connect::migrate(&app.db).await.unwrap();
        Self { app, _dir: dir }
    }
}

/// A person whom nothing let in.
pub(crate) fn user(name: &str) -> rows::User {
    rows::User {
        id: Uuid::now_v7(),
        name: name.into(),
        display_name: None,
        is_site_admin: false,
        created_at: 0,
        disabled_at: None,
        admitted_by: None,
        admitted_at: None,
        suspended_at: None,
        suspended_because: None,
    }
}

/// An image without anything in it.
pub(crate) fn manifest(repository_id: Uuid, digest: &Digest) -> rows::Manifest {
    rows::Manifest {
        id: Uuid::now_v7(),
        repository_id,
        digest: digest.to_string(),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        artifact_type: None,
        subject_digest: None,
        bundle_of: None,
        body: b"{}".to_vec(),
        size_bytes: 2,
        image_size_bytes: 2,
        principal_kind: PrincipalKind::System,
        principal_id: None,
        attempt_id: None,
        created_at: 0,
        platform_least_bytes: None,
        platform_most_bytes: None,
    }
}

/// A namespace of no forge.
pub(crate) fn namespace(name: &str) -> rows::Namespace {
    rows::Namespace {
        id: Uuid::now_v7(),
        name: name.into(),
        kind: NamespaceKind::Local,
        forge_url: None,
        forge_account_id: None,
        created_at: 0,
    }
}

/// A private repository with nothing in it; `name` is without the namespace.
pub(crate) fn repository(namespace_id: Uuid, name: &str) -> rows::Repository {
    rows::Repository {
        id: Uuid::now_v7(),
        namespace_id,
        name: name.into(),
        visibility: Visibility::Private,
        state: RepositoryState::Live,
        description: None,
        next_build_number: 1,
        created_at: 0,
        updated_at: 0,
        maker_kind: None,
        maker_id: None,
    }
}

/// A private code repository that the forge listed to a connection.
pub(crate) fn listed(connection_id: Uuid, owner_id: &str, full_name: &str) -> rows::ForgeRepository {
    rows::ForgeRepository {
        id: Uuid::now_v7(),
        connection_id,
        remote_id: full_name.into(),
        full_name: full_name.into(),
        owner_id: owner_id.into(),
        owner_login: full_name.split('/').next().unwrap_or_default().into(),
        owner_kind: "organization".into(),
        is_private: true,
        can_admin: false,
        default_branch: "main".into(),
        html_url: String::new(),
        clone_url: String::new(),
        pushed_at: None,
        dockerfiles: "[]".into(),
        scan_state: db::ScanState::Done,
        listed_at: 0,
    }
}

/// So many tags `t00000…`, each on a manifest of its own, or all on the one that hashes from `one`.
pub(crate) async fn add_tags(app: &App, repository_id: Uuid, number: usize, on_one: bool) {
    let tx = app.db.begin().await.unwrap();
    for n in 0..number {
        let text = if on_one { "one".to_owned() } else { n.to_string() };
        let digest = Digest::of(text.as_bytes());
        if n == 0 || !on_one {
            db::manifests::insert(&tx, manifest(repository_id, &digest), Vec::new()).await.unwrap();
        }
        let tag = rows::Tag {
            id: Uuid::now_v7(),
            repository_id,
            name: format!("t{n:05}"),
            digest: digest.to_string(),
            build_id: None,
            source_id: None,
            ref_name: None,
            ref_number: None,
            updated_at: 0,
        };
        db::tags::put(&tx, tag).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// The row of a build that succeeded and made the image.
pub(crate) async fn built(app: &App, repository: &rows::Repository, digest: &crate::names::Digest) {
    let tx = app.db.begin().await.unwrap();
    let row = rows::Build {
        id: Uuid::now_v7(),
        repository_id: repository.id,
        namespace_id: Some(repository.namespace_id),
        number: crate::db::builds::count(&tx, repository.id).await.unwrap().cast_signed() + 1,
        source_id: None,
        rule_id: None,
        rule_snapshot: "{}".into(),
        ref_name: "refs/heads/main".into(),
        ref_number: 1,
        commit_hash: "c".repeat(40),
        commit_title: String::new(),
        commit_author: String::new(),
        trigger: crate::db::Trigger::Push,
        principal_kind: crate::db::PrincipalKind::System,
        principal_id: None,
        state: crate::db::BuildState::Succeeded,
        reason: None,
        detail: None,
        failure: None,
        digest: Some(digest.to_string()),
        no_cache: false,
        rerun_of: None,
        superseded_by: None,
        requeues: 0,
        created_at: 0,
        started_at: None,
        finished_at: Some(0),
        cancel_requested_at: None,
        cancelled_by: None,
    };
    crate::db::builds::insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
}

impl std::ops::Deref for TestApp {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}

thread_local! {
    static ON_POSTGRES: Cell<bool> = const { Cell::new(false) };
}

/// Runs a test again with PostgreSQL below each of its apps: tests stay on the thread that they begin on.
pub(crate) fn again_on_postgres(test: impl FnOnce()) {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            ON_POSTGRES.set(false);
        }
    }
    ON_POSTGRES.set(true);
    let _back = Back;
    test();
}

/// The tests of a file that run on PostgreSQL too, by name.
macro_rules! on_postgres {
    ($($test:ident),* $(,)?) => {
        mod postgres {
            $(#[test]
            fn $test() {
                crate::testing::again_on_postgres(super::$test);
            })*
        }
    };
}
pub(crate) use on_postgres;
