//! Who sits in front of the browser, and what an OAuth app may do for them.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Form, Path, Query},
};
use askama::Template;
use serde::Deserialize;

use crate::{
    app::App,
    model::Account,
    pages::{not_found, person, person_named, remember, render},
};

#[derive(Debug, Deserialize)]
pub(crate) struct Return {
    return_to: Option<String>,
}

/// `/login/as/{login}`: the forge has no passwords in the browser.
pub(crate) async fn sign_in(app: Data<App>, login: Path<String>, query: Query<Return>) -> HttpResponse {
    let Some(person) = person_named(&app, &login) else {
        return not_found("There is no such person.");
    };
    let target = query.return_to.as_deref().unwrap_or("/");
    let local = target.starts_with('/') && !target.starts_with("//") && !target.contains(['\\', '\r', '\n']);
    let mut response =
        HttpResponse::SeeOther().insert_header((header::LOCATION, if local { target } else { "/" })).finish();
    remember(&mut response, &person.login);
    response
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    app_name: String,
    person: Account,
    authorized: bool,
    scopes: String,
    organizations: Vec<Account>,
}

/// `/settings/connections/applications/{client}`: where apps send people to grant access.
pub(crate) async fn show(app: Data<App>, client: Path<String>, request: HttpRequest) -> HttpResponse {
    let Some(person) = person(&app, &request) else {
        return not_found("The forge has no people.");
    };
    let page = app.read(|state| {
        let found = state.app(&client)?;
        let grant = state.grants.iter().find(|grant| grant.person == person.id && grant.client_id == *client);
        let mine = state.accounts.iter().filter(|account| account.members.contains_key(&person.id));
        Some(SettingsPage {
            app_name: found.name.clone(),
            authorized: grant.is_some(),
            scopes: grant.map(|grant| grant.scopes.join(", ")).unwrap_or_default(),
            organizations: mine.cloned().collect(),
            person: person.clone(),
        })
    });
    page.map_or_else(|| not_found("There is no such OAuth app."), |page| render(&page))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    /// `revoke`, `grant` or `restrict`
    action: String,
    organization: Option<String>,
}

pub(crate) async fn change(
    app: Data<App>,
    client: Path<String>,
    form: Form<Change>,
    request: HttpRequest,
) -> HttpResponse {
    let Some(person) = person(&app, &request) else {
        return not_found("The forge has no people.");
    };
    app.change(|state| {
        if form.action == "revoke" {
            state.revoke(person.id, Some(&client));
            return;
        }
        let wanted = |account: &&mut Account| {
            form.organization.as_ref() == Some(&account.login) && account.members.get(&person.id) == Some(&true)
        };
        if let Some(organization) = state.accounts.iter_mut().find(wanted) {
            organization.restricts_apps = form.action == "restrict";
        }
    });
    let back = format!("/settings/connections/applications/{client}");
    HttpResponse::SeeOther().insert_header((header::LOCATION, back)).finish()
}
