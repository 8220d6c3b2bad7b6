//! The REST API below `/api/v3`: what all its handlers have in common.

pub(crate) mod commits;
pub(crate) mod contents;
pub(crate) mod deliveries;
pub(crate) mod error;
pub(crate) mod hooks;
pub(crate) mod members;
pub(crate) mod organizations;
pub(crate) mod refs;
pub(crate) mod repositories;
pub(crate) mod shapes;
pub(crate) mod statuses;
pub(crate) mod user;

use std::{collections::HashMap, future::Ready, future::ready};

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev::Payload, http::StatusCode, web::Data};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    access::{self, Caller},
    app::App,
    model::{Permission, Repository},
};
use error::{ApiError, not_found};

pub(crate) type Reply = Result<HttpResponse, ApiError>;

/// One API call: who makes it, and for what.
pub(crate) struct Call {
    pub(crate) app: Data<App>,
    pub(crate) caller: Option<Caller>,
    pub(crate) request: HttpRequest,
    pub(crate) parts: Parts,
    query: HashMap<String, String>,
}

/// The parts of the path, decoded; empty where the route has none.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Parts {
    owner: String,
    repo: String,
    /// Of a repository or an account, in place of its name.
    id: Option<String>,
    login: String,
    org: String,
    branch: String,
    #[serde(rename = "ref")]
    reference: String,
    sha: String,
    path: String,
    hook: String,
    delivery: String,
}

/// What a handler is about to do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Read,
    WriteStatus,
    Hooks,
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<Data<App>>().expect("the app is given to all routes").clone();
        let header = request.headers().get("authorization").map(|value| value.to_str().unwrap_or("?"));
        let parts = request.match_info().load().unwrap_or_default();
        let query = serde_urlencoded::from_str(request.query_string()).unwrap_or_default();
        ready(match access::authenticate(&app, header) {
            Ok(caller) => Ok(Self { app, caller, request: request.clone(), parts, query }),
            Err(access::BadCredentials) => Err(ApiError::new(StatusCode::UNAUTHORIZED, "Bad credentials")),
        })
    }
}

impl Call {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Somebody must be signed in.
    pub(crate) fn person(&self) -> Result<&Caller, ApiError> {
        let refusal = || ApiError::new(StatusCode::UNAUTHORIZED, "Requires authentication");
        self.caller.as_ref().ok_or_else(refusal)
    }

    /// The repository of the path, by `{owner}/{repo}` or by `{id}`, if it may be used so.
    pub(crate) fn repository(&self, need: Need) -> Result<Repository, ApiError> {
        self.app.read(|state| {
            let (owner, name) = (self.parts.owner.as_str(), self.parts.repo.as_str());
            let found = match &self.parts.id {
                Some(id) => id.parse().ok().and_then(|id| state.repository(id)),
                None => state.repository_named(owner, name),
            };
            let Some(repository) = found else {
                let moved = state
                    .repository_formerly(owner, name)
                    .filter(|moved| access::permission(state, moved, self.caller.as_ref()) > Permission::None);
                return Err(moved.map_or_else(not_found, |moved| self.moved_to(moved.id)));
            };
            let permission = access::permission(state, repository, self.caller.as_ref());
            if permission == Permission::None {
                return Err(not_found());
            }
            if need != Need::Read {
                self.person()?;
            }
            let restricted = access::restricted_by(state, repository, self.caller.as_ref());
            if let Some(organization) = restricted.filter(|_| repository.private || need != Need::Read) {
                let message = access::restriction_message(&organization);
                return Err(ApiError::new(StatusCode::FORBIDDEN, &message));
            }
            let has = |scope| self.caller.as_ref().is_some_and(|caller| caller.has(scope));
            let allowed = match need {
                Need::Read => true,
                Need::WriteStatus => permission >= Permission::Push && has("repo:status"),
                Need::Hooks => permission == Permission::Admin && (has("repo") || has("write:repo_hook")),
            };
            if allowed { Ok(repository.clone()) } else { Err(not_found()) }
        })
    }

    /// GitHub redirects a renamed repository to its address by id.
    fn moved_to(&self, id: u64) -> ApiError {
        let prefix = format!("/api/v3/repos/{}/{}", self.parts.owner.as_str(), self.parts.repo.as_str());
        let uri = self.request.uri().to_string();
        let rest = uri.strip_prefix(&prefix).unwrap_or_default();
        let mut error = ApiError::new(StatusCode::MOVED_PERMANENTLY, "Moved Permanently");
        error.location = Some(format!("{}/api/v3/repositories/{id}{rest}", self.origin()));
        error
    }

    /// Scheme and host as the client reached them: octocrab drops its token elsewhere.
    fn origin(&self) -> String {
        let info = self.request.connection_info();
        format!("{}://{}", info.scheme(), info.host())
    }

    /// A JSON answer with an `ETag`; 304 without body if the client has it already.
    pub(crate) fn json(&self, value: &Value) -> HttpResponse {
        self.json_with_link(value, None)
    }

    fn json_with_link(&self, value: &Value, link: Option<String>) -> HttpResponse {
        let text = value.to_string();
        let etag = format!("W/\"{}\"", hex::encode(Sha256::digest(text.as_bytes())));
        let known = self.header("if-none-match");
        let same = |tag: &str| tag.trim().trim_start_matches("W/") == etag.trim_start_matches("W/");
        let status = if known.split(',').any(same) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut builder = HttpResponse::build(status);
        builder.insert_header(("etag", etag)).insert_header(("cache-control", "private, max-age=60, s-maxage=60"));
        if let Some(link) = link {
            builder.insert_header(("link", link));
        }
        if status == StatusCode::NOT_MODIFIED {
            return builder.finish();
        }
        builder.content_type("application/json; charset=utf-8").body(text)
    }

    /// Page and page size that were asked for.
    pub(crate) fn paging(&self) -> (usize, usize) {
        let number = |name, or: usize| self.query(name).and_then(|text| text.parse().ok()).unwrap_or(or);
        (number("page", 1).max(1), number("per_page", 30).clamp(1, 100))
    }

    /// One page of a list, with GitHub's `Link` header.
    pub(crate) fn page(&self, mut items: Vec<Value>) -> HttpResponse {
        let (page, size) = self.paging();
        let last = items.len().div_ceil(size).max(1);
        let start = items.len().min((page - 1) * size);
        let items = items.drain(start..).take(size).collect();
        let link = |number: usize, rel: &str| {
            let mut pairs: Vec<(&str, String)> = self.query.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            pairs.retain(|(key, _)| *key != "page");
            pairs.sort();
            pairs.push(("page", number.to_string()));
            let query = serde_urlencoded::to_string(pairs).expect("pairs of text have a query form");
            format!("<{}{}?{query}>; rel=\"{rel}\"", self.origin(), self.request.path())
        };
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        let link = (!links.is_empty()).then(|| links.join(", "));
        self.json_with_link(&Value::Array(items), link)
    }
}
