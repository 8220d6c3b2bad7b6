//! The images that builds start from: public ones, the repository's own, and the private ones that it lists.
//!
//! Only images of the same namespace can be listed: whoever manages a repository reads all of its namespace, so a list
//! gives builds nothing that its maker could not copy, and no namespace depends on what people of another one chose.

use crate::app::App;
use crate::auth::extract::repository_access;
use crate::config::authority;
use crate::db::{self, Visibility, rows};
use crate::error::{Error, Result};
use crate::names::RepositoryName;
use crate::policy::{self, Allowed, ChooseBases, Principal, PullImage, ReadRepository, RepositoryAccess};
use slipway_protocol::{Failure, Reason};
use uuid::Uuid;

/// Far more than a Dockerfile names, and few enough to look up with each request of a build.
const MOST: u64 = 100;

/// The base that a build was refused, as far as somebody may know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedBase {
    pub base: RepositoryAccess,
    pub now: Standing,
}

/// How things are by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be listed.
    Refused,
    /// It is of another namespace, so it cannot.
    Foreign,
    /// It was listed after the build.
    Listed,
    /// It was made public after the build.
    Public,
}

/// The private image of this registry that a build was refused. `None` too when there is none that `principal` may know
/// of: a private image and none are told apart only for those who may read it.
pub async fn refused(
    app: &App,
    principal: &Principal,
    on: &RepositoryAccess,
    build: &rows::Build,
) -> Result<Option<RefusedBase>> {
    let Some(name) = refused_name(app, build) else { return Ok(None) };
    let Some(base) = repository_access(app, principal, &name).await? else { return Ok(None) };
    if base.id == on.id || !policy::may::<ReadRepository>(principal, &base) {
        return Ok(None);
    }
    let now = if base.visibility == Visibility::Public {
        Standing::Public
    } else if db::bases::ids(&app.db, on.id).await?.contains(&base.id) {
        Standing::Listed
    } else if base.namespace_id == on.namespace_id {
        Standing::Refused
    } else {
        Standing::Foreign
    };
    Ok(Some(RefusedBase { base, now }))
}

fn refused_name(app: &App, build: &rows::Build) -> Option<RepositoryName> {
    let failure: Failure = serde_json::from_str(build.failure.as_deref()?).ok()?;
    let is_about_base = matches!(failure.reason, Reason::BaseImageDenied | Reason::BaseImageMissing);
    own_image(app, failure.image.as_deref().filter(|_| is_about_base)?)
}

/// Whether a build was refused an image that would lie here, whether there is one or not.
pub fn is_of_this_registry(app: &App, failure: &Failure) -> bool {
    failure.image.as_deref().and_then(|image| own_image(app, image)).is_some()
}

/// The repository of an image that lies here: `registry.example.com/acme/base:main@sha256:…` → `acme/base`.
fn own_image(app: &App, image: &str) -> Option<RepositoryName> {
    let image = image.split('@').next().unwrap_or_default();
    let hosts = [app.config.public_host(), authority(&app.config.internal_url)];
    let path = hosts.iter().find_map(|host| image.strip_prefix(host.as_str())?.strip_prefix('/'))?;
    path.split(':').next().unwrap_or_default().parse().ok()
}

/// Lets builds of a repository start from a private image that the asker can pull. Twice is as once.
pub async fn allow(app: &App, allowed: &Allowed<ChooseBases>, name: &RepositoryName) -> Result<()> {
    let on = allowed.on();
    let by = allowed.principal();
    // One sentence for all of them: what the asker may not see is not told apart from what is not there.
    let unknown = || Error::invalid(format!("there is no image `{name}` in `{}`", on.name.namespace));
    let base =
        repository_access(app, by, name).await?.filter(|base| base.is_live && base.namespace_id == on.namespace_id);
    let base = policy::check::<PullImage>(by, base.ok_or_else(unknown)?).map_err(|_decision| unknown())?;
    if base.on().id == on.id {
        return Err(Error::invalid("builds read the images of their own repository anyway"));
    }
    if db::bases::count(&app.db, on.id).await? >= MOST {
        return Err(Error::invalid(format!("a repository lists {MOST} base images at most")));
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let row = rows::AllowedBase { id: Uuid::now_v7(), repository_id: on.id, base_id: base.on().id, created_at: now };
    if db::bases::add(&tx, row).await? {
        db::events::add(&tx, by, event("repository.base_allowed", on, name), now).await?;
    }
    tx.commit().await?;
    app.wake.changed(on.id);
    Ok(())
}

/// Takes an image from the list. Builds that run lose it at once.
pub async fn forbid(app: &App, allowed: &Allowed<ChooseBases>, name: &RepositoryName) -> Result<()> {
    let on = allowed.on();
    let Some(base) = repository_access(app, allowed.principal(), name).await? else { return Ok(()) };
    let tx = app.db.begin().await?;
    if db::bases::remove(&tx, on.id, base.id).await? {
        let event = event("repository.base_forbidden", on, name);
        db::events::add(&tx, allowed.principal(), event, app.clock.now()).await?;
    }
    tx.commit().await?;
    app.wake.changed(on.id);
    Ok(())
}

fn event(kind: &'static str, on: &RepositoryAccess, base: &RepositoryName) -> db::events::NewEvent {
    db::events::NewEvent {
        kind,
        namespace_id: Some(on.namespace_id),
        repository_id: Some(on.id),
        subject: on.name.to_string(),
        cause: None,
        body: serde_json::json!({"base": base.to_string()}),
    }
}

/// The images that a repository lists, by name.
pub async fn list(app: &App, repository_id: Uuid) -> Result<Vec<rows::Repository>> {
    db::bases::list(&app.db, repository_id).await
}

/// Lists what earlier builds started from, once after the upgrade from a version that let builds read every image of
/// their namespace.
pub async fn at_start(app: &App) -> Result<()> {
    for repository_id in db::bases::to_list(&app.db).await? {
        let used = db::bases::used(&app.db, repository_id).await?;
        let tx = app.db.begin().await?;
        if let Some(repository) = db::repositories::find(&tx, repository_id).await? {
            for uri in used {
                list_used(app, &tx, &repository, &uri).await?;
            }
        }
        db::bases::is_listed(&tx, repository_id).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn list_used(app: &App, tx: &db::Tx, repository: &rows::Repository, uri: &str) -> Result<()> {
    let Some(name) = own_material(app, uri) else { return Ok(()) };
    let Some(base) = db::repositories::find_by_name(tx, repository.namespace_id, &name.name).await? else {
        return Ok(());
    };
    let namespace = db::namespaces::find(tx, repository.namespace_id).await?;
    if base.id == repository.id || namespace.is_none_or(|n| n.name != name.namespace.as_str()) {
        return Ok(());
    }
    if db::bases::count(tx, repository.id).await? < MOST {
        let id = Uuid::now_v7();
        let created_at = app.clock.now();
        db::bases::add(tx, rows::AllowedBase { id, repository_id: repository.id, base_id: base.id, created_at })
            .await?;
    }
    Ok(())
}

/// `pkg:docker/localhost%3A8080/acme/base@main?platform=linux%2Famd64` → `acme/base`.
fn own_material(app: &App, uri: &str) -> Option<RepositoryName> {
    let image = uri.strip_prefix("pkg:docker/")?.split('?').next().unwrap_or_default();
    // The only sign that is written otherwise in names is the colon before a port.
    let image = image.split('@').next().unwrap_or_default().replace("%3A", ":").replace("%3a", ":");
    own_image(app, &image)
}
