//! What is left of events in records.

use super::*;

fn recorder(limits: LogLimits) -> Recorder {
    let hosts = Hosts { internal: "127.0.0.1:8080".to_owned(), public: "registry.example.com".to_owned() };
    Recorder::new(Secrets::new([b"s3cr3t-value".to_vec()]), hosts, limits)
}

fn lines(records: &[Record]) -> Vec<(u32, u32, &str)> {
    records
        .iter()
        .filter_map(|record| match record {
            Record::Line(line) => Some((line.step, line.line, line.text.as_str())),
            _ => None,
        })
        .collect()
}

#[test]
fn lines_are_numbered_inside_their_step_and_masked_across_chunks() {
    let mut log = recorder(LogLimits::default());
    log.started(1, "sha256:a", "[1/2] RUN a", 1);
    log.started(2, "sha256:b", "[2/2] RUN b", 1);
    log.output(1, Stream::Out, 2, b"one s3cr3t-");
    log.output(2, Stream::Out, 2, b"other\n");
    log.output(1, Stream::Out, 3, b"value\ntwo");
    log.output(1, Stream::Err, 3, b"to stderr\n");
    log.done(1, 4, false, Some("exit code: 1 s3cr3t-value"));
    let records = log.take();
    assert_eq!(lines(&records), [(2, 1, "other"), (1, 1, "one ***"), (1, 2, "to stderr"), (1, 3, "two")]);
    let Some(Record::StepDone(done)) = records.last() else { panic!("{records:?}") };
    assert_eq!(done.error.as_deref(), Some("exit code: 1 ***"));
}

#[test]
fn the_internal_registry_is_not_named() {
    let mut log = recorder(LogLimits::default());
    log.started(1, "v", "pushing manifest for 127.0.0.1:8080/acme/web", 1);
    let Record::StepStarted(step) = &log.take()[0] else { panic!("a step") };
    assert_eq!(step.name, "pushing manifest for registry.example.com/acme/web");
}

#[test]
fn a_cap_leaves_a_visible_notice_once() {
    let mut log = recorder(LogLimits { step_lines: 2, ..LogLimits::default() });
    log.started(1, "v", "[1/1] RUN yes", 1);
    log.output(1, Stream::Out, 1, b"1\n2\n3\n4\n");
    let records = log.take();
    assert_eq!(lines(&records).len(), 2);
    let notices = records.iter().filter(|r| matches!(r, Record::Notice { .. }));
    assert_eq!(notices.count(), 1);
}

#[test]
fn the_end_of_the_build_closes_open_steps() {
    let mut log = recorder(LogLimits::default());
    log.started(1, "v", "[1/1] RUN sleep", 1);
    log.output(1, Stream::Out, 1, b"no end");
    log.end(Some("cancelled"));
    let records = log.take();
    assert_eq!(lines(&records), [(1, 1, "no end")]);
    assert!(matches!(records.last(), Some(Record::StepDone(done)) if done.error.is_some()));
}

#[test]
fn progress_is_thinned_out_but_its_end_is_told() {
    let mut log = recorder(LogLimits::default());
    for current in 0..100 {
        log.progress(1, "sha256:a", (current, 100), false);
    }
    log.progress(1, "sha256:a", (100, 100), true);
    let records = log.take();
    assert!(records.len() < 10, "{}", records.len());
    assert!(matches!(records.last(), Some(Record::Progress { current: 100, .. })));
}

#[test]
fn no_record_is_larger_than_a_request_whatever_a_dockerfile_says() {
    let mut log = recorder(LogLimits::default());
    let text = "\u{1}".repeat(1 << 20);
    log.started(1, &text, &format!("[1/1] RUN {text}"), 1);
    log.progress(1, &text, (1, 2), false);
    log.output(1, Stream::Out, 1, text.as_bytes());
    log.notice(&text);
    log.done(1, 2, false, Some(&text));
    let sizes = log.take().into_iter().map(|record| serde_json::to_vec(&record).unwrap().len());
    assert!(sizes.max().unwrap() < 512 << 10, "the server takes 4 MiB, and a batch is some of these");
}

#[test]
fn a_secret_at_the_edge_of_a_long_text_is_masked() {
    let mut log = recorder(LogLimits::default());
    let name = "x".repeat(LONGEST_NAME - 5) + "s3cr3t-value";
    log.started(1, "v", &name, 1);
    let Record::StepStarted(step) = &log.take()[0] else { panic!("a step") };
    assert!(!step.name.contains("s3cr3"), "{}", step.name);
}
