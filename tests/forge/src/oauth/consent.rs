//! `/login/oauth/authorize`: the consent page, and what its buttons do.
//!
//! Who has said yes to these scopes before is sent on without a page, as at GitHub.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Form, Query},
};
use askama::Template;
use serde::Deserialize;
use url::Url;

use super::{CODE_LIFETIME, Code, redirect, split_scopes};
use crate::{
    app::{App, lock},
    config::random_hex,
    model::{Account, Grant, OAuthApp},
    pages,
};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ask {
    client_id: String,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    /// The account that the app suggests.
    login: Option<String>,
    /// `consent` or `select_account` shows the page in any case.
    prompt: Option<String>,
}

impl Ask {
    fn scopes(&self) -> Vec<String> {
        self.scope.as_deref().map(split_scopes).unwrap_or_default()
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Decision {
    decision: String,
    /// The account that the person chose on the page.
    person: Option<String>,
}

#[derive(Template)]
#[template(path = "authorize.html")]
struct ConsentPage {
    app_name: String,
    person: Account,
    others: Vec<Account>,
    scopes: Vec<&'static str>,
    action: String,
    host: String,
}

pub(crate) async fn show(app: Data<App>, ask: Query<Ask>, request: HttpRequest) -> HttpResponse {
    let (client, back, person) = match check(&app, &ask, ask.login.as_deref(), &request) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    let asked = ask.scopes();
    let granted = app.read(|state| {
        let mine = |grant: &&Grant| grant.person == person.id && grant.client_id == client.client_id;
        state.grants.iter().find(mine).map(|grant| grant.scopes.clone())
    });
    if let Some(granted) = granted
        && ask.prompt.is_none()
        && asked.iter().all(|scope| granted.contains(scope))
    {
        let scopes = if asked.is_empty() { granted } else { asked };
        return approve(&app, &ask, &client, &back, &person, scopes);
    }
    let others = app.read(|state| state.people().filter(|other| other.id != person.id).cloned().collect());
    let mut scopes = vec!["Your public profile"];
    scopes.extend(asked.iter().map(|scope| describe(scope)));
    pages::render(&ConsentPage {
        app_name: client.name,
        scopes,
        action: format!("/login/oauth/authorize?{}", request.query_string()),
        host: back.origin().ascii_serialization(),
        person,
        others,
    })
}

/// A press on **Authorize** or **Cancel**.
pub(crate) async fn decide(
    app: Data<App>,
    ask: Query<Ask>,
    form: Form<Decision>,
    request: HttpRequest,
) -> HttpResponse {
    let (client, back, person) = match check(&app, &ask, form.person.as_deref(), &request) {
        Ok(found) => found,
        Err(refusal) => return *refusal,
    };
    if form.decision != "authorize" {
        let text = "The user has denied your application access.";
        return go_back(&back, &ask, &[("error", "access_denied"), ("error_description", text)]);
    }
    let scopes = ask.scopes();
    app.change(|state| {
        let same = |grant: &&mut Grant| grant.person == person.id && grant.client_id == client.client_id;
        if let Some(grant) = state.grants.iter_mut().find(same) {
            grant.scopes = split_scopes(&[&grant.scopes[..], &scopes[..]].concat().join(" "));
        } else {
            let client_id = client.client_id.clone();
            state.grants.push(Grant { person: person.id, client_id, scopes: scopes.clone() });
        }
    });
    approve(&app, &ask, &client, &back, &person, scopes)
}

/// The app, the address to return to and the person, or a page that says what is wrong.
fn check(
    app: &App,
    ask: &Ask,
    login: Option<&str>,
    request: &HttpRequest,
) -> Result<(OAuthApp, Url, Account), Box<HttpResponse>> {
    let Some(client) = app.read(|state| state.app(&ask.client_id).cloned()) else {
        return Err(Box::new(pages::not_found("There is no OAuth app with this client id.")));
    };
    let Some(back) = redirect::check(&client, ask.redirect_uri.as_deref()) else {
        let text = "The redirect_uri is not associated with this application.";
        return Err(Box::new(pages::problem("Be careful!", text)));
    };
    if ask.code_challenge.is_some() && ask.code_challenge_method.as_deref() != Some("S256") {
        return Err(Box::new(pages::problem("This request is not safe", "code_challenge_method must be S256.")));
    }
    let chosen = login.and_then(|login| pages::person_named(app, login));
    match chosen.or_else(|| pages::person(app, request)) {
        Some(person) => Ok((client, back, person)),
        None => Err(Box::new(pages::problem("Nobody lives here yet", "The forge has no people to sign in as."))),
    }
}

fn approve(app: &App, ask: &Ask, client: &OAuthApp, back: &Url, person: &Account, scopes: Vec<String>) -> HttpResponse {
    let value = random_hex(10);
    let mut codes = lock(&app.codes);
    codes.retain(|code| code.issued.elapsed() < CODE_LIFETIME);
    codes.push(Code {
        value: value.clone(),
        person: person.id,
        client_id: client.client_id.clone(),
        redirect_uri: back.to_string(),
        scopes,
        challenge: ask.code_challenge.clone(),
        issued: Instant::now(),
    });
    let mut response = go_back(back, ask, &[("code", &value)]);
    pages::remember(&mut response, &person.login);
    response
}

fn go_back(back: &Url, ask: &Ask, pairs: &[(&str, &str)]) -> HttpResponse {
    let mut back = back.clone();
    back.query_pairs_mut().extend_pairs(pairs);
    if let Some(state) = &ask.state {
        back.query_pairs_mut().append_pair("state", state);
    }
    HttpResponse::Found().insert_header((header::LOCATION, back.to_string())).finish()
}

/// A scope in words.
fn describe(scope: &str) -> &'static str {
    match scope {
        "repo" => "Your repositories, public and private: code, commit statuses and webhooks",
        "public_repo" => "Your public repositories: code and commit statuses",
        "repo:status" => "Commit statuses of your repositories",
        "admin:repo_hook" | "write:repo_hook" => "Webhooks of your repositories",
        "read:repo_hook" => "Webhooks of your repositories, to read",
        "read:org" => "Your memberships in organisations, to read",
        "admin:org" | "write:org" => "Your organisations",
        "user:email" => "Your e-mail addresses, to read",
        "read:user" => "Your profile, to read",
        "user" => "Your profile, to read and to change",
        _ => "A permission that this forge has no words for",
    }
}
