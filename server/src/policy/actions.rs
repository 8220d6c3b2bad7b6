//! Every permission and its rule. Roles are mentioned nowhere else.

use super::{
    Action, Decision, NamespaceAccess, OrganizationAccess, Principal, RepositoryAccess, Scope, Site, SourceAccess, Who,
    allow_if,
};
use crate::db::{Protection, Role, Visibility};
use uuid::Uuid;

/// The namespace that build caches live in; only builds read and write there.
pub const BUILD_CACHE: &str = "buildcache";

/// Whether the principal may know that the repository exists.
fn can_see(principal: &Principal, on: &RepositoryAccess) -> bool {
    if is_cache(on) {
        return reads_cache(principal, on);
    }
    let by_role = match principal.who {
        Who::Build { repository_id, namespace_id, ref bases, .. } => {
            repository_id == on.id || (namespace_id == on.namespace_id && bases.contains(&on.id))
        }
        _ => on.role.is_some() || principal.is_site_admin(),
    };
    on.is_live && (on.visibility == Visibility::Public || by_role)
}

fn is_cache(on: &RepositoryAccess) -> bool {
    on.name.namespace.as_str() == BUILD_CACHE
}

/// The cache of a repository's builds, `buildcache/<repository id>/protected`. Two repositories rather than two tags:
/// what a build of an unprotected ref stores is no part of the other one, not even by its digest.
pub fn build_cache(repository_id: Uuid, protection: Protection) -> String {
    format!("{BUILD_CACHE}/{}/{protection}", repository_id.simple())
}

// Only builds of that repository read it: intermediate stages hold private sources.
fn owns_cache(principal: &Principal, on: &RepositoryAccess) -> bool {
    matches!(principal.who, Who::Build { repository_id, protection, .. }
        if is_cache(on) && on.name.to_string() == build_cache(repository_id, protection))
}

// What protected refs left may be used by all: it is the other way that releases are poisoned.
fn reads_cache(principal: &Principal, on: &RepositoryAccess) -> bool {
    let is_protected = |id| on.name.to_string() == build_cache(id, Protection::Protected);
    owns_cache(principal, on)
        || matches!(principal.who, Who::Build { repository_id, .. } if is_protected(repository_id))
}

fn has_role(principal: &Principal, role: Option<Role>, least: Role) -> bool {
    role >= Some(least) || principal.is_site_admin()
}

/// May read the repository's pages, builds and logs.
#[derive(Debug)]
pub struct ReadRepository;

impl Action for ReadRepository {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let visible = can_see(principal, on) && !is_cache(on);
        allow_if(visible && principal.has_scope(Scope::Read), visible)
    }
}

/// May know which code repository an image is made from, and what its commits say. A public image of private code keeps
/// the code's name to those who manage the image, and those to whom the forge shows the code anyway.
#[derive(Debug)]
pub struct ReadSource;

impl Action for ReadSource {
    type On = SourceAccess;
    fn decide(principal: &Principal, on: &SourceAccess) -> Decision {
        let known = !on.is_private || on.is_listed || has_role(principal, on.repository.role, Role::Manager);
        allow_if(known && can_see(principal, &on.repository) && principal.has_scope(Scope::Read), false)
    }
}

/// May pull: manifests, blobs, tags, referrers.
#[derive(Debug)]
pub struct PullImage;

impl Action for PullImage {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        // A cache that was never pushed is simply empty to the build that owns it. Who pushes the first image
        // reads it meanwhile: docker asks for each blob that it has just stored.
        let visible = can_see(principal, on) || (!on.is_live && may_push(principal, on));
        // What everybody may pull needs no entry in a bearer's list.
        let open = on.visibility == Visibility::Public && on.is_live && !is_cache(on);
        allow_if(visible && (open || principal.may_in_registry(&on.name, "pull")), visible)
    }
}

/// May know that no repository has a name: who would see a private one of that name.
#[derive(Debug)]
pub struct MissRepository;

impl Action for MissRepository {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let by_role = !is_cache(on) && has_role(principal, on.role, Role::Reader);
        allow_if(by_role && principal.may_in_registry(&on.name, "pull"), by_role)
    }
}

/// May store manifests and blobs in an image.
#[derive(Debug)]
pub struct PushImage;

impl Action for PushImage {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let role = may_push(principal, on);
        allow_if(role && principal.may_in_registry(&on.name, "push"), can_see(principal, on) || role)
    }
}

fn may_push(principal: &Principal, on: &RepositoryAccess) -> bool {
    match principal.who {
        Who::Build { repository_id, .. } => repository_id == on.id || owns_cache(principal, on),
        Who::System => true,
        _ => !is_cache(on) && has_role(principal, on.role, Role::Manager),
    }
}

/// May delete tags, manifests and blob links.
#[derive(Debug)]
pub struct DeleteImage;

impl Action for DeleteImage {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let person = !matches!(principal.who, Who::Build { .. }) && !is_cache(on);
        let role = person && has_role(principal, on.role, Role::Manager);
        allow_if(role && principal.may_in_registry(&on.name, "delete"), can_see(principal, on))
    }
}

/// May start, repeat and cancel builds.
#[derive(Debug)]
pub struct ManageBuilds;

impl Action for ManageBuilds {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let role = has_role(principal, on.role, Role::Manager) && principal.has_scope(Scope::Write);
        allow_if(role && !is_cache(on) && on.is_live, can_see(principal, on))
    }
}

/// May say from which private images of the namespace builds of the repository may start, and take that back.
#[derive(Debug)]
pub struct ChooseBases;

impl Action for ChooseBases {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let role = has_role(principal, on.role, Role::Manager) && principal.has_scope(Scope::Write);
        allow_if(role && !is_cache(on) && on.is_live, can_see(principal, on))
    }
}

/// May change rule, visibility and webhook of a repository, or delete it.
#[derive(Debug)]
pub struct AdministerRepository;

impl Action for AdministerRepository {
    type On = RepositoryAccess;
    fn decide(principal: &Principal, on: &RepositoryAccess) -> Decision {
        let role = has_role(principal, on.role, Role::Admin) && principal.has_scope(Scope::Admin);
        allow_if(role && !is_cache(on) && on.is_live, can_see(principal, on))
    }
}

/// May see the namespace's page; which repositories it lists is asked for each of them.
#[derive(Debug)]
pub struct ReadNamespace;

impl Action for ReadNamespace {
    type On = NamespaceAccess;
    fn decide(principal: &Principal, on: &NamespaceAccess) -> Decision {
        let by_role = has_role(principal, on.role, Role::Reader);
        let visible = on.name.as_str() != BUILD_CACHE && (by_role || on.has_public_repository);
        allow_if(visible && principal.has_scope(Scope::Read), visible)
    }
}

/// May make repositories in a namespace by import; a first push asks for `PushImage`.
#[derive(Debug)]
pub struct CreateRepository;

impl Action for CreateRepository {
    type On = NamespaceAccess;
    fn decide(principal: &Principal, on: &NamespaceAccess) -> Decision {
        let role = has_role(principal, on.role, Role::Manager) && on.name.as_str() != BUILD_CACHE;
        allow_if(role && principal.has_scope(Scope::Write), on.has_public_repository || on.role.is_some())
    }
}

/// May see whose rights ended because they left an organisation, and end those of many at once.
#[derive(Debug)]
pub struct EndRights;

impl Action for EndRights {
    type On = OrganizationAccess;
    fn decide(principal: &Principal, on: &OrganizationAccess) -> Decision {
        allow_if(has_role(principal, on.role, Role::Admin) && principal.has_scope(Scope::Admin), false)
    }
}

/// May change the key that signs all images of a namespace.
#[derive(Debug)]
pub struct ManageSigningKey;

impl Action for ManageSigningKey {
    type On = NamespaceAccess;
    fn decide(principal: &Principal, on: &NamespaceAccess) -> Decision {
        let role = has_role(principal, on.role, Role::Admin) && on.name.as_str() != BUILD_CACHE;
        allow_if(role && principal.has_scope(Scope::Admin), on.has_public_repository || on.role.is_some())
    }
}

/// May use pages that are about oneself: tokens, import.
#[derive(Debug)]
pub struct UseAccount;

impl Action for UseAccount {
    type On = Site;
    fn decide(principal: &Principal, _: &Site) -> Decision {
        allow_if(principal.user_id().is_some() && principal.has_scope(Scope::Admin), true)
    }
}
