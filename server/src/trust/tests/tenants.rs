//! What one tenant's key says of another tenant's images: nothing that vouches for them.

use super::*;

crate::testing::on_postgres! {
    an_image_copied_with_its_signature_says_where_it_was_signed,
    the_instances_key_vouches_for_the_repository_that_it_named,
    a_name_that_does_not_exist_has_a_key_like_any_other,
    old_keys_stay_at_their_fingerprint,
}

/// Copies image and signatures, as `crane copy` of both tags does.
async fn copy(app: &TestApp, from: &rows::Repository, to: &rows::Repository, digest: &Digest) {
    let signatures = db::tags::find(&app.db, from.id, signature::tag_of(digest).as_str()).await.unwrap().unwrap();
    for (digest, tag) in [(digest.to_string(), None), (signatures.digest, Some(signature::tag_of(digest)))] {
        let found = manifests::find(app, from.id, &Digest::trusted(&digest)).await.unwrap().unwrap();
        let body: Value = serde_json::from_slice(&found.body).unwrap();
        let mut own = Vec::new();
        let layers = body["layers"].as_array().unwrap().iter();
        for blob in layers.chain([&body["config"]]) {
            let blob: Digest = blob["digest"].as_str().unwrap().parse().unwrap();
            let bytes = blobs::read_small(app, from.id, &blob, 1 << 20).await.unwrap().unwrap();
            own.push(blobs::store_own(app, bytes).await.unwrap());
        }
        let tx = app.db.begin().await.unwrap();
        let body = Bytes::from(found.body);
        manifests::insert_own(app, &tx, &Principal::SYSTEM, to, &own, &body, tag.as_ref()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn state_at(app: &TestApp, place: &Place, digest: &Digest) -> VerdictState {
    // The list first: it may answer from memory, and what is verified anew is remembered.
    let all = verify_all(app, place, std::slice::from_ref(digest)).await.unwrap();
    let one = verify(app, place, digest).await.unwrap().state;
    assert_eq!(all[digest.as_str()].state, one, "a list says the same");
    one
}

#[tokio::test]
async fn an_image_copied_with_its_signature_says_where_it_was_signed() {
    let app = TestApp::start().await;
    let (evil, at_evil) = repository_of(&app, "evil", "app").await;
    let (acme, at_acme) = repository_of(&app, "acme", "web").await;
    let (api, at_api) = repository_of(&app, "acme", "api").await;
    let digest = image(&app, &evil, "malware").await;
    sign_as(&app, &evil, "evil/app", &digest).await;
    copy(&app, &evil, &acme, &digest).await;
    assert_eq!(state_at(&app, &at_evil, &digest).await, VerdictState::Verified);
    assert_eq!(state_at(&app, &at_acme, &digest).await, VerdictState::Elsewhere("evil/app".into()));
    // The same namespace has one key, and says for which repository it signed.
    let own = image(&app, &acme, "web").await;
    sign_as(&app, &acme, "acme/web", &own).await;
    copy(&app, &acme, &api, &own).await;
    assert_eq!(state_at(&app, &at_api, &own).await, VerdictState::Elsewhere("acme/web".into()));
    assert_eq!(state_at(&app, &at_acme, &own).await, VerdictState::Verified);
    // Once the other key is revoked, it says nothing of what was signed either.
    let key = db::keys::active(&app.db, evil.namespace_id).await.unwrap().unwrap();
    let tx = app.db.begin().await.unwrap();
    db::keys::revoke(&tx, key.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(state_at(&app, &at_acme, &digest).await, VerdictState::Revoked);
    assert_eq!(state_at(&app, &at_evil, &digest).await, VerdictState::Revoked);
    assert_eq!(state_at(&app, &at_acme, &own).await, VerdictState::Verified);
}

#[tokio::test]
async fn the_instances_key_vouches_for_the_repository_that_it_named() {
    let app = TestApp::start().await;
    let key = make_instance_key(&app).await;
    let signer = keys::signer(&app, &key).unwrap();
    for (reference, expected) in [
        ("localhost:8080/acme/web", VerdictState::Verified),
        // The address of the instance was another one.
        ("registry.example.com/acme/web", VerdictState::Verified),
        ("localhost:8080/evil/app", VerdictState::Elsewhere("evil/app".into())),
        ("localhost:8080/evil/acme/web", VerdictState::Elsewhere("evil/acme/web".into())),
        ("", VerdictState::Elsewhere(String::new())),
    ] {
        let (repository, place) = match db::namespaces::find_by_name(&app.db, "acme").await.unwrap() {
            Some(owner) => {
                let row = db::repositories::find_by_name(&app.db, owner.id, "web").await.unwrap().unwrap();
                (row.clone(), Place::new(&row, "acme/web"))
            }
            None => repository_of(&app, "acme", "web").await,
        };
        let digest = image(&app, &repository, reference).await;
        signed_by(&app, &repository, &digest, &signer, reference).await;
        assert_eq!(state_at(&app, &place, &digest).await, expected, "{reference}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_has_a_key_like_any_other() {
    let app = TestApp::start().await;
    let (acme, _) = repository_of(&app, "acme", "web").await;
    let none = public_key(&app, "nobody").await.unwrap();
    let before = public_key(&app, "acme").await.unwrap();
    let own = make_key(&app, acme.namespace_id).await.public_pem;
    assert_eq!(public_key(&app, "acme").await.unwrap(), own);
    let shape = |pem: &str| pem.lines().map(str::len).collect::<Vec<_>>();
    for name in ["nobody", "ACME", "a/../b", "nul\0", "ü", &"x".repeat(300), ""] {
        let pem = public_key(&app, name).await.unwrap();
        assert_eq!(shape(&pem), shape(&own), "{name}");
        assert!(signing::fingerprint(&pem).is_ok() && pem != own);
        assert_eq!(public_key(&app, name).await.unwrap(), pem, "always the same");
        assert_eq!(pem == none, name == "nobody", "each name has its own");
        // Whoever asks for it by its fingerprint sees no difference either.
        assert_eq!(public_key_of(&app, name, &signing::fingerprint(&pem).unwrap()).await.unwrap(), pem);
    }
    let fingerprint = signing::fingerprint(&before).unwrap();
    assert_eq!(public_key_of(&app, "acme", &fingerprint).await.unwrap(), before, "also after the name was taken");
    for (name, wrong) in [
        ("acme", signing::fingerprint(&none).unwrap()),
        ("nobody", signing::fingerprint(&own).unwrap()),
        ("acme", "SHA256:00".into()),
        ("acme", "\0".into()),
    ] {
        assert_eq!(public_key_of(&app, name, &wrong).await.unwrap_err().status(), 404, "{name} {wrong}");
    }
}

#[tokio::test]
async fn old_keys_stay_at_their_fingerprint() {
    let app = TestApp::start().await;
    let instance = make_instance_key(&app).await;
    let (acme, _) = repository_of(&app, "acme", "web").await;
    let key = make_key(&app, acme.namespace_id).await;
    let tx = app.db.begin().await.unwrap();
    db::keys::revoke(&tx, key.id, 1).await.unwrap();
    db::keys::retire(&tx, instance.id, 1).await.unwrap();
    tx.commit().await.unwrap();
    let hex = key.fingerprint.trim_start_matches("SHA256:").to_uppercase();
    for typed in [key.fingerprint.clone(), hex.clone(), format!("sha256:{hex}"), format!(" {hex} ")] {
        assert_eq!(public_key_of(&app, "acme", &typed).await.unwrap(), key.public_pem, "{typed}");
    }
    // The instance's was everybody's.
    for name in ["acme", "nobody"] {
        assert_eq!(public_key_of(&app, name, &instance.fingerprint).await.unwrap(), instance.public_pem);
    }
    assert_ne!(public_key(&app, "acme").await.unwrap(), key.public_pem, "a revoked key is not offered");
}
