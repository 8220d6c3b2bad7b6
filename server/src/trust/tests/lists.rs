//! Verdicts of many images at once: cheap, and never of anything that was not verified.

use super::scene::*;
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
    // Without the bundle that would tell the same.
    let signer = keys::signer(&app, &make_key(&app, repository.namespace_id).await).unwrap();
    signed_by(&app, &repository, &digest, &signer, "localhost:8080/acme/web").await;
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

#[tokio::test]
async fn images_that_take_long_leave_the_others_of_a_list_theirs() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let (mut attacked, mut good) = (Vec::new(), Vec::new());
    let one = junk(&app, &repository).await;
    let layer = json!({"mediaType": "text/plain"});
    add(&app, &repository, b"not json", json!({}), layer.clone(), None).await;
    let mut two = one.clone();
    (two["digest"], two["size"]) = (Digest::of(b"not json").as_str().into(), json!(8));
    for n in 0..6 {
        let digest = image(&app, &repository, &format!("attacked {n}")).await;
        let mut body = with_layers(&app, &repository, &[signature::PAYLOAD_TYPE]).await;
        // Signed by nobody that is known: ours may be among the others.
        let payload = signature::payload_of(&app, "acme/web", &digest);
        add(&app, &repository, &payload, json!({}), layer.clone(), None).await;
        let mut nobodys = one.clone();
        (nobodys["digest"], nobodys["size"]) = (Digest::of(&payload).as_str().into(), payload.len().into());
        body["layers"] = [one.clone(), two.clone()].into_iter().cycle().take(198).chain([nobodys]).collect();
        body["annotations"] = json!({"n": n.to_string()});
        put_before(&app, &repository, Some(signature::tag_of(&digest).as_str()), &body).await;
        attacked.push(digest);
        good.push(release(&app, &repository, &format!("good {n}")).await);
    }
    let all: Vec<Digest> = attacked.iter().chain(&good).cloned().collect();
    let verdicts = verify_all(&app, &place(&repository), &all).await.unwrap();
    for digest in &good {
        assert_eq!(verdicts[digest.as_str()].state, VerdictState::Verified);
    }
    // The first one could be looked through.
    for digest in &attacked[1..] {
        assert!(matches!(verdicts[digest.as_str()].state, VerdictState::CouldNotCheck(_)));
    }
}

#[tokio::test]
async fn signatures_are_held_against_keys_a_bounded_number_of_times() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let mut keys = Vec::new();
    for _ in 0..8 {
        keys.push(keys::generate(&app, repository.namespace_id).unwrap());
    }
    // It verifies nothing, so that it is tried last.
    keys[0].revoked_at = Some(1);
    let ours = keys::signer(&app, &keys[2]).unwrap().sign(b"message").unwrap();
    let (_, private) = signing::generate().unwrap();
    let theirs = signing::Signer::new(&private).unwrap().sign(b"message").unwrap();
    let claim = |signature: &str| checks::Claim::Signed {
        message: b"message".to_vec(),
        signature: signature.to_owned(),
        repository: Some("acme/web".into()),
    };
    let claims = |last: &str| [vec![claim(&theirs); 19], vec![claim(last)]].concat();
    let keys = checks::in_order(keys);
    let weigh = async |last: &str, most| {
        checks::weigh(&place(&repository), &keys, claims(last), most, checks::Until::Verified).await.unwrap()
    };
    let found = weigh(&ours, 1_000).await;
    assert_eq!((found.tried, found.is_whole), (40, true), "two keys against each, and no more");
    assert!(matches!(found.findings[19], Some(checks::Finding::Verified(_))));
    let all = weigh(&theirs, 1_000).await;
    assert_eq!((all.tried, all.is_whole), (160, true));
    let some = weigh(&theirs, 100).await;
    assert_eq!((some.tried, some.is_whole), (100, false));
}
