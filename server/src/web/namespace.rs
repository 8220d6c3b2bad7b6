//! A namespace: its repositories.

use super::page::{self, ROWS, count, when};
use super::paging::{ListQuery, Order};
use super::views::layout::Layout;
use super::views::namespace::{Account, CardImage, Namespace, RepositoryCard};
use super::views::pull::PushLines;
use super::{offer, present, standing};
use crate::accounts::memberships;
use crate::app::App;
use crate::db::{Visibility, rows};
use crate::error::Result;
use crate::policy::{self, Allowed, ReadNamespace, Who};
use crate::registry::images;
use crate::{namespaces, sources};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};

#[derive(Clone, Copy, PartialEq, Eq)]
enum CardOrder {
    Name,
    Updated,
}

const ORDERS: [Order<CardOrder>; 2] =
    [("name", "By name", CardOrder::Name), ("updated", "Changed last", CardOrder::Updated)];

/// Builds beside the list.
const MOST_BUILDING: u64 = 10;

/// `/{ns}?q=&sort=&page=`.
pub async fn show(
    allowed: Allowed<ReadNamespace>,
    query: Query<ListQuery>,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse> {
    let on = allowed.on();
    let part = query.text().to_lowercase();
    let (order, sorts) = query.order(&ORDERS);
    let by_name = order == CardOrder::Name;
    let (found, total) = namespaces::page(&app, &allowed, &part, by_name, query.offset(), ROWS).await?;
    let url = format!("/{}", on.name);
    if let Some(last) = query.beyond(total, &url) {
        return Ok(page::see(&last));
    }
    let mut cards = Vec::new();
    for repository in &found {
        cards.push(card(&app, &repository.name, &format!("/{}/{}", on.name, repository.name), repository).await?);
    }
    let open = crate::builds::open_in(&app, on.id, namespaces::sees_all(&allowed), MOST_BUILDING).await?;
    let building = super::home::rows(&app, allowed.principal(), open).await?;
    let user = match &allowed.principal().who {
        Who::User { name, .. } => name.clone(),
        _ => "YOUR-NAME".to_owned(),
    };
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let page = Namespace {
        layout: Layout::new(on.name.as_str(), viewer).here(on.name.as_str()).flash(page::flash(&app, &request)),
        name: on.name.to_string(),
        account: namespaces::account(&app, on.id).await?.map(|(name, url)| Account {
            forge: "GitHub".into(),
            name,
            url,
        }),
        cards,
        pages: query.pages(total, &url),
        held: held(&app, &allowed).await?,
        query: part,
        sorts,
        building,
        manager: policy::may::<policy::CreateRepository>(allowed.principal(), on),
        push_lines: PushLines::new(&app.config.public_host(), &user, &format!("{}/NAME", on.name)),
        storage: count(
            crate::registry::repositories::storage_of_namespace(&app, on.id, namespaces::sees_all(&allowed)).await?,
        ),
        repositories: namespaces::count(&app, &allowed).await?,
    };
    page::html_after_form(&app, &request, &page)
}

/// People who left at once and wait for this viewer.
async fn held(app: &App, allowed: &Allowed<ReadNamespace>) -> Result<u64> {
    let access = policy::OrganizationAccess { role: allowed.on().role };
    if !policy::may::<policy::EndRights>(allowed.principal(), &access) {
        return Ok(0);
    }
    memberships::held_in(app, allowed.on().id).await
}

/// One repository in a list; `name` as it is shown there.
pub async fn card(app: &App, name: &str, url: &str, repository: &rows::Repository) -> Result<RepositoryCard> {
    let source = sources::of_repository(app, repository.id).await?;
    let builds = standing::builds(app, repository.id, source.as_ref(), 12).await?;
    let told = standing::telling(&builds);
    let image = match offer::tag(app, repository.id, source.as_ref()).await? {
        Some(tag) => images::of_row(app, &tag).await?.map(|image| (tag.name, image)),
        None => None,
    };
    Ok(RepositoryCard {
        name: name.to_owned(),
        url: url.to_owned(),
        public: repository.visibility == Visibility::Public,
        build: told.map(|build| (present::state(build.state), present::short_ref(&build.ref_name))),
        image: image.map(|(tag, image)| CardImage { tag, holds: offer::holds(&image), size: offer::size(&image) }),
        updated: when(app, repository.updated_at),
        durations: present::durations(app, &builds),
    })
}
