//! oras, helm and cosign: what is no image.

use std::fs;

use slipway_tests::Client;

use super::clients::quiet;
use super::clients_copy::log_in;
use super::fixture::{Kind, Registry};

both! {
    oras_pushes_attaches_discovers_and_pulls,
    helm_pushes_and_pulls_a_chart,
    cosign_signs_and_verifies,
}

async fn oras_pushes_attaches_discovers_and_pulls(kind: Kind) {
    let registry = Registry::on(kind).await;
    let oras = log_in(Client::oras(), &registry);
    let artifact = format!("{}/{}:v1", registry.host, registry.repository());
    for (file, text) in [("words.txt", "some words"), ("sbom.json", "{}")] {
        fs::write(oras.home().join(file), text).expect("the home is ours");
    }
    let kind = "--artifact-type=application/vnd.acme.words";
    quiet(oras.run(&["push", "--plain-http", kind, &artifact, "words.txt:text/plain"]).await);
    let sbom = "--artifact-type=application/vnd.acme.sbom";
    quiet(oras.run(&["attach", "--plain-http", sbom, &artifact, "sbom.json:application/json"]).await);
    let found = quiet(oras.run(&["discover", "--plain-http", "--format=json", &artifact]).await);
    assert!(found.stdout.contains("application/vnd.acme.sbom"), "{found}");
    let filtered = quiet(oras.run(&["discover", "--plain-http", "--artifact-type=none", &artifact]).await);
    assert!(!filtered.stdout.contains("application/vnd.acme.sbom"), "{filtered}");
    fs::remove_file(oras.home().join("words.txt")).expect("the home is ours");
    quiet(oras.run(&["pull", "--plain-http", &artifact]).await);
    let words = fs::read_to_string(oras.home().join("words.txt")).expect("the file was pulled");
    assert_eq!(words, "some words");
    let copy = artifact.replace(":v1", "/copy:v1");
    let options = ["cp", "--recursive", "--from-plain-http", "--to-plain-http"];
    quiet(oras.run(&[&options[..], &[&artifact, &copy]].concat()).await);
    let found = quiet(oras.run(&["discover", "--plain-http", "--format=json", &copy]).await);
    assert!(found.stdout.contains("application/vnd.acme.sbom"), "{found}");
}

async fn helm_pushes_and_pulls_a_chart(kind: Kind) {
    let registry = Registry::on(kind).await;
    let helm = log_in(Client::helm(), &registry);
    let folder = format!("oci://{}/{}", registry.host, registry.repository());
    helm.run(&["create", "web"]).await.ok();
    helm.run(&["package", "web"]).await.ok();
    quiet(helm.run(&["push", "--plain-http", "web-0.1.0.tgz", &folder]).await);
    fs::remove_file(helm.home().join("web-0.1.0.tgz")).expect("the home is ours");
    quiet(helm.run(&["pull", "--plain-http", "--version=0.1.0", &format!("{folder}/web")]).await);
    assert!(helm.home().join("web-0.1.0.tgz").exists());
    let shown = helm.run(&["show", "chart", "--plain-http", &format!("{folder}/web")]).await.ok();
    assert!(shown.stdout.contains("name: web"), "{shown}");
}

async fn cosign_signs_and_verifies(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, _, image) = registry.with_image().await;
    let cosign = log_in(Client::cosign2(), &registry);
    cosign.run(&["generate-key-pair"]).await.ok();
    let image = format!("{}/{name}@{}", registry.host, image.digest);
    let local = "--allow-http-registry";
    cosign.run(&["sign", local, "--tlog-upload=false", "--key=cosign.key", &image]).await.ok();
    cosign.run(&["verify", local, "--private-infrastructure", "--key=cosign.pub", &image]).await.ok();
}
