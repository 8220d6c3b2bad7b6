//! Verdicts of many images at once: cheap, and never of anything that was not verified.

use super::*;

/// Statements and verifications that a list costs.
async fn cost(app: &TestApp, repository: &rows::Repository, digests: &[Digest]) -> (u64, u64) {
    let run = || app.verdicts.run.load(std::sync::atomic::Ordering::Relaxed);
    let before = (app.db.statements(), run());
    let verdicts = verify_all(app, &place(repository), digests).await.unwrap();
    assert!(digests.iter().all(|digest| verdicts[digest.as_str()].state == VerdictState::Verified));
    (app.db.statements() - before.0, run() - before.1)
}

#[tokio::test]
async fn a_list_of_fifty_is_verified_once_and_then_asks_four_questions() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let mut digests = Vec::new();
    for n in 0..50 {
        let digest = image(&app, &repository, &format!("image {n}")).await;
        sign_and_store(&app, &repository, &digest).await;
        digests.push(digest);
    }
    // Keys, revoked ones, tags and referrers for all; a manifest and a payload for each.
    assert_eq!(cost(&app, &repository, &digests).await, (4 + 2 * 50, 50));
    assert_eq!(cost(&app, &repository, &digests).await, (4, 0));
    let first = verify_all(&app, &place(&repository), &digests).await.unwrap();
    assert_eq!(
        verify_all(&app, &place(&repository), &digests).await.unwrap(),
        first,
        "with key and the time it was checked"
    );
    let name = first[digests[0].as_str()].key.clone().unwrap().name;
    assert_eq!(name, "the key of acme");
}

#[tokio::test]
async fn what_is_remembered_is_of_that_signature_and_those_keys_only() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (one, two) = (image(&app, &repository, "one").await, image(&app, &repository, "two").await);
    let both = [one.clone(), two.clone()];
    let states = async || {
        let verdicts = verify_all(&app, &place(&repository), &both).await.unwrap();
        [one.as_str(), two.as_str()].map(|digest| verdicts[digest].state.clone())
    };
    assert_eq!(states().await, [VerdictState::NotSigned, VerdictState::NotSigned]);
    sign_and_store(&app, &repository, &one).await;
    assert_eq!(states().await, [VerdictState::Verified, VerdictState::NotSigned]);
    // The signature manifest that was verified, under the tag of another image.
    let signed = db::tags::find(&app.db, repository.id, signature::tag_of(&one).as_str()).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    let moved = rows::Tag { id: Uuid::now_v7(), name: signature::tag_of(&two).to_string(), ..signed.clone() };
    db::tags::put(&tx, moved).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(states().await, [VerdictState::Verified, VerdictState::NotSigned]);
    // Another manifest in the place of the one that was verified.
    let tx = app.db.begin().await.unwrap();
    let replaced = rows::Tag { digest: one.to_string(), ..signed };
    db::tags::put(&tx, replaced).await.unwrap();
    db::manifests::delete_by_subject(&tx, repository.id, &one).await;
    tx.commit().await.unwrap();
    assert_eq!(states().await[0], VerdictState::NotSigned);
    // A key that is no longer ours.
    sign_and_store(&app, &repository, &two).await;
    assert_eq!(states().await[1], VerdictState::Verified);
    let tx = app.db.begin().await.unwrap();
    db::keys::forget_all(&tx).await;
    tx.commit().await.unwrap();
    assert_eq!(states().await[1], VerdictState::Untrusted);
}

#[tokio::test]
async fn what_could_not_be_read_is_looked_at_again() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    sign_and_store(&app, &repository, &digest).await;
    let payload: Digest =
        sig(&app, &repository, &digest).await["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
    let blob = db::blobs::find_linked(&app.db, repository.id, &payload).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    db::blobs::unlink(&tx, repository.id, blob.id).await.unwrap();
    tx.commit().await.unwrap();
    let look = async || verify_all(&app, &place(&repository), std::slice::from_ref(&digest)).await.unwrap();
    assert!(matches!(look().await[digest.as_str()].state, VerdictState::CouldNotCheck(_)));
    let tx = app.db.begin().await.unwrap();
    db::blobs::link(&tx, repository.id, blob.id, None, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(look().await[digest.as_str()].state, VerdictState::Verified);
}

#[tokio::test]
async fn what_makes_no_sense_is_read_once_and_much_of_it_little_by_little() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let mut digests = Vec::new();
    for n in 0..160 {
        let digest = image(&app, &repository, &format!("image {n}")).await;
        let layer = json!({"mediaType": signature::PAYLOAD_TYPE, "annotations": {signature::ANNOTATION: "eA=="}});
        let payload = format!("not json {n}");
        add(&app, &repository, payload.as_bytes(), json!({}), layer, Some(signature::tag_of(&digest))).await;
        digests.push(digest);
    }
    for statements in [4 + 300, 4 + 2 * 10, 4] {
        let before = app.db.statements();
        let verdicts = verify_all(&app, &place(&repository), &digests).await.unwrap();
        assert!(verdicts.values().all(|verdict| matches!(verdict.state, VerdictState::CouldNotCheck(_))));
        assert_eq!(app.db.statements() - before, statements);
    }
}
