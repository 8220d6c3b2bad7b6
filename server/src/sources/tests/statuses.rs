//! What commits show at the forge of several builds.

use super::pushes::hooked;
use super::*;
use slipway_forge::Status;

crate::testing::on_postgres! {
    a_green_commit_stays_green_whatever_its_other_builds_come_to,
    tags_have_a_line_of_their_own,
    a_build_that_was_overtaken_names_its_successor_only_where_nothing_was_built,
}

/// The newest of each context.
fn shown(code: &Repo, commit: &str) -> std::collections::BTreeMap<String, Status> {
    code.statuses(commit).into_iter().map(|status| (status.context.clone(), status)).collect()
}

fn state(code: &Repo, commit: &str, context: &str) -> String {
    shown(code, commit).get(context).unwrap_or_else(|| panic!("nothing of {context}")).state.clone()
}

/// As if its builder had told so.
async fn enters(scene: &Scene, build: &rows::Build, state: BuildState) {
    let tx = scene.app.db.begin().await.unwrap();
    db::builds::save(&tx, &rows::Build { state, ..build.clone() }).await.unwrap();
    tx.commit().await.unwrap();
    scene.ask_for(Task::SetCommitStatus { build_id: build.id }).await;
    scene.quiet().await;
}

const BRANCHES: &str = "slipway/mona/web";
const TAGS: &str = "slipway/mona/web/tag";

#[tokio::test]
async fn a_green_commit_stays_green_whatever_its_other_builds_come_to() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let head = code.commit("main", &[("a", "1")], "Two refs have this one");
    let main = scene.build_of(&name, "refs/heads/main", &head).await;
    enters(&scene, &main, BuildState::Running).await;
    assert_eq!(state(&code, &head, BRANCHES), "pending");
    enters(&scene, &main, BuildState::Succeeded).await;
    let green = shown(&code, &head);
    assert_eq!((green.len(), green[BRANCHES].state.as_str()), (1, "success"));
    code.set_branch("other", &head);
    let other = scene.build_of(&name, "refs/heads/other", &head).await;
    scene.quiet().await;
    for end in [BuildState::Running, BuildState::Failed, BuildState::TimedOut, BuildState::Cancelled] {
        enters(&scene, &other, end).await;
        let now = shown(&code, &head);
        assert_eq!((now.len(), now[BRANCHES].state.as_str()), (1, "success"), "{end}");
        assert_eq!(now[BRANCHES].target_url, green[BRANCHES].target_url, "{end}");
    }
    // What failed first may become green by another build, and waits for it.
    let red = code.commit("main", &[("a", "2")], "Red at first");
    let first = scene.build_of(&name, "refs/heads/main", &red).await;
    enters(&scene, &first, BuildState::Failed).await;
    assert_eq!(state(&code, &red, BRANCHES), "failure");
    code.set_branch("third", &red);
    let second = scene.build_of(&name, "refs/heads/third", &red).await;
    scene.quiet().await;
    assert_eq!(state(&code, &red, BRANCHES), "pending");
    enters(&scene, &second, BuildState::Cancelled).await;
    assert_eq!(state(&code, &red, BRANCHES), "failure", "why it failed is told, not that somebody cancelled another");
    enters(&scene, &second, BuildState::Succeeded).await;
    assert_eq!(state(&code, &red, BRANCHES), "success");
}

#[tokio::test]
async fn tags_have_a_line_of_their_own() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let head = code.head("main").unwrap();
    let main = scene.builds(&name).await.remove(0);
    enters(&scene, &main, BuildState::Succeeded).await;
    code.tags(&["v1.0.0"], &head);
    let tag = scene.build_of(&name, "refs/tags/v1.0.0", &head).await;
    enters(&scene, &tag, BuildState::Failed).await;
    let both = shown(&code, &head);
    let states: Vec<_> = both.iter().map(|(context, status)| (context.as_str(), status.state.as_str())).collect();
    assert_eq!(states, [(BRANCHES, "success"), (TAGS, "failure")]);
    assert!(both[TAGS].target_url.as_deref().unwrap().ends_with(&format!("/builds/{}", tag.number)));
}

#[tokio::test]
async fn a_build_that_was_overtaken_names_its_successor_only_where_nothing_was_built() {
    let scene = Scene::start(NEVER).await;
    let (code, _, name) = hooked(&scene).await;
    let overtaken = code.commit("main", &[("a", "1")], "Waits");
    scene.build_of(&name, "refs/heads/main", &overtaken).await;
    let newest = code.commit("main", &[("a", "2")], "Comes after it");
    let newer = scene.build_of(&name, "refs/heads/main", &newest).await;
    scene.quiet().await;
    let told = shown(&code, &overtaken).remove(BRANCHES).unwrap();
    assert_eq!(told.state, "error");
    let text = told.description.unwrap();
    assert!(text.starts_with("not built: ") && text.contains(&format!("build {}", newer.number)), "{text}");
    // Another ref has the commit and builds it.
    code.set_branch("kept", &overtaken);
    let kept = scene.build_of(&name, "refs/heads/kept", &overtaken).await;
    scene.quiet().await;
    assert_eq!(state(&code, &overtaken, BRANCHES), "pending");
    enters(&scene, &kept, BuildState::Succeeded).await;
    assert_eq!(state(&code, &overtaken, BRANCHES), "success");
    // And is overtaken where it comes again.
    let count = scene.builds(&name).await.len();
    code.set_branch("main", &overtaken);
    scene.wait("it is queued again", async |app| builds_of(app, &name).await.len() == count + 1).await;
    scene.quiet().await;
    let last = code.commit("main", &[("a", "3")], "Comes last");
    scene.build_of(&name, "refs/heads/main", &last).await;
    scene.quiet().await;
    let of_it = |b: &&rows::Build| b.commit_hash == overtaken && b.ref_name == "refs/heads/main";
    assert_eq!(scene.builds(&name).await.iter().filter(of_it).filter(|b| b.superseded_by.is_some()).count(), 2);
    assert_eq!(state(&code, &overtaken, BRANCHES), "success");
}
