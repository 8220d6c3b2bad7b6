//! Builds that come to the same work at once: BuildKit does it once and tells both.

use super::host::{BASE, Daemon, Tree, output};
use slipway_buildkit::{BuildRequest, Event};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was told of a step of the Dockerfile in the end.
#[derive(Debug, Default)]
struct Step {
    name: String,
    started: i64,
    done: Option<i64>,
    cached: bool,
    error: Option<String>,
}

impl Step {
    /// `[build 2/4]`
    fn place(&self) -> &str {
        self.name.split_inclusive(']').next().unwrap_or_default()
    }

    fn secs(&self) -> i64 {
        self.done.map_or(-1, |done| (done - self.started) / 1_000)
    }
}

/// The Dockerfile's own steps in the order in which they were told, and how often each was begun.
fn steps(events: &[Event]) -> Vec<Step> {
    let mut steps: BTreeMap<u32, Step> = BTreeMap::new();
    for event in events {
        match event {
            Event::StepStarted { index, name, at, .. } => {
                let step = steps.entry(*index).or_insert_with(|| Step { started: *at, ..Step::default() });
                step.name.clone_from(name);
                step.done = None;
            }
            Event::StepDone { index, cached, error, at } => {
                let step = steps.entry(*index).or_default();
                (step.done, step.cached, step.error) = (Some(*at), *cached, error.clone());
            }
            _ => {}
        }
    }
    let is_step = |step: &Step| step.name.contains('/') && step.name.contains("] ") && step.name.starts_with('[');
    steps.into_values().filter(is_step).collect()
}

fn places(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(Step::place).collect()
}

fn cached(steps: &[Step]) -> Vec<bool> {
    steps.iter().map(|step| step.cached).collect()
}

/// Two commits in two folders, and what a build of each is asked for.
fn commits(dockerfiles: [&str; 2]) -> ([Tree; 2], [BuildRequest; 2]) {
    let trees = dockerfiles.map(Tree::with_dockerfile);
    trees[1].write("note", "not copied");
    let requests = [0, 1].map(|at| BuildRequest { shared_key: format!("test {at}"), ..trees[at].request() });
    (trees, requests)
}

/// Builds both, the second one a moment later; the steps of each, which went well.
async fn together(daemon: &Daemon, dockerfiles: [&str; 2], later: Duration) -> [(Vec<Step>, Vec<Event>); 2] {
    let (_trees, [one, two]) = commits(dockerfiles);
    let second = async {
        tokio::time::sleep(later).await;
        daemon.build(two).await
    };
    let (one, two) = tokio::join!(daemon.build(one), second);
    [one, two].map(|(events, outcome)| {
        outcome.unwrap();
        let steps = steps(&events);
        let is_good = |step: &Step| step.error.is_none() && step.done.is_some();
        assert!(steps.iter().all(is_good), "a good build has a step that is not: {steps:#?}");
        (steps, events)
    })
}

#[tokio::test]
async fn work_that_two_builds_share_is_one_step_of_each() {
    let daemon = Daemon::start().await;
    let dockerfile = format!("{BASE}RUN for n in 1 2 3; do sleep 1; echo line $n; done\n");
    for (steps, events) in together(&daemon, [&dockerfile, &dockerfile], Duration::from_millis(1_500)).await {
        assert_eq!(places(&steps), ["[1/3]", "[2/3]", "[3/3]"], "{steps:#?}");
        assert_eq!(output(&events), "line 1\nline 2\nline 3\n", "{events:#?}");
        // What went on meanwhile was not there before.
        assert!(!steps[2].cached, "{steps:#?}");
    }
}

#[tokio::test]
async fn a_step_that_another_build_looked_up_is_one_of_each() {
    let daemon = Daemon::start().await;
    let before = Tree::with_dockerfile(&format!("{BASE}RUN echo before\n"));
    daemon.build(before.request()).await.1.unwrap();
    // Two commits of one repository that begin alike, pushed together.
    let dockerfile = format!("{BASE}RUN sleep 1; echo same\nRUN echo more\n");
    for (steps, _) in together(&daemon, [&dockerfile, &dockerfile], Duration::ZERO).await {
        assert_eq!(places(&steps), ["[1/4]", "[2/4]", "[3/4]", "[4/4]"], "{steps:#?}");
        assert_eq!(cached(&steps), [true, true, false, false], "{steps:#?}");
    }
}

#[tokio::test]
async fn a_stage_that_another_commit_calls_otherwise_makes_no_further_steps() {
    let daemon = Daemon::start().await;
    let before = Tree::with_dockerfile(&format!("{BASE}RUN echo before\n"));
    daemon.build(before.request()).await.1.unwrap();
    let rest = "RUN sleep 1; echo 1\nRUN echo 2\nFROM scratch\nCOPY --from=0 /bin /bin\n";
    let named = ["build", "compile"].map(|name| format!("{}{rest}", BASE.replacen('\n', &format!(" AS {name}\n"), 1)));
    let found = together(&daemon, [&named[0], &named[1]], Duration::ZERO).await;
    for ((steps, _), name) in found.into_iter().zip(["build", "compile"]) {
        let expected: Vec<String> = (1..=4).map(|n| format!("[{name} {n}/4]")).collect();
        assert_eq!(places(&steps)[..4], expected, "{steps:#?}");
        assert_eq!(cached(&steps), [true, true, false, false, false], "{steps:#?}");
    }
}

#[tokio::test]
async fn shared_steps_take_as_long_as_they_took() {
    let daemon = Daemon::start().await;
    let first = format!("{BASE}RUN sleep 1; echo 1\nRUN sleep 1; echo 2\nRUN sleep 1; echo 3\n");
    let second = format!("{first}RUN sleep 1; echo 4\n");
    for (steps, _) in together(&daemon, [&first, &second], Duration::ZERO).await {
        let secs: Vec<i64> = steps[2..].iter().map(Step::secs).collect();
        assert!(secs.iter().all(|secs| *secs == 1), "{secs:?} {steps:#?}");
    }
}

#[tokio::test]
async fn a_linked_copy_is_one_step_and_no_good_build_has_a_cancelled_one() {
    let daemon = Daemon::start().await;
    let stages = format!(
        "{}RUN mkdir /out; echo made\n{BASE}COPY --from=b --link /out /o\nRUN sleep 0.5; echo end\n",
        BASE.replacen('\n', " AS b\n", 1)
    );
    for _ in 0..2 {
        let dockerfile = format!("{stages}RUN echo {}\n", std::process::id());
        for (steps, events) in together(&daemon, [&dockerfile, &dockerfile], Duration::ZERO).await {
            let linked = steps.iter().filter(|step| step.name.contains("COPY --from=b --link"));
            assert_eq!(linked.count(), 1, "{steps:#?}");
            // What both stages begin with is one vertex.
            assert_eq!(steps.len(), 6, "{steps:#?}");
            assert!(output(&events).is_empty() || output(&events).contains("end\n"), "{events:#?}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_of_a_step_that_was_told_of() {
    let daemon = Daemon::start().await;
    for last in ["COPY nope /x", "RUN --mount=type=bind,source=nope,target=/n true", "COPY --link nope /x"] {
        let tree = Tree::with_dockerfile(&format!("{BASE}{last}\n"));
        let (events, outcome) = daemon.build(tree.request()).await;
        let vertex = outcome.unwrap_err().vertex.expect("the step that failed");
        let index = events.iter().find_map(|event| match event {
            Event::StepStarted { index, vertex: started, .. } if *started == vertex => Some(*index),
            _ => None,
        });
        let is_its_end = |event: &Event| match event {
            Event::StepDone { index: done, error, .. } => Some(*done) == index && error.is_some(),
            _ => false,
        };
        assert!(events.iter().any(is_its_end), "{last}: {vertex} {events:#?}");
    }
}
