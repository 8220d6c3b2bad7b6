//! Consent, code, token.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::support::{World, answer, world};

const BACK: &str = "http://127.0.0.1:4711/login/callback";

fn authorize_url(world: &World, verifier: Option<&str>) -> Url {
    let mut url = Url::parse(&format!("{}/login/oauth/authorize", world.forge.url())).expect("it is a URL");
    url.query_pairs_mut()
        .append_pair("client_id", world.forge.client_id())
        .append_pair("redirect_uri", BACK)
        .append_pair("scope", "repo read:org")
        .append_pair("state", "xyz");
    if let Some(verifier) = verifier {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        url.query_pairs_mut().append_pair("code_challenge", &challenge).append_pair("code_challenge_method", "S256");
    }
    url
}

/// Presses a button and gives the query of the address that the browser is sent to.
async fn press(world: &World, url: &Url, decision: &str) -> Vec<(String, String)> {
    let request = world.http.post(url.clone()).form(&[("decision", decision)]);
    let response = request.send().await.expect("the forge answers");
    let location = response.headers()["location"].to_str().expect("it is text");
    assert!(location.starts_with(BACK), "{location}");
    Url::parse(location).expect("it is a URL").query_pairs().into_owned().collect()
}

async fn code(world: &World, verifier: Option<&str>) -> String {
    let pairs = press(world, &authorize_url(world, verifier), "authorize").await;
    assert_eq!(pairs[1], ("state".to_owned(), "xyz".to_owned()));
    pairs[0].1.clone()
}

async fn exchange(world: &World, code: &str, more: &[(&str, &str)]) -> Value {
    let mut form = vec![
        ("client_id", world.forge.client_id()),
        ("client_secret", world.forge.client_secret()),
        ("code", code),
        ("redirect_uri", BACK),
    ];
    form.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    form.extend(more);
    let url = format!("{}/login/oauth/access_token", world.forge.url());
    let (status, body) = answer(world.http.post(url).header("accept", "application/json").form(&form)).await;
    assert_eq!(status, 200);
    body
}

#[tokio::test]
async fn the_consent_page_names_app_and_scopes_in_words() {
    let world = world();
    let (status, page) = answer(world.http.get(authorize_url(&world, None))).await;
    let page = page.as_str().unwrap();
    assert_eq!(status, 200);
    for text in ["Authorize Slipway", "mona", "public and private", "memberships in organisations", "Cancel"] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}

#[tokio::test]
async fn a_code_becomes_a_token_once() {
    let world = world();
    let code = code(&world, Some("a-long-verifier")).await;
    let body = exchange(&world, &code, &[("code_verifier", "a-long-verifier")]).await;
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["scope"], "repo,read:org");
    let token = body["access_token"].as_str().unwrap();
    assert!(token.starts_with("gho_"));
    let url = format!("{}/user", world.forge.api_url());
    let response = world.http.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(response.headers()["x-oauth-scopes"], "repo, read:org");
    let text = response.text().await.unwrap();
    assert!(text.contains("\"login\":\"mona\""), "{text}");
    let again = exchange(&world, &code, &[("code_verifier", "a-long-verifier")]).await;
    assert_eq!(again["error"], "bad_verification_code");
}

#[tokio::test]
async fn a_wrong_or_absent_verifier_is_refused() {
    let world = world();
    for more in [vec![("code_verifier", "another")], vec![]] {
        let code = code(&world, Some("a-long-verifier")).await;
        assert_eq!(exchange(&world, &code, &more).await["error"], "bad_verification_code");
    }
}

#[tokio::test]
async fn wrong_secret_and_wrong_address_are_refused() {
    let world = world();
    let first = code(&world, None).await;
    let body = exchange(&world, &first, &[("client_secret", "no")]).await;
    assert_eq!(body["error"], "incorrect_client_credentials");
    let body = exchange(&world, &first, &[("redirect_uri", "http://127.0.0.1:4711/other")]).await;
    assert_eq!(body["error"], "redirect_uri_mismatch");
    let evil = authorize_url(&world, None).to_string().replace("127.0.0.1%3A4711", "evil.example");
    assert_eq!(answer(world.http.get(evil)).await.0, 400);
}

#[tokio::test]
async fn cancel_goes_back_with_access_denied() {
    let world = world();
    let pairs = press(&world, &authorize_url(&world, None), "cancel").await;
    assert_eq!(pairs[0], ("error".to_owned(), "access_denied".to_owned()));
}

#[tokio::test]
async fn the_page_is_shown_until_somebody_said_yes() {
    let world = world();
    let url = authorize_url(&world, None);
    assert_eq!(answer(world.http.get(url.clone())).await.0, 200);
    press(&world, &url, "authorize").await;
    assert_eq!(answer(world.http.get(url.clone())).await.0, 302);
    world.forge.revoke_tokens("mona");
    assert_eq!(answer(world.http.get(url)).await.0, 200);
}

#[tokio::test]
async fn a_revoked_token_has_bad_credentials() {
    let world = world();
    assert_eq!(world.get("/user").await.0, 200);
    assert_eq!(world.forge.revoke_tokens("mona"), 1);
    let (status, body) = world.get("/user").await;
    assert_eq!((status, body["message"].as_str().unwrap()), (401, "Bad credentials"));
}
