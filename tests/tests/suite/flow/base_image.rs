//! An official base image by its usual name, from a mirror, and packages from the distribution.

use slipway_forge::ForgeConfig;
use slipway_tests::{Client, Stage, images};

/// What people write, and one step that runs what was installed: sooner than a pull of the whole image.
const DOCKERFILE: &str = "# syntax=docker/dockerfile:1\nFROM debian:bookworm-slim\n\
    RUN apt-get update && apt-get install -y hello\nRUN hello --greeting='installed and run'\nCMD [\"hello\"]\n";

/// Made here and pushed by hand, since no registry on the internet is asked.
async fn push_base(stage: &Stage) {
    stage.server.admin(&["namespace", "add", "library", "--owner", "mona"]).await;
    let crane = Client::crane();
    let token = stage.server.admin(&["token", "add", "--user", "mona"]).await;
    crane.log_in(&stage.server.host(), "mona", &token);
    let base = format!("{}/library/debian:bookworm-slim", stage.server.host());
    let layer = images::debian_tar().await;
    crane.run(&["append", "--new_layer", &layer.to_string_lossy(), "--new_tag", &base]).await.ok();
    crane.run(&["mutate", "--set-platform", "linux/amd64", "--tag", &base, &base]).await.ok();
    stage.server.admin(&["repository", "visibility", "library/debian", "public"]).await;
}

#[tokio::test]
async fn a_usual_dockerfile_builds_on_a_base_image_from_the_mirror() {
    let stage = Stage::with(ForgeConfig::default(), |server| {
        let mirror = format!("docker.io=localhost:{}", server.port());
        server.env("SLIPWAY_REGISTRY_MIRRORS", mirror)
    })
    .await;
    push_base(&stage).await;
    let repo = stage.forge.repository("mona", "usual", false);
    repo.commit("main", &[("Dockerfile", DOCKERFILE)], "Say hello");
    let project = stage.import(&repo).await;
    let build = project.built(1).await;
    build.page.assert_says("FROM docker.io/library/debian:bookworm-slim@sha256:");
    let tag = stage.mona.get(&project.path("tags/main")).await.ok();
    let base = tag.between("id=\"base-images\"", "</ul>");
    assert!(base.contains("debian:bookworm-slim") && base.contains("linux/amd64"), "{base}");
    assert!(base.contains("clipboard-copy value=\"sha256:"), "{base}");
    assert!(build.lines().contains(&"installed and run".to_owned()), "{}", build.page);
}
