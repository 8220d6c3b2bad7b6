//! Names and messages that would be markup, escapes or directions: on every page they are text.

use slipway_tests::Postgres;

use super::{
    hook::{Delivery, push_payload},
    site::{Connected, Site, until},
};

const SCRIPT: &str = "<script>alert(1)</script>";
const IMAGE: &str = "\"'><img src=x onerror=alert(1)>";

/// Markup that came through as markup, on any of these pages.
async fn assert_text(site: &Site, login: &str, to: &Connected) {
    let browser = site.signed_in(login).await;
    let base = format!("/{}", to.name);
    let (namespace, _) = to.name.split_once('/').expect("namespace and name");
    let numbers =
        site.sql(&format!("SELECT count(*) FROM build WHERE source_id = x'{}'", to.source_id.replace('-', ""))).await;
    let last: u64 = numbers.parse().expect("a number");
    let mut paths = vec!["/".to_owned(), "/new/import".to_owned(), format!("/{namespace}"), base.clone()];
    paths.extend(["tags", "builds", "settings", "settings/delete"].map(|part| format!("{base}/-/{part}")));
    paths.extend((1..=last).map(|number| format!("{base}/-/builds/{number}")));
    for path in paths {
        let page = browser.get(&path).await.is(200);
        page.lacks(SCRIPT).lacks("<img src=x").lacks("onerror=alert(1)>").lacks("href=\"javascript");
        for direction in ['\u{202e}', '\u{2066}', '\u{202d}'] {
            for (at, _) in page.text.match_indices(direction) {
                let before = &page.text[..at];
                let isolated = before.rfind("<bdi>").is_some_and(|open| !before[open..].contains("</bdi>"));
                assert!(
                    isolated,
                    "{path}: a direction mark outside of <bdi>: {}",
                    page.text.get(at.saturating_sub(80)..at).unwrap_or_default()
                );
            }
        }
    }
}

async fn owner(site: &Site, login: &str) -> Connected {
    let browser = site.signed_in(login).await;
    site.connected(&browser, login, "web", false).await
}

async fn built(site: &Site, to: &Connected, number: u64) {
    let id = to.source_id.replace('-', "");
    until("the build is made", async || {
        let found = site.count(&format!("build WHERE source_id = x'{id}' AND number = {number}")).await;
        (found > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn branches_and_commits_are_text() {
    let site = Site::shared().await;
    let to = owner(site, "text-refs").await;
    let texts = [SCRIPT, IMAGE, "\u{202e}dellac", "a\u{2066}b", "{{7*7}}", "javascript:alert(1)", "&lt;b&gt;"];
    for (number, text) in texts.into_iter().enumerate() {
        let branch = text.replace([' ', ':', '*'], "-");
        let change = to.repo.change(&branch).file("Dockerfile", "FROM scratch\n").author(text, "x@example.com");
        change.commit(&format!("{text}\n\n{IMAGE}"));
        built(site, &to, number as u64 + 2).await;
    }
    assert_text(site, "text-refs", &to).await;
    let page = site.signed_in("text-refs").await.get(&format!("/{}/-/builds/2", to.name)).await;
    page.says("&#60;script&#62;alert(1)&#60;/script&#62;");
}

#[tokio::test]
async fn titles_and_authors_of_payloads_are_text_and_short() {
    let site = Site::shared().await;
    let to = owner(site, "text-payload").await;
    let commit = to.repo.change("x").file("Dockerfile", "FROM scratch\n").quietly().commit("x");
    let mut body = push_payload(to.repo.id(), "refs/heads/x", &commit);
    body["head_commit"]["message"] = format!("{SCRIPT}{}", "m".repeat(100_000)).into();
    body["head_commit"]["author"]["name"] = format!("{IMAGE}{}", "a".repeat(100_000)).into();
    Delivery::of(&to, body.to_string()).send(site).await.is(202);
    built(site, &to, 2).await;
    assert_text(site, "text-payload", &to).await;
    let page = site.browser().get(&format!("/{}/-/builds/2", to.name)).await.is(200);
    assert!(page.text.len() < 40_000, "{} bytes", page.text.len());
    let control = "a\u{0}b\u{1b}[31mc\u{7}\r\nd";
    let commit = to.repo.change("y").file("Dockerfile", "FROM scratch\n").quietly().commit("y");
    let mut body = push_payload(to.repo.id(), "refs/heads/y", &commit);
    body["head_commit"]["message"] = control.into();
    body["head_commit"]["author"]["name"] = control.into();
    Delivery::of(&to, body.to_string()).send(site).await.is(202);
    built(site, &to, 3).await;
    let page = site.browser().get(&format!("/{}/-/builds/3", to.name)).await.is(200);
    page.lacks("\u{0}").lacks("\u{1b}").lacks("\u{7}");
}

#[tokio::test]
async fn names_of_repositories_at_the_forge_are_text_and_get_legal_names_here() {
    let site = Site::shared().await;
    let browser = site.signed_in("text-names").await;
    let to = site.connected(&browser, "text-names", "Weird.Name_--x", false).await;
    assert!(to.name.starts_with("text-names/"), "{}", to.name);
    // What the forge lists is not ours to trust.
    let id = to.source_id.replace('-', "");
    site.sql(&format!(
        "UPDATE source SET full_name = '{}' WHERE id = x'{id}'",
        format!("{SCRIPT}{IMAGE}").replace('\'', "''")
    ))
    .await;
    site.sql(&format!(
        "UPDATE forge_repository SET full_name = '{}', dockerfiles = '[\"{SCRIPT}\"]' WHERE remote_id = '{}'",
        IMAGE.replace('\'', "''"),
        to.repo.id()
    ))
    .await;
    for path in [
        "/new/import".to_owned(),
        format!("/{}", to.name),
        format!("/{}/-/builds/1", to.name),
        format!("/{}/-/settings", to.name),
    ] {
        let page = browser.get(&path).await.is(200);
        page.lacks(SCRIPT).lacks("<img src=x").lacks("href=\"javascript");
    }
}

#[tokio::test]
async fn what_is_typed_comes_back_as_text() {
    let site = Site::shared().await;
    let browser = site.signed_in("text-typed").await;
    let to = site.connected(&browser, "text-typed", "web", false).await;
    let base = format!("/{}", to.name);
    let query: String = url::form_urlencoded::byte_serialize(IMAGE.as_bytes()).collect();
    for path in [
        format!("/new/import?q={query}"),
        format!("{base}/-/tags?q={query}"),
        format!("{base}/-/builds?q={query}&branch={query}&state={query}"),
        format!("{base}/-/{query}"),
        format!("{base}/-/tags/{query}"),
        format!("/{query}"),
        format!("/login?next={query}"),
        format!("/login?invite={query}"),
    ] {
        browser.get(&path).await.lacks("<img src=x");
    }
    for text in [IMAGE, SCRIPT, "\u{202e}x\u{0}"] {
        for (path, form) in [
            (format!("{base}/-/settings/rule"), vec![("dockerfile", text), ("context", text), ("build_args", text)]),
            (format!("{base}/-/settings/delete"), vec![("name", text)]),
            (format!("{base}/-/builds"), vec![("ref", text)]),
            ("/settings/tokens".to_owned(), vec![("name", text), ("expires", text), ("scope", text)]),
            ("/new/import".to_owned(), vec![("repository", text)]),
        ] {
            let page = browser.post(&path, &form).await;
            assert!((400..500).contains(&page.status.as_u16()), "{path}: {}", page.status);
            page.lacks("<img src=x").lacks(SCRIPT);
        }
    }
    let made = browser.post("/settings/tokens", &[("name", IMAGE), ("expires", "90"), ("scope", "read")]).await;
    made.lacks("<img src=x");
    browser.get("/settings/tokens").await.is(200).lacks("<img src=x");
}

#[tokio::test]
async fn a_source_that_answers_with_nonsense_breaks_no_page() {
    let site = Site::shared().await;
    let to = owner(site, "text-detail").await;
    let id = to.source_id.replace('-', "");
    let detail = format!("{SCRIPT}{IMAGE}\u{202e}").replace('\'', "''");
    site.sql(&format!("UPDATE source SET hook_state = 'refused', hook_detail = '{detail}' WHERE id = x'{id}'")).await;
    site.sql(&format!("UPDATE build SET state = 'failed', detail = '{detail}' WHERE source_id = x'{id}'")).await;
    assert_text(site, "text-detail", &to).await;
}

#[tokio::test]
async fn bytes_that_postgresql_does_not_take_are_no_fault_of_ours() {
    let database = Postgres::database().await;
    let site = Site::new(&[("SLIPWAY_DATABASE_URL", &database)]).await;
    let browser = site.signed_in("mona").await;
    let token = site.server.admin(&["token", "add", "--user", "mona"]).await;
    site.server.admin(&["namespace", "add", "box", "--owner", "mona"]).await;
    let ask = browser.request(reqwest::Method::GET, "/token?scope=repository:box/web:pull,push");
    let answer = browser.send(ask.basic_auth("mona", Some(token))).await.is(200);
    let answer: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    let bearer = answer["token"].as_str().expect("a token");
    let media = "application/vnd.oci.image.index.v1+json";
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{media}","manifests":[]}}"#);
    let push = browser.request(reqwest::Method::PUT, "/v2/box/web/manifests/main").bearer_auth(bearer);
    browser.send(push.header("content-type", media).body(index)).await.is(201);
    let mut broken = Vec::new();
    for odd in ["%00", "a%00b", "%ff", "%25", "_", "'", "%5c", "%f0%9f%92%a9", "%ed%a0%80"] {
        for path in [
            format!("/new/import?q={odd}"),
            format!("/box/web/-/tags?q={odd}"),
            format!("/box/web/-/builds?q={odd}&branch={odd}&state={odd}"),
            format!("/box/web/-/tags/{odd}"),
            format!("/box/{odd}"),
            format!("/{odd}"),
            format!("/login?invite={odd}"),
            format!("/login/github?purpose=sign-in&next={odd}&invite={odd}"),
            format!("/login/github/callback?state={odd}&code={odd}"),
            format!("/v2/box/web/tags/list?last={odd}"),
            format!("/v2/_catalog?last={odd}"),
            format!("/token?scope=repository:box/{odd}:pull"),
        ] {
            let request = browser.request(reqwest::Method::GET, &path);
            let request = if path.starts_with("/v2") { request.bearer_auth(bearer) } else { request };
            let page = browser.send(request).await;
            broken.extend(page.status.is_server_error().then_some(path));
        }
        for (path, field) in
            [("/box/web/-/builds", "ref"), ("/box/web/-/settings/rule", "dockerfile"), ("/settings/tokens", "name")]
        {
            let form = format!("{field}={odd}&scope=read&expires=90");
            let request = browser.request(reqwest::Method::POST, path).header("sec-fetch-site", "same-origin");
            let page =
                browser.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await;
            broken.extend(page.status.is_server_error().then(|| format!("{path} {field}={odd}")));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}\n{}", site.server.log());
}
