//! Questions are answered by an index, and read no more than they need.

use crate::db;
use crate::db::build_search::{Refs, Wanted};
use crate::names::Digest;
use crate::testing::TestApp;
use uuid::Uuid;

/// The steps of a question.
async fn steps<T>(app: &TestApp, question: impl Future<Output = crate::error::Result<T>>) -> Vec<String> {
    app.db.new_plans().await;
    question.await.unwrap();
    app.db.new_plans().await
}

fn uses(index: &str, columns: &str) -> String {
    format!("INDEX {index} ({columns})")
}

async fn check<T>(app: &TestApp, question: impl Future<Output = crate::error::Result<T>>, index: &str, columns: &str) {
    let steps = steps(app, question).await;
    let wanted = uses(index, columns);
    assert!(!steps.is_empty() && steps.iter().any(|s| s.ends_with(&wanted)), "{wanted} is not in {steps:#?}");
    assert!(steps.iter().all(|s| !s.contains("TEMP B-TREE FOR ORDER BY")), "sorted: {steps:#?}");
}

#[tokio::test]
async fn whether_something_needs_a_digest_is_one_row_of_an_index_of_its_repository() {
    let app = TestApp::start().await;
    let (id, digest) = (Uuid::now_v7(), Digest::of(b"x"));
    let index = "manifest_edge_repository_id_digest_kind_idx";
    let columns = "repository_id=? AND digest=? AND kind=?";
    for steps in [
        steps(&app, db::manifests::has_parent(&app.db, id, &digest)).await,
        steps(&app, db::manifests::that_needs(&app.db, id, &digest)).await,
    ] {
        assert_eq!(steps, [format!("SEARCH manifest_edge USING {}", uses(index, columns))]);
    }
}

#[tokio::test]
async fn what_refers_to_a_manifest_is_found_by_type_maker_and_digest_without_the_rest() {
    let app = TestApp::start().await;
    let (id, digest, kind) = (Uuid::now_v7(), Digest::of(b"x"), Some("application/vnd.none"));
    let of_subject = "repository_id=? AND subject_digest=?";
    let index = "manifest_repository_id_subject_digest_digest_idx";
    let columns = format!("{of_subject} AND digest>?");
    check(&app, db::manifests::referrers(&app.db, id, &digest, None, "", 9), index, &columns).await;
    let index = "manifest_repository_id_subject_digest_artifact_type_digest_idx";
    let columns = format!("{of_subject} AND artifact_type=? AND digest>?");
    check(&app, db::manifests::referrers(&app.db, id, &digest, kind, "", 9), index, &columns).await;
    let index = "manifest_repository_id_subject_digest_principal_kind_id_idx";
    let columns = format!("{of_subject} AND principal_kind=?");
    check(&app, db::manifests::own_referrers(&app.db, id, &digest, None, 9), index, &columns).await;
    check(&app, db::manifests::own_referrers(&app.db, id, &digest, kind, 9), index, &columns).await;
    let index = "manifest_repository_id_bundle_of_idx";
    let columns = "repository_id=? AND bundle_of=?";
    check(&app, db::manifests::has_bundle(&app.db, id, digest.as_str()), index, columns).await;
}

#[tokio::test]
async fn builds_of_a_ref_and_a_commit_are_found_by_an_index() {
    let app = TestApp::start().await;
    let id = Uuid::now_v7();
    let of_state = "build_repository_id_ref_name_state_number_idx";
    check(&app, db::builds::good_of_ref(&app.db, id, "x", 1), of_state, "repository_id=? AND ref_name=? AND state=?")
        .await;
    let of_ref = "build_repository_id_ref_name_number_idx";
    check(&app, db::builds::newest_of_ref(&app.db, id, "x"), of_ref, "repository_id=? AND ref_name=?").await;
    let of_commit = "build_repository_id_commit_hash_number_idx";
    check(&app, db::builds::of_commit(&app.db, id, "x"), of_commit, "repository_id=? AND commit_hash=?").await;
    check(&app, db::tags::moved_by_build(&app.db, id), "tag_move_build_id_idx", "build_id=?").await;
}

#[tokio::test]
async fn builds_of_a_person_are_found_in_the_persons_namespaces_only() {
    let app = TestApp::start().await;
    let wanted = uses("build_namespace_id_state_created_at_id_idx", "namespace_id=? AND state=? AND created_at>?");
    let failed = steps(&app, db::build_lists::failed_of_user(&app.db, Uuid::now_v7(), 1, 100, 10)).await;
    assert!(failed.iter().any(|s| s.ends_with(&wanted)), "{failed:#?}");
    let wanted = uses("build_namespace_id_state_created_at_id_idx", "namespace_id=? AND state=?");
    for open in [
        steps(&app, db::build_lists::open_of_user(&app.db, Uuid::now_v7(), 10)).await,
        steps(&app, db::build_lists::open_in(&app.db, Uuid::now_v7(), false, 10)).await,
    ] {
        assert!(open.iter().any(|s| s.ends_with(&wanted)), "{open:#?}");
    }
}

#[tokio::test]
async fn the_first_waiting_builds_of_each_namespace_are_found_by_an_index() {
    let app = TestApp::start().await;
    let waiting = steps(&app, db::queue::waiting(&app.db)).await;
    let of_namespace = "build_namespace_id_state_created_at_id_idx";
    for wanted in [
        uses("build_state_namespace_id_idx", "state=? AND namespace_id>?"),
        uses(of_namespace, "namespace_id=? AND state=?"),
        uses(of_namespace, "namespace_id=? AND state=? AND created_at<?"),
    ] {
        assert!(waiting.iter().any(|s| s.ends_with(&wanted)), "{wanted} is not in {waiting:#?}");
    }
    assert!(!waiting.iter().any(|s| ["SCAN b", "SCAN l"].contains(&s.as_str())), "{waiting:#?}");
    let running = steps(&app, db::queue::running(&app.db)).await;
    assert!(running.iter().any(|s| s.contains("build_state_namespace_id_idx")), "{running:#?}");
}

#[tokio::test]
async fn what_is_too_old_is_found_by_an_index() {
    let app = TestApp::start().await;
    check(&app, db::ages::old_events(&app.db, None, 1, 5), "event_at_idx", "at<?").await;
    check(&app, db::ages::old_refs(&app.db, 1, 5), "source_ref_deleted_at_idx", "deleted_at<?").await;
    let (index, columns) = ("build_attempt_ended_at_idx", "ended_at>? AND ended_at<?");
    check(&app, db::ages::old_logs(&app.db, (0, 1), 5), index, columns).await;
    let moves = steps(&app, db::ages::old_moves(&app.db, None, (0, 1), 5)).await;
    let newer = uses("tag_move_repository_id_tag_at_idx", "repository_id=? AND tag=? AND at>?");
    assert!(moves.iter().any(|s| s.ends_with(&uses("tag_move_at_idx", "at>? AND at<?"))), "{moves:#?}");
    assert!(moves.iter().any(|s| s.ends_with(&newer)), "not from the first move on: {moves:#?}");
}

#[tokio::test]
async fn people_who_wait_are_counted_and_listed_without_the_others_of_their_organization() {
    let app = TestApp::start().await;
    let index = "membership_forge_url_organization_id_state_changed_at_id_idx";
    let columns = "forge_url=? AND organization_id=? AND state=?";
    check(&app, db::memberships::count_held(&app.db, "x", "7"), index, columns).await;
    check(&app, db::memberships::held(&app.db, ("x", "7"), None, 5), index, columns).await;
    let since = format!("{columns} AND changed_at>?");
    check(&app, db::memberships::held_since(&app.db, ("x", "7"), 5), index, &since).await;
    let ended = steps(&app, db::memberships::ended_after(&app.db, ("x", "7"), 5, Uuid::nil(), 5)).await;
    assert!(ended.iter().any(|s| s.ends_with(&uses(index, &since))), "{ended:#?}");
}

#[tokio::test]
async fn the_newest_tag_is_found_by_an_index() {
    let app = TestApp::start().await;
    let steps = steps(&app, db::tags::newest(&app.db, Uuid::now_v7())).await;
    assert!(steps.iter().any(|s| s.contains("tag_repository_id_updated_at_idx")), "{steps:#?}");
}

#[tokio::test]
async fn builds_are_searched_by_state_and_ref_without_a_look_at_the_others() {
    let app = TestApp::start().await;
    let id = Uuid::now_v7();
    let (of_state, of_ref) = (Some(db::BuildState::Failed), || Refs::One("x".to_owned()));
    for (state, refs, index, columns) in [
        (of_state, Refs::All, "build_repository_id_state_number_idx", "repository_id=? AND state=?"),
        (None, of_ref(), "build_repository_id_ref_name_number_idx", "repository_id=? AND ref_name=?"),
        (
            of_state,
            of_ref(),
            "build_repository_id_ref_name_state_number_idx",
            "repository_id=? AND ref_name=? AND state=?",
        ),
    ] {
        for text in ["", "words"] {
            let wanted = Wanted { text, state, refs: refs.clone(), ..Wanted::default() };
            check(&app, db::build_search::find(&app.db, id, &wanted, 30, 30), index, columns).await;
        }
    }
    // The newest first, without sorting all of them.
    let wanted = Wanted { text: "words", ..Wanted::default() };
    let steps = steps(&app, db::build_search::find(&app.db, id, &wanted, 0, 30)).await;
    assert!(steps.iter().all(|s| s.contains("(repository_id=?)")), "{steps:#?}");
    let of_ref = db::builds::of_ref(&app.db, id, "x", 12);
    check(&app, of_ref, "build_repository_id_ref_name_number_idx", "repository_id=? AND ref_name=?").await;
}

#[tokio::test]
async fn images_of_a_list_are_told_by_one_index_of_its_tags() {
    let app = TestApp::start().await;
    let (id, index) = (Uuid::now_v7(), "tag_repository_id_digest_name_updated_at_idx");
    for by_name in [true, false] {
        let steps = steps(&app, db::tags::digests::page(&app.db, id, "", by_name, None, 0, 30)).await;
        let wanted = format!("USING COVERING {}", uses(index, "repository_id=?"));
        assert!(steps.iter().any(|s| s.ends_with(&wanted)), "{steps:#?}");
        assert!(steps.iter().all(|s| !s.contains("TEMP B-TREE FOR GROUP BY")), "{steps:#?}");
    }
    let tags = db::tags::digests::tags(&app.db, (id, "x"), "", true, 0, 10);
    check(&app, tags, index, "repository_id=? AND digest=?").await;
}
