//! Lanes: unlike work does not wait in one line.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Where the kinds of the version before belong; what is not named here stays in `upkeep`.
const LANES: &[(&str, &str)] = &[
    ("leases", "'sweep_leases'"),
    ("deliveries", "'process_delivery'"),
    ("forge", "'ensure_hook', 'remove_hook', 'set_commit_status'"),
    ("listing", "'list_repositories', 'scan_repositories'"),
    ("polling", "'poll_source', 'poll_due_sources'"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let lane = ColumnDef::new(Alias::new("lane")).text().not_null().default("upkeep").to_owned();
        m.alter_table(Table::alter().table(Alias::new("job")).add_column(lane).to_owned()).await?;
        for (lane, kinds) in LANES {
            let moved = format!("UPDATE job SET lane = '{lane}' WHERE kind IN ({kinds})");
            m.get_connection().execute_unprepared(&moved).await?;
        }
        let index = Index::create()
            .name("job_lane_state_run_at_idx")
            .table(Alias::new("job"))
            .col(Alias::new("lane"))
            .col(Alias::new("state"))
            .col(Alias::new("run_at"))
            .to_owned();
        m.create_index(index).await?;
        m.drop_index(Index::drop().name("job_state_run_at_idx").table(Alias::new("job")).to_owned()).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create()
            .name("job_state_run_at_idx")
            .table(Alias::new("job"))
            .col(Alias::new("state"))
            .col(Alias::new("run_at"))
            .to_owned();
        m.create_index(index).await?;
        m.drop_index(Index::drop().name("job_lane_state_run_at_idx").table(Alias::new("job")).to_owned()).await?;
        // The version before knows no such word.
        m.get_connection().execute_unprepared("UPDATE job SET state = 'failed' WHERE state = 'gave_up'").await?;
        m.alter_table(Table::alter().table(Alias::new("job")).drop_column(Alias::new("lane")).to_owned()).await
    }
}
