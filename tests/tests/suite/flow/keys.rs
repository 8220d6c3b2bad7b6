//! Keys of namespaces with the real cosign, 3 and 2: whose image is verified by whose key, and what a change of the key
//! does to what is kept.

use std::time::Duration;

use slipway_forge::ForgeConfig;
use slipway_tests::{Client, Output, Project, Run, Stage, images, tool};
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_mins(2);

/// `cosign verify` with the key at an address, or in a file.
async fn verify(cosign: &Client, key: &str, image: &str) -> Output {
    let nowhere = "http://127.0.0.1:9";
    let args = ["verify", "--key", key, "--private-infrastructure", image];
    let run = cosign.command(&args).env("HTTPS_PROXY", nowhere).env("HTTP_PROXY", nowhere);
    run.env("NO_PROXY", "localhost,127.0.0.1").output().await
}

async fn logged_in(stage: &Stage, client: Client) -> Client {
    let token = stage.server.admin(&["token", "add", "--user", "mona", "--scopes", "read,write,admin"]).await;
    client.log_in(&stage.server.host(), "mona", &token);
    client
}

async fn cosigns(stage: &Stage) -> [Client; 2] {
    [logged_in(stage, Client::cosign()).await, logged_in(stage, Client::cosign2()).await]
}

async fn signature_of(stage: &Stage, path: &str) -> String {
    let page = stage.mona.get(path).await.ok();
    page.between("id=\"signature\">", "</dd>").to_owned()
}

/// Waits until everything is signed again.
async fn signed_again(stage: &Stage, project: &Project<'_>) -> String {
    let settings = timeout(PATIENCE, async {
        loop {
            let page = stage.mona.get(&project.path("settings")).await.ok();
            if page.text().contains("signed with it again") {
                return page;
            }
            sleep(Duration::from_millis(200)).await;
        }
    });
    settings.await.expect("the job comes to its end").text()
}

fn key_of(stage: &Stage, name: &str) -> String {
    stage.server.url(&format!("/{name}/-/cosign.pub"))
}

async fn pem_at(url: &str) -> String {
    reqwest::get(url).await.expect("the server answers").text().await.expect("a key is text")
}

fn tag_beside(digest: &str) -> String {
    format!("{}.sig", digest.replace(':', "-"))
}

#[tokio::test]
async fn an_image_copied_with_its_signature_is_not_verified_by_the_other_namespace() {
    let stage = Stage::start().await;
    let evil = stage.import(&stage.repository("app", "")).await;
    evil.built(1).await;
    let digest = evil.digest("main").await.expect("it was built");
    stage.server.admin(&["namespace", "add", "acme", "--owner", "mona"]).await;
    let crane = logged_in(&stage, Client::crane()).await;
    let host = stage.server.host();
    let copied = format!("{host}/acme/web:latest");
    crane.run(&["copy", &evil.image("main"), &copied]).await.ok();
    let beside = tag_beside(&digest);
    crane.run(&["copy", &evil.image(&beside), &format!("{host}/acme/web:{beside}")]).await.ok();

    let said = signature_of(&stage, "/acme/web/-/tags/latest").await;
    assert!(said.contains("Signed here for mona/app") && !said.contains("Verified"), "{said}");
    let list = stage.mona.get("/acme/web/-/tags").await.ok();
    list.assert_says("Signed here for mona/app");
    list.assert_does_not_say("Verified");
    stage.mona.get("/acme/web").await.ok().assert_does_not_say("cosign verify");
    for cosign in cosigns(&stage).await {
        let refused = verify(&cosign, &key_of(&stage, "acme/web"), &copied).await.fails();
        assert!(refused.stderr.contains("no matching signatures"), "{refused}");
        verify(&cosign, &key_of(&stage, "mona/app"), &evil.image("main")).await.ok();
    }
}

#[tokio::test]
async fn cosign_copies_images_and_indexes_with_their_signatures() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("copied", "")).await;
    project.built(1).await;
    let crane = logged_in(&stage, Client::crane()).await;
    let host = stage.server.host();
    let tar = images::busybox_tar(crane.home()).await;
    let plain = format!("{host}/mona/plain:v1");
    crane.run(&["append", "--new_layer", &tar.to_string_lossy(), "--new_tag", &plain]).await.ok();
    for cosign in cosigns(&stage).await {
        let name = cosign.name();
        for (from, tag) in [(&project.image("main"), "index"), (&plain, "plain")] {
            let to = format!("{host}/mona/{name}:{tag}");
            cosign.run(&["copy", "--allow-http-registry", from, &to]).await.ok();
            let copied = crane.run(&["digest", &to]).await.ok();
            assert_eq!(copied.text(), crane.run(&["digest", from]).await.ok().text());
        }
        let signatures = format!("{host}/mona/{name}-signatures:copied");
        let only = ["copy", "--allow-http-registry", "--only=sig", &project.image("main"), &signatures];
        cosign.run(&only).await.ok();
        let digest = project.digest("main").await.expect("it was built");
        for copied in [format!("{host}/mona/{name}@{digest}"), signatures.replace(":copied", &format!("@{digest}"))] {
            verify(&cosign, &key_of(&stage, "mona/copied"), &copied).await.ok();
        }
    }
}

#[tokio::test]
async fn a_key_is_rotated_and_revoked_by_buttons_and_cosign_goes_along() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("keys", "")).await;
    project.built(1).await;
    let image = project.image("main");
    let url = key_of(&stage, &project.name);
    let first = pem_at(&url).await;
    let cosigns = cosigns(&stage).await;

    let confirm = stage.mona.get(&project.path("settings/key/rotate")).await.ok();
    let fingerprint = confirm.between("<span class=\"mono mono-wrap\">", "</span>").to_owned();
    confirm.assert_says("What the key before signed stays verified.");
    stage.mona.post(&project.path("settings/key/rotate"), &[("", ""); 0]).await.location();
    for cosign in &cosigns {
        verify(cosign, &url, &image).await.ok();
    }
    signed_again(&stage, &project).await;
    let second = pem_at(&url).await;
    assert_ne!(second, first);
    let by_fingerprint = format!("{url}?key={fingerprint}");
    assert_eq!(pem_at(&by_fingerprint).await, first);
    for cosign in &cosigns {
        for key in [&url, &by_fingerprint] {
            verify(cosign, key, &image).await.ok();
        }
    }
    assert!(signature_of(&stage, &project.path("tags/main")).await.contains("Verified"));
    let told = stage.server.admin(&["key", "show", "mona"]).await;
    assert!(told.contains("signing again is done") && told.contains("is retired"), "{told}");

    let present = stage.mona.get(&project.path("settings/key/revoke")).await.ok();
    let present = present.between("name=\"key\" value=\"", "\"").to_owned();
    let wrong = stage.mona.post(&project.path("settings/key/revoke"), &[("key", &*present), ("name", "x")]).await;
    assert_eq!(wrong.status, 422, "{wrong}");
    stage.mona.post(&project.path("settings/key/revoke"), &[("key", &*present), ("name", "mona")]).await.location();
    assert_ne!(pem_at(&url).await, second, "a revoked key is not offered");
    signed_again(&stage, &project).await;
    assert!(signature_of(&stage, &project.path("tags/main")).await.contains("Verified"));
    for cosign in &cosigns {
        verify(cosign, &url, &image).await.ok();
    }
    let told = stage.server.admin(&["key", "rotate", "mona"]).await;
    assert!(told.contains("signs with SHA256:"), "{told}");
}

/// The version before had one key for all, and no row about signing again.
async fn as_the_version_before(stage: &Stage) {
    let database = stage.server.data_dir().join("slipway.db");
    let sql = "PRAGMA foreign_keys = ON; DELETE FROM signing_run; \
               UPDATE signing_key SET scope = 'instance', namespace_id = NULL";
    let patient = ["-cmd".as_ref(), ".timeout 10000".as_ref(), database.as_os_str(), sql.as_ref()];
    Run::new(tool("sqlite3")).args(patient).output().await.ok();
}

#[tokio::test]
async fn what_the_version_before_signed_verifies_before_and_after_it_is_signed_again() {
    let mut stage = Stage::with(ForgeConfig::default(), |server| server).await;
    let name = {
        let project = stage.import(&stage.repository("old", "")).await;
        project.built(1).await;
        project.name.clone()
    };
    let url = key_of(&stage, &name);
    let instance = pem_at(&url).await;
    let cosigns = cosigns(&stage).await;
    stage.server.terminate().await;
    as_the_version_before(&stage).await;
    stage.server.start_again().await;
    let project = stage.project(&name);
    // Whether the job is through already or not.
    assert!(signature_of(&stage, &project.path("tags/main")).await.contains("Verified"));
    for cosign in &cosigns {
        verify(cosign, &url, &project.image("main")).await.ok();
    }
    signed_again(&stage, &project).await;
    assert_ne!(pem_at(&url).await, instance);
    std::fs::write(cosigns[0].home().join("old.pub"), &instance).expect("the home is ours");
    std::fs::write(cosigns[1].home().join("old.pub"), &instance).expect("the home is ours");
    for cosign in &cosigns {
        for key in [&*url, "old.pub"] {
            verify(cosign, key, &project.image("main")).await.ok();
        }
    }
    assert!(signature_of(&stage, &project.path("tags/main")).await.contains("Verified"));
}

#[tokio::test]
async fn a_stranger_signs_beside_us_and_takes_nothing_away() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("beside", "")).await;
    project.built(1).await;
    let digest = project.digest("main").await.expect("it was built");
    let (by_digest, beside) = (project.image(&format!("@{digest}")), tag_beside(&digest));
    let url = key_of(&stage, &project.name);
    let local = "--allow-http-registry";
    for cosign in cosigns(&stage).await {
        cosign.run(&["generate-key-pair"]).await.ok();
        // Both write the tag beside the image; the bundles of cosign 3 are referrers, and touch no tag.
        let classic: &[&str] = match cosign.name() {
            "cosign" => &["--use-signing-config=false", "--new-bundle-format=false"],
            _ => &[],
        };
        let args = [&["sign", local, "--tlog-upload=false", "--key=cosign.key"], classic, &[&by_digest]].concat();
        cosign.run(&args).await.ok();
        verify(&cosign, "cosign.pub", &by_digest).await.ok();
        verify(&cosign, &url, &by_digest).await.ok();
    }
    assert!(signature_of(&stage, &project.path("tags/main")).await.contains("Verified"));
    let crane = logged_in(&stage, Client::crane()).await;
    for tag in [beside.clone(), beside.replace(".sig", ".att")] {
        let refused = crane.run(&["tag", &project.image("main"), &tag]).await.fails();
        assert!(refused.stderr.contains("signatures, attestations and SBOMs"), "{refused}");
    }
    // Another registry's clients bring the signature before the image.
    let (to, from) = (format!("{}/mona/copy", stage.server.host()), project.image(""));
    let from = from.trim_end_matches(':');
    crane.run(&["copy", &format!("{from}:{beside}"), &format!("{to}:{beside}")]).await.ok();
    let regctl = logged_in(&stage, Client::regctl()).await;
    regctl.run(&["registry", "set", "--tls=disabled", &stage.server.host()]).await.ok();
    regctl.run(&["image", "copy", "--digest-tags", &project.image("main"), &format!("{to}:main")]).await.ok();
    let said = signature_of(&stage, "/mona/copy/-/tags/main").await;
    assert!(said.contains("Signed here for mona/beside"), "{said}");
}

#[tokio::test]
async fn bundles_of_strangers_do_not_keep_cosign_3_from_ours() {
    let stage = Stage::start().await;
    let project = stage.import(&stage.repository("bundles", "")).await;
    project.built(1).await;
    let digest = project.digest("main").await.expect("it was built");
    let (by_digest, url) = (project.image(&format!("@{digest}")), key_of(&stage, &project.name));
    // cosign 2 wants sigstore's own roots from the network wherever it finds a bundle, also for a key.
    let [cosign, _] = cosigns(&stage).await;
    verify(&cosign, &url, &by_digest).await.ok();
    cosign.run(&["generate-key-pair"]).await.ok();
    std::fs::write(cosign.home().join("predicate.json"), "{}").expect("the home is ours");
    let common = ["--allow-http-registry", "--tlog-upload=false", "--use-signing-config=false", "--key=cosign.key"];
    cosign.run(&[&["sign"][..], &common, &[&by_digest]].concat()).await.ok();
    cosign.run(&[&["attest"][..], &common, &["--predicate=predicate.json", &by_digest]].concat()).await.ok();
    for key in ["cosign.pub", &url] {
        verify(&cosign, key, &by_digest).await.ok();
    }
    stage.mona.post(&project.path("settings/key/rotate"), &[("", ""); 0]).await.location();
    signed_again(&stage, &project).await;
    verify(&cosign, &url, &by_digest).await.ok();
    assert!(signature_of(&stage, &project.path("tags/main")).await.contains("Verified"));
}
