//! Vertices of other builds beside our own.

use super::*;

/// `name` and times of a vertex; of shared work one of them was cached.
fn shared(digest: &str, cached: bool, started: Option<Timestamp>, completed: Option<Timestamp>) -> Vertex {
    Vertex { name: "[2/3] RUN make".to_owned(), cached, ..vertex(digest, &[], started, completed) }
}

#[test]
fn work_that_two_builds_share_is_one_step() {
    let mut steps = Steps::default();
    assert!(steps.apply(vertexes(vec![shared("own", false, None, None)])).is_empty());
    let theirs = steps.apply(vertexes(vec![shared("theirs", false, at(1), None)]));
    assert_eq!(short(&theirs), ["1 started \"[2/3] RUN make\" [] 1000"]);
    assert_eq!(short(&steps.apply(log("theirs", "hi\n", 1))), ["1 Stdout b\"hi\\n\""]);
    // Its own is there at once, and the step goes on: it was not there before.
    let own = steps.apply(vertexes(vec![shared("own", true, at(2), at(2))]));
    assert!(own.is_empty(), "{:?}", short(&own));
    let done = steps.apply(vertexes(vec![shared("theirs", false, at(1), at(5))]));
    assert_eq!(short(&done), ["1 done false None 5000"]);
    assert_eq!(steps.len(), 1);
}

#[test]
fn shared_work_that_is_told_late_opens_its_step_again() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![shared("own", false, None, None)]));
    let own = steps.apply(vertexes(vec![shared("own", true, at(1), at(1))]));
    assert_eq!(short(&own), ["1 started \"[2/3] RUN make\" [] 1000", "1 done true None 1000"]);
    let theirs = steps.apply(vertexes(vec![shared("theirs", false, at(0), at(3))]));
    assert_eq!(short(&theirs), ["1 started \"[2/3] RUN make\" [] 0", "1 done false None 3000"]);
    assert_eq!(steps.len(), 1);
}

#[test]
fn a_step_that_both_builds_had_is_cached() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![shared("own", false, None, None)]));
    steps.apply(vertexes(vec![shared("own", true, at(1), at(1))]));
    assert!(steps.apply(vertexes(vec![shared("theirs", true, at(2), at(2))])).is_empty());
}

#[test]
fn work_that_another_build_had_done_before_is_cached() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![vertex("definition", &[], at(3), at(3))]));
    let theirs = steps.apply(vertexes(vec![shared("own", false, None, None), shared("theirs", false, at(1), at(2))]));
    assert_eq!(short(&theirs), ["2 started \"[2/3] RUN make\" [] 1000", "2 done true None 2000"]);
}

#[test]
fn a_failure_of_shared_work_is_a_failure_of_each() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![shared("own", false, None, None)]));
    let failed = Vertex { error: "exit code: 1".to_owned(), ..shared("theirs", false, at(1), at(2)) };
    let theirs = short(&steps.apply(vertexes(vec![failed])));
    assert_eq!(theirs[1], "1 done false Some(\"exit code: 1\") 2000");
}

fn given_up(started: Option<Timestamp>, completed: Option<Timestamp>) -> Vertex {
    Vertex { error: "context canceled: context canceled".to_owned(), ..shared("own", false, started, completed) }
}

#[test]
fn a_vertex_that_is_given_up_for_another_builds_is_no_failure() {
    // Before the other one ends, and after.
    for order in [[true, false], [false, true]] {
        let mut steps = Steps::default();
        steps.apply(vertexes(vec![shared("own", false, None, None)]));
        let mut all = short(&steps.apply(vertexes(vec![shared("own", false, at(2), None)])));
        for own in order {
            let vertex = if own { given_up(at(2), at(4)) } else { shared("theirs", false, at(1), at(3)) };
            all.extend(short(&steps.apply(vertexes(vec![vertex]))));
        }
        all.extend(short(&steps.finish(true)));
        assert!(all.iter().all(|event| !event.contains("canceled")), "{all:#?}");
        assert_eq!(all.last().map(String::as_str), Some("1 done false None 3000"), "{order:?} {all:#?}");
    }
}

#[test]
fn a_vertex_that_is_given_up_was_not_needed_in_a_good_build_and_is_told_in_another() {
    let begin = || {
        let mut steps = Steps::default();
        steps.apply(vertexes(vec![shared("own", false, None, None)]));
        steps.apply(vertexes(vec![shared("own", false, at(2), None)]));
        assert!(steps.apply(vertexes(vec![given_up(at(2), at(4))])).is_empty());
        steps
    };
    assert_eq!(short(&begin().finish(true)), ["1 done true None 4000"]);
    let told = ["1 done false Some(\"context canceled: context canceled\") 4000"];
    assert_eq!(short(&begin().finish(false)), told);
    let mut printed = begin();
    printed.apply(log("own", "hi\n", 1));
    assert_eq!(short(&printed.finish(true)), ["1 done false None 4000"]);
}

#[test]
fn work_that_another_build_did_takes_as_long_as_it_took() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![shared("own", false, None, None)]));
    steps.apply(vertexes(vec![shared("theirs", false, at(1), at(2))]));
    // Our own vertex finds it when it comes to it.
    assert!(steps.apply(vertexes(vec![shared("own", false, at(9), None)])).is_empty());
    assert!(steps.apply(vertexes(vec![shared("own", true, at(9), at(9))])).is_empty());
    assert!(steps.finish(true).is_empty());
}

#[test]
fn what_another_build_has_and_this_one_not_is_none_of_its_steps() {
    let mut steps = announced();
    let other = placed("x", "[other 2/2] RUN x", &["y"], at(1), at(2));
    assert!(steps.apply(vertexes(vec![other])).is_empty());
    assert!(steps.apply(log("x", "hi\n", 1)).is_empty());
    assert_eq!(steps.len(), 0);
    let exporting = vertex("exporting", &[], at(3), None);
    let exporting = Vertex { name: "exporting to image".to_owned(), ..exporting };
    let names: Vec<String> = short(&steps.apply(vertexes(vec![exporting])));
    assert_eq!(names.len(), 7, "the steps come before what is made of them: {names:#?}");
    assert!(names[6].starts_with("4 started \"exporting to image\""));
}

#[test]
fn what_another_builds_end_cut_short_is_told_as_such() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![shared("own", false, None, None)]));
    steps.apply(vertexes(vec![shared("theirs", false, at(1), None)]));
    let cut = Vertex { error: "context canceled".to_owned(), ..shared("theirs", false, at(1), at(3)) };
    assert!(steps.apply(vertexes(vec![cut])).is_empty());
    assert_eq!(short(&steps.finish(false)), ["1 done false Some(\"context canceled\") 3000"]);
}
