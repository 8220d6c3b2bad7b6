//! Builders of their own: killed, without rights, without space; what their daemons keep, and keep from each other.

use std::path::PathBuf;

use slipway_tests::BuilderProgram;

use super::{
    site::until,
    workshop::{Workshop, processes, with_busybox},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn without_builder() -> Workshop {
    Workshop::new(&[("SLIPWAY_BUILDER_EMBEDDED", "false"), ("SLIPWAY_BUILDER_TOKENS", TOKEN)]).await
}

/// What the page of a waiting build says.
async fn page_says(shop: &Workshop, commit: &str, words: &str) {
    let number = shop.number(&shop.bench, commit).await;
    let path = format!("/{}/-/builds/{number}", shop.bench.name);
    let page = until(words, async || {
        let page = shop.mona().get(&path).await.is(200);
        page.text.contains(words).then_some(page)
    });
    page.await.says("data-state=\"queued\"");
}

#[tokio::test]
async fn a_builder_that_is_killed_leaves_no_step_behind_and_another_builds_again() {
    let shop = without_builder().await;
    let mut builder = BuilderProgram::start(&shop.site.server, TOKEN);
    let change = with_busybox(shop.bench.repo.change("lost"), "RUN echo begun && sleep 8.731\n");
    let commit = change.commit("Sleep");
    let run = "sleep 8.731";
    until("the step runs", async || (!processes(run).is_empty()).then_some(())).await;
    builder.kill().await;
    let folder = builder.folder().join("work").to_string_lossy().into_owned();
    until("step and daemon are gone", async || {
        (processes(run).is_empty() && processes(&folder).is_empty()).then_some(())
    })
    .await;

    // The lease lasts a minute; nobody keeps it now.
    let silent = "SET started_at = started_at - 60000, lease_until = started_at WHERE ended_at IS NULL";
    shop.site.sql(&format!("UPDATE build_attempt {silent}")).await;
    shop.until(&shop.bench, &commit, |state| state == "queued").await;
    let second = BuilderProgram::start(&shop.site.server, TOKEN);
    let built = shop.finished(&shop.bench, &commit).await;
    built.is("succeeded").page.says("attempt ");
    drop(second);
}

#[tokio::test]
async fn a_builder_that_is_not_root_says_what_to_do() {
    let shop = without_builder().await;
    let _builder = BuilderProgram::start_as_nobody(&shop.site.server, TOKEN);
    let commit = with_busybox(shop.bench.repo.change("unable"), "RUN true\n").commit("Wait");
    page_says(&shop, &commit, "does not run as root, which BuildKit needs here: start it as root").await;
}

#[tokio::test]
async fn without_space_builds_wait_and_say_so() {
    let shop = without_builder().await;
    let settings = [("SLIPWAY_BUILDER_MIN_FREE_GIB", "1000000")];
    let full = BuilderProgram::start_with(&shop.site.server, TOKEN, &settings);
    let commit = with_busybox(shop.bench.repo.change("full"), "RUN true\n").commit("Wait");
    page_says(&shop, &commit, "and builds need 1000000.0 GiB: free some space").await;
    drop(full);
    let _empty = BuilderProgram::start(&shop.site.server, TOKEN);
    shop.finished(&shop.bench, &commit).await.is("succeeded");
}

#[tokio::test]
async fn an_idle_daemon_is_stopped_and_a_new_one_knows_the_steps() {
    let shop = without_builder().await;
    let builder = BuilderProgram::start_with(&shop.site.server, TOKEN, &[("SLIPWAY_BUILDER_IDLE_SECS", "1")]);
    let steps = "RUN echo costly > /made\n";
    shop.build("idle", steps).await.is("succeeded");
    let folder = builder.folder().join("work/daemons").to_string_lossy().into_owned();
    until("the daemon is stopped", async || processes(&folder).is_empty().then_some(())).await;
    let again = shop.build("idle-again", steps).await;
    assert!(again.is("succeeded").raw.contains(" CACHED"), "{}", again.raw);
}

#[tokio::test]
async fn of_many_idle_daemons_four_are_kept() {
    let shop = without_builder().await;
    let builder = BuilderProgram::start(&shop.site.server, TOKEN);
    for name in ["one", "two", "three"] {
        let more = shop.site.connected(&shop.mona(), "mona", name, false).await;
        shop.finished(&more, &more.repo.head("main").expect("it has one")).await.is("succeeded");
    }
    // With those of the workshop's own repositories there were five.
    let daemons = builder.folder().join("work/daemons");
    let all = || std::fs::read_dir(&daemons).expect("builds made it").flatten().map(|daemon| daemon.path());
    until("all five were there", async || (all().count() == 5).then_some(())).await;
    let is_running = |daemon: &PathBuf| !processes(&daemon.to_string_lossy()).is_empty();
    until("one is stopped", async || (all().filter(is_running).count() == 4).then_some(())).await;
}

#[tokio::test]
async fn an_empty_builder_takes_the_steps_from_the_registry() {
    let shop = without_builder().await;
    let first = BuilderProgram::start(&shop.site.server, TOKEN);
    let steps = "RUN head -c 9 /dev/urandom | base64 > /made\nRUN cat /made\n";
    shop.build("cache", steps).await.is("succeeded");
    drop(first);
    let _second = BuilderProgram::start(&shop.site.server, TOKEN);
    let again = shop.build("cache-again", steps).await;
    again.is("succeeded");
    let cached = again.raw.lines().filter(|line| line.ends_with(" CACHED")).count();
    assert!(cached >= 2, "{}", again.raw);
}

#[tokio::test]
async fn steps_of_two_namespaces_do_not_reach_each_other_nor_the_metadata_address() {
    let shop = without_builder().await;
    let _builder = BuilderProgram::start_with(&shop.site.server, TOKEN, &[("SLIPWAY_BUILDER_SLOTS", "4")]);
    let serve = "RUN ip -4 -o addr | sed -n 's/.*inet \\(10[^/]*\\).*/ADDR''ESS \\1 END/p'; \
                 timeout 40 nc -l -p 7311 -e echo REACHED || true\n";
    let commit = with_busybox(shop.bench.repo.change("serve"), serve).commit("Serve");
    let number = shop.number(&shop.bench, &commit);
    let path = format!("/{}/-/builds/{}/raw?plain=1", shop.bench.name, number.await);
    let address = until("the server's address", async || {
        let raw = shop.mona().get(&path).await.text;
        raw.split_once("ADDRESS ").and_then(|(_, rest)| Some(rest.split_once(" END")?.0.to_owned()))
    })
    .await;
    let outer = address.rsplit_once('.').map(|(start, _)| format!("{start}.130")).expect("an address");
    let look = format!(
        "RUN for host in {address} {outer}; do nc -w 3 $host 7311 && echo GOT THROUGH; done; \
         nc -w 3 169.254.169.254 80 || echo 'metadata is closed'; true\n"
    );
    let built = shop.build_for_eve("look", &look).await;
    built.is("succeeded");
    assert!(!built.raw.contains("REACHED") && built.raw.contains("Connection refused"), "{}", built.raw);
    // The same step within the namespace finds it, so the test looks at the right place.
    let own = shop.build("look", &format!("RUN nc -w 3 {address} 7311\n")).await;
    assert!(own.raw.contains("REACHED"), "{}", own.raw);
    shop.finished(&shop.bench, &commit).await.is("succeeded");
}
