//! People who leave, against a real forge, while days go by.

mod held;
mod silence;

use super::{ask_due, at_sign_in, groups, look};
use crate::accounts::standing;
use crate::accounts::tokens::{self, NewToken};
use crate::auth;
use crate::clock::DAY;
use crate::db::{self, Admission, ConnectionState, MembershipState, NamespaceKind, Role, Suspension, rows};
use crate::policy::{self, Allowed, Bound, Principal, Site, UseAccount, Who};
use crate::secrets::{Place, Secret};
use crate::testing::{self, TestApp};
use slipway_forge::{Forge, ForgeConfig};
use std::sync::Arc;
use uuid::Uuid;

crate::testing::on_postgres! {
    who_leaves_loses_role_sessions_and_tokens_the_next_day,
    who_is_an_owner_no_longer_keeps_the_sign_in_and_loses_the_role,
    who_was_let_in_for_another_reason_keeps_sign_in_and_tokens,
    an_operators_grant_outlives_the_organization,
    a_renamed_person_has_not_left,
    a_login_that_another_account_took_is_no_proof,
    a_member_without_a_permission_is_asked_about_by_an_owner,
    a_sign_in_asks_at_once,
    who_comes_back_gets_in_and_no_role_by_itself,
    a_look_that_runs_twice_asks_once,
}

/// A server beside a forge with the organisation `acme`, whose owner is `root`.
struct Scene {
    forge: Forge,
    app: TestApp,
    acme: String,
    namespace: rows::Namespace,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Permission {
    Stored,
    None,
}

impl Scene {
    async fn start() -> Self {
        Self::start_with("organizations = [\"acme\"]").await
    }

    async fn start_with(sign_in: &str) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let forge = Forge::start(ForgeConfig::default());
        let acme = forge.organization("acme", "root").to_string();
        let app = TestApp::start_with(&format!(
            "[sign_in]\n{sign_in}\n[github]\nurl = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
            forge.url(),
            forge.client_id(),
            forge.client_secret(),
        ))
        .await;
        let namespace = rows::Namespace {
            kind: NamespaceKind::Organization,
            forge_url: Some(forge.url()),
            forge_account_id: Some(acme.clone()),
            ..testing::namespace("acme")
        };
        let tx = app.db.begin().await.unwrap();
        let namespace = db::namespaces::insert(&tx, namespace).await.unwrap();
        tx.commit().await.unwrap();
        Self { forge, app, acme, namespace }
    }

    /// A member of `acme` who came through that, with a session and a token.
    async fn member(&self, login: &str, permission: Permission) -> Uuid {
        self.forge.member("acme", login, false);
        self.person(login, Admission::Organization, permission).await
    }

    /// An owner of `acme`, with the role that an import gives.
    async fn owner(&self, login: &str, permission: Permission) -> Uuid {
        self.forge.member("acme", login, true);
        let id = self.person(login, Admission::Organization, permission).await;
        self.grant(id, Some(self.acme.clone())).await;
        id
    }

    async fn grant(&self, user_id: Uuid, via_account_id: Option<String>) {
        let now = self.app.clock.now();
        let given = rows::Grant::given(self.namespace.id, user_id, Role::Admin, now);
        let tx = self.app.db.begin().await.unwrap();
        db::namespaces::insert_grant(&tx, rows::Grant { via_account_id, ..given }).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn person(&self, login: &str, by: Admission, permission: Permission) -> Uuid {
        let (app, now) = (&*self.app, self.app.clock.now());
        let id = Uuid::now_v7();
        let remote_id = self.forge.person(login).id.to_string();
        let tx = app.db.begin().await.unwrap();
        let user =
            rows::User { id, created_at: now, admitted_by: Some(by), admitted_at: Some(now), ..testing::user(login) };
        let user = db::users::insert(&tx, user).await.unwrap();
        let identity = rows::Identity {
            id: Uuid::now_v7(),
            user_id: id,
            forge: "github".into(),
            forge_url: self.forge.url(),
            remote_id,
            login: login.to_owned(),
            created_at: now,
            updated_at: now,
        };
        let identity = db::users::insert_identity(&tx, identity).await.unwrap();
        if by == Admission::Organization {
            let acme = (&*self.acme, "acme");
            db::memberships::confirm(&tx, id, &self.forge.url(), acme, now).await.unwrap();
        }
        if permission == Permission::Stored {
            let connection_id = Uuid::now_v7();
            let place = Place { table: "connection", column: "token_encrypted", row: connection_id };
            let connection = rows::Connection {
                id: connection_id,
                identity_id: identity.id,
                scopes: "repo read:org".into(),
                token_encrypted: app.master_key.seal_text(place, &self.fresh_token(login)),
                state: ConnectionState::Active,
                state_detail: None,
                listed_at: None,
                listing_error: None,
                created_at: now,
                updated_at: now,
            };
            db::users::insert_connection(&tx, connection).await.unwrap();
        }
        let wish = NewToken::check("laptop", &["read".into()], "never").unwrap();
        tokens::add(app, &tx, &Principal::SYSTEM, &user, wish).await.unwrap();
        self.session(&tx, id).await;
        tx.commit().await.unwrap();
        id
    }

    async fn session(&self, tx: &db::Tx, user_id: Uuid) {
        let now = self.app.clock.now();
        let row = rows::Session {
            id: Uuid::now_v7(),
            hash: Uuid::now_v7().to_string(),
            user_id,
            user_agent: Some("a browser".into()),
            address: None,
            created_at: now,
            seen_at: now,
            expires_at: now + 100 * DAY,
        };
        db::sessions::insert(tx, row).await.unwrap();
    }

    fn fresh_token(&self, login: &str) -> Secret {
        Secret::new(self.forge.token_for(login, &["read:user", "repo", "read:org"]))
    }

    /// One day later the organisation is asked about.
    async fn next_day(&self) {
        self.app.clock.advance(DAY);
        ask_due(&self.app).await.unwrap();
        look(&self.app, &self.forge.url(), &self.acme).await.unwrap();
    }

    async fn role(&self, user_id: Uuid) -> Option<Role> {
        db::namespaces::role_of(&self.app.db, self.namespace.id, user_id).await.unwrap()
    }

    async fn user(&self, id: Uuid) -> rows::User {
        db::users::find(&self.app.db, id).await.unwrap().unwrap()
    }

    async fn because(&self, id: Uuid) -> Option<Suspension> {
        self.user(id).await.suspended_because
    }

    async fn sessions(&self, id: Uuid) -> usize {
        db::sessions::of_user(&self.app.db, id).await.unwrap().len()
    }

    /// Whether the token opens anything.
    async fn token_works(&self, id: Uuid) -> bool {
        let token = db::tokens::of_user(&self.app.db, id).await.unwrap().remove(0);
        auth::tokens::principal_of_token(&self.app, token.id).await.is_ok()
    }

    async fn membership(&self, id: Uuid) -> rows::Membership {
        db::memberships::find(&self.app.db, id, &self.forge.url(), &self.acme).await.unwrap().unwrap()
    }

    async fn allowed(&self, id: Uuid) -> Allowed<UseAccount> {
        let user = self.user(id).await;
        let who = Who::User { id, name: user.name, is_site_admin: user.is_site_admin };
        policy::check(&Principal { who, bound: Bound::None }, Site).unwrap()
    }
}

#[tokio::test]
async fn who_leaves_loses_role_sessions_and_tokens_the_next_day() {
    let scene = Scene::start().await;
    let root = scene.owner("root", Permission::Stored).await;
    let (lisa, mona) = (scene.owner("lisa", Permission::Stored).await, scene.owner("mona", Permission::None).await);
    for (login, owner) in [("bart", false), ("maggie", false), ("homer", false)] {
        scene.forge.member("acme", login, owner);
        scene.member(login, Permission::None).await;
    }
    scene.forge.leave("acme", "lisa");
    assert!(scene.token_works(lisa).await && scene.role(lisa).await.is_some());
    scene.next_day().await;
    assert_eq!((scene.role(lisa).await, scene.sessions(lisa).await), (None, 0));
    assert!(!scene.token_works(lisa).await);
    assert_eq!(scene.because(lisa).await, Some(Suspension::Left));
    assert!(db::tokens::of_user(&scene.app.db, lisa).await.unwrap()[0].revoked_at.is_some());
    for stays in [root, mona] {
        assert!(scene.token_works(stays).await && scene.role(stays).await.is_some());
    }
    // What ended can be read by the namespace's admins, and by nobody else.
    let seen = groups(&scene.app, &scene.allowed(root).await).await.unwrap();
    assert_eq!(seen[0].ended[0].person, "lisa");
    assert_eq!(seen[0].ended[0].roles, ["admin of acme"]);
    let lost = seen[0].ended[0].lost.clone().unwrap();
    assert_eq!((lost.sessions.len(), lost.tokens.len()), (1, 1));
    let bart = db::users::find_by_name(&scene.app.db, "bart").await.unwrap().unwrap();
    assert!(groups(&scene.app, &scene.allowed(bart.id).await).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_is_an_owner_no_longer_keeps_the_sign_in_and_loses_the_role() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::Stored).await;
    scene.forge.member("acme", "lisa", false);
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, None);
    assert!(scene.token_works(lisa).await && scene.sessions(lisa).await == 1);
    assert_eq!(scene.membership(lisa).await.state, MembershipState::Member);
}

#[tokio::test]
async fn who_was_let_in_for_another_reason_keeps_sign_in_and_tokens() {
    let scene = Scene::start_with("organizations = [\"acme\"]\nusers = [\"lisa\"]").await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, None);
    assert!(scene.token_works(lisa).await && scene.sessions(lisa).await == 1);
}

#[tokio::test]
async fn an_operators_grant_outlives_the_organization() {
    let scene = Scene::start_with("users = [\"lisa\"]").await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.member("lisa", Permission::None).await;
    scene.grant(lisa, None).await;
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, Some(Role::Admin));
}

#[tokio::test]
async fn a_renamed_person_has_not_left() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.rename_account("lisa", "lisa-simpson");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, Some(Role::Admin));
    // Also when the organisation has another name.
    scene.forge.rename_account("acme", "acme-inc");
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, Some(Role::Admin));
    assert_eq!(scene.membership(lisa).await.organization_login, "acme-inc");
}

#[tokio::test]
async fn a_login_that_another_account_took_is_no_proof() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    scene.forge.rename_account("lisa", "lisa-old");
    // Another person of the same name, who is a member.
    scene.forge.member("acme", "lisa", true);
    scene.next_day().await;
    assert_eq!(scene.role(lisa).await, None);
}

#[tokio::test]
async fn a_member_without_a_permission_is_asked_about_by_an_owner() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let bart = scene.member("bart", Permission::None).await;
    scene.next_day().await;
    let row = scene.membership(bart).await;
    assert_eq!((row.unanswered_since, row.answered_at), (None, row.asked_at));
    scene.forge.leave("acme", "bart");
    scene.next_day().await;
    assert!(!scene.token_works(bart).await);
}

#[tokio::test]
async fn a_sign_in_asks_at_once() {
    let scene = Scene::start_with("everybody = true").await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    at_sign_in(&scene.app, lisa, &scene.fresh_token("lisa")).await.unwrap();
    assert_eq!(scene.role(lisa).await, None);
    assert!(scene.token_works(lisa).await, "everybody may sign in");
}

#[tokio::test]
async fn who_comes_back_gets_in_and_no_role_by_itself() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    let lisa = scene.owner("lisa", Permission::None).await;
    scene.forge.leave("acme", "lisa");
    scene.next_day().await;
    assert_eq!(scene.because(lisa).await, Some(Suspension::Left));
    scene.forge.member("acme", "lisa", true);
    at_sign_in(&scene.app, lisa, &scene.fresh_token("lisa")).await.unwrap();
    assert_eq!(scene.membership(lisa).await.state, MembershipState::Member);
    assert_eq!(scene.role(lisa).await, None);
}

#[tokio::test]
async fn a_look_that_runs_twice_asks_once() {
    let scene = Scene::start().await;
    scene.owner("root", Permission::Stored).await;
    scene.member("bart", Permission::None).await;
    scene.next_day().await;
    let asked = scene.forge.requests("/memberships/");
    look(&scene.app, &scene.forge.url(), &scene.acme).await.unwrap();
    assert_eq!(scene.forge.requests("/memberships/"), asked);
}
