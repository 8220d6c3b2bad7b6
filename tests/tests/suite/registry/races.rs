//! Clients that do the same thing at the same time, as docker does with the layers of an image.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use super::answer::Answer;
use super::content::{OCI_MANIFEST, digest, image, unique_bytes};
use super::fixture::{Kind, Registry};
use super::session::Session;

both! {
    the_first_layers_of_a_new_repository_come_at_once,
    the_same_blob_comes_to_many_repositories_at_once,
    the_same_manifest_comes_under_many_tags_at_once,
    one_tag_is_moved_by_many_at_once,
    an_upload_is_finished_once,
    an_upload_is_finished_or_cancelled,
}

/// Sends requests at the same time, over connections that are open already.
async fn at_once(session: &Session, requests: impl IntoIterator<Item = impl Future<Output = Answer>>) -> Vec<Answer> {
    join_all((0..12).map(|_| session.get("/v2/"))).await;
    join_all(requests).await
}

#[track_caller]
fn all_are(answers: &[Answer], status: u16) {
    for answer in answers {
        assert_eq!(answer.status, status, "{answer}");
    }
}

async fn the_first_layers_of_a_new_repository_come_at_once(kind: Kind) {
    let registry = Registry::on(kind).await;
    for _ in 0..5 {
        let (name, mona) = registry.new_repository().await;
        let path = format!("/v2/{name}/blobs/uploads/");
        let answers = at_once(&mona, (0..12).map(|_| mona.post(&path))).await;
        all_are(&answers, 202);
    }
}

async fn the_same_blob_comes_to_many_repositories_at_once(kind: Kind) {
    let registry = Registry::on(kind).await;
    let names: Vec<_> = (0..12).map(|_| registry.repository()).collect();
    let mona = registry.mona(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for round in ["v1", "v2", "v3"] {
        let bytes = unique_bytes();
        let path = |name: &String| format!("/v2/{name}/blobs/uploads/?digest={}", digest(&bytes));
        let paths: Vec<_> = names.iter().map(path).collect();
        let push = |path| mona.send(Method::POST, path, &[], bytes.clone());
        let answers = at_once(&mona, paths.iter().map(|path| push(path))).await;
        all_are(&answers, 201);
        for name in &names {
            mona.push_manifest(name, round, &image(&bytes, &[])).await;
            mona.has_blob(name, &bytes).await;
        }
    }
}

async fn the_same_manifest_comes_under_many_tags_at_once(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    let tags: Vec<_> = (0..12).map(|n| format!("t{n:02}")).collect();
    for _ in 0..3 {
        let config = unique_bytes();
        mona.push_blob(&name, &config).await;
        let manifest = image(&config, &[]).to_string();
        let push = |tag| mona.put_manifest(&name, tag, OCI_MANIFEST, &manifest);
        let answers = at_once(&mona, tags.iter().map(|tag| push(tag))).await;
        all_are(&answers, 201);
        let listed = mona.get(&format!("/v2/{name}/tags/list")).await.is(200);
        assert_eq!(listed.json()["tags"], json!(tags));
    }
}

async fn one_tag_is_moved_by_many_at_once(kind: Kind) {
    let (name, mona, pushed) = Registry::on(kind).await.with_image().await;
    let manifests: Vec<_> = (0..12)
        .map(|n| {
            let mut manifest = pushed.manifest.clone();
            manifest["annotations"] = json!({ "n": n.to_string() });
            manifest.to_string()
        })
        .collect();
    let answers = at_once(&mona, manifests.iter().map(|m| mona.put_manifest(&name, "v1", OCI_MANIFEST, m))).await;
    all_are(&answers, 201);
    let answer = mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    assert!(manifests.contains(&answer.text()), "{answer}");
    assert_eq!(mona.get(&format!("/v2/{name}/tags/list")).await.is(200).json()["tags"], json!(["v1"]));
}

async fn an_upload_is_finished_once(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    let bytes = unique_bytes();
    let upload = mona.start(&name).await;
    mona.patch(&upload, None, bytes.clone()).await.is(202);
    let path = format!("{upload}?digest={}", digest(&bytes));
    let answers = at_once(&mona, (0..6).map(|_| mona.send(Method::PUT, &path, &[], ""))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        refused(answer);
    }
    mona.has_blob(&name, &bytes).await;
}

/// By somebody who writes to the upload now, or by the end of it.
#[track_caller]
fn refused(answer: &Answer) {
    let code = match answer.status {
        409 => "BLOB_UPLOAD_INVALID",
        _ => "BLOB_UPLOAD_UNKNOWN",
    };
    assert_eq!(answer.json()["errors"][0]["code"], code, "{answer}");
    assert!(matches!(answer.status, 404 | 409), "{answer}");
}

async fn an_upload_is_finished_or_cancelled(kind: Kind) {
    let (name, mona) = Registry::on(kind).await.new_repository().await;
    mona.push_image(&name, "v1").await;
    for _ in 0..10 {
        let bytes = unique_bytes();
        let upload = mona.start(&name).await;
        mona.patch(&upload, None, bytes.clone()).await.is(202);
        let put = (Method::PUT, format!("{upload}?digest={}", digest(&bytes)));
        let requests = [vec![put], vec![(Method::DELETE, upload.clone()); 5]].concat();
        let send = |(method, path): (Method, String)| {
            let mona = &mona;
            async move { mona.send(method, &path, &[], "").await }
        };
        let answers = at_once(&mona, requests.into_iter().map(send)).await;
        let (done, others): (Vec<_>, Vec<_>) = answers.iter().partition(|a| matches!(a.status, 201 | 204));
        assert_eq!(done.len(), 1, "{:?}", done.iter().map(|a| a.status).collect::<Vec<_>>());
        others.into_iter().for_each(refused);
        if answers[0].status == 201 {
            mona.has_blob(&name, &bytes).await;
        }
    }
}
