//! The messages of one build's stream, in order, for the browser check: it serves them and cuts the connection.

use super::super::build::{BuildResult, Newer};
use super::super::facts::State;
use super::super::layout::Counts;
use super::super::live::{
    self, AppendChunk, AppendLines, AppendStep, SwapCounts, SwapMoving, SwapNewer, SwapProgress, SwapState,
    SwapStepHead,
};
use super::super::log::{Chunk, Progress};
use super::build::{lines, ready, step, view};
use askama::Template;
use std::path::Path;

/// Writes `stream.sse`: every message as it would be sent, in one file.
pub(super) fn write(folder: &Path) {
    std::fs::write(folder.join("stream.sse"), messages().concat()).unwrap();
}

fn messages() -> Vec<String> {
    let mut id = 12;
    let mut next = |html: String| {
        id += 1;
        live::message(&format!("1-{id}-10"), &html)
    };
    let mut out = Vec::new();
    let mut done = step(5, "[stage-1 1/2] FROM gcr.io/distroless/cc-debian12:nonroot", State::Succeeded, false, &[]);
    let progress = Progress { text: "31.0 MB of 31.0 MB".to_owned(), percent: Some(100) };
    out.push(next(SwapProgress { step: 5, progress: &progress }.render().unwrap()));
    done.secs = Some(4);
    out.push(next(SwapStepHead { step: &done }.render().unwrap()));
    let mut running = view(149, State::Running, BuildResult::None);
    running.facts.secs = Some(52);
    out.push(live::message("", &SwapMoving { build: &running }.render().unwrap()));
    // Lines 3 to 450 of step 9: the page holds two of the first chunk.
    for number in 3..=450 {
        let text = match number {
            300 => "error: it was too late".to_owned(),
            _ => format!("\x1b[32mCompiling\x1b[0m crate-{number} <b>&"),
        };
        let line = lines(9, number, &[&text]);
        let index = Chunk::index_of(number);
        let html = if (number - 1) % 200 == 0 {
            AppendChunk { chunk: &Chunk::of(9, index, line) }.render()
        } else {
            AppendLines { step: 9, chunk: index, lines: &line }.render()
        };
        out.push(next(html.unwrap()));
    }
    let compiled = step(9, "[build 4/4] RUN cargo build --release --locked", State::Succeeded, false, &["x"]);
    out.push(next(SwapStepHead { step: &compiled }.render().unwrap()));
    let mut last = step(10, "exporting to image", State::Running, false, &[]);
    out.push(next(AppendStep { step: &last }.render().unwrap()));
    last.state = State::Succeeded;
    out.push(next(SwapStepHead { step: &last }.render().unwrap()));
    let build = view(149, State::Succeeded, BuildResult::Ready(Box::new(ready(true))));
    out.push(next(SwapState { build: &build, repository: "acme/api" }.render().unwrap()));
    out.push(live::event("1-900-10", "finished", "Finished in 1m 04s: Succeeded"));
    let newer = Newer {
        number: 150,
        url: "/acme/api/-/builds/150".to_owned(),
        state: State::Running,
        title: "Next".to_owned(),
        overtook: false,
    };
    let counts = Counts { tags: 38, builds: 151 };
    out.push(live::message("", &SwapCounts { counts }.render().unwrap()));
    out.push(live::message("", &SwapNewer { newer: &newer }.render().unwrap()));
    out.push(live::event("", "done", ""));
    out
}

#[test]
fn every_message_is_well_formed() {
    for message in messages() {
        assert!(message.ends_with("\n\n") && !message.contains('\r'));
        let body = message.trim_end();
        assert!(
            body.lines().all(|line| ["id: ", "data: ", "event: "].iter().any(|field| line.starts_with(field))),
            "{message}"
        );
        assert_eq!(message.matches("<hx-partial").count(), message.matches("</hx-partial>").count());
    }
}
