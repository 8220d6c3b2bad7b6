//! What pages tell of what lies behind a tag, read by a stranger of a public repository, and the commands they offer.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use slipway_tests::{Client, Page, Visitor};

use super::clients::quiet;
use super::clients_copy::log_in;
use super::content::{descriptor, digest, image};
use super::fixture::{Kind, Registry};

both! {
    a_chart_is_named_and_got_by_helm,
    an_artifact_is_named_and_got_by_oras,
    an_image_of_several_platforms_has_the_size_of_one,
    a_signature_of_a_stranger_names_no_key,
}

async fn look(kind: Kind, path: &str) -> Page {
    Visitor::new(Registry::server(kind).await).get(path).await.ok()
}

async fn publish(kind: Kind, name: &str) {
    Registry::server(kind).await.visibility(name, "public").await;
}

/// Runs a command of a page with the program that it is for.
async fn run(client: &Client, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    quiet(client.run(&words[1..]).await);
}

/// What helm packed or pulled; by digest the file is named after that.
fn charts(helm: &Client) -> Vec<PathBuf> {
    let files = fs::read_dir(helm.home()).expect("the home is ours").flatten().map(|file| file.path());
    files.filter(|file| file.extension().is_some_and(|end| end == "tgz")).collect()
}

async fn a_chart_is_named_and_got_by_helm(kind: Kind) {
    let registry = Registry::on(kind).await;
    let helm = log_in(Client::helm(), &registry);
    let repository = registry.repository();
    helm.run(&["create", "web"]).await.ok();
    helm.run(&["package", "web"]).await.ok();
    let folder = format!("oci://{}/{repository}", registry.host);
    quiet(helm.run(&["push", "--plain-http", "web-0.1.0.tgz", &folder]).await);
    let name = format!("{repository}/web");
    publish(kind, &name).await;
    let page = look(kind, &format!("/{name}/-/tags/0.1.0")).await;
    page.assert_says("Helm chart");
    page.assert_does_not_say("Platforms");
    assert!(!page.body.contains("docker pull"), "{page}");
    let by_digest = page.between_each("<clipboard-copy value=\"", "\"");
    let by_digest = by_digest.into_iter().find(|text| text.starts_with("helm pull") && text.contains("@sha256:"));
    let by_digest = by_digest.expect("a command with the digest").to_owned();
    for command in [page.command("helm pull --plain-http oci://"), by_digest] {
        for chart in charts(&helm) {
            fs::remove_file(chart).expect("it was there");
        }
        run(&helm, &command).await;
        assert_eq!(charts(&helm).len(), 1, "{command} got nothing");
    }
    for path in [format!("/{name}"), format!("/{name}/-/tags")] {
        look(kind, &path).await.assert_says("Helm chart");
    }
    assert!(look(kind, &format!("/{name}")).await.command("helm pull").ends_with("--version 0.1.0"));
}

async fn an_artifact_is_named_and_got_by_oras(kind: Kind) {
    let registry = Registry::on(kind).await;
    let oras = log_in(Client::oras(), &registry);
    let name = registry.repository();
    fs::write(oras.home().join("words.txt"), "some words").expect("the home is ours");
    let artifact = format!("{}/{name}:v1", registry.host);
    let typed = "--artifact-type=application/vnd.acme.words";
    quiet(oras.run(&["push", "--plain-http", typed, &artifact, "words.txt:text/plain"]).await);
    publish(kind, &name).await;
    let page = look(kind, &format!("/{name}/-/tags/v1")).await;
    page.assert_says("Artifact application/vnd.acme.words");
    page.assert_says("words.txt");
    assert!(!page.body.contains("docker pull"), "{page}");
    fs::remove_file(oras.home().join("words.txt")).expect("it was there");
    run(&oras, &page.command("oras pull")).await;
    assert_eq!(fs::read_to_string(oras.home().join("words.txt")).expect("it was pulled"), "some words");
}

async fn an_image_of_several_platforms_has_the_size_of_one(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona) = registry.new_repository().await;
    let mut children = Vec::new();
    for (architecture, size) in [("amd64", 3_000_000), ("arm64", 5_000_000)] {
        let config = format!(r#"{{"os":"linux","architecture":"{architecture}"}}"#);
        let layer = vec![architecture.as_bytes()[0]; size];
        mona.push_blob(&name, config.as_bytes()).await;
        mona.push_blob(&name, &layer).await;
        let manifest = image(config.as_bytes(), &[&layer]);
        let child = mona.push_manifest(&name, &digest(manifest.to_string()), &manifest).await;
        let media_type = manifest["mediaType"].as_str().expect("it has one");
        let mut child = descriptor(media_type, &child, manifest.to_string().len());
        child["platform"] = json!({"os": "linux", "architecture": architecture});
        children.push(child);
    }
    let media_type = "application/vnd.oci.image.index.v1+json";
    let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": children });
    mona.push_manifest(&name, "latest", &index).await;
    publish(kind, &name).await;
    let (namespace, _) = name.split_once('/').expect("two parts");
    for path in [format!("/{name}/-/tags/latest"), format!("/{name}/-/tags"), format!("/{name}")] {
        let page = look(kind, &path).await;
        page.assert_says("3.0 MB to 5.0 MB");
        page.assert_does_not_say("8.0 MB to");
    }
    let short = name.trim_start_matches(&format!("{namespace}/"));
    look(kind, &format!("/{namespace}?q={short}")).await.assert_says("3.0 MB to 5.0 MB");
}

async fn a_signature_of_a_stranger_names_no_key(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, _, image) = registry.with_image().await;
    let cosign = log_in(Client::cosign2(), &registry);
    cosign.run(&["generate-key-pair"]).await.ok();
    let signed = format!("{}/{name}@{}", registry.host, image.digest);
    let options = ["sign", "--allow-http-registry", "--tlog-upload=false", "--key=cosign.key"];
    cosign.run(&[&options[..], &[&signed]].concat()).await.ok();
    publish(kind, &name).await;
    let page = look(kind, &format!("/{name}/-/tags/v1")).await;
    page.assert_says("by a key that this server does not know, checked");
    page.assert_does_not_say("by key ,");
    page.assert_does_not_say("by key");
}
