//! Makes the data folder of the present version, for the tests of the next ones: run it once before a release.
//!
//! ```text
//! cargo test -p slipway-tests --test suite -- --ignored make_the_folder_of_this_version
//! SLIPWAY_BIN=…/slipway …                    the same with an older program
//! ```

use std::fs;

use slipway_tests::{Client, Run, Stage, cache};

use super::{SERVER, fixture, forge, ports_are_free};

#[tokio::test]
#[ignore = "writes a fixture: once for each release"]
async fn make_the_folder_of_this_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    ports_are_free().await;
    let mut stage = Stage::with(forge(&folder.path().join("forge")), |server| server.on_port(SERVER)).await;
    let version = stage.server.command(&["--version"]).await.ok().text().to_owned();
    let version = version.rsplit(' ').next().expect("`slipway 0.1.0`").to_owned();
    build(&stage).await;
    push_by_hand(&stage).await;
    leave_a_build_waiting(&mut stage).await;
    stage.server.terminate().await;
    let data = stage.server.data_dir();
    let database = data.join("slipway.db");
    // The log of the database goes into its file.
    Run::new("sqlite3").args([database.as_os_str(), "VACUUM".as_ref()]).output().await.ok();
    let kept = ["data/slipway.db", "data/keys", "data/storage"];
    fs::rename(&data, folder.path().join("data")).or_else(|_| copy(&data, folder.path())).expect("the data folder");
    let archive = fixture(&version);
    fs::create_dir_all(archive.parent().expect("a folder")).expect("the fixtures are ours");
    let tar = Run::new("tar").args(["--owner=0", "--group=0", "--sort=name", "-czf"]).args([archive.as_os_str()]);
    tar.args(["-C".as_ref(), folder.path().as_os_str()]).args(kept).args(["forge"]).output().await.ok();
    eprintln!("{} was written; tools are in {}", archive.display(), cache().display());
}

fn copy(from: &std::path::Path, into: &std::path::Path) -> std::io::Result<()> {
    let status = std::process::Command::new("cp").arg("-a").args([from, into]).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other("cp failed")) }
}

/// A private base, and an image on it, with a release.
async fn build(stage: &Stage) {
    let base = stage.forge.repository("mona", "base", true);
    let files = [("Dockerfile", "FROM scratch\nCOPY base.txt /\n"), ("base.txt", "the base\n")];
    base.commit("main", &files, "A base");
    stage.import(&base).await.built(1).await;
    let web = stage.forge.repository("mona", "web", false);
    let dockerfile = format!("FROM localhost:{SERVER}/mona/base:main\nCOPY greeting.txt /\n");
    let files = [("Dockerfile", dockerfile.as_str()), ("greeting.txt", "hello\n")];
    let commit = web.commit("main", &files, "Greet");
    let project = stage.import(&web).await;
    project.built(1).await;
    web.tag("v1.0.0", &commit);
    project.built(2).await;
}

/// An image, a manifest that a browser would have run, and an upload that was begun.
async fn push_by_hand(stage: &Stage) {
    let host = stage.server.host();
    stage.server.admin(&["namespace", "add", "acme", "--owner", "mona"]).await;
    let token = stage.server.admin(&["token", "add", "--user", "mona"]).await;
    let crane = Client::crane();
    crane.log_in(&host, "mona", &token);
    let layer = crane.home().join("layer.tar");
    let text = crane.home().join("by-hand.txt");
    fs::write(&text, "by hand\n").expect("the home is ours");
    Run::new("tar")
        .args(["-cf".as_ref(), layer.as_os_str()])
        .args(["-C".as_ref(), crane.home().as_os_str()])
        .args(["by-hand.txt"])
        .output()
        .await
        .ok();
    crane
        .run(&["append", "--new_layer", &layer.to_string_lossy(), "--new_tag", &format!("{host}/acme/hand:v1")])
        .await
        .ok();
    let http = reqwest::Client::new();
    let scope = format!("{}?service={host}&scope=repository:acme/hand:pull,push", stage.server.url("/token"));
    let answer: serde_json::Value =
        http.get(scope).basic_auth("mona", Some(&token)).send().await.expect("an answer").json().await.expect("JSON");
    let bearer = answer["token"].as_str().expect("a bearer");
    let page = r#"{"schemaVersion":2,"manifests":[],"annotations":{"x":"<script>document.title='ran'</script>"}}"#;
    let put = http.put(stage.server.url("/v2/acme/hand/manifests/page")).bearer_auth(bearer);
    let put = put.header("content-type", "text/html").body(page).send().await.expect("an answer");
    assert_eq!(put.status(), 201);
    let begun = http.post(stage.server.url("/v2/acme/hand/blobs/uploads/")).bearer_auth(bearer);
    let begun = begun.send().await.expect("an answer");
    let location = begun.headers()["location"].to_str().expect("text").to_owned();
    let sent = http.patch(stage.server.url(&location)).bearer_auth(bearer).body("begun and left").send().await;
    assert_eq!(sent.expect("an answer").status(), 202);
}

/// A push whose build no builder takes any more.
async fn leave_a_build_waiting(stage: &mut Stage) {
    stage.server.set_env("SLIPWAY_BUILDER_EMBEDDED", "false");
    stage.server.restart().await;
    let web = stage.forge.find_repository("mona", "web").expect("it was made");
    web.change("main").file("greeting.txt", "hello, you\n").commit("Greet you");
    stage.project("mona/web").wait_until(3, "queued", slipway_tests::Build::is_open).await;
}
