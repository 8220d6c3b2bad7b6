//! Which namespace an import goes to. Imported namespaces are bound to an account of the forge, by its id: a person's
//! import goes to the own one, an organisation's namespace is made only by one of its owners.

use crate::app::App;
use crate::db::{self, NamespaceKind, Role, Tx, rows};
use crate::error::{Error, ForgeError, Result};
use crate::forge::{Forge, Owner, RemoteRepository};
use crate::names::NamespaceName;
use crate::policy::{self, CreateRepository, NamespaceAccess, Principal};
use uuid::Uuid;

/// The forge account that a namespace belongs to.
pub(super) struct Account {
    pub forge_url: String,
    pub id: String,
    pub login: String,
    pub kind: NamespaceKind,
    /// The person is this account, or an owner of this organisation.
    pub is_owner: bool,
}

/// The account that an import of `remote` by `identity` goes to. What belongs to another person goes to the own one.
pub(super) async fn account(forge: &Forge, identity: &rows::Identity, remote: &RemoteRepository) -> Result<Account> {
    let forge_url = forge.url().to_owned();
    if remote.owner.kind == NamespaceKind::Organization {
        let is_owner = owns(forge, &remote.owner).await?;
        let (id, login) = (remote.owner.id.clone(), remote.owner.login.clone());
        return Ok(Account { forge_url, id, login, kind: NamespaceKind::Organization, is_owner });
    }
    let (id, login) = (identity.remote_id.clone(), identity.login.clone());
    Ok(Account { forge_url, id, login, kind: NamespaceKind::User, is_owner: true })
}

/// Whether the person is an owner of an organisation. Of a forge that does not list memberships, it is asked for the one.
async fn owns(forge: &Forge, organization: &Owner) -> Result<bool> {
    match forge.memberships().await {
        Ok(all) => Ok(all.iter().any(|m| m.id == organization.id && m.is_owner)),
        Err(ForgeError::NotFound | ForgeError::Refused(_)) => {
            let one = forge.own_membership(&organization.login).await;
            Ok(one.is_ok_and(|m| m.organization_id == organization.id && m.is_owner))
        }
        Err(error) => Err(error.into()),
    }
}

/// The namespace of `account`, made now if the person may; with a role for the person there.
pub(super) async fn namespace(app: &App, tx: &Tx, by: &Principal, account: &Account) -> Result<rows::Namespace> {
    let user = by.user_id().ok_or_else(|| Error::Forbidden("only people import".into()))?;
    let Some(namespace) = db::namespaces::find_by_account(tx, &account.forge_url, &account.id).await? else {
        return make(app, tx, by, user, account).await;
    };
    let role = role(app, tx, &namespace, user, account).await?;
    let access = NamespaceAccess { id: namespace.id, name: namespace.name.parse()?, has_public_repository: true, role };
    match policy::check::<CreateRepository>(by, access) {
        Ok(_) => Ok(namespace),
        Err(_) => Err(refused("you may not make repositories in", &namespace)),
    }
}

/// Leads to what is in the namespace already: whoever has a role there may see it.
pub(super) async fn enter(
    app: &App,
    tx: &Tx,
    by: &Principal,
    account: &Account,
    namespace: &rows::Namespace,
) -> Result<()> {
    let user = by.user_id().ok_or_else(|| Error::Forbidden("only people import".into()))?;
    let role = role(app, tx, namespace, user, account).await?;
    role.map(|_| ()).ok_or_else(|| refused("this is imported already, and you have no role in", namespace))
}

/// The person's role; an owner at the forge is given one.
async fn role(app: &App, tx: &Tx, namespace: &rows::Namespace, user: Uuid, account: &Account) -> Result<Option<Role>> {
    match db::namespaces::role_of(tx, namespace.id, user).await? {
        None if account.is_owner => {
            grant(app, tx, namespace.id, user, account).await?;
            Ok(Some(Role::Admin))
        }
        role => Ok(role),
    }
}

fn refused(what: &str, namespace: &rows::Namespace) -> Error {
    Error::Forbidden(format!("{what} `{}`: ask an admin of it for the role of a manager", namespace.name))
}

async fn make(app: &App, tx: &Tx, by: &Principal, user: Uuid, account: &Account) -> Result<rows::Namespace> {
    if !account.is_owner {
        return Err(Error::Forbidden(format!(
            "the organisation `{}` is not here yet, and only one of its owners at the forge can bring it: ask one to \
             import first",
            account.login
        )));
    }
    let row = rows::Namespace {
        id: Uuid::now_v7(),
        name: free_name(tx, &account.login).await?,
        kind: account.kind,
        forge_url: Some(account.forge_url.clone()),
        forge_account_id: Some(account.id.clone()),
        created_at: app.clock.now(),
    };
    let made = db::namespaces::insert(tx, row).await?;
    grant(app, tx, made.id, user, account).await?;
    let event = db::events::NewEvent {
        kind: "namespace.created",
        namespace_id: Some(made.id),
        repository_id: None,
        subject: made.name.clone(),
        cause: None,
        body: serde_json::json!({"forge_url": account.forge_url, "account": account.login}),
    };
    db::events::add(tx, by, event, app.clock.now()).await?;
    Ok(made)
}

/// The role of an owner. One that comes with an organisation rests on being its owner at the forge.
async fn grant(app: &App, tx: &Tx, namespace_id: Uuid, user_id: Uuid, account: &Account) -> Result<()> {
    let now = app.clock.now();
    let mut row = rows::Grant::given(namespace_id, user_id, Role::Admin, now);
    if account.kind == NamespaceKind::Organization {
        row.via_account_id = Some(account.id.clone());
        let organization = (&*account.id, &*account.login);
        db::memberships::confirm(tx, user_id, &account.forge_url, organization, now).await?;
    }
    db::namespaces::insert_grant(tx, row).await
}

/// The login as a namespace; with `-2` and so on when it is taken.
async fn free_name(tx: &Tx, login: &str) -> Result<String> {
    let near = NamespaceName::near(login);
    for name in numbered(near.as_str(), 64) {
        if name.parse::<NamespaceName>().is_ok() && db::namespaces::find_by_name(tx, &name).await?.is_none() {
            return Ok(name);
        }
    }
    Err(Error::Conflict(format!("the namespace `{near}` is taken, and so are its numbers")))
}

/// `web`, `web-2`, `web-3` … within `limit` characters.
pub(super) fn numbered(name: &str, limit: usize) -> impl Iterator<Item = String> {
    (1..1_000).map(move |n| {
        if n == 1 {
            return name.to_owned();
        }
        let suffix = format!("-{n}");
        let room = name.len().min(limit - suffix.len());
        format!("{}{suffix}", name[..room].trim_end_matches(['-', '.', '_']))
    })
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_taken_name_gets_a_number_within_the_limit() {
        assert_eq!(numbered("web", 64).take(3).collect::<Vec<_>>(), ["web", "web-2", "web-3"]);
        assert_eq!(numbered(&"a".repeat(64), 64).nth(1).unwrap(), format!("{}-2", "a".repeat(62)));
        assert_eq!(numbered("abc-def", 6).nth(1).unwrap(), "abc-2");
    }
}
