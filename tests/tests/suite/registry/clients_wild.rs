//! Programs that ask for what is not there, write `null`, or do not listen before they have sent it all.

use std::fs;

use serde_json::{Value, json};
use slipway_tests::{Buildkit, Client, Run, Visitor, images, tool};

use super::clients::quiet;
use super::clients_copy::log_in;
use super::content::{OCI_MANIFEST, descriptor, digest, many_bytes};
use super::fixture::{Kind, Registry};

both! {
    crane_copies_into_a_new_repository_and_overwrites_nothing,
    skopeo_says_that_a_repository_is_not_there,
    regctl_and_oras_write_nulls,
    buildkit_keeps_its_cache_as_an_index_of_layers,
    who_does_not_listen_before_it_has_sent_all_gets_the_answer,
}

async fn crane_copies_into_a_new_repository_and_overwrites_nothing(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (one, mona, image) = registry.with_image().await;
    let crane = log_in(Client::crane(), &registry);
    let new = registry.repository();
    let [from, to] = [format!("{}/{one}:v1", registry.host), format!("{}/{new}:v1", registry.host)];
    quiet(crane.run(&["cp", "--no-clobber", &from, &to]).await);
    assert_eq!(crane.run(&["digest", &to]).await.ok().text(), image.digest);
    let other = mona.push_image(&one, "v2").await;
    let other_from = from.replace(":v1", ":v2");
    let refused = crane.run(&["cp", "--no-clobber", &other_from, &to]).await;
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("refusing to clobber"), "{refused}");
    assert_eq!(crane.run(&["digest", &to]).await.ok().text(), image.digest);
    quiet(crane.run(&["cp", "--no-clobber", &other_from, &to.replace(":v1", ":v2")]).await);
    assert_eq!(crane.run(&["digest", &to.replace(":v1", ":v2")]).await.ok().text(), other.digest);
}

async fn skopeo_says_that_a_repository_is_not_there(kind: Kind) {
    let registry = Registry::on(kind).await;
    let absent = format!("docker://{}/{}", registry.host, registry.repository());
    let list = ["list-tags", "--tls-verify=false", &absent];
    let said = log_in(Client::skopeo(), &registry).run(&list).await.fails();
    assert!(said.stderr.contains("404") && !said.stderr.contains("password"), "{said}");
    let eve = Client::skopeo();
    eve.log_in(&registry.host, "eve", &registry.eve);
    let said = eve.run(&list).await.fails();
    assert!(said.stderr.contains("denied") || said.stderr.contains("unauthorized"), "{said}");
}

async fn regctl_and_oras_write_nulls(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let empty = mona.push_blob(&name, b"{}").await;
    let repository = format!("{}/{name}", registry.host);
    let mut artifact = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/vnd.acme.mark",
        "config": descriptor("application/vnd.oci.empty.v1+json", &empty, 2),
        "layers": null,
        "annotations": null,
        "subject": descriptor(OCI_MANIFEST, &image.digest, image.manifest.to_string().len()),
    });
    for key in ["urls", "annotations", "platform", "data"] {
        artifact["config"][key] = Value::Null;
    }
    let regctl = log_in(Client::regctl(), &registry);
    regctl.run(&["registry", "set", "--tls", "disabled", &registry.host]).await.ok();
    let put = ["manifest", "put", "--content-type", OCI_MANIFEST, &format!("{repository}:mark")];
    regctl.command(&put).input(artifact.to_string()).output().await.ok();
    let list = quiet(regctl.run(&["artifact", "list", &format!("{repository}:v1")]).await);
    assert!(list.stdout.contains("application/vnd.acme.mark"), "{list}");

    let oras = log_in(Client::oras(), &registry);
    artifact["artifactType"] = json!("");
    fs::write(oras.home().join("mark.json"), artifact.to_string()).expect("the home is ours");
    let push = ["manifest", "push", "--plain-http", "--media-type", OCI_MANIFEST];
    quiet(oras.run(&[&push[..], &[&format!("{repository}:again"), "mark.json"]].concat()).await);
    let found = quiet(oras.run(&["discover", "--plain-http", "--format=json", &format!("{repository}:v1")]).await);
    // Of the second one the type is that of its config.
    for kind in ["application/vnd.acme.mark", "application/vnd.oci.empty.v1+json"] {
        assert!(found.stdout.contains(kind), "{kind}: {found}");
    }
}

async fn buildkit_keeps_its_cache_as_an_index_of_layers(kind: Kind) {
    let registry = Registry::on(kind).await;
    let name = registry.repository();
    let context = Client::crane();
    images::busybox_context(context.home(), "RUN echo made once > /made\n");
    let cache = format!("type=registry,ref={}/{name}:cache", registry.host);
    let export = format!("{cache},image-manifest=false,oci-mediatypes=true,mode=max");
    let build = async |more: &[&str]| {
        let buildkit = Buildkit::start().await;
        let buildctl = log_in(Client::new("buildctl"), &registry);
        let folder = context.home().display();
        let (address, context, dockerfile) =
            (buildkit.address(), format!("context={folder}"), format!("dockerfile={folder}"));
        let start = ["--addr", &address, "build", "--progress=plain", "--frontend", "dockerfile.v0"];
        let local = ["--local", &context, "--local", &dockerfile];
        buildctl.run(&[&start[..], &local[..], more].concat()).await.ok()
    };
    build(&["--export-cache", &export]).await;
    let mona = registry.mona(&[&name]).await;
    let index = mona.get(&format!("/v2/{name}/manifests/cache")).await.is(200).json();
    let types: Vec<_> =
        index["manifests"].as_array().expect("an index").iter().map(|d| d["mediaType"].clone()).collect();
    assert!(types.contains(&json!("application/vnd.buildkit.cacheconfig.v0")), "{index}");
    let server = Registry::server(kind).await;
    server.visibility(&name, "public").await;
    let page = Visitor::new(server).get(&format!("/{name}/-/tags/cache")).await.ok();
    assert!(page.body.contains("--cache-from") && !page.body.contains("docker pull"), "{page}");
    // Another daemon, which has nothing, takes the step from there.
    let again = build(&["--import-cache", &cache]).await;
    let said = format!("{}{}", again.stdout, again.stderr);
    assert!(said.contains("CACHED") && !said.contains("failed to import"), "{said}");
}

async fn who_does_not_listen_before_it_has_sent_all_gets_the_answer(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona) = registry.new_repository().await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("blob");
    // This program sends text only.
    let bytes = hex::encode(many_bytes(8 << 20)).into_bytes();
    fs::write(&file, &bytes).expect("the folder is ours");
    let uploads =
        format!("http://{}/v2/{name}/blobs/uploads/?digest=", registry.host.replace("localhost", "127.0.0.1"));
    let post = async |digest: &str, header: &str| {
        let run = Run::new(tool("busybox")).args(["wget", "-q", "-S", "-O", "-", "--header", header, "--post-file"]);
        run.args([&*file.to_string_lossy(), &format!("{uploads}{digest}")]).output().await
    };
    let own = format!("Authorization: {}", mona.authorization());
    for (digest, header, status) in [
        (digest(&bytes), "Accept: */*", "401"),
        ("sha256:x".into(), &own, "400"),
        (digest(b"something else"), &own, "400"),
    ] {
        let refused = post(&digest, header).await.fails();
        assert!(refused.stderr.contains(&format!("HTTP/1.1 {status}")), "{refused}");
    }
    let taken = post(&digest(&bytes), &own).await.ok();
    assert!(taken.stderr.contains("201"), "{taken}");
    mona.has_blob(&name, &bytes).await;
}
