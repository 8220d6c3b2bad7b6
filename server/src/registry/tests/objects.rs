//! The rows of stored bytes: before the first byte, and until after the last.

use super::super::{blobs, objects};
use super::uploads_held::Push;
use crate::app::App;
use crate::clock::{DAY, HOUR};
use crate::db::{self, ObjectKey, ObjectState, OwnerKind};
use crate::error::Error;
use crate::names::Digest;

crate::testing::on_postgres! {
    an_upload_has_its_object_before_its_first_byte,
    what_nobody_came_to_name_goes_after_a_day,
    an_upload_that_goes_on_keeps_its_bytes,
    a_sweep_that_died_is_gone_on_with,
    what_is_being_removed_cannot_be_named_again,
    rows_that_die_with_their_parent_leave_no_bytes,
    a_copy_of_known_bytes_goes_at_once,
    a_cancelled_upload_goes_at_once,
    bytes_that_cannot_be_removed_keep_no_others,
}

async fn has_bytes(app: &App, key: &ObjectKey) -> bool {
    app.storage.length(key).await.unwrap().is_some()
}

async fn keys(app: &App) -> Vec<ObjectKey> {
    db::objects::all(&app.db).await.into_iter().map(|object| object.storage_key).collect()
}

async fn unnamed(app: &App) -> blobs::OwnBlob {
    blobs::store_own(app, "a signature that no transaction named".into()).await.unwrap()
}

#[tokio::test]
async fn an_upload_has_its_object_before_its_first_byte() {
    let push = Push::new().await;
    let upload = push.start().await;
    let all = db::objects::all(&push.app().db).await;
    let [object] = &all[..] else { panic!("{all:?}") };
    assert_eq!(object.storage_key, upload.storage_key);
    assert_eq!((object.owner_kind, object.owner_id), (Some(OwnerKind::Upload), Some(upload.id)));
    assert!(!has_bytes(push.app(), &upload.storage_key).await);
    push.finish(&upload).await.unwrap();
    let all = db::objects::all(&push.app().db).await;
    assert_eq!(all[0].owner_kind, Some(OwnerKind::Blob));
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn what_nobody_came_to_name_goes_after_a_day() {
    let push = Push::new().await;
    let app = push.app();
    let own = unnamed(app).await;
    app.clock.advance(DAY - HOUR);
    objects::sweep(app).await.unwrap();
    assert!(has_bytes(app, &own.storage_key).await, "its writer may be about to name it");
    app.clock.advance(2 * HOUR);
    objects::sweep(app).await.unwrap();
    assert!(!has_bytes(app, &own.storage_key).await && keys(app).await.is_empty());
}

#[tokio::test]
async fn an_upload_that_goes_on_keeps_its_bytes() {
    let push = Push::new().await;
    let upload = push.start().await;
    let upload = push.append(&upload).await;
    push.app().clock.advance(10 * DAY);
    objects::sweep(push.app()).await.unwrap();
    assert!(has_bytes(push.app(), &upload.storage_key).await);
}

#[tokio::test]
async fn a_sweep_that_died_is_gone_on_with() {
    let push = Push::new().await;
    let app = push.app();
    let own = unnamed(app).await;
    app.clock.advance(2 * DAY);
    let tx = app.db.begin().await.unwrap();
    let claimed = db::objects::claim_due(&tx, app.clock.now(), 10).await.unwrap();
    assert_eq!(claimed, std::slice::from_ref(&own.storage_key));
    tx.commit().await.unwrap();
    objects::sweep(app).await.unwrap();
    assert!(!has_bytes(app, &own.storage_key).await && keys(app).await.is_empty());
}

#[tokio::test]
async fn what_is_being_removed_cannot_be_named_again() {
    let push = Push::new().await;
    let app = push.app();
    let own = unnamed(app).await;
    app.clock.advance(2 * DAY);
    let tx = app.db.begin().await.unwrap();
    db::objects::claim_due(&tx, app.clock.now(), 10).await.unwrap();
    tx.commit().await.unwrap();
    let tx = app.db.begin().await.unwrap();
    let late = db::blobs::upsert(&tx, &own.digest, own.size_bytes, &own.storage_key, 1).await;
    assert!(matches!(late, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn rows_that_die_with_their_parent_leave_no_bytes() {
    let push = Push::new().await;
    let app = push.app();
    let upload = push.append(&push.start().await).await;
    let tx = app.db.begin().await.unwrap();
    db::uploads::lose(&tx, upload.id).await;
    tx.commit().await.unwrap();
    objects::sweep(app).await.unwrap();
    assert_eq!(db::objects::all(&app.db).await[0].state, ObjectState::Unowned);
    app.clock.advance(2 * DAY);
    objects::sweep(app).await.unwrap();
    assert!(!has_bytes(app, &upload.storage_key).await && keys(app).await.is_empty());
}

#[tokio::test]
async fn a_copy_of_known_bytes_goes_at_once() {
    let push = Push::new().await;
    push.finish(&push.start().await).await.unwrap();
    let second = push.start().await;
    push.finish(&second).await.unwrap();
    assert!(!has_bytes(push.app(), &second.storage_key).await);
    assert_eq!(keys(push.app()).await.len(), 1);
}

#[tokio::test]
async fn a_cancelled_upload_goes_at_once() {
    let push = Push::new().await;
    let upload = push.append(&push.start().await).await;
    super::super::uploads::cancel(push.app(), &upload).await.unwrap();
    assert!(!has_bytes(push.app(), &upload.storage_key).await && keys(push.app()).await.is_empty());
    let wrong = push.start().await;
    push.finish_as(&wrong, &Digest::of(b"other")).await.unwrap_err();
    assert!(keys(push.app()).await.is_empty());
}

#[tokio::test]
async fn bytes_that_cannot_be_removed_keep_no_others() {
    let push = Push::new().await;
    let app = push.app();
    let stuck = unnamed(app).await;
    // As a disk that fails in one place would.
    let file = app.config.data_dir.join("storage").join(stuck.storage_key.as_str());
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    app.clock.advance(1);
    let other = unnamed(app).await;
    app.clock.advance(2 * DAY);
    assert!(objects::sweep(app).await.is_err(), "an operator reads of it");
    assert!(!has_bytes(app, &other.storage_key).await);
    assert_eq!(keys(app).await, std::slice::from_ref(&stuck.storage_key));
    objects::sweep(app).await.expect("it is not tried again at once");
    std::fs::remove_dir(&file).unwrap();
    app.clock.advance(2 * HOUR);
    objects::sweep(app).await.unwrap();
    assert!(keys(app).await.is_empty());
}
