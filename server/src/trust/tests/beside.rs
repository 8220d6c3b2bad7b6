//! Pushes by hand to the tags beside an image.

use super::scene::*;
use super::*;
use crate::registry::manifests::Push;

crate::testing::on_postgres! {
    a_push_adds_signatures_and_removes_none_of_ours,
    only_what_cosign_and_referrers_keep_goes_beside_an_image,
    no_build_moves_a_tag_beside_an_image,
    an_image_may_stand_at_the_tag_that_spells_its_digest,
    an_image_at_its_own_tag_takes_the_place_of_no_signature_of_ours,
    many_who_push_beside_an_image_all_come_to_their_turn,
    a_push_that_looked_before_a_signature_came_takes_nothing_away,
}

#[tokio::test]
async fn only_what_cosign_and_referrers_keep_goes_beside_an_image() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let hex = "ab".repeat(32);
    let of_cosign = [
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.dsse.envelope.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "text/spdx+json",
        "application/vnd.cyclonedx+json",
    ];
    for ending in ["", ".sig", ".att", ".sbom"] {
        let tag = format!("sha256-{hex}{ending}");
        for kind in of_cosign {
            let body = with_layers(&app, &repository, &[kind]).await;
            push(&app, &repository, &tag, MANIFEST, &body).await.unwrap_or_else(|e| panic!("{tag} {kind}: {e}"));
        }
        for types in [
            &["application/vnd.oci.image.layer.v1.tar+gzip"][..],
            &["application/vnd.dev.cosign.simplesigning.v1+json", "application/vnd.oci.image.layer.v1.tar"],
            &["text/html"],
            &[],
        ] {
            let body = with_layers(&app, &repository, types).await;
            let refused = push(&app, &repository, &tag, MANIFEST, &body).await.err().unwrap();
            assert_eq!(refused.status(), 400, "{tag} {types:?}");
            assert!(refused.to_string().contains("signatures, attestations and SBOMs"), "{refused}");
        }
    }
    // Another ending, and the other case of letters, are such tags too.
    for tag in [format!("sha256-{hex}-web"), format!("SHA256-{}", hex.to_uppercase())] {
        let body = with_layers(&app, &repository, &["application/vnd.oci.image.layer.v1.tar"]).await;
        assert_eq!(push(&app, &repository, &tag, MANIFEST, &body).await.err().unwrap().status(), 400, "{tag}");
    }
    let near = with_layers(&app, &repository, &["application/vnd.oci.image.layer.v1.tar"]).await;
    push(&app, &repository, "sha256-abc", MANIFEST, &near).await.unwrap();
}

#[tokio::test]
async fn an_index_beside_an_image_lists_what_refers_to_it() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    let other = image(&app, &repository, "two").await;
    let subject = json!({"mediaType": MANIFEST, "digest": digest.as_str(), "size": 1});
    let layer = json!({"mediaType": "text/plain"});
    let referrer = add(&app, &repository, b"sbom", json!({"subject": subject}), layer, None).await;
    let tag = format!("sha256-{}", digest.hex());
    let listing = |digests: &[&Digest]| {
        let manifests: Vec<_> =
            digests.iter().map(|d| json!({"mediaType": MANIFEST, "digest": d.as_str(), "size": 1})).collect();
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
    };
    for good in [listing(&[&referrer]), listing(&[])] {
        push(&app, &repository, &tag, INDEX, &good).await.unwrap();
    }
    for bad in [listing(&[&other]), listing(&[&referrer, &digest])] {
        let refused = push(&app, &repository, &tag, INDEX, &bad).await.err().unwrap();
        assert!(refused.status() == 400 && refused.to_string().contains("does not refer to"), "{refused}");
    }
}

#[tokio::test]
async fn a_push_adds_signatures_and_removes_none_of_ours() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    sign_and_store(&app, &repository, &digest).await;
    let tag = signature::tag_of(&digest).to_string();
    let ours = sig(&app, &repository, &digest).await;
    let foreign = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
    let refused = push(&app, &repository, &tag, MANIFEST, &foreign).await.err().unwrap();
    assert!(refused.status() == 409 && refused.to_string().contains("leaves out"), "{refused}");
    // The same payload under another signature is not the one that was there.
    let mut changed = ours.clone();
    changed["layers"][0]["annotations"][signature::ANNOTATION] = "eA==".into();
    assert_eq!(push(&app, &repository, &tag, MANIFEST, &changed).await.err().unwrap().status(), 409);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    assert_eq!(push(&app, &repository, &tag, INDEX, &index).await.err().unwrap().status(), 409);
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);

    let mut both = ours.clone();
    both["layers"].as_array_mut().unwrap().push(foreign["layers"][0].clone());
    push(&app, &repository, &tag, MANIFEST, &both).await.unwrap();
    // What is not ours may go again.
    push(&app, &repository, &tag, MANIFEST, &ours).await.unwrap();
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn an_image_that_was_put_beside_another_one_is_not_taken_for_its_signature() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    // As a branch of that name did before.
    let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar"});
    add(&app, &repository, b"layer", json!({}), layer, Some(signature::tag_of(&digest))).await;
    sign_and_store(&app, &repository, &digest).await;
    let layers = sig(&app, &repository, &digest).await["layers"].clone();
    assert_eq!(layers.as_array().unwrap().len(), 1, "{layers}");
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn others_never_keep_our_signature_out() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    let tag = signature::tag_of(&digest).to_string();
    let many = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE; 200]).await;
    push(&app, &repository, &tag, MANIFEST, &many).await.unwrap();
    sign_and_store(&app, &repository, &digest).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn no_build_moves_a_tag_beside_an_image() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    testing::built(&app, &repository, &digest).await;
    let build = db::builds::find_by_number(&app.db, repository.id, 1).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    let origin = crate::registry::tags::Origin { cause: db::Cause::Build, build: Some(&build) };
    let tag = signature::tag_of(&digest);
    let by = &Principal::SYSTEM;
    let moved = crate::registry::tags::set(&tx, by, &repository, "acme/web", &tag, &digest, &origin, 1).await;
    assert!(moved.is_err());
}

#[tokio::test]
async fn an_image_may_stand_at_the_tag_that_spells_its_digest() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (one, two) = (image(&app, &repository, "one").await, image(&app, &repository, "two").await);
    let row = manifests::find(&app, repository.id, &one).await.unwrap().unwrap();
    let image: Value = serde_json::from_slice(&row.body).unwrap();
    let child = json!({"mediaType": MANIFEST, "digest": two.as_str(), "size": 1, "platform": {"os": "linux", "architecture": "arm"}});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]});
    // As `cosign copy` leaves it; what refers to the image may take its place, and it the place of that.
    let listing = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    for (kind, body) in [(MANIFEST, &image), (INDEX, &index)] {
        let digest = Digest::of(body.to_string().as_bytes());
        let tag = format!("sha256-{}", digest.hex());
        for (kind, body) in [(kind, body), (INDEX, &listing), (kind, body)] {
            push(&app, &repository, &tag, kind, body).await.unwrap();
        }
        for other in [format!("{tag}.sig"), format!("{tag}-x"), format!("SHA256-{}", digest.hex())] {
            assert_eq!(push(&app, &repository, &other, kind, body).await.err().unwrap().status(), 400, "{other}");
        }
    }
    let tag = format!("sha256-{}", two.hex());
    assert_eq!(push(&app, &repository, &tag, MANIFEST, &image).await.err().unwrap().status(), 400, "another image");
}

#[tokio::test]
async fn an_image_at_its_own_tag_takes_the_place_of_no_signature_of_ours() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let one = image(&app, &repository, "one").await;
    let row = manifests::find(&app, repository.id, &one).await.unwrap().unwrap();
    let image: Value = serde_json::from_slice(&row.body).unwrap();
    let digest = Digest::of(image.to_string().as_bytes());
    let tag = format!("sha256-{}", digest.hex());
    push(&app, &repository, &tag, MANIFEST, &image).await.unwrap();
    sign_and_store(&app, &repository, &digest).await;
    let ours = sig(&app, &repository, &digest).await;
    push(&app, &repository, &tag, MANIFEST, &ours).await.unwrap();
    assert_eq!(push(&app, &repository, &tag, MANIFEST, &image).await.err().unwrap().status(), 409);
}

#[tokio::test]
async fn many_who_push_beside_an_image_all_come_to_their_turn() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let (tag, ours) = (signature::tag_of(&digest).to_string(), sig(&app, &repository, &digest).await);
    let pushed = (0..30).map(|n| {
        let mut body = ours.clone();
        body["annotations"] = json!({"n": n.to_string()});
        let (app, repository, tag) = (&app, &repository, &tag);
        async move { push(app, repository, tag, MANIFEST, &body).await.map(drop) }
    });
    let all: Result<Vec<()>> = futures_util::future::join_all(pushed).await.into_iter().collect();
    all.unwrap();
}

#[tokio::test]
async fn a_push_that_looked_before_a_signature_came_takes_nothing_away() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    let foreign = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
    sign_and_store(&app, &repository, &digest).await;
    let allowed = manager(&repository);
    let push = Push::of(&allowed, MANIFEST, Bytes::from(foreign.to_string()));
    let tag = signature::tag_of(&digest);
    let looked_before = manifests::accessories::Kept::default();
    let pushed = manifests::accessories::put(&app, &push, &tag, &digest, &looked_before).await.unwrap();
    assert!(pushed.is_none(), "it looks again");
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn what_goes_beside_an_image_has_a_media_type_that_no_browser_opens() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let tag = format!("sha256-{}.sig", "ab".repeat(32));
    let mut body = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
    body.as_object_mut().unwrap().remove("mediaType");
    for kind in ["text/html", "image/svg+xml", "application/xhtml+xml", "application/vnd.wap.xhtml"] {
        let refused = push(&app, &repository, &tag, kind, &body).await.err().map(|error| error.status());
        assert_eq!(refused, Some(400), "{kind}");
    }
}

#[tokio::test]
async fn nothing_is_pushed_beside_an_image_where_there_is_no_room() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let body = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
    app.storage.pretend_free(0);
    let refused = push(&app, &repository, &format!("sha256-{}.sig", "ab".repeat(32)), MANIFEST, &body).await;
    assert!(matches!(refused, Err(crate::error::Error::Full)));
}
