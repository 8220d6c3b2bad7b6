//! Ends of builds: signed and tagged together, or not at all.

use super::*;
use crate::builds::view;
use crate::db::BuildState::{Cancelled, Failed, Running, Succeeded};
use crate::names::Digest;
use crate::registry::{blobs, manifests};
use crate::trust::{self, Place, VerdictState};
use bytes::Bytes;
use slipway_protocol::{Failure, Material, Outcome, Reason};

crate::testing::on_postgres! {
    a_good_build_is_signed_and_tagged_in_one_go,
    what_another_attempt_pushed_is_not_taken,
    without_a_signature_no_tag_moves,
    a_database_that_fails_while_signing_costs_no_build,
    what_a_builder_says_an_image_was_made_of_is_bounded,
    a_cancelled_build_moves_no_tag_even_if_it_was_done,
    a_failure_is_kept_for_the_page,
}

/// Stores an image as if the attempt had pushed it.
pub(super) async fn push(scene: &Scene, assignment: &Assignment, text: &str) -> Digest {
    let principal = crate::auth::tokens::principal_of_attempt(&scene.app, assignment.attempt_id).await.unwrap();
    store(scene, &principal, text, None).await
}

async fn store(scene: &Scene, principal: &Principal, text: &str, tag: Option<&str>) -> Digest {
    let tag = tag.map(|tag| tag.parse().unwrap());
    let config = Bytes::from(format!("{{\"text\":\"{text}\"}}"));
    let blob = blobs::store_own(&scene.app, config).await.unwrap();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": blob.digest.as_str(), "size": blob.size_bytes},
        "layers": [],
    });
    let manifest = Bytes::from(manifest.to_string());
    let repository = &scene.wired().repository;
    let tx = scene.app.db.begin().await.unwrap();
    let digest =
        manifests::insert_own(&scene.app, &tx, principal, repository, &[blob], &manifest, tag.as_ref()).await.unwrap();
    tx.commit().await.unwrap();
    digest
}

fn place(scene: &Scene) -> Place {
    Place::new(&scene.wired().repository, "acme/web")
}

pub(super) fn success(digest: &Digest) -> Outcome {
    let material = material("pkg:docker/alpine@3", "sha256", &"ab".repeat(32));
    Outcome::Succeeded { digest: digest.to_string(), materials: vec![material.clone(), material] }
}

fn material(uri: &str, algorithm: &str, hex: &str) -> Material {
    Material { uri: uri.into(), digest: [(algorithm.to_owned(), hex.to_owned())].into() }
}

#[tokio::test]
async fn a_good_build_is_signed_and_tagged_in_one_go() {
    let scene = Scene::new().await;
    let repository = scene.wired().repository.id;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    assert_eq!(trust::verify(&scene.app, &place(&scene), &digest).await.unwrap().state, VerdictState::NotSigned);
    for _ in 0..2 {
        assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "succeeded");
    }
    let build = scene.build(build.id).await;
    assert_eq!((build.state, build.digest.as_deref()), (Succeeded, Some(digest.as_str())));
    let tag = db::tags::find(&scene.app.db, repository, "main").await.unwrap().unwrap();
    assert_eq!((tag.digest.as_str(), tag.build_id), (digest.as_str(), Some(build.id)));
    let verdict = trust::verify(&scene.app, &place(&scene), &digest).await.unwrap();
    assert_eq!(verdict.state, VerdictState::Verified);
    assert!(verdict.key.unwrap().fingerprint.starts_with("SHA256:"));
    assert_eq!(db::builds::materials(&scene.app.db, build.id).await.unwrap().len(), 1);
    assert!(view::usual_duration(&scene.app, repository, "refs/heads/main").await.unwrap().is_some());
}

#[tokio::test]
async fn a_build_is_signed_however_its_signatures_change_meanwhile() {
    let scene = Scene::new().await;
    let repository = scene.wired().repository.id;
    scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    let signatures = format!("sha256-{}.sig", digest.hex());
    let others = async {
        // Fewer than the turns that the server takes.
        for n in 0..4 {
            store(&scene, &Principal::SYSTEM, &format!("foreign {n}"), Some(&signatures)).await;
        }
    };
    let (state, ()) = tokio::join!(scene.finish(assignment.attempt_id, success(&digest)), others);
    assert_eq!(state.unwrap(), "succeeded");
    let moves = db::tags::moves(&scene.app.db, repository, &signatures, 100).await.unwrap();
    assert_eq!(moves.len(), 5, "theirs and ours");
}

#[tokio::test]
async fn a_build_of_a_ref_that_was_deleted_meanwhile_moves_no_tag_unless_asked_for_again() {
    let scene = Scene::new().await;
    let repository = scene.wired().repository.id;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    let known = db::sources::refs::live(&scene.app.db, scene.wired().source.id).await.unwrap();
    let tx = scene.app.db.begin().await.unwrap();
    db::sources::refs::mark_deleted(&tx, known[0].id, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "succeeded");
    let detail = scene.build(build.id).await.detail.unwrap();
    assert!(detail.contains("tag `main` was not moved: the branch `main` was deleted meanwhile"), "{detail}");
    assert!(db::tags::find(&scene.app.db, repository, "main").await.unwrap().is_none());
    assert_eq!(trust::verify(&scene.app, &place(&scene), &digest).await.unwrap().state, VerdictState::Verified);

    crate::builds::rerun(&scene.app, &scene.manager(), build.number, crate::builds::Rerun::Same).await.unwrap();
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "succeeded");
    assert!(db::tags::find(&scene.app.db, repository, "main").await.unwrap().is_some());
}

#[tokio::test]
async fn what_a_builder_says_an_image_was_made_of_is_bounded() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    let (sha1, sha256) = ("cd".repeat(20), "ab".repeat(32));
    // Nothing that could be stored shorter: PostgreSQL's index takes a third of a page.
    let long: String = (0..60u8).map(|n| Digest::of(&[n]).hex().to_owned()).collect();
    let materials = vec![
        material("git+https://forge/acme/web", "sha1", &sha1),
        material(&format!("pkg:docker/{long}"), "sha256", &sha256),
        material("pkg:docker/cut@1", "sha256", "ab"),
        material("pkg:docker/odd@1", "sha256", &"XY".repeat(32)),
        material("pkg:docker/other@1", "crc32", &sha256),
        material("pkg:docker/good@1", "sha256", &sha256),
    ];
    let outcome = Outcome::Succeeded { digest: digest.to_string(), materials };
    assert_eq!(scene.finish(assignment.attempt_id, outcome).await.unwrap(), "succeeded");
    let kept = db::builds::materials(&scene.app.db, build.id).await.unwrap();
    let kept: Vec<_> = kept.into_iter().map(|m| (m.uri, m.digest)).collect();
    let git = ("git+https://forge/acme/web".to_owned(), format!("sha1:{sha1}"));
    assert_eq!(kept, [git, ("pkg:docker/good@1".to_owned(), format!("sha256:{sha256}"))]);
}

#[tokio::test]
async fn what_another_attempt_pushed_is_not_taken() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let other = scene.claim().await.unwrap();
    let pushed = push(&scene, &other, "one").await;
    scene.finish(other.attempt_id, Outcome::TimedOut).await.unwrap();
    for digest in [pushed, Digest::of(b"what nobody pushed")] {
        let build = scene.queue(2).await;
        let assignment = scene.claim().await.unwrap();
        assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "failed");
        let build = scene.build(build.id).await;
        assert_eq!((build.state, build.reason.as_deref()), (Failed, Some("push_incomplete")));
        assert!(db::tags::find(&scene.app.db, build.repository_id, "main").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn without_a_signature_no_tag_moves() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    trust::make_key(&scene.app, scene.wired().namespace.id).await;
    let tx = scene.app.db.begin().await.unwrap();
    db::keys::spoil_all(&tx).await;
    tx.commit().await.unwrap();
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "failed");
    let build = scene.build(build.id).await;
    assert_eq!(build.reason.as_deref(), Some("signing_failed"));
    assert!(build.detail.unwrap().contains("no tag moved"));
    assert!(db::tags::find(&scene.app.db, build.repository_id, "main").await.unwrap().is_none());
}

#[tokio::test]
async fn a_database_that_fails_while_signing_costs_no_build() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    let hide = async |is_hidden| {
        let tx = scene.app.db.begin().await.unwrap();
        db::keys::hide(&tx, is_hidden).await.unwrap();
        tx.commit().await.unwrap();
    };
    hide(true).await;
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap_err().status(), 500);
    assert_eq!(scene.build(build.id).await.state, Running);
    hide(false).await;
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "succeeded");
}

#[tokio::test]
async fn a_cancelled_build_moves_no_tag_even_if_it_was_done() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let assignment = scene.claim().await.unwrap();
    let digest = push(&scene, &assignment, "one").await;
    crate::builds::cancel(&scene.app, &scene.manager(), build.number).await.unwrap();
    assert_eq!(scene.finish(assignment.attempt_id, success(&digest)).await.unwrap(), "cancelled");
    assert_eq!(scene.build(build.id).await.state, Cancelled);
    assert!(db::tags::find(&scene.app.db, build.repository_id, "main").await.unwrap().is_none());
}

#[tokio::test]
async fn a_failure_is_kept_for_the_page() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let attempt = scene.claim().await.unwrap().attempt_id;
    let failure = Failure {
        reason: Reason::ExitCode,
        message: "`npm ci` ended with code 1".into(),
        exit_code: Some(1),
        vertex: Some("v3".into()),
        location: None,
        image: None,
    };
    let early = slipway_protocol::Finish { outcome: Outcome::Failed(failure.clone()), last_record: 5 };
    let refused = crate::builds::finish(&scene.app, &scene.attempt(attempt).await, early).await.unwrap_err();
    assert_eq!(refused.status(), 409, "the log is not all here");
    assert_eq!(scene.finish(attempt, Outcome::Failed(failure.clone())).await.unwrap(), "failed");
    let build = scene.build(build.id).await;
    assert_eq!(build.reason.as_deref(), Some("exit_code"));
    assert_eq!(build.detail.as_deref(), Some("`npm ci` ended with code 1"));
    assert_eq!(serde_json::from_str::<Failure>(&build.failure.unwrap()).unwrap(), failure);
}
