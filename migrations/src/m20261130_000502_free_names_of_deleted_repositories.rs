//! A repository that is being removed owns no name: a push to the same name makes a new one at once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const DROP: &str = "DROP INDEX repository_namespace_id_name_key";
const CREATE: &str = "CREATE UNIQUE INDEX repository_namespace_id_name_key ON repository (namespace_id, name)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let c = m.get_connection();
        c.execute_unprepared(DROP).await?;
        c.execute_unprepared(&format!("{CREATE} WHERE state <> 'deleting'")).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let c = m.get_connection();
        let id = if m.get_database_backend() == DbBackend::Postgres { "CAST(id AS TEXT)" } else { "hex(id)" };
        // The version before forgets provisional repositories by itself. A lone dash begins no legal name.
        let hide = format!("UPDATE repository SET state = 'provisional', name = '-/' || {id} WHERE state = 'deleting'");
        c.execute_unprepared(&hide).await?;
        c.execute_unprepared(DROP).await?;
        c.execute_unprepared(CREATE).await?;
        Ok(())
    }
}
