//! Image-signing keys. A row has a scope and a period, so rotation and keys of namespaces are data.

use super::entity::operations::signing_key;
use super::{Ask, Tx, rows};
use crate::error::Result;
use sea_orm::prelude::*;
use sea_orm::{ActiveModelTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};

/// The scope of the key that signs for the whole instance.
pub const INSTANCE: &str = "instance";

pub async fn insert(tx: &Tx, row: rows::SigningKey) -> Result<rows::SigningKey> {
    Ok(row.into_active_model().reset_all().insert(tx.connection()).await?)
}

/// The instance's present key: the oldest that was not retired, so that two servers that start at once agree.
pub async fn present(c: &impl Ask) -> Result<Option<rows::SigningKey>> {
    Ok(signing_key::Entity::find()
        .filter(signing_key::Column::Scope.eq(INSTANCE))
        .filter(signing_key::Column::RetiredAt.is_null())
        .order_by_asc(signing_key::Column::CreatedAt)
        .order_by_asc(signing_key::Column::Id)
        .one(c.connection())
        .await?)
}

/// Every key that ever signed here, the newest first: what a retired one signed stays verified.
pub async fn all(c: &impl Ask) -> Result<Vec<rows::SigningKey>> {
    Ok(signing_key::Entity::find().order_by_desc(signing_key::Column::CreatedAt).limit(50).all(c.connection()).await?)
}

/// Ends the period of every key.
#[cfg(test)]
pub(crate) async fn retire_all(tx: &Tx, now: crate::clock::Millis) -> Result<()> {
    use sea_orm::sea_query::Expr;
    signing_key::Entity::update_many()
        .col_expr(signing_key::Column::RetiredAt, Expr::value(now))
        .exec(tx.connection())
        .await?;
    Ok(())
}

/// Forgets every key.
#[cfg(test)]
pub(crate) async fn forget_all(tx: &Tx) {
    signing_key::Entity::delete_many().exec(tx.connection()).await.unwrap();
}

/// Takes the table of keys away, or brings it back: a database that fails for a while.
#[cfg(test)]
pub(crate) async fn hide(tx: &Tx, is_hidden: bool) -> Result<()> {
    let (from, to) = if is_hidden { ("signing_key", "hidden_key") } else { ("hidden_key", "signing_key") };
    tx.connection().execute_unprepared(&format!("ALTER TABLE {from} RENAME TO {to}")).await?;
    Ok(())
}
