//! What builds read and write beside their own repository: caches by the kind of their ref, bases by their list.

mod earlier;

use super::*;
use crate::auth::tokens::principal_of_attempt;
use crate::builds::bases::{self, RefusedBase, Standing};
use crate::db::{Protection, RepositoryState};
use crate::policy::{ChooseBases, PullImage, PushImage, build_cache};
use slipway_protocol::{Failure, Outcome, Reason};

crate::testing::on_postgres! {
    an_attempt_writes_the_cache_of_its_refs_kind_only,
    the_kind_is_what_the_ref_is_when_the_build_starts,
    a_build_reads_the_private_images_that_are_listed_and_no_others,
    a_list_holds_images_of_the_namespace_that_the_asker_may_read,
    a_refused_base_is_named_to_those_who_may_read_it,
    a_deleted_image_is_on_no_list,
    a_list_of_bases_has_an_end,
}

impl Scene {
    async fn image(&self, namespace: &rows::Namespace, name: &str, visibility: Visibility) -> RepositoryAccess {
        let plain = testing::repository(namespace.id, name);
        let tx = self.app.db.begin().await.unwrap();
        let row = rows::Repository { visibility, state: RepositoryState::Live, ..plain };
        let row = db::repositories::insert(&tx, row).await.unwrap();
        tx.commit().await.unwrap();
        access(namespace, &row, None)
    }

    async fn claim_ref(&self, ref_name: &str) -> (Assignment, Principal) {
        let tx = self.app.db.begin().await.unwrap();
        let new = NewBuild { ref_name: ref_name.parse().unwrap(), ..new_build(self.wired(), 1) };
        enqueue(&self.app, &tx, &Principal::SYSTEM, new).await.unwrap();
        tx.commit().await.unwrap();
        let assignment = self.claim().await.unwrap();
        let principal = principal_of_attempt(&self.app, assignment.attempt_id).await.unwrap();
        (assignment, principal)
    }

    fn chooser(&self) -> Allowed<ChooseBases> {
        let manager = self.manager();
        policy::check(manager.principal(), manager.on().clone()).unwrap()
    }

    async fn allow(&self, base: &RepositoryAccess) {
        let tx = self.app.db.begin().await.unwrap();
        let row = rows::AllowedBase {
            id: Uuid::now_v7(),
            repository_id: self.wired().repository.id,
            base_id: base.id,
            created_at: 0,
        };
        db::bases::add(&tx, row).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn access(namespace: &rows::Namespace, row: &rows::Repository, role: Option<Role>) -> RepositoryAccess {
    RepositoryAccess {
        id: row.id,
        namespace_id: namespace.id,
        name: format!("{}/{}", namespace.name, row.name).parse().unwrap(),
        visibility: row.visibility,
        is_live: true,
        role,
    }
}

fn cache(id: Uuid, protection: Protection) -> RepositoryAccess {
    RepositoryAccess {
        id: Uuid::now_v7(),
        namespace_id: Uuid::now_v7(),
        name: build_cache(id, protection).parse().unwrap(),
        visibility: Visibility::Private,
        is_live: true,
        role: None,
    }
}

#[tokio::test]
async fn an_attempt_writes_the_cache_of_its_refs_kind_only() {
    use Protection::{Protected, Unprotected};
    let scene = Scene::new().await;
    let id = scene.wired().repository.id;
    for (ref_name, own, reads) in [
        ("refs/heads/main", Protected, &[Protected][..]),
        ("refs/tags/v1.2.3", Protected, &[Protected]),
        ("refs/heads/feature", Unprotected, &[Unprotected, Protected]),
        ("refs/heads/v1.2.3", Unprotected, &[Unprotected, Protected]),
        ("refs/tags/nightly", Unprotected, &[Unprotected, Protected]),
    ] {
        let (assignment, principal) = scene.claim_ref(ref_name).await;
        let reference = |p: &Protection| format!("buildcache/{}/{p}:cache", id.simple());
        assert_eq!(assignment.cache.reference, reference(&own), "{ref_name}");
        assert_eq!(assignment.cache.also_read, reads[1..].iter().map(reference).collect::<Vec<_>>(), "{ref_name}");
        assert_eq!(assignment.trust_domain, format!("{id}:{own}"), "{ref_name}");
        for kind in [Protected, Unprotected] {
            let on = cache(id, kind);
            assert_eq!(policy::may::<PullImage>(&principal, &on), reads.contains(&kind), "{ref_name} reads {kind}");
            assert_eq!(policy::may::<PushImage>(&principal, &on), kind == own, "{ref_name} writes {kind}");
            let others = cache(Uuid::now_v7(), kind);
            let may = policy::may::<PullImage>(&principal, &others) || policy::may::<PushImage>(&principal, &others);
            assert!(!may, "{ref_name} and another repository's cache");
        }
        // The one that all refs shared in the version before.
        let shared =
            RepositoryAccess { name: format!("buildcache/{}", id.simple()).parse().unwrap(), ..cache(id, Protected) };
        assert!(!policy::may::<PullImage>(&principal, &shared) && !policy::may::<PushImage>(&principal, &shared));
        scene.finish(assignment.attempt_id, failed(None)).await.unwrap();
    }
}

#[tokio::test]
async fn the_kind_is_what_the_ref_is_when_the_build_starts() {
    let scene = Scene::new().await;
    let build = scene.queue(1).await;
    let default = async |branch: &str| {
        let tx = scene.app.db.begin().await.unwrap();
        db::sources::set_default_branch(&tx, scene.wired().source.id, branch).await.unwrap();
        tx.commit().await.unwrap();
    };
    default("develop").await;
    let assignment = scene.claim().await.unwrap();
    assert_eq!(scene.attempt(assignment.attempt_id).await.protection, Protection::Unprotected);
    // It began with caches of branches, so it is no `latest`, though the rule of its time says so.
    let digest = super::outcomes::push(&scene, &assignment, "one").await;
    scene.finish(assignment.attempt_id, super::outcomes::success(&digest)).await.unwrap();
    let tag = async |name| db::tags::find(&scene.app.db, build.repository_id, name).await.unwrap().is_some();
    assert!(tag("main").await && !tag("latest").await);
    // Run again when it is the default branch once more.
    default("main").await;
    crate::builds::rerun(&scene.app, &scene.manager(), build.number, crate::builds::Rerun::Same).await.unwrap();
    let assignment = scene.claim().await.unwrap();
    assert_eq!(scene.attempt(assignment.attempt_id).await.protection, Protection::Protected);
}

#[tokio::test]
async fn a_build_reads_the_private_images_that_are_listed_and_no_others() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let (own, other) = (scene.wired().namespace.clone(), scene.repositories[1].namespace.clone());
    let base = scene.image(&own, "base", Visibility::Private).await;
    let secret = scene.image(&own, "secret", Visibility::Private).await;
    let open = scene.image(&own, "open", Visibility::Public).await;
    let foreign = scene.image(&other, "base", Visibility::Private).await;
    for listed in [&base, &foreign] {
        scene.allow(listed).await;
    }
    let (assignment, principal) = scene.claim_ref("refs/heads/main").await;
    let itself = access(&own, &scene.wired().repository, None);
    for (on, may) in [(&itself, true), (&base, true), (&secret, false), (&open, true), (&foreign, false)] {
        assert_eq!(policy::may::<PullImage>(&principal, on), may, "{}", on.name);
        assert_eq!(policy::may::<PushImage>(&principal, on), on.id == itself.id, "{}", on.name);
    }
    // Taken from the list, it is gone for the build that runs.
    bases::forbid(&scene.app, &scene.chooser(), &base.name).await.unwrap();
    let principal = principal_of_attempt(&scene.app, assignment.attempt_id).await.unwrap();
    assert!(!policy::may::<PullImage>(&principal, &base));
}

#[tokio::test]
async fn a_list_holds_images_of_the_namespace_that_the_asker_may_read() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let (own, other) = (scene.wired().namespace.clone(), scene.repositories[1].namespace.clone());
    scene.image(&own, "base", Visibility::Private).await;
    scene.image(&other, "base", Visibility::Private).await;
    scene.image(&other, "open", Visibility::Public).await;
    let chooser = scene.chooser();
    // The manager of these tests has no row: who may not read is told nothing.
    let private = bases::allow(&scene.app, &chooser, &"acme/base".parse().unwrap()).await.unwrap_err().to_string();
    let absent = bases::allow(&scene.app, &chooser, &"acme/none".parse().unwrap()).await.unwrap_err().to_string();
    assert_eq!(private.replace("acme/base", "acme/none"), absent);
    let user = scene.manager_with_row().await;
    for wrong in ["globex/base", "globex/open", "globex/none", "acme/none", "acme/web"] {
        assert!(bases::allow(&scene.app, &user, &wrong.parse().unwrap()).await.is_err(), "{wrong}");
    }
    for _ in 0..2 {
        bases::allow(&scene.app, &user, &"acme/base".parse().unwrap()).await.unwrap();
    }
    let names = async || -> Vec<String> {
        bases::list(&scene.app, user.on().id).await.unwrap().into_iter().map(|base| base.name).collect()
    };
    assert_eq!(names().await, ["base"]);
    for _ in 0..2 {
        bases::forbid(&scene.app, &user, &"acme/base".parse().unwrap()).await.unwrap();
    }
    assert!(names().await.is_empty());
}

impl Scene {
    /// A manager whom the database knows.
    async fn manager_with_row(&self) -> Allowed<ChooseBases> {
        let namespace_id = self.wired().namespace.id;
        let tx = self.app.db.begin().await.unwrap();
        let user = testing::user("mona");
        let user = db::users::insert(&tx, user).await.unwrap();
        db::namespaces::set_role(&tx, namespace_id, user.id, Some(Role::Manager), 0).await.unwrap();
        tx.commit().await.unwrap();
        let who = Who::User { id: user.id, name: user.name, is_site_admin: false };
        policy::check(&Principal { who, bound: Bound::None }, self.chooser().on().clone()).unwrap()
    }
}

fn failed(image: Option<&str>) -> Outcome {
    let image = image.map(str::to_owned);
    let reason = if image.is_some() { Reason::BaseImageDenied } else { Reason::Other };
    Outcome::Failed(Failure { reason, message: "no".into(), image, ..Failure::default() })
}

#[tokio::test]
async fn a_refused_base_is_named_to_those_who_may_read_it() {
    let mut scene = Scene::new().await;
    scene.add("globex").await;
    let own = scene.wired().namespace.clone();
    let base = scene.image(&own, "base", Visibility::Private).await;
    let other = scene.repositories[1].namespace.clone();
    scene.image(&other, "base", Visibility::Private).await;
    let user = scene.manager_with_row().await;
    let stranger = scene.manager();
    for (image, of) in [
        ("localhost:8080/acme/base:main", Some(Standing::Refused)),
        ("localhost:8080/acme/base", Some(Standing::Refused)),
        ("localhost:8080/acme/base:1@sha256:aa", Some(Standing::Refused)),
        ("localhost:8080/acme/none:main", None),
        ("localhost:8080/acme/web:main", None),
        ("localhost:8080/globex/base:main", None),
        ("docker.io/acme/base:main", None),
        ("localhost:80801/acme/base", None),
        ("localhost:8080/../x", None),
    ] {
        scene.queue(1).await;
        let assignment = scene.claim().await.unwrap();
        scene.finish(assignment.attempt_id, failed(Some(image))).await.unwrap();
        let build = scene.build(assignment.build_id).await;
        let seen = bases::refused(&scene.app, user.principal(), user.on(), &build).await.unwrap();
        assert_eq!(seen.map(|refused: RefusedBase| refused.now), of, "{image}");
        // A reader of the repository who has no role in the base's namespace.
        let seen = bases::refused(&scene.app, stranger.principal(), stranger.on(), &build).await.unwrap();
        assert_eq!(seen, None, "{image}");
    }
    let build = scene.build_number(1).await;
    scene.allow(&base).await;
    let seen = bases::refused(&scene.app, user.principal(), user.on(), &build).await.unwrap();
    assert_eq!(seen.map(|refused| refused.now), Some(Standing::Listed));
}

impl Scene {
    async fn build_number(&self, number: i64) -> rows::Build {
        let id = self.wired().repository.id;
        db::builds::find_by_number(&self.app.db, id, number).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_deleted_image_is_on_no_list() {
    let scene = Scene::new().await;
    let own = scene.wired().namespace.clone();
    let base = scene.image(&own, "base", Visibility::Private).await;
    scene.allow(&base).await;
    let tx = scene.app.db.begin().await.unwrap();
    assert!(db::repositories::begin_deletion(&tx, base.id, RepositoryState::Live).await.unwrap());
    tx.commit().await.unwrap();
    assert!(bases::list(&scene.app, scene.wired().repository.id).await.unwrap().is_empty());
    let task = crate::jobs::Task::RemoveRepository { repository_id: base.id };
    crate::jobs::perform_now(&scene.app, &task).await.unwrap();
    assert!(db::bases::ids(&scene.app.db, scene.wired().repository.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_list_of_bases_has_an_end() {
    let scene = Scene::new().await;
    let own = scene.wired().namespace.clone();
    for n in 0..100 {
        let base = scene.image(&own, &format!("base{n}"), Visibility::Private).await;
        scene.allow(&base).await;
    }
    scene.image(&own, "more", Visibility::Private).await;
    let user = scene.manager_with_row().await;
    let refused = bases::allow(&scene.app, &user, &"acme/more".parse().unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("100 base images at most"), "{refused}");
}
