//! Uploads that two requests have in hand.

use super::super::uploads::{self, Chunk};
use super::Scene;
use crate::db::{RepositoryState, rows};
use crate::error::{Error, OciCode, Result};
use crate::names::Digest;
use crate::policy::{Allowed, PullImage, PushImage};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};

crate::testing::on_postgres! {
    cancelling_a_finished_upload_leaves_its_blob,
    a_push_brings_lost_bytes_back,
}

const BYTES: &[u8] = b"some bytes of a layer";

struct Push {
    scene: Scene,
    repository: rows::Repository,
    allowed: Allowed<PushImage>,
}

impl Push {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let repository = scene.repository(scene.namespace.id, "hello", RepositoryState::Live, 0).await;
        let allowed = scene.allowed(Some(&repository));
        Self { scene, repository, allowed }
    }

    async fn start(&self) -> rows::Upload {
        uploads::start(&self.scene.app, &self.allowed).await.unwrap()
    }

    async fn finish(&self, upload: &rows::Upload) -> Result<()> {
        let last = Some(Chunk { from: None, body: all(BYTES) });
        uploads::finish(&self.scene.app, &self.allowed, upload, last, &Digest::of(BYTES), "/").await
    }

    async fn blob(&self) -> rows::Blob {
        let allowed = self.scene.allowed::<PullImage>(Some(&self.repository));
        super::super::blobs::find(&self.scene.app, &allowed, &Digest::of(BYTES)).await.unwrap()
    }

    async fn read(&self) -> Result<Vec<Bytes>> {
        let blob = self.blob().await;
        let length = u64::try_from(blob.size_bytes).unwrap();
        let stream = super::super::blobs::read(&self.scene.app, &blob, 0, length).await?;
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
    let cancelled = uploads::cancel(&push.scene.app, &upload).await;
    assert!(matches!(cancelled, Err(Error::Registry { code: OciCode::BlobUploadUnknown, .. })));
    assert_eq!(push.read().await.unwrap(), [BYTES]);
}

#[tokio::test]
async fn a_push_brings_lost_bytes_back() {
    let push = Push::new().await;
    push.finish(&push.start().await).await.unwrap();
    push.scene.app.storage.remove(&push.blob().await.storage_key).await.unwrap();
    assert!(push.read().await.is_err());
    push.finish(&push.start().await).await.unwrap();
    assert_eq!(push.read().await.unwrap(), [BYTES]);
}
