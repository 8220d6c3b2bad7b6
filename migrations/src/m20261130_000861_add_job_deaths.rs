//! How often a job's worker died in a row, and indexes by which the job that is due and those that ended are found,
//! however many rows there are; old deliveries too. Logs and signing get lanes of their own.

use crate::schema::execute;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const UP: &[&str] = &[
    "ALTER TABLE job ADD COLUMN deaths bigint NOT NULL DEFAULT 0",
    "CREATE INDEX job_state_finished_at_idx ON job (state, finished_at)",
    "CREATE INDEX job_lane_state_created_at_idx ON job (lane, state, created_at)",
    "CREATE INDEX hook_delivery_received_at_idx ON hook_delivery (received_at)",
    "UPDATE job SET lane = 'logs' WHERE kind = 'seal_log' AND state <> 'done'",
    "UPDATE job SET lane = 'signing' WHERE kind = 'sign_again' AND state <> 'done'",
    // A single restart ended what had been taken up again.
    "UPDATE job SET state = 'gave_up' WHERE state = 'failed' AND last_error LIKE '%its workers died%'",
];

const DOWN: &[&str] = &[
    // The version before knows no such lanes.
    "UPDATE job SET lane = 'upkeep' WHERE lane = 'logs'",
    "UPDATE job SET lane = 'long' WHERE lane = 'signing'",
    "DROP INDEX hook_delivery_received_at_idx",
    "DROP INDEX job_lane_state_created_at_idx",
    "DROP INDEX job_state_finished_at_idx",
    "ALTER TABLE job DROP COLUMN deaths",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        execute(m, UP).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        execute(m, DOWN).await
    }
}
