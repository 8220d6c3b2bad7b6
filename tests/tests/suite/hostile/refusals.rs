//! Where the pages of errors lead.

use reqwest::Method;

use super::site::Site;

/// Where the sign-in leads that is offered to whoever sends a form without a session.
async fn after_signing_in(site: &Site, form: &str, referer: &str) -> String {
    let stranger = site.browser();
    let request = stranger.request(Method::POST, form).header("sec-fetch-site", "same-origin");
    let page = stranger.send(request.header("referer", referer).body("")).await;
    let link = page.text.split_once("href=\"/login?").and_then(|(_, rest)| rest.split_once('"'));
    let (question, _) = link.unwrap_or_else(|| panic!("no sign-in on {}", page.text));
    let mut pairs = url::form_urlencoded::parse(question.as_bytes());
    pairs.find(|(name, _)| name == "next").expect("where to go then").1.into_owned()
}

#[tokio::test]
async fn a_form_sent_after_the_session_ended_leads_back_to_its_page() {
    let site = Site::shared().await;
    let owner = site.signed_in("refused").await;
    let to = site.connected(&owner, "refused", "web", false).await;
    let form = format!("/{}/-/builds/1/cancel", to.name);
    let build = format!("/{}/-/builds/1", to.name);
    let next = after_signing_in(site, &form, &site.server.url(&build)).await;
    assert_eq!(next, build);
    owner.get(&next).await.is(200);
}

#[tokio::test]
async fn a_page_of_another_site_is_no_way_back() {
    let site = Site::shared().await;
    let owner = site.signed_in("elsewhere").await;
    let to = site.connected(&owner, "elsewhere", "web", false).await;
    let form = format!("/{}/-/builds/1/cancel", to.name);
    let foreign = ["https://evil.example/x", "nonsense", "http://localhost:1/x", "https://localhost@evil.example/"];
    for referer in foreign {
        assert_eq!(after_signing_in(site, &form, referer).await, "/", "{referer}");
    }
}
