//! The end of what rests on an organisation. What ends is written down first, for admins to read.

use super::{Confirmed, PIECE};
use crate::accounts::standing::{self, Lost};
use crate::app::App;
use crate::clock::Millis;
use crate::db::events::NewEvent;
use crate::db::{self, MembershipState, Tx, rows};
use crate::error::Result;
use crate::policy::Principal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// What a person lost, as the row keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    /// `admin of acme`.
    pub roles: Vec<String>,
    /// Where these were; unknown of what ended before this was written down.
    #[serde(default)]
    pub namespaces: Vec<Uuid>,
    /// What went with the right to sign in; nothing when the person keeps that.
    pub lost: Option<Lost>,
}

/// Roles that a person has because of the organisation, suspended ones too.
pub(super) async fn grants_via(tx: &impl db::Ask, row: &rows::Membership) -> Result<Vec<rows::Grant>> {
    let mut found = Vec::new();
    for grant in db::namespaces::grants_of(tx, row.user_id).await? {
        if grant.via_account_id.as_deref() != Some(row.organization_id.as_str()) {
            continue;
        }
        let namespace = db::namespaces::find(tx, grant.namespace_id).await?;
        if namespace.is_some_and(|n| n.forge_url.as_deref() == Some(row.forge_url.as_str())) {
            found.push(grant);
        }
    }
    Ok(found)
}

/// Ends what rests on this membership. A person who is only no owner any more stays a member.
pub(super) async fn end(app: &App, tx: &Tx, row: rows::Membership, by: &Principal, now: Millis) -> Result<()> {
    let Some(row) = db::memberships::find(tx, row.user_id, &row.forge_url, &row.organization_id).await? else {
        return Ok(());
    };
    let Some(user) = db::users::find(tx, row.user_id).await? else { return Ok(()) };
    let mut ended = Ended::default();
    for grant in grants_via(tx, &row).await? {
        let namespace = db::namespaces::find(tx, grant.namespace_id).await?.map(|n| n.name).unwrap_or_default();
        db::namespaces::set_role(tx, grant.namespace_id, user.id, None, now).await?;
        ended.roles.push(format!("{} of {namespace}", grant.role));
        ended.namespaces.push(grant.namespace_id);
        let event = NewEvent {
            kind: "namespace.role_changed",
            namespace_id: Some(grant.namespace_id),
            repository_id: None,
            subject: namespace,
            cause: Some(format!("the forge no longer counts them among the owners of {}", row.organization_login)),
            body: json!({"user": user.name, "from": grant.role, "to": null}),
        };
        db::events::add(tx, by, event, now).await?;
    }
    let state = if row.is_member { MembershipState::Member } else { MembershipState::Left };
    let left = rows::Membership { state, detail: None, changed_at: now, ..row };
    db::memberships::put(tx, left.clone()).await?;
    if !left.is_member {
        forget_listed(tx, &left).await?;
        ended.lost = standing::settle(app, tx, user.id, standing::Why::Forge).await?;
    }
    let text = serde_json::to_string(&ended).expect("plain data");
    db::memberships::put(tx, rows::Membership { ended: Some(text), ..left.clone() }).await?;
    note(app, tx, by, &user, &left, &ended).await
}

/// The organisation's code is no longer listed to the person, and its private code not known.
async fn forget_listed(tx: &Tx, row: &rows::Membership) -> Result<()> {
    for identity in db::users::identities_of(tx, row.user_id).await? {
        if identity.forge_url == row.forge_url
            && let Some(connection) = db::users::connection_of_identity(tx, identity.id).await?
        {
            db::sources::listing::drop_of_owner(tx, connection.id, &row.organization_id).await?;
        }
    }
    Ok(())
}

async fn note(
    app: &App,
    tx: &Tx,
    by: &Principal,
    user: &rows::User,
    row: &rows::Membership,
    ended: &Ended,
) -> Result<()> {
    let namespace = db::namespaces::find_by_account(tx, &row.forge_url, &row.organization_id).await?;
    tracing::info!(user.id = %user.id, "rights of {} by the organisation {} ended", user.name, row.organization_login);
    let event = NewEvent {
        kind: "organization.member_left",
        namespace_id: namespace.map(|n| n.id),
        repository_id: None,
        subject: user.name.clone(),
        cause: Some(format!("the forge says that they left {}", row.organization_login)),
        body: json!({"user_id": user.id, "organization_id": row.organization_id, "ended": ended}),
    };
    db::events::add(tx, by, event, app.clock.now()).await
}

/// Ends those of the rows that are still held, some in a transaction: others write in between. Who is left when it breaks
/// off is held as before.
pub(super) async fn end_held(
    app: &App,
    (forge_url, organization_id): (&str, &str),
    mut held: Vec<rows::Membership>,
    by: &Principal,
) -> Result<Confirmed> {
    held.sort_by_key(|row| row.user_id);
    let mut ended = 0;
    for piece in held.chunks(PIECE) {
        let (tx, now) = (app.db.begin().await?, app.clock.now());
        let mut still = Vec::new();
        for row in piece {
            let present = db::memberships::lock(&tx, row.user_id, forge_url, organization_id).await?;
            still.extend(present.filter(|p| p.state == MembershipState::Held));
        }
        for row in still {
            end(app, &tx, row, by, now).await?;
            ended += 1;
        }
        tx.commit().await?;
    }
    Ok(Confirmed { ended, left: db::memberships::count_held(&app.db, forge_url, organization_id).await? })
}
