//! Whoever may push takes no signature away, neither from clients nor from pages: not by a word beside it, not by many
//! others, and what was damaged before is mended.

use super::scene::*;
use super::*;

crate::testing::on_postgres! {
    no_word_in_our_layer_may_change,
    what_keeps_clients_from_reading_is_refused,
    however_many_there_are_ours_has_to_stay,
    signing_again_mends_what_was_damaged,
    however_many_others_there_are_ours_is_found_and_signed_again,
    a_built_image_without_its_signature_is_told_from_one_that_was_pushed,
}

/// Pushes `body` as it is to the image's tag of signatures; the status when it is refused.
async fn refused(app: &TestApp, repository: &rows::Repository, digest: &Digest, body: &str) -> Option<u16> {
    let allowed = manager(repository);
    let push = crate::registry::manifests::Push::of(&allowed, MANIFEST, Bytes::copy_from_slice(body.as_bytes()));
    let reference = crate::names::Reference::Tag(signature::tag_of(digest));
    put_manifest(app, &push, &reference).await.err().map(|error| error.status())
}

/// Whether a client reads all of what is there, and finds in it a signature of the key that signs now, as we write it.
async fn is_whole(app: &TestApp, repository: &rows::Repository, digest: &Digest) -> bool {
    let manifest = sig(app, repository, digest).await;
    let key = active(app, repository).await;
    let payload = signature::payload_of(app, "acme/web", digest);
    let ours = manifest["layers"].as_array().unwrap().iter().any(|layer| {
        let signature = layer["annotations"][signature::ANNOTATION].as_str().unwrap_or_default();
        layer["size"] == payload.len()
            && layer["digest"] == Digest::of(&payload).as_str()
            && layer.as_object().unwrap().len() == 4
            && signing::verifies(&key.public_pem, &payload, signature)
    });
    ours && manifest["layers"].as_array().unwrap().len() <= 200
}

#[tokio::test]
async fn no_word_in_our_layer_may_change() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let ours = sig(&app, &repository, &digest).await;
    for (key, value) in [
        ("size", json!(9)),
        ("data", json!(STANDARD.encode("other bytes"))),
        ("urls", json!(["http://127.0.0.1:1/"])),
        ("artifactType", json!("application/x")),
        ("platform", json!({"os": "linux", "architecture": "amd64"})),
        ("Annotations", json!({signature::ANNOTATION: "AAAA"})),
        ("x", json!(1)),
    ] {
        let mut changed = ours.clone();
        changed["layers"][0][key] = value;
        assert!(refused(&app, &repository, &digest, &changed.to_string()).await.is_some(), "{key}");
    }
    let mut added = ours.clone();
    added["layers"][0]["annotations"]["dev.sigstore.cosign/bundle"] = "junk".into();
    assert_eq!(refused(&app, &repository, &digest, &added.to_string()).await, Some(409));
    let twice = ours.to_string().replacen(
        r#""annotations":{"#,
        r#""annotations":{"dev.sigstore.cosign/bundle":"junk"},"annotations":{"#,
        1,
    );
    assert_ne!(twice, ours.to_string());
    assert_eq!(refused(&app, &repository, &digest, &twice).await, Some(400));
    assert_eq!(sig(&app, &repository, &digest).await, ours);
}

#[tokio::test]
async fn what_keeps_clients_from_reading_is_refused() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let ours = sig(&app, &repository, &digest).await;
    let junk = junk(&app, &repository).await;
    let with = |place: &str, value: Value| {
        let mut body = ours.clone();
        match body.pointer_mut(place) {
            Some(there) => *there = value,
            None => body[place.trim_start_matches('/')] = value,
        }
        body
    };
    let first = ours["layers"][0].clone();
    let mut again = first.clone();
    again["size"] = json!(9);
    let layers = |added: Vec<Value>| Value::Array(added.into_iter().chain([first.clone()]).collect());
    let mut config = first.clone();
    config["size"] = json!(9);
    let mut wrong = junk.clone();
    wrong["annotations"]["x"] = json!(5);
    for (what, body) in [
        ("the same blob before, with another size", with("/layers", layers(vec![again]))),
        ("the same blob as config, with another size", with("/config", config)),
        ("annotations that are no texts", with("/annotations", json!({"x": 5}))),
        ("annotations that are no object", with("/annotations", json!("x"))),
        ("annotations of another layer", with("/layers", layers(vec![wrong]))),
        ("more layers than are read", with("/layers", layers(vec![junk.clone(); 200]))),
        ("more bytes than are read", with("/annotations", json!({"x": "y".repeat(1 << 20)}))),
        ("data in the subject", {
            let mut body = ours.clone();
            body.as_object_mut().unwrap().remove("mediaType");
            body["subject"]["data"] = json!("eA==");
            body
        }),
    ] {
        assert_eq!(refused(&app, &repository, &digest, &body.to_string()).await, Some(400), "{what}");
    }
    let large = blobs::store_own(&app, Bytes::from(vec![b' '; 70_000])).await.unwrap();
    let mut payload = junk.clone();
    payload["digest"] = large.digest.as_str().into();
    payload["size"] = large.size_bytes.into();
    add(&app, &repository, &vec![b' '; 70_000], json!({}), json!({"mediaType": "text/plain"}), None).await;
    let body = with("/layers", layers(vec![payload]));
    assert_eq!(refused(&app, &repository, &digest, &body.to_string()).await, Some(400), "too large a payload");
    for kind in ["text/html", "image/svg+xml", "application/xhtml+xml", "application/vnd.acme.thing+json"] {
        let mut body = ours.clone();
        body["mediaType"] = kind.into();
        let pushed = push(&app, &repository, signature::tag_of(&digest).as_str(), kind, &body).await;
        assert_eq!(pushed.err().unwrap().status(), 400, "{kind}");
    }
    let good = with("/layers", layers(vec![junk; 199]));
    assert_eq!(refused(&app, &repository, &digest, &good.to_string()).await, None, "as many as are read");
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}

#[tokio::test]
async fn however_many_there_are_ours_has_to_stay() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let (tag, ours) = (signature::tag_of(&digest), sig(&app, &repository, &digest).await);
    // Signed by nobody, of the payload that we sign.
    let mut junk = ours["layers"][0].clone();
    junk["annotations"][signature::ANNOTATION] = "AAAA".into();
    let mut many = ours.clone();
    many["layers"] = vec![junk.clone(); 1_200].into_iter().chain([ours["layers"][0].clone()]).collect();
    put_before(&app, &repository, Some(tag.as_str()), &many).await;
    let mut without = ours.clone();
    without["layers"] = json!([junk]);
    assert_eq!(refused(&app, &repository, &digest, &without.to_string()).await, Some(409));
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
    assert_eq!(refused(&app, &repository, &digest, &ours.to_string()).await, None);
}

#[tokio::test]
async fn signing_again_mends_what_was_damaged() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let (tag, ours) = (signature::tag_of(&digest), sig(&app, &repository, &digest).await);
    let junk = junk(&app, &repository).await;
    let first = &ours["layers"][0];
    let changed = |key: &str, value: Value| {
        let mut body = ours.clone();
        body["layers"][0][key] = value;
        body
    };
    let with = |layers: Value| {
        let mut body = ours.clone();
        body["layers"] = layers;
        body
    };
    let mut other_size = first.clone();
    other_size["size"] = json!(9);
    let many: Value = vec![junk.clone(); 1_200].into_iter().chain([first.clone()]).collect();
    for damaged in [
        changed("size", json!(9)),
        changed("data", json!("eA==")),
        changed("urls", json!(["http://127.0.0.1:1/"])),
        changed("annotations", json!({signature::ANNOTATION: "AAAA"})),
        with(json!([other_size, first])),
        with(json!([junk])),
        with(many),
    ] {
        put_before(&app, &repository, Some(tag.as_str()), &damaged).await;
        sign_and_store(&app, &repository, &digest).await;
        assert!(is_whole(&app, &repository, &digest).await, "{}", &damaged.to_string()[..400]);
        let mended = sig(&app, &repository, &digest).await;
        assert_eq!(refused(&app, &repository, &digest, &mended.to_string()).await, None, "and it may be added to");
    }
}

#[tokio::test]
async fn however_many_others_there_are_ours_is_found_and_signed_again() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let (tag, ours) = (signature::tag_of(&digest), sig(&app, &repository, &digest).await);
    let junk = junk(&app, &repository).await;
    // As many referrers as are looked at, and more, all with a digest that comes first.
    let mut made = 0;
    for n in 0.. {
        let mut referrer = ours.clone();
        referrer["layers"] = json!([junk]);
        referrer["annotations"] = json!({"n": n.to_string()});
        if Digest::of(referrer.to_string().as_bytes()).hex() < "20" {
            let name = Digest::of(referrer.to_string().as_bytes()).to_string();
            let allowed = manager(&repository);
            let body = Bytes::from(referrer.to_string());
            let push = crate::registry::manifests::Push::of(&allowed, MANIFEST, body);
            put_manifest(&app, &push, &name.parse().unwrap()).await.unwrap();
            made += 1;
        }
        if made == 25 {
            break;
        }
    }
    let mut many = ours.clone();
    many["layers"] = [ours["layers"][0].clone()].into_iter().chain(vec![junk.clone(); 250]).collect();
    put_before(&app, &repository, Some(tag.as_str()), &many).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
    rotate(&app, &allowed(&repository)).await.unwrap();
    work(&app, &repository).await;
    let run = db::signing_runs::find(&app.db, repository.namespace_id).await.unwrap().unwrap();
    assert_eq!((run.signed, run.skipped), (1, 0));
    assert!(is_whole(&app, &repository, &digest).await);
    assert_eq!(served(&app).await, active(&app, &repository).await.public_pem);
}

#[tokio::test]
async fn a_built_image_without_its_signature_is_told_from_one_that_was_pushed() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (built, pushed) = (release(&app, &repository, "built").await, image(&app, &repository, "pushed").await);
    let forget = async || {
        let tag = signature::tag_of(&built);
        let row = db::tags::find(&app.db, repository.id, tag.as_str()).await.unwrap().unwrap();
        let tx = app.db.begin().await.unwrap();
        db::tags::delete(&tx, row.id).await.unwrap();
        db::manifests::delete_by_subject(&tx, repository.id, &built).await;
        tx.commit().await.unwrap();
    };
    forget().await;
    assert_eq!(state(&app, &repository, &built).await, VerdictState::Lost);
    assert_eq!(state(&app, &repository, &pushed).await, VerdictState::NotSigned);
    add_foreign(&app, &repository, &built).await;
    add_foreign(&app, &repository, &pushed).await;
    assert_eq!(state(&app, &repository, &built).await, VerdictState::Lost);
    assert_eq!(state(&app, &repository, &pushed).await, VerdictState::Untrusted);
    // As the page says: a rotation signs all that builds made, and nothing else.
    rotate(&app, &allowed(&repository)).await.unwrap();
    work(&app, &repository).await;
    assert_eq!(state(&app, &repository, &built).await, VerdictState::Verified);
    assert_eq!(state(&app, &repository, &pushed).await, VerdictState::Untrusted);
}
