//! Rights remember the organisation that they rest on, and when the forge last said that it still holds.
//!
//! Roles that came with an import of an organisation are found by what is absent: an operator's `admin grant` left an
//! event, an import did not.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns of tables that are there: why somebody was let in, and what is suspended.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("\"user\"", "admitted_by", "TEXT"),
    ("\"user\"", "admitted_at", "BIGINT"),
    ("\"user\"", "suspended_at", "BIGINT"),
    ("\"user\"", "suspended_because", "TEXT"),
    ("namespace_grant", "via_account_id", "TEXT"),
    ("namespace_grant", "suspended_at", "BIGINT"),
];

const FIND_OWNERS: &str = r#"UPDATE namespace_grant SET via_account_id =
    (SELECT n.forge_account_id FROM namespace n WHERE n.id = namespace_grant.namespace_id)
    WHERE role = 'admin'
    AND namespace_id IN (SELECT id FROM namespace WHERE kind = 'organization')
    AND NOT EXISTS (SELECT 1 FROM event e JOIN "user" u ON u.id = namespace_grant.user_id
        WHERE e.kind = 'namespace.role_changed' AND e.namespace_id = namespace_grant.namespace_id
        AND e.body LIKE '%"user":"' || u.name || '"%')"#;

const NOTE_OWNERS: &str = "INSERT INTO membership
    (id, user_id, forge_url, organization_id, organization_login, state, is_member, changed_at)
    SELECT g.id, g.user_id, n.forge_url, n.forge_account_id, n.name, 'member', TRUE, g.created_at
    FROM namespace_grant g JOIN namespace n ON n.id = g.namespace_id
    WHERE g.via_account_id IS NOT NULL AND n.forge_url IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        // `is_member` is the last definite answer: who is no owner any more may still be a member. `answered_at` is when
        // it came, and `unanswered_since` the begin of a time without any.
        table(m, "membership")
            .id()
            .child_of("user_id", "user")
            .text("forge_url")
            .text("organization_id")
            .text("organization_login")
            .text("state")
            .flag("is_member")
            .int_null("asked_at")
            .int_null("answered_at")
            .int_null("unanswered_since")
            .text_null("detail")
            .text_null("ended")
            .int("changed_at")
            .unique(&["user_id", "forge_url", "organization_id"])
            .index(&["forge_url", "organization_id"])
            .create()
            .await?;
        for (table, column, kind) in COLUMNS {
            m.get_connection().execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {column} {kind}")).await?;
        }
        m.get_connection().execute_unprepared(FIND_OWNERS).await?;
        m.get_connection().execute_unprepared(NOTE_OWNERS).await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        for (table, column, _) in COLUMNS {
            m.get_connection().execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {column}")).await?;
        }
        drop_all(m, &["membership"]).await
    }
}
