//! A private base image at a registry that asks for a login and whose authority only the operator knows.

use slipway_forge::ForgeConfig;
use slipway_tests::{Certificate, Client, Server, Stage, images};

#[tokio::test]
async fn a_private_base_comes_from_a_registry_with_login_and_authority_of_the_operator() {
    let certificate = Certificate::for_localhost().await;
    let upstream = Server::builder().tls(&certificate).start().await;
    upstream.admin(&["user", "add", "vendor"]).await;
    upstream.admin(&["namespace", "add", "vendor", "--owner", "vendor"]).await;
    let token = upstream.admin(&["token", "add", "--user", "vendor"]).await;
    let base = format!("{}/vendor/base:1", upstream.host());
    push_busybox(&base, &token, &certificate).await;

    let login = format!("{}=vendor:{token}", upstream.host());
    let mirror = format!("vendor.example=https://{}", upstream.host());
    let authority = certificate.authority();
    let stage = Stage::with(ForgeConfig::default(), |server| {
        let server = server.env("SLIPWAY_REGISTRY_CA_FILES", &authority).env("SLIPWAY_REGISTRY_MIRRORS", &mirror);
        server.env("SLIPWAY_REGISTRY_LOGINS", &login)
    })
    .await;
    let repo = stage.forge.repository("mona", "derived", false);
    let dockerfile = "FROM vendor.example/vendor/base:1\nRUN echo derived from a private base\n";
    repo.commit("main", &[("Dockerfile", dockerfile)], "Begin");
    let build = stage.import(&repo).await.built(1).await;
    assert!(build.lines().contains(&"derived from a private base".to_owned()), "{}", build.page);

    // Without the login it stays closed, and the page says which image it is.
    let stage = Stage::with(ForgeConfig::default(), |server| {
        server.env("SLIPWAY_REGISTRY_CA_FILES", &authority).env("SLIPWAY_REGISTRY_MIRRORS", &mirror)
    })
    .await;
    let repo = stage.forge.repository("mona", "derived", false);
    repo.commit("main", &[("Dockerfile", dockerfile)], "Begin");
    let build = stage.import(&repo).await.wait_for_build(1).await;
    assert_eq!(build.state, "failed", "{}", build.page);
    build.page.assert_says("vendor/base");
}

async fn push_busybox(image: &str, token: &str, certificate: &Certificate) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let layer = images::busybox_tar(folder.path()).await.to_string_lossy().into_owned();
    let crane = Client::crane();
    let host = image.split('/').next().expect("a host");
    let run = async |words: &[&str]| {
        crane.command(words).env("SSL_CERT_FILE", certificate.authority()).output().await.ok();
    };
    run(&["auth", "login", host, "-u", "vendor", "-p", token]).await;
    run(&["append", "--new_layer", &layer, "--new_tag", image]).await;
    run(&["mutate", "--set-platform", "linux/amd64", "--tag", image, image]).await;
}
