//! Builds that come to the same work at once: BuildKit does it once and tells both.

use super::host::{BASE, Daemon, Tree, output};
use slipway_buildkit::Event;
use std::collections::BTreeMap;

/// The Dockerfile's own steps: how each is called, and whether it was there before.
fn steps(events: &[Event]) -> Vec<(String, bool)> {
    let mut steps: BTreeMap<u32, (String, bool)> = BTreeMap::new();
    for event in events {
        match event {
            Event::StepStarted { index, name, .. } => steps.entry(*index).or_default().0.clone_from(name),
            Event::StepDone { index, cached, .. } => steps.entry(*index).or_default().1 = *cached,
            _ => {}
        }
    }
    steps
        .into_values()
        .filter(|(name, _)| name.is_empty() || name.contains("] ") && !name.starts_with("[internal]"))
        .collect()
}

#[tokio::test]
async fn work_that_two_builds_share_is_one_step_of_each() {
    let daemon = Daemon::start().await;
    let dockerfile = format!("{BASE}RUN for n in 1 2 3; do sleep 1; echo line $n; done\n");
    let trees = [Tree::with_dockerfile(&dockerfile), Tree::with_dockerfile(&dockerfile)];
    // Other commits in other folders, alike in what the steps take.
    trees[1].write("note", "not copied");
    let request = |at: usize| {
        let mut request = trees[at].request();
        request.shared_key = format!("test {at}");
        request
    };
    let later = async {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        daemon.build(request(1)).await
    };
    let (one, two) = tokio::join!(daemon.build(request(0)), later);
    for (events, outcome) in [one, two] {
        outcome.unwrap();
        let names: Vec<String> = steps(&events).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 3, "{events:#?}");
        assert!(names.iter().all(|name| !name.is_empty()), "{names:?}");
        assert_eq!(output(&events), "line 1\nline 2\nline 3\n", "{events:#?}");
        // What went on meanwhile was not there before.
        assert!(!steps(&events)[2].1, "{events:#?}");
    }
}

#[tokio::test]
async fn a_step_that_another_build_looked_up_is_one_of_each() {
    let daemon = Daemon::start().await;
    let before = Tree::with_dockerfile(&format!("{BASE}RUN echo before\n"));
    daemon.build(before.request()).await.1.unwrap();
    // Two commits of one repository that begin alike, pushed together.
    let dockerfile = format!("{BASE}RUN sleep 1; echo same\nRUN echo more\n");
    let trees = [Tree::with_dockerfile(&dockerfile), Tree::with_dockerfile(&dockerfile)];
    trees[1].write("note", "not copied");
    let (one, two) = tokio::join!(daemon.build(trees[0].request()), daemon.build(trees[1].request()));
    for (events, outcome) in [one, two] {
        assert_eq!(outcome.unwrap().steps, 7, "{events:#?}");
        let steps = steps(&events);
        let places: Vec<&str> = steps.iter().map(|(name, _)| name.split_once(' ').unwrap().0).collect();
        assert_eq!(places, ["[1/4]", "[2/4]", "[3/4]", "[4/4]"], "{steps:#?}");
        let cached: Vec<bool> = steps.iter().map(|(_, cached)| *cached).collect();
        assert_eq!(cached, [true, true, false, false], "{steps:#?}");
    }
}
