//! Builds on a real BuildKit. Needs root and what `script/bootstrap` installs.
#![expect(clippy::unwrap_used, reason = "these are tests, helpers included")]

mod failures;
mod host;
mod imports;
mod shared;

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use host::{BASE, Daemon, Tree, output};
use slipway_buildkit::{BuildRequest, CacheRecord, ErrorClass, Event, PruneOptions, Secret, solve};

#[tokio::test]
async fn an_image_is_the_same_as_with_buildctl() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}COPY . /src\nRUN find /src | sort\n"));
    tree.write(".dockerignore", "*.key\n**/node_modules\n!app/node_modules/keep\n");
    for name in ["a.key", "app/node_modules/x/f", "app/node_modules/keep/f", "app/Grüße 1.txt", "app/empty/.keep"] {
        tree.write(name, name);
    }
    symlink("/etc/passwd", tree.path().join("outside")).unwrap();
    std::fs::hard_link(tree.path().join("busybox"), tree.path().join("again")).unwrap();

    let (events, outcome) = daemon.build(tree.image_request("localhost/test")).await;
    let outcome = outcome.unwrap();
    let found = output(&events);
    assert!(found.contains("/src/app/node_modules/keep/f\n") && found.contains("/src/app/Grüße 1.txt\n"), "{found}");
    assert!(!found.contains(".key") && !found.contains("node_modules/x"), "{found}");
    assert!(outcome.sent.entries > 5 && outcome.sent.bytes > 100_000, "{:?}", outcome.sent);
    assert_eq!(outcome.steps, 8);

    let metadata = tree.path().join("a.key");
    let dir = |name: &str| format!("--local={name}={}", tree.path().display());
    let built = Command::new(daemon.tools.join("buildctl"))
        .arg(format!("--addr=unix://{}", daemon.socket().display()))
        .args(["build", "--frontend=dockerfile.v0", "--output=type=image,name=localhost/test", "--metadata-file"])
        .args([metadata.as_os_str().to_str().unwrap(), &dir("context"), &dir("dockerfile")])
        .output();
    assert!(built.unwrap().status.success());
    let theirs = std::fs::read_to_string(metadata).unwrap();
    assert!(theirs.contains(&outcome.digest.unwrap()), "{theirs}");

    let (events, again) = daemon.build(tree.image_request("localhost/test")).await;
    // The Dockerfile may be sent again, but busybox stays here.
    assert!(again.unwrap().sent.bytes < 10_000);
    let cached = events.iter().filter(|event| matches!(event, Event::StepDone { cached: true, .. }));
    assert_eq!(cached.count(), 4);
}

#[tokio::test]
async fn a_secret_reaches_its_step() {
    let daemon = Daemon::start().await;
    let run = "RUN --mount=type=secret,id=npm cat /run/secrets/npm; test ! -e /run/secrets/other\n";
    let optional = "RUN --mount=type=secret,id=other test ! -e /run/secrets/other\n";
    let tree = Tree::with_dockerfile(&format!("{BASE}{run}{optional}"));
    let secrets = [("npm".to_owned(), Secret(b"hunter2".to_vec()))].into_iter().collect();
    let (events, outcome) = daemon.build(BuildRequest { secrets, ..tree.request() }).await;
    outcome.unwrap();
    assert_eq!(output(&events), "hunter2");
}

#[tokio::test]
async fn a_long_log_arrives_whole_and_in_order() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}RUN seq 1 100000\n"));
    let (events, outcome) = daemon.build(tree.request()).await;
    outcome.unwrap();
    let lines: Vec<_> = (1..=100_000).map(|line| line.to_string()).collect();
    assert!(output(&events).lines().eq(lines), "lines are lost or out of order");
}

#[tokio::test]
async fn dropping_a_build_ends_its_step_and_leaves_nothing() {
    let daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}RUN trap '' TERM; echo up; sleep 98765\n"));
    let before = tasks();
    for _ in 0..3 {
        let mut build = solve(&daemon.client, tree.request());
        while let Some(event) = build.events.next().await {
            if matches!(event, Event::StepLog { .. }) {
                break;
            }
        }
        within_a_second("the step runs", || is_running("sleep 98765")).await;
        drop(build);
        within_a_second("the step is gone", || !is_running("sleep 98765")).await;
    }
    // Their sessions stay for a while, unless the daemon is to end.
    daemon.client.part();
    within_a_second("no task is left", || tasks() <= before).await;
}

#[tokio::test]
async fn a_daemon_that_dies_is_named_as_the_cause() {
    let mut daemon = Daemon::start().await;
    let tree = Tree::with_dockerfile(&format!("{BASE}RUN echo up; sleep 98764\n"));
    let mut build = solve(&daemon.client, tree.request());
    while !matches!(build.events.next().await, Some(Event::StepLog { .. })) {}
    daemon.kill();
    let error = build.finish().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::DaemonUnavailable, "{error:?}");
    within_a_second("the step is gone", || !is_running("sleep 98764")).await;
    let error = solve(&daemon.client, tree.request()).finish().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::DaemonUnavailable, "{error:?}");
}

#[tokio::test]
async fn what_a_daemon_keeps_can_be_seen_and_thrown_away() {
    let daemon = Daemon::start().await;
    let workers = daemon.client.list_workers().await.unwrap();
    assert!(workers[0].platforms.iter().any(|platform| platform.starts_with("linux/")), "{workers:?}");
    assert_eq!(daemon.client.info().await.unwrap(), *daemon.client.daemon());

    let tree = Tree::with_dockerfile(BASE);
    daemon.build(tree.request()).await.1.unwrap();
    let kept = idle(&daemon).await;
    let sources = kept.iter().filter(|record| record.kind == "source.local");
    assert!(sources.map(|record| record.size_bytes).sum::<u64>() > 1_000_000, "{kept:?}");
    let pruned = daemon.client.prune(PruneOptions { all: true, ..PruneOptions::default() }).await.unwrap();
    assert!(pruned.records > 0 && pruned.bytes > 0, "{pruned:?}");
    assert_eq!(daemon.client.disk_usage(&[]).await.unwrap(), []);
}

/// What the daemon keeps, once it has let go of the last build.
async fn idle(daemon: &Daemon) -> Vec<CacheRecord> {
    loop {
        let kept = daemon.client.disk_usage(&[]).await.unwrap();
        if kept.iter().all(|record| !record.in_use) {
            return kept;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn within_a_second(what: &str, is_so: impl Fn() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "measures")]
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(1), "after a second not yet: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

fn is_running(command: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command = command.replace(' ', "\0") + "\0";
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line == command.as_bytes())
}
