//! The repositories of the demo, which a newcomer sees first, and what stays out of an image.

use slipway_forge::Demo;
use slipway_tests::{Stage, images};

#[tokio::test]
async fn both_repositories_of_the_demo_are_built() {
    let stage = Stage::start().await;
    Demo::prepare(&stage.forge, &images::busybox()).expect("the demo is made");
    let hello = stage.forge.find_repository("mona", "hello").expect("the demo has it");
    let hello = stage.import(&hello).await;
    let two_stages = stage.forge.find_repository("mona", "two-stages").expect("the demo has it");
    let two_stages = stage.import(&two_stages).await;

    let first = hello.built(1).await;
    first.page.assert_says("is built, signed and ready");
    assert!(!first.lines().iter().any(|line| line == "notes" || line == "README.md"), "{}", first.page);
    let second = two_stages.built(1).await;
    second.page.assert_says("is built, signed and ready");
    assert!(second.lines().len() >= 20, "it prints for twenty seconds: {}", second.page);
}

/// As `docker build -f api/api.Dockerfile api` finds it.
#[tokio::test]
async fn a_dockerignore_beside_a_dockerfile_of_another_name_counts() {
    let stage = Stage::start().await;
    let repo = stage.forge.repository("mona", "ignoring", false);
    let busybox = std::fs::read(images::busybox()).expect("busybox-static is installed");
    let dockerfile = format!("{}COPY . /all\nRUN ls -A /all\n", slipway_tests::BUSYBOX);
    repo.change("main")
        .executable("api/busybox", busybox)
        .file("api/api.Dockerfile", dockerfile)
        .file("api/api.Dockerfile.dockerignore", "secret*\n!secret-not\n")
        .file("api/.dockerignore", "shown\n")
        .file("api/secret.txt", "x")
        .file("api/secret-not", "x")
        .file("api/shown", "x")
        .file("outside", "x")
        .commit("Begin");
    let build = stage.import(&repo).await.built(1).await;
    let has = |name: &str| build.lines().iter().any(|line| line == name);
    assert!(has("shown") && has("secret-not"), "{}", build.page);
    assert!(!has("secret.txt") && !has("outside"), "{}", build.page);
}
