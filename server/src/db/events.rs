//! The outbox: one row for each thing that happened, written in the transaction that did it.

use super::entity::operations::event;
use super::{Ask as _, Tx, rows};
use crate::clock::Millis;
use crate::error::Result;
use crate::policy::Principal;
use sea_orm::{ActiveModelTrait, EntityTrait as _, IntoActiveModel};
use uuid::Uuid;

/// What happened to what.
pub struct NewEvent {
    /// `tag.moved`, `repository.created`, `build.finished`, …
    pub kind: &'static str,
    pub namespace_id: Option<Uuid>,
    pub repository_id: Option<Uuid>,
    /// The thing, as people name it: `acme/web:main`.
    pub subject: String,
    pub cause: Option<String>,
    pub body: serde_json::Value,
}

/// Version of the shape of `body`.
const VERSION: i64 = 1;

pub async fn add(tx: &Tx, by: &Principal, new: NewEvent, now: Millis) -> Result<()> {
    let row: event::ActiveModel = row(by, new, now).into_active_model().reset_all();
    row.insert(tx.connection()).await?;
    Ok(())
}

/// As `add`, for a few hundred at once.
pub async fn add_all(tx: &Tx, by: &Principal, new: Vec<NewEvent>, now: Millis) -> Result<()> {
    let rows: Vec<event::ActiveModel> =
        new.into_iter().map(|new| row(by, new, now).into_active_model().reset_all()).collect();
    for some in rows.chunks(100) {
        event::Entity::insert_many(some.to_vec()).exec_without_returning(tx.connection()).await?;
    }
    Ok(())
}

fn row(by: &Principal, new: NewEvent, now: Millis) -> rows::Event {
    rows::Event {
        id: Uuid::now_v7(),
        version: VERSION,
        kind: new.kind.to_owned(),
        namespace_id: new.namespace_id,
        repository_id: new.repository_id,
        subject: new.subject,
        principal_kind: by.kind(),
        principal_id: by.id(),
        cause: new.cause,
        request_id: crate::request_id::current(),
        body: new.body.to_string(),
        at: now,
    }
}

/// Events of a kind.
#[cfg(test)]
pub(crate) async fn count(db: &super::Db, kind: &str) -> u64 {
    use sea_orm::ColumnTrait as _;
    use sea_orm::{EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
    event::Entity::find().filter(event::Column::Kind.eq(kind)).count(db.connection()).await.unwrap()
}
