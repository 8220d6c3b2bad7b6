//! Signatures of images that builds made, once their tag is deleted.

use super::scene::*;
use super::*;
use crate::registry::manifests::Push;

crate::testing::on_postgres! {
    a_signature_that_no_tag_names_verifies_nothing_that_a_build_made,
    what_came_from_elsewhere_is_verified_by_a_referrer_too,
    whoever_deletes_the_tag_still_leaves_no_signature_of_ours_out,
    a_signature_that_is_stored_again_is_the_one_that_has_to_stay,
    a_bundle_of_ours_verifies_an_image_without_its_tag,
}

async fn delete_tag(app: &TestApp, repository: &rows::Repository, digest: &Digest) {
    let tag = signature::tag_of(digest);
    let row = db::tags::find(&app.db, repository.id, tag.as_str()).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    db::tags::delete(&tx, row.id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_signature_that_no_tag_names_verifies_nothing_that_a_build_made() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    delete_tag(&app, &repository, &digest).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Lost);
    // As the version before took it.
    let foreign = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
    put_before(&app, &repository, Some(signature::tag_of(&digest).as_str()), &foreign).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Lost);
    // As the page says.
    rotate(&app, &allowed(&repository)).await.unwrap();
    work(&app, &repository).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn what_came_from_elsewhere_is_verified_by_a_referrer_too() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    sign_and_store(&app, &repository, &digest).await;
    delete_tag(&app, &repository, &digest).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn whoever_deletes_the_tag_still_leaves_no_signature_of_ours_out() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let (tag, ours) = (signature::tag_of(&digest).to_string(), sig(&app, &repository, &digest).await);
    let foreign = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
    for is_there in [false, true] {
        delete_tag(&app, &repository, &digest).await;
        if is_there {
            // A stranger's is there already, as the version before took it.
            put_before(&app, &repository, Some(&tag), &foreign).await;
        }
        let refused = push(&app, &repository, &tag, MANIFEST, &foreign).await.err().unwrap();
        let made = Digest::of(ours.to_string().as_bytes());
        assert!(refused.status() == 409 && refused.to_string().contains(made.as_str()), "{refused}");
        let mut both = ours.clone();
        both["layers"].as_array_mut().unwrap().push(foreign["layers"][0].clone());
        push(&app, &repository, &tag, MANIFEST, &both).await.unwrap();
        assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
    }
    // Attestations have a tag of their own.
    let attestation = with_layers(&app, &repository, &["application/vnd.dsse.envelope.v1+json"]).await;
    push(&app, &repository, &tag.replace(".sig", ".att"), MANIFEST, &attestation).await.unwrap();
    // With the manifest the signature is gone: there is nothing left to hold.
    let tx = app.db.begin().await.unwrap();
    db::manifests::delete_by_subject(&tx, repository.id, &digest).await;
    tx.commit().await.unwrap();
    delete_tag(&app, &repository, &digest).await;
    push(&app, &repository, &tag, MANIFEST, &foreign).await.unwrap();
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Lost);
}

#[tokio::test]
async fn a_signature_that_is_stored_again_is_the_one_that_has_to_stay() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let (tag, before) = (signature::tag_of(&digest).to_string(), sig(&app, &repository, &digest).await);
    delete_tag(&app, &repository, &digest).await;
    // The same image is built again.
    sign_and_store(&app, &repository, &digest).await;
    let ours = sig(&app, &repository, &digest).await;
    assert_ne!(ours["layers"], before["layers"]);
    push(&app, &repository, &tag, MANIFEST, &ours).await.unwrap();
    let allowed = manager(&repository);
    let push = Push::of(&allowed, MANIFEST, Bytes::from(before.to_string()));
    let refused = put_manifest(&app, &push, &crate::names::Reference::Tag(tag.parse().unwrap())).await;
    assert_eq!(refused.err().unwrap().status(), 409);
}

#[tokio::test]
async fn a_bundle_of_ours_verifies_an_image_without_its_tag() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let mut body = with_layers(&app, &repository, &[checks::BUNDLE_TYPE]).await;
    body["artifactType"] = checks::BUNDLE_TYPE.into();
    body["subject"] = json!({"mediaType": MANIFEST, "digest": digest.as_str(), "size": 1});
    push(&app, &repository, "theirs", MANIFEST, &body).await.unwrap();
    delete_tag(&app, &repository, &digest).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified, "cosign 3 reads it");
}
