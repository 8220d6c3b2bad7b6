//! SIGKILL at any moment costs nothing that was acknowledged.

use std::time::Duration;

use reqwest::{Body, Method};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::content::{digest, image, many_bytes};
use super::fixture::{Kind, Registry, own};

both! {
    what_was_acknowledged_is_there_after_a_crash,
    an_upload_goes_on_after_a_crash,
    an_upload_that_has_nothing_yet_goes_on_after_a_crash,
}

/// What a pusher was told is stored.
#[derive(Default)]
struct Acknowledged {
    blobs: Vec<Vec<u8>>,
    manifests: Vec<(String, String)>,
}

/// Pushes one image after the other until the server is gone.
async fn push_until_killed(registry: Registry, name: String, token: String) -> Acknowledged {
    let mut done = Acknowledged::default();
    let upload = format!("{}/v2/{name}/blobs/uploads/", registry.url);
    let http = reqwest::Client::builder().no_proxy().build().expect("a client without TLS files");
    let send = async |method: Method, url: String, body: Vec<u8>, media_type: &str| {
        let request = http.request(method, url).bearer_auth(&token).header("content-type", media_type).body(body);
        request.send().await.is_ok_and(|answer| answer.status() == 201)
    };
    for n in 0.. {
        let blob = many_bytes(1_000 + (n % 7) * 40_000);
        let whole = format!("{upload}?digest={}", digest(&blob));
        if !send(Method::POST, whole, blob.clone(), "application/octet-stream").await {
            return done;
        }
        done.blobs.push(blob.clone());
        let manifest = image(&blob, &[&blob]).to_string();
        let tag = format!("t{n}");
        let url = format!("{}/v2/{name}/manifests/{tag}", registry.url);
        if !send(Method::PUT, url, manifest.clone().into_bytes(), super::content::OCI_MANIFEST).await {
            return done;
        }
        done.manifests.push((tag, digest(&manifest)));
    }
    done
}

async fn what_was_acknowledged_is_there_after_a_crash(kind: Kind) {
    let (mut server, registry) = own(kind, |builder| builder).await;
    let mut pushed = 0;
    for pause in [600, 1_100] {
        let mut pushers = JoinSet::new();
        for _ in 0..4 {
            let name = registry.repository();
            let scope = format!("repository:{name}:pull,push");
            let token = registry.bearer(Some(&registry.mona), &[&scope]).await;
            let registry = registry.clone();
            pushers.spawn(async move { (name.clone(), push_until_killed(registry, name, token).await) });
        }
        sleep(Duration::from_millis(pause)).await;
        server.kill().await;
        let all = pushers.join_all().await;
        server.start_again().await;
        for (name, done) in all {
            pushed += done.manifests.len();
            let mona = registry.mona(&[&name]).await;
            for blob in &done.blobs {
                mona.has_blob(&name, blob).await;
            }
            for (tag, digest) in &done.manifests {
                let answer = mona.get(&format!("/v2/{name}/manifests/{tag}")).await.is(200);
                assert_eq!(&super::content::digest(&answer.body), digest);
            }
        }
    }
    assert!(pushed > 0, "nothing was pushed at all");
}

async fn an_upload_goes_on_after_a_crash(kind: Kind) {
    let (mut server, registry) = own(kind, |builder| builder).await;
    let (name, mona) = registry.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = many_bytes(500_000);
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes[..200_000].to_vec()).await.is(202);
    // The crash comes while somebody writes.
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let request = registry.request(Method::PATCH, &upload, Some(mona.authorization())).body(Body::wrap_stream(stream));
    let writer = tokio::spawn(request.send());
    sender.send(Ok(bytes[200_000..300_000].to_vec())).await.expect("the writer listens");
    sleep(Duration::from_millis(300)).await;
    server.kill().await;
    drop(sender);
    assert!(writer.await.expect("no panic").is_err());
    server.start_again().await;

    let status = mona.get(&upload).await.is(204);
    assert_eq!(status.header("range"), "0-199999");
    let answer = mona.patch(&upload, Some("200000-499999"), bytes[200_000..].to_vec()).await.is(202);
    assert_eq!(answer.header("range"), "0-499999");
    mona.finish(&upload, &digest(&bytes), "").await.is(201);
    mona.has_blob(&name, &bytes).await;
}

async fn an_upload_that_has_nothing_yet_goes_on_after_a_crash(kind: Kind) {
    let (mut server, registry) = own(kind, |builder| builder).await;
    let (name, mona) = registry.new_repository().await;
    mona.push_image(&name, "v1").await;
    let uploads = [mona.start(&name).await, mona.start(&name).await, mona.start(&name).await];
    server.kill().await;
    server.start_again().await;
    let [patched, put, empty] = uploads;
    mona.patch(&patched, Some("0-4"), "bytes").await.is(202);
    mona.finish(&patched, &digest("bytes"), "").await.is(201);
    mona.finish(&put, &digest("others"), "others").await.is(201);
    mona.finish(&empty, &digest(""), "").await.is(201);
    for blob in [&b"bytes"[..], b"others", b""] {
        mona.has_blob(&name, blob).await;
    }
}
