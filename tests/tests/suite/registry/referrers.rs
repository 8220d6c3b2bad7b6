//! Manifests that describe another one.

use serde_json::{Value, json};

use super::content::{OCI_INDEX, OCI_MANIFEST, descriptor, digest, unknown_digest};
use super::fixture::{Kind, Registry};
use super::session::{Image, Session};

both! {
    nothing_refers_to_what_is_not_there,
    a_referrer_is_listed_with_type_and_annotations,
    a_subject_may_come_later,
    a_filter_is_applied_and_named,
    referrers_come_in_pages,
    a_deleted_referrer_is_not_listed,
    referrers_of_other_repositories_are_not_listed,
}

async fn list(session: &Session, name: &str, subject: &str, query: &str) -> (Vec<Value>, String, String) {
    let answer = session.get(&format!("/v2/{name}/referrers/{subject}{query}")).await.is(200);
    assert_eq!(answer.header("content-type"), OCI_INDEX);
    let index = answer.json();
    assert_eq!((&index["schemaVersion"], &index["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
    let manifests = index["manifests"].as_array().expect("an index has manifests").clone();
    (manifests, answer.header("link").to_owned(), answer.header("oci-filters-applied").to_owned())
}

/// Pushes a manifest of this type about `subject`, and answers its descriptor in the list.
async fn refer(mona: &Session, name: &str, image: &Image, subject: &str, artifact_type: &str) -> Value {
    let mut manifest = image.manifest.clone();
    manifest["artifactType"] = json!(artifact_type);
    manifest["subject"] = descriptor(OCI_MANIFEST, subject, 1);
    manifest["annotations"] = json!({ "kind": artifact_type });
    let body = manifest.to_string();
    let answer = mona.put_manifest(name, &digest(&body), OCI_MANIFEST, &body).await.is(201);
    assert_eq!(answer.header("oci-subject"), subject);
    let mut described = descriptor(OCI_MANIFEST, &digest(&body), body.len());
    described["artifactType"] = json!(artifact_type);
    described["annotations"] = manifest["annotations"].clone();
    described
}

fn sorted(mut manifests: Vec<Value>) -> Vec<Value> {
    manifests.sort_by_key(|m| m["digest"].to_string());
    manifests
}

async fn nothing_refers_to_what_is_not_there(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    for subject in [unknown_digest(), image.digest.clone()] {
        let (manifests, link, filters) = list(&mona, &name, &subject, "").await;
        assert_eq!((manifests.len(), link.as_str(), filters.as_str()), (0, "", ""));
    }
    let answer = mona.put_manifest(&name, "v2", OCI_MANIFEST, &image.manifest.to_string()).await.is(201);
    assert_eq!(answer.header("oci-subject"), "");
}

async fn a_referrer_is_listed_with_type_and_annotations(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let sbom = refer(&mona, &name, &image, &image.digest, "application/sbom").await;
    assert_eq!(list(&mona, &name, &image.digest, "").await.0, [sbom]);
}

async fn a_subject_may_come_later(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let mut later = image.manifest.clone();
    later["annotations"] = json!({ "later": "yes" });
    let subject = digest(later.to_string());
    let sbom = refer(&mona, &name, &image, &subject, "application/sbom").await;
    assert_eq!(list(&mona, &name, &subject, "").await.0, std::slice::from_ref(&sbom));
    mona.push_manifest(&name, "later", &later).await;
    assert_eq!(list(&mona, &name, &subject, "").await.0, [sbom]);
}

async fn a_filter_is_applied_and_named(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let sbom = refer(&mona, &name, &image, &image.digest, "application/sbom+json").await;
    let signature = refer(&mona, &name, &image, &image.digest, "application/signature").await;
    let (all, _, filters) = list(&mona, &name, &image.digest, "").await;
    assert_eq!((sorted(all.clone()), filters.as_str()), (sorted(vec![sbom.clone(), signature.clone()]), ""));
    let (unfiltered, _, filters) = list(&mona, &name, &image.digest, "?artifactType=").await;
    assert_eq!((unfiltered, filters.as_str()), (all, ""));
    for (filter, expected) in
        [("application/sbom%2Bjson", vec![sbom]), ("application/signature", vec![signature]), ("none", vec![])]
    {
        let (some, _, filters) = list(&mona, &name, &image.digest, &format!("?artifactType={filter}")).await;
        assert_eq!((some, filters.as_str()), (expected, "artifactType"), "{filter}");
    }
}

async fn referrers_come_in_pages(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(refer(&mona, &name, &image, &image.digest, &format!("application/n{n}")).await);
    }
    let mut seen = Vec::new();
    let mut query = "?n=2".to_owned();
    loop {
        let (page, link, _) = list(&mona, &name, &image.digest, &query).await;
        assert!(page.len() <= 2);
        seen.extend(page);
        let Some((target, rest)) = link.strip_prefix('<').and_then(|l| l.split_once('>')) else { break };
        assert_eq!(rest, "; rel=\"next\"");
        query = target.split_once('?').map(|(_, query)| format!("?{query}")).expect("a next page has a query");
    }
    assert_eq!(seen, sorted(expected));
}

async fn a_deleted_referrer_is_not_listed(kind: Kind) {
    let (name, mona, image) = Registry::on(kind).await.with_image().await;
    let sbom = refer(&mona, &name, &image, &image.digest, "application/sbom").await;
    let path = format!("/v2/{name}/manifests/{}", sbom["digest"].as_str().expect("a digest is text"));
    mona.delete(&path).await.is(202);
    assert!(list(&mona, &name, &image.digest, "").await.0.is_empty());
}

async fn referrers_of_other_repositories_are_not_listed(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (one, mona, image) = registry.with_image().await;
    refer(&mona, &one, &image, &image.digest, "application/sbom").await;
    let two = registry.repository();
    let mona = registry.mona(&[&two]).await;
    mona.push_image(&two, "v1").await;
    assert!(list(&mona, &two, &image.digest, "").await.0.is_empty());
}
