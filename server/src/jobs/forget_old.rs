//! Forgets what is kept for a time only: events, tag moves, deleted refs and the logs of builds. What is too old is found
//! by readers, and goes a few hundred rows a transaction, so that other writers come in between.

use super::JobError;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::ages;
use crate::error::{Parts, Result};
use crate::registry::objects::kept_until;
use uuid::Uuid;

/// Of one transaction.
const AT_ONCE: u64 = 500;
/// Steps and lines of an attempt are many rows.
const LOGS_AT_ONCE: u64 = 5;
/// A ref that comes back within this time goes on with its history.
const REFS: Millis = 90 * DAY;

/// Of events, and of moves of tags, of one repository: a client that moves a tag all day long fills no disk.
const MOST_OF_A_REPOSITORY: u64 = 100_000;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let (now, keep) = (app.clock.now(), &app.config.keep);
    let mut parts = Parts::default();
    let mut done = |result| parts.note("forgetting what is old", result);
    if let Some(before) = before(now, keep.events) {
        done(events(app, None, before).await);
    }
    if let Some(before) = before(now, keep.tag_moves) {
        done(tag_moves(app, None, before).await);
    }
    done(refs(app, now - REFS).await);
    if let Some(before) = before(now, keep.logs) {
        done(logs(app, before).await);
    }
    done(beyond(app, MOST_OF_A_REPOSITORY).await);
    Ok(parts.end()?)
}

/// `None` where nothing is too old: 0 days keep for ever.
fn before(now: Millis, days: u32) -> Option<Millis> {
    (days > 0).then(|| now - i64::from(days) * DAY)
}

async fn events(app: &App, repository_id: Option<Uuid>, before: Millis) -> Result<()> {
    loop {
        let old = ages::old_events(&app.db, repository_id, before, AT_ONCE).await?;
        if old.is_empty() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        ages::forget_events(&tx, &old).await?;
        tx.commit().await?;
    }
}

async fn tag_moves(app: &App, repository_id: Option<Uuid>, before: Millis) -> Result<()> {
    // What stays is not read again with each step.
    let mut from = Millis::MIN;
    loop {
        let old = ages::old_moves(&app.db, repository_id, (from, before), AT_ONCE).await?;
        let Some((_, last)) = old.last() else { return Ok(()) };
        from = *last;
        let tx = app.db.begin().await?;
        ages::forget_moves(&tx, &old.iter().map(|(id, _)| *id).collect::<Vec<_>>()).await?;
        tx.commit().await?;
    }
}

async fn refs(app: &App, before: Millis) -> Result<()> {
    loop {
        let old = ages::old_refs(&app.db, before, AT_ONCE).await?;
        if old.is_empty() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        ages::forget_refs(&tx, &old, before).await?;
        tx.commit().await?;
    }
}

async fn logs(app: &App, before: Millis) -> Result<()> {
    let why = crate::builds::log::removed_after(app.config.keep.logs);
    let mut from = Millis::MIN;
    loop {
        let old = ages::old_logs(&app.db, (from, before), LOGS_AT_ONCE).await?;
        let Some((_, last)) = old.last() else { return Ok(()) };
        from = *last;
        let tx = app.db.begin().await?;
        let ids: Vec<Uuid> = old.iter().map(|(id, _)| *id).collect();
        ages::forget_logs(&tx, &ids, &why, kept_until(app)).await?;
        tx.commit().await?;
    }
}

/// Forgets the oldest events and moves of each repository that has more than `most` of them.
async fn beyond(app: &App, most: u64) -> Result<()> {
    for id in ages::crowded_with_events(&app.db, most).await? {
        if let Some(before) = ages::bound_of_events(&app.db, id, most).await? {
            events(app, Some(id), before + 1).await?;
        }
    }
    for id in ages::crowded_with_moves(&app.db, most).await? {
        if let Some(before) = ages::bound_of_moves(&app.db, id, most).await? {
            tag_moves(app, Some(id), before + 1).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::events::NewEvent;
    use crate::db::{self, rows};
    use crate::policy::Principal;
    use crate::testing::{self, TestApp};
    use uuid::Uuid;

    crate::testing::on_postgres! {
        what_is_old_goes_and_each_tag_keeps_its_cause,
        a_repository_keeps_so_many_moves_and_events_and_the_cause_of_each_tag,
        with_no_age_all_is_kept_for_ever,
        what_cannot_be_forgotten_keeps_nothing_else,
    }

    async fn repository(app: &App) -> rows::Repository {
        let namespace = testing::namespace("acme");
        let repository = testing::repository(namespace.id, "web");
        let tx = app.db.begin().await.unwrap();
        db::namespaces::insert(&tx, namespace).await.unwrap();
        db::repositories::insert(&tx, repository.clone()).await.unwrap();
        tx.commit().await.unwrap();
        repository
    }

    async fn set_tag(app: &App, repository: &rows::Repository, tag: &str, to: Option<&str>) {
        let tx = app.db.begin().await.unwrap();
        let row = rows::TagMove {
            id: Uuid::now_v7(),
            repository_id: repository.id,
            tag: tag.into(),
            from_digest: None,
            to_digest: to.map(str::to_owned),
            cause: db::Cause::Push,
            build_id: None,
            principal_kind: db::PrincipalKind::System,
            principal_id: None,
            at: app.clock.now(),
        };
        db::tags::add_move(&tx, row).await.unwrap();
        let new = NewEvent {
            kind: "tag.moved",
            namespace_id: Some(repository.namespace_id),
            repository_id: Some(repository.id),
            subject: tag.into(),
            cause: None,
            body: serde_json::json!({}),
        };
        db::events::add(&tx, &Principal::SYSTEM, new, app.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_repository_keeps_so_many_moves_and_events_and_the_cause_of_each_tag() {
        let app = TestApp::start().await;
        let repository = repository(&app).await;
        set_tag(&app, &repository, "old", Some("sha256:0")).await;
        for n in 1..=6 {
            app.clock.advance(1);
            set_tag(&app, &repository, "main", Some(&format!("sha256:{n}"))).await;
        }
        beyond(&app, 4).await.unwrap();
        let moves = async |tag: &str| db::tags::moves(&app.db, repository.id, tag, 10).await.unwrap();
        let main: Vec<_> = moves("main").await.into_iter().filter_map(|row| row.to_digest).collect();
        assert_eq!(main, ["sha256:6", "sha256:5", "sha256:4", "sha256:3"], "the newest");
        assert_eq!(moves("old").await.len(), 1);
        assert_eq!(db::events::count(&app.db, "tag.moved").await, 4);
    }

    #[tokio::test]
    async fn looking_for_what_is_old_waits_for_no_writer() {
        let app = TestApp::start().await;
        let repository = repository(&app).await;
        set_tag(&app, &repository, "main", Some("sha256:1")).await;
        let writer = app.db.begin().await.unwrap();
        run(&app).await.expect("nothing is old, so nothing is written");
        drop(writer);
    }

    #[tokio::test]
    async fn what_is_old_goes_and_each_tag_keeps_its_cause() {
        let app = TestApp::start_with("[keep]\ntag_move_days = 30\nevent_days = 30").await;
        let repository = repository(&app).await;
        for to in ["sha256:1", "sha256:2"] {
            set_tag(&app, &repository, "main", Some(to)).await;
        }
        set_tag(&app, &repository, "gone", Some("sha256:1")).await;
        set_tag(&app, &repository, "gone", None).await;
        app.clock.advance(31 * DAY);
        for to in ["sha256:3", "sha256:4"] {
            set_tag(&app, &repository, "new", Some(to)).await;
        }
        let moves = async |tag: &str| db::tags::moves(&app.db, repository.id, tag, 10).await.unwrap().len();
        assert_eq!((moves("main").await, moves("gone").await, moves("new").await), (2, 2, 2));
        run(&app).await.unwrap();
        assert_eq!((moves("main").await, moves("gone").await, moves("new").await), (1, 0, 2));
        assert_eq!(
            db::tags::moves(&app.db, repository.id, "main", 1).await.unwrap()[0].to_digest.as_deref(),
            Some("sha256:2")
        );
        assert_eq!(db::events::count(&app.db, "tag.moved").await, 2);
    }

    #[tokio::test]
    async fn with_no_age_all_is_kept_for_ever() {
        let app = TestApp::start_with("[keep]\ntag_move_days = 0\nevent_days = 0").await;
        let repository = repository(&app).await;
        for to in ["sha256:1", "sha256:2"] {
            set_tag(&app, &repository, "main", Some(to)).await;
        }
        app.clock.advance(4_000 * DAY);
        run(&app).await.unwrap();
        assert_eq!(db::tags::moves(&app.db, repository.id, "main", 10).await.unwrap().len(), 2);
        assert_eq!(db::events::count(&app.db, "tag.moved").await, 2);
    }

    #[tokio::test]
    async fn what_cannot_be_forgotten_keeps_nothing_else() {
        let app = TestApp::start_with("[keep]\ntag_move_days = 30").await;
        let repository = repository(&app).await;
        for to in ["sha256:1", "sha256:2"] {
            set_tag(&app, &repository, "main", Some(to)).await;
        }
        app.clock.advance(31 * DAY);
        db::connect::execute(&app.db, "DROP TABLE event").await;
        assert!(run(&app).await.is_err(), "an operator reads of it");
        assert_eq!(db::tags::moves(&app.db, repository.id, "main", 10).await.unwrap().len(), 1);
    }
}
