//! People of an organisation by state and since when: those who wait for an admin are counted and listed without a look at
//! the others. It begins as the index before it, which goes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const BEFORE: &str = "membership_forge_url_organization_id_idx";
const NAME: &str = "membership_forge_url_organization_id_state_changed_at_id_idx";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let place = "membership (forge_url, organization_id, state, changed_at, id)";
        m.get_connection().execute_unprepared(&format!("CREATE INDEX {NAME} ON {place}")).await?;
        m.get_connection().execute_unprepared(&format!("DROP INDEX {BEFORE}")).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let place = "membership (forge_url, organization_id)";
        m.get_connection().execute_unprepared(&format!("CREATE INDEX {BEFORE} ON {place}")).await?;
        m.get_connection().execute_unprepared(&format!("DROP INDEX {NAME}")).await?;
        Ok(())
    }
}
