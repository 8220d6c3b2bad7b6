//! The database's schema, the same on SQLite and PostgreSQL.
//!
//! Deploys overlap: expand, move, and contract in a later release.

#![expect(clippy::too_many_lines, reason = "the tables of one area read best in one piece")]

mod m20261121_000001_create_accounts;
mod m20261121_000002_create_registry;
mod m20261121_000003_create_sources;
mod m20261121_000004_create_builds;
mod m20261121_000005_create_operations;
mod m20261130_000001_add_job_lane;
mod m20261130_000201_add_signing_key_periods;
mod m20261130_000202_create_signing_run;
mod m20261130_000401_add_log_bounds;
mod m20261130_000501_create_object;
mod m20261130_000502_free_names_of_deleted_repositories;
mod m20261130_000503_add_repository_maker;
mod m20261130_000504_add_upload_locked_by;
mod m20261130_000601_add_rights_of_members;
mod m20261130_000602_create_turned_private;
mod m20261130_000701_add_attempt_protection;
mod m20261130_000702_create_allowed_base;
mod m20261130_000703_create_bases_to_list;
mod m20261130_000811_index_build_digest;
mod m20261130_000850_add_edge_repository;
mod m20261130_000861_add_job_deaths;
mod m20261130_000871_add_build_namespace;
mod m20261130_000872_add_indexes_of_lists;
mod m20261130_000881_index_membership_state;
mod m20261130_000891_add_step_errors;
mod m20261130_000893_add_what_lists_show;
mod m20261130_000897_index_referrers;
mod schema;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{DbErr, MigrationName, MigrationTrait, SchemaManager, async_trait};

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let all: Vec<Box<dyn MigrationTrait>> = vec![
            Box::new(m20261121_000001_create_accounts::Migration),
            Box::new(m20261121_000002_create_registry::Migration),
            Box::new(m20261121_000003_create_sources::Migration),
            Box::new(m20261121_000004_create_builds::Migration),
            Box::new(m20261121_000005_create_operations::Migration),
            Box::new(m20261130_000001_add_job_lane::Migration),
            Box::new(m20261130_000201_add_signing_key_periods::Migration),
            Box::new(m20261130_000202_create_signing_run::Migration),
            Box::new(m20261130_000401_add_log_bounds::Migration),
            Box::new(m20261130_000501_create_object::Migration),
            Box::new(m20261130_000502_free_names_of_deleted_repositories::Migration),
            Box::new(m20261130_000503_add_repository_maker::Migration),
            Box::new(m20261130_000504_add_upload_locked_by::Migration),
            Box::new(m20261130_000601_add_rights_of_members::Migration),
            Box::new(m20261130_000602_create_turned_private::Migration),
            Box::new(m20261130_000701_add_attempt_protection::Migration),
            Box::new(m20261130_000702_create_allowed_base::Migration),
            Box::new(m20261130_000703_create_bases_to_list::Migration),
            Box::new(m20261130_000811_index_build_digest::Migration),
            Box::new(m20261130_000850_add_edge_repository::Migration),
            Box::new(m20261130_000861_add_job_deaths::Migration),
            Box::new(m20261130_000871_add_build_namespace::Migration),
            Box::new(m20261130_000872_add_indexes_of_lists::Migration),
            Box::new(m20261130_000881_index_membership_state::Migration),
            Box::new(m20261130_000891_add_step_errors::Migration),
            Box::new(m20261130_000893_add_what_lists_show::Migration),
            Box::new(m20261130_000897_index_referrers::Migration),
        ];
        all.into_iter().map(|migration| Box::new(Whole(migration)) as Box<dyn MigrationTrait>).collect()
    }
}

/// A migration in one transaction, on SQLite too, so that one that breaks off or is killed leaves nothing of itself and can
/// be tried again. One that would lock large tables for long says that it goes in steps instead, each of which can be
/// repeated.
struct Whole(Box<dyn MigrationTrait>);

impl MigrationName for Whole {
    fn name(&self) -> &str {
        self.0.name()
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Whole {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        self.0.up(m).await
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        self.0.down(m).await
    }

    fn use_transaction(&self) -> Option<bool> {
        self.0.use_transaction().or(Some(true))
    }
}
