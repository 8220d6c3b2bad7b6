//! docker and podman, as people type them.

use slipway_tests::{Client, Docker, Output, images};

use super::fixture::{Kind, Registry};

both! {
    docker_pushes_pulls_and_runs,
    docker_skips_and_mounts_what_is_there,
    docker_says_why_it_was_refused,
    docker_pulls_what_is_public_without_a_login,
    podman_pushes_pulls_and_runs,
}

/// Asserts that a program said nothing of a second try or a doubt.
#[track_caller]
pub(super) fn quiet(output: Output) -> Output {
    let said = format!("{}{}", output.stdout, output.stderr);
    // What regctl says of its own setting.
    let said: String = said.lines().filter(|line| !line.contains("Changing TLS settings")).collect();
    let said = said.to_lowercase();
    let loud = ["retry", "warn", "deprecated", "error", "unexpected"].iter().find(|word| said.contains(**word));
    assert!(loud.is_none(), "{loud:?} in {output}");
    output.ok()
}

async fn docker(registry: &Registry) -> Docker {
    let docker = Docker::start().await;
    let login = docker.login(&registry.host, "mona", &registry.mona).await.ok();
    assert!(login.stdout.contains("Login Succeeded"), "{login}");
    docker
}

async fn docker_pushes_pulls_and_runs(kind: Kind) {
    let registry = Registry::on(kind).await;
    let docker = docker(&registry).await;
    let image = format!("{}/{}:v1", registry.host, registry.repository());
    docker.import_busybox(&image).await;
    quiet(docker.run(&["push", &image]).await);
    docker.run(&["rmi", &image]).await.ok();
    quiet(docker.run(&["pull", &image]).await);
    let run = docker.run(&["run", "--rm", "--net=none", &image, "echo", "hello"]).await.ok();
    assert_eq!(run.text(), "hello");
    docker.run(&["rmi", &image]).await.ok();
}

async fn docker_skips_and_mounts_what_is_there(kind: Kind) {
    let registry = Registry::on(kind).await;
    let docker = docker(&registry).await;
    let (one, two) = (registry.repository(), registry.repository());
    let [first, again, other] = [
        format!("{}/{one}:v1", registry.host),
        format!("{}/{one}:v2", registry.host),
        format!("{}/{two}:v1", registry.host),
    ];
    docker.import_busybox(&first).await;
    docker.run(&["tag", &first, &again]).await.ok();
    docker.run(&["tag", &first, &other]).await.ok();
    quiet(docker.run(&["push", &first]).await);
    let push = quiet(docker.run(&["push", &again]).await);
    assert!(push.stdout.contains("Layer already exists"), "{push}");
    let push = quiet(docker.run(&["push", &other]).await);
    assert!(push.stdout.contains(&format!("Mounted from {one}")), "{push}");
    docker.run(&["rmi", &first, &again, &other]).await.ok();
}

async fn docker_says_why_it_was_refused(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, ..) = registry.with_image().await;
    let image = format!("{}/{name}:v1", registry.host);
    let docker = Docker::start().await;
    let login = docker.login(&registry.host, "mona", "slp_wrong").await.fails();
    assert!(login.stderr.contains("the token is unknown, has expired or was revoked"), "{login}");
    for eve in [false, true] {
        if eve {
            docker.login(&registry.host, "eve", &registry.eve).await.ok();
        }
        let pull = docker.run(&["pull", &image]).await.fails();
        assert!(pull.stderr.contains("repository does not exist or may require 'docker login'"), "{pull}");
        let own = format!("{}/{}:v1", registry.host, registry.repository());
        docker.import_busybox(&own).await;
        let push = docker.run(&["push", &own]).await.fails();
        assert!(push.stderr.contains("denied") && !push.stdout.contains("Retrying"), "{push}");
        docker.run(&["rmi", &own]).await.ok();
    }
    docker.login(&registry.host, "mona", &registry.mona).await.ok();
    let pull = docker.run(&["pull", &image.replace(":v1", ":absent")]).await.fails();
    assert!(pull.stderr.contains("manifest `absent` is not in this repository"), "{pull}");
}

async fn docker_pulls_what_is_public_without_a_login(kind: Kind) {
    let registry = Registry::on(kind).await;
    let with_login = docker(&registry).await;
    let name = registry.repository();
    let image = format!("{}/{name}:v1", registry.host);
    with_login.import_busybox(&image).await;
    quiet(with_login.run(&["push", &image]).await);
    with_login.run(&["rmi", &image]).await.ok();
    Registry::server(kind).await.visibility(&name, "public").await;
    let nobody = Docker::start().await;
    quiet(nobody.run(&["pull", &image]).await);
    nobody.run(&["rmi", &image]).await.ok();
}

async fn podman_pushes_pulls_and_runs(kind: Kind) {
    let registry = Registry::on(kind).await;
    let podman = Client::podman();
    let tls = "--tls-verify=false";
    let login = ["login", tls, "--username=mona", "--password", &registry.mona, &registry.host];
    quiet(podman.run(&login).await);
    let image = format!("{}/{}:v1", registry.host, registry.repository());
    let tar = images::busybox_tar(podman.home()).await;
    podman.run(&["import", &tar.to_string_lossy(), &image]).await.ok();
    quiet(podman.run(&["push", tls, &image]).await);
    podman.run(&["rmi", &image]).await.ok();
    quiet(podman.run(&["pull", tls, &image]).await);
    let run = podman.run(&["run", "--rm", "--network=none", &image, "echo", "hello"]).await.ok();
    assert_eq!(run.text(), "hello");
    let oci = image.replace(":v1", ":oci");
    quiet(podman.run(&["push", tls, "--format=oci", &image, &oci]).await);
    let docker = image.replace(":v1", ":docker");
    quiet(podman.run(&["push", tls, "--format=v2s2", &image, &docker]).await);
}
