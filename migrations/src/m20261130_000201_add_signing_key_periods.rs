//! When a signing key was published and revoked; and at most one key of a namespace signs, whoever makes it first.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const COLUMNS: [&str; 2] = ["published_at", "revoked_at"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            let mut def = ColumnDef::new(Alias::new(column));
            def.big_integer().null();
            m.alter_table(Table::alter().table(Alias::new("signing_key")).add_column(&mut def).to_owned()).await?;
        }
        let connection = m.get_connection();
        // The one key of the version before was at every address from the start.
        connection.execute_unprepared("UPDATE signing_key SET published_at = created_at").await?;
        connection
            .execute_unprepared(
                "CREATE UNIQUE INDEX signing_key_signs_key ON signing_key (namespace_id) \
                 WHERE namespace_id IS NOT NULL AND retired_at IS NULL",
            )
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        m.get_connection().execute_unprepared("DROP INDEX signing_key_signs_key").await?;
        for column in COLUMNS {
            m.alter_table(Table::alter().table(Alias::new("signing_key")).drop_column(Alias::new(column)).to_owned())
                .await?;
        }
        Ok(())
    }
}
