//! BuildKit that is absent, dies or hangs, and a server that is killed in a build.

use std::{fs::File, path::Path, time::Duration};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process},
};
use tokio::time::{Instant, sleep};

use super::{
    site::{Connected, Site, until},
    workshop::{Workshop, processes, with_busybox},
};

/// Starts a build whose step sleeps so long, and waits until it does.
async fn sleeping(shop: &Workshop, seconds: &str) -> String {
    let change = with_busybox(shop.bench.repo.change("sleeper"), &format!("RUN sleep {seconds}\n"));
    let commit = change.commit("Sleep");
    let run = format!("sleep {seconds}");
    until("the step runs", async || (!processes(&run).is_empty()).then_some(())).await;
    commit
}

/// The daemon of mona's namespace: the one that the step is a child of.
fn daemon_of(step: &str) -> Pid {
    let mut pid = *processes(step).first().expect("the step runs");
    loop {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).expect("it runs");
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains("buildkitd") && !line.starts_with("unshare") {
            return Pid::from_raw(pid).expect("a pid");
        }
        pid = parent(pid);
        assert!(pid > 1, "no daemon above the step");
    }
}

fn parent(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()).expect("a parent")
}

async fn all_gone(part: &str, patience: Duration) {
    let end = Instant::now() + patience;
    while !processes(part).is_empty() {
        assert!(Instant::now() < end, "still running: {:?}", processes(part));
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn without_buildkit_the_page_says_so_with_the_remedy() {
    let empty = tempfile::tempdir().expect("a temporary folder");
    let folder = empty.path().to_string_lossy().into_owned();
    let settings = [("SLIPWAY_BUILDER_EMBEDDED", "true"), ("SLIPWAY_BUILDKIT_BIN_DIR", folder.as_str())];
    let site = Site::new(&settings).await;
    let mona = site.signed_in("mona").await;
    let to = site.connected(&mona, "mona", "web", false).await;
    let path = format!("/{}/-/builds/1", to.name);
    until("the page tells of BuildKit", async || {
        let page = mona.get(&path).await.is(200);
        page.text.contains("<code>buildkitd</code> was not found").then_some(page)
    })
    .await
    .says("No builder")
    .says("script/bootstrap")
    .says("data-state=\"queued\"");
    let doctor = site.server.command(&["doctor"]).await;
    assert!(doctor.status != 0 && doctor.stdout.contains("buildkitd"), "{doctor}");
}

#[tokio::test]
async fn a_daemon_that_is_killed_fails_the_build_in_words_and_the_next_one_runs() {
    let shop = Workshop::new(&[]).await;
    let commit = sleeping(&shop, "963001").await;
    kill_process(daemon_of("sleep 963001"), Signal::KILL).expect("it runs");
    all_gone("sleep 963001", Duration::from_secs(10)).await;
    let built = shop.finished(&shop.bench, &commit).await;
    built.is("failed").page.says("This was no fault of the code").lacks("rpc error");
    shop.build("after", "RUN echo alive\n").await.is("succeeded");
}

#[tokio::test]
async fn a_daemon_that_hangs_is_killed_and_the_build_fails_in_words() {
    let shop = Workshop::new(&[]).await;
    let commit = sleeping(&shop, "963002").await;
    kill_process(daemon_of("sleep 963002"), Signal::STOP).expect("it runs");
    let built = shop.finished(&shop.bench, &commit).await;
    built.is("failed").page.says("answered no more").says("This was no fault of the code");
    all_gone("sleep 963002", Duration::from_secs(10)).await;
}

/// The network plugins of a daemon that hangs may hold their lock; other daemons have their own.
#[tokio::test]
async fn a_lock_on_the_machines_network_plugins_holds_no_build_up() {
    let shop = Workshop::new(&[]).await;
    let held = Path::new("/var/lib/cni/networks/buildkit");
    std::fs::create_dir_all(held).expect("root may");
    let file = File::options().create(true).append(true).open(held.join("lock")).expect("root may");
    let folder = File::open(held).expect("it is there");
    for locked in [&file, &folder] {
        flock(locked, FlockOperation::LockExclusive).expect("nobody holds it");
    }
    shop.build("unlocked", "RUN echo through\n").await.is("succeeded");
}

#[tokio::test]
async fn a_server_that_is_killed_leaves_no_step_behind_and_builds_again() {
    let mut shop = Workshop::new(&[]).await;
    let commit = sleeping(&shop, "963003").await;
    let number = shop.number(&shop.bench, &commit).await;
    let data = shop.site.server.data_dir().to_string_lossy().into_owned();
    shop.site.server.kill().await;
    all_gone("sleep 963003", Duration::from_secs(10)).await;
    all_gone(&data, Duration::from_secs(10)).await;
    shop.site.server.start_again().await;
    let run = "sleep 963003";
    until("the build runs again", async || (!processes(run).is_empty()).then_some(())).await;
    let Connected { name, .. } = &shop.bench;
    let page = shop.mona().get(&format!("/{name}/-/builds/{number}")).await.is(200);
    page.says("attempt 2");
    shop.mona().post(&format!("/{name}/-/builds/{number}/cancel"), &[]).await.is(303);
    shop.until(&shop.bench, &commit, |state| state == "cancelled").await;
    all_gone(run, Duration::from_secs(20)).await;
}
