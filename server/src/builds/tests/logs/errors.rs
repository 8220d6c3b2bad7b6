//! Lines that tell of errors: noted as they come, and looked for in logs of before.

use super::*;

crate::testing::on_postgres! {
    the_line_that_says_why_is_known_however_long_the_log_is,
    in_a_log_of_before_it_is_looked_for_at_both_ends,
}

/// A step of so many lines, some of which tell of errors.
async fn printed(scene: &Scene, lines: u32, errors: &[u32]) -> Uuid {
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(scene, id, batch(1, vec![started(1)])).await.unwrap();
    let line = |line: u32| {
        let text = if errors.contains(&line) { "\u{1b}[31merror\u{1b}[0m: no" } else { "fine" };
        Record::Line(Line { step: 1, line, stream: Stream::Out, at: 2, text: text.to_owned() })
    };
    for first in (1..=lines).step_by(5_000) {
        let some = (first..=lines.min(first + 4_999)).map(line).collect();
        append(scene, id, batch(u64::from(first) + 1, some)).await.unwrap();
    }
    id
}

async fn main_error(scene: &Scene, id: Uuid) -> Option<(u32, bool)> {
    log::main_error(&scene.app, id, 1).await.unwrap()
}

#[tokio::test]
async fn the_line_that_says_why_is_known_however_long_the_log_is() {
    let scene = Scene::new().await;
    let id = printed(&scene, 20_000, &[9_000, 19_990, 19_991]).await;
    let before = scene.app.db.statements();
    assert_eq!(main_error(&scene, id).await, Some((19_990, false)));
    assert!(scene.app.db.statements() - before <= 2, "it reads no log");
    let row = log::step(&scene.app, id, 1).await.unwrap().unwrap();
    assert_eq!(log::errors(&row), [9_000, 19_990, 19_991]);
    assert_eq!(log::main_error(&scene.app, id, 7).await.unwrap(), None);
}

#[tokio::test]
async fn in_a_log_of_before_it_is_looked_for_at_both_ends() {
    for (errors, found) in
        [(vec![3, 11_990], Some((3, true))), (vec![11_990], Some((11_990, true))), (vec![7_000], None)]
    {
        let scene = Scene::new().await;
        let id = printed(&scene, 12_000, &errors).await;
        let row = log::step(&scene.app, id, 1).await.unwrap().unwrap();
        let tx = scene.app.db.begin().await.unwrap();
        db::logs::update_step(&tx, rows::Step { errors: None, ..row }).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(main_error(&scene, id).await, found, "{errors:?}");
    }
}
