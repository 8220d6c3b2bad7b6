//! Who may do what, by route. A line for each route of `server/src/http/routes.rs`.

/// Which rule a route obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// No right is needed, and none is looked at.
    Everybody,
    /// Signed deliveries, builders and attempts: a person's session is nothing there.
    OwnCredentials,
    /// The path names nothing that exists here.
    Nowhere,
    /// Whoever is signed in, for itself.
    Person,
    /// Something of another person is asked for.
    OwnThing,
    Read,
    Manage,
    Administer,
    Pull,
    Push,
    Delete,
}

/// One route, its rule, and the form or body that is sent: right in its form, and harmless.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) rule: Rule,
    pub(crate) body: &'static str,
}

impl Rule {
    pub(crate) fn is_of_a_repository(self) -> bool {
        !matches!(self, Self::Everybody | Self::OwnCredentials | Self::Nowhere | Self::Person | Self::OwnThing)
    }
}

const fn get(path: &'static str, rule: Rule) -> Expectation {
    Expectation { method: "GET", path, rule, body: "" }
}

const fn head(path: &'static str, rule: Rule) -> Expectation {
    Expectation { method: "HEAD", path, rule, body: "" }
}

const fn post(path: &'static str, rule: Rule, body: &'static str) -> Expectation {
    Expectation { method: "POST", path, rule, body }
}

const fn other(method: &'static str, path: &'static str, rule: Rule, body: &'static str) -> Expectation {
    Expectation { method, path, rule, body }
}

/// An image index without images: a manifest that needs no blobs.
pub(crate) const INDEX: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

pub(crate) const EXPECTED: &[Expectation] = &[
    get("/", Rule::Everybody),
    get("/assets/{hash}/{name}", Rule::Nowhere),
    head("/assets/{hash}/{name}", Rule::Nowhere),
    get("/healthz", Rule::Everybody),
    get("/readyz", Rule::Everybody),
    get("/login", Rule::Everybody),
    get("/login/github", Rule::Everybody),
    get("/login/github/callback", Rule::Everybody),
    get("/settings/tokens", Rule::Person),
    post("/settings/tokens", Rule::Person, "name=&expires=90"),
    get("/settings/tokens/new", Rule::Person),
    get("/settings/tokens/{id}/revoke", Rule::OwnThing),
    post("/settings/tokens/{id}/revoke", Rule::OwnThing, ""),
    get("/settings/people", Rule::Person),
    post("/settings/people", Rule::OwnThing, "until=01890000-0000-7000-8000-000000000000&people=1"),
    get("/new/import", Rule::Person),
    // The listed repository is another person's.
    post("/new/import", Rule::OwnThing, "repository={listed}"),
    post("/new/import/refresh", Rule::Person, ""),
    // The registry: `{name}` is the target's.
    get("/token", Rule::Everybody),
    head("/token", Rule::Everybody),
    post("/token", Rule::OwnCredentials, "grant_type=password&password=none"),
    get("/v2", Rule::Everybody),
    get("/v2/", Rule::Everybody),
    head("/v2", Rule::Everybody),
    head("/v2/", Rule::Everybody),
    get("/v2/_catalog", Rule::Everybody),
    head("/v2/_catalog", Rule::Everybody),
    post("/v2/{name:.+}/blobs/uploads{slash:/?}", Rule::Push, ""),
    get("/v2/{name:.+}/blobs/uploads/{id}", Rule::Push),
    head("/v2/{name:.+}/blobs/uploads/{id}", Rule::Push),
    other("PATCH", "/v2/{name:.+}/blobs/uploads/{id}", Rule::Push, "x"),
    other("PUT", "/v2/{name:.+}/blobs/uploads/{id}", Rule::Push, "x"),
    other("DELETE", "/v2/{name:.+}/blobs/uploads/{id}", Rule::Push, ""),
    get("/v2/{name:.+}/blobs/{digest}", Rule::Pull),
    head("/v2/{name:.+}/blobs/{digest}", Rule::Pull),
    other("DELETE", "/v2/{name:.+}/blobs/{digest}", Rule::Delete, ""),
    get("/v2/{name:.+}/manifests/{reference}", Rule::Pull),
    head("/v2/{name:.+}/manifests/{reference}", Rule::Pull),
    other("PUT", "/v2/{name:.+}/manifests/{reference}", Rule::Push, "{}"),
    other("DELETE", "/v2/{name:.+}/manifests/{reference}", Rule::Delete, ""),
    get("/v2/{name:.+}/tags/list", Rule::Pull),
    head("/v2/{name:.+}/tags/list", Rule::Pull),
    get("/v2/{name:.+}/referrers/{digest}", Rule::Pull),
    head("/v2/{name:.+}/referrers/{digest}", Rule::Pull),
    // Builders and forges.
    post("/builder/v1/claim", Rule::OwnCredentials, "{}"),
    post("/builder/v1/attempts/{attempt}/heartbeat", Rule::OwnCredentials, "{}"),
    post("/builder/v1/attempts/{attempt}/records", Rule::OwnCredentials, "{}"),
    post("/builder/v1/attempts/{attempt}/finish", Rule::OwnCredentials, "{}"),
    get("/builder/v1/attempts/{attempt}/source.git/info/refs", Rule::OwnCredentials),
    post("/builder/v1/attempts/{attempt}/source.git/git-upload-pack", Rule::OwnCredentials, ""),
    post("/hooks/github/{source_id}", Rule::OwnCredentials, "{}"),
    // Pages of a repository.
    get("/{namespace}", Rule::Read),
    get("/{namespace}/{repository:[^-].*}", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/cosign.pub", Rule::Everybody),
    get("/{namespace}/{repository:.+?}/-/tags", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/tags/{tag}", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/tags/{tag}/delete", Rule::Manage),
    post("/{namespace}/{repository:.+?}/-/tags/{tag}/delete", Rule::Manage, ""),
    get("/{namespace}/{repository:.+?}/-/builds", Rule::Read),
    post("/{namespace}/{repository:.+?}/-/builds", Rule::Manage, "ref=no-such-branch"),
    get("/{namespace}/{repository:.+?}/-/builds/events", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/events", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/lines", Rule::Read),
    get("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/raw", Rule::Read),
    post("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/allow-base", Rule::Manage, "base=none/none"),
    post("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/cancel", Rule::Manage, ""),
    post("/{namespace}/{repository:.+?}/-/builds/{number:[0-9]+}/rerun", Rule::Manage, ""),
    get("/{namespace}/{repository:.+?}/-/settings", Rule::Administer),
    post("/{namespace}/{repository:.+?}/-/settings/rule", Rule::Administer, "dockerfile=../x&context=&build_args="),
    post("/{namespace}/{repository:.+?}/-/settings/bases", Rule::Administer, "base=no-such-image"),
    post("/{namespace}/{repository:.+?}/-/settings/bases/remove", Rule::Manage, "base=none/none"),
    get("/{namespace}/{repository:.+?}/-/settings/visibility", Rule::Administer),
    post("/{namespace}/{repository:.+?}/-/settings/visibility", Rule::Administer, "visibility={visibility}"),
    post("/{namespace}/{repository:.+?}/-/settings/webhook", Rule::Administer, ""),
    get("/{namespace}/{repository:.+?}/-/settings/key/rotate", Rule::Administer),
    post("/{namespace}/{repository:.+?}/-/settings/key/rotate", Rule::Administer, ""),
    post("/{namespace}/{repository:.+?}/-/settings/key/publish", Rule::Administer, ""),
    get("/{namespace}/{repository:.+?}/-/settings/key/revoke", Rule::Administer),
    post("/{namespace}/{repository:.+?}/-/settings/key/revoke", Rule::Administer, "key=&name=wrong"),
    get("/{namespace}/{repository:.+?}/-/settings/delete", Rule::Administer),
    post("/{namespace}/{repository:.+?}/-/settings/delete", Rule::Administer, "name=wrong"),
    post("/logout", Rule::Everybody, ""),
];
