//! Which key is at `cosign.pub`, and who signs meanwhile.

use super::scene::*;
use super::*;

crate::testing::on_postgres! {
    a_forged_image_of_a_retired_key_gets_no_new_signature,
    a_key_that_did_not_sign_everything_waits_for_a_person,
    a_retired_key_signs_nothing_after_the_one_behind_it_is_revoked,
    two_namespaces_that_come_to_their_end_at_once_retire_the_instances_key,
    a_key_is_rotated_so_often_a_day_and_revoked_at_any_time,
    a_person_publishes_a_key_as_it_is,
    a_key_that_comes_in_the_place_of_a_revoked_one_retires_the_instances_key,
}

#[tokio::test]
async fn a_forged_image_of_a_retired_key_gets_no_new_signature() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let built = release(&app, &repository, "built").await;
    let stolen = active(&app, &repository).await;
    let forged = image(&app, &repository, "forged").await;
    let signer = keys::signer(&app, &stolen).unwrap();
    signed_by(&app, &repository, &forged, &signer, "localhost:8080/acme/web").await;
    rotate(&app, &allowed(&repository)).await.unwrap();
    work(&app, &repository).await;
    let new = active(&app, &repository).await;
    assert!(!signed_with(&app, &repository, &forged, &new).await);
    revoke(&app, &allowed(&repository), Some(&stolen.fingerprint)).await.unwrap();
    work(&app, &repository).await;
    assert_eq!(state(&app, &repository, &forged).await, VerdictState::Revoked);
    assert_eq!(state(&app, &repository, &built).await, VerdictState::Verified);
}

#[tokio::test]
async fn a_key_that_did_not_sign_everything_waits_for_a_person() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    release(&app, &repository, "one").await;
    let old = active(&app, &repository).await;
    rotate(&app, &allowed).await.unwrap();
    assert_eq!(publish(&app, &allowed).await.unwrap_err().status(), 409, "not before the run is through");
    let (storage, away) = (app.config.data_dir.join("storage"), app.config.data_dir.join("away"));
    std::fs::rename(&storage, &away).unwrap();
    std::fs::write(&storage, "").unwrap();
    work(&app, &repository).await;
    std::fs::remove_file(&storage).unwrap();
    std::fs::rename(&away, &storage).unwrap();
    let held = state_of(&app, repository.namespace_id).await.unwrap();
    assert!(held.is_held() && held.run.unwrap().skipped == 1);
    assert_eq!(served(&app).await, old.public_pem);
    // Once more, and it works.
    rotate(&app, &allowed).await.unwrap();
    work(&app, &repository).await;
    let new = active(&app, &repository).await;
    assert!(!state_of(&app, repository.namespace_id).await.unwrap().is_held());
    assert_eq!(served(&app).await, new.public_pem);
    assert_eq!(publish(&app, &allowed).await.unwrap_err().status(), 409, "it is published already");
}

#[tokio::test]
async fn a_person_publishes_a_key_as_it_is() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    release(&app, &repository, "one").await;
    rotate(&app, &allowed).await.unwrap();
    let run = db::signing_runs::find(&app.db, repository.namespace_id).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    let step = db::signing_runs::Step { looked: 1, signed: 0, skipped: 1 };
    assert!(db::signing_runs::advance(&tx, &run, Uuid::now_v7(), step).await.unwrap());
    tx.commit().await.unwrap();
    work(&app, &repository).await;
    let new = active(&app, &repository).await;
    assert_ne!(served(&app).await, new.public_pem);
    assert_eq!(publish(&app, &allowed).await.unwrap(), new.fingerprint);
    assert_eq!(served(&app).await, new.public_pem);
    assert_eq!(events(&app, "key.published").await, 1);
}

#[tokio::test]
async fn a_retired_key_signs_nothing_after_the_one_behind_it_is_revoked() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    release(&app, &repository, "one").await;
    let first = active(&app, &repository).await;
    rotate(&app, &allowed).await.unwrap();
    work(&app, &repository).await;
    revoke(&app, &allowed, None).await.unwrap();
    let third = active(&app, &repository).await;
    assert_eq!(served(&app).await, third.public_pem);
    let built = release(&app, &repository, "two").await;
    assert!(signed_with(&app, &repository, &built, &third).await);
    assert!(!signed_with(&app, &repository, &built, &first).await);
}

#[tokio::test]
async fn two_namespaces_that_come_to_their_end_at_once_retire_the_instances_key() {
    let app = TestApp::start().await;
    let instance = make_instance_key(&app).await;
    let mut keys = Vec::new();
    for name in ["acme", "other"] {
        let (repository, _) = repository_of(&app, name, "web").await;
        let key = make_key(&app, repository.namespace_id).await;
        let tx = app.db.begin().await.unwrap();
        db::keys::unpublish(&tx, key.id).await;
        tx.commit().await.unwrap();
        keys.push(db::keys::active(&app.db, repository.namespace_id).await.unwrap().unwrap());
    }
    let first = app.db.begin().await.unwrap();
    again::publish(&app, &first, &Principal::SYSTEM, &keys[0]).await.unwrap();
    let second = async {
        let second = app.db.begin().await.unwrap();
        again::publish(&app, &second, &Principal::SYSTEM, &keys[1]).await.unwrap();
        second.commit().await.unwrap();
    };
    let end = async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        first.commit().await.unwrap();
    };
    tokio::join!(second, end);
    assert_eq!(db::keys::instance(&app.db).await.unwrap(), None, "{} is retired", instance.fingerprint);
}

#[tokio::test]
async fn a_key_is_rotated_so_often_a_day_and_revoked_at_any_time() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    release(&app, &repository, "one").await;
    for _ in 1..10 {
        rotate(&app, &allowed).await.unwrap();
        work(&app, &repository).await;
    }
    let refused = rotate(&app, &allowed).await.unwrap_err();
    assert!(refused.status() == 409 && refused.to_string().contains("10 times in a day"), "{refused}");
    revoke(&app, &allowed, None).await.unwrap();
    work(&app, &repository).await;
    app.clock.advance(crate::clock::DAY + crate::clock::MINUTE);
    rotate(&app, &allowed).await.unwrap();
}

#[tokio::test]
async fn a_key_that_comes_in_the_place_of_a_revoked_one_retires_the_instances_key() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let old = make_key(&app, repository.namespace_id).await;
    make_instance_key(&app).await;
    rotate(&app, &allowed(&repository)).await.unwrap();
    revoke(&app, &allowed(&repository), Some(&old.fingerprint)).await.unwrap();
    assert_eq!(served(&app).await, active(&app, &repository).await.public_pem);
    assert_eq!(db::keys::instance(&app.db).await.unwrap(), None);
}
