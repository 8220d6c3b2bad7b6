//! Uploads that two requests have in hand.

use super::super::uploads::{self, Chunk};
use super::Scene;
use crate::app::App;
use crate::clock::HOUR;
use crate::db::{self, RepositoryState, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use crate::policy::{Allowed, PullImage, PushImage};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};

crate::testing::on_postgres! {
    cancelling_a_finished_upload_leaves_its_blob,
    a_push_brings_lost_bytes_back,
    an_upload_is_held_however_old_its_lease_is,
    a_server_that_starts_frees_its_own_uploads_only,
    bytes_stay_for_a_while_where_a_lost_writer_may_still_write,
}

const BYTES: &[u8] = b"some bytes of a layer";

pub(in super::super) struct Push {
    scene: Scene,
    repository: rows::Repository,
    allowed: Allowed<PushImage>,
}

impl Push {
    pub(in super::super) async fn new() -> Self {
        let scene = Scene::new().await;
        let repository = scene.repository(scene.namespace.id, "hello", RepositoryState::Live, 0).await;
        let allowed = scene.allowed(Some(&repository));
        Self { scene, repository, allowed }
    }

    pub(in super::super) fn app(&self) -> &App {
        &self.scene.app
    }

    pub(in super::super) async fn start(&self) -> rows::Upload {
        uploads::start(self.app(), &self.allowed).await.unwrap()
    }

    pub(super) async fn finish(&self, upload: &rows::Upload) -> Result<()> {
        self.finish_as(upload, &Digest::of(BYTES)).await
    }

    pub(super) async fn finish_as(&self, upload: &rows::Upload, digest: &Digest) -> Result<()> {
        let last = Some(Chunk { from: None, body: all(BYTES) });
        uploads::finish(self.app(), &self.allowed, upload, last, digest, "/").await
    }

    pub(super) async fn append(&self, upload: &rows::Upload) -> rows::Upload {
        uploads::append(self.app(), upload, Chunk { from: None, body: all(BYTES) }, "/").await.unwrap()
    }

    async fn blob(&self) -> rows::Blob {
        let allowed = self.scene.allowed::<PullImage>(Some(&self.repository));
        super::super::blobs::find(self.app(), &allowed, &Digest::of(BYTES)).await.unwrap()
    }

    async fn read(&self) -> Result<Vec<Bytes>> {
        let blob = self.blob().await;
        let length = u64::try_from(blob.size_bytes).unwrap();
        let stream = super::super::blobs::read(self.app(), &blob, 0, length).await?;
        Ok(stream.try_collect().await.unwrap())
    }
}

fn all(bytes: &'static [u8]) -> impl Stream<Item = Result<Bytes, actix_web::error::PayloadError>> + Unpin {
    stream::iter([Ok(Bytes::from_static(bytes))])
}

#[tokio::test]
async fn cancelling_a_finished_upload_leaves_its_blob() {
    let push = Push::new().await;
    let upload = push.start().await;
    push.finish(&upload).await.unwrap();
    let cancelled = uploads::cancel(push.app(), &upload).await;
    assert!(matches!(cancelled, Err(Error::Registry { code: OciCode::BlobUploadUnknown, .. })));
    assert_eq!(push.read().await.unwrap(), [BYTES]);
}

#[tokio::test]
async fn a_push_brings_lost_bytes_back() {
    let push = Push::new().await;
    push.finish(&push.start().await).await.unwrap();
    push.app().storage.lose(&push.blob().await.storage_key).await;
    assert!(push.read().await.is_err());
    push.finish(&push.start().await).await.unwrap();
    assert_eq!(push.read().await.unwrap(), [BYTES]);
}

#[tokio::test]
async fn an_upload_is_held_however_old_its_lease_is() {
    let push = Push::new().await;
    let upload = push.start().await;
    let (open, gate) = tokio::sync::oneshot::channel::<()>();
    let body = Box::pin(stream::once(async {
        gate.await.ok();
        Ok(Bytes::from_static(BYTES))
    }));
    let slow = uploads::append(push.app(), &upload, Chunk { from: None, body }, "/");
    let meanwhile = async {
        while db::uploads::find(&push.app().db, push.repository.id, upload.id).await.unwrap().unwrap().version == 0 {
            tokio::task::yield_now().await;
        }
        let tx = push.app().db.begin().await.unwrap();
        db::uploads::forget_locks(&tx, push.app().server_id).await.unwrap();
        tx.commit().await.unwrap();
        let same = db::uploads::find(&push.app().db, push.repository.id, upload.id).await.unwrap().unwrap();
        let second = uploads::append(push.app(), &same, Chunk { from: None, body: all(BYTES) }, "/").await;
        assert!(matches!(second, Err(Error::Conflict(_))));
        assert!(matches!(uploads::cancel(push.app(), &same).await, Err(Error::Conflict(_))));
        drop(open);
    };
    let (first, ()) = tokio::join!(slow, meanwhile);
    assert_eq!(first.unwrap().offset_bytes, i64::try_from(BYTES.len()).unwrap());
}

#[tokio::test]
async fn a_server_that_starts_frees_its_own_uploads_only() {
    let push = Push::new().await;
    let (mine, others) = (push.start().await, push.start().await);
    let (now, other) = (push.app().clock.now(), uuid::Uuid::now_v7());
    let tx = push.app().db.begin().await.unwrap();
    db::uploads::lock(&tx, mine.id, push.app().server_id, now, now + HOUR).await.unwrap().unwrap();
    db::uploads::lock(&tx, others.id, other, now, now + HOUR).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    uploads::at_start(push.app()).await.unwrap();
    let find = async |id| db::uploads::find(&push.app().db, push.repository.id, id).await.unwrap().unwrap();
    uploads::cancel(push.app(), &find(mine.id).await).await.expect("whoever had it is gone");
    let held = uploads::cancel(push.app(), &find(others.id).await).await;
    assert!(matches!(held, Err(Error::Conflict(_))), "another server writes to it");
}

#[tokio::test]
async fn a_data_folder_keeps_the_name_that_its_locks_have() {
    let app = crate::testing::TestApp::start().await;
    let again = App::open(app.config.clone()).await.unwrap();
    assert_eq!(app.server_id, again.server_id);
    assert_ne!(app.server_id, crate::testing::TestApp::start().await.server_id);
}

#[tokio::test]
async fn bytes_stay_for_a_while_where_a_lost_writer_may_still_write() {
    let push = Push::new().await;
    let upload = push.append(&push.start().await).await;
    let (app, now) = (push.app(), push.app().clock.now());
    let tx = app.db.begin().await.unwrap();
    let lost = db::uploads::lock(&tx, upload.id, uuid::Uuid::now_v7(), now, now - 1).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    uploads::cancel(app, &lost).await.unwrap();
    super::super::objects::sweep(app).await.unwrap();
    assert!(app.storage.length(&upload.storage_key).await.unwrap().is_some());
    app.clock.advance(2 * HOUR);
    super::super::objects::sweep(app).await.unwrap();
    assert_eq!(app.storage.length(&upload.storage_key).await.unwrap(), None);
}

#[tokio::test]
async fn no_blob_is_mounted_where_there_is_no_room() {
    let push = Push::new().await;
    push.finish(&push.start().await).await.unwrap();
    let from = push.scene.allowed::<PullImage>(Some(&push.repository));
    push.app().storage.pretend_free(0);
    let refused = uploads::mount(push.app(), &push.allowed, &from, &Digest::of(BYTES)).await.unwrap_err();
    assert!(matches!(refused, Error::Full), "{refused}");
}
