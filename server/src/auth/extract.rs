//! Extractors: the principal of a request, and `Allowed<A>` for the resource that its path names.

use super::{bearer, sessions, tokens};
use crate::app::App;
use crate::db::{self, RepositoryState};
use crate::error::{Error, Result};
use crate::http::faces::Surface;
use crate::names::{NamespaceName, RepositoryName};
use crate::policy::{
    self, Action, Allowed, Bound, Decision, NamespaceAccess, Principal, ReadRepository, RepositoryAccess, Site,
};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use std::future::Future;
use std::pin::Pin;

type Pending<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// The app that a request came to.
pub fn app_of(request: &HttpRequest) -> web::Data<App> {
    request.app_data::<web::Data<App>>().expect("the app is registered before any route").clone()
}

/// Who asks. Pages know sessions, the registry knows bearers; each surface looks at its own credentials only.
pub async fn principal_of(request: &HttpRequest) -> Result<Principal> {
    if let Some(known) = request.extensions().get::<Principal>() {
        return Ok(known.clone());
    }
    let app = app_of(request);
    let principal = match Surface::of(request.path()) {
        Surface::Registry => of_bearer(&app, request).await?,
        Surface::Page => sessions::principal(&app, request).await?.unwrap_or(Principal::ANONYMOUS),
        Surface::Json => Principal::ANONYMOUS,
    };
    request.extensions_mut().insert(principal.clone());
    Ok(principal)
}

/// Forgets who asks, so that whoever wants to know looks again: a while has gone by since.
pub fn forget_principal(request: &HttpRequest) {
    request.extensions_mut().remove::<Principal>();
}

/// The token behind `Authorization: Bearer`.
pub fn bearer_of(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

async fn of_bearer(app: &App, request: &HttpRequest) -> Result<Principal> {
    if !request.headers().contains_key(header::AUTHORIZATION) {
        return Ok(Principal::ANONYMOUS);
    }
    let bearer = bearer_of(request).ok_or_else(|| {
        Error::Unauthorized("use `docker login`: the registry takes bearer tokens of its token endpoint".into())
    })?;
    let claims = bearer::verify(app, bearer)?;
    let who = match claims.credential {
        bearer::Credential::Anonymous => Principal::ANONYMOUS,
        bearer::Credential::Token(id) => tokens::principal_of_token(app, id).await?,
        bearer::Credential::Attempt(id) => tokens::principal_of_attempt(app, id).await?,
    };
    // The bearer's list was cut to the token's scopes when it was signed; the scopes are checked again here.
    let access = claims.access.into_iter().map(|mut a| {
        if let Bound::Scopes(_) = &who.bound {
            a.actions.retain(|x| who.has_scope(if x == "pull" { policy::Scope::Read } else { policy::Scope::Write }));
        }
        a
    });
    Ok(Principal { bound: Bound::Registry { access: access.collect(), catalog: claims.catalog }, who: who.who })
}

impl FromRequest for Principal {
    type Error = Error;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { principal_of(&request).await })
    }
}

/// What an action is done to, found by the path.
pub trait Located: Sized {
    /// `None` when there is no such thing.
    fn locate(app: &App, request: &HttpRequest, principal: &Principal) -> impl Future<Output = Result<Option<Self>>>;
    /// How errors name it.
    fn title(request: &HttpRequest) -> String;
    /// Leaves word of it for the page of an error that comes later.
    fn leave_word(&self, _request: &HttpRequest, _principal: &Principal) {}
}

/// The repository that a request is about and whose pages its principal may read: what goes wrong there is told inside
/// of it.
#[derive(Clone)]
pub struct Inside(pub RepositoryAccess);

impl<A: Action> FromRequest for Allowed<A>
where
    A::On: Located,
{
    type Error = Error;
    type Future = Pending<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = app_of(&request);
            let principal = principal_of(&request).await?;
            let found = A::On::locate(&app, &request, &principal).await?;
            if let Some(on) = &found {
                on.leave_word(&request, &principal);
            }
            let decision = match found {
                Some(on) => match policy::check::<A>(&principal, on) {
                    Ok(allowed) => return Ok(allowed),
                    Err(decision) => decision,
                },
                None => Decision::Hide,
            };
            Err(refusal(&request, &principal, decision, &A::On::title(&request)))
        })
    }
}

/// What comes first is waited for, and only then the rest is read: a proof, and then the form behind it. Handlers that
/// take both side by side get whichever error comes first, so that a malformed form tells by the time that it takes
/// whether there is something that refuses it.
pub struct Then<P, F>(pub P, pub F);

impl<P, F> FromRequest for Then<P, F>
where
    P: FromRequest + 'static,
    F: FromRequest + 'static,
{
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let first = P::from_request(&request, &mut Payload::None).await.map_err(Into::into)?;
            let rest = F::from_request(&request, &mut payload).await.map_err(Into::into)?;
            Ok(Self(first, rest))
        })
    }
}

/// A refusal in the form of the surface. The anonymous are asked who they are, so a private thing and none look alike.
pub fn refusal(request: &HttpRequest, principal: &Principal, decision: Decision, title: &str) -> Error {
    let registry = Surface::of(request.path()) == Surface::Registry;
    match decision {
        // What the bearer was not made for is asked for again: clients then get one with the scope of the challenge.
        _ if registry && lacks_scope(request, principal) => {
            Error::Unauthorized(format!("{title} needs a token with more access"))
        }
        _ if registry && principal.is_anonymous() => {
            Error::Unauthorized(format!("{title} needs a sign-in, or does not exist"))
        }
        Decision::Forbid if registry => {
            Error::Forbidden(format!("this is not allowed on {title} with the credentials given"))
        }
        Decision::Forbid if principal.is_anonymous() => Error::Unauthorized("sign in to do this".into()),
        // On pages a missing right looks like a missing page: names of private things do not leak.
        _ => Error::NotFound(title.to_owned()),
    }
}

/// Whether the path names an upload: its status and its end are part of pushing.
pub fn is_upload(request: &HttpRequest) -> bool {
    request.match_info().get("id").is_some()
}

fn lacks_scope(request: &HttpRequest, principal: &Principal) -> bool {
    let action = match request.method().as_str() {
        _ if is_upload(request) => "push",
        "GET" | "HEAD" => "pull",
        "DELETE" => "delete",
        _ => "push",
    };
    match (&principal.bound, repository_of(request)) {
        (Bound::Registry { .. }, Ok(name)) => !principal.may_in_registry(&name, action),
        _ => false,
    }
}

impl Located for RepositoryAccess {
    async fn locate(app: &App, request: &HttpRequest, principal: &Principal) -> Result<Option<Self>> {
        let name: RepositoryName = repository_of(request)?;
        repository_access(app, principal, &name).await
    }

    fn title(request: &HttpRequest) -> String {
        repository_of(request).map_or_else(|_| "this repository".to_owned(), |name| format!("repository `{name}`"))
    }

    fn leave_word(&self, request: &HttpRequest, principal: &Principal) {
        if policy::may::<ReadRepository>(principal, self) {
            request.extensions_mut().insert(Inside(self.clone()));
        }
    }
}

/// `/v2/{name}` or `/{namespace}/{repository}`.
fn repository_of(request: &HttpRequest) -> Result<RepositoryName> {
    let path = request.match_info();
    match path.get("name") {
        Some(name) => name.parse(),
        None => format!("{}/{}", path.query("namespace"), path.query("repository")).parse(),
    }
}

/// A repository with what `principal` is there.
pub async fn repository_access(
    app: &App,
    principal: &Principal,
    name: &RepositoryName,
) -> Result<Option<RepositoryAccess>> {
    let Some(namespace) = db::namespaces::find_by_name(&app.db, name.namespace.as_str()).await? else {
        return Ok(None);
    };
    let Some(found) = db::repositories::find_by_name(&app.db, namespace.id, &name.name).await? else { return Ok(None) };
    let role = match principal.user_id() {
        Some(user) => db::namespaces::role_of(&app.db, namespace.id, user).await?,
        None => None,
    };
    Ok(Some(RepositoryAccess {
        id: found.id,
        namespace_id: namespace.id,
        name: name.clone(),
        visibility: found.visibility,
        is_live: found.state == RepositoryState::Live,
        role,
    }))
}

impl Located for NamespaceAccess {
    async fn locate(app: &App, request: &HttpRequest, principal: &Principal) -> Result<Option<Self>> {
        let name: NamespaceName = request.match_info().query("namespace").parse()?;
        namespace_access(app, principal, &name).await
    }

    fn title(request: &HttpRequest) -> String {
        format!("namespace `{}`", request.match_info().query("namespace"))
    }
}

/// A namespace with what `principal` is there.
pub async fn namespace_access(
    app: &App,
    principal: &Principal,
    name: &NamespaceName,
) -> Result<Option<NamespaceAccess>> {
    let Some(namespace) = db::namespaces::find_by_name(&app.db, name.as_str()).await? else { return Ok(None) };
    let role = match principal.user_id() {
        Some(user) => db::namespaces::role_of(&app.db, namespace.id, user).await?,
        None => None,
    };
    Ok(Some(NamespaceAccess {
        id: namespace.id,
        name: name.clone(),
        has_public_repository: db::repositories::has_public(&app.db, namespace.id).await?,
        role,
    }))
}

impl Located for Site {
    async fn locate(_: &App, _: &HttpRequest, _: &Principal) -> Result<Option<Self>> {
        Ok(Some(Self))
    }

    fn title(_: &HttpRequest) -> String {
        "this page".to_owned()
    }
}

/// Whether a proof that was given a while ago would still be given: rights, roles and sessions are looked up anew.
pub async fn check_again<A: Action<On = RepositoryAccess>>(
    app: &App,
    request: &HttpRequest,
    allowed: &Allowed<A>,
) -> Result<bool> {
    let principal = sessions::principal(app, request).await?.unwrap_or(Principal::ANONYMOUS);
    let found = repository_access(app, &principal, &allowed.on().name).await?;
    // Another repository may have the name by now.
    let same = found.filter(|on| on.id == allowed.on().id);
    Ok(same.is_some_and(|on| policy::check::<A>(&principal, on).is_ok()))
}
