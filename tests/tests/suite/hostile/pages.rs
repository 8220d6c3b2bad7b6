//! Forms that other sites send, and the headers of all pages.

use reqwest::Method;

use super::{
    browser::Browser,
    routes::{self, Route},
    site::{Connected, Site},
};

const UNKNOWN: &str = "01890000-0000-7000-8000-000000000000";

/// Forms of all pages, by which a browser could be made to change something.
fn forms() -> Vec<Route> {
    let is_form = |route: &Route| {
        route.method == "POST" && !["/v2", "/token", "/hooks", "/builder"].iter().any(|p| route.path.starts_with(p))
    };
    let forms: Vec<Route> = routes::all().into_iter().filter(is_form).collect();
    assert!(forms.len() >= 13, "{forms:?}");
    forms
}

fn path_of(route: &Route, to: &Connected) -> String {
    let (namespace, repository) = to.name.split_once('/').expect("namespace and name");
    let values =
        [("namespace", namespace), ("repository", repository), ("tag", "main"), ("number", "1"), ("id", UNKNOWN)];
    routes::fill(&route.path, &values)
}

async fn owner(site: &Site, login: &str) -> (Browser, Connected) {
    let browser = site.signed_in(login).await;
    let to = site.connected(&browser, login, "web", false).await;
    (browser, to)
}

/// The rows of everything that forms change, but for what the background does.
async fn state(site: &Site, to: &Connected) -> String {
    let (_, name) = to.name.split_once('/').expect("namespace and name");
    let id = to.source_id.replace('-', "");
    site.sql(&format!(
        "SELECT * FROM repository WHERE name = '{name}'; SELECT * FROM rule WHERE source_id = x'{id}'; \
         SELECT number, cancel_requested_at FROM build WHERE source_id = x'{id}'; SELECT id FROM session; \
         SELECT id, revoked_at FROM token"
    ))
    .await
}

#[tokio::test]
async fn forms_that_another_site_sends_change_nothing() {
    // Of its own, for all sessions are compared.
    let site = Site::new(&[]).await;
    let (browser, to) = owner(&site, "csrf").await;
    let before = state(&site, &to).await;
    let own = site.server.url("");
    let other_port = format!("http://localhost:{}", site.server.port() + 1);
    let attempts: &[&[(&str, &str)]] = &[
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("origin", &other_port)],
        &[("sec-fetch-site", "same-origin"), ("origin", &other_port)],
        &[("origin", "null")],
        &[("origin", "https://evil.example")],
        &[("referer", &own)],
        &[("origin", &own), ("sec-fetch-site", "SAME-ORIGIN")],
    ];
    for route in forms() {
        let path = path_of(&route, &to);
        for headers in attempts {
            for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
                let request = browser.request(Method::POST, &path).header("content-type", kind).body("name=x&ref=main");
                let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
                let answer = browser.send(request).await;
                assert_eq!(answer.status.as_u16(), 403, "{path} {headers:?} {kind}: {}", answer.text);
            }
        }
    }
    assert_eq!(state(&site, &to).await, before);
}

#[tokio::test]
async fn looking_at_a_page_changes_nothing() {
    let site = Site::new(&[]).await;
    let (browser, to) = owner(&site, "getter").await;
    let before = state(&site, &to).await;
    for route in forms() {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let path = format!("{}?name={}&ref=main&visibility=private&_method=POST", path_of(&route, &to), to.name);
            let request = browser.request(method.clone(), &path).header("sec-fetch-site", "same-origin");
            let status = browser.send(request.header("x-http-method-override", "POST")).await.status.as_u16();
            // 409: a page that asks before it revokes says that there is nothing to revoke.
            assert!(matches!(status, 200 | 404 | 405 | 409), "{method} {path}: {status}");
        }
    }
    assert_eq!(state(&site, &to).await, before);
}

#[tokio::test]
async fn saving_what_is_so_already_is_no_event() {
    let site = Site::shared().await;
    let (browser, to) = owner(site, "saver").await;
    let events = async || {
        let of = format!("event WHERE kind = 'repository.visibility_changed' AND subject = '{}'", to.name);
        site.count(&of).await
    };
    for (visibility, expected) in [("public", 0), ("private", 1), ("private", 1), ("public", 2)] {
        let path = format!("/{}/-/settings/visibility", to.name);
        browser.post(&path, &[("visibility", visibility)]).await.is(303);
        assert_eq!(events().await, expected, "{visibility}");
    }
}

#[tokio::test]
async fn cookies_are_out_of_reach_for_scripts_and_other_sites() {
    let site = Site::shared().await;
    site.forge.person("cookies");
    let browser = site.browser();
    let out = browser.get("/login/github?purpose=sign-in").await.is(303);
    let sign_in = out.header("set-cookie").to_owned();
    let back = site.agree(&browser, &out.location(), "cookies").await;
    let end = browser.get(&back).await.is(303);
    let all: Vec<&str> = end.headers.get_all("set-cookie").iter().filter_map(|c| c.to_str().ok()).collect();
    for cookie in all.iter().copied().chain([sign_in.as_str()]) {
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"),
            "{cookie}"
        );
        assert!(!cookie.contains("Domain=") && !cookie.contains("Secure"), "{cookie}");
        assert!(cookie.contains(&format!("-{}=", site.server.port())), "ports share cookies: {cookie}");
    }
    assert_eq!(end.header("cache-control"), "no-store");
}

#[tokio::test]
async fn under_https_cookies_are_bound_to_the_host() {
    let site = Site::new(&[("SLIPWAY_PUBLIC_URL", "https://images.example.com")]).await;
    // What a proxy with TLS in front of it would hand through.
    let browser = Browser::new(&format!("http://127.0.0.1:{}", site.server.port()), site.server.data_dir());
    let out = browser.get("/login/github?purpose=sign-in").await.is(303);
    let cookie = out.header("set-cookie");
    assert!(
        cookie.starts_with("__Host-slipway-") && cookie.contains("Secure") && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(out.header("strict-transport-security").contains("max-age="));
    let location = out.location();
    assert!(location.contains("https%3A%2F%2Fimages.example.com%2Flogin%2Fgithub%2Fcallback"), "{location}");
}

#[tokio::test]
async fn every_page_has_the_security_headers() {
    let site = Site::shared().await;
    let (browser, to) = owner(site, "headers").await;
    let base = format!("/{}", to.name);
    for path in [
        "/".to_owned(),
        "/login".to_owned(),
        "/login/github/callback?state=x".to_owned(),
        "/new/import".to_owned(),
        "/settings/tokens".to_owned(),
        "/nobody-has-this".to_owned(),
        "/a/b/-/c".to_owned(),
        format!("{base}/-/builds/1"),
        format!("{base}/-/builds/999"),
        format!("{base}/-/settings"),
        format!("{base}?page=-1"),
        format!("{base}/-/builds?page=x"),
        "/%ff%fe".to_owned(),
        "/a%00b".to_owned(),
        base.clone(),
    ] {
        let page = browser.get(&path).await;
        assert!(page.status.as_u16() < 500, "{path}: {}", page.status);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(policy.contains("base-uri 'none'") && policy.contains("form-action 'self'"), "{path}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.header(name), value, "{name} of {path}");
        }
        assert!(!page.header("x-request-id").is_empty(), "{path}");
        page.lacks("style=\"").lacks(" onclick=").lacks("<script>");
    }
}

#[tokio::test]
async fn forwarded_names_are_not_believed() {
    let site = Site::shared().await;
    let browser = site.browser();
    for header in ["host", "x-forwarded-host", "forwarded"] {
        let value = if header == "forwarded" { "host=evil.example;proto=https" } else { "evil.example" };
        for path in ["/", "/login", "/v2/", "/nobody/has-this"] {
            let answer = browser.send(browser.request(Method::GET, path).header(header, value)).await;
            answer.lacks("evil.example");
            let all = format!("{:?}", answer.headers);
            assert!(!all.contains("evil.example"), "{header} {path}: {all}");
        }
    }
}

#[tokio::test]
async fn strangers_are_shown_a_public_repository_and_no_private_one() {
    let site = Site::new(&[]).await;
    let owner = site.signed_in("shower").await;
    site.connected(&owner, "shower", "shown", false).await;
    site.connected(&owner, "shower", "hidden", true).await;
    let page = site.browser().get("/").await.is(200);
    page.says("shower/shown").lacks("shower/hidden");
}
