//! `slipway admin`: what an operator does without a browser.
//!
//! Beside a running server the command travels over its socket, because there is one writer only.

mod key;
mod leavers;
mod people;

pub use key::Key;

use super::{lock, migrate, socket};
use crate::accounts::tokens::NewToken;
use crate::accounts::{invites, tokens};
use crate::app::App;
use crate::auth::extract::repository_access;
use crate::config::Config;
use crate::db::{self, Role, Visibility, rows};
use crate::error::{Error, Result};
use crate::names::{NamespaceName, RepositoryName};
use crate::namespaces;
use crate::policy::{self, AdministerRepository, BUILD_CACHE, Principal};
use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// Everything that can be asked for; the same words travel over the socket.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Admin {
    /// People: make one for automation, shut somebody out, or let in again.
    #[command(subcommand, after_help = "Example:\n  slipway admin user disable mona")]
    User(User),
    /// Namespaces that belong to no account of a forge.
    #[command(subcommand, after_help = "Example:\n  slipway admin namespace add acme --owner ci")]
    Namespace(Namespace),
    /// Repositories.
    #[command(subcommand, after_help = "Example:\n  slipway admin repository visibility acme/web public")]
    Repository(Repository),
    /// The keys that sign images, one for each namespace.
    #[command(subcommand, after_help = "Example:\n  slipway admin key show acme")]
    Key(Key),
    /// Say what somebody is in a namespace; the next request sees it.
    #[command(after_help = "Example:\n  slipway admin grant acme --user mona --role manager")]
    Grant {
        /// A role holds in all repositories of the namespace.
        namespace: String,
        /// Who gets the role.
        #[arg(long)]
        user: String,
        /// A reader pulls, a manager also pushes, deletes and builds, an admin also changes settings.
        #[arg(long)]
        role: RoleOrNone,
    },
    /// Personal access tokens.
    #[command(subcommand, after_help = "Example:\n  slipway admin token add --user ci")]
    Token(Token),
    /// List people whose rights end because they left an organisation, and those who wait for you.
    #[command(
        after_help = "Example:\n  slipway admin leavers\n  slipway admin leavers --confirm acme --until 3:01936b2e-7c0a-7d51-8f3e-5a2b9c4d6e7f"
    )]
    Leavers {
        /// End the rights of those who were listed for this organisation: its login, or `id:` and its number.
        #[arg(long)]
        confirm: Option<String>,
        /// Whom you have read of, as the list prints it: how many, and the last one. Who came after waits on.
        #[arg(long, requires = "confirm")]
        until: Option<String>,
    },
    /// Print a link that lets one person sign in, once, within seven days.
    #[command(after_help = "Example:\n  slipway admin invite --site-admin")]
    Invite {
        /// The person becomes site admin.
        #[arg(long)]
        site_admin: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum User {
    /// Make a person. Nobody can sign in as it with a browser: give it a token.
    #[command(after_help = "Example:\n  slipway admin user add ci")]
    Add {
        /// Lower-case letters and digits, with single dashes between.
        name: String,
    },
    /// Shut somebody out: sign-in, sessions and tokens stop at once.
    #[command(after_help = "Example:\n  slipway admin user disable mona")]
    Disable {
        /// Of anybody, also of people who came from a forge.
        name: String,
    },
    /// Let somebody in again.
    #[command(after_help = "Example:\n  slipway admin user enable mona")]
    Enable {
        /// As `disable` was told.
        name: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Namespace {
    /// Make a namespace. Of the reserved names only `library` can be had.
    #[command(after_help = "Example:\n  slipway admin namespace add acme --owner ci")]
    Add {
        name: String,
        /// The person who becomes its admin.
        #[arg(long)]
        owner: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Repository {
    /// Say who may pull without a role.
    #[command(after_help = "Example:\n  slipway admin repository visibility acme/web public")]
    Visibility {
        /// `acme/web`.
        name: String,
        visibility: PublicOrPrivate,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicOrPrivate {
    Public,
    Private,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleOrNone {
    Reader,
    Manager,
    Admin,
    /// Takes the role away.
    None,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Token {
    /// Make a token and print it, and nothing else.
    #[command(
        after_help = "Example:\n  slipway admin token add --user ci --scopes read,write --days 30 | docker login -u ci --password-stdin localhost:8080"
    )]
    Add {
        /// Whose token it is.
        #[arg(long)]
        user: String,
        /// How the token is listed.
        #[arg(long, default_value = "command line")]
        name: String,
        /// `read`, `write`, `admin`; a higher one holds the lower ones.
        #[arg(long, value_delimiter = ',', default_value = "read,write")]
        scopes: Vec<String>,
        /// Days from 1 to 365, or `never`.
        #[arg(long, default_value = "90")]
        days: String,
    },
}

/// Asks the running server, or does it here when there is none.
pub async fn run(config: Config, command: Admin) -> Result<String> {
    if let Some(text) = socket::ask(&config, &command).await? {
        return Ok(text);
    }
    let _lock = lock::take(&config)?;
    let app = App::open(config).await?;
    migrate::bring_up(&app).await?;
    perform(&app, command).await
}

/// Does what was asked, and says what was done.
pub async fn perform(app: &App, command: Admin) -> Result<String> {
    match command {
        Admin::User(User::Add { name }) => people::add(app, &name).await,
        Admin::User(User::Disable { name }) => people::set_disabled(app, &name, true).await,
        Admin::User(User::Enable { name }) => people::set_disabled(app, &name, false).await,
        Admin::Namespace(Namespace::Add { name, owner }) => add_namespace(app, &name, &owner).await,
        Admin::Repository(Repository::Visibility { name, visibility }) => set_visibility(app, &name, visibility).await,
        Admin::Key(command) => key::perform(app, command).await,
        Admin::Grant { namespace, user, role } => grant(app, &namespace, &user, role).await,
        Admin::Token(Token::Add { user, name, scopes, days }) => add_token(app, &user, &name, &scopes, &days).await,
        Admin::Leavers { confirm: Some(organization), until } => leavers::confirm(app, &organization, until).await,
        Admin::Leavers { confirm: None, .. } => leavers::list(app).await,
        Admin::Invite { site_admin } => {
            let tx = app.db.begin().await?;
            let link = invites::create(app, &tx, site_admin).await?;
            tx.commit().await?;
            Ok(link)
        }
    }
}

async fn add_namespace(app: &App, name: &str, owner: &str) -> Result<String> {
    let name: NamespaceName = name.parse()?;
    let tx = app.db.begin().await?;
    let owner = user(&tx, owner).await?;
    namespaces::create(app, &tx, &Principal::SYSTEM, &name, &owner, true).await?;
    tx.commit().await?;
    Ok(format!("namespace `{name}` was made; `{}` is its admin", owner.name))
}

async fn grant(app: &App, name: &str, to: &str, role: RoleOrNone) -> Result<String> {
    if let Ok(repository) = name.parse::<RepositoryName>() {
        let text = "a role holds in a whole namespace, not in one repository";
        return Err(Error::invalid(format!("{text}: grant it on `{}`", repository.namespace)));
    }
    let name: NamespaceName = name.parse()?;
    let role = match role {
        RoleOrNone::Reader => Some(Role::Reader),
        RoleOrNone::Manager => Some(Role::Manager),
        RoleOrNone::Admin => Some(Role::Admin),
        RoleOrNone::None => None,
    };
    let tx = app.db.begin().await?;
    let found = db::namespaces::find_by_name(&tx, name.as_str()).await?.filter(|n| n.name != BUILD_CACHE);
    let namespace = found.ok_or_else(|| Error::not_found(format!("namespace `{name}`")))?;
    let user = user(&tx, to).await?;
    let before = namespaces::set_role(app, &tx, &Principal::SYSTEM, &namespace, &user, role).await?;
    let has_admin = db::namespaces::has_admin(&tx, namespace.id).await?;
    tx.commit().await?;
    let word = |role: Option<Role>| role.map_or_else(|| "no role".to_owned(), |role| format!("the role {role}"));
    let alone = if has_admin { "" } else { "; only site admins can change its settings now" };
    Ok(format!("`{}` has {} in `{name}` now (before: {}){alone}", user.name, word(role), word(before)))
}

async fn set_visibility(app: &App, name: &str, to: PublicOrPrivate) -> Result<String> {
    let name: RepositoryName = name.parse()?;
    let found = repository_access(app, &Principal::SYSTEM, &name).await?;
    let allowed = found.and_then(|on| policy::check::<AdministerRepository>(&Principal::SYSTEM, on).ok());
    let allowed = allowed.ok_or_else(|| Error::not_found(format!("repository `{name}`")))?;
    let visibility = match to {
        PublicOrPrivate::Public => Visibility::Public,
        PublicOrPrivate::Private => Visibility::Private,
    };
    namespaces::visibility::set(app, &allowed, visibility).await?;
    Ok(format!("repository `{name}` is {visibility}"))
}

async fn add_token(app: &App, owner: &str, name: &str, scopes: &[String], days: &str) -> Result<String> {
    let new = NewToken::check(name, scopes, days).map_err(|wrong| Error::Invalid(wrong.text()))?;
    let tx = app.db.begin().await?;
    let owner = user(&tx, owner).await?;
    let (_, token) = tokens::add(app, &tx, &Principal::SYSTEM, &owner, new).await?;
    tx.commit().await?;
    // The one time that it is shown.
    Ok(token.reveal().to_owned())
}

async fn user(tx: &db::Tx, name: &str) -> Result<rows::User> {
    db::users::find_by_name(tx, name).await?.ok_or_else(|| Error::not_found(format!("user `{name}`")))
}
