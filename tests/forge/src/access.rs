//! Who is calling, and what they may do: tokens, passwords, scopes, permissions.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    app::App,
    model::{Permission, Repository},
    store::State,
};

/// Somebody who has shown a valid token or password.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) person: u64,
    pub(crate) login: String,
    /// The OAuth token in use; a password has none, and every right of the person.
    pub(crate) token: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// The credentials that came are wrong.
#[derive(Debug)]
pub(crate) struct BadCredentials;

impl Caller {
    /// Whether the token has a scope, by itself or by one that includes it.
    pub(crate) fn has(&self, scope: &str) -> bool {
        let includes = |owned: &String| {
            owned == scope
                || match owned.as_str() {
                    "repo" => matches!(scope, "repo:status" | "public_repo" | "repo_deployment"),
                    "admin:repo_hook" => matches!(scope, "write:repo_hook" | "read:repo_hook"),
                    "write:repo_hook" => scope == "read:repo_hook",
                    "user" => matches!(scope, "user:email" | "read:user"),
                    "admin:org" => matches!(scope, "write:org" | "read:org"),
                    "write:org" => scope == "read:org",
                    _ => false,
                }
        };
        self.token.is_none() || self.scopes.iter().any(includes)
    }
}

/// Reads an `Authorization` header: `Bearer`, `token`, or basic with a token or a password.
pub(crate) fn authenticate(app: &App, header: Option<&str>) -> Result<Option<Caller>, BadCredentials> {
    let Some((scheme, value)) = header.and_then(|header| header.trim().split_once(' ')) else {
        return if header.is_some() { Err(BadCredentials) } else { Ok(None) };
    };
    let found = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => app.read(|state| by_token(state, value.trim())),
        "basic" => basic(value).and_then(|(user, password)| {
            app.read(|state| {
                by_token(state, &password)
                    .or_else(|| by_password(state, &user, &password))
                    // `https://TOKEN@host` sends the token as the user name.
                    .or_else(|| by_token(state, &user))
            })
        }),
        _ => None,
    };
    found.map(Some).ok_or(BadCredentials)
}

/// User and password of a basic `Authorization` value.
pub(crate) fn basic(value: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn by_token(state: &State, value: &str) -> Option<Caller> {
    let token = state.tokens.iter().find(|token| token.value == value)?;
    let login = state.account(token.person)?.login.clone();
    let scopes = token.scopes.clone();
    Some(Caller { person: token.person, login, token: Some(value.to_owned()), scopes })
}

fn by_password(state: &State, user: &str, password: &str) -> Option<Caller> {
    let account = state.account_named(user)?;
    let right = !account.organization && account.password == password;
    let (person, login) = (account.id, account.login.clone());
    right.then_some(Caller { person, login, token: None, scopes: Vec::new() })
}

/// What a person may do in a repository, whatever the token.
pub(crate) fn role(state: &State, repository: &Repository, person: u64) -> Permission {
    if repository.owner == person {
        return Permission::Admin;
    }
    let member = state.account(repository.owner).and_then(|owner| owner.members.get(&person));
    let by_membership = match member {
        Some(true) => Permission::Admin,
        Some(false) => Permission::Pull,
        None => Permission::None,
    };
    let invited = repository.collaborators.get(&person).copied().unwrap_or(Permission::None);
    by_membership.max(invited)
}

/// What this call may do in a repository: the person's role, as far as the token reaches.
pub(crate) fn permission(state: &State, repository: &Repository, caller: Option<&Caller>) -> Permission {
    let role = caller.map_or(Permission::None, |caller| role(state, repository, caller.person));
    if !repository.private {
        return role.max(Permission::Pull);
    }
    if caller.is_some_and(|caller| caller.has("repo")) { role } else { Permission::None }
}

/// The organisation that keeps this token out because it has not approved the OAuth app.
pub(crate) fn restricted_by(state: &State, repository: &Repository, caller: Option<&Caller>) -> Option<String> {
    let by_app = caller.is_some_and(|caller| caller.token.is_some());
    let owner = state.account(repository.owner)?;
    (by_app && owner.restricts_apps).then(|| owner.login.clone())
}

/// GitHub's words for it.
pub(crate) fn restriction_message(organization: &str) -> String {
    format!(
        "Although you appear to have the correct authorization credentials, the `{organization}` organization has \
         enabled OAuth App access restrictions, meaning that data access to third-parties is limited. For more \
         information on these restrictions, including how to enable this app, visit \
         https://docs.github.com/articles/restricting-access-to-your-organization-s-data/"
    )
}
