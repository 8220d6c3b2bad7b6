//! Tags of a repository: the list, one tag, and deleting one.

use super::materials;
use super::page::{self, ROWS, count, when};
use super::paging::{ListQuery, Order};
use super::views::cut::Cut;
use super::views::facts::{Signature, When};
use super::views::repository::RepositoryTab;
use super::views::tags::{LayerRow, PlatformRow, TagDelete, TagList, TagMove, TagPage};
use super::{offer, present};
use crate::app::App;
use crate::auth::extract::Then;
use crate::error::Result;
use crate::names::{Digest, TagName};
use crate::policy::{Allowed, DeleteImage, ReadRepository, RepositoryAccess};
use crate::registry::images::{self, Asked, Details, Image, Kind, PlatformFacts, Shown, TagOrder};
use crate::registry::tags::{self, MoveStory};
use crate::sources;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Of a build that began from very many.
const MOST_BASE_IMAGES: usize = 20;

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
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<ListQuery>>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let part = query.text();
    let head = present::head(&app, allowed.principal(), on).await?;
    let by_version = head.tags <= images::MOST_BY_VERSION;
    let (order, sorts) = query.order(if by_version { &ORDERS } else { &ORDERS[..2] });
    let source = sources::of_repository(&app, on.id).await?;
    let offered = offer::tag(&app, on.id, source.as_ref()).await?;
    let asked = Asked { part: &part, order, first: offered.as_ref(), offset: query.offset(), limit: ROWS };
    let (found, total) = images::page(&app, &allowed, asked).await?;
    let url = format!("{}/-/tags", head.url());
    if let Some(last) = query.beyond(total, &url) {
        return Ok(page::see(&last));
    }
    let rows = offer::rows(&app, on, &found).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let layout = head.layout("Tags", viewer, RepositoryTab::Tags).flash(page::flash(&app, &request));
    let layout = layout.following(present::while_open(&app, &head, on.id).await?);
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
    Then(allowed, query): Then<Allowed<ReadRepository>, Query<ShowQuery>>,
    path: Path<TagPath>,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let tag: TagName = path.tag.parse()?;
    let (row, image) = images::of_tag(&app, &allowed, &tag).await?;
    let head = present::head(&app, allowed.principal(), on).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let signature = present::signature(&app, on, &Digest::trusted(&row.digest)).await?;
    let signed = matches!(signature, Signature::Verified { .. });
    let (history, older) = tags::history(&app, &allowed, &tag).await?;
    let base_images = match row.build_id {
        Some(build_id) => materials::base_images(&app, build_id).await?,
        None => Vec::new(),
    };
    let Details { platforms, shown } = images::details(&app, on.id, &image, &query.platform).await?;
    let page = TagPage {
        layout: head.layout(tag.as_str(), viewer, RepositoryTab::Tags),
        aliases: aliases(&image, &row.name),
        digest: row.digest.clone(),
        kind: offer::kind(&image),
        artifact_type: artifact_type(&image),
        size: offer::size(&image),
        at: when(&app, row.updated_at),
        cause: present::cause(on, history.first()),
        signature,
        platforms: Cut { shown: platforms.iter().map(platform_row).collect(), more: image.more_platforms },
        created: shown.as_ref().and_then(|p| created(&app, p.created.as_deref()?)),
        layers: shown.as_ref().map_or_else(|| Vec::new().into(), layer_rows),
        platform: shown.map(|p| p.name).unwrap_or_default(),
        base_images: Cut::first(base_images, MOST_BASE_IMAGES),
        pull: offer::pull_box(&app, allowed.principal(), on, Some(tag.as_str()), &image, signed),
        history: Cut { shown: history.iter().map(|story| tag_move(&app, on, story)).collect(), more: older },
        tag: row.name,
        head,
    };
    page::html(&page)
}

/// Other tags of the image.
fn aliases(image: &Image, own: &str) -> Cut<String> {
    let shown: Vec<String> = image.tags.iter().map(|t| t.name.clone()).filter(|name| name != own).collect();
    // It is one of those that are not shown, or was left out above.
    let is_hidden = image.more_tags > 0 && shown.len() == image.tags.len();
    Cut { shown, more: image.more_tags - u64::from(is_hidden) }
}

fn tag_move(app: &App, on: &RepositoryAccess, story: &MoveStory) -> TagMove {
    TagMove { to: story.row.to_digest.clone(), at: when(app, story.row.at), cause: present::cause(on, Some(story)) }
}

/// The type that an artifact names.
fn artifact_type(image: &Image) -> Option<String> {
    match &image.kind {
        Kind::Artifact(named) if !named.is_empty() => Some(named.clone()),
        _ => None,
    }
}

fn platform_row(platform: &PlatformFacts) -> PlatformRow {
    PlatformRow {
        name: platform.name.clone(),
        digest: platform.digest.clone(),
        size: count(platform.size_bytes),
        layers: count(platform.layers),
        provenance: platform.has_provenance,
    }
}

fn created(app: &App, text: &str) -> Option<When> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let at_millis = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?;
    // Reproducible builds write 1970.
    (at_millis > 0).then(|| when(app, at_millis))
}

fn layer_rows(platform: &Shown) -> Cut<LayerRow> {
    let row = |l: &images::Layer| LayerRow { command: l.command.clone(), size: count(l.size_bytes) };
    Cut { shown: platform.layers.iter().map(row).collect(), more: platform.more_layers }
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
        aliases: aliases(&image, &row.name),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{self, Cause, PrincipalKind, Role, Visibility, rows};
    use crate::policy::{self, Bound, Principal, Who};
    use crate::testing::{self, TestApp};
    use actix_web::body::to_bytes;
    use uuid::Uuid;

    /// A tag of the first build of `acme/web`, which started from so many images, after so many moves.
    async fn tagged(app: &TestApp, bases: usize, moves: usize) -> rows::Repository {
        let tx = app.db.begin().await.unwrap();
        let namespace = db::namespaces::insert(&tx, testing::namespace("acme")).await.unwrap();
        let repository = db::repositories::insert(&tx, testing::repository(namespace.id, "web")).await.unwrap();
        tx.commit().await.unwrap();
        testing::add_tags(app, repository.id, 1, true).await;
        let digest = Digest::of(b"one");
        testing::built(app, &repository, &digest).await;
        let build = db::builds::find_by_number(&app.db, repository.id, 1).await.unwrap().unwrap();
        let tag = db::tags::find(&app.db, repository.id, "t00000").await.unwrap().unwrap();
        let tx = app.db.begin().await.unwrap();
        db::tags::put(&tx, rows::Tag { build_id: Some(build.id), ..tag }).await.unwrap();
        let material = |n| rows::Material {
            id: Uuid::now_v7(),
            build_id: build.id,
            uri: format!("pkg:docker/base@{n}"),
            digest: digest.to_string(),
        };
        db::builds::insert_materials(&tx, (0..bases).map(material).collect()).await.unwrap();
        let deleted = |_| rows::TagMove {
            id: Uuid::now_v7(),
            repository_id: repository.id,
            tag: "t00000".into(),
            from_digest: None,
            to_digest: None,
            cause: Cause::Delete,
            build_id: None,
            principal_kind: PrincipalKind::System,
            principal_id: None,
            at: 0,
        };
        db::tags::add_moves(&tx, (0..moves).map(deleted).collect()).await.unwrap();
        tx.commit().await.unwrap();
        repository
    }

    #[actix_web::test]
    async fn the_page_of_a_tag_cuts_its_history_and_its_base_images() {
        let app = TestApp::start().await;
        let repository = tagged(&app, 25, 57).await;
        let on = RepositoryAccess {
            id: repository.id,
            namespace_id: repository.namespace_id,
            name: "acme/web".parse().unwrap(),
            visibility: Visibility::Private,
            is_live: true,
            role: Some(Role::Reader),
        };
        let who = Who::User { id: Uuid::now_v7(), name: "mona".into(), is_site_admin: false };
        let allowed = policy::check(&Principal { who, bound: Bound::None }, on).unwrap();
        let (path, query) = (TagPath { tag: "t00000".into() }, ShowQuery { platform: String::new() });
        let page = show(Then(allowed, Query(query)), path.into(), Data::from(app.app.clone())).await.unwrap();
        let page = String::from_utf8(to_bytes(page.into_body()).await.unwrap().into()).unwrap();
        let count = |text: &str| page.matches(text).count();
        assert_eq!((count(">removed<"), count("and 7 more")), (50, 1), "{page}");
        assert_eq!((count("base:"), count("and 5 more")), (20, 1), "{page}");
    }
}
