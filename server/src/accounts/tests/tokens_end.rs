//! Personal access tokens: how many, and until when they work.

use super::*;

crate::testing::on_postgres! {
    a_person_has_so_many_tokens_that_work_and_pages_of_them,
    a_token_works_until_it_ends_or_is_revoked_by_its_owner,
}

#[tokio::test]
async fn a_person_has_so_many_tokens_that_work_and_pages_of_them() {
    let app = app(&["mona"]).await;
    let id = arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    let who = Who::User { id, name: "mona".into(), is_site_admin: false };
    let allowed = policy::check::<UseAccount>(&Principal { who, bound: Bound::None }, Site).unwrap();
    let wish = || tokens::NewToken::check("ci", &["read".into()], "never").unwrap();
    for _ in 0..100 {
        app.clock.advance(1);
        tokens::create(&app, &allowed, wish()).await.unwrap();
    }
    let refused = tokens::create(&app, &allowed, wish()).await.unwrap_err();
    assert!(refused.status() == 429 && refused.to_string().contains("revoke one"), "{refused}");
    let (first, total) = tokens::page(&app, &allowed, 0, 30).await.unwrap();
    let (last, _) = tokens::page(&app, &allowed, 90, 30).await.unwrap();
    assert_eq!((first.len(), last.len(), total), (30, 10, 100));
    assert!(first[0].created_at > last[9].created_at);
    // One that is revoked makes room.
    tokens::revoke(&app, &allowed, first[0].id).await.unwrap();
    tokens::create(&app, &allowed, wish()).await.unwrap();
}

#[tokio::test]
async fn a_token_works_until_it_ends_or_is_revoked_by_its_owner() {
    let app = app(&["mona", "lisa"]).await;
    let mona = arrive(&app, 1, "mona", "read:user", None).await.unwrap();
    let lisa = arrive(&app, 2, "lisa", "read:user", None).await.unwrap();
    let allowed = |id| {
        let who = Who::User { id, name: "x".into(), is_site_admin: false };
        policy::check::<UseAccount>(&Principal { who, bound: Bound::None }, Site).unwrap()
    };
    let wish = || tokens::NewToken::check("laptop", &["read".into()], "1").unwrap();
    let (row, secret) = tokens::create(&app, &allowed(mona), wish()).await.unwrap();
    assert!(secret.reveal().starts_with("slp_") && !row.hash.contains(secret.reveal()));
    assert!(auth::tokens::find_personal(&app, secret.reveal(), HERE).await.is_ok());
    assert_eq!(tokens::page(&app, &allowed(lisa), 0, 30).await.unwrap().1, 0);
    assert_eq!(tokens::revoke(&app, &allowed(lisa), row.id).await.unwrap_err().status(), 404);
    assert!(auth::tokens::principal_of_token(&app, row.id).await.is_ok());
    tokens::revoke(&app, &allowed(mona), row.id).await.unwrap();
    assert!(auth::tokens::principal_of_token(&app, row.id).await.is_err());
    assert!(auth::tokens::find_personal(&app, secret.reveal(), HERE).await.is_err());

    let (row, secret) = tokens::create(&app, &allowed(mona), wish()).await.unwrap();
    let tx = app.db.begin().await.unwrap();
    let ended = db::rows::Token { id: Uuid::now_v7(), hash: "ended".into(), expires_at: Some(1), ..row };
    let ended = db::tokens::insert(&tx, ended).await.unwrap();
    tx.commit().await.unwrap();
    assert!(auth::tokens::principal_of_token(&app, ended.id).await.is_err(), "it has ended");
    assert!(auth::tokens::find_personal(&app, secret.reveal(), HERE).await.is_ok());
    let tx = app.db.begin().await.unwrap();
    db::users::set_disabled(&tx, mona, Some(1)).await.unwrap();
    tx.commit().await.unwrap();
    let of_disabled = db::tokens::find_by_hash(&app.db, &secrets::hash(secret.reveal())).await.unwrap().unwrap();
    assert!(auth::tokens::principal_of_token(&app, of_disabled.id).await.is_err(), "its owner is disabled");
}
