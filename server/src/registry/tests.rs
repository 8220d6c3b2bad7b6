//! Repositories that come and go: first pushes that break off, and what goes with a deleted one.

mod bounds;
mod images;
mod kinds;
mod lists;
mod objects;
mod removal;
mod sizes;
pub(super) mod uploads_held;

use super::{repositories, uploads};
use crate::clock::{DAY, HOUR};
use crate::db::{self, ObjectKind, RepositoryState, Role, Visibility, rows};
use crate::jobs::{self, Task};
use crate::names::{Digest, RepositoryName};
use crate::policy::{self, Action, Allowed, BUILD_CACHE, Bound, Principal, PushImage, RepositoryAccess, Who};
use crate::testing::{self, TestApp};
use uuid::Uuid;

crate::testing::on_postgres! {
    a_push_that_broke_off_leaves_no_name_behind,
    a_first_push_that_goes_on_keeps_its_repository,
    a_push_goes_on_where_another_broke_off,
    a_deleted_repository_takes_its_build_cache_along,
    caches_that_all_refs_shared_are_removed_at_the_start,
}

struct Scene {
    app: TestApp,
    namespace: rows::Namespace,
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    /// With more settings.
    async fn with(settings: &str) -> Self {
        let app = TestApp::start_with(settings).await;
        let namespace = namespace(&app, "mona").await;
        Self { app, namespace }
    }

    fn allowed<A: Action<On = RepositoryAccess>>(&self, row: Option<&rows::Repository>) -> Allowed<A> {
        let who = Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false };
        let name = row.map_or("hello", |row| row.name.as_str());
        self.allowed_to(&Principal { who, bound: Bound::None }, row, name)
    }

    /// For a repository that may not be there yet.
    fn allowed_by<A: Action<On = RepositoryAccess>>(&self, by: &Principal, name: &str) -> Allowed<A> {
        self.allowed_to(by, None, name)
    }

    fn allowed_to<A: Action<On = RepositoryAccess>>(
        &self,
        by: &Principal,
        row: Option<&rows::Repository>,
        name: &str,
    ) -> Allowed<A> {
        let on = RepositoryAccess {
            id: row.map_or_else(Uuid::nil, |row| row.id),
            namespace_id: self.namespace.id,
            name: format!("mona/{name}").parse::<RepositoryName>().unwrap(),
            visibility: Visibility::Private,
            is_live: row.is_some_and(|row| row.state == RepositoryState::Live),
            role: Some(Role::Admin),
        };
        policy::check(by, on).unwrap()
    }

    async fn repository(&self, namespace_id: Uuid, name: &str, state: RepositoryState, at: i64) -> rows::Repository {
        let plain = testing::repository(namespace_id, name);
        let row = rows::Repository { state, created_at: at, updated_at: at, ..plain };
        let tx = self.app.db.begin().await.unwrap();
        let row = db::repositories::insert(&tx, row).await.unwrap();
        tx.commit().await.unwrap();
        row
    }

    /// A first push that began two days ago.
    async fn begun(&self) -> rows::Repository {
        let at = self.app.clock.now() - 2 * DAY;
        self.repository(self.namespace.id, "hello", RepositoryState::Provisional, at).await
    }

    async fn link(&self, row: &rows::Repository, at: i64) -> Digest {
        let digest = Digest::of(row.id.as_bytes());
        let key = db::objects::register(&self.app.db, ObjectKind::Blob, at).await.unwrap();
        let tx = self.app.db.begin().await.unwrap();
        let (blob, _) = db::blobs::upsert(&tx, &digest, 1, &key, at).await.unwrap();
        db::blobs::link(&tx, row.id, blob.id, None, at).await.unwrap();
        tx.commit().await.unwrap();
        digest
    }

    /// What the job does that a deletion asks for, in as many turns as it takes.
    async fn remove(&self, row: &rows::Repository) {
        loop {
            jobs::perform_now(&self.app, &Task::RemoveRepository { repository_id: row.id }).await.unwrap();
            if !self.exists(row).await {
                break;
            }
        }
    }

    /// Whether it has a name still.
    async fn is_seen(&self, row: &rows::Repository) -> bool {
        db::repositories::find(&self.app.db, row.id).await.unwrap().is_some()
    }

    async fn exists(&self, row: &rows::Repository) -> bool {
        db::repositories::find_in_any_state(&self.app.db, row.id).await.unwrap().is_some()
    }
}

async fn namespace(app: &TestApp, name: &str) -> rows::Namespace {
    let row = testing::namespace(name);
    let tx = app.db.begin().await.unwrap();
    let row = db::namespaces::insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    row
}

#[tokio::test]
async fn a_push_that_broke_off_leaves_no_name_behind() {
    let scene = Scene::new().await;
    let left = scene.begun().await;
    scene.link(&left, scene.app.clock.now() - 2 * DAY).await;
    let at = left.created_at;
    let live = scene.repository(scene.namespace.id, "old", RepositoryState::Live, at).await;
    let new = scene.repository(scene.namespace.id, "new", RepositoryState::Provisional, at + DAY + HOUR).await;
    uploads::forget_old(&scene.app).await.unwrap();
    assert!(!scene.is_seen(&left).await);
    scene.remove(&left).await;
    assert!(!scene.exists(&left).await);
    assert!(scene.exists(&live).await && scene.exists(&new).await);
}

#[tokio::test]
async fn a_first_push_that_goes_on_keeps_its_repository() {
    let scene = Scene::new().await;
    let slow = scene.begun().await;
    let allowed = scene.allowed::<PushImage>(Some(&slow));
    let upload = uploads::start(&scene.app, &allowed).await.unwrap();
    assert_eq!(upload.repository_id, slow.id);
    uploads::forget_old(&scene.app).await.unwrap();
    assert!(scene.exists(&slow).await, "an upload is under way");
    scene.link(&slow, scene.app.clock.now() - HOUR).await;
    uploads::cancel(&scene.app, &upload).await.unwrap();
    uploads::forget_old(&scene.app).await.unwrap();
    assert!(scene.exists(&slow).await, "a layer came an hour ago");
}

#[tokio::test]
async fn a_push_goes_on_where_another_broke_off() {
    let scene = Scene::new().await;
    let left = scene.begun().await;
    let found = repositories::ensure(&scene.app, &scene.allowed(None)).await.unwrap();
    assert_eq!(found.id, left.id);
    uploads::forget_old(&scene.app).await.unwrap();
    let made = repositories::ensure(&scene.app, &scene.allowed(None)).await.unwrap();
    assert_ne!(made.id, left.id);
    assert_eq!((made.name, made.state), ("hello".to_owned(), RepositoryState::Provisional));
}

#[tokio::test]
async fn a_deleted_repository_takes_its_build_cache_along() {
    let scene = Scene::new().await;
    let caches = namespace(&scene.app, BUILD_CACHE).await;
    let mut pairs = Vec::new();
    for name in ["gone", "stays"] {
        let row = scene.repository(scene.namespace.id, name, RepositoryState::Live, 0).await;
        for kind in ["protected", "unprotected"] {
            let cache = format!("{}/{kind}", row.id.simple());
            let cache = scene.repository(caches.id, &cache, RepositoryState::Live, 0).await;
            let stage = scene.link(&cache, 0).await;
            pairs.push((row.clone(), cache, stage));
        }
    }
    repositories::delete(&scene.app, &scene.allowed(Some(&pairs[0].0))).await.unwrap();
    let linked = async |row: &rows::Repository, digest| {
        db::blobs::find_linked(&scene.app.db, row.id, digest).await.unwrap().is_some()
    };
    for (gone, cache, stage) in &pairs[..2] {
        assert!(!scene.is_seen(gone).await && !scene.is_seen(cache).await);
        scene.remove(gone).await;
        scene.remove(cache).await;
        assert!(!scene.exists(gone).await && !scene.exists(cache).await);
        assert!(!linked(cache, stage).await);
    }
    for (_, cache, stage) in &pairs[2..] {
        assert!(linked(cache, stage).await, "caches of others stay");
    }
}

#[tokio::test]
async fn caches_that_all_refs_shared_are_removed_at_the_start() {
    let scene = Scene::new().await;
    let caches = namespace(&scene.app, BUILD_CACHE).await;
    let id = Uuid::now_v7().simple();
    let shared = scene.repository(caches.id, &id.to_string(), RepositoryState::Live, 0).await;
    let own = scene.repository(caches.id, &format!("{id}/protected"), RepositoryState::Live, 0).await;
    let image = scene.repository(scene.namespace.id, &id.to_string(), RepositoryState::Live, 0).await;
    for _ in 0..2 {
        super::removal::forget_shared_caches(&scene.app).await.unwrap();
    }
    assert!(!scene.is_seen(&shared).await);
    scene.remove(&shared).await;
    assert!(!scene.exists(&shared).await && scene.is_seen(&own).await && scene.is_seen(&image).await);
}
