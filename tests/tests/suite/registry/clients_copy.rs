//! skopeo, crane and regctl: programs that copy, list and delete images without an engine.

use slipway_tests::{Client, images};

use super::clients::quiet;
use super::fixture::{Kind, Registry};

both! {
    crane_pushes_lists_copies_and_deletes,
    skopeo_copies_inspects_and_deletes,
    regctl_copies_lists_and_deletes,
}

/// A client with Mona's login.
pub(super) fn log_in(client: Client, registry: &Registry) -> Client {
    client.log_in(&registry.host, "mona", &registry.mona);
    client
}

async fn crane_pushes_lists_copies_and_deletes(kind: Kind) {
    let registry = Registry::on(kind).await;
    let crane = log_in(Client::crane(), &registry);
    let (one, two) = (registry.repository(), registry.repository());
    let [first, second] = [format!("{}/{one}", registry.host), format!("{}/{two}", registry.host)];
    let tagged = format!("{first}:v1");
    let tar = images::busybox_tar(crane.home()).await;
    quiet(crane.run(&["append", "--new_layer", &tar.to_string_lossy(), "--new_tag", &tagged]).await);
    quiet(crane.run(&["pull", &tagged, "image.tar"]).await);
    quiet(crane.run(&["push", "image.tar", &format!("{first}:again")]).await);
    quiet(crane.run(&["tag", &tagged, "third"]).await);
    let list = crane.run(&["ls", &first]).await.ok();
    assert_eq!(list.text().split_whitespace().collect::<Vec<_>>(), ["again", "third", "v1"]);

    let copy = quiet(crane.run(&["copy", &tagged, &format!("{second}:v1")]).await);
    assert!(copy.stderr.contains("mounted blob"), "{copy}");
    let digest = crane.run(&["digest", &tagged]).await.ok();
    assert_eq!(crane.run(&["digest", &format!("{second}:v1")]).await.ok().text(), digest.text());
    quiet(crane.run(&["validate", "--remote", &tagged]).await);
    let catalog = crane.run(&["catalog", &registry.host]).await.ok();
    assert!([&one, &two].iter().all(|name| catalog.stdout.lines().any(|line| line == **name)), "{catalog}");

    quiet(crane.run(&["delete", &format!("{first}:third")]).await);
    quiet(crane.run(&["delete", &format!("{first}@{}", digest.text())]).await);
    assert!(!crane.run(&["ls", &first]).await.ok().stdout.contains("v1"));
    let gone = crane.run(&["manifest", &tagged]).await.fails();
    assert!(gone.stderr.contains("MANIFEST_UNKNOWN"), "{gone}");
}

async fn skopeo_copies_inspects_and_deletes(kind: Kind) {
    let registry = Registry::on(kind).await;
    let skopeo = log_in(Client::skopeo(), &registry);
    let name = registry.repository();
    let image = format!("docker://{}/{name}:v1", registry.host);
    let tar = images::busybox_tar(skopeo.home()).await;
    let archive = skopeo.home().join("image.tar");
    let append = ["append", "--new_layer", &tar.to_string_lossy(), "--new_tag", "x:1", "--output"];
    Client::crane().run(&[&append[..], &[&archive.to_string_lossy()]].concat()).await.ok();
    let (to, from) = ("--dest-tls-verify=false", "--src-tls-verify=false");
    quiet(skopeo.run(&["copy", to, "docker-archive:image.tar", &image]).await);
    quiet(skopeo.run(&["copy", to, "--format=oci", "docker-archive:image.tar", &image.replace(":v1", ":oci")]).await);
    quiet(skopeo.run(&["copy", from, &image, "oci:layout:v1"]).await);
    let other = format!("docker://{}/{}:v1", registry.host, registry.repository());
    quiet(skopeo.run(&["copy", from, to, &image, &other]).await);
    let tags = skopeo.run(&["list-tags", "--tls-verify=false", image.trim_end_matches(":v1")]).await.ok();
    assert!(tags.stdout.contains("\"oci\"") && tags.stdout.contains("\"v1\""), "{tags}");
    let inspect = skopeo.run(&["inspect", "--tls-verify=false", &image]).await.ok();
    assert!(inspect.stdout.contains(&format!("\"Name\": \"{}/{name}\"", registry.host)), "{inspect}");
    quiet(skopeo.run(&["delete", "--tls-verify=false", &image]).await);
    skopeo.run(&["inspect", "--tls-verify=false", &image]).await.fails();
    quiet(skopeo.run(&["inspect", "--tls-verify=false", &other]).await);
}

async fn regctl_copies_lists_and_deletes(kind: Kind) {
    let registry = Registry::on(kind).await;
    let regctl = log_in(Client::regctl(), &registry);
    regctl.run(&["registry", "set", "--tls", "disabled", &registry.host]).await.ok();
    let image = format!("{}/{}:v1", registry.host, registry.repository());
    let copy = format!("{}/{}:v1", registry.host, registry.repository());
    let tar = images::busybox_tar(regctl.home()).await;
    let append = ["append", "--new_layer", &tar.to_string_lossy(), "--new_tag", &image];
    log_in(Client::crane(), &registry).run(&append).await.ok();
    quiet(regctl.run(&["image", "copy", &image, &copy]).await);
    quiet(regctl.run(&["image", "copy", &image, "ocidir://layout:v1"]).await);
    quiet(regctl.run(&["image", "copy", "ocidir://layout:v1", &image.replace(":v1", ":v2")]).await);
    let tags = quiet(regctl.run(&["tag", "ls", image.trim_end_matches(":v1")]).await);
    assert_eq!(tags.text().split_whitespace().collect::<Vec<_>>(), ["v1", "v2"]);
    let blobs = quiet(regctl.run(&["manifest", "get", "--format", "raw-body", &copy]).await);
    assert!(blobs.stdout.contains("\"layers\""), "{blobs}");
    quiet(regctl.run(&["repo", "ls", &registry.host]).await);
    quiet(regctl.run(&["tag", "rm", &image]).await);
    let tags = quiet(regctl.run(&["tag", "ls", image.trim_end_matches(":v1")]).await);
    assert_eq!(tags.text(), "v2");
}
