//! The fixtures themselves: each real program starts, does one thing, and goes away.

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use slipway_tests::{Buildkit, Client, Daemon, DaemonSpec, Docker, End, Postgres, Run, Server, browser, images};

#[tokio::test]
async fn a_server_starts_crashes_and_starts_again() {
    let mut server = Server::start().await;
    assert!(server.rss_bytes() > 1 << 20);
    server.kill().await;
    server.start_again().await;
    assert_eq!(server.terminate().await, 0, "{}", server.log());
}

#[tokio::test]
async fn a_daemon_goes_with_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let daemon = Daemon::spawn(DaemonSpec {
        program: "sleep".into(),
        args: vec!["600".into()],
        env: Vec::new(),
        folder: folder.clone(),
        end: End::Terminate,
    });
    let process = format!("/proc/{}", daemon.pid());
    assert!(Path::new(&process).exists());
    drop(daemon);
    assert!(!Path::new(&process).exists());
    assert!(!folder.exists());
}

#[tokio::test]
#[should_panic(expected = "did not end within")]
async fn a_program_that_hangs_is_killed() {
    let run = Run::new("sleep").args(["600"]).limit(Duration::from_millis(200));
    let _ = run.output().await;
}

#[tokio::test]
async fn postgres_gives_empty_databases() {
    let (one, two) = (Postgres::database().await, Postgres::database().await);
    Postgres::query(&one, "CREATE TABLE t (id int)").await;
    let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(Postgres::query(&one, count).await, "1");
    assert_eq!(Postgres::query(&two, count).await, "0");
    let collation = "SELECT datcollate FROM pg_database WHERE datname = current_database()";
    assert_eq!(Postgres::query(&two, collation).await, "C");
}

#[tokio::test]
async fn docker_runs_an_image_that_was_made_here() {
    let docker = Docker::start().await;
    docker.import_busybox("fixtures/busybox").await;
    let run = docker.run(&["run", "--rm", "--net=none", "fixtures/busybox", "echo", "hello"]).await.ok();
    assert_eq!(run.text(), "hello");
    docker.run(&["run", "--rm", "--net=none", "fixtures/busybox", "false"]).await.fails();
}

#[tokio::test]
async fn buildctl_builds_what_podman_runs() {
    let buildkit = Buildkit::start().await;
    let podman = Client::podman();
    images::busybox_context(podman.home(), "RUN echo made by buildkit > /made\nCMD [\"cat\", \"/made\"]\n");
    let tar = podman.home().join("image.tar");
    let output = format!("type=docker,name=localhost/fixtures/made:1,dest={}", tar.display());
    buildkit.build(podman.home(), &["--output", &output]).await.ok();
    podman.run(&["load", "--input", "image.tar"]).await.ok();
    let run = podman.run(&["run", "--rm", "--network=none", "localhost/fixtures/made:1"]).await.ok();
    assert_eq!(run.text(), "made by buildkit");
}

#[tokio::test]
async fn the_client_programs_are_the_pinned_versions() {
    for (client, args, expected) in [
        (Client::crane(), ["version"].as_slice(), "0.22"),
        (Client::cosign(), &["version"], "v3.1"),
        (Client::cosign2(), &["version"], "v2.6"),
        (Client::oras(), &["version"], "1.3"),
        (Client::regctl(), &["version"], ""),
        (Client::helm(), &["version"], ""),
        (Client::skopeo(), &["--version"], "skopeo"),
        (Client::buildah(), &["--version"], "buildah"),
        (Client::git(), &["--version"], "git"),
    ] {
        let said = client.run(args).await.ok();
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(all.contains(expected), "{}: {all}", client.name());
    }
}

#[tokio::test]
async fn skopeo_and_cosign_work_without_a_network() {
    let skopeo = Client::skopeo();
    let tar = images::busybox_tar(skopeo.home()).await;
    let crane = Client::crane();
    let image = skopeo.home().join("image.tar");
    let layer = tar.to_string_lossy();
    let image_name = image.to_string_lossy();
    crane.run(&["append", "--new_layer", &layer, "--new_tag", "fixtures/base:1", "--output", &image_name]).await.ok();
    skopeo.run(&["copy", "docker-archive:image.tar", "oci:layout:1"]).await.ok();
    assert!(skopeo.home().join("layout/index.json").exists());
    let cosign = Client::cosign();
    cosign.run(&["generate-key-pair"]).await.ok();
    assert!(cosign.home().join("cosign.pub").exists());
}

#[tokio::test]
async fn the_browser_reports_what_a_page_does_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = "<!doctype html><html><title>Wrong</title><body><h1>Hi</h1><img src='data:,'>\
                <script>console.error('oh no')</script>";
    fs::write(folder.path().join("wrong.html"), page).expect("the folder is ours");
    let picture = folder.path().join("wrong.png");
    let url = format!("file://{}/wrong.html", folder.path().display());
    let seen = browser("shot.mjs", &json!({ "url": url, "out": picture, "phone": true, "axe": true })).await;
    assert_eq!(seen["title"], "Wrong");
    assert_eq!(seen["problems"][0]["text"], "oh no");
    let violations = seen["violations"].to_string();
    assert!(violations.contains("image-alt") && violations.contains("html-has-lang"), "{violations}");
    assert!(fs::metadata(picture).expect("a picture was taken").len() > 1000);
}
