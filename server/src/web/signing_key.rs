//! Changing the key that signs for a namespace: rotate and revoke, each with a page that says what follows.

use super::page::{self, count, when};
use super::present;
use super::views::cut::Cut;
use super::views::repository::RepositoryTab;
use super::views::signing_key::{KeyFacts, KeyRevoke, KeyRotate, KeyRow, RunFacts};
use crate::app::App;
use crate::auth::extract::Then;
use crate::db::rows;
use crate::error::{Error, Result};
use crate::policy::{AdministerRepository, Allowed, ManageSigningKey, RepositoryAccess};
use crate::trust;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, Query};
use serde::Deserialize;

/// Old keys that the settings list.
const MOST_OLD: usize = 10;

/// What the settings say of the namespace's key.
pub async fn facts(app: &App, on: &RepositoryAccess) -> Result<KeyFacts> {
    let state = trust::state_of(app, on.namespace_id).await?;
    let published = state.active.as_ref().is_some_and(|key| key.published_at.is_some());
    let run = state.run.as_ref().map(|run| RunFacts {
        looked: count(run.looked),
        // What was pushed meanwhile is looked at too.
        total: count(run.total.max(run.looked)),
        signed: count(run.signed),
        skipped: count(run.skipped),
        published,
        finished: run.finished_at.map(|at| when(app, at)),
        held: state.is_held(),
    });
    let mut old = Cut::first(state.old.iter().map(|key| row(app, on, key)).collect(), MOST_OLD);
    old.more += state.older;
    Ok(KeyFacts { present: state.active.as_ref().map(|key| row(app, on, key)), old, run })
}

fn row(app: &App, on: &RepositoryAccess, key: &rows::SigningKey) -> KeyRow {
    KeyRow {
        fingerprint: key.fingerprint.clone(),
        url: format!("/{}/-/cosign.pub?key={}", on.name, key.fingerprint),
        made: when(app, key.created_at),
        revoked: key.revoked_at.is_some(),
    }
}

#[derive(Deserialize)]
pub struct KeyQuery {
    /// The fingerprint; the present key when it is empty.
    #[serde(default)]
    key: String,
}

async fn find(app: &App, on: &RepositoryAccess, fingerprint: &str) -> Result<KeyRow> {
    let state = trust::state_of(app, on.namespace_id).await?;
    let found = if fingerprint.is_empty() {
        state.active.as_ref().ok_or_else(|| Error::Conflict("nothing is signed yet, so there is no key".into()))
    } else {
        let mut all = state.active.iter().chain(&state.old);
        all.find(|key| key.fingerprint == fingerprint).ok_or_else(|| Error::not_found("this key"))
    };
    found.map(|key| row(app, on, key))
}

/// `GET …/-/settings/key/rotate`.
pub async fn confirm_rotate(
    allowed: Allowed<ManageSigningKey>,
    repository: Allowed<AdministerRepository>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = repository.on();
    let head = present::head(&app, allowed.principal(), on).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let key = find(&app, on, "").await?;
    page::html(&KeyRotate { layout: head.layout("Rotate the key", viewer, RepositoryTab::Settings), head, key })
}

/// `POST …/-/settings/key/rotate`.
pub async fn rotate(
    allowed: Allowed<ManageSigningKey>,
    repository: Allowed<AdministerRepository>,
    app: Data<App>,
) -> Result<HttpResponse> {
    trust::rotate(&app, &allowed).await?;
    let text = "The new key signs from now on. It is published once everything that is kept is signed with it.";
    Ok(page::see_saying(&app, &format!("/{}/-/settings", repository.on().name), text))
}

/// `POST …/-/settings/key/publish`: though not everything could be signed with it.
pub async fn publish(
    allowed: Allowed<ManageSigningKey>,
    repository: Allowed<AdministerRepository>,
    app: Data<App>,
) -> Result<HttpResponse> {
    trust::publish(&app, &allowed).await?;
    Ok(page::see_saying(&app, &format!("/{}/-/settings", repository.on().name), "The key is published."))
}

async fn revoke_page(
    app: &App,
    repository: &Allowed<AdministerRepository>,
    fingerprint: &str,
    typed: &str,
    error: Option<String>,
) -> Result<KeyRevoke> {
    let head = present::head(app, repository.principal(), repository.on()).await?;
    let viewer = page::viewer(app, repository.principal()).await?;
    Ok(KeyRevoke {
        layout: head.layout("Revoke a key", viewer, RepositoryTab::Settings),
        key: find(app, repository.on(), fingerprint).await?,
        head,
        typed: typed.to_owned(),
        error,
    })
}

/// `GET …/-/settings/key/revoke?key=`.
pub async fn confirm_revoke(
    _allowed: Allowed<ManageSigningKey>,
    Then(repository, query): Then<Allowed<AdministerRepository>, Query<KeyQuery>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let page = revoke_page(&app, &repository, query.key.trim(), "", None).await?;
    if page.key.revoked {
        let settings = format!("/{}/-/settings", repository.on().name);
        return Ok(page::see_saying(&app, &settings, "This key is revoked already."));
    }
    page::html(&page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeInput {
    key: String,
    name: String,
}

/// `POST …/-/settings/key/revoke`: the namespace's name was typed.
pub async fn revoke(
    Then(Then(allowed, repository), form): Then<
        Then<Allowed<ManageSigningKey>, Allowed<AdministerRepository>>,
        Form<RevokeInput>,
    >,
    app: Data<App>,
) -> Result<HttpResponse> {
    let namespace = allowed.on().name.as_str();
    if form.name.trim() != namespace {
        let error = format!("Type {namespace} to revoke it.");
        let page = revoke_page(&app, &repository, form.key.trim(), &form.name, Some(error)).await?;
        return page::with_status(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    trust::revoke(&app, &allowed, Some(&form.key)).await?;
    let text = "The key is revoked. The images that builds signed with it are being signed again.";
    Ok(page::see_saying(&app, &format!("/{}/-/settings", repository.on().name), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{self, Role, Visibility};
    use crate::testing::{self, TestApp};

    #[tokio::test]
    async fn the_settings_list_so_many_old_keys_and_count_the_others() {
        let app = TestApp::start().await;
        let tx = app.db.begin().await.unwrap();
        let namespace = db::namespaces::insert(&tx, testing::namespace("acme")).await.unwrap();
        tx.commit().await.unwrap();
        for _ in 0..63 {
            let key = trust::make_key(&app, namespace.id).await;
            let tx = app.db.begin().await.unwrap();
            db::keys::retire(&tx, key.id, 1).await.unwrap();
            tx.commit().await.unwrap();
        }
        let on = RepositoryAccess {
            id: uuid::Uuid::nil(),
            namespace_id: namespace.id,
            name: "acme/web".parse().unwrap(),
            visibility: Visibility::Private,
            is_live: true,
            role: Some(Role::Admin),
        };
        let old = facts(&app, &on).await.unwrap().old;
        assert_eq!((old.shown.len(), old.rest().as_deref()), (10, Some("and 53 more")));
    }
}
