//! Which places of the page a message names.

use super::*;
use slipway_protocol::Stream;

fn started(step: u32) -> Record {
    Record::StepStarted(StepStarted { step, vertex: String::new(), name: format!("RUN {step}"), at: 1_000 })
}

fn line(step: u32, line: u32) -> Record {
    Record::Line(Line { step, line, stream: Stream::Out, at: 0, text: format!("text {line}") })
}

fn done(step: u32) -> Record {
    Record::StepDone(StepDone { step, at: 4_000, cached: false, error: None })
}

/// The targets of a message, after a check that none of them is made by the message itself.
fn targets(log: &mut LiveLog, records: Vec<Record>) -> Vec<String> {
    let batch: Vec<_> = (1..).zip(records).collect();
    let html = log.render(&batch).unwrap();
    let values = |before: &str| -> Vec<String> {
        html.split(before).skip(1).filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
    };
    let (targets, made) = (values("hx-target=\"#"), values(" id=\""));
    let whole = html.contains("outerHTML");
    assert!(whole || targets.iter().all(|target| !made.contains(target)), "{html}");
    targets
}

#[test]
fn a_step_that_begins_in_a_message_comes_with_its_lines() {
    let mut log = LiveLog::default();
    assert_eq!(targets(&mut log, vec![started(1), line(1, 1), line(1, 2), done(1)]), ["steps"]);
    assert_eq!(targets(&mut log, vec![line(1, 3)]), ["s1-c0"]);
}

#[test]
fn lines_that_come_mixed_are_sorted_by_chunk() {
    let mut log = LiveLog::default();
    targets(&mut log, vec![started(1), started(2)]);
    let mixed = vec![line(1, 1), line(2, 1), line(1, 2), line(2, 2)];
    assert_eq!(targets(&mut log, mixed), ["s1-lines", "s2-lines"]);
    let over_the_edge = (3..=201).map(|n| line(1, n)).collect();
    assert_eq!(targets(&mut log, over_the_edge), ["s1-c0", "s1-lines"]);
    assert_eq!(targets(&mut log, vec![line(1, 202), done(1)]), ["s1-c1", "s1-head", "s1-progress"]);
}

#[test]
fn the_error_of_a_step_comes_to_the_open_page_as_it_stands_on_a_new_one() {
    let mut log = LiveLog::default();
    targets(&mut log, vec![started(1), line(1, 1)]);
    let error = Some("exit code: <b>7".to_owned());
    let html = log.render(&[(9, Record::StepDone(StepDone { step: 1, at: 4_000, cached: false, error }))]).unwrap();
    let text = html.split_once("hx-target=\"#s1-error\"").and_then(|(_, rest)| rest.split_once("</hx-partial>"));
    let text = text.expect("the error has its part").0;
    assert!(text.contains("exit code: &#60;b&#62;7"), "{html}");
    let reloaded = AppendStep { step: &log.steps[&1].step }.render().unwrap();
    let place = reloaded.split_once("<div id=\"s1-error\">").expect("the page has a place for it").1;
    assert!(text.ends_with(place.split_once("</div>").unwrap().0), "{reloaded}");
}

#[test]
fn a_step_that_was_stopped_did_not_fail() {
    let mut log = LiveLog::default();
    targets(&mut log, vec![started(1), line(1, 1)]);
    let error = Some("process canceled: context canceled".to_owned());
    log.render(&[(9, Record::StepDone(StepDone { step: 1, at: 4_000, cached: false, error }))]).unwrap();
    assert_eq!(log.steps[&1].step.state, State::Cancelled);
}

#[test]
fn only_steps_of_the_dockerfile_are_counted() {
    let mut log = LiveLog::default();
    let names = ["[internal] load .dockerignore", "[1/2] FROM scratch", "[build 2/2] RUN x", "exporting to image"];
    for (step, name) in (1..).zip(names) {
        let start = StepStarted { step, vertex: String::new(), name: name.to_owned(), at: 1_000 };
        let end = StepDone { step, at: 2_000, cached: step != 3, error: None };
        log.render(&[(1, Record::StepStarted(start)), (2, Record::StepDone(end))]).unwrap();
    }
    assert_eq!((log.facts().cached, log.facts().steps), (1, 2));
}

#[test]
fn a_step_that_ended_without_a_word_may_begin_again() {
    let mut log = LiveLog::default();
    targets(&mut log, vec![started(1)]);
    assert_eq!(targets(&mut log, vec![done(1)]), ["s1"]);
    assert_eq!(targets(&mut log, vec![started(1), line(1, 1)]), ["s1"]);
    assert_eq!(targets(&mut log, vec![line(1, 2)]), ["s1-c0"]);
}

fn row(step: i64, lines: i64) -> rows::Step {
    rows::Step {
        id: uuid::Uuid::nil(),
        attempt_id: uuid::Uuid::nil(),
        step,
        vertex: String::new(),
        name: format!("RUN {step}"),
        is_cached: false,
        started_at: Some(1_000),
        completed_at: None,
        error: None,
        lines,
        progress: None,
        notices: None,
        errors: None,
    }
}

#[test]
fn a_step_that_began_while_the_page_was_away_is_new_to_it() {
    let mut log = LiveLog::default();
    log.know(&[row(1, 2), row(2, 1)], 1);
    let meanwhile = vec![line(1, 2), started(2), line(2, 1)];
    assert_eq!(targets(&mut log, meanwhile), ["s1-c0", "steps"]);
    assert_eq!(log.last_step(), 2);
}

#[test]
fn a_step_that_got_its_first_line_while_the_page_was_away_is_drawn_anew() {
    let mut log = LiveLog::default();
    log.know(&[row(1, 2)], 1);
    assert_eq!(targets(&mut log, vec![started(1), line(1, 1)]), ["s1"]);
    assert_eq!(targets(&mut log, vec![line(1, 2)]), ["s1-c0"]);
}

#[test]
fn a_message_is_full_with_64_kilobytes() {
    let long = |kilobytes: usize| {
        let text = "x".repeat(kilobytes << 10);
        Record::Line(Line { step: 1, line: 1, stream: Stream::Out, at: 0, text })
    };
    for (records, expected) in [
        (vec![long(0); 200], 200),
        (vec![long(30), long(30), long(30)], 2),
        (vec![long(64), long(0)], 1),
        (vec![long(30), long(64), long(0)], 1),
    ] {
        assert_eq!(fitting(records.iter()), expected);
    }
}

#[test]
fn a_message_has_its_bound_whatever_the_lines_hold() {
    for piece in ["\u{1b}[1mx\u{1b}[0my", "\u{202e}", "http://a ", "\"", "\n"] {
        let text = piece.repeat((64 << 10) / piece.len());
        let records: Vec<Record> = (1..=200)
            .map(|line| Record::Line(Line { step: 1, line, stream: Stream::Out, at: 0, text: text.clone() }))
            .collect();
        let few = fitting(records.iter());
        let mut log = LiveLog::default();
        let batch: Vec<_> = (1..).zip(std::iter::once(started(1)).chain(records.into_iter().take(few))).collect();
        let html = log.render(&batch).unwrap();
        assert!(html.len() < 2 << 20, "{} bytes for {few} lines of {piece:?}", html.len());
    }
    let short: Vec<Record> = (1..=20_000).map(|n| line(1, n)).collect();
    assert!(fitting(short.iter()) * 300 < 2 << 20);
}
