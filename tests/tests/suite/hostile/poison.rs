//! Builds of one namespace beside each other: no branch leaves anything in a release, and no private image is a base
//! unless it is listed.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    browser::Browser,
    site::{Connected, Site},
    workshop::{Built, START, Workshop, with_busybox},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A workshop of its own: these builds are of `main`.
async fn shared() -> &'static Workshop {
    static SHARED: OnceCell<Workshop> = OnceCell::const_new();
    SHARED.get_or_init(|| Workshop::new(&[])).await
}

async fn pushed(shop: &Workshop, to: &Connected, branch: &str, dockerfile: &str) -> Built {
    shop.push(to, with_busybox(to.repo.change(branch), dockerfile)).await
}

/// Its line is in the log of a build that ran it, and in none that took its result from a cache.
const STEP: &str = "RUN echo the-step''-ran > /x && cat /x\n";

#[tokio::test]
async fn a_branch_leaves_nothing_in_the_cache_mounts_of_a_release() {
    let shop = shared().await;
    let mona = shop.mona();
    let web = shop.site.connected(&mona, "mona", "mounts", false).await;
    let other = shop.site.connected(&mona, "mona", "mounts-other", false).await;
    let write = "RUN --mount=type=cache,id=common,target=/c echo poison''ed > /c/x && ls /c\n";
    let read = "RUN --mount=type=cache,id=common,target=/c cat /c/x 2>/dev/null || echo nothing''-here\n";
    pushed(shop, &web, "feature", write).await.is("succeeded");
    pushed(shop, &other, "main", write).await.is("succeeded");
    let release = pushed(shop, &web, "main", read).await;
    release.is("succeeded");
    assert!(release.raw.contains("nothing-here") && !release.raw.contains("poisoned\n"), "{}", release.raw);
    // It is the same one for another branch. BuildKit knows a step by what it runs and not by whose mount it has, so the
    // step must differ: as it was, it would come from the cache that releases leave.
    let branch = pushed(shop, &web, "later", &format!("RUN echo again\n{read}")).await;
    assert!(branch.raw.contains("poisoned"), "{}", branch.raw);
}

#[tokio::test]
async fn a_branch_leaves_nothing_in_the_layer_caches_of_a_release() {
    let shop = shared().await;
    let mona = shop.mona();
    let web = shop.site.connected(&mona, "mona", "layers", false).await;
    let other = shop.site.connected(&mona, "mona", "layers-other", false).await;
    let first = pushed(shop, &web, "feature", STEP).await;
    assert!(first.is("succeeded").raw.contains("the-step-ran"), "{}", first.raw);
    assert!(pushed(shop, &other, "main", STEP).await.is("succeeded").raw.contains("the-step-ran"));
    let release = pushed(shop, &web, "main", STEP).await;
    assert!(release.is("succeeded").raw.contains("the-step-ran"), "a cached step: {}", release.raw);
    // What releases leave is of use to branches: this one's own caches know no such step.
    let more = format!("RUN echo more''-ran\n{STEP}");
    assert!(pushed(shop, &web, "main", &more).await.is("succeeded").raw.contains("more-ran"));
    let branch = pushed(shop, &web, "later", &more).await;
    assert!(!branch.is("succeeded").raw.contains("more-ran"), "it was not cached: {}", branch.raw);
    let caches = "SELECT DISTINCT r.name FROM repository r JOIN namespace n ON n.id = r.namespace_id \
                  JOIN tag t ON t.repository_id = r.id WHERE n.name = 'buildcache'";
    let caches = shop.site.sql(caches).await;
    let id = shop.site.sql("SELECT lower(hex(id)) FROM repository WHERE name = 'layers'").await;
    for kind in ["protected", "unprotected"] {
        assert!(caches.lines().any(|name| name == format!("{id}/{kind}")), "{kind} is not in {caches}");
    }
    assert!(!caches.lines().any(|name| !name.contains('/')), "{caches}");
}

#[tokio::test]
async fn a_private_image_of_the_namespace_is_a_base_once_it_is_listed() {
    let shop = shared().await;
    let mona = shop.mona();
    let base = shop.site.connected(&mona, "mona", "base", true).await;
    pushed(shop, &base, "main", "RUN echo bases''-layer > /layer\n").await.is("succeeded");
    let image = format!("{}/mona/base:main", shop.site.server.host());
    let digest =
        shop.site.sql("SELECT digest FROM tag t JOIN repository r ON r.id = t.repository_id WHERE r.name = 'base'");
    let by_digest =
        format!("{}/mona/base@{}", shop.site.server.host(), digest.await.lines().next().unwrap_or_default());
    let web = shop.site.connected(&mona, "mona", "on-base", false).await;
    let file = format!("FROM {image}\nRUN cat /layer\n");
    let refused = shop.push(&web, web.repo.change("main").file("Dockerfile", file.clone())).await;
    refused.is("failed");
    assert!(!refused.raw.contains("bases-layer\n"), "{}", refused.raw);
    let words = "`mona/base` is private, and `mona/on-base` may not build on it";
    refused.page.tells(words).says("Allow mona/base and re-run");
    // Who may not read it sees what the Dockerfile says, and no difference to an image that is not there.
    let path = format!("/{}/-/builds/{}", web.name, refused.number);
    let visible = mona.post(&format!("/{}/-/settings/visibility", web.name), &[("visibility", "public")]).await;
    visible.is(303);
    let strangers = shop.eve().get(&path).await.is(200);
    strangers.lacks("is private, and").lacks("Allow mona/base").lacks("allow-base");
    assert_eq!(
        shop.eve().post(&format!("{path}/allow-base"), &[("base", "mona/base")]).await.status,
        StatusCode::NOT_FOUND
    );
    reader_is_told_whom_to_ask(shop, &path).await;

    // The button names what is allowed, and nothing else comes in by it.
    let wrong = mona.post(&format!("{path}/allow-base"), &[("base", "mona/bench")]).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
    let again = mona.post(&format!("{path}/allow-base"), &[("base", "mona/base")]).await.is(303).location();
    assert_ne!(again, path);
    let commit = web.repo.head("main").expect("a head");
    let built = shop.finished(&web, &commit).await;
    assert!(built.is("succeeded").raw.contains("bases-layer"), "{}", built.raw);
    mona.get(&path).await.is(200).says("It is allowed now").lacks("Allow mona/base");
    mona.get(&format!("/{}/-/settings", web.name)).await.is(200).says("mona/base");

    // Another repository gains nothing, not even by digest from what a daemon has fetched for this one.
    let second = shop.site.connected(&mona, "mona", "not-on-base", false).await;
    for (branch, text) in [
        ("main", file.clone()),
        ("digest", format!("FROM {by_digest}\nRUN cat /layer\n")),
        ("copy", format!("{START}COPY --from={by_digest} /layer /layer\nRUN cat /layer\n")),
    ] {
        let change = with_busybox(second.repo.change(branch), "").file("Dockerfile", text);
        let built = shop.push(&second, change).await;
        built.is("failed");
        assert!(!built.raw.contains("bases-layer\n"), "{}", built.raw);
    }
    // Taken back, it is refused again.
    let remove = format!("/{}/-/settings/bases/remove", web.name);
    mona.post(&remove, &[("base", "mona/base")]).await.is(303);
    let change = web.repo.change("main").file("Dockerfile", format!("{file}RUN echo again\n"));
    shop.push(&web, change).await.is("failed").page.tells(words);
    let add = format!("/{}/-/settings/bases", web.name);
    mona.post(&add, &[("base", "mona/none")])
        .await
        .is(422)
        .says("There is no image <code>mona/none</code> in <code>mona</code>.");
    mona.post(&add, &[("base", "base")]).await.is(303);
    let change = web.repo.change("main").file("Dockerfile", format!("{file}RUN echo once more\n"));
    shop.push(&web, change).await.is("succeeded");
}

/// Eve as a reader of mona's namespace.
async fn reader_is_told_whom_to_ask(shop: &Workshop, path: &str) {
    let grant = "INSERT INTO namespace_grant (id, namespace_id, user_id, role, created_at) SELECT randomblob(16), n.id, u.id, 'reader', 0 \
                 FROM namespace n, user u WHERE n.name = 'mona' AND u.name = 'eve'";
    shop.site.sql(grant).await;
    let page = shop.eve().get(path).await.is(200);
    page.says("may not build on it").tells("Ask mona: whoever manages `mona` can allow it").lacks("allow-base");
    assert_eq!(
        shop.eve().post(&format!("{path}/allow-base"), &[("base", "mona/base")]).await.status,
        StatusCode::NOT_FOUND
    );
    // Who manages the repository may allow it, and take that back.
    shop.site.sql("UPDATE namespace_grant SET role = 'manager' WHERE role = 'reader'").await;
    let eve = shop.eve();
    eve.get(path).await.is(200).says("allow-base");
    let list = "INSERT INTO allowed_base (id, repository_id, base_id, created_at) SELECT randomblob(16), r.id, b.id, 0 \
                FROM repository r, repository b WHERE r.name = 'on-base' AND b.name = 'base'";
    shop.site.sql(list).await;
    eve.get(path).await.is(200).says("Take mona/base off the list again");
    let remove = [("base", "mona/base")];
    let back = eve.post("/mona/on-base/-/settings/bases/remove", &remove).await.is(303).location();
    eve.get(&back).await.is(200).says("may no longer start from mona/base");
    eve.get(path).await.is(200).says("may not build on it");
    shop.site.sql("DELETE FROM namespace_grant WHERE role = 'manager'").await;
}

async fn assignment(site: &Site) -> Value {
    let body = json!({
        "version": 2, "builder": "elsewhere", "platforms": ["linux/amd64"], "slots": 9, "wait_secs": 20, "unable": null,
    });
    let request = site.browser().request(Method::POST, "/builder/v1/claim").bearer_auth(TOKEN);
    serde_json::from_str(&site.browser().send(request.json(&body)).await.is(200).text).expect("JSON")
}

/// What the token of an attempt is answered at the registry.
async fn asks(site: &Site, token: &str, method: Method, repository: &str, rest: &str) -> StatusCode {
    let browser: Browser = site.browser();
    let scope = format!("/token?scope=repository:{repository}:pull,push");
    let bearer = browser.send(browser.request(Method::GET, &scope).basic_auth("build", Some(token))).await.is(200);
    let bearer: Value = serde_json::from_str(&bearer.text).expect("JSON");
    let request = browser.request(method.clone(), &format!("/v2/{repository}/{rest}"));
    let request = request.bearer_auth(bearer["token"].as_str().expect("a bearer"));
    let index = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
    let request = if method == Method::PUT {
        request.header("content-type", "application/vnd.oci.image.index.v1+json").body(index)
    } else {
        request
    };
    browser.send(request).await.status
}

#[tokio::test]
async fn the_token_of_a_branchs_attempt_changes_nothing_of_a_releases_cache() {
    let site = Site::new(&[("SLIPWAY_BUILDER_TOKENS", TOKEN)]).await;
    let mona = site.signed_in("mona").await;
    let web = site.connected(&mona, "mona", "web", false).await;
    let id = site.sql("SELECT lower(hex(id)) FROM repository WHERE name = 'web'").await;
    let caches = ["protected", "unprotected"].map(|kind| format!("buildcache/{id}/{kind}"));
    let [protected, unprotected] = &caches;
    let release = assignment(&site).await;
    web.repo.change("feature").file("x", "y").commit("Try something");
    let branch = assignment(&site).await;
    let token = |of: &Value| of["attempt_token"].as_str().expect("a token").to_owned();
    let (release, branch) = ((token(&release), release), (token(&branch), branch));
    assert_eq!(release.1["cache"]["reference"], format!("{protected}:cache"));
    assert_eq!(release.1["cache"]["also_read"], json!([]));
    assert_eq!(branch.1["cache"]["reference"], format!("{unprotected}:cache"));
    assert_eq!(branch.1["cache"]["also_read"], json!([format!("{protected}:cache")]));

    let put = async |token: &str, name: &str, tag: &str| {
        asks(&site, token, Method::PUT, name, &format!("manifests/{tag}")).await.as_u16()
    };
    assert_eq!(put(&release.0, protected, "cache").await, 201);
    assert_eq!(put(&branch.0, unprotected, "cache").await, 201);
    let digest = site.sql("SELECT digest FROM tag WHERE name = 'cache' LIMIT 1").await;
    for reference in ["cache", "other", digest.trim()] {
        let status = put(&branch.0, protected, reference).await;
        assert!(matches!(status, 401 | 403 | 404), "a branch pushed {reference}: {status}");
        let status = put(&release.0, unprotected, reference).await;
        assert!(matches!(status, 401 | 403 | 404), "a release pushed {reference}: {status}");
    }
    let upload = asks(&site, &branch.0, Method::POST, protected, "blobs/uploads/").await.as_u16();
    assert!(matches!(upload, 401 | 403 | 404), "{upload}");
    let delete = asks(&site, &branch.0, Method::DELETE, protected, "manifests/cache").await.as_u16();
    assert!(matches!(delete, 401 | 403 | 404), "{delete}");
    let get = async |token: &str, name: &str| asks(&site, token, Method::GET, name, "manifests/cache").await.as_u16();
    assert_eq!(get(&release.0, protected).await, 200);
    assert_eq!(get(&branch.0, protected).await, 200);
    assert_eq!(get(&branch.0, unprotected).await, 200);
    let reads = get(&release.0, unprotected).await;
    assert!(matches!(reads, 401 | 403 | 404), "a release reads what branches left: {reads}");
    // Nor the one that both shared in the version before.
    for token in [&release.0, &branch.0] {
        let status = put(token, &format!("buildcache/{id}"), "cache").await;
        assert!(matches!(status, 401 | 403 | 404), "{status}");
    }
    let moves = "SELECT count(*) FROM tag_move m JOIN repository r ON r.id = m.repository_id";
    assert_eq!(site.sql(&format!("{moves} WHERE r.name = '{id}/protected'")).await, "1");
}
