//! Bearers that were forged, bent, or made for something else.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::content::{OCI_MANIFEST, decode_claims, digest};
use super::fixture::{Kind, Registry};
use super::raw;

both! {
    a_bearer_that_we_did_not_sign_is_refused,
    the_header_of_a_bearer_chooses_nothing,
    a_changed_bearer_is_refused,
    a_bearer_of_another_server_is_refused,
    a_bearer_is_good_for_its_repository_only,
    a_bearer_is_good_for_its_actions_only,
    a_personal_token_is_no_bearer,
    a_bearer_opens_no_page,
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// RFC 2104 with sha256; keys here are at most 64 bytes.
fn hmac(key: &[u8], message: &str) -> String {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize();
    BASE64_URL_SAFE_NO_PAD.encode(outer)
}

fn hs256(header: &Value, claims: &Value, key: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = hmac(key, &message);
    format!("{message}.{signature}")
}

async fn refused(registry: &Registry, name: &str, bearer: &str) {
    let session = registry.with(Some(bearer));
    for path in ["/v2/".to_owned(), "/v2/_catalog".into(), format!("/v2/{name}/manifests/v1")] {
        let answer = session.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"), "{bearer}: {answer}");
        assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{answer}");
    }
    session.post(&format!("/v2/{name}/blobs/uploads/")).await.fails(401, "UNAUTHORIZED");
}

/// A repository of Mona's, and a good bearer for it.
async fn good(kind: Kind) -> (Registry, String, String) {
    let registry = Registry::on(kind).await;
    let (name, mona, _) = registry.with_image().await;
    let bearer = mona.authorization().trim_start_matches("Bearer ").to_owned();
    mona.get(&format!("/v2/{name}/manifests/v1")).await.is(200);
    (registry, name, bearer)
}

async fn a_bearer_that_we_did_not_sign_is_refused(kind: Kind) {
    let (registry, name, bearer) = good(kind).await;
    let claims = decode_claims(&bearer);
    let header = json!({ "typ": "JWT", "alg": "HS256" });
    for key in [&b""[..], b"slipway", b"secret", &[0; 32], registry.host.as_bytes(), &registry.mona.as_bytes()[..40]] {
        refused(&registry, &name, &hs256(&header, &claims, key)).await;
    }
    for junk in ["", "x", "x.y", "x.y.z", "..", "....", &"a".repeat(6_000), &format!("{bearer}.{bearer}")] {
        refused(&registry, &name, junk).await;
    }
}

async fn the_header_of_a_bearer_chooses_nothing(kind: Kind) {
    let (registry, name, bearer) = good(kind).await;
    let claims = decode_claims(&bearer);
    let signature = bearer.rsplit('.').next().expect("a bearer has three parts");
    for alg in ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256"] {
        let unsigned = format!("{}.{}", encode(&json!({ "typ": "JWT", "alg": alg })), encode(&claims));
        let zeros = BASE64_URL_SAFE_NO_PAD.encode([0; 64]);
        for signature in ["", signature, &zeros] {
            refused(&registry, &name, &format!("{unsigned}.{signature}")).await;
        }
        refused(&registry, &name, &unsigned).await;
    }
    // CVE-2025-24976: a key that the token brings along.
    let own = b"a key of the attacker's own choice";
    let jwk = json!({ "kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(own), "alg": "HS256", "kid": "1" });
    for extra in [
        json!({ "jwk": jwk }),
        json!({ "jwk": jwk, "kid": "1" }),
        json!({ "kid": "../../../../dev/null" }),
        json!({ "kid": "' UNION SELECT 'x" }),
        json!({ "jku": format!("{}/keys", registry.url) }),
        json!({ "x5u": format!("{}/keys", registry.url), "x5c": ["AAAA"] }),
        json!({ "crit": ["exp"], "zip": "DEF" }),
    ] {
        let mut header = json!({ "typ": "JWT", "alg": "HS256" });
        header.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        refused(&registry, &name, &hs256(&header, &claims, own)).await;
    }
}

async fn a_changed_bearer_is_refused(kind: Kind) {
    let (registry, name, bearer) = good(kind).await;
    let parts: Vec<_> = bearer.split('.').collect();
    let claims = decode_claims(&bearer);
    for (key, value) in [
        ("exp", json!(4_000_000_000_u64)),
        ("access", json!([{ "name": "eve/web", "actions": ["pull"] }])),
        ("credential", json!({ "kind": "anonymous" })),
        ("iss", json!("other")),
    ] {
        let mut changed = claims.clone();
        changed[key] = value;
        refused(&registry, &name, &format!("{}.{}.{}", parts[0], encode(&changed), parts[2])).await;
    }
    refused(&registry, &name, &format!("{}.{}.", parts[0], parts[1])).await;
    refused(&registry, &name, &format!("{}.{}.{}", parts[0], parts[1], &parts[2][..20])).await;
    refused(&registry, &name, &format!("{}.{}.{}", parts[2], parts[1], parts[0])).await;
}

async fn a_bearer_of_another_server_is_refused(kind: Kind) {
    let (registry, name, _) = good(kind).await;
    let other = Registry::on(if kind == Kind::Sqlite { Kind::Postgres } else { Kind::Sqlite }).await;
    let scope = format!("repository:{name}:pull,push");
    let bearer = other.bearer(Some(&other.mona), &[&scope]).await;
    other.with(Some(&bearer)).get("/v2/").await.is(200);
    refused(&registry, &name, &bearer).await;
}

async fn a_bearer_is_good_for_its_repository_only(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, mona, image) = registry.with_image().await;
    let others = [format!("{name}/c"), format!("{name}c"), name[..name.len() - 1].to_owned()];
    let owner = registry.mona(&others.each_ref().map(String::as_str)).await;
    for other in &others {
        owner.push_image(other, "v1").await;
        for path in ["manifests/v1".into(), "tags/list".into(), format!("blobs/{}", digest(&image.layer))] {
            mona.get(&format!("/v2/{other}/{path}")).await.fails(401, "UNAUTHORIZED");
        }
        mona.post(&format!("/v2/{other}/blobs/uploads/")).await.fails(401, "UNAUTHORIZED");
        mona.delete(&format!("/v2/{other}/manifests/v1")).await.fails(401, "UNAUTHORIZED");
    }
    for bent in [name.to_uppercase(), name.replace('/', "//"), name.replace('/', "%2F"), format!("{name}/../{name}")] {
        let headers = [("Authorization", mona.authorization())];
        let target = format!("/v2/{bent}/manifests/v1");
        raw::request(registry.port, "GET", &target, &headers).await.fails(400, "NAME_INVALID");
    }
}

async fn a_bearer_is_good_for_its_actions_only(kind: Kind) {
    let registry = Registry::on(kind).await;
    let (name, _, image) = registry.with_image().await;
    let only = async |actions: &str| {
        let scope = format!("repository:{name}:{actions}");
        registry.with(Some(&registry.bearer(Some(&registry.mona), &[&scope]).await))
    };
    let (manifest, body) = (format!("/v2/{name}/manifests/v1"), image.manifest.to_string());
    let pulls = only("pull").await;
    pulls.get(&manifest).await.is(200);
    pulls.put_manifest(&name, "v1", OCI_MANIFEST, &body).await.fails(401, "UNAUTHORIZED");
    pulls.post(&format!("/v2/{name}/blobs/uploads/")).await.fails(401, "UNAUTHORIZED");
    pulls.delete(&manifest).await.fails(401, "UNAUTHORIZED");
    let pushes = only("push").await;
    pushes.put_manifest(&name, "v1", OCI_MANIFEST, &body).await.is(201);
    pushes.get(&manifest).await.fails(401, "UNAUTHORIZED");
    pushes.delete(&manifest).await.fails(401, "UNAUTHORIZED");
    let deletes = only("delete").await;
    deletes.get(&manifest).await.fails(401, "UNAUTHORIZED");
    deletes.put_manifest(&name, "v1", OCI_MANIFEST, &body).await.fails(401, "UNAUTHORIZED");
    deletes.delete(&manifest).await.is(202);
}

async fn a_personal_token_is_no_bearer(kind: Kind) {
    let (registry, name, bearer) = good(kind).await;
    refused(&registry, &name, &registry.mona).await;
    let basic = base64::prelude::BASE64_STANDARD.encode(format!("mona:{}", registry.mona));
    for header in [format!("Basic {basic}"), format!("Basic {bearer}"), bearer.clone(), "Bearer".into(), "x y z".into()]
    {
        let session = registry.authorized(&header);
        session.get("/v2/").await.fails(401, "UNAUTHORIZED");
        session.get(&format!("/v2/{name}/manifests/v1")).await.fails(401, "UNAUTHORIZED");
    }
}

async fn a_bearer_opens_no_page(kind: Kind) {
    let (registry, name, bearer) = good(kind).await;
    let session = registry.with(Some(&bearer));
    session.get(&format!("/{name}")).await.is(404);
    let tokens = session.get("/settings/tokens").await;
    assert_ne!(tokens.status, 200, "{tokens}");
}
