//! The raw text: what a step is in it.

use super::*;

crate::testing::on_postgres! {
    each_step_has_one_head_and_one_end_with_its_time,
}

fn start(step: u32, name: &str, at: i64) -> Record {
    Record::StepStarted(StepStarted { step, vertex: format!("v{step}"), name: name.to_owned(), at })
}

fn end_of(step: u32, at: i64, cached: bool, error: Option<&str>) -> Record {
    Record::StepDone(StepDone { step, at, cached, error: error.map(str::to_owned) })
}

#[tokio::test]
async fn each_step_has_one_head_and_one_end_with_its_time() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    let records = vec![
        start(1, "[source] x", 1_000),
        end_of(1, 3_460, false, None),
        // It prints before its name is known, and begins in the same moment again.
        start(2, "", 3_000),
        line(2, 1),
        start(2, "RUN a", 4_000),
        start(2, "RUN a", 4_000),
        end_of(2, 5_000, false, None),
        // Exporting, then pushing.
        start(3, "exporting to image", 5_000),
        end_of(3, 5_200, false, None),
        start(3, "exporting to image", 5_300),
        line(3, 1),
        end_of(3, 68_000, false, None),
        start(4, "RUN b", 6_000),
        end_of(4, 6_000, true, None),
        end_of(4, 6_000, true, None),
        start(5, "RUN c", 6_000),
        end_of(5, 6_100, false, None),
        end_of(5, 6_500, false, Some("no")),
    ];
    append(&scene, id, batch(1, records)).await.unwrap();
    let expected = "#1 [source] x\n#1 DONE 2.4s\n#2 line 1\n#2 RUN a\n#2 DONE 1.0s\n#3 exporting to image\n#3 line 1\n\
                    #3 DONE 63.0s\n#4 RUN b\n#4 CACHED\n#5 RUN c\n#5 ERROR: no\n";
    for sealed in [false, true] {
        if sealed {
            end(&scene, id).await;
            log::seal(&scene.app, id).await.unwrap();
        }
        assert_eq!(
            text(&scene, id, false, None).await,
            (expected.to_owned(), expected.len() as u64),
            "sealed: {sealed}"
        );
        for from in 0..expected.len() {
            let (part, _) = text(&scene, id, false, Some(&format!("bytes={from}-"))).await;
            assert_eq!(part, expected[from..], "sealed: {sealed}");
        }
    }
}

#[tokio::test]
async fn a_step_that_goes_on_after_a_download_began_is_as_it_was_then() {
    let scene = Scene::new().await;
    scene.queue(1).await;
    let id = scene.claim().await.unwrap().attempt_id;
    append(&scene, id, batch(1, vec![start(1, "RUN a", 0), end_of(1, 500, false, None)])).await.unwrap();
    let raw = log::raw::open(scene.app.app.clone(), id, false, None, None).await.unwrap();
    append(&scene, id, batch(3, vec![start(1, "RUN a", 900), end_of(1, 1_000, false, None)])).await.unwrap();
    let (length, bytes): (u64, Vec<_>) = (raw.length, raw.stream.try_collect().await.unwrap());
    let text = String::from_utf8(bytes.concat()).unwrap();
    assert_eq!((text.as_str(), length), ("#1 RUN a\n#1 DONE 0.5s\n", 22));
}
