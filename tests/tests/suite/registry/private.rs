//! What strangers learn of a private repository: nothing, not even that it is there.

use reqwest::Method;

use super::answer::Answer;
use super::content::{OCI_MANIFEST, digest};
use super::fixture::{Kind, Registry};
use super::session::{Image, Session};

both! {
    strangers_see_no_difference_between_a_private_repository_and_none,
    a_reader_may_pull_and_nothing_else,
    a_provisional_repository_is_as_none,
}

/// Every route and method of a repository.
fn requests(name: &str, image: &Image, upload: &str) -> Vec<(Method, String)> {
    let layer = digest(&image.layer);
    let mut all = Vec::new();
    for reference in ["v1", "absent", &image.digest, &layer] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            all.push((method, format!("/v2/{name}/manifests/{reference}")));
        }
    }
    for blob in [&layer, &image.digest] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            all.push((method, format!("/v2/{name}/blobs/{blob}")));
        }
    }
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        all.push((method, format!("/v2/{name}/blobs/uploads/{upload}")));
    }
    all.push((Method::PUT, format!("/v2/{name}/blobs/uploads/{upload}?digest={layer}")));
    for query in ["", "?digest=sha256:x", &format!("?digest={layer}"), &format!("?mount={layer}&from={name}")] {
        all.push((Method::POST, format!("/v2/{name}/blobs/uploads/{query}")));
    }
    all.push((Method::GET, format!("/v2/{name}/tags/list")));
    all.push((Method::GET, format!("/v2/{name}/tags/list?n=x")));
    all.push((Method::GET, format!("/v2/{name}/referrers/{}", image.digest)));
    all
}

/// All that a stranger gets to see, without the repository's name.
fn seen(answer: &Answer, name: &str) -> (u16, String, String, String) {
    let header = |h: &str| answer.header(h).replace(name, "NAME");
    (answer.status, answer.text().replace(name, "NAME"), header("www-authenticate"), header("content-length"))
}

async fn ask(session: &Session, (method, path): &(Method, String)) -> Answer {
    session.send(method.clone(), path, &[("content-type", OCI_MANIFEST)], "{}").await
}

async fn strangers_see_no_difference_between_a_private_repository_and_none(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (private, mona, image) = registry.with_image().await;
    let upload = mona.start(&private).await;
    let upload = upload.rsplit('/').next().expect("the id is the last part");
    let (other, ..) = registry.with_image().await;
    let absent = registry.repository();
    let nobodys = absent.replace("mona/", "none/");
    let eves = absent.replace("mona/", "eve/");
    let asked = [&*private, &absent, &nobodys, &eves];
    let sessions = [
        registry.with(None),
        registry.anonymous(&asked).await,
        registry.signed_in(&registry.eve, &asked[..3]).await,
        registry.signed_in(&registry.eve, &[&eves]).await,
        registry.signed_in(&registry.eve, &[]).await,
        // Mona's own bearer for another repository.
        registry.mona(&[&other]).await,
    ];
    for session in &sessions {
        let real = requests(&private, &image, upload);
        for unreal in [&absent, &nobodys] {
            for (real, unreal_request) in real.iter().zip(requests(unreal, &image, upload)) {
                let (one, two) = (ask(session, real).await, ask(session, &unreal_request).await);
                assert_eq!(one.status, 401, "{one}");
                assert_eq!(seen(&one, &private), seen(&two, unreal), "{one}\n{two}");
            }
        }
    }
    mona.get(&format!("/v2/{private}/manifests/v1")).await.is(200);
    mona.get(&format!("/v2/{private}/blobs/uploads/{upload}")).await.is(204);
}

async fn a_reader_may_pull_and_nothing_else(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let upload = mona.start(&name).await;
    let upload = upload.rsplit('/').next().expect("the id is the last part");
    let reader = registry.signed_in(&registry.mona_reads, &[&name]).await;
    for request in requests(&name, &image, upload) {
        let answer = ask(&reader, &request).await;
        if matches!(request.0, Method::GET | Method::HEAD) && !request.1.contains("/uploads/") {
            let good: &[u16] = if request.1.ends_with("n=x") { &[400] } else { &[200, 404] };
            assert!(good.contains(&answer.status), "{answer}");
        } else {
            assert_eq!(answer.status, 401, "{answer}");
        }
    }
}

async fn a_provisional_repository_is_as_none(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (provisional, mona) = registry.new_repository().await;
    let blob = mona.push_blob(&provisional, b"early").await;
    let absent = registry.repository();
    let eve = registry.signed_in(&registry.eve, &[&provisional, &absent]).await;
    for session in [registry.with(None), eve] {
        for path in ["tags/list".to_owned(), format!("blobs/{blob}"), "manifests/v1".into()] {
            let one = session.get(&format!("/v2/{provisional}/{path}")).await;
            let two = session.get(&format!("/v2/{absent}/{path}")).await;
            assert_eq!(seen(&one, &provisional), seen(&two, &absent), "{one}\n{two}");
        }
    }
}
