//! Sign-in under attack: callbacks that are not ours to take, and addresses that lead elsewhere.

use url::Url;

use super::{browser::Browser, site::Site};

const CALLBACK: &str = "/login/github/callback";

/// The forge's answer to a consent, not delivered yet.
async fn pending(site: &Site, browser: &Browser, login: &str) -> String {
    site.consent(browser, login, "sign-in").await
}

fn is_anonymous(browser: &Browser) -> bool {
    browser.cookie("slipway-session").is_none()
}

fn with(url: &str, key: &str, value: Option<&str>) -> String {
    let mut url = Url::parse(url).expect("an address");
    let pairs: Vec<(String, String)> =
        url.query_pairs().filter(|(k, _)| k != key).map(|(k, v)| (k.into(), v.into())).collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    if let Some(value) = value {
        url.query_pairs_mut().append_pair(key, value);
    }
    url.into()
}

#[tokio::test]
async fn a_callback_without_a_state_signs_nobody_in() {
    let site = Site::shared().await;
    let browser = site.browser();
    let back = pending(site, &browser, "oauth-stateless").await;
    for wrong in [with(&back, "state", None), with(&back, "state", Some("")), with(&back, "state", Some("guess"))] {
        browser.get(&wrong).await.is(400).says("Sign in again");
        assert!(is_anonymous(&browser), "{wrong}");
    }
    for path in [CALLBACK.to_owned(), format!("{CALLBACK}?code=x"), format!("{CALLBACK}?state=x&state=y")] {
        let answer = site.browser().get(&path).await;
        assert_eq!(answer.status.as_u16(), 400, "{path}");
    }
}

#[tokio::test]
async fn a_callback_of_another_browser_signs_nobody_in() {
    let site = Site::shared().await;
    let (attacker, victim) = (site.browser(), site.browser());
    let back = pending(site, &attacker, "oauth-attacker").await;
    // The victim has a sign-in of its own under way.
    pending(site, &victim, "oauth-victim").await;
    victim.get(&back).await.is(400).says("begun elsewhere");
    assert!(is_anonymous(&victim));
    let bare = site.browser();
    bare.get(&back).await.is(400).says("begun elsewhere");
    assert!(is_anonymous(&bare));
}

#[tokio::test]
async fn a_callback_is_good_once() {
    let site = Site::shared().await;
    let browser = site.browser();
    let back = pending(site, &browser, "oauth-twice").await;
    let sign_in = browser.cookie("slipway-sign-in").expect("the round trip is bound to the browser");
    browser.get(&back).await.is(303);
    assert!(browser.cookie("slipway-sign-in").is_none());
    // Somebody kept a copy of everything.
    let copy = site.browser();
    let port = site.server.port();
    let request =
        copy.request(reqwest::Method::GET, &back).header("cookie", format!("slipway-sign-in-{port}={sign_in}"));
    copy.send(request).await.is(400).says("used before");
    assert!(is_anonymous(&copy));
}

#[tokio::test]
async fn a_callback_that_comes_late_signs_nobody_in() {
    let site = Site::shared().await;
    let browser = site.browser();
    let back = pending(site, &browser, "oauth-late").await;
    let cookie = browser.cookie("slipway-sign-in").expect("the round trip is bound to the browser");
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&cookie));
    let row = format!("SELECT count(*) FROM sign_in WHERE browser_hash = '{hash}'");
    assert_eq!(site.sql(&row).await, "1", "the hash of the cookie is stored, not the cookie");
    let lifetime = format!("SELECT expires_at - created_at FROM sign_in WHERE browser_hash = '{hash}'");
    assert_eq!(site.sql(&lifetime).await, "600000");
    site.sql(&format!("UPDATE sign_in SET expires_at = created_at WHERE browser_hash = '{hash}'")).await;
    browser.get(&back).await.is(400).says("This one was late");
    assert!(is_anonymous(&browser));
}

#[tokio::test]
async fn who_says_no_at_the_forge_is_told_that_nothing_was_stored() {
    let site = Site::shared().await;
    site.forge.person("oauth-no");
    let browser = site.browser();
    let out = browser.get("/login/github?purpose=get-started").await.is(303).location();
    let back = browser.post(&out, &[("decision", "cancel"), ("person", "oauth-no")]).await.is(302).location();
    assert!(back.contains("error=access_denied"), "{back}");
    browser.get(&back).await.is(403).says("Nothing was stored").says("Try again");
    assert!(is_anonymous(&browser));
    assert_eq!(site.count("identity WHERE login = 'oauth-no'").await, 0);
    // Without a state it is nobody's answer.
    browser.get(&format!("{CALLBACK}?error=access_denied")).await.is(400);
}

#[tokio::test]
async fn what_the_forge_says_is_shown_as_text() {
    let site = Site::shared().await;
    let browser = site.browser();
    let back = pending(site, &browser, "oauth-text").await;
    let back = with(&with(&back, "code", None), "error", Some("<b>bad</b>"));
    let back = with(&back, "error_description", Some("<script>alert(1)</script>"));
    browser.get(&back).await.is(400).lacks("<script>alert").lacks("<b>bad");
}

#[tokio::test]
async fn a_wrong_code_signs_nobody_in() {
    let site = Site::shared().await;
    for code in [Some("0000"), Some(""), Some("<script>"), None] {
        let browser = site.browser();
        let back = pending(site, &browser, "oauth-code").await;
        let answer = browser.get(&with(&back, "code", code)).await.is(400);
        answer.lacks("<script>");
        assert!(is_anonymous(&browser), "{code:?}");
    }
}

#[tokio::test]
async fn a_code_of_another_round_trip_fails_the_challenge() {
    let site = Site::shared().await;
    let (one, two) = (site.browser(), site.browser());
    let (first, second) = (pending(site, &one, "oauth-mix").await, pending(site, &two, "oauth-mix").await);
    let code = Url::parse(&first)
        .expect("an address")
        .query_pairs()
        .find(|(k, _)| k == "code")
        .expect("a code")
        .1
        .into_owned();
    two.get(&with(&second, "code", Some(&code))).await.is(400);
    assert!(is_anonymous(&two));
}

#[tokio::test]
async fn the_way_out_names_the_one_callback_and_a_challenge() {
    let site = Site::shared().await;
    let browser = site.browser();
    let request = browser
        .request(
            reqwest::Method::GET,
            "/login/github?purpose=sign-in&redirect_uri=https://evil.example&endpoint=https://evil.example",
        )
        .header("x-forwarded-host", "evil.example");
    let out = Url::parse(&browser.send(request).await.is(303).location()).expect("an address");
    let get = |key: &str| out.query_pairs().find(|(k, _)| k == key).map(|(_, v)| v.into_owned()).unwrap_or_default();
    assert_eq!(out.origin().ascii_serialization(), site.forge.url());
    assert_eq!(get("redirect_uri"), site.server.url(CALLBACK));
    assert_eq!(get("code_challenge_method"), "S256");
    assert!(get("code_challenge").len() >= 43 && get("state").len() >= 22);
    assert!(!get("scope").contains("repo"), "sign-in asks for identity only: {}", get("scope"));
    browser.get("/login/github?purpose=everything").await.is(400);
}

#[tokio::test]
async fn a_sign_in_leads_to_this_site_only() {
    let site = Site::shared().await;
    site.forge.person("oauth-next");
    for next in [
        "//evil.example",
        "/\\evil.example",
        "https:evil.example",
        "https://evil.example",
        "/%09/evil.example",
        "\\\\evil.example",
        "/%2f/evil.example",
        "javascript:alert(1)",
    ] {
        let browser = site.browser();
        let query: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = browser.get(&format!("/login?next={query}")).await.is(200);
        page.lacks("evil").lacks("javascript:");
        let out = browser.get(&format!("/login/github?purpose=sign-in&next={query}")).await.is(303).location();
        let back = site.agree(&browser, &out, "oauth-next").await;
        assert_eq!(browser.get(&back).await.is(303).location(), "/", "{next}");
        // Who is signed in already is sent on at once.
        assert_eq!(browser.get(&format!("/login?next={query}")).await.is(303).location(), "/", "{next}");
    }
}

#[tokio::test]
async fn a_sign_in_gives_a_new_session_and_ends_the_old_one() {
    let site = Site::shared().await;
    let browser = site.signed_in("oauth-rotate").await;
    let old = browser.cookie("slipway-session").expect("it is signed in");
    let back = pending(site, &browser, "oauth-rotate").await;
    browser.get(&back).await.is(303);
    let new = browser.cookie("slipway-session").expect("it is signed in again");
    assert_ne!(old, new);
    browser.get("/settings/tokens").await.is(200);
    browser.set_cookie("slipway-session", &old);
    assert_ne!(browser.get("/settings/tokens").await.status.as_u16(), 200);
    browser.set_cookie("slipway-session", &new);
    browser.post("/logout", &[]).await.is(303);
    assert!(is_anonymous(&browser));
    let port = site.server.port();
    let thief = site.browser();
    let request = thief
        .request(reqwest::Method::GET, "/settings/tokens")
        .header("cookie", format!("slipway-session-{port}={new}"));
    assert_ne!(thief.send(request).await.status.as_u16(), 200, "a session ends with the sign-out");
}

#[tokio::test]
async fn a_session_that_an_attacker_planted_is_not_taken_over() {
    let site = Site::shared().await;
    let victim = site.signed_in("oauth-fixed").await;
    victim.set_cookie("slipway-session", "planted");
    let back = pending(site, &victim, "oauth-fixed").await;
    victim.get(&back).await.is(303);
    assert_ne!(victim.cookie("slipway-session").as_deref(), Some("planted"));
}

#[tokio::test]
async fn connecting_never_joins_the_account_of_another_person() {
    let site = Site::shared().await;
    let browser = site.signed_in("oauth-join-a").await;
    let back = site.consent(&browser, "oauth-join-b", "connect").await;
    browser.get(&back).await.is(403).says("Accounts are never joined");
    assert_eq!(site.count("identity WHERE login = 'oauth-join-b'").await, 0);
    browser.get("/settings/tokens").await.is(200).says("oauth-join-a");
}

#[tokio::test]
async fn tokens_of_the_forge_are_stored_sealed() {
    let site = Site::shared().await;
    let _ = site.signed_in("oauth-sealed").await;
    let ask = "SELECT hex(token_encrypted) FROM connection WHERE identity_id = (SELECT id FROM identity WHERE login = 'oauth-sealed')";
    let sealed = hex::decode(site.sql(ask).await).expect("hexadecimal");
    let token = site.forge.token_for("oauth-sealed", &[]);
    let start: String = token.chars().take(4).collect();
    assert!(sealed.len() > 20 && !String::from_utf8_lossy(&sealed).contains(&start));
}
