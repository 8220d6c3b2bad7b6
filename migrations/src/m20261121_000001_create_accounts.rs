//! People, what they sign in with, namespaces and roles.

use crate::schema::{drop_all, table};
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, m: &SchemaManager) -> Result<(), DbErr> {
        table(m, "user")
            .id()
            .text("name")
            .text_null("display_name")
            .flag("is_site_admin")
            .int("created_at")
            .int_null("disabled_at")
            .unique(&["name"])
            .create()
            .await?;
        // Who somebody is: the forge and its numeric id, never a name or an address.
        table(m, "identity")
            .id()
            .child_of("user_id", "user")
            .text("forge")
            .text("forge_url")
            .text("remote_id")
            .text("login")
            .int("created_at")
            .int("updated_at")
            .unique(&["forge_url", "remote_id"])
            .create()
            .await?;
        // How we act at a forge. `listed_at` and `listing_error` tell of the last listing of its repositories.
        table(m, "connection")
            .id()
            .child_of("identity_id", "identity")
            .text("scopes")
            .bytes("token_encrypted")
            .text("state")
            .text_null("state_detail")
            .int_null("listed_at")
            .text_null("listing_error")
            .int("created_at")
            .int("updated_at")
            .unique(&["identity_id"])
            .create()
            .await?;
        table(m, "session")
            .id()
            .text("hash")
            .child_of("user_id", "user")
            .text_null("user_agent")
            .text_null("address")
            .int("created_at")
            .int("seen_at")
            .int("expires_at")
            .unique(&["hash"])
            .create()
            .await?;
        // An OAuth round trip in flight; `used_at` makes its state good for one callback.
        table(m, "sign_in")
            .id()
            .text("state_hash")
            .text("browser_hash")
            .bytes("verifier_encrypted")
            .text("purpose")
            .text("next")
            .text_null("invite_hash")
            .int("created_at")
            .int("expires_at")
            .int_null("used_at")
            .unique(&["state_hash"])
            .create()
            .await?;
        table(m, "invite")
            .id()
            .text("hash")
            .flag("makes_site_admin")
            .int("created_at")
            .int("expires_at")
            .int_null("used_at")
            .may_name("used_by", "user")
            .unique(&["hash"])
            .create()
            .await?;
        table(m, "token")
            .id()
            .child_of("user_id", "user")
            .text("name")
            .text("prefix")
            .text("hash")
            .text("scopes")
            .int("created_at")
            .int_null("expires_at")
            .int_null("used_at")
            .text_null("used_address")
            .int_null("revoked_at")
            .unique(&["hash"])
            .create()
            .await?;
        // Imported namespaces are bound to an account of a forge; its name there may change, ours stays.
        table(m, "namespace")
            .id()
            .text("name")
            .text("kind")
            .text_null("forge_url")
            .text_null("forge_account_id")
            .int("created_at")
            .unique(&["name"])
            .unique(&["forge_url", "forge_account_id"])
            .create()
            .await?;
        table(m, "namespace_grant")
            .id()
            .child_of("namespace_id", "namespace")
            .child_of("user_id", "user")
            .text("role")
            .int("created_at")
            .unique(&["namespace_id", "user_id"])
            .create()
            .await?;
        Ok(())
    }

    async fn down(&self, m: &SchemaManager) -> Result<(), DbErr> {
        drop_all(
            m,
            &[
                "namespace_grant",
                "namespace",
                "token",
                "invite",
                "sign_in",
                "session",
                "connection",
                "identity",
                "user",
            ],
        )
        .await
    }
}
