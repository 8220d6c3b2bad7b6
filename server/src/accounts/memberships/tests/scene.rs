//! A server beside a forge with an organisation, and people who came by it.

use super::*;
use crate::accounts::memberships::lists::Departures;
use crate::accounts::memberships::{Confirmed, all_departures, confirm, confirm_by_operator};

/// A server beside a forge with the organisation `acme`, whose owner is `root`.
pub(super) struct Scene {
    pub(super) forge: Forge,
    pub(super) app: TestApp,
    pub(super) acme: String,
    pub(super) namespace: rows::Namespace,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    Stored,
    None,
}

impl Scene {
    pub(super) async fn start() -> Self {
        Self::start_with("organizations = [\"acme\"]").await
    }

    pub(super) async fn start_with(sign_in: &str) -> Self {
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
    pub(super) async fn member(&self, login: &str, permission: Permission) -> Uuid {
        self.forge.member("acme", login, false);
        self.person(login, Admission::Organization, permission).await
    }

    /// An owner of `acme`, with the role that an import gives.
    pub(super) async fn owner(&self, login: &str, permission: Permission) -> Uuid {
        self.forge.member("acme", login, true);
        let id = self.person(login, Admission::Organization, permission).await;
        self.grant(id, Some(self.acme.clone())).await;
        id
    }

    pub(super) async fn grant(&self, user_id: Uuid, via_account_id: Option<String>) {
        let now = self.app.clock.now();
        let given = rows::Grant::given(self.namespace.id, user_id, Role::Admin, now);
        let tx = self.app.db.begin().await.unwrap();
        db::namespaces::insert_grant(&tx, rows::Grant { via_account_id, ..given }).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) async fn person(&self, login: &str, by: Admission, permission: Permission) -> Uuid {
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

    pub(super) async fn session(&self, tx: &db::Tx, user_id: Uuid) {
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

    pub(super) fn fresh_token(&self, login: &str) -> Secret {
        Secret::new(self.forge.token_for(login, &["read:user", "repo", "read:org"]))
    }

    /// One day later the organisation is asked about.
    pub(super) async fn next_day(&self) {
        self.app.clock.advance(DAY);
        ask_due(&self.app).await.unwrap();
        look(&self.app, &self.forge.url(), &self.acme).await.unwrap();
    }

    pub(super) async fn role(&self, user_id: Uuid) -> Option<Role> {
        db::namespaces::role_of(&self.app.db, self.namespace.id, user_id).await.unwrap()
    }

    pub(super) async fn user(&self, id: Uuid) -> rows::User {
        db::users::find(&self.app.db, id).await.unwrap().unwrap()
    }

    pub(super) async fn because(&self, id: Uuid) -> Option<Suspension> {
        self.user(id).await.suspended_because
    }

    pub(super) async fn sessions(&self, id: Uuid) -> usize {
        db::sessions::of_user(&self.app.db, id).await.unwrap().len()
    }

    /// Whether the token opens anything.
    pub(super) async fn token_works(&self, id: Uuid) -> bool {
        let token = db::tokens::of_user(&self.app.db, id).await.unwrap().remove(0);
        auth::tokens::principal_of_token(&self.app, token.id).await.is_ok()
    }

    pub(super) async fn membership(&self, id: Uuid) -> rows::Membership {
        db::memberships::find(&self.app.db, id, &self.forge.url(), &self.acme).await.unwrap().unwrap()
    }

    pub(super) async fn allowed(&self, id: Uuid) -> Allowed<UseAccount> {
        let user = self.user(id).await;
        let who = Who::User { id, name: user.name, is_site_admin: user.is_site_admin };
        policy::check(&Principal { who, bound: Bound::None }, Site).unwrap()
    }

    pub(super) async fn departures(&self, viewer: Uuid) -> Departures {
        departures(&self.app, &self.allowed(viewer).await).await.unwrap()
    }

    /// Confirms what the page lists of the first organisation; `None` when nobody waits.
    pub(super) async fn confirm(&self, viewer: Uuid) -> Option<Confirmed> {
        let listed = self.departures(viewer).await.groups.first()?.listed?;
        Some(confirm(&self.app, &self.allowed(viewer).await, listed).await.unwrap())
    }

    /// Confirms what the operator's list has of the first organisation.
    pub(super) async fn confirm_by_operator(&self, organization: &str) -> crate::error::Result<Confirmed> {
        let listed = all_departures(&self.app).await.unwrap().groups[0].listed;
        confirm_by_operator(&self.app, organization, listed).await
    }

    /// People of an organisation who wait from now on, by their rows alone.
    pub(super) async fn crowd(&self, organization_id: &str, people: usize) -> Vec<Uuid> {
        let (mut ids, now, forge_url) = (Vec::new(), self.app.clock.now(), self.forge.url());
        let tx = self.app.db.begin().await.unwrap();
        for n in 0..people {
            let user = db::users::insert(&tx, testing::user(&format!("of-{organization_id}-{now}-{n}"))).await.unwrap();
            let organization = (organization_id, "acme");
            db::memberships::confirm(&tx, user.id, &forge_url, organization, now).await.unwrap();
            let row = db::memberships::find(&tx, user.id, &forge_url, organization_id).await.unwrap().unwrap();
            let held = rows::Membership { state: MembershipState::Held, is_member: false, ..row };
            db::memberships::put(&tx, held).await.unwrap();
            ids.push(user.id);
        }
        tx.commit().await.unwrap();
        // A transaction of a test's own.
        self.app.db.largest_change();
        ids
    }
}
