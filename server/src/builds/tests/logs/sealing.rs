//! Logs whose sealing broke off, or that nobody sealed.

use super::*;

crate::testing::on_postgres! {
    a_sealed_log_whose_rows_are_half_gone_reads_as_before,
    a_log_that_no_job_seals_is_found,
    a_log_whose_bytes_are_lost_keeps_no_notices_of_others,
}

/// An attempt that ended, with so many batches of one line.
async fn ended(scene: &Scene, batches: u32) -> Uuid {
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(scene, id, batch(1, vec![started(1)])).await.unwrap();
    for n in 1..batches {
        append(scene, id, batch(u64::from(n) + 1, vec![line(1, n)])).await.unwrap();
    }
    end(scene, id).await;
    id
}

#[tokio::test]
async fn a_sealed_log_whose_rows_are_half_gone_reads_as_before() {
    let scene = Scene::new().await;
    let id = ended(&scene, 12).await;
    let before = log::read(&scene.app, id, 0, usize::MAX).await.unwrap();
    assert_eq!(before.len(), 12);
    let batches = async || db::logs::last_batches(&scene.app.db, id, 100).await.unwrap();
    let rows = batches().await;
    // As a server leaves it that is killed between two pieces: the log lies in storage, and some of it in rows.
    let last: Vec<_> = db::logs::last_batches(&scene.app.db, id, 5).await.unwrap();
    log::store_only(&scene.app, id).await;
    let tx = scene.app.db.begin().await.unwrap();
    db::logs::delete_batches(&tx, &last).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((rows.len(), batches().await.len()), (12, 7));
    assert_eq!(log::read(&scene.app, id, 0, usize::MAX).await.unwrap(), before);
    log::seal(&scene.app, id).await.unwrap();
    assert!(batches().await.is_empty(), "the next one goes on with it");
    assert_eq!(log::read(&scene.app, id, 0, usize::MAX).await.unwrap(), before);
}

#[tokio::test]
async fn a_log_that_no_job_seals_is_found() {
    let scene = Scene::new().await;
    let id = ended(&scene, 2).await;
    let seal = Task::SealLog { attempt_id: id };
    let open = async || jobs::open(&scene.app, &seal).await.unwrap();
    assert!(open().await.is_empty());
    for _ in 0..2 {
        jobs::perform_now(&scene.app, &Task::TakeUp).await.unwrap();
        assert_eq!(open().await, std::slice::from_ref(&seal));
    }
    let (tx, now) = (scene.app.db.begin().await.unwrap(), scene.app.clock.now());
    let claimed = db::jobs::claim_next(&tx, db::Lane::Logs, now).await.unwrap().unwrap();
    db::jobs::end(&tx, &claimed.job, &db::jobs::End::Failed("it broke".into()), now).await.unwrap();
    tx.commit().await.unwrap();
    jobs::perform_now(&scene.app, &Task::TakeUp).await.unwrap();
    assert!(open().await.is_empty(), "what failed is for a person to look at");
}

#[tokio::test]
async fn a_log_whose_bytes_are_lost_keeps_no_notices_of_others() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let whole = scene.claim().await.unwrap().attempt_id;
    append(&scene, whole, batch(1, vec![Record::Notice { at: 1, text: "early".into() }])).await.unwrap();
    scene.finish(whole, slipway_protocol::Outcome::TimedOut).await.unwrap();
    // The newest comes first.
    let (lost, key) = scene.sealed_log().await;
    std::fs::remove_file(scene.app.config.data_dir.join("storage").join(key.as_str())).unwrap();
    let tx = scene.app.db.begin().await.unwrap();
    for id in [whole, lost] {
        db::attempts::forget_notices(&tx, id).await.unwrap();
    }
    tx.commit().await.unwrap();
    jobs::perform_now(&scene.app, &Task::ReadNotices { before: None }).await.unwrap();
    let read = log::all_notices(&scene.attempt(whole).await, &[]);
    assert_eq!(read, [(0, vec!["early".to_owned()])].into());
}
