//! Error pages, each with a way on.

use super::views::errors::{Broken, NotFound, Refused};
use super::views::filters::sentence_text;
use super::views::layout::{Layout, Viewer};
use super::views::repository::{RepositoryHead, RepositoryTab};
use super::{next, page, present};
use crate::app::App;
use crate::auth::extract::Inside;
use crate::auth::sessions;
use crate::error::{Error, ForgeError, OciCode};
use crate::policy::{Principal, Who};
use actix_web::http::uri::PathAndQuery;
use actix_web::http::{Method, header};
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _};
use url::{Position, Url};

/// The page for an error. It asks the database nothing: that may be what failed.
pub fn page(request: &HttpRequest, error: &Error, request_id: &str) -> HttpResponse {
    let request_id = request_id.to_owned();
    let status = error.status_code();
    let rendered = match error {
        Error::NotFound(_) | Error::Absent(_) | Error::Registry { .. }
            if error.status() == 404 || error.status() == 400 =>
        {
            page::with_status(
                actix_web::http::StatusCode::NOT_FOUND,
                &NotFound { layout: layout(request, "Not found"), way_on: list_of(request), request_id },
            )
        }
        Error::Internal { .. } => {
            page::with_status(status, &Broken { layout: layout(request, "Something went wrong"), request_id })
        }
        other => {
            let heading = heading(other).to_owned();
            let layout = layout(request, &heading);
            let refused = Refused {
                layout,
                status: other.status(),
                heading,
                text: sentence_text(&other.to_string()),
                way_on: way_on(request, other),
                request_id,
            };
            page::with_status(status, &refused)
        }
    };
    rendered.unwrap_or_else(|e| {
        tracing::error!("an error page was not rendered: {}", e.for_log());
        HttpResponse::InternalServerError().body("something went wrong on our side")
    })
}

fn layout(request: &HttpRequest, title: &str) -> Layout {
    let principal = request.extensions().get::<Principal>().cloned();
    // What was refused before anybody looked who it is may have come from somebody who is signed in.
    let is_unknown = principal.is_none() && sessions::is_claimed(request);
    let viewer = match principal.map(|principal| principal.who) {
        Some(Who::User { name, .. }) => Some(Viewer { name, namespace: None, administers: false }),
        _ => None,
    };
    let mut layout = match inside(request) {
        Some(head) => uncounted(head.layout(title, viewer, tab_of(request.path()))),
        None => Layout::new(title, viewer),
    };
    layout.login_url = if is_unknown { String::new() } else { login_url(request) };
    layout
}

/// The repository that the request is about, if whoever asks may read it.
fn inside(request: &HttpRequest) -> Option<RepositoryHead> {
    let extensions = request.extensions();
    let (Inside(on), principal) = (extensions.get::<Inside>()?, extensions.get::<Principal>()?);
    Some(present::head_uncounted(principal, on))
}

fn uncounted(mut layout: Layout) -> Layout {
    layout.tabs.iter_mut().for_each(|tab| tab.count = None);
    layout
}

/// Where a path lies in a repository.
fn tab_of(path: &str) -> RepositoryTab {
    let rest = path.split_once("/-/").map_or("", |(_, rest)| rest);
    match rest.split('/').next().unwrap_or_default() {
        "tags" => RepositoryTab::Tags,
        "builds" => RepositoryTab::Builds,
        "settings" => RepositoryTab::Settings,
        _ => RepositoryTab::Overview,
    }
}

/// What leads on from a page that is not there.
fn list_of(request: &HttpRequest) -> Option<(String, String)> {
    let head = inside(request)?;
    Some(match tab_of(request.path()) {
        RepositoryTab::Tags => (format!("{}/-/tags", head.url()), format!("All tags of {}", head.full_name())),
        RepositoryTab::Builds => (format!("{}/-/builds", head.url()), format!("All builds of {}", head.full_name())),
        _ => (head.url(), format!("Overview of {}", head.full_name())),
    })
}

/// The page of an address whose query cannot be read.
fn without_query(request: &HttpRequest) -> Option<(String, String)> {
    let is_queried = !request.query_string().is_empty();
    is_queried.then(|| (next::safe(Some(request.path())), "Open this page afresh".to_owned()))
}

fn login_url(request: &HttpRequest) -> String {
    let next = serde_urlencoded::to_string([("next", back(request))]).unwrap_or_default();
    format!("/login?{next}")
}

/// Whether a page was asked for, and nothing sent.
fn is_look(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The page that was asked for, or the one whose form was sent: where a form goes to is no page.
fn back(request: &HttpRequest) -> String {
    if is_look(request) {
        return next::safe(request.uri().path_and_query().map(PathAndQuery::as_str));
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let from = header(header::REFERER).and_then(|from| Url::parse(from).ok());
    let public = request.app_data::<Data<App>>().map(|app| app.config.public_host());
    let ours = from.filter(|url| {
        let host = &url[Position::BeforeHost..Position::AfterPort];
        // Proxies may leave the port out of `Host`, or say a name of their own.
        Some(host) == header(header::HOST) || Some(host) == public.as_deref()
    });
    next::safe(ours.as_ref().map(|url| &url[Position::BeforePath..Position::AfterQuery]))
}

fn heading(error: &Error) -> &'static str {
    match error {
        Error::Unauthorized(_) => "Sign in first",
        Error::Gone(_) => "Deleted",
        Error::Forbidden(_) => "This is not allowed",
        Error::Conflict(_) => "That is not possible now",
        Error::TooLarge(_) => "That is too large",
        Error::TooSlow => "That came too slowly",
        Error::TooManyRequests { .. } | Error::TooMany(_) => "Too many requests",
        Error::Unavailable(_) | Error::Busy { .. } | Error::Full => "Not now",
        Error::Forge(_) => "The forge said no",
        Error::Registry { code: OciCode::Unsupported, .. } => "There is no page here",
        _ => "This request is not valid",
    }
}

fn way_on(request: &HttpRequest, error: &Error) -> Option<(String, String)> {
    let link = |url: &str, words: &str| Some((url.to_owned(), words.to_owned()));
    match error {
        Error::Unauthorized(_) => link(&login_url(request), "Sign in"),
        Error::Gone(_) => {
            let (list, _name) = request.path().rsplit_once('/')?;
            link(list, "What is there now")
        }
        Error::Forge(ForgeError::Revoked) => link("/login/github?purpose=connect", "Connect again"),
        // A page that cannot be shown is no way on from itself.
        Error::Conflict(_) | Error::Invalid(_) if is_look(request) => {
            list_of(request).or_else(|| without_query(request))
        }
        Error::Forge(_) | Error::Conflict(_) | Error::Invalid(_) => link(&back(request), "Back to the page"),
        _ => None,
    }
}
