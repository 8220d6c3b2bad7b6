//! Keys that change: rotated, revoked, and the instance's key that went before them.

use super::scene::*;
use super::*;

crate::testing::on_postgres! {
    what_the_instances_key_signed_is_signed_again_before_the_address_changes,
    a_rotation_unverifies_nothing_and_is_published_at_its_end,
    what_a_revoked_key_signed_counts_no_longer_and_builds_are_signed_again,
    a_key_that_changes_while_a_build_is_signed_signs_it_too,
    only_one_change_of_a_key_is_under_way,
    a_build_that_only_a_retired_key_signed_is_signed_again_once_that_key_is_revoked,
    the_instances_key_is_no_namespaces_to_revoke,
}

#[tokio::test]
async fn what_the_instances_key_signed_is_signed_again_before_the_address_changes() {
    let app = TestApp::start().await;
    let old = make_instance_key(&app).await;
    let repository = repository(&app).await;
    let signer = keys::signer(&app, &old).unwrap();
    // More than a step, no tag on any: clusters pin digests.
    let mut digests = Vec::new();
    for n in 0..60 {
        let digest = image(&app, &repository, &format!("image {n}")).await;
        signed_by(&app, &repository, &digest, &signer, "localhost:8080/acme/web").await;
        testing::built(&app, &repository, &digest).await;
        digests.push(digest);
    }
    let by_hand = image(&app, &repository, "by hand").await;
    let copied = image(&app, &repository, "copied").await;
    signed_by(&app, &repository, &copied, &signer, "localhost:8080/evil/app").await;
    at_start(&app).await.unwrap();
    let new = active(&app, &repository).await;
    assert_eq!(served(&app).await, old.public_pem);
    assert_eq!(public_key(&app, "nobody").await.unwrap(), old.public_pem, "as every name answered before");
    assert_eq!(state(&app, &repository, &digests[0]).await, VerdictState::Verified);
    // Built meanwhile: for who has the key of the address, and for who will have the new one.
    let built = release(&app, &repository, "built meanwhile").await;
    assert!(signed_with(&app, &repository, &built, &old).await && signed_with(&app, &repository, &built, &new).await);
    // A job that is killed leaves a step behind; the next one goes on.
    let run = db::signing_runs::find(&app.db, repository.namespace_id).await.unwrap().unwrap();
    again::step(&app, &run).await.unwrap();
    let half = db::signing_runs::find(&app.db, repository.namespace_id).await.unwrap().unwrap();
    assert!(half.looked == 50 && half.signed > 0 && half.finished_at.is_none(), "{half:?}");
    again::step(&app, &run).await.unwrap();
    let same = db::signing_runs::find(&app.db, repository.namespace_id).await.unwrap().unwrap();
    assert_eq!(same, half, "a step that is done twice is as one");
    assert_eq!(served(&app).await, old.public_pem);
    work(&app, &repository).await;
    assert_eq!(served(&app).await, new.public_pem);
    assert_ne!(public_key(&app, "nobody").await.unwrap(), old.public_pem);
    for digest in digests.iter().chain([&built]) {
        assert!(signed_with(&app, &repository, digest, &new).await, "{digest}");
        assert!(signed_with(&app, &repository, digest, &old).await, "nobody lost what he had");
        assert_eq!(state(&app, &repository, digest).await, VerdictState::Verified);
    }
    let run = db::signing_runs::find(&app.db, repository.namespace_id).await.unwrap().unwrap();
    assert_eq!((run.signed, run.skipped), (61, 0));
    assert_eq!(state(&app, &repository, &by_hand).await, VerdictState::NotSigned);
    assert_eq!(state(&app, &repository, &copied).await, VerdictState::Elsewhere("evil/app".into()));
    assert!(!signed_with(&app, &repository, &copied, &new).await, "a foreign image is not made ours");
    at_start(&app).await.unwrap();
    assert!(db::signing_runs::unfinished(&app.db).await.unwrap().is_empty(), "once is enough");
}

#[tokio::test]
async fn a_namespace_that_signed_nothing_yet_begins_with_its_own_key() {
    let app = TestApp::start().await;
    let old = make_instance_key(&app).await;
    let repository = repository(&app).await;
    let (other, _) = repository_of(&app, "other", "app").await;
    let signed = image(&app, &other, "old").await;
    signed_by(&app, &other, &signed, &keys::signer(&app, &old).unwrap(), "localhost:8080/other/app").await;
    at_start(&app).await.unwrap();
    let digest = image(&app, &repository, "new").await;
    sign_and_store(&app, &repository, &digest).await;
    assert_eq!(served(&app).await, active(&app, &repository).await.public_pem);
    assert!(!signed_with(&app, &repository, &digest, &old).await);
    assert_eq!(public_key(&app, "other").await.unwrap(), old.public_pem);
}

#[tokio::test]
async fn a_rotation_unverifies_nothing_and_is_published_at_its_end() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    assert_eq!(rotate(&app, &allowed).await.unwrap_err().status(), 409, "there is no key yet");
    let digest = release(&app, &repository, "one").await;
    let old = active(&app, &repository).await;
    let fingerprint = rotate(&app, &allowed).await.unwrap();
    let new = active(&app, &repository).await;
    assert_eq!((new.fingerprint == fingerprint, served(&app).await == old.public_pem), (true, true));
    let verdict = verify(&app, &place(&repository), &digest).await.unwrap();
    assert_eq!((verdict.state, verdict.key.unwrap().name), (VerdictState::Verified, "a retired key of acme".into()));
    work(&app, &repository).await;
    assert_eq!(served(&app).await, new.public_pem);
    assert!(signed_with(&app, &repository, &digest, &old).await && signed_with(&app, &repository, &digest, &new).await);
    let verdict = verify(&app, &place(&repository), &digest).await.unwrap();
    assert_eq!((verdict.state, verdict.key.unwrap().name), (VerdictState::Verified, "the key of acme".into()));
    for (kind, expected) in [("key.made", 2), ("key.rotated", 1), ("key.published", 1), ("key.revoked", 0)] {
        assert_eq!(events(&app, kind).await, expected, "{kind}");
    }
}

#[tokio::test]
async fn what_a_revoked_key_signed_counts_no_longer_and_builds_are_signed_again() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    let (built, stolen) = (image(&app, &repository, "built").await, image(&app, &repository, "stolen").await);
    sign_and_store(&app, &repository, &built).await;
    testing::built(&app, &repository, &built).await;
    // Whoever has the key signs what it likes, and pushes it.
    sign_and_store(&app, &repository, &stolen).await;
    let old = active(&app, &repository).await;
    let both = [built.clone(), stolen.clone()];
    let states = async || {
        let listed = verify_all(&app, &place(&repository), &both).await.unwrap();
        both.each_ref().map(|digest| listed[digest.as_str()].state.clone())
    };
    assert_eq!(states().await, [VerdictState::Verified, VerdictState::Verified]);
    assert_eq!(revoke(&app, &allowed, None).await.unwrap(), old.fingerprint);
    assert_eq!(states().await, [VerdictState::Revoked, VerdictState::Revoked]);
    let new = active(&app, &repository).await;
    assert_eq!(served(&app).await, new.public_pem, "a key that anybody may have is not offered");
    work(&app, &repository).await;
    assert_eq!(states().await, [VerdictState::Verified, VerdictState::Revoked]);
    assert!(!signed_with(&app, &repository, &stolen, &new).await);
    assert_eq!(revoke(&app, &allowed, Some(&old.fingerprint)).await.unwrap_err().status(), 409);
    assert_eq!(revoke(&app, &allowed, Some("SHA256:00")).await.unwrap_err().status(), 404);
    assert_eq!(events(&app, "key.revoked").await, 1);
}

#[tokio::test]
async fn a_retired_key_can_be_revoked_later() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    let digest = release(&app, &repository, "one").await;
    let old = active(&app, &repository).await;
    rotate(&app, &allowed).await.unwrap();
    work(&app, &repository).await;
    let new = active(&app, &repository).await;
    revoke(&app, &allowed, Some(&old.fingerprint)).await.unwrap();
    assert_eq!(active(&app, &repository).await, new);
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified, "the new key signed it");
    work(&app, &repository).await;
    assert_eq!(served(&app).await, new.public_pem);
}

#[tokio::test]
async fn the_instances_key_can_be_revoked_too() {
    let app = TestApp::start().await;
    let old = make_instance_key(&app).await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    signed_by(&app, &repository, &digest, &keys::signer(&app, &old).unwrap(), "localhost:8080/acme/web").await;
    testing::built(&app, &repository, &digest).await;
    at_start(&app).await.unwrap();
    assert_eq!(revoke_instance_key(&app).await.unwrap(), old.fingerprint);
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Revoked);
    assert_eq!(served(&app).await, active(&app, &repository).await.public_pem);
    work(&app, &repository).await;
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
    assert_eq!(revoke_instance_key(&app).await.unwrap_err().status(), 404);
}

#[tokio::test]
async fn a_key_that_changes_while_a_build_is_signed_signs_it_too() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let first = image(&app, &repository, "first").await;
    sign_and_store(&app, &repository, &first).await;
    let digest = image(&app, &repository, "one").await;
    let signed = sign(&app, &repository, "acme/web", &digest).await.unwrap();
    rotate(&app, &allowed(&repository)).await.unwrap();
    let tx = app.db.begin().await.unwrap();
    let stored = store(&app, &tx, &Principal::SYSTEM, &repository, &signed).await.unwrap();
    assert_eq!(stored, Stored::Outdated);
    drop(tx);
    sign_and_store(&app, &repository, &digest).await;
    let new = active(&app, &repository).await;
    assert!(signed_with(&app, &repository, &digest, &new).await);
}

#[tokio::test]
async fn only_one_change_of_a_key_is_under_way() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let allowed = allowed(&repository);
    let digest = image(&app, &repository, "one").await;
    sign_and_store(&app, &repository, &digest).await;
    rotate(&app, &allowed).await.unwrap();
    assert_eq!(rotate(&app, &allowed).await.unwrap_err().status(), 409);
    // A leak does not wait.
    revoke(&app, &allowed, None).await.unwrap();
    work(&app, &repository).await;
    rotate(&app, &allowed).await.unwrap();
}

#[tokio::test]
async fn a_run_whose_job_gave_up_goes_on() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let digest = image(&app, &repository, "one").await;
    sign_and_store(&app, &repository, &digest).await;
    rotate(&app, &allowed(&repository)).await.unwrap();
    let open = async || crate::jobs::open(&app, &crate::jobs::Task::SignAgain { namespace_id: Uuid::nil() }).await;
    assert_eq!(open().await.unwrap().len(), 1);
    resume(&app).await.unwrap();
    assert_eq!(open().await.unwrap().len(), 1, "one is asked for already");
    let tx = app.db.begin().await.unwrap();
    let soon = app.clock.now() + 1_000;
    let claimed = db::jobs::claim_next(&tx, db::Lane::Signing, soon).await.unwrap().unwrap();
    let end = db::jobs::End::Failed("the disk was full".into());
    assert!(db::jobs::end(&tx, &claimed.job, &end, soon).await.unwrap());
    tx.commit().await.unwrap();
    resume(&app).await.unwrap();
    assert_eq!(open().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_build_that_only_a_retired_key_signed_is_signed_again_once_that_key_is_revoked() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let first = image(&app, &repository, "first").await;
    sign_and_store(&app, &repository, &first).await;
    let old = active(&app, &repository).await;
    rotate(&app, &allowed(&repository)).await.unwrap();
    work(&app, &repository).await;
    let built = image(&app, &repository, "built").await;
    signed_by(&app, &repository, &built, &keys::signer(&app, &old).unwrap(), "localhost:8080/acme/web").await;
    testing::built(&app, &repository, &built).await;
    revoke(&app, &allowed(&repository), Some(&old.fingerprint)).await.unwrap();
    assert_eq!(state(&app, &repository, &built).await, VerdictState::Revoked);
    work(&app, &repository).await;
    assert_eq!(state(&app, &repository, &built).await, VerdictState::Verified);
}

#[tokio::test]
async fn the_instances_key_is_no_namespaces_to_revoke() {
    let app = TestApp::start().await;
    let instance = make_instance_key(&app).await;
    let repository = repository(&app).await;
    let refused = revoke(&app, &allowed(&repository), Some(&instance.fingerprint)).await.unwrap_err();
    assert_eq!(refused.status(), 404);
    assert_eq!(db::keys::instance(&app.db).await.unwrap(), Some(instance));
}

#[test]
fn only_admins_of_a_namespace_change_its_key() {
    use crate::db::Role;
    use crate::policy::{self, Bound, ManageSigningKey, NamespaceAccess, Who};
    let who = Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false };
    let mona = Principal { who, bound: Bound::None };
    for (role, may) in
        [(None, false), (Some(Role::Reader), false), (Some(Role::Manager), false), (Some(Role::Admin), true)]
    {
        let name = "acme".parse().unwrap();
        let on = NamespaceAccess { id: Uuid::now_v7(), name, has_public_repository: true, role };
        assert_eq!(policy::may::<ManageSigningKey>(&mona, &on), may, "{role:?}");
    }
}
