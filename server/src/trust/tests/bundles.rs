//! The bundles that cosign 3 looks for first.

use super::scene::*;
use super::*;
use crate::jobs::{self, Task};
use crate::registry::manifests::{Push, Pushed};

crate::testing::on_postgres! {
    every_key_that_signs_leaves_one_bundle_that_names_the_repository,
    a_bundle_that_was_copied_says_where_it_was_signed,
    what_the_server_made_is_on_the_first_page_of_referrers,
    our_bundle_in_a_manifest_of_others_is_none_of_ours,
    wherever_a_bundle_is_pushed_ours_comes_with_it,
    what_refers_to_another_image_is_refused_beside_an_image,
    a_push_leaves_the_job_that_adds_our_bundle_should_it_fail_to,
    a_bundle_that_comes_while_an_image_is_signed_gets_ours_beside_it,
    a_bundle_of_ours_that_is_deleted_beside_others_comes_back,
}

async fn bundles(app: &TestApp, repository: &rows::Repository, digest: &Digest) -> Vec<(Digest, Value)> {
    let of = std::slice::from_ref(digest);
    let found = db::manifests::referrers_of_type(&app.db, repository.id, of, &[checks::BUNDLE_TYPE], 10).await.unwrap();
    let mut bundles = Vec::new();
    for one in found {
        let row = manifests::find(app, repository.id, &Digest::trusted(&one.digest)).await.unwrap().unwrap();
        let body: Value = serde_json::from_slice(&row.body).unwrap();
        let blob = Digest::trusted(body["layers"][0]["digest"].as_str().unwrap());
        let bundle = blobs::read_small(app, repository.id, &blob, 10_000).await.unwrap().unwrap();
        bundles.push((blob, serde_json::from_slice(&bundle).unwrap()));
    }
    bundles
}

/// As cosign 3 pushes it, with whatever artifact type: clients look at the layer.
async fn add_bundle(app: &TestApp, repository: &rows::Repository, digest: &Digest, kind: &str) {
    let body = bundle_of(app, repository, digest, kind).await;
    let name = Digest::of(body.to_string().as_bytes()).to_string();
    push_bundle(app, repository, &name, &body).await.unwrap();
}

async fn bundle_of(app: &TestApp, repository: &rows::Repository, digest: &Digest, kind: &str) -> Value {
    let mut body = with_layers(app, repository, &[checks::BUNDLE_TYPE]).await;
    body["artifactType"] = kind.into();
    body["subject"] = json!({"mediaType": MANIFEST, "digest": digest.as_str(), "size": 1});
    body
}

async fn push_bundle(app: &TestApp, repository: &rows::Repository, reference: &str, body: &Value) -> Result<Pushed> {
    let allowed = manager(repository);
    let push = Push::of(&allowed, MANIFEST, Bytes::from(body.to_string()));
    put_manifest(app, &push, &reference.parse().unwrap()).await
}

#[tokio::test]
async fn every_key_that_signs_leaves_one_bundle_that_names_the_repository() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    assert!(bundles(&app, &repository, &digest).await.is_empty(), "clients read the tag");
    add_bundle(&app, &repository, &digest, "application/vnd.acme+json").await;
    sign_and_store(&app, &repository, &digest).await;
    let first = bundles(&app, &repository, &digest).await;
    assert_eq!(first.len(), 1, "the second one was there already");
    let statement = STANDARD.decode(first[0].1["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let statement: Value = serde_json::from_slice(&statement).unwrap();
    assert_eq!(statement["subject"][0]["name"], "localhost:8080/acme/web");
    assert_eq!(statement["subject"][0]["digest"]["sha256"], digest.hex());
    rotate(&app, &allowed(&repository)).await.unwrap();
    work(&app, &repository).await;
    let both = bundles(&app, &repository, &digest).await;
    let hints: Vec<_> = both.iter().map(|(_, bundle)| &bundle["verificationMaterial"]["publicKey"]["hint"]).collect();
    assert!(both.len() == 2 && hints[0] != hints[1], "{hints:?}");
}

#[tokio::test]
async fn a_bundle_that_was_copied_says_where_it_was_signed() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (api, at_api) = repository_of(&app, "acme", "api").await;
    let digest = release(&app, &repository, "one").await;
    add_bundle(&app, &repository, &digest, "application/vnd.acme+json").await;
    let bundle = bundles(&app, &repository, &digest).await.remove(0).0;
    let bytes = blobs::read_small(&app, repository.id, &bundle, 10_000).await.unwrap().unwrap();
    assert_eq!(image(&app, &api, "one").await, digest);
    let subject = json!({"mediaType": MANIFEST, "digest": digest.as_str(), "size": 1});
    let extra = json!({"artifactType": checks::BUNDLE_TYPE, "subject": subject});
    add(&app, &api, &bytes, extra, json!({"mediaType": checks::BUNDLE_TYPE}), None).await;
    let verdict = verify(&app, &at_api, &digest).await.unwrap();
    assert_eq!(verdict.state, VerdictState::Elsewhere("acme/web".into()));
}

#[tokio::test]
async fn what_the_server_made_is_on_the_first_page_of_referrers() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    add_bundle(&app, &repository, &digest, "application/vnd.acme+json").await;
    let ours = bundles(&app, &repository, &digest).await.remove(0).0;
    let allowed = manager(&repository);
    let subject = json!({"mediaType": MANIFEST, "digest": digest.as_str(), "size": 1});
    let mut theirs = 0;
    for n in 0.. {
        let mut body = with_layers(&app, &repository, &[checks::BUNDLE_TYPE]).await;
        body["artifactType"] = checks::BUNDLE_TYPE.into();
        body["subject"] = subject.clone();
        body["annotations"] = json!({"n": n.to_string(), "x": "y".repeat(1 << 20)});
        let name = Digest::of(body.to_string().as_bytes());
        if name.hex() < "80" {
            let body = Bytes::from(body.to_string());
            let push = Push::of(&allowed, MANIFEST, body);
            put_manifest(&app, &push, &crate::names::Reference::Digest(name)).await.unwrap();
            theirs += 1;
        }
        if theirs == 6 {
            break;
        }
    }
    let pull = puller(&repository);
    let (mut after, mut all) = (String::new(), Vec::new());
    loop {
        let page = manifests::referrers_page(&app, &pull, &digest, None, &after, 1_000).await.unwrap();
        if after.is_empty() {
            let is_ours = |row: &rows::Manifest| String::from_utf8_lossy(&row.body).contains(ours.as_str());
            assert!(page.0.len() < 9 && page.1 && page.0[..2].iter().any(is_ours));
        }
        all.extend(page.0.iter().map(|row| row.digest.clone()));
        if !page.1 {
            break;
        }
        after = all.last().unwrap().clone();
    }
    let each = all.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((all.len(), each), (2 + 7, 2 + 7), "each once");
}

#[tokio::test]
async fn our_bundle_in_a_manifest_of_others_is_none_of_ours() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    add_bundle(&app, &repository, &digest, "application/vnd.acme+json").await;
    let bundle = bundles(&app, &repository, &digest).await.remove(0).0;
    let bytes = blobs::read_small(&app, repository.id, &bundle, 10_000).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    db::manifests::delete_by_subject(&tx, repository.id, &digest).await;
    tx.commit().await.unwrap();
    let subject = json!({"mediaType": MANIFEST, "digest": digest.as_str(), "size": 1});
    let extra = json!({"artifactType": checks::BUNDLE_TYPE, "subject": subject});
    add(&app, &repository, &bytes, extra, json!({"mediaType": checks::BUNDLE_TYPE}), None).await;
    sign_and_store(&app, &repository, &digest).await;
    assert_eq!(bundles(&app, &repository, &digest).await.len(), 2, "clients may not read theirs");
}

#[tokio::test]
async fn wherever_a_bundle_is_pushed_ours_comes_with_it() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    for number in 0..5 {
        let digest = release(&app, &repository, &number.to_string()).await;
        let body = bundle_of(&app, &repository, &digest, checks::BUNDLE_TYPE).await;
        let own = Digest::of(body.to_string().as_bytes());
        let references = [
            own.to_string(),
            "latest".into(),
            format!("sha256-{}", digest.hex()),
            format!("sha256-{}.att", digest.hex()),
            // As `cosign copy` leaves what it copies.
            format!("sha256-{}", own.hex()),
        ];
        push_bundle(&app, &repository, &references[number], &body).await.unwrap();
        let there = bundles(&app, &repository, &digest).await;
        assert_eq!(there.len(), 2, "theirs and ours, after a push to {}", references[number]);
    }
}

#[tokio::test]
async fn what_refers_to_another_image_is_refused_beside_an_image() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let body = bundle_of(&app, &repository, &digest, checks::BUNDLE_TYPE).await;
    for ending in ["", ".sig", ".att", ".sbom"] {
        let tag = format!("sha256-{}{ending}", "1".repeat(64));
        let refused = push_bundle(&app, &repository, &tag, &body).await.err().unwrap();
        assert!(refused.status() == 400 && refused.to_string().contains("it refers to sha256:"), "{tag}: {refused}");
    }
    let mut listing = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    listing["subject"] = body["subject"].clone();
    let refused = push(&app, &repository, &format!("sha256-{}", "1".repeat(64)), INDEX, &listing).await.err().unwrap();
    assert_eq!(refused.status(), 400);
    assert!(bundles(&app, &repository, &digest).await.is_empty());
}

#[tokio::test]
async fn a_push_leaves_the_job_that_adds_our_bundle_should_it_fail_to() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let task = |digest: &Digest| Task::AddBundle { repository_id: repository.id, digest: digest.to_string() };
    let (built, other) = (release(&app, &repository, "one").await, image(&app, &repository, "other").await);
    let tag = format!("sha256-{}.att", built.hex()).parse::<TagName>().unwrap();
    for (digest, is_beside) in [(&built, false), (&built, true), (&other, false)] {
        let body = bundle_of(&app, &repository, digest, checks::BUNDLE_TYPE).await;
        let allowed = manager(&repository);
        let push = Push::of(&allowed, MANIFEST, Bytes::from(body.to_string()));
        // The server ends before it comes to the rest.
        if is_beside {
            let kept = manifests::accessories::Kept::default();
            manifests::accessories::put(&app, &push, &tag, digest, &kept).await.unwrap().unwrap();
        } else {
            let name = Digest::of(body.to_string().as_bytes());
            manifests::put(&app, &push, &crate::names::Reference::Digest(name)).await.unwrap();
        }
        assert_eq!(bundles(&app, &repository, digest).await.len(), 1);
        assert_eq!(jobs::open(&app, &task(digest)).await.unwrap(), [task(&built)], "once, for what builds made");
    }
    for _ in 0..2 {
        jobs::perform_now(&app, &task(&built)).await.unwrap();
        jobs::perform_now(&app, &task(&other)).await.unwrap();
        jobs::perform_now(&app, &task(&Digest::of(b"gone"))).await.unwrap();
        assert_eq!(bundles(&app, &repository, &built).await.len(), 2, "twice is as once");
        assert_eq!(bundles(&app, &repository, &other).await.len(), 1);
    }
}

#[tokio::test]
async fn a_bundle_that_comes_while_an_image_is_signed_gets_ours_beside_it() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    let signed = sign(&app, &repository, "acme/web", &digest).await.unwrap();
    // No build has it yet, so nothing of ours comes with the push.
    add_bundle(&app, &repository, &digest, checks::BUNDLE_TYPE).await;
    assert_eq!(bundles(&app, &repository, &digest).await.len(), 1);
    let tx = app.db.begin().await.unwrap();
    assert_eq!(store(&app, &tx, &Principal::SYSTEM, &repository, &signed).await.unwrap(), Stored::Outdated);
    drop(tx);
    sign_and_store(&app, &repository, &digest).await;
    assert_eq!(bundles(&app, &repository, &digest).await.len(), 2);
}

#[tokio::test]
async fn a_bundle_of_ours_that_is_deleted_beside_others_comes_back() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = release(&app, &repository, "one").await;
    let task = Task::AddBundle { repository_id: repository.id, digest: digest.to_string() };
    add_bundle(&app, &repository, &digest, checks::BUNDLE_TYPE).await;
    app.clock.advance(2 * crate::clock::MINUTE);
    let tx = app.db.begin().await.unwrap();
    let now = app.clock.now();
    let left = db::jobs::claim_next(&tx, db::Lane::Upkeep, now).await.unwrap().unwrap();
    assert!(db::jobs::end(&tx, &left.job, &db::jobs::End::Done, now).await.unwrap());
    tx.commit().await.unwrap();
    let ours =
        db::manifests::own_referrers(&app.db, repository.id, &digest, Some(checks::BUNDLE_TYPE), 9).await.unwrap();
    assert_eq!(ours.len(), 1);
    let ours = crate::names::Reference::Digest(Digest::trusted(&ours[0].digest));
    manifests::delete(&app, &deleter(&repository), &ours).await.unwrap();
    assert_eq!(bundles(&app, &repository, &digest).await.len(), 1);
    assert_eq!(jobs::open(&app, &task).await.unwrap(), std::slice::from_ref(&task));
    jobs::perform_now(&app, &task).await.unwrap();
    assert_eq!(bundles(&app, &repository, &digest).await.len(), 2);
}
