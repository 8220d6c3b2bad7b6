//! An official base image by its usual name, from a mirror, and packages from the distribution.

use slipway_tests::{Client, Docker, Stage, images};

const DOCKERFILE: &str = "# syntax=docker/dockerfile:1\nFROM debian:bookworm-slim\n\
    RUN apt-get update && apt-get install -y hello\nCMD [\"hello\"]\n";

#[tokio::test]
async fn a_usual_dockerfile_builds_on_a_base_image_from_the_mirror() {
    let stage = Stage::with(slipway_forge::ForgeConfig::default(), |server| {
        let mirror = format!("docker.io=localhost:{}", server.port());
        server.env("SLIPWAY_REGISTRY_MIRRORS", mirror)
    })
    .await;
    stage.server.admin(&["namespace", "add", "library", "--owner", "mona"]).await;
    let crane = Client::crane();
    let token = stage.server.admin(&["token", "add", "--user", "mona"]).await;
    crane.log_in(&stage.server.host(), "mona", &token);
    let base = format!("{}/library/debian:bookworm-slim", stage.server.host());
    let layer = images::debian_tar().await;
    let append = ["append", "--platform", "linux/amd64", "--new_layer", &layer.to_string_lossy(), "--new_tag", &base];
    crane.run(&append).await.ok();
    crane.run(&["mutate", "--set-platform", "linux/amd64", "--tag", &base, &base]).await.ok();
    stage.server.admin(&["repository", "visibility", "library/debian", "public"]).await;

    let repo = stage.forge.repository("mona", "usual", false);
    repo.commit("main", &[("Dockerfile", DOCKERFILE)], "Say hello");
    let project = stage.import(&repo).await;
    let build = project.built(1).await;
    build.page.assert_says("FROM docker.io/library/debian:bookworm-slim");
    let docker = Docker::start().await;
    let run = docker.run(&["run", "--rm", "--net=none", &project.image("main")]).await.ok();
    assert_eq!(run.text(), "Hello, world!");
}
