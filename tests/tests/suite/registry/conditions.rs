//! Preconditions, RFC 9110 section 13: what is there already is not sent again, and what others changed is not overwritten.

use reqwest::Method;
use serde_json::json;

use super::answer::Answer;
use super::content::{OCI_INDEX, OCI_MANIFEST, digest, index, many_bytes};
use super::fixture::{Kind, Registry, own};
use super::session::Session;

both! {
    who_has_it_gets_no_body,
    a_part_of_something_else_is_the_whole,
    a_push_that_expects_something_else_moves_nothing,
    a_push_that_expects_nothing_replaces_nothing,
    one_of_two_pushes_that_expect_the_same_is_done,
    a_push_by_digest_has_conditions_of_the_tags_that_it_moves,
    a_push_beside_an_image_has_conditions_too,
    a_refused_first_push_makes_no_repository,
    a_deletion_that_expects_something_else_deletes_nothing,
}

async fn read(session: &Session, method: Method, path: &str, header: (&str, &str)) -> Answer {
    session.send(method, path, &[header], "").await
}

async fn who_has_it_gets_no_body(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let layer = digest(&image.layer);
    for (path, tag) in [
        (format!("/v2/{name}/manifests/v1"), &image.digest),
        (format!("/v2/{name}/manifests/{}", image.digest), &image.digest),
        (format!("/v2/{name}/blobs/{layer}"), &layer),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let whole = read(&mona, method.clone(), &path, ("if-none-match", "\"sha256:other\"")).await.is(200);
            let etag = whole.header("etag").to_owned();
            assert_eq!(etag, format!("\"{tag}\""));
            let weak = format!("W/{etag}");
            let list = format!("\"x\", {etag}");
            for known in [etag.as_str(), &weak, &list, tag, "*"] {
                let answer = read(&mona, method.clone(), &path, ("if-none-match", known)).await.is(304);
                assert_eq!((answer.header("etag"), answer.header("docker-content-digest")), (&*etag, &**tag));
                assert!(answer.body.is_empty(), "{answer}");
                assert_eq!(answer.header("cache-control"), whole.header("cache-control"), "{answer}");
            }
            read(&mona, method.clone(), &path, ("if-match", &etag)).await.is(200);
            read(&mona, method.clone(), &path, ("if-match", "*")).await.is(200);
            for other in ["\"sha256:other\"", &weak] {
                read(&mona, method.clone(), &path, ("if-match", other)).await.is(412);
            }
        }
    }
    let absent = format!("/v2/{name}/manifests/absent");
    read(&mona, Method::GET, &absent, ("if-none-match", "*")).await.fails(404, "MANIFEST_UNKNOWN");
    let moved = mona.push_image(&name, "v1").await;
    let old = format!("\"{}\"", image.digest);
    let answer = read(&mona, Method::GET, &format!("/v2/{name}/manifests/v1"), ("if-none-match", &old)).await.is(200);
    assert_eq!(answer.header("docker-content-digest"), moved.digest);
}

async fn a_part_of_something_else_is_the_whole(kind: Kind) {
    let (name, mona, _) = Registry::on(kind).await.with_image().await;
    let bytes = many_bytes(1_000);
    let path = format!("/v2/{name}/blobs/{}", mona.push_blob(&name, &bytes).await);
    let etag = format!("\"{}\"", digest(&bytes));
    let part = async |if_range: &str| {
        mona.send(Method::GET, &path, &[("range", "bytes=10-19"), ("if-range", if_range)], "").await
    };
    for same in [&etag, &digest(&bytes)] {
        assert_eq!(part(same).await.is(206).body, bytes[10..20]);
    }
    for other in ["\"sha256:other\"", &format!("W/{etag}"), "Mon, 30 Nov 2026 00:00:00 GMT", "*", ""] {
        assert_eq!(part(other).await.is(200).body, bytes, "{other}");
    }
    // An impossible part of something else is none.
    let headers = [("range", "bytes=5000-"), ("if-range", "\"x\"")];
    mona.send(Method::GET, &path, &headers, "").await.is(200);
    let headers = [("range", "bytes=10-19"), ("if-none-match", &*etag)];
    mona.send(Method::GET, &path, &headers, "").await.is(304);
}

async fn put(mona: &Session, name: &str, reference: &str, body: &str, header: (&str, &str)) -> Answer {
    let path = format!("/v2/{name}/manifests/{reference}");
    mona.send(Method::PUT, &path, &[("content-type", OCI_MANIFEST), header], body.to_owned()).await
}

/// What a tag names, or nothing.
async fn at(mona: &Session, name: &str, tag: &str) -> String {
    mona.head(&format!("/v2/{name}/manifests/{tag}")).await.header("docker-content-digest").to_owned()
}

async fn a_push_that_expects_something_else_moves_nothing(kind: Kind) {
    let (name, mona, first) = Registry::on(kind).await.with_image().await;
    let second = mona.push_image(&name, "v2").await;
    let mut third = second.manifest.clone();
    third["annotations"] = json!({ "n": "3" });
    let (third, third_digest) = (third.to_string(), digest(third.to_string()));
    for (reference, wrong) in [
        ("v1", format!("\"{}\"", second.digest)),
        ("v1", format!("W/\"{}\"", first.digest)),
        ("v1", String::new()),
        ("absent", format!("\"{}\"", first.digest)),
        ("absent", "*".into()),
        (&third_digest, "*".into()),
    ] {
        let answer = put(&mona, &name, reference, &third, ("if-match", &wrong)).await;
        answer.fails(412, "PRECONDITION_FAILED");
        assert_eq!(at(&mona, &name, "v1").await, first.digest);
        assert_eq!(at(&mona, &name, "absent").await, "");
        mona.get(&format!("/v2/{name}/manifests/{third_digest}")).await.fails(404, "MANIFEST_UNKNOWN");
    }
    put(&mona, &name, "v1", &third, ("if-match", &format!("\"{}\"", first.digest))).await.is(201);
    assert_eq!(at(&mona, &name, "v1").await, third_digest);
    put(&mona, &name, "v1", &first.manifest.to_string(), ("if-match", "*")).await.is(201);
    assert_eq!(at(&mona, &name, "v1").await, first.digest);
}

async fn a_push_that_expects_nothing_replaces_nothing(kind: Kind) {
    let (name, mona, first) = Registry::on(kind).await.with_image().await;
    let mut other = first.manifest.clone();
    other["annotations"] = json!({ "n": "2" });
    let other = other.to_string();
    for wrong in ["*", &format!("\"{}\"", first.digest)] {
        put(&mona, &name, "v1", &other, ("if-none-match", wrong)).await.fails(412, "PRECONDITION_FAILED");
    }
    // The same bytes again are a replacement as well.
    let again = put(&mona, &name, "v1", &first.manifest.to_string(), ("if-none-match", "*")).await;
    again.fails(412, "PRECONDITION_FAILED");
    assert_eq!(at(&mona, &name, "v1").await, first.digest);
    put(&mona, &name, "new", &other, ("if-none-match", "*")).await.is(201);
    assert_eq!(at(&mona, &name, "new").await, digest(&other));
    put(&mona, &name, "v1", &other, ("if-none-match", "\"sha256:other\"")).await.is(201);
}

async fn one_of_two_pushes_that_expect_the_same_is_done(kind: Kind) {
    let (name, mona, first) = Registry::on(kind).await.with_image().await;
    let etag = format!("\"{}\"", first.digest);
    let bodies: Vec<String> = (0..8)
        .map(|n| {
            let mut manifest = first.manifest.clone();
            manifest["annotations"] = json!({ "n": n.to_string() });
            manifest.to_string()
        })
        .collect();
    let pushes = bodies.iter().map(|body| put(&mona, &name, "v1", body, ("if-match", &etag)));
    let answers = futures_util::future::join_all(pushes).await;
    let done: Vec<usize> = (0..8).filter(|n| answers[*n].status == 201).collect();
    assert!(answers.iter().all(|answer| [201, 412].contains(&answer.status)));
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(at(&mona, &name, "v1").await, digest(&bodies[done[0]]));
}

async fn a_push_by_digest_has_conditions_of_the_tags_that_it_moves(kind: Kind) {
    let (name, mona, first) = Registry::on(kind).await.with_image().await;
    let body = |n: &str| {
        let mut manifest = first.manifest.clone();
        manifest["annotations"] = json!({ "n": n });
        manifest.to_string()
    };
    let (second, third) = (body("2"), body("3"));
    let etag = |body: &str| format!("\"{}\"", digest(body));
    let by_digest = async |body: &str, tags: &str, header: (&str, &str)| {
        put(&mona, &name, &format!("{}?{tags}", digest(body)), body, header).await
    };
    // Not stored yet, whatever the tag is; nor is what one of the tags has not.
    for (tags, header) in [
        ("tag=v1", ("if-none-match", "*")),
        ("tag=v1", ("if-match", &*etag(&second))),
        ("tag=absent", ("if-match", "*")),
        ("tag=absent&tag=v1", ("if-none-match", "*")),
        ("tag=v1&tag=absent", ("if-match", &*format!("\"{}\"", first.digest))),
    ] {
        by_digest(&second, tags, header).await.fails(412, "PRECONDITION_FAILED");
        mona.get(&format!("/v2/{name}/manifests/{}", digest(&second))).await.fails(404, "MANIFEST_UNKNOWN");
        assert_eq!(at(&mona, &name, "v1").await, first.digest);
        assert_eq!(at(&mona, &name, "absent").await, "");
    }
    by_digest(&second, "tag=v1", ("if-match", &format!("\"{}\"", first.digest))).await.is(201);
    assert_eq!(at(&mona, &name, "v1").await, digest(&second));
    // Stored already, and its tag is new.
    by_digest(&second, "tag=fresh", ("if-none-match", "*")).await.is(201);
    by_digest(&third, "tag=v1", ("if-match", &etag(&third))).await.fails(412, "PRECONDITION_FAILED");
    by_digest(&third, "tag=v1&tag=fresh", ("if-match", &etag(&second))).await.is(201);
    assert_eq!(at(&mona, &name, "fresh").await, digest(&third));
}

async fn a_push_beside_an_image_has_conditions_too(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let tag = image.digest.replace(':', "-");
    let mut referrer = image.manifest.clone();
    referrer["subject"] = json!({ "mediaType": OCI_MANIFEST, "digest": image.digest, "size": 1 });
    mona.push_manifest(&name, &digest(referrer.to_string()), &referrer).await;
    let (empty, list) = (index(&[]).to_string(), index(&[referrer]).to_string());
    let path = format!("/v2/{name}/manifests/{tag}");
    let send = async |body: &str, header: (&str, &str)| {
        mona.send(Method::PUT, &path, &[("content-type", OCI_INDEX), header], body.to_owned()).await
    };
    send(&empty, ("if-match", "*")).await.fails(412, "PRECONDITION_FAILED");
    send(&empty, ("if-none-match", "*")).await.is(201);
    send(&list, ("if-none-match", "*")).await.fails(412, "PRECONDITION_FAILED");
    send(&list, ("if-match", "\"sha256:other\"")).await.fails(412, "PRECONDITION_FAILED");
    assert_eq!(at(&mona, &name, &tag).await, digest(&empty));
    send(&list, ("if-match", &format!("\"{}\"", digest(&empty)))).await.is(201);
    assert_eq!(at(&mona, &name, &tag).await, digest(&list));
}

async fn a_refused_first_push_makes_no_repository(kind: Kind) {
    let (server, registry) = own(kind, |builder| builder.env("SLIPWAY_UPLOADS_OPEN", "3")).await;
    for _ in 0..5 {
        let (name, mona) = registry.new_repository().await;
        let body = index(&[]).to_string();
        let headers = [("content-type", OCI_INDEX), ("if-match", "*")];
        let path = format!("/v2/{name}/manifests/v1");
        mona.send(Method::PUT, &path, &headers, body).await.fails(412, "PRECONDITION_FAILED");
    }
    // Of repositories that were begun there may be three.
    let (name, mona) = registry.new_repository().await;
    mona.push_image(&name, "v1").await;
    drop(server);
}

async fn a_deletion_that_expects_something_else_deletes_nothing(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let blob = mona.push_blob(&name, &many_bytes(100)).await;
    let delete = async |path: &str, header: (&str, &str)| {
        mona.send(Method::DELETE, &format!("/v2/{name}/{path}"), &[header], "").await
    };
    let manifest = format!("manifests/{}", image.digest);
    let blob_path = format!("blobs/{blob}");
    for path in ["manifests/v1", &manifest, &blob_path] {
        delete(path, ("if-match", "\"sha256:other\"")).await.fails(412, "PRECONDITION_FAILED");
        delete(path, ("if-none-match", "*")).await.fails(412, "PRECONDITION_FAILED");
        mona.head(&format!("/v2/{name}/{path}")).await.is(200);
    }
    delete("manifests/absent", ("if-match", "*")).await.fails(404, "MANIFEST_UNKNOWN");
    delete("manifests/v1", ("if-match", &format!("\"{}\"", image.digest))).await.is(202);
    delete(&manifest, ("if-match", "*")).await.is(202);
    delete(&blob_path, ("if-match", &format!("\"{blob}\""))).await.is(202);
}
