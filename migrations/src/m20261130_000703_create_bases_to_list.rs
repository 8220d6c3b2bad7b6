//! Repositories whose earlier builds are still to be read for the bases that they used: builds before this version
//! could start from every image of their namespace. The server does it at its start, because only it knows which host
//! of a material's address is its own; ids are those of repositories.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const ALL: &str = "INSERT INTO bases_to_list (id) SELECT r.id FROM repository r WHERE EXISTS \
     (SELECT 1 FROM build b JOIN material m ON m.build_id = b.id \
      WHERE b.repository_id = r.id AND m.uri LIKE 'pkg:docker/%')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        table(m, "bases_to_list").id().create().await?;
        m.get_connection().execute_unprepared(ALL).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(m, &["bases_to_list"]).await
    }
}
