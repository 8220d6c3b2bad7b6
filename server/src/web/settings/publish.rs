//! Making a repository public: what that shows to everybody is told first.

use super::super::page;
use super::super::present;
use super::super::views::repository::RepositoryTab;
use super::super::views::settings::RepositoryPublish;
use super::bases;
use crate::app::App;
use crate::db::Visibility;
use crate::error::{Error, Result};
use crate::policy::{AdministerRepository, Allowed};
use crate::sources;
use actix_web::HttpResponse;
use actix_web::web::Data;

/// `GET …/-/settings/visibility`; the button of the page posts there.
pub async fn confirm(allowed: Allowed<AdministerRepository>, app: Data<App>) -> Result<HttpResponse> {
    let on = allowed.on();
    if on.visibility == Visibility::Public {
        return Err(Error::Conflict(format!("{} is public already", on.name)));
    }
    let head = present::head(&app, allowed.principal(), on).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let source = sources::of_repository(&app, on.id).await?;
    let bases = bases::of(&app, on).await?.listed;
    page::html(&RepositoryPublish {
        layout: head.layout("Make it public", viewer, RepositoryTab::Settings),
        code_is_private: source.is_some_and(|source| source.is_private),
        bases: bases.into_iter().filter(|(_, is_public)| !is_public).map(|(name, _)| name).collect(),
        head,
    })
}
