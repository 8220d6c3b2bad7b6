//! One person for each role, and repositories that they may or may not see.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::table::{Expectation, INDEX};
use crate::suite::hostile::{
    browser::{Browser, Page},
    routes,
    site::{ID, Site, uuid},
};

const UNKNOWN: &str = "01890000-0000-7000-8000-000000000000";
/// The digest of nothing.
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// In rising order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Anonymous,
    Stranger,
    Reader,
    Manager,
    Admin,
    SiteAdmin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Public,
    Private,
    Absent,
}

impl Role {
    pub(crate) const ALL: [Self; 6] =
        [Self::Anonymous, Self::Stranger, Self::Reader, Self::Manager, Self::Admin, Self::SiteAdmin];

    /// The person's login, which is its name here too.
    fn login(self) -> &'static str {
        match self {
            Self::Anonymous => "",
            Self::Stranger => "stranger",
            Self::Reader => "reader",
            Self::Manager => "manager",
            Self::Admin => "boss",
            Self::SiteAdmin => "root-cat",
        }
    }
}

impl Target {
    pub(crate) const ALL: [Self; 3] = [Self::Public, Self::Private, Self::Absent];
}

/// A site with everybody in it.
pub(crate) struct Town {
    site: Site,
    people: Vec<(Role, Browser, Option<String>)>,
    token_of_another: String,
    listed_of_another: String,
}

impl Town {
    pub(crate) async fn build() -> Self {
        let site = Site::new(&[("SLIPWAY_SIGN_IN_SITE_ADMINS", "root-cat")]).await;
        site.forge.organization("closed", "boss");
        let mut people = Vec::new();
        for role in Role::ALL {
            let (browser, token) = match role {
                Role::Anonymous => (site.browser(), None),
                role => {
                    let browser = site.signed_in(role.login()).await;
                    let token = site.server.admin(&["token", "add", "--user", role.login(), "--scopes", "admin"]).await;
                    (browser, Some(token))
                }
            };
            people.push((role, browser, token));
        }
        let other = site.signed_in("other").await;
        site.forge.repository("other", "web", false).commit("main", &[("Dockerfile", "FROM scratch\n")], "Begin");
        let listed_of_another = site.listed(&other, "other/web").await;
        site.server.admin(&["token", "add", "--user", "other"]).await;
        let token = format!("SELECT {ID} FROM token WHERE user_id = (SELECT id FROM user WHERE name = 'other')");
        let token_of_another = uuid(&site.sql(&token).await);
        let town = Self { site, people, token_of_another, listed_of_another };
        town.settle().await;
        town
    }

    /// The repositories, with a build, a log and tags; and the roles, for which there is no command yet.
    async fn settle(&self) {
        let (_, boss, _) = self.person(Role::Admin);
        for (owner, private) in [("boss", false), ("closed", true)] {
            let connected = self.site.connected(boss, owner, "web", private).await;
            assert_eq!(connected.name, format!("{owner}/web"));
            for role in [Role::Reader, Role::Manager] {
                let (login, word) = (role.login(), if role == Role::Reader { "reader" } else { "manager" });
                let grant = format!(
                    "INSERT INTO namespace_grant (id, namespace_id, user_id, role, created_at) SELECT randomblob(16), n.id, u.id, '{word}', 0 \
                     FROM namespace n, user u WHERE n.name = '{owner}' AND u.name = '{login}'"
                );
                self.site.sql(&grant).await;
            }
            let attempt = format!(
                "INSERT INTO build_attempt (id, build_id, number, builder, token_hash, lease_until, started_at, ended_at, \
                 end_reason, last_record) SELECT randomblob(16), b.id, 1, 'test', '{owner}', 0, 0, 0, 'finished', 0 \
                 FROM build b JOIN repository r ON r.id = b.repository_id JOIN namespace n ON n.id = r.namespace_id \
                 WHERE n.name = '{owner}' AND b.number = 1"
            );
            self.site.sql(&attempt).await;
            let path = format!("/v2/{owner}/web/blobs/uploads/?digest={DIGEST}");
            let bearer = self.bearer(Role::Admin, &format!("{owner}/web")).await;
            boss.send(boss.request(reqwest::Method::POST, &path).bearer_auth(bearer)).await.is(201);
            for tag in ["keep", "t-manager", "t-boss", "t-root-cat"] {
                let path = format!("/v2/{owner}/web/manifests/{tag}");
                let bearer = self.bearer(Role::Admin, &format!("{owner}/web")).await;
                let request = boss.request(reqwest::Method::PUT, &path).bearer_auth(bearer);
                let request = request.header("content-type", "application/vnd.oci.image.index.v1+json").body(INDEX);
                boss.send(request).await.is(201);
            }
        }
    }

    #[expect(clippy::unused_self, reason = "the names are those that this set-up made")]
    pub(crate) fn name(&self, target: Target) -> &'static str {
        match target {
            Target::Public => "boss/web",
            Target::Private => "closed/web",
            Target::Absent => "nobody/web",
        }
    }

    /// Asks as that person would, by page or by registry client.
    pub(crate) async fn send(&self, expectation: &Expectation, role: Role, target: Target) -> Page {
        self.send_body(expectation, role, target, expectation.body).await
    }

    /// As `send`, with another body.
    pub(crate) async fn send_body(&self, expectation: &Expectation, role: Role, target: Target, text: &str) -> Page {
        let (_, browser, _) = self.person(role);
        let name = self.name(target);
        let (namespace, repository) = name.split_once('/').expect("namespace and name");
        let tag = if expectation.method == "POST" { format!("t-{}", role.login()) } else { "keep".to_owned() };
        let reference = if expectation.method == "GET" || expectation.method == "HEAD" { "keep" } else { "other" };
        let values = [
            ("namespace", namespace),
            ("repository", repository),
            ("name", if expectation.path.starts_with("/assets") { "none.css" } else { name }),
            ("tag", &tag),
            ("number", "1"),
            ("id", if expectation.path.starts_with("/settings") { &self.token_of_another } else { UNKNOWN }),
            ("digest", DIGEST),
            ("reference", reference),
            ("slash", "/"),
            ("attempt", UNKNOWN),
            ("source_id", UNKNOWN),
            ("hash", "0000"),
            ("listed", &self.listed_of_another),
            ("visibility", if target == Target::Public { "public" } else { "private" }),
        ];
        let mut path = routes::fill(expectation.path, &values);
        if expectation.path.ends_with("/lines") {
            path.push_str("?step=1&from=1&to=2");
        }
        let method = expectation.method.parse().expect("the table has methods of HTTP");
        let mut request = browser.request(method, &path).header("sec-fetch-site", "same-origin");
        if path.starts_with("/v2") {
            request = request.bearer_auth(self.bearer(role, name).await);
            request = request.header("content-type", "application/vnd.oci.image.index.v1+json");
        } else if path.starts_with("/builder") {
            request = request.bearer_auth("none").header("content-type", "application/json");
        } else {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(body(text, &values));
        if path.ends_with("/events") {
            // It goes on as long as somebody listens.
            let answer = request.send().await.expect("the server answers");
            return Page { status: answer.status(), headers: answer.headers().clone(), text: String::new() };
        }
        browser.send(request).await
    }

    /// A registry bearer as docker would get it: for everything in this repository that the person may.
    async fn bearer(&self, role: Role, name: &str) -> String {
        let (_, browser, token) = self.person(role);
        let path = format!("/token?service=x&scope=repository:{name}:pull,push,delete");
        let mut request = browser.request(reqwest::Method::GET, &path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(format!("x:{token}"))));
        }
        let answer = browser.send(request).await.is(200);
        let answer: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
        answer["token"].as_str().expect("a token").to_owned()
    }

    fn person(&self, role: Role) -> &(Role, Browser, Option<String>) {
        self.people.iter().find(|(known, ..)| *known == role).expect("each role has a person")
    }
}

/// The body with its place-holders filled in; JSON has braces of its own.
fn body(text: &str, values: &[(&str, &str)]) -> String {
    if text.starts_with('{') { text.to_owned() } else { routes::fill(text, values) }
}
