//! Pushes that a webhook tells of.

use std::{fs, time::Duration};

use slipway_forge::{Delivery, Repo, Status};
use slipway_tests::{Client, Stage};
use tokio::time::sleep;

const BUILD: &str = "RUN echo once > /once\nCOPY note* /srv/\nCMD [\"cat\", \"/srv/note\"]\n";

/// What stock git does: clone, commit, push.
async fn git_push(stage: &Stage, repo: &Repo, note: &str) -> String {
    let git = Client::git();
    let url = repo.clone_url_with(&stage.forge.token_for("mona", &["repo"]));
    git.run(&["clone", "--quiet", &url, "work"]).await.ok();
    fs::write(git.home().join("work/note"), note).expect("the home is ours");
    git.run(&["-C", "work", "add", "note"]).await.ok();
    git.run(&["-C", "work", "commit", "--quiet", "--message", "Write a note"]).await.ok();
    git.run(&["-C", "work", "push", "--quiet"]).await.ok();
    git.run(&["-C", "work", "rev-parse", "HEAD"]).await.ok().text().to_owned()
}

/// The statuses of a commit, once the newest is the end of its build.
async fn final_statuses(repo: &Repo, sha: &str) -> Vec<Status> {
    for _ in 0..100 {
        let statuses = repo.statuses(sha);
        if statuses.last().is_some_and(|status| status.state != "pending") {
            return statuses;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("no end in {:?}", repo.statuses(sha));
}

fn pushes(deliveries: Vec<Delivery>) -> Vec<Delivery> {
    deliveries.into_iter().filter(|delivery| delivery.event == "push").collect()
}

#[tokio::test]
async fn a_git_push_is_built_from_cache_and_shown_on_its_commit() {
    let stage = Stage::start().await;
    let repo = stage.repository("pushed", BUILD);
    let project = stage.import(&repo).await;
    let first = project.built(1).await;
    let before = project.digest("main").await;
    first.page.assert_says("Each push to main builds again: a webhook tells Slipway.");

    let sha = git_push(&stage, &repo, "from git").await;
    let build = project.built(2).await;
    build.page.assert_says("Write a note");
    build.page.assert_says("Started by push");
    assert_eq!(build.steps(), (3, 4), "both RUN and the first COPY should be cached: {}", build.page);
    assert_ne!(project.digest("main").await, before);

    let statuses = final_statuses(&repo, &sha).await;
    let states: Vec<_> = statuses.iter().map(|status| status.state.as_str()).collect();
    assert_eq!((states.first(), states.last()), (Some(&"pending"), Some(&"success")), "{states:?}");
    let link = stage.server.url(&project.path("builds/2"));
    assert!(statuses.iter().all(|status| status.target_url.as_deref() == Some(link.as_str())), "{statuses:?}");

    let sent = pushes(stage.forge.deliveries_sent().await);
    let [delivery] = sent.as_slice() else { panic!("one push, but {} deliveries", sent.len()) };
    assert_eq!(delivery.status_code, 202);
    let signed = delivery.request_headers.keys().any(|name| name.eq_ignore_ascii_case("x-hub-signature-256"));
    assert!(signed, "{:?}", delivery.request_headers);

    // The button "Redeliver": the same body again.
    stage.forge.redeliver(delivery.id);
    let again = pushes(stage.forge.deliveries_sent().await);
    assert_eq!((again.len(), again[1].status_code), (2, 202));
    sleep(Duration::from_millis(500)).await;
    assert!(project.find(3).await.is_none(), "a delivery seen twice made two builds");

    repo.commit("main", &[("note", "quiet")], "Mend a word [skip ci]");
    let skipped = project.wait_for_build(3).await;
    assert_eq!(skipped.state, "skipped");
    skipped.page.assert_says("the commit message says `[skip ci]`");
}

#[tokio::test]
async fn what_the_forge_did_not_tell_is_found_at_the_next_start() {
    let mut stage = Stage::start().await;
    let repo = stage.repository("missed", BUILD);
    let name = stage.import(&repo).await.name;
    stage.project(&name).built(1).await;
    // GitHub sends nothing for a push of more than three tags.
    let head = repo.head("main").expect("it has commits");
    repo.tags(&["one", "two", "three", "four"], &head);
    assert_eq!(pushes(stage.forge.deliveries_sent().await).len(), 0);
    stage.server.restart().await;
    let project = stage.project(&name);
    let mut tags = Vec::new();
    for number in 2..=5 {
        tags.extend(project.built(number).await.tags());
    }
    tags.sort();
    assert_eq!(tags, ["four", "one", "three", "two"]);
}
