//! Logs: what builders send twice, out of order, or while the server seals.

mod bounds;
mod errors;
mod sealing;
mod text;

use super::*;
use crate::builds::log;
use crate::db::AttemptEnd;
use crate::jobs::{self, Task};
use futures_util::TryStreamExt as _;

crate::testing::on_postgres! {
    an_old_log_goes_with_its_bytes_and_the_page_says_so,
    what_is_sent_twice_is_stored_once_and_a_gap_is_refused,
    a_sealed_log_reads_as_before,
    a_log_ends_at_its_limits_and_what_comes_is_dropped,
    what_no_builder_sends_is_refused_or_put_right,
    notices_stand_behind_their_steps_without_a_look_at_the_log,
    notices_of_the_version_before_are_read_by_a_job_and_by_no_view,
}

async fn append(scene: &Scene, id: Uuid, batch: RecordBatch) -> Result<u64> {
    let attempt = scene.attempt(id).await;
    log::append(&scene.app, &attempt, batch).await.map(|reply| reply.acknowledged)
}

async fn end(scene: &Scene, id: Uuid) {
    let tx = scene.app.db.begin().await.unwrap();
    assert!(db::attempts::end(&tx, id, AttemptEnd::Finished, 5).await.unwrap());
    tx.commit().await.unwrap();
}

async fn text(scene: &Scene, id: Uuid, ansi: bool, range: Option<&str>) -> (String, u64) {
    let raw = log::raw::open(scene.app.app.clone(), id, ansi, None, range).await.unwrap();
    let (total, length) = (raw.total, raw.length);
    let bytes: Vec<_> = raw.stream.try_collect().await.unwrap();
    let text = String::from_utf8(bytes.concat()).unwrap();
    assert_eq!(text.len() as u64, length);
    (text, total)
}

#[tokio::test]
async fn what_is_sent_twice_is_stored_once_and_a_gap_is_refused() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    assert_eq!(append(&scene, id, batch(1, vec![started(1), line(1, 1)])).await.unwrap(), 2);
    assert_eq!(append(&scene, id, batch(1, vec![started(1), line(1, 1)])).await.unwrap(), 2);
    assert_eq!(append(&scene, id, batch(2, vec![line(1, 1), line(1, 2), done(1)])).await.unwrap(), 4);
    let gap = append(&scene, id, batch(6, vec![line(1, 3)])).await.unwrap_err();
    assert_eq!(gap.status(), 409);
    assert!(gap.to_string().contains("up to 4"), "{gap}");
    assert!(append(&scene, id, batch(0, vec![line(1, 3)])).await.is_err());
    let records = log::read(&scene.app, id, 0, 100).await.unwrap();
    let expected = [started(1), line(1, 1), line(1, 2), done(1)];
    assert_eq!(records.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(records.iter().map(|(_, r)| r).eq(expected.iter()));
    assert_eq!(log::read(&scene.app, id, 2, 1).await.unwrap(), [(3, line(1, 2))]);
    let steps = log::steps(&scene.app, id).await.unwrap();
    assert_eq!((steps.len(), steps[0].lines, steps[0].completed_at), (1, 2, Some(3)));
}

#[tokio::test]
async fn a_sealed_log_reads_as_before() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let mut records = vec![started(1), started(2)];
    for n in 1..=1_500 {
        records.extend([line(1, n), line(2, n)]);
    }
    records.extend([done(1), done(2)]);
    let all = records.len() as u64;
    for (i, some) in records.chunks(200).enumerate() {
        append(&scene, id, batch(i as u64 * 200 + 1, some.to_vec())).await.unwrap();
    }
    let numbers = |lines: Vec<Line>| lines.into_iter().map(|l| l.line).collect::<Vec<_>>();
    let before = log::read(&scene.app, id, 0, usize::MAX).await.unwrap();
    let (plain, total) = text(&scene, id, false, None).await;
    let coloured = text(&scene, id, true, None).await.0;
    assert_eq!(plain.len() as u64, total);
    assert!(plain.starts_with("#1 RUN step 1\n#2 RUN step 2\n#1 line 1\n"));
    assert!(coloured.contains("\u{1b}[1mline"));
    for sealed in [false, true] {
        if sealed {
            assert!(log::seal(&scene.app, id).await.is_err(), "not before the end");
            end(&scene, id).await;
            log::seal(&scene.app, id).await.unwrap();
            log::seal(&scene.app, id).await.unwrap();
            assert!(db::logs::batch_after(&scene.app.db, id, 0).await.unwrap().is_none());
        }
        assert_eq!(before.len() as u64, all);
        assert_eq!(log::read(&scene.app, id, 0, usize::MAX).await.unwrap(), before);
        assert_eq!(log::read(&scene.app, id, 1_000, 3).await.unwrap(), before[1_000..1_003]);
        assert!(log::read(&scene.app, id, all, 3).await.unwrap().is_empty());
        let lines = log::step_lines(&scene.app, id, 2, 700, 705).await.unwrap();
        assert_eq!(numbers(lines), (700..=705).collect::<Vec<_>>());
        let lines = log::step_lines(&scene.app, id, 1, 1_499, 9_000).await.unwrap();
        assert_eq!(numbers(lines), [1_499, 1_500]);
        assert!(log::step_lines(&scene.app, id, 7, 1, 10).await.unwrap().is_empty());
        assert_eq!(text(&scene, id, false, None).await.0, plain);
        let part = text(&scene, id, false, Some("bytes=20000-20099")).await.0;
        assert_eq!(part, plain[20_000..20_100]);
        assert_eq!(text(&scene, id, true, Some("bytes=-500")).await.0, coloured[coloured.len() - 500..]);
    }
    assert!(log::raw::open(scene.app.app.clone(), id, true, None, Some("bytes=9999999-")).await.is_err());
}

#[tokio::test]
async fn a_line_is_looked_for_no_further_than_it_is() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(&scene, id, batch(1, vec![started(1)])).await.unwrap();
    for first in (1..=1_000).step_by(100) {
        let lines = (first..first + 100).map(|n| line(1, n)).collect();
        append(&scene, id, batch(u64::from(first) + 1, lines)).await.unwrap();
    }
    end(&scene, id).await;
    let most = std::cell::Cell::new(0);
    for (wanted, found, looked_at) in
        [(3, Some(3), 3), (200, Some(200), 200), (201, Some(201), 201), (1_000, Some(1_000), 1_000), (0, None, 1_000)]
    {
        most.set(0);
        let is_wanted = |text: &str| {
            most.set(most.get() + 1);
            text.ends_with(&format!(" {wanted}"))
        };
        assert_eq!(log::first_line(&scene.app, id, 1, is_wanted).await.unwrap(), found);
        assert_eq!(most.get(), looked_at);
    }
    let before = scene.app.db.statements();
    log::first_line(&scene.app, id, 1, |text| text.ends_with(" 3")).await.unwrap();
    let near = scene.app.db.statements() - before;
    log::first_line(&scene.app, id, 1, |text| text.ends_with(" 999")).await.unwrap();
    assert!(near < scene.app.db.statements() - before - near, "{near} statements");
}

#[tokio::test]
async fn a_log_ends_at_its_limits_and_what_comes_is_dropped() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(&scene, id, batch(1, vec![started(1), line(1, 1)])).await.unwrap();
    let mut full = scene.attempt(id).await;
    assert!(full.log_bytes > 100);
    full.log_bytes = (512 << 20) - 200;
    let tx = scene.app.db.begin().await.unwrap();
    db::attempts::set_log(&tx, &full).await.unwrap();
    tx.commit().await.unwrap();
    let lines = (2..=100).map(|n| line(1, n)).collect();
    let reply = log::append(&scene.app, &full, batch(3, lines)).await.unwrap();
    assert_eq!(reply.acknowledged, 101);
    assert!(
        reply.ended.as_deref().is_some_and(|why| why == "it is larger than 512 MiB; the rest is not kept"),
        "{:?}",
        reply.ended
    );
    let kept = scene.attempt(id).await.last_record.unsigned_abs();
    assert!(kept < 10, "{kept} records");
    let reply = log::append(&scene.app, &full, batch(5_000, vec![line(1, 9)])).await.unwrap();
    assert_eq!((reply.acknowledged, reply.ended.is_some()), (5_000, true));
    let attempt = scene.attempt(id).await;
    assert_eq!(attempt.last_record.unsigned_abs(), kept);
    assert!(log::last_notice(&scene.app, &attempt).await.unwrap().unwrap().contains("is not kept"));
    let failure = slipway_protocol::Outcome::Failed(slipway_protocol::Failure::default());
    let finish = slipway_protocol::Finish { outcome: failure, last_record: 5_000 };
    assert_eq!(crate::builds::finish(&scene.app, &attempt, finish).await.unwrap().state, "failed");
}

#[tokio::test]
async fn what_no_builder_sends_is_refused_or_put_right() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let many = append(&scene, id, batch(1, vec![started(1); 5_001])).await.unwrap_err();
    assert_eq!(many.status(), 413);
    // Numbers of lines are the server's: a page must not look for what never came.
    append(&scene, id, batch(1, vec![started(1), line(1, 4_000_000_000), line(1, 7), line(2, 1)])).await.unwrap();
    let records = log::read(&scene.app, id, 0, 100).await.unwrap();
    let numbers: Vec<u32> =
        records.iter().filter_map(|(_, r)| if let Record::Line(l) = r { Some(l.line) } else { None }).collect();
    assert_eq!(numbers, [1, 2, 1]);
    // As many steps as values that a database takes in one question, and more.
    let steps = (1..=2_000).map(started).collect();
    assert_eq!(append(&scene, id, batch(5, steps)).await.unwrap(), 2_004);
    assert_eq!(log::steps(&scene.app, id).await.unwrap().len(), 2_000);
    let reply = log::append(&scene.app, &scene.attempt(id).await, batch(2_005, vec![started(2_001)])).await.unwrap();
    assert!(reply.ended.is_some_and(|why| why.contains("more than 2000 steps")));
}

#[tokio::test]
async fn notices_stand_behind_their_steps_without_a_look_at_the_log() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let notice = |text: &str| Record::Notice { at: 1, text: text.to_owned() };
    append(&scene, id, batch(1, vec![notice("early"), started(1), notice("one"), started(2), notice("two")]))
        .await
        .unwrap();
    let rows = log::steps(&scene.app, id).await.unwrap();
    let found = log::all_notices(&scene.attempt(id).await, &rows);
    assert_eq!(found, [(0, "early"), (1, "one"), (2, "two")].map(|(n, t)| (n, vec![t.to_owned()])).into());
}

#[tokio::test]
async fn notices_of_the_version_before_are_read_by_a_job_and_by_no_view() {
    let scene = Scene::new().await;
    let notice = |text: &str| Record::Notice { at: 1, text: text.to_owned() };
    let mut ids = Vec::new();
    // More than one job reads.
    for n in 1..=12 {
        scene.queue(n).await;
        let id = scene.claim().await.unwrap().attempt_id;
        append(&scene, id, batch(1, vec![notice("early"), started(1), line(1, 1), notice("one")])).await.unwrap();
        let finish = slipway_protocol::Finish {
            outcome: slipway_protocol::Outcome::Failed(slipway_protocol::Failure::default()),
            last_record: 4,
        };
        crate::builds::finish(&scene.app, &scene.attempt(id).await, finish).await.unwrap();
        let tx = scene.app.db.begin().await.unwrap();
        db::attempts::forget_notices(&tx, id).await.unwrap();
        tx.commit().await.unwrap();
        ids.push(id);
    }
    let shown = async |id| {
        let rows = log::steps(&scene.app, id).await.unwrap();
        log::all_notices(&scene.attempt(id).await, &rows)
    };
    assert!(shown(ids[0]).await.is_empty());
    jobs::at_start(&scene.app).await.unwrap();
    jobs::at_start(&scene.app).await.unwrap();
    let any = Task::ReadNotices { before: None };
    let mut turns = 0;
    let mut queued = jobs::open(&scene.app, &any).await.unwrap();
    assert_eq!(queued, std::slice::from_ref(&any));
    while let Some(task) = queued.pop() {
        db::connect::execute(&scene.app.db, "DELETE FROM job").await;
        jobs::perform_now(&scene.app, &task).await.unwrap();
        queued = jobs::open(&scene.app, &any).await.unwrap();
        turns += 1;
    }
    assert_eq!(turns, 3, "ten, two and none");
    // Twice is as once.
    jobs::perform_now(&scene.app, &any).await.unwrap();
    for id in ids {
        assert_eq!(shown(id).await, [(0, "early"), (1, "one")].map(|(n, t)| (n, vec![t.to_owned()])).into());
    }
    jobs::at_start(&scene.app).await.unwrap();
    assert!(jobs::open(&scene.app, &any).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_old_log_goes_with_its_bytes_and_the_page_says_so() {
    let scene = Scene::new().await;
    let (id, key) = scene.sealed_log().await;
    let forget = async || jobs::perform_now(&scene.app, &Task::ForgetOld).await.unwrap();
    scene.app.clock.advance(364 * crate::clock::DAY);
    forget().await;
    assert!(db::logs::find_sealed(&scene.app.db, id).await.unwrap().is_some(), "a year is not over");
    scene.app.clock.advance(2 * crate::clock::DAY);
    forget().await;
    assert!(db::logs::find_sealed(&scene.app.db, id).await.unwrap().is_none());
    assert!(db::logs::steps(&scene.app.db, id).await.unwrap().is_empty());
    let why = scene.attempt(id).await.log_cut.unwrap();
    assert_eq!(why, "it was removed after 365 days");
    let told = log::shortened(&scene.attempt(id).await);
    assert_eq!(told.as_deref(), Some("This log is no longer kept: it was removed after 365 days."));
    assert_eq!(log::removed_after(1), "it was removed after 1 day");
    scene.app.clock.advance(2 * crate::clock::DAY);
    crate::registry::objects::sweep(&scene.app).await.unwrap();
    assert_eq!(scene.app.storage.length(&key).await.unwrap(), None);
    // Done twice it does nothing more.
    forget().await;
}
