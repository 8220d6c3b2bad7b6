//! What lies behind a tag that is no image, and how much a pull of one platform moves.

use super::images::{IMAGE, INDEX, Shelf, digest};
use crate::db::{self, EdgeKind, rows};
use crate::names::Digest;
use crate::registry::images::{self, Kind};
use uuid::Uuid;

crate::testing::on_postgres! {
    the_cache_of_builds_is_no_image_of_unnamed_platforms,
    files_of_an_artifact_have_the_names_that_it_gives_them,
    an_index_has_the_sizes_of_its_smallest_and_its_largest_platform,
}

#[tokio::test]
async fn the_cache_of_builds_is_no_image_of_unnamed_platforms() {
    let shelf = Shelf::new().await;
    let app = &shelf.scene.app;
    let (layer, config) = (digest("layer"), digest("config"));
    // As BuildKit writes it with `image-manifest=false`: the index names blobs. Version 0.1 took them for manifests.
    for kind in [EdgeKind::Blob, EdgeKind::Manifest] {
        let name = Digest::of(format!("{kind:?}").as_bytes());
        let row = crate::testing::manifest(shelf.repository.id, &name);
        let edge = |position, digest: &str, media_type: &str| rows::Edge {
            id: Uuid::now_v7(),
            manifest_id: row.id,
            repository_id: Some(shelf.repository.id),
            position,
            kind,
            digest: digest.to_owned(),
            media_type: media_type.to_owned(),
            size_bytes: 5,
            platform: None,
        };
        let edges = vec![
            edge(0, &layer, "application/vnd.oci.image.layer.v1.tar+gzip"),
            edge(1, &config, "application/vnd.buildkit.cacheconfig.v0"),
        ];
        let tx = app.db.begin().await.unwrap();
        db::manifests::insert(&tx, rows::Manifest { media_type: INDEX.into(), ..row.clone() }, edges).await.unwrap();
        tx.commit().await.unwrap();
        let image = images::of_digest(app, shelf.repository.id, &name).await.unwrap().unwrap();
        assert_eq!((image.kind, image.platforms.len()), (Kind::Cache, 0), "{kind:?}");
    }
}

#[tokio::test]
async fn files_of_an_artifact_have_the_names_that_it_gives_them() {
    let shelf = Shelf::new().await;
    let app = &shelf.scene.app;
    let body = r#"{"layers":[{"annotations":{"org.opencontainers.image.title":"words.txt"}},{"annotations":null},{}]}"#;
    let layer = digest("layer");
    let edges = vec![(EdgeKind::Layer, layer.as_str(), None); 3];
    let digest = shelf.with_body("artifact", IMAGE, &edges, body).await;
    let mut image = images::of_digest(app, shelf.repository.id, &Digest::trusted(&digest)).await.unwrap().unwrap();
    image.kind = Kind::Artifact("application/vnd.acme.words".to_owned());
    let shown = images::details(app, shelf.repository.id, &image, "").await.unwrap().shown.unwrap();
    let names: Vec<&str> = shown.layers.iter().map(|layer| layer.command.as_str()).collect();
    assert_eq!(names, ["words.txt", "application/octet-stream", "application/octet-stream"]);
}

#[tokio::test]
async fn an_index_has_the_sizes_of_its_smallest_and_its_largest_platform() {
    let shelf = Shelf::new().await;
    let (app, id) = (&shelf.scene.app, shelf.repository.id);
    let tx = app.db.begin().await.unwrap();
    let mut edges = Vec::new();
    let index = crate::testing::manifest(id, &Digest::of(b"index"));
    let children = [(300, "linux/amd64"), (100, "linux/arm64"), (200, "linux/riscv64"), (1, "unknown/unknown")];
    for (position, (image_size_bytes, platform)) in (0..).zip(children) {
        let child = crate::testing::manifest(id, &Digest::of(platform.as_bytes()));
        db::manifests::insert(&tx, rows::Manifest { image_size_bytes, ..child.clone() }, Vec::new()).await.unwrap();
        edges.push(rows::Edge {
            id: Uuid::now_v7(),
            manifest_id: index.id,
            repository_id: Some(id),
            position,
            kind: EdgeKind::Manifest,
            digest: child.digest,
            media_type: IMAGE.into(),
            size_bytes: 5,
            platform: Some(platform.into()),
        });
    }
    let row = rows::Manifest { media_type: INDEX.into(), image_size_bytes: 601, ..index.clone() };
    db::manifests::insert(&tx, row, edges).await.unwrap();
    let sizes = db::edges::platform_sizes(&tx, id, index.id).await.unwrap();
    assert_eq!(sizes, Some((100, 300)));
    assert_eq!(db::edges::platform_sizes(&tx, id, Uuid::now_v7()).await.unwrap(), None);
    db::manifests::note_platform_sizes(&tx, index.id, (100, 300)).await.unwrap();
    tx.commit().await.unwrap();
    let image = images::of_digest(app, id, &Digest::of(b"index")).await.unwrap().unwrap();
    assert_eq!(image.sizes(), (100, 300));
}
