//! How many bytes pages say that there are.

use super::*;

crate::testing::on_postgres! {
    whether_another_namespace_holds_a_blob_is_not_to_be_told,
    a_blob_of_a_private_repository_is_shared_for_who_sees_it,
    bytes_of_private_repositories_are_no_part_of_a_namespace_for_strangers,
}

impl Scene {
    /// A live repository that holds this blob.
    async fn holds(&self, namespace_id: Uuid, name: &str, visibility: Visibility, blob: &str) -> rows::Repository {
        let plain = testing::repository(namespace_id, name);
        let tx = self.app.db.begin().await.unwrap();
        let row = db::repositories::insert(&tx, rows::Repository { visibility, ..plain }).await.unwrap();
        tx.commit().await.unwrap();
        let key = db::objects::register(&self.app.db, ObjectKind::Blob, 1).await.unwrap();
        let tx = self.app.db.begin().await.unwrap();
        let digest = Digest::of(blob.as_bytes());
        let (blob, _) = db::blobs::upsert(&tx, &digest, i64::try_from(blob.len()).unwrap(), &key, 1).await.unwrap();
        db::blobs::link(&tx, row.id, blob.id, None, 1).await.unwrap();
        tx.commit().await.unwrap();
        row
    }

    /// What the page of a repository says to somebody: own and shared bytes.
    async fn storage(&self, by: &Principal, role: Option<Role>, row: &rows::Repository) -> (i64, i64) {
        let on = RepositoryAccess {
            id: row.id,
            namespace_id: row.namespace_id,
            name: format!("mona/{}", row.name).parse().unwrap(),
            visibility: row.visibility,
            is_live: true,
            role,
        };
        repositories::storage(&self.app, by, &on).await.unwrap()
    }
}

#[tokio::test]
async fn whether_another_namespace_holds_a_blob_is_not_to_be_told() {
    let scene = Scene::new().await;
    let acme = namespace(&scene.app, "acme").await;
    scene.holds(acme.id, "secret", Visibility::Private, "guess").await;
    let probe = scene.holds(scene.namespace.id, "probe", Visibility::Public, "guess").await;
    assert_eq!(scene.storage(&Principal::ANONYMOUS, None, &probe).await, (5, 0));
    assert_eq!(scene.storage(&Principal::ANONYMOUS, Some(Role::Admin), &probe).await, (5, 0));
}

#[tokio::test]
async fn a_blob_of_a_private_repository_is_shared_for_who_sees_it() {
    let scene = Scene::new().await;
    scene.holds(scene.namespace.id, "secret", Visibility::Private, "layer").await;
    let web = scene.holds(scene.namespace.id, "web", Visibility::Public, "layer").await;
    assert_eq!(scene.storage(&Principal::ANONYMOUS, None, &web).await, (5, 0));
    assert_eq!(scene.storage(&Principal::ANONYMOUS, Some(Role::Reader), &web).await, (0, 5));
    scene.holds(scene.namespace.id, "other", Visibility::Public, "layer").await;
    assert_eq!(scene.storage(&Principal::ANONYMOUS, None, &web).await, (0, 5));
}

#[tokio::test]
async fn bytes_of_private_repositories_are_no_part_of_a_namespace_for_strangers() {
    let scene = Scene::new().await;
    let id = scene.namespace.id;
    scene.holds(id, "secret", Visibility::Private, "a private layer").await;
    scene.holds(id, "web", Visibility::Public, "layer").await;
    assert_eq!(repositories::storage_of_namespace(&scene.app, id, false).await.unwrap(), 5);
    assert_eq!(repositories::storage_of_namespace(&scene.app, id, true).await.unwrap(), 20);
}
