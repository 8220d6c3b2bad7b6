//! Status messages as BuildKit sends them, and what becomes of them.

mod shared;

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "the messages want it so")]
fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 0 })
}

fn vertex(digest: &str, inputs: &[&str], started: Option<Timestamp>, completed: Option<Timestamp>) -> Vertex {
    Vertex {
        digest: digest.to_owned(),
        name: format!("step {digest}"),
        inputs: inputs.iter().map(|input| (*input).to_owned()).collect(),
        started,
        completed,
        ..Vertex::default()
    }
}

fn vertexes(vertexes: Vec<Vertex>) -> StatusResponse {
    StatusResponse { vertexes, ..StatusResponse::default() }
}

fn log(digest: &str, msg: &str, stream: i64) -> StatusResponse {
    let log = VertexLog { vertex: digest.to_owned(), timestamp: at(3), stream, msg: msg.as_bytes().to_vec() };
    StatusResponse { logs: vec![log], ..StatusResponse::default() }
}

fn short(events: &[Event]) -> Vec<String> {
    let line = |event: &Event| match event {
        Event::StepStarted { index, name, inputs, at, .. } => format!("{index} started {name:?} {inputs:?} {at}"),
        Event::StepLog { index, stream, bytes, .. } => format!("{index} {stream:?} {bytes:?}"),
        Event::Progress { index, id, current, total, done, .. } => format!("{index} {id} {current}/{total} {done}"),
        Event::StepDone { index, cached, error, at } => format!("{index} done {cached} {error:?} {at}"),
        Event::Warning { index, short, file, lines, .. } => format!("{index} warning {short} {file} {lines:?}"),
    };
    events.iter().map(line).collect()
}

#[test]
fn steps_are_numbered_as_they_appear() {
    let mut steps = Steps::default();
    // Announced but not begun: no number yet.
    assert_eq!(short(&steps.apply(vertexes(vec![vertex("z", &[], None, None)]))), Vec::<String>::new());
    let begun = vertexes(vec![vertex("b", &["a"], at(2), None), vertex("a", &[], at(1), at(2))]);
    let expected = ["1 started \"step a\" [] 1000", "2 started \"step b\" [1] 2000", "1 done false None 2000"];
    assert_eq!(short(&steps.apply(begun)), expected);
    assert_eq!(short(&steps.apply(log("b", "hi\n", 2))), ["2 Stderr b\"hi\\n\""]);
    let late = vertexes(vec![vertex("z", &["b", "nobody"], at(5), None)]);
    assert_eq!(short(&steps.apply(late)), ["3 started \"step z\" [2] 5000"]);
    assert_eq!(steps.len(), 3);
}

#[test]
fn a_step_that_starts_again_is_opened_again() {
    let mut steps = Steps::default();
    steps.apply(vertexes(vec![vertex("a", &[], at(1), at(2))]));
    // The daemon repeats itself: nothing new.
    assert!(steps.apply(vertexes(vec![vertex("a", &[], at(1), at(2))])).is_empty());
    let again = steps.apply(vertexes(vec![vertex("a", &[], at(3), None)]));
    assert_eq!(short(&again), ["1 started \"step a\" [] 3000"]);
    let done = steps.apply(vertexes(vec![vertex("a", &[], at(3), at(4))]));
    assert_eq!(short(&done), ["1 done false None 4000"]);
    assert_eq!(steps.len(), 1);
}

#[test]
fn nothing_is_said_of_a_step_before_it_started() {
    let mut steps = Steps::default();
    let early = steps.apply(log("a", "x", 1));
    assert_eq!(short(&early), ["1 started \"\" [] 3000", "1 Stdout b\"x\""]);
    let named = steps.apply(vertexes(vec![vertex("a", &[], at(3), None)]));
    assert_eq!(short(&named), ["1 started \"step a\" [] 3000"]);

    let failed = Vertex { error: "no".to_owned(), ..vertex("b", &[], None, at(9)) };
    let events = steps.apply(vertexes(vec![failed]));
    assert_eq!(short(&events), ["2 started \"step b\" [] 9000", "2 done false Some(\"no\") 9000"]);
}

#[test]
fn the_end_of_a_step_comes_after_its_output() {
    let mut steps = Steps::default();
    let mut message = log("a", "last line\n", 1);
    message.vertexes = vec![vertex("a", &[], at(1), at(2))];
    let events = short(&steps.apply(message));
    assert_eq!(events, ["1 started \"step a\" [] 1000", "1 Stdout b\"last line\\n\"", "1 done false None 2000"]);
}

#[test]
fn a_step_that_starts_again_in_the_same_message_ends_first() {
    let again = vertexes(vec![vertex("a", &[], at(1), at(2)), vertex("a", &[], at(3), None)]);
    let events = short(&Steps::default().apply(again));
    assert_eq!(events, ["1 started \"step a\" [] 1000", "1 done false None 2000", "1 started \"step a\" [] 3000"]);
}

/// A step with its place, of a build that begins.
fn placed(
    digest: &str,
    name: &str,
    inputs: &[&str],
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
) -> Vertex {
    Vertex { name: name.to_owned(), ..vertex(digest, inputs, started, completed) }
}

/// Three steps and what they are made of, announced only.
fn announced() -> Steps {
    let mut steps = Steps::default();
    let vertexes = vertexes(vec![
        placed("c", "[3/3] RUN c", &["b"], None, None),
        placed("b", "[2/3] COPY b /b", &["a", "context"], None, None),
        placed("a", "[1/3] FROM a", &[], None, None),
        placed("context", "[internal] load build context", &[], None, None),
    ]);
    assert!(steps.apply(vertexes).is_empty());
    steps
}

#[test]
fn what_a_step_is_made_of_was_there_when_nothing_is_said_of_it() {
    let mut steps = announced();
    // Another build looked for `a` and `b` at the same time.
    let theirs = placed("theirs", "[3/3] RUN c", &["of theirs"], at(5), None);
    // It may be there only to say that it cannot begin.
    assert!(steps.apply(vertexes(vec![theirs])).is_empty() && steps.is_unsettled());
    let begun = short(&steps.settle());
    let expected = [
        "1 started \"[1/3] FROM a\" [] 5000",
        "1 done true None 5000",
        "2 started \"[2/3] COPY b /b\" [1] 5000",
        "2 done true None 5000",
        "3 started \"[3/3] RUN c\" [2] 5000",
    ];
    assert_eq!(begun, expected);
    assert!(!steps.is_unsettled() && steps.finish(true).is_empty());
}

#[test]
fn steps_that_a_good_build_says_nothing_of_were_there() {
    let mut steps = announced();
    steps.apply(vertexes(vec![placed("a", "[1/3] FROM a", &[], at(1), at(2))]));
    let expected = [
        "2 started \"[2/3] COPY b /b\" [1] 2000",
        "2 done true None 2000",
        "3 started \"[3/3] RUN c\" [2] 2000",
        "3 done true None 2000",
    ];
    assert_eq!(short(&steps.finish(true)), expected);
    assert_eq!(steps.len(), 3);
}

#[test]
fn what_is_before_a_step_that_cannot_begin_is_not_said_to_be_there() {
    let mut steps = announced();
    let failed =
        Vertex { error: "\"/b\": not found".to_owned(), ..placed("b", "[2/3] COPY b /b", &["a"], at(3), at(3)) };
    let expected = ["1 started \"[2/3] COPY b /b\" [] 3000", "1 done false Some(\"\\\"/b\\\": not found\") 3000"];
    assert_eq!(short(&steps.apply(vertexes(vec![failed]))), expected);
    assert!(steps.finish(false).is_empty());
    // The words may come after the start.
    let mut steps = announced();
    assert!(steps.apply(vertexes(vec![placed("b", "[2/3] COPY b /b", &["a"], at(3), None)])).is_empty());
    let failed = Vertex { error: "no".to_owned(), ..placed("b", "[2/3] COPY b /b", &["a"], at(3), at(3)) };
    assert_eq!(steps.apply(vertexes(vec![failed])).len(), 2);
    assert_eq!(steps.len(), 1);
}

#[test]
fn what_a_step_prints_proves_that_it_runs() {
    let mut steps = announced();
    assert!(steps.apply(vertexes(vec![placed("c", "[3/3] RUN c", &["b"], at(3), None)])).is_empty());
    let said = short(&steps.apply(log("c", "hi\n", 1)));
    assert_eq!(said.last().map(String::as_str), Some("3 Stdout b\"hi\\n\""));
    assert_eq!(said[4], "3 started \"[3/3] RUN c\" [2] 3000");
    let failed = Vertex { error: "exit code: 1".to_owned(), ..placed("c", "[3/3] RUN c", &["b"], at(3), at(4)) };
    assert_eq!(short(&steps.apply(vertexes(vec![failed]))), ["3 done false Some(\"exit code: 1\") 4000"]);
}
