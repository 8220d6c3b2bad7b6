//! Signatures that are ours, foreign, moved or broken.

mod beside;
mod bundles;
mod changes;
mod hidden;
mod lists;
mod publishing;
mod removed;
mod scene;
mod sha512;
mod tenants;

use super::*;
use crate::db::{self, Visibility, rows};
use crate::error::Result;
use crate::names::{Digest, TagName};
use crate::policy::Principal;
use crate::registry::{blobs, manifests};
use crate::testing::{self, TestApp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

crate::testing::on_postgres! {
    a_signature_is_what_cosign_expects,
    a_foreign_signature_stays_beside_ours,
    a_signature_of_another_image_counts_for_nothing,
    bundles_count_and_attestations_do_not,
    a_payload_that_is_gone_cannot_be_checked,
    the_key_is_made_once_and_is_not_readable_in_the_database,
}

async fn repository(app: &TestApp) -> rows::Repository {
    repository_of(app, "acme", "web").await.0
}

/// A public repository in a namespace that may be there.
async fn repository_of(app: &TestApp, namespace: &str, name: &str) -> (rows::Repository, Place) {
    let tx = app.db.begin().await.unwrap();
    let found = db::namespaces::find_by_name(&tx, namespace).await.unwrap();
    let owner = match found {
        Some(owner) => owner,
        None => db::namespaces::insert(&tx, testing::namespace(namespace)).await.unwrap(),
    };
    let row = rows::Repository { visibility: Visibility::Public, ..testing::repository(owner.id, name) };
    let row = db::repositories::insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    let place = Place::new(&row, format!("{namespace}/{name}"));
    (row, place)
}

/// Stores a manifest with one layer.
async fn add(
    app: &TestApp,
    repository: &rows::Repository,
    blob: &[u8],
    extra: Value,
    layer: Value,
    tag: Option<TagName>,
) -> Digest {
    let blob = blobs::store_own(app, Bytes::copy_from_slice(blob)).await.unwrap();
    let mut layer = layer;
    layer["digest"] = blob.digest.as_str().into();
    layer["size"] = blob.size_bytes.into();
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": blob.digest.as_str(), "size": blob.size_bytes},
        "layers": [layer],
    });
    for (key, value) in extra.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    let tx = app.db.begin().await.unwrap();
    let manifest = Bytes::from(manifest.to_string());
    let digest = manifests::insert_own(app, &tx, &Principal::SYSTEM, repository, &[blob], &manifest, tag.as_ref())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    digest
}

async fn image(app: &TestApp, repository: &rows::Repository, text: &str) -> Digest {
    add(app, repository, text.as_bytes(), json!({}), json!({"mediaType": "text/plain"}), None).await
}

fn place(repository: &rows::Repository) -> Place {
    Place::new(repository, "acme/web")
}

async fn sign_and_store(app: &TestApp, repository: &rows::Repository, digest: &Digest) {
    sign_as(app, repository, "acme/web", digest).await;
}

async fn sign_as(app: &TestApp, repository: &rows::Repository, name: &str, digest: &Digest) {
    let signed = sign(app, repository, name, digest).await.unwrap();
    let tx = app.db.begin().await.unwrap();
    assert_eq!(store(app, &tx, &Principal::SYSTEM, repository, &signed).await.unwrap(), Stored::Yes);
    tx.commit().await.unwrap();
}

async fn state(app: &TestApp, repository: &rows::Repository, digest: &Digest) -> VerdictState {
    verify(app, &place(repository), digest).await.unwrap().state
}

/// The `.sig` manifest of a digest.
async fn sig(app: &TestApp, repository: &rows::Repository, digest: &Digest) -> Value {
    let tag = db::tags::find(&app.db, repository.id, signature::tag_of(digest).as_str()).await.unwrap().unwrap();
    let row = manifests::find(app, repository.id, &Digest::trusted(&tag.digest)).await.unwrap().unwrap();
    serde_json::from_slice(&row.body).unwrap()
}

#[tokio::test]
async fn a_signature_is_what_cosign_expects() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    sign_and_store(&app, &repository, &digest).await;
    sign_and_store(&app, &repository, &digest).await;
    let manifest = sig(&app, &repository, &digest).await;
    assert_eq!(manifest["artifactType"], "application/vnd.dev.cosign.artifact.sig.v1+json");
    assert_eq!(manifest["subject"]["digest"], digest.as_str());
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1, "the second one was there already");
    let layer: Digest = manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let payload = blobs::read_small(&app, repository.id, &layer, 10_000).await.unwrap().unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["critical"]["identity"]["docker-reference"], "localhost:8080/acme/web");
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
    let referrers = db::manifests::referrers(&app.db, repository.id, &digest, None, "", 10).await.unwrap();
    assert_eq!(referrers.len(), 1);
}

/// Signs with a key that is not ours, and takes the place of the signatures that there are.
async fn add_foreign(app: &TestApp, repository: &rows::Repository, digest: &Digest) {
    let (_, private) = signing::generate().unwrap();
    signed_by(app, repository, digest, &signing::Signer::new(&private).unwrap(), "localhost:8080/acme/web").await;
}

/// A signature of this key for this reference, in the place of those that there are.
async fn signed_by(
    app: &TestApp,
    repository: &rows::Repository,
    digest: &Digest,
    signer: &signing::Signer,
    reference: &str,
) {
    let payload = json!({"critical": {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest.as_str()},
        "type": "cosign container image signature",
    }, "optional": null})
    .to_string();
    let made = signer.sign(payload.as_bytes()).unwrap();
    let layer = json!({"mediaType": signature::PAYLOAD_TYPE, "annotations": {signature::ANNOTATION: made}});
    add(app, repository, payload.as_bytes(), json!({}), layer, Some(signature::tag_of(digest))).await;
}

#[tokio::test]
async fn a_signature_that_comes_while_we_sign_is_not_lost() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    // Before any signature, and over ours: the second time there would be nothing to store.
    for layers in [2, 2] {
        let signed = sign(&app, &repository, "acme/web", &digest).await.unwrap();
        add_foreign(&app, &repository, &digest).await;
        let tx = app.db.begin().await.unwrap();
        let stored = store(&app, &tx, &Principal::SYSTEM, &repository, &signed).await.unwrap();
        assert_eq!(stored, Stored::Outdated);
        drop(tx);
        sign_and_store(&app, &repository, &digest).await;
        assert_eq!(sig(&app, &repository, &digest).await["layers"].as_array().unwrap().len(), layers);
        assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
    }
}

#[tokio::test]
async fn a_foreign_signature_stays_beside_ours() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    add_foreign(&app, &repository, &digest).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Untrusted);
    sign_and_store(&app, &repository, &digest).await;
    assert_eq!(sig(&app, &repository, &digest).await["layers"].as_array().unwrap().len(), 2);
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn a_signature_of_another_image_counts_for_nothing() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (one, two) = (image(&app, &repository, "one").await, image(&app, &repository, "two").await);
    sign_and_store(&app, &repository, &one).await;
    let moved = db::tags::find(&app.db, repository.id, signature::tag_of(&one).as_str()).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    let row = rows::Tag { id: Uuid::now_v7(), name: signature::tag_of(&two).to_string(), ..moved };
    db::tags::put(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(state(&app, &repository, &two).await, VerdictState::NotSigned);
}

#[tokio::test]
async fn bundles_count_and_attestations_do_not() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let signer = keys::signer(&app, &make_key(&app, repository.namespace_id).await).unwrap();
    for (predicate, expected) in [
        ("https://sigstore.dev/cosign/sign/v1", VerdictState::Verified),
        ("https://slsa.dev/provenance/v1", VerdictState::NotSigned),
    ] {
        let digest = image(&app, &repository, predicate).await;
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": digest.hex()}}],
            "predicateType": predicate,
            "predicate": {},
        })
        .to_string();
        let kind = "application/vnd.in-toto+json";
        let message = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
        let bundle = json!({"dsseEnvelope": {
            "payload": STANDARD.encode(&statement),
            "payloadType": kind,
            "signatures": [{"sig": signer.sign(message.as_bytes()).unwrap()}],
        }})
        .to_string();
        let bundle_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let subject =
            json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest.as_str(), "size": 1});
        let extra = json!({"artifactType": bundle_type, "subject": subject});
        add(&app, &repository, bundle.as_bytes(), extra, json!({"mediaType": bundle_type}), None).await;
        assert_eq!(state(&app, &repository, &digest).await, expected, "{predicate}");
    }
}

#[tokio::test]
async fn a_payload_that_is_gone_cannot_be_checked() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    let layer = json!({"mediaType": signature::PAYLOAD_TYPE, "annotations": {signature::ANNOTATION: "eA=="}});
    add(&app, &repository, b"not json", json!({}), layer, Some(signature::tag_of(&digest))).await;
    assert!(matches!(state(&app, &repository, &digest).await, VerdictState::CouldNotCheck(_)));
}

#[tokio::test]
async fn the_key_is_made_once_and_is_not_readable_in_the_database() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (one, two) = tokio::join!(
        keys::signing_now(&app, repository.namespace_id),
        keys::signing_now(&app, repository.namespace_id)
    );
    let ids = [one, two].map(|signers| signers.unwrap().into_iter().map(|(key, _)| key.id).collect::<Vec<_>>());
    assert_eq!(ids[0], ids[1], "two builds at once agree on one");
    let pem = public_key(&app, "acme").await.unwrap();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    let row = db::keys::active(&app.db, repository.namespace_id).await.unwrap().unwrap();
    assert_eq!(row.public_pem, pem, "nothing hangs on another key, so it is published at once");
    assert!(!String::from_utf8_lossy(&row.private_encrypted).contains("PRIVATE"));
    at_start(&app).await.unwrap();
    let tx = app.db.begin().await.unwrap();
    db::keys::spoil_all(&tx).await;
    tx.commit().await.unwrap();
    assert!(at_start(&app).await.is_err(), "a server with another master key does not start");
}
