//! The build page in each of its states, with a log.

use super::super::super::ansi;
use super::super::build::{
    Attempt, BuildPage, BuildResult, BuildView, ExcerptLine, Failure, Hold, Newer, Queued, Ready, Stage,
};
use super::super::builds::BuildFacts;
use super::super::facts::{Signature, Size, State};
use super::super::layout::Layout;
use super::super::log::{Before, Chunk, LogLine, LogOptions, LogView, Mark, Progress, Step, StepName};
use super::super::pull::PullBox;
use super::super::repository::RepositoryTab;
use super::data::{HOSTILE, ago, facts, head, mona, page, pull, verified};
use super::failures::{failed_late, failure, refused};
use super::long::{log_with_a_gap, long_log};

pub(super) fn view(number: u64, state: State, result: BuildResult) -> BuildView {
    let row = |name: &str, state, secs| Stage { name: name.to_owned(), state, secs };
    let later = if state == State::Succeeded {
        State::Succeeded
    } else if state.is_open() {
        State::Queued
    } else {
        State::Skipped
    };
    BuildView {
        url: format!("/acme/api/-/builds/{number}"),
        facts: BuildFacts {
            at: ago(60),
            secs: (state != State::Queued).then_some(47),
            ..facts(number, state, "Add /healthz endpoint")
        },
        tags: vec!["main".to_owned(), "latest".to_owned()],
        steps_cached: 4,
        steps: 9,
        attempts: vec![],
        can_cancel: state.is_open(),
        cancelling: false,
        can_rerun: !state.is_open(),
        result,
        stages: vec![
            row("Queue", if state == State::Queued { state } else { State::Succeeded }, Some(1)),
            row("Build linux/amd64", state, Some(44)),
            row("Sign", later, None),
            row("Move tags", later, None),
        ],
        usual_secs: Some(70),
        newer: None,
    }
}

/// Lines of step 9, as cargo prints them.
pub(super) fn lines(step: u32, from: u32, texts: &[&str]) -> Vec<LogLine> {
    let mut style = ansi::Style::default();
    let line = |(at, text): (usize, &&str)| {
        let number = from + u32::try_from(at).unwrap();
        LogLine {
            step,
            number,
            time: format!("21:40:{:02}.{:03}", number % 60, number * 37 % 1000),
            html: style.html(text.as_bytes()),
            mark: Mark::of(&ansi::Style::default().text(text.as_bytes())),
        }
    };
    texts.iter().enumerate().map(line).collect()
}

pub(super) const CARGO: &[&str] = &[
    "\x1b[1;32m   Compiling\x1b[0m serde v1.0.231",
    "\x1b[1;32m   Compiling\x1b[0m axum v0.9.2",
    "\x1b[1;33mwarning\x1b[0m\x1b[1m: unused import: `std::time::Duration`\x1b[0m",
    "  \x1b[1;34m-->\x1b[0m src/main.rs:3:5",
    "\x1b[1;31merror[E0308]\x1b[0m\x1b[1m: mismatched types\x1b[0m",
    "   see https://doc.rust-lang.org/error_codes/E0308.html",
    "<script>alert(1)</script> \u{202e} \x1b[30mblack\x1b[90m grey \x1b[41mred ground\x1b[0m \x1b[2mdim\x1b[0m",
    "",
    "error: could not compile `api` (bin \"api\") due to 1 previous error",
];

pub(super) fn step(number: u32, name: &str, state: State, cached: bool, texts: &[&str]) -> Step {
    let chunks = if texts.is_empty() { vec![] } else { vec![Chunk::of(number, 0, lines(number, 1, texts))] };
    Step { cached, secs: Some(2), chunks, ..Step::new(number, StepName::parse(name), state) }
}

pub(super) fn early() -> Vec<Step> {
    vec![
        step(1, "Check out acme/api at a1b2c3d", State::Succeeded, false, &["Fetching a1b2c3d (depth 1)", "41 files"]),
        step(
            2,
            "[internal] load build definition from Dockerfile",
            State::Succeeded,
            false,
            &["transferring dockerfile: 1.21kB"],
        ),
        step(3, "[build 1/4] FROM docker.io/library/rust:1.95-slim", State::Succeeded, true, &[]),
        step(4, "[build 2/4] COPY Cargo.toml Cargo.lock ./", State::Succeeded, true, &[]),
    ]
}

pub(super) fn show(build: BuildView, log: LogView) -> BuildPage {
    let head = head(true);
    let open = build.facts.state.is_open();
    BuildPage {
        layout: Layout {
            live: true,
            refresh: open,
            mark: build.facts.state.mark(),
            ..head.layout(&format!("Build {}", build.facts.number), mona(), RepositoryTab::Builds)
        },
        events_url: open.then(|| format!("{}/events?after=1-12-9", build.url)),
        build,
        log,
        search: None,
    }
}

pub(super) fn log(steps: Vec<Step>) -> LogView {
    LogView {
        before: None,
        steps,
        cut: vec![],
        options: LogOptions::default(),
        raw_url: "/acme/api/-/builds/149/raw".to_owned(),
        summary: "1,204 lines".to_owned(),
        find: String::new(),
        opens_at: None,
    }
}

pub(super) fn ready(public: bool) -> Ready {
    Ready {
        image: "acme/api:main".to_owned(),
        platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()].into(),
        size: Size { least: 8_400_000, most: 8_400_000 },
        signature: verified(),
        public,
        pull: pull(!public),
        left_alone: None,
        next_push: "Each push to main builds again: a webhook tells Slipway".to_owned(),
        tag_url: "/acme/api/-/tags/main".to_owned(),
    }
}

pub(super) fn running() -> BuildPage {
    let mut steps = early();
    let mut pull = step(5, "[stage-1 1/2] FROM gcr.io/distroless/cc-debian12:nonroot", State::Running, false, &[]);
    pull.progress = Some(Progress { text: "10.4 MB of 31.0 MB".to_owned(), percent: Some(33) });
    steps.push(pull);
    let mut build = step(9, "[build 4/4] RUN cargo build --release --locked", State::Running, false, &CARGO[..2]);
    build.notices.push("The builder was lost; this is attempt 2.".to_owned());
    steps.push(build);
    show(view(149, State::Running, BuildResult::None), LogView { summary: String::new(), ..log(steps) })
}

pub(super) fn failed_log() -> LogView {
    LogView {
        before: Some(Before {
            text: "4 steps before this one succeeded in 3s, 2 of them from cache".to_owned(),
            steps: early(),
        }),
        ..log(vec![step(9, "[build 4/4] RUN cargo build --release --locked", State::Failed, false, CARGO)])
    }
}

fn newer(title: &str) -> Newer {
    let (title, url) = (title.to_owned(), "/acme/api/-/builds/150".to_owned());
    Newer { number: 150, url, state: State::Running, title, overtook: true }
}

fn hostile() -> BuildView {
    let failure = Failure {
        heading: HOSTILE.to_owned(),
        message: HOSTILE.to_owned(),
        excerpt: vec![ExcerptLine::new(1, HOSTILE, true)],
        ..failure()
    };
    BuildView {
        facts: BuildFacts {
            ref_name: "refs/\"quoted\"/--upload-pack=<b>".to_owned(),
            actor: Some(HOSTILE.to_owned()),
            ..facts(151, State::Failed, HOSTILE)
        },
        newer: Some(newer(HOSTILE)),
        ..view(151, State::Failed, BuildResult::Failed(Box::new(failure)))
    }
}

fn attempts() -> Vec<Attempt> {
    let why = "its builder was not heard of any more; it is queued again".to_owned();
    vec![
        Attempt { number: 1, state: None, why: Some(why), at: ago(300), secs: Some(64) },
        Attempt { number: 2, state: Some(State::Running), why: None, at: ago(60), secs: None },
    ]
}

pub(super) fn pages() -> Vec<(String, String)> {
    let queued = |hold: Option<Hold>| {
        let result = BuildResult::Queued(Queued { place: "Third in line".to_owned(), hold });
        let nothing = LogView { summary: String::new(), ..log(vec![]) };
        show(view(149, State::Queued, result), nothing)
    };
    let failed = || view(146, State::Failed, BuildResult::Failed(Box::new(failure())));
    let refused_base = |mine| view(146, State::Failed, BuildResult::Failed(Box::new(refused(mine))));
    let done = |public| view(1, State::Succeeded, BuildResult::Ready(Box::new(ready(public))));
    let unsigned =
        Ready { signature: Signature::NotSigned, pull: PullBox { verify: None, ..pull(false) }, ..ready(true) };
    let unsigned = view(1, State::Succeeded, BuildResult::Ready(Box::new(unsigned)));
    let note = |state, text: &str| view(148, state, BuildResult::Note(text.to_owned()));
    let overtaken = BuildView {
        newer: Some(newer("Write the changelog")),
        tags: vec![],
        ..note(State::Succeeded, "The image is signed; no tag moved.")
    };
    let cancelling =
        BuildView { cancelling: true, attempts: attempts(), ..view(149, State::Running, BuildResult::None) };
    let stranger = BuildView { can_rerun: false, ..note(State::Cancelled, "Cancelled by mona after 58s.") };
    let mut timed_out = view(7, State::TimedOut, BuildResult::None);
    timed_out.facts.status = "Timed out after 30m 00s".to_owned();
    let options = LogOptions { times: true, nowrap: true, plain: false };
    vec![
        page("build-queued", &queued(None)),
        page("build-no-builder", &queued(Some(Hold::NoBuilder("BuildKit does not answer".to_owned())))),
        page("build-limit", &queued(Some(Hold::Limit("mona runs 2 builds now, as many as it may.".to_owned())))),
        page("build-running", &running()),
        page("build-cancelling", &show(cancelling, log(early()))),
        page("build-failed", &show(failed(), failed_log())),
        page(
            "build-failed-long",
            &show(view(146, State::Failed, BuildResult::Failed(Box::new(failed_late()))), long_log()),
        ),
        page(
            "build-cut",
            &show(
                failed(),
                LogView {
                    cut: vec![
                        "This log was cut: it is larger than 512 MiB; the rest is not kept.".to_owned(),
                        "400 of 2,000 steps are here; 1,600 more steps are in the raw log.".to_owned(),
                    ],
                    ..failed_log()
                },
            ),
        ),
        page("build-base-refused", &show(refused_base(true), log(vec![]))),
        page("build-base-refused-others", &show(refused_base(false), log(vec![]))),
        page("build-found", &show(failed(), LogView { find: "compiling axum".to_owned(), ..failed_log() })),
        page("build-failed-times", &show(failed(), LogView { options, ..failed_log() })),
        page("build-done", &show(done(true), log_with_a_gap())),
        page("build-done-private", &show(done(false), log(early()))),
        page("build-done-unsigned", &show(unsigned, log(early()))),
        page("build-overtaken", &show(overtaken, log(early()))),
        page("build-cancelled", &show(stranger, log(early()))),
        page("build-timed-out", &show(timed_out, log(early()))),
        page("build-partly", &show(view(8, State::PartlyFailed, BuildResult::None), log(early()))),
        page("build-hostile", &show(hostile(), failed_log())),
    ]
}
