//! Images that somebody made large: many children, many layers, many tags, the same child again and again.

use super::Scene;
use crate::db::{self, EdgeKind, PrincipalKind, RepositoryState, rows};
use crate::names::Digest;
use crate::policy::ReadRepository;
use crate::registry::blobs;
use crate::registry::images::{self, Asked, TagOrder};
use crate::registry::manifests::check_pushed;
use uuid::Uuid;

crate::testing::on_postgres! {
    a_list_reads_no_manifest_and_no_child,
    a_child_that_is_listed_again_and_again_is_looked_at_once,
    an_image_that_is_no_image_of_a_build_is_refused,
    tags_layers_and_platforms_are_cut_and_counted,
    a_config_or_an_index_of_megabytes_is_not_read,
}

pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

pub(super) struct Shelf {
    pub(super) scene: Scene,
    pub(super) repository: rows::Repository,
    attempt_id: Uuid,
}

impl Shelf {
    pub(super) async fn new() -> Self {
        let scene = Scene::new().await;
        let repository = scene.repository(scene.namespace.id, "hello", RepositoryState::Live, 0).await;
        Self { scene, repository, attempt_id: Uuid::now_v7() }
    }

    /// A manifest whose body is not what its rows say: whoever reads it finds nothing.
    async fn manifest(&self, name: &str, media_type: &str, edges: &[(EdgeKind, &str, Option<&str>)]) -> String {
        self.with_body(name, media_type, edges, "not read").await
    }

    pub(super) async fn with_body(
        &self,
        name: &str,
        media_type: &str,
        edges: &[(EdgeKind, &str, Option<&str>)],
        body: &str,
    ) -> String {
        let row = rows::Manifest {
            media_type: media_type.into(),
            body: body.into(),
            size_bytes: i64::try_from(body.len()).unwrap(),
            image_size_bytes: 7,
            principal_kind: PrincipalKind::Build,
            attempt_id: Some(self.attempt_id),
            ..crate::testing::manifest(self.repository.id, &Digest::of(name.as_bytes()))
        };
        let id = row.id;
        let edge = |(position, (kind, digest, platform)): (usize, &(EdgeKind, &str, Option<&str>))| rows::Edge {
            id: Uuid::now_v7(),
            manifest_id: id,
            repository_id: Some(self.repository.id),
            position: i64::try_from(position).unwrap(),
            kind: *kind,
            digest: (*digest).to_owned(),
            media_type: "application/octet-stream".into(),
            size_bytes: i64::MAX,
            platform: platform.map(str::to_owned),
        };
        let tx = self.scene.app.db.begin().await.unwrap();
        db::manifests::insert(&tx, row, edges.iter().enumerate().map(edge).collect()).await.unwrap();
        tx.commit().await.unwrap();
        digest(name)
    }

    async fn tag(&self, digest: &str, names: impl IntoIterator<Item = String>) {
        let tx = self.scene.app.db.begin().await.unwrap();
        for name in names {
            let tag = rows::Tag {
                id: Uuid::now_v7(),
                repository_id: self.repository.id,
                name,
                digest: digest.to_owned(),
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

    async fn check(&self, name: &str) -> (Result<(), String>, u64) {
        let app = &self.scene.app;
        let before = app.db.statements();
        let digest = digest(name).parse::<Digest>().unwrap();
        let checked = check_pushed(app, self.repository.id, &digest, self.attempt_id).await;
        (checked.map_err(|error| error.to_string()), app.db.statements() - before)
    }
}

fn by_name(part: &str) -> Asked<'_> {
    Asked { part, order: TagOrder::Name, limit: 30, ..Asked::default() }
}

pub(super) fn digest(name: &str) -> String {
    Digest::of(name.as_bytes()).to_string()
}

#[tokio::test]
async fn a_list_reads_no_manifest_and_no_child() {
    let shelf = Shelf::new().await;
    let child = shelf.manifest("child", IMAGE, &[]).await;
    let platforms: Vec<String> = (0..600).map(|n| format!("linux/p{n}")).collect();
    let mut children = vec![(EdgeKind::Manifest, child.as_str(), Some("unknown/unknown"))];
    let others: Vec<String> = (0..600).map(|n| digest(&n.to_string())).collect();
    children.extend(others.iter().zip(&platforms).map(|(d, p)| (EdgeKind::Manifest, d.as_str(), Some(p.as_str()))));
    let index = shelf.manifest("index", INDEX, &children).await;
    shelf.tag(&index, ["a", "b"].map(str::to_owned)).await;
    let allowed = shelf.scene.allowed::<ReadRepository>(Some(&shelf.repository));
    let (found, _) = images::page(&shelf.scene.app, &allowed, by_name("")).await.unwrap();
    assert_eq!(found.len(), 1);
    let names: Vec<&str> = found[0].platforms.iter().map(|p| p.name.as_str()).collect();
    assert_eq!((names.len(), names[0], found[0].more_platforms), (10, "linux/p0", 590));
}

#[tokio::test]
async fn a_child_that_is_listed_again_and_again_is_looked_at_once() {
    let shelf = Shelf::new().await;
    let child = shelf.manifest("child", IMAGE, &[]).await;
    let inner = shelf.manifest("inner", INDEX, &vec![(EdgeKind::Manifest, child.as_str(), None); 2_000]).await;
    let mut children = vec![(EdgeKind::Manifest, inner.as_str(), None); 2_000];
    children.push((EdgeKind::Manifest, child.as_str(), None));
    let index = shelf.manifest("index", INDEX, &children).await;
    let (checked, statements) = shelf.check("index").await;
    assert_eq!(checked, Ok(()));
    assert!(statements < 12, "{statements} statements");
    // Not by one way each: many lists with the same children in each.
    let mut shared = Vec::new();
    for n in 0..20 {
        shared.push(shelf.manifest(&format!("shared {n}"), IMAGE, &[]).await);
    }
    let mut lists = Vec::new();
    for n in 0..20 {
        let digests = shared[n..].iter().chain(&shared[..n]);
        let children: Vec<_> = digests.map(|d| (EdgeKind::Manifest, d.as_str(), None)).collect();
        lists.push(shelf.manifest(&format!("list {n}"), INDEX, &children).await);
    }
    let lists: Vec<_> = lists.iter().map(|d| (EdgeKind::Manifest, d.as_str(), None)).collect();
    shelf.manifest("lists", INDEX, &lists).await;
    let (checked, statements) = shelf.check("lists").await;
    assert_eq!(checked, Ok(()));
    assert!(statements < 200, "{statements} statements");
    let allowed = shelf.scene.allowed::<ReadRepository>(Some(&shelf.repository));
    shelf.tag(&index, ["a".to_owned()]).await;
    let (found, _) = images::page(&shelf.scene.app, &allowed, by_name("")).await.unwrap();
    assert_eq!((found[0].platforms.len(), found[0].more_platforms), (2, 0));
    // Nor is it counted twice among those that are not shown.
    let twice: Vec<_> = shared.iter().chain(&shared).map(|d| (EdgeKind::Manifest, d.as_str(), None)).collect();
    let index = shelf.manifest("twice", INDEX, &twice).await;
    shelf.tag(&index, ["b".to_owned()]).await;
    let (found, _) = images::page(&shelf.scene.app, &allowed, by_name("b")).await.unwrap();
    assert_eq!((found[0].platforms.len(), found[0].more_platforms), (10, 10));
}

#[tokio::test]
async fn an_image_that_is_no_image_of_a_build_is_refused() {
    let shelf = Shelf::new().await;
    let mut below = shelf.manifest("0", IMAGE, &[]).await;
    for level in 1..=3 {
        below = shelf.manifest(&level.to_string(), INDEX, &[(EdgeKind::Manifest, below.as_str(), None)]).await;
    }
    assert_eq!(shelf.check("2").await.0, Ok(()));
    assert!(shelf.check("3").await.0.unwrap_err().contains("nested too deeply"));
    let mut many = Vec::new();
    for n in 0..201 {
        many.push(shelf.manifest(&format!("m{n}"), IMAGE, &[]).await);
    }
    let children: Vec<_> = many.iter().map(|d| (EdgeKind::Manifest, d.as_str(), None)).collect();
    shelf.manifest("many", INDEX, &children).await;
    assert!(shelf.check("many").await.0.unwrap_err().contains("more than 200 manifests"));
    shelf.manifest("some", INDEX, &children[..199]).await;
    assert_eq!(shelf.check("some").await.0, Ok(()));
    shelf.manifest("lacks", IMAGE, &[(EdgeKind::Layer, &digest("layer"), None)]).await;
    assert!(shelf.check("lacks").await.0.unwrap_err().contains("lacks blob"));
    let gone = digest("gone");
    shelf.manifest("headless", INDEX, &[(EdgeKind::Manifest, gone.as_str(), None)]).await;
    assert!(shelf.check("headless").await.0.unwrap_err().contains("did not push it"));
}

#[tokio::test]
async fn tags_layers_and_platforms_are_cut_and_counted() {
    let shelf = Shelf::new().await;
    let layer = digest("layer");
    let one = shelf.manifest("one", IMAGE, &vec![(EdgeKind::Layer, layer.as_str(), None); 3_000]).await;
    shelf.tag(&one, (0..3_000).map(|n| format!("t{n:04}"))).await;
    let app = &shelf.scene.app;
    let image = images::of_digest(app, shelf.repository.id, &Digest::trusted(&one)).await.unwrap().unwrap();
    assert_eq!((image.tags.len(), image.more_tags), (30, 2_970));
    let found = images::details(app, shelf.repository.id, &image, "").await.unwrap();
    let shown = found.shown.unwrap();
    assert_eq!((shown.layers.len(), shown.more_layers), (100, 2_900));
    assert_eq!((found.platforms[0].layers, found.platforms[0].size_bytes), (3_000, 7));
}

#[tokio::test]
async fn a_config_or_an_index_of_megabytes_is_not_read() {
    let shelf = Shelf::new().await;
    let app = &shelf.scene.app;
    let child = shelf.manifest("child", IMAGE, &[]).await;
    for (padding, platform, has_provenance) in [(0, "linux/arm64", true), (2 << 20, "", false)] {
        let padding = "x".repeat(padding);
        let config = format!(r#"{{"os":"linux","architecture":"arm64","padding":"{padding}"}}"#);
        let own = blobs::store_own(app, config.into()).await.unwrap();
        let tx = app.db.begin().await.unwrap();
        let (blob, _) = db::blobs::upsert(&tx, &own.digest, own.size_bytes, &own.storage_key, 1).await.unwrap();
        db::blobs::link(&tx, shelf.repository.id, blob.id, None, 1).await.unwrap();
        tx.commit().await.unwrap();
        let name = format!("image {}", own.size_bytes);
        let digest = shelf.manifest(&name, IMAGE, &[(EdgeKind::Config, own.digest.as_str(), None)]).await;
        let image = images::of_digest(app, shelf.repository.id, &Digest::trusted(&digest)).await.unwrap().unwrap();
        assert_eq!(image.platforms[0].name, platform);

        let attestation = format!(r#"{{"annotations":{{"vnd.docker.reference.digest":"{child}"}}}}"#);
        let body = format!(r#"{{"manifests":[{attestation}],"padding":"{padding}"}}"#);
        let edges = [(EdgeKind::Manifest, child.as_str(), Some("linux/amd64"))];
        let digest = shelf.with_body(&format!("index {}", body.len()), INDEX, &edges, &body).await;
        let image = images::of_digest(app, shelf.repository.id, &Digest::trusted(&digest)).await.unwrap().unwrap();
        let found = images::details(app, shelf.repository.id, &image, "").await.unwrap();
        assert_eq!(found.platforms[0].has_provenance, has_provenance);
    }
}

#[tokio::test]
async fn the_config_of_an_image_is_read_once_for_all_lists() {
    let shelf = Shelf::new().await;
    let image = shelf.manifest("image", IMAGE, &[(EdgeKind::Config, &digest("config"), None)]).await;
    shelf.tag(&image, ["a".to_owned()]).await;
    let allowed = shelf.scene.allowed::<ReadRepository>(Some(&shelf.repository));
    let cost = async || {
        let before = shelf.scene.app.db.statements();
        images::page(&shelf.scene.app, &allowed, by_name("")).await.unwrap();
        shelf.scene.app.db.statements() - before
    };
    let (first, second) = (cost().await, cost().await);
    assert!(second < first, "{first} statements, and {second} again");
}
