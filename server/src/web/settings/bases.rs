//! The private images that builds of a repository may start from: adding to the list, and taking away.

use super::super::page;
use super::super::views::settings::Bases;
use crate::app::App;
use crate::auth::extract::Then;
use crate::builds::bases;
use crate::db::Visibility;
use crate::error::{Error, Result};
use crate::names::RepositoryName;
use crate::policy::{self, AdministerRepository, Allowed, ChooseBases, RepositoryAccess};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use serde::Deserialize;

/// The list as the page shows it.
pub(super) async fn of(app: &App, on: &RepositoryAccess) -> Result<Bases> {
    let listed = bases::list(app, on.id).await?;
    Ok(Bases {
        listed: listed
            .into_iter()
            .map(|base| (format!("{}/{}", on.name.namespace, base.name), base.visibility == Visibility::Public))
            .collect(),
        ..Bases::default()
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseInput {
    base: String,
}

/// `POST …/-/settings/bases`: one more. What is wrong with it stands on the settings page, which is for admins; whoever
/// else manages the repository allows a base where a build was refused it.
pub async fn add(
    Then(Then(allowed, admin), form): Then<Then<Allowed<ChooseBases>, Allowed<AdministerRepository>>, Form<BaseInput>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let added = match of_typed(&app, &form.base, on) {
        Ok(name) => bases::allow(&app, &allowed, &name).await.map(|()| name),
        Err(error) => Err(error),
    };
    match added {
        Ok(name) => {
            let text = format!("Builds of {} may start from {name} now.", on.name);
            Ok(page::see_saying(&app, &format!("/{}/-/settings", on.name), &text))
        }
        Err(error @ (Error::Invalid(_) | Error::Registry { .. })) => {
            let typed = Bases { typed: form.base.clone(), error: Some(error.to_string()), ..of(&app, on).await? };
            let page = super::page_of(&app, &admin, None).await?;
            page::with_status(StatusCode::UNPROCESSABLE_ENTITY, &super::Settings { bases: typed, ..page })
        }
        Err(error) => Err(error),
    }
}

/// `base`, `acme/base`, or the whole line that a Dockerfile has after FROM.
fn of_typed(app: &App, typed: &str, on: &RepositoryAccess) -> Result<RepositoryName> {
    let typed = typed.trim();
    let host = app.config.public_host();
    let bare = typed.strip_prefix(&host).and_then(|rest| rest.strip_prefix('/')).unwrap_or(typed);
    let bare = bare.split_once('@').map_or(bare, |(name, _digest)| name);
    let typed = bare.split_once(':').map_or(bare, |(name, _tag)| name);
    if typed.contains('/') { typed.parse() } else { RepositoryName::new(&on.name.namespace, typed) }
}

/// `POST …/-/settings/bases/remove`; twice is as once.
pub async fn remove(
    Then(allowed, form): Then<Allowed<ChooseBases>, Form<BaseInput>>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let name: RepositoryName = form.base.parse()?;
    bases::forbid(&app, &allowed, &name).await?;
    let text = format!("Builds of {} may no longer start from {name}.", allowed.on().name);
    let is_admin = policy::may::<AdministerRepository>(allowed.principal(), allowed.on());
    let to = if is_admin { "/-/settings" } else { "" };
    Ok(page::see_saying(&app, &format!("/{}{to}", allowed.on().name), &text))
}
