//! What a large batch, a long line and one look may cost.

use super::*;

#[tokio::test]
async fn other_writers_come_in_while_a_large_batch_is_stored() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let wide = |n: u32| Record::Line(Line { step: 1, line: n, stream: Stream::Out, at: 2, text: "x".repeat(60_000) });
    let records = std::iter::once(started(1)).chain((1..=60).map(wide)).collect();
    let stored = append(&scene, id, batch(1, records));
    tokio::pin!(stored);
    let mut written = 0;
    let known = loop {
        let write = async {
            let tx = scene.app.db.begin().await.unwrap();
            db::repositories::touch(&tx, build.repository_id, 1).await.unwrap();
            tx.commit().await.unwrap();
        };
        tokio::select! {
            known = &mut stored => break known.unwrap(),
            () = write => written += 1,
        }
    };
    assert_eq!(known, 61);
    assert!(written >= 4, "{written} others wrote meanwhile");
}

fn long(step: u32, number: u32, bytes: usize) -> Record {
    let Record::Line(line) = line(step, number) else { unreachable!("it is a line") };
    Record::Line(Line { text: "x".repeat(bytes), ..line })
}

#[tokio::test]
async fn a_line_that_no_builder_sends_is_cut() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(&scene, id, batch(1, vec![started(1), long(1, 1, 1 << 20)])).await.unwrap();
    let lines = log::Reader::open(&scene.app, id).await.unwrap().lines(&scene.app, 1, 1, 1, u64::MAX).await.unwrap();
    assert_eq!(lines[0].text.len(), 64 << 10);
}

#[tokio::test]
async fn all_that_comes_behind_the_end_of_a_log_is_acknowledged() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let full = rows::Attempt { log_bytes: 512 << 20, ..scene.attempt(id).await };
    let tx = scene.app.db.begin().await.unwrap();
    db::attempts::set_log(&tx, &full).await.unwrap();
    tx.commit().await.unwrap();
    // Three parts, and the first one ends it.
    assert_eq!(append(&scene, id, batch(1, (1..=25).map(|n| long(1, n, 60_000)).collect())).await.unwrap(), 25);
}

#[tokio::test]
async fn one_look_at_a_step_has_an_end_in_bytes_and_in_records() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(&scene, id, batch(1, (1..=60).map(|n| long(1, n, 64 << 10)).collect())).await.unwrap();
    let found = async |step, to| {
        let mut reader = log::Reader::open(&scene.app, id).await.unwrap();
        reader.lines(&scene.app, step, 1, to, u64::MAX).await.unwrap().len()
    };
    // Two mebibytes are 32 of these lines; the one that passes them is the last.
    assert_eq!(found(1, 60).await, 33);
    // The second line of a step, 55,000 records behind its first.
    append(&scene, id, batch(61, vec![line(2, 1)])).await.unwrap();
    for n in 0..11 {
        append(&scene, id, batch(62 + n * 5_000, vec![line(3, 1); 5_000])).await.unwrap();
    }
    append(&scene, id, batch(62 + 55_000, vec![line(2, 2)])).await.unwrap();
    assert_eq!(found(2, 2).await, 1);
}
