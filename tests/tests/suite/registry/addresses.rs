//! Addresses that one part of a program could read otherwise than another.

use super::content::digest;
use super::fixture::{Kind, Registry};
use super::raw;

both! {
    an_address_that_could_be_read_in_two_ways_is_refused,
    a_digest_may_have_its_colon_encoded,
}

async fn an_address_that_could_be_read_in_two_ways_is_refused(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let blob = digest(&image.layer);
    for path in [
        format!("/%762/{name}/manifests/v1"),
        format!("/v%32/{name}/manifests/v1"),
        format!("/%76%32/{name}/manifests/v1"),
        format!("//v2/{name}/manifests/v1"),
        format!("/v2//{name}/manifests/v1"),
        format!("/./v2/{name}/manifests/v1"),
        format!("/%2e/v2/{name}/manifests/v1"),
        format!("/x/../v2/{name}/manifests/v1"),
        format!("/x/%2E%2e/v2/{name}/manifests/v1"),
        format!("/x/.%2e/v2/{name}/manifests/v1"),
        format!("/v2/{name}/manifests/v1/."),
        format!("/v2/{name}/manifests/v1/.."),
        format!("/v2/{name}/manifests/v1/%2e%2E"),
        format!("/v2/{name}/manifests//v1"),
        format!("/v2/{name}/manifests/%761"),
        format!("/v2/{name}/%6danifests/v1"),
        format!("/v2/{name}/blobs/{blob}//"),
        format!("/v2/{name}/blobs/{}", blob.replacen("sha", "%73ha", 1)),
        format!("/v2/{name}/blobs%2F..%2Fblobs/{blob}"),
        "/%74oken".to_owned(),
        "/%68ealthz".to_owned(),
        "/%62uilder/v1/claim".to_owned(),
        "/%6Cogin".to_owned(),
        format!("/{name}/%2D/tags"),
        format!("/{name}/-//tags"),
        "//".to_owned(),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE"] {
            let session = [("Cookie", "slipway-session=x"), ("Content-Length", "0")];
            let bearer = [("Authorization", mona.authorization()), ("Content-Length", "0")];
            for headers in [&session, &bearer] {
                raw::request(registry.port, method, &path, headers).await.is(400);
            }
        }
    }
}

async fn a_digest_may_have_its_colon_encoded(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    for colon in ["%3A", "%3a"] {
        let blob = digest(&image.layer).replace(':', colon);
        let headers = [("Authorization", mona.authorization())];
        for path in [
            format!("/v2/{name}/blobs/{blob}"),
            format!("/v2/{name}/manifests/{}", image.digest.replace(':', colon)),
            format!("/v2/{name}/referrers/{}", image.digest.replace(':', colon)),
        ] {
            raw::request(registry.port, "GET", &path, &headers).await.is(200);
        }
    }
}
