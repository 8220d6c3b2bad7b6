//! Tags of a repository: the list, one tag, and deleting one.

use super::materials;
use super::page::{self, ROWS, count, when};
use super::paging::{ListQuery, Order};
use super::present;
use super::views::facts::Signature;
use super::views::repository::RepositoryTab;
use super::views::tags::{LayerRow, PlatformRow, TagDelete, TagList, TagMove, TagPage};
use crate::app::App;
use crate::error::Result;
use crate::names::{Digest, TagName};
use crate::policy::{Allowed, DeleteImage, ReadRepository};
use crate::registry::images::{self, Image, Platform, TagOrder};
use crate::registry::tags;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize)]
pub struct TagPath {
    tag: String,
}

const ORDERS: [Order<TagOrder>; 3] = [
    ("newest", "Newest first", TagOrder::Newest),
    ("name", "By name", TagOrder::Name),
    ("version", "By version", TagOrder::Version),
];

/// `/{ns}/{repo}/-/tags?q=&sort=&page=`.
pub async fn list(
    allowed: Allowed<ReadRepository>,
    query: Query<ListQuery>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let part = query.text();
    let head = present::head(&app, allowed.principal(), on).await?;
    let by_version = head.tags <= images::MOST_BY_VERSION;
    let (order, sorts) = query.order(if by_version { &ORDERS } else { &ORDERS[..2] });
    let (found, total) = images::page(&app, &allowed, &part, order, query.offset(), ROWS).await?;
    let url = format!("{}/-/tags", head.url());
    if let Some(last) = query.beyond(total, &url) {
        return Ok(page::see(&last));
    }
    let rows = present::image_rows(&app, on, &found).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let layout = head.layout("Tags", viewer, RepositoryTab::Tags).flash(page::flash(&app, &request));
    let pages = query.pages(total, &url);
    page::html_after_form(&app, &request, &TagList { layout, head, rows, query: part, sorts, pages })
}

#[derive(Deserialize)]
pub struct ShowQuery {
    #[serde(default)]
    platform: String,
}

/// `/{ns}/{repo}/-/tags/{tag}?platform=`.
pub async fn show(
    allowed: Allowed<ReadRepository>,
    path: Path<TagPath>,
    query: Query<ShowQuery>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let tag: TagName = path.tag.parse()?;
    let (row, image) = images::of_tag(&app, &allowed, &tag).await?;
    let head = present::head(&app, allowed.principal(), on).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let signature = present::signature(&app, on, &Digest::trusted(&row.digest)).await?;
    let signed = matches!(signature, Signature::Verified { .. });
    let history = tags::history(&app, &allowed, &tag).await?;
    let base_images = match row.build_id {
        Some(build_id) => materials::base_images(&app, build_id).await?,
        None => Vec::new(),
    };
    let shown = shown_platform(&image, &query.platform);
    let page = TagPage {
        layout: head.layout(tag.as_str(), viewer, RepositoryTab::Tags),
        aliases: image.tags.iter().map(|t| t.name.clone()).filter(|n| *n != row.name).collect(),
        digest: row.digest.clone(),
        size: count(image.manifest.image_size_bytes),
        at: when(&app, row.updated_at),
        cause: present::cause(on, history.first()),
        signature,
        platforms: platform_rows(&app, &image),
        platform: shown.map(|p| p.name.clone()).unwrap_or_default(),
        layers: shown.map(layer_rows).unwrap_or_default(),
        base_images,
        pull: present::pull_box(&app, allowed.principal(), on, Some(tag.as_str()), &row.digest, signed),
        history: history
            .iter()
            .map(|story| TagMove {
                to: story.row.to_digest.clone(),
                at: when(&app, story.row.at),
                cause: present::cause(on, Some(story)),
            })
            .collect(),
        tag: row.name,
        head,
    };
    page::html(&page)
}

fn shown_platform<'a>(image: &'a Image, asked: &str) -> Option<&'a Platform> {
    image.platforms.iter().find(|p| p.name == asked).or_else(|| image.platforms.first())
}

fn platform_rows(app: &App, image: &Image) -> Vec<PlatformRow> {
    let row = |p: &Platform| PlatformRow {
        name: if p.name.is_empty() { "none".to_owned() } else { p.name.clone() },
        digest: p.digest.clone(),
        size: count(p.size_bytes),
        layers: p.layers.len() as u64,
        created: p.created.as_deref().and_then(|c| created(app, c)),
        provenance: p.has_provenance,
    };
    image.platforms.iter().map(row).collect()
}

fn created(app: &App, text: &str) -> Option<super::views::facts::When> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let at_millis = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?;
    // Reproducible builds write 1970.
    (at_millis > 0).then(|| when(app, at_millis))
}

fn layer_rows(platform: &Platform) -> Vec<LayerRow> {
    let row = |l: &images::Layer| LayerRow { command: l.command.clone(), size: count(l.size_bytes) };
    platform.layers.iter().map(row).collect()
}

/// `/{ns}/{repo}/-/tags/{tag}/delete`: what would go.
pub async fn confirm_delete(
    allowed: Allowed<DeleteImage>,
    readable: Allowed<ReadRepository>,
    path: Path<TagPath>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let tag: TagName = path.tag.parse()?;
    let (row, image) = images::of_tag(&app, &readable, &tag).await?;
    let head = present::head(&app, allowed.principal(), allowed.on()).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let page = TagDelete {
        layout: head.layout(&format!("Delete {tag}"), viewer, RepositoryTab::Tags),
        aliases: image.tags.iter().map(|t| t.name.clone()).filter(|n| *n != row.name).collect(),
        digest: row.digest,
        tag: row.name,
        head,
    };
    page::html(&page)
}

/// The pressed button of that page.
pub async fn delete(allowed: Allowed<DeleteImage>, path: Path<TagPath>, app: Data<App>) -> Result<HttpResponse> {
    let tag: TagName = path.tag.parse()?;
    tags::delete_by_name(&app, &allowed, &tag).await?;
    let text = format!("Tag {tag} was deleted. Its image can still be pulled by digest.");
    Ok(page::see_saying(&app, &format!("/{}/-/tags", allowed.on().name), &text))
}
