//! A repository's overview.

use super::origin::UNTOLD;
use super::page::{self, count, when};
use super::views::facts::Signature;
use super::views::pull::{PullBox, PushLines};
use super::views::repository::{
    Overview, Pushes, RepositoryHead, RepositoryTab, SourceFacts, SourceGone, Storage, TurnedPrivate,
};
use super::{offer, present, standing};
use crate::app::App;
use crate::builds;
use crate::builds::view::Queue;
use crate::db::{HookState, SourceState, rows};
use crate::error::{Error, Result};
use crate::policy::{Allowed, ReadRepository, Who};
use crate::registry::images::Asked;
use crate::registry::{images, repositories};
use crate::sources;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

const MOST_IMAGES: u64 = 10;

/// Whatever else is asked for behind `/-/`: there is no such page, and whoever may read the repository keeps its tabs.
pub async fn absent(_allowed: Allowed<ReadRepository>) -> Result<HttpResponse> {
    Err(Error::not_found("this page"))
}

/// `/{ns}/{repo}`.
pub async fn show(allowed: Allowed<ReadRepository>, request: HttpRequest, app: Data<App>) -> Result<HttpResponse> {
    let on = allowed.on();
    let head = present::head(&app, allowed.principal(), on).await?;
    let viewer = page::viewer(&app, allowed.principal()).await?;
    let source = sources::of_repository(&app, on.id).await?;
    let newest = standing::builds(&app, on.id, source.as_ref(), 30).await?;
    let last_build = match standing::telling(&newest) {
        Some(build) => Some(present::build_row(&app, allowed.principal(), on, build, &Queue::default()).await?),
        None => None,
    };
    let offered = offer::tag(&app, on.id, source.as_ref()).await?;
    let asked = Asked { first: offered.as_ref(), limit: MOST_IMAGES, ..Asked::default() };
    let (found, _) = images::page(&app, &allowed, asked).await?;
    let rows = offer::rows(&app, on, &found).await?;
    // It is in the first row.
    let first = found.first().zip(rows.first());
    let pull = offered.zip(first).filter(|(tag, (image, _))| tag.digest == image.manifest.digest);
    let pull = pull.map(|(tag, (image, row))| {
        let signed = matches!(row.signature, Signature::Verified { .. });
        let note = offer::stands_in(&tag, source.as_ref());
        PullBox { note, ..offer::pull_box(&app, allowed.principal(), on, Some(&tag.name), image, signed) }
    });
    let known = sources::may_read(&app, allowed.principal(), on, source.as_ref()).await?;
    let (own, shared) = repositories::storage(&app, allowed.principal(), on).await?;
    let user = match &allowed.principal().who {
        Who::User { name, .. } => name.as_str(),
        _ => "YOUR-NAME",
    };
    let page = Overview {
        layout: head
            .layout("Overview", viewer, RepositoryTab::Overview)
            .flash(page::flash(&app, &request))
            .following(present::while_open(&app, &head, on.id).await?),
        gone: source.as_ref().and_then(|s| gone(&app, s, known, &head)),
        turned_private: turned_private(&app, on.id, known, head.admin.then(|| head.settings_url("#visibility")))
            .await?,
        last_build,
        images: rows,
        pull,
        build_ref: source.as_ref().filter(|_| head.manager).map(|s| s.default_branch.clone()),
        source: source.as_ref().map(|s| source_facts(&app, s, known)),
        storage: Storage { own: count(own), shared: count(shared) },
        durations: present::durations(&app, &newest),
        push_lines: PushLines::new(&app.config.public_host(), user, &on.name.to_string()),
        head,
    };
    page::html_after_form(&app, &request, &page)
}

/// Until somebody chooses who may see it.
pub async fn turned_private(
    app: &App,
    repository_id: uuid::Uuid,
    known: bool,
    settings_url: Option<String>,
) -> Result<Option<TurnedPrivate>> {
    let Some((turned, source)) = sources::privacy::turned(app, repository_id).await? else { return Ok(None) };
    let code = source.filter(|_| known).map_or_else(|| UNTOLD.to_owned(), |source| source.full_name);
    Ok(Some(TurnedPrivate { code, at: when(app, turned.at), settings_url }))
}

fn gone(app: &App, source: &rows::Source, known: bool, head: &RepositoryHead) -> Option<SourceGone> {
    let reason = match source.state {
        SourceState::Active => return None,
        SourceState::Gone => {
            "the forge answers that it does not exist, or that the connected account may not see it any more"
        }
        SourceState::Unreachable => "the forge cannot be reached",
        SourceState::Disconnected => "the forge no longer accepts the permission that was given: connect again",
    };
    Some(SourceGone {
        full_name: if known { source.full_name.clone() } else { UNTOLD.to_owned() },
        reason: source.state_detail.clone().filter(|_| known).unwrap_or_else(|| reason.to_owned()),
        tried: when(app, source.polled_at.unwrap_or(source.created_at)),
        repair_url: head.admin.then(|| head.settings_url("/webhook?from=overview")),
        visibility_url: (head.admin && head.public && source.state == SourceState::Gone)
            .then(|| head.settings_url("#visibility")),
    })
}

/// The code behind a repository, and how its pushes are known. Who may not know the code reads neither its name nor what
/// the forge said of it.
pub fn source_facts(app: &App, source: &rows::Source, known: bool) -> SourceFacts {
    let detail = || source.hook_detail.clone().filter(|_| known);
    let secs = app.config.poll_secs;
    let pushes = match (source.state, source.hook_state) {
        (SourceState::Gone | SourceState::Disconnected, _) => Pushes::Broken {
            because: source
                .state_detail
                .clone()
                .filter(|_| known)
                .unwrap_or_else(|| "the code repository cannot be read".to_owned()),
        },
        (SourceState::Unreachable, _) => {
            Pushes::Broken { because: "the forge cannot be reached; it is tried again every minute".to_owned() }
        }
        (_, HookState::Active) => Pushes::Webhook { last: source.delivered_at.map(|at| when(app, at)) },
        (_, HookState::Pending) => Pushes::Polling { secs, because: "the webhook is being made".to_owned() },
        (_, HookState::Refused) => {
            Pushes::Polling { secs, because: detail().unwrap_or_else(|| "the forge refused the webhook".to_owned()) }
        }
        (_, HookState::Missing) => {
            Pushes::Polling { secs, because: detail().unwrap_or_else(|| "the webhook is gone at the forge".to_owned()) }
        }
    };
    SourceFacts {
        forge: "GitHub".to_owned(),
        full_name: if known { source.full_name.clone() } else { UNTOLD.to_owned() },
        url: known.then(|| source.html_url.clone()),
        default_branch: source.default_branch.clone(),
        pushes,
        no_builder: builds::no_builder(app),
    }
}
