//! Whoever pushes beside an image, and whoever changes keys.

use super::*;
use crate::db::Role;
use crate::names::{NamespaceName, Reference};
use crate::policy::{
    self, Allowed, Bound, DeleteImage, ManageSigningKey, NamespaceAccess, PullImage, PushImage, RepositoryAccess, Who,
};
use crate::registry::manifests::{Push, Pushed};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn access(repository: &rows::Repository) -> (Principal, RepositoryAccess) {
    let on = RepositoryAccess {
        id: repository.id,
        namespace_id: repository.namespace_id,
        name: "acme/web".parse().unwrap(),
        visibility: Visibility::Public,
        is_live: true,
        role: Some(Role::Manager),
    };
    let who = Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false };
    (Principal { who, bound: Bound::None }, on)
}

pub(super) fn manager(repository: &rows::Repository) -> Allowed<PushImage> {
    let (principal, on) = access(repository);
    policy::check(&principal, on).unwrap()
}

pub(super) fn puller(repository: &rows::Repository) -> Allowed<PullImage> {
    let (principal, on) = access(repository);
    policy::check(&principal, on).unwrap()
}

pub(super) fn deleter(repository: &rows::Repository) -> Allowed<DeleteImage> {
    let (principal, on) = access(repository);
    policy::check(&principal, on).unwrap()
}

pub(super) async fn push(
    app: &TestApp,
    repository: &rows::Repository,
    tag: &str,
    kind: &str,
    body: &Value,
) -> Result<Pushed> {
    let allowed = manager(repository);
    let push = Push::of(&allowed, kind, Bytes::from(body.to_string()));
    put_manifest(app, &push, &Reference::Tag(tag.parse().unwrap())).await
}

/// A manifest whose layers have these types; their bytes are in the repository.
pub(super) async fn with_layers(app: &TestApp, repository: &rows::Repository, types: &[&str]) -> Value {
    let blob = blobs::store_own(app, Bytes::from_static(b"{}")).await.unwrap();
    let described = |kind: &str| json!({"mediaType": kind, "digest": blob.digest.as_str(), "size": blob.size_bytes});
    let config = described("application/vnd.oci.image.config.v1+json");
    add(app, repository, b"{}", json!({}), json!({"mediaType": "text/plain"}), None).await;
    let layers: Vec<_> = types.iter().map(|kind| described(kind)).collect();
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})
}

pub(super) fn allowed(repository: &rows::Repository) -> Allowed<ManageSigningKey> {
    let name: NamespaceName = "acme".parse().unwrap();
    let on = NamespaceAccess { id: repository.namespace_id, name, has_public_repository: true, role: None };
    policy::check(&Principal::SYSTEM, on).unwrap()
}

/// As the job does it, until nothing is left.
pub(super) async fn work(app: &TestApp, repository: &rows::Repository) {
    while !db::signing_runs::unfinished(&app.db).await.unwrap().is_empty() {
        sign_again(app, repository.namespace_id).await.unwrap();
    }
}

pub(super) async fn served(app: &TestApp) -> String {
    public_key(app, "acme").await.unwrap()
}

/// Which keys' signatures cosign finds at an image.
pub(super) async fn signed_with(
    app: &TestApp,
    repository: &rows::Repository,
    digest: &Digest,
    key: &rows::SigningKey,
) -> bool {
    let manifest = sig(app, repository, digest).await;
    for layer in manifest["layers"].as_array().unwrap() {
        let payload: Digest = layer["digest"].as_str().unwrap().parse().unwrap();
        let payload = blobs::read_small(app, repository.id, &payload, 10_000).await.unwrap().unwrap();
        if signing::verifies(&key.public_pem, &payload, layer["annotations"][signature::ANNOTATION].as_str().unwrap()) {
            return true;
        }
    }
    false
}

pub(super) async fn active(app: &TestApp, repository: &rows::Repository) -> rows::SigningKey {
    db::keys::active(&app.db, repository.namespace_id).await.unwrap().unwrap()
}

pub(super) async fn events(app: &TestApp, kind: &str) -> u64 {
    db::events::count(&app.db, kind).await
}

/// As the version before took it: any manifest with any tag, whose blobs are there.
pub(super) async fn put_before(
    app: &TestApp,
    repository: &rows::Repository,
    tag: Option<&str>,
    body: &Value,
) -> Digest {
    let tag = tag.map(|tag| tag.parse::<TagName>().unwrap());
    let tx = app.db.begin().await.unwrap();
    let body = Bytes::from(body.to_string());
    let by = &Principal::SYSTEM;
    let digest = manifests::insert_own(app, &tx, by, repository, &[], &body, tag.as_ref()).await.unwrap();
    tx.commit().await.unwrap();
    digest
}

/// An image that a build made and signed.
pub(super) async fn release(app: &TestApp, repository: &rows::Repository, text: &str) -> Digest {
    let digest = image(app, repository, text).await;
    sign_and_store(app, repository, &digest).await;
    testing::built(app, repository, &digest).await;
    digest
}

/// A layer with a signature that nobody made.
pub(super) async fn junk(app: &TestApp, repository: &rows::Repository) -> Value {
    let mut layer = with_layers(app, repository, &[signature::PAYLOAD_TYPE]).await["layers"][0].take();
    layer["annotations"] = json!({signature::ANNOTATION: "AAAA"});
    layer
}
