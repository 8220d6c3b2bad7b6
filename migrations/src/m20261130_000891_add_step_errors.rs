//! Which lines of a step tell of errors: a page leads to them without a look at the log, however long that is.
//!
//! Where an older step has no such value, the log itself is looked at.

use crate::schema::execute;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        execute(m, &["ALTER TABLE build_step ADD COLUMN errors text"]).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        execute(m, &["ALTER TABLE build_step DROP COLUMN errors"]).await
    }
}
