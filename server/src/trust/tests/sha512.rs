//! Images that are named by sha512: cosign's tag would be too long, so what signs them refers to them.

use super::scene::{MANIFEST, manager, with_layers};
use super::*;
use crate::names::{Algorithm, Reference};
use crate::registry::manifests::Push;

crate::testing::on_postgres! {
    an_image_that_is_named_by_sha512_is_signed_by_a_referrer,
}

#[tokio::test]
async fn an_image_that_is_named_by_sha512_is_signed_by_a_referrer() {
    let app = TestApp::start().await;
    let repository = repository(&app).await;
    let body = with_layers(&app, &repository, &["text/plain"]).await.to_string();
    let digest = Digest::by(Algorithm::Sha512, body.as_bytes());
    let allowed = manager(&repository);
    let push = Push::of(&allowed, MANIFEST, Bytes::from(body));
    put_manifest(&app, &push, &Reference::Digest(digest.clone())).await.unwrap();
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::NotSigned);
    let tags = db::tags::names(&app.db, repository.id, "", 100).await.unwrap();
    for _ in 0..2 {
        sign_and_store(&app, &repository, &digest).await;
        assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
        let made = db::manifests::own_referrers(&app.db, repository.id, &digest, None, 10).await.unwrap();
        let types: Vec<_> = made.iter().map(|one| one.artifact_type.as_deref().unwrap_or_default()).collect();
        assert_eq!(types, [checks::BUNDLE_TYPE], "one is enough");
    }
    assert_eq!(db::tags::names(&app.db, repository.id, "", 100).await.unwrap(), tags);
    // The same bytes by sha256 are another image, which nobody signed.
    let other = Digest::of(&push.body);
    put_manifest(&app, &push, &Reference::Digest(other.clone())).await.unwrap();
    assert_eq!(state(&app, &repository, &other).await, VerdictState::NotSigned);
    assert_eq!(state(&app, &repository, &digest).await, VerdictState::Verified);
}
