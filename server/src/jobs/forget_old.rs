//! Forgets what is kept for a time only: events, tag moves, deleted refs and the logs of builds. A few hundred rows a
//! transaction, so that other writers come in between.

use super::JobError;
use crate::app::App;
use crate::clock::{DAY, Millis};
use crate::db::ages;
use crate::error::{Parts, Result};
use crate::registry::objects::kept_until;

/// Of one transaction.
const AT_ONCE: u64 = 500;
/// Steps and lines of an attempt are many rows.
const LOGS_AT_ONCE: u64 = 5;
/// A ref that comes back within this time goes on with its history.
const REFS: Millis = 90 * DAY;

pub(super) async fn run(app: &App) -> Result<(), JobError> {
    let (now, keep) = (app.clock.now(), &app.config.keep);
    let old = [
        before(now, keep.events).map(Old::Events),
        before(now, keep.tag_moves).map(Old::TagMoves),
        Some(Old::Refs(now - REFS)),
        before(now, keep.logs).map(Old::Logs),
    ];
    let mut parts = Parts::default();
    for old in old.into_iter().flatten() {
        parts.note("forgetting what is old", old.forget_all(app).await);
    }
    Ok(parts.end()?)
}

/// `None` where nothing is too old: 0 days keep for ever.
fn before(now: Millis, days: u32) -> Option<Millis> {
    (days > 0).then(|| now - i64::from(days) * DAY)
}

/// What is from before a time.
enum Old {
    Events(Millis),
    TagMoves(Millis),
    Refs(Millis),
    Logs(Millis),
}

impl Old {
    async fn forget_all(&self, app: &App) -> Result<()> {
        while self.forget_some(app).await? {}
        Ok(())
    }

    /// One transaction; false when nothing is left.
    async fn forget_some(&self, app: &App) -> Result<bool> {
        let tx = app.db.begin().await?;
        let gone = match self {
            Self::Events(before) => ages::forget_events(&tx, *before, AT_ONCE).await?,
            Self::TagMoves(before) => ages::forget_moves(&tx, *before, AT_ONCE).await?,
            Self::Refs(before) => ages::forget_refs(&tx, *before, AT_ONCE).await?,
            Self::Logs(before) => {
                let why = crate::builds::log::removed_after(app.config.keep.logs);
                ages::forget_logs(&tx, *before, &why, kept_until(app), LOGS_AT_ONCE).await?
            }
        };
        tx.commit().await?;
        Ok(gone > 0)
    }
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
}
