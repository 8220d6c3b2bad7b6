//! What was built is pulled and checked by the stock clients, with the commands that the pages show.

use slipway_tests::{Client, Docker, Output, Stage};

const BUILD: &str = "RUN echo \"made by slipway\" > /said\nCMD [\"cat\", \"/said\"]\n";

/// Splits a command that a page offers: the program, and its arguments.
fn words(command: &str) -> (&str, Vec<&str>) {
    let mut words = command.split(' ');
    (words.next().unwrap_or_default(), words.collect())
}

/// cosign without any network but this machine's own.
async fn offline(cosign: &Client, args: &[&str]) -> Output {
    let nowhere = "http://127.0.0.1:9";
    let run = cosign.command(args).env("HTTPS_PROXY", nowhere).env("HTTP_PROXY", nowhere);
    run.env("NO_PROXY", "localhost,127.0.0.1").output().await
}

#[tokio::test]
async fn stock_clients_pull_run_and_verify_what_was_built() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("greeter", BUILD)).await;
    let page = project.built(1).await.page;
    page.assert_says("is built, signed and ready");
    page.assert_says("The repository is public, so no sign-in is needed.");
    let (by_tag, digest) = (project.image("main"), project.digest("main").await.expect("main was built"));
    let by_digest = project.image(&format!("@{digest}"));

    let docker = Docker::start().await;
    let pull = page.command("docker pull ");
    assert_eq!(pull, format!("docker pull {by_tag}"));
    let pulled = docker.run(&words(&pull).1).await.ok();
    assert!(pulled.stdout.contains(&digest), "{pulled}");
    let run = docker.run(&["run", "--rm", "--net=none", &by_tag]).await.ok();
    assert_eq!(run.text(), "made by slipway");
    docker.run(&["pull", &project.image("latest")]).await.ok();

    let repository = stage.mona.get("/mona/greeter").await.ok();
    let podman = Client::podman();
    let pull = repository.command("podman pull ");
    podman.run(&words(&pull).1).await.ok();
    let image = pull.split(' ').next_back().expect("it names an image");
    let run = podman.run(&["run", "--rm", "--network=none", image]).await.ok();
    assert_eq!(run.text(), "made by slipway");

    let skopeo = Client::skopeo();
    let source = format!("docker://{by_digest}");
    let inspected = skopeo.run(&["inspect", "--tls-verify=false", &source]).await.ok();
    assert!(inspected.stdout.contains("linux"), "{inspected}");
    skopeo.run(&["copy", "--all", "--src-tls-verify=false", &source, "oci:layout:main"]).await.ok();
    let manifest = Client::crane().run(&["manifest", &by_tag]).await.ok();
    assert!(manifest.stdout.contains("attestation-manifest"), "no provenance: {manifest}");
}

#[tokio::test]
async fn cosign_accepts_what_was_built_and_nothing_else() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("signed", BUILD)).await;
    let command = project.built(1).await.page.command("cosign verify ");
    let digest = project.digest("main").await.expect("main was built");
    let (by_tag, by_digest) = (project.image("main"), project.image(&format!("@{digest}")));
    let (program, args) = words(&command);
    assert_eq!((program, args.last().copied()), ("cosign", Some(by_tag.as_str())), "{command}");
    let tag_page = stage.mona.get(&project.path("tags/main")).await.ok();
    assert_eq!(tag_page.command("cosign verify "), command);
    assert!(tag_page.between("id=\"signature\">", "</dd>").contains("Verified"), "{tag_page}");

    let by_hand = pushed_by_hand(&stage).await;
    let page = stage.mona.get("/mona/byhand/-/tags/1").await.ok();
    assert!(page.between("id=\"signature\">", "</dd>").contains("Not signed"), "{page}");
    page.assert_does_not_say("cosign verify");

    for cosign in [Client::cosign(), Client::cosign2()] {
        cosign.log_in(&stage.server.host(), "mona", &stage.server.admin(&["token", "add", "--user", "mona"]).await);
        let of = |image: &str| -> Vec<String> {
            let start = args[..args.len() - 1].iter().map(|&word| word.to_owned());
            start.chain([image.to_owned()]).collect()
        };
        for image in [&by_tag, &by_digest] {
            let verified = offline(&cosign, &refs(&of(image))).await.ok();
            assert!(verified.stdout.contains(&digest), "{verified}");
        }
        let refused = offline(&cosign, &refs(&of(&by_hand))).await.fails();
        assert!(refused.stderr.contains("no signatures found"), "{refused}");
        cosign.run(&["generate-key-pair"]).await.ok();
        let other = ["verify", "--key", "cosign.pub", "--private-infrastructure", &by_tag];
        let refused = offline(&cosign, &other).await.fails();
        assert!(refused.stderr.contains("no matching signatures"), "{refused}");
    }
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// An image that no build made.
async fn pushed_by_hand(stage: &Stage) -> String {
    let docker = Docker::start().await;
    let image = format!("{}/mona/byhand:1", stage.server.host());
    let token = stage.server.admin(&["token", "add", "--user", "mona"]).await;
    docker.login(&stage.server.host(), "mona", &token).await.ok();
    docker.import_busybox(&image).await;
    docker.run(&["push", &image]).await.ok();
    image
}
