//! A forge that is down, says no, or has taken its permission back: pages say so, nothing is lost, all recovers.

use super::{
    browser::{Browser, Page},
    site::{Connected, Site, until},
};

/// The import page, once it says this.
async fn import_says(browser: &Browser, text: &str) -> Page {
    until(text, async || {
        let page = browser.get("/new/import").await;
        page.text.contains(text).then_some(page)
    })
    .await
}

async fn refresh(browser: &Browser) {
    browser.post("/new/import/refresh", &[]).await.is(303);
}

/// Polling again now, not in a minute.
async fn poll_now(site: &Site, to: &Connected) {
    let id = to.source_id.replace('-', "");
    site.sql(&format!("UPDATE source SET polled_at = 0 WHERE id = x'{id}'")).await;
}

async fn state_of(site: &Site, to: &Connected) -> String {
    site.sql(&format!("SELECT state FROM source WHERE id = x'{}'", to.source_id.replace('-', ""))).await
}

async fn until_state(site: &Site, to: &Connected, state: &str) {
    until(&format!("the source is {state}"), async || {
        poll_now(site, to).await;
        (state_of(site, to).await == state).then_some(())
    })
    .await;
}

/// A source that is polled, for the forge refuses webhooks to localhost.
async fn polled(site: &Site, browser: &Browser, login: &str) -> Connected {
    let to = site.connected(browser, login, "web", false).await;
    let id = to.source_id.replace('-', "");
    // The ping is in: nothing calls the webhook good again behind our back.
    let state = format!("SELECT hook_state FROM source WHERE id = x'{id}'");
    until("the webhook works", async || (site.sql(&state).await == "active").then_some(())).await;
    to.repo.remove_hooks();
    site.sql(&format!("UPDATE source SET hook_state = 'refused', hook_detail = 'no' WHERE id = x'{id}'")).await;
    to
}

async fn build_of(site: &Site, to: &Connected, commit: &str) {
    let id = to.source_id.replace('-', "");
    until("the commit is built", async || {
        poll_now(site, to).await;
        (site.count(&format!("build WHERE source_id = x'{id}' AND commit_hash = '{commit}'")).await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_forge_that_is_down_at_the_sign_in_is_named() {
    let site = Site::new(&[]).await;
    let browser = site.browser();
    for status in [500, 503, 502] {
        let back = site.consent(&browser, "mona", "sign-in").await;
        site.forge.fail_next_at("/login/oauth/access_token", 1, status);
        browser.get(&back).await.is(502).says("gave no useful answer");
        let back = site.consent(&browser, "mona", "sign-in").await;
        site.forge.fail_next_at("/api/v3/user", 1, status);
        browser.get(&back).await.is(502).says("gave no useful answer");
    }
    assert_eq!(site.count("session").await, 0);
    let back = site.consent(&browser, "mona", "sign-in").await;
    browser.get(&back).await.is(303);
}

#[tokio::test]
async fn a_revoked_token_leads_to_connect_again() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let to = polled(&site, &browser, "mona").await;
    site.forge.revoke_tokens("mona");
    refresh(&browser).await;
    import_says(&browser, "Connect again").await.says("purpose=connect");
    // What is connected says so too, and a push meanwhile is not lost.
    let commit = to.repo.change("main").file("x", "1").quietly().commit("While disconnected");
    until_state(&site, &to, "disconnected").await;
    browser.get(&format!("/{}", to.name)).await.is(200).says("Pushes are not noticed").says("connect again");
    let back = site.consent(&browser, "mona", "connect").await;
    browser.get(&back).await.is(303);
    build_of(&site, &to, &commit).await;
    assert_eq!(state_of(&site, &to).await, "active");
    browser.get("/new/import").await.is(200).lacks("Connect again");
}

#[tokio::test]
async fn a_listing_that_fails_is_told_and_the_last_list_stays() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let to = site.connected(&browser, "mona", "web", false).await;
    for status in [403, 404, 429, 500, 503] {
        site.forge.fail_next_at("/user/repos", 50, status);
        refresh(&browser).await;
        let page = import_says(&browser, "did not list your repositories").await;
        page.says("mona/web").says("The list below was made").says("action=\"/new/import/refresh\"");
        site.forge.heal();
        refresh(&browser).await;
        until("the list is good again", async || {
            let page = browser.get("/new/import").await;
            (!page.text.contains("did not list your repositories")).then_some(())
        })
        .await;
    }
    browser.get(&format!("/{}", to.name)).await.is(200);
}

#[tokio::test]
async fn a_first_listing_that_fails_is_told_and_tried_again_by_itself() {
    let site = Site::new(&[]).await;
    site.forge.person("mona");
    site.forge.repository("mona", "web", false).commit("main", &[("Dockerfile", "FROM scratch\n")], "Begin");
    site.forge.fail_next_at("/user/repos", 1, 500);
    let browser = site.signed_in("mona").await;
    let page = import_says(&browser, "There is no earlier list to show").await;
    page.says("action=\"/new/import/refresh\"").lacks("The forge lists none");
    import_says(&browser, "mona/web").await;
}

#[tokio::test]
async fn an_import_that_the_forge_refuses_writes_nothing() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let repo = site.forge.repository("mona", "web", false);
    repo.commit("main", &[("Dockerfile", "FROM scratch\n")], "Begin");
    let id = site.listed(&browser, "mona/web").await;
    let form = [("repository", id.as_str()), ("dockerfile", "Dockerfile")];
    for (status, words) in [
        (401, "connect again"),
        (403, "Forbidden"),
        (404, "does not have it"),
        (429, "asks to wait"),
        (500, "cannot be reached"),
    ] {
        site.forge.fail_next(1, status);
        let page = browser.post("/new/import", &form).await;
        assert_eq!(page.status.as_u16(), 422, "{status}: {}", page.text);
        page.says(words);
        assert_eq!(site.count("source").await + site.count("repository").await, 0, "{status}");
        site.forge.heal();
    }
    site.forge.hang_next(1, std::time::Duration::from_mins(2));
    let began = std::time::Instant::now();
    browser.post("/new/import", &form).await.is(422).says("cannot be reached");
    assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
    site.forge.heal();
    browser.post("/new/import", &form).await.is(303);
}

#[tokio::test]
async fn an_organisation_that_has_not_approved_the_app_is_explained() {
    let site = Site::new(&[]).await;
    site.forge.organization("acme", "mona");
    let repo = site.forge.repository("acme", "web", true);
    repo.commit("main", &[("Dockerfile", "FROM scratch\n")], "Begin");
    let browser = site.signed_in("mona").await;
    let id = site.listed(&browser, "acme/web").await;
    site.forge.restrict_apps("acme", true);
    browser.post("/new/import", &[("repository", &id)]).await.is(422).says("has not approved");
    assert_eq!(site.count("source").await, 0);
    site.forge.restrict_apps("acme", false);
    browser.post("/new/import", &[("repository", &id)]).await.is(303);
}

#[tokio::test]
async fn polling_survives_a_forge_in_trouble_and_finds_what_was_pushed() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let to = polled(&site, &browser, "mona").await;
    let page = format!("/{}", to.name);
    for (number, (status, state)) in [(404, "gone"), (403, "unreachable"), (500, "unreachable")].into_iter().enumerate()
    {
        site.forge.fail_next(500, status);
        until_state(&site, &to, state).await;
        let shown = browser.get(&page).await.is(200);
        shown.says("cannot be reached, tried").says("Pushes are not noticed").lacks("Asked every");
        let commit = to.repo.change("main").file("x", number.to_string()).quietly().commit("Meanwhile");
        site.forge.heal();
        build_of(&site, &to, &commit).await;
        // Written when all refs were compared, a moment after the build.
        until_state(&site, &to, "active").await;
        browser.get(&page).await.is(200).lacks("cannot be reached");
    }
}

#[tokio::test]
async fn a_forge_that_asks_to_wait_is_not_asked_meanwhile() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let to = polled(&site, &browser, "mona").await;
    site.forge.fail_next(500, 429);
    poll_now(&site, &to).await;
    let commit = to.repo.change("main").file("x", "1").quietly().commit("Meanwhile");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(state_of(&site, &to).await, "active", "a limit is no loss of the source");
    site.forge.heal();
    build_of(&site, &to, &commit).await;
}

#[tokio::test]
async fn a_status_that_the_forge_refuses_harms_no_build() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let to = site.connected(&browser, "mona", "web", false).await;
    for (number, status) in [401, 403, 404, 500].into_iter().enumerate() {
        site.forge.fail_next_at("/statuses/", 1, status);
        let commit = to.repo.commit("main", &[("x", &number.to_string())], "Again");
        build_of(&site, &to, &commit).await;
        site.forge.heal();
    }
    browser.get(&format!("/{}/-/builds", to.name)).await.is(200).says("Again");
    // A status that failed for a while comes later.
    site.forge.fail_next_at("/statuses/", 1, 503);
    let commit = to.repo.commit("main", &[("x", "last")], "Last");
    until("the status is shown at last", async || (!to.repo.statuses(&commit).is_empty()).then_some(())).await;
}

#[tokio::test]
async fn a_repository_that_is_gone_is_shown_with_a_way_to_repair() {
    let site = Site::new(&[]).await;
    let browser = site.signed_in("mona").await;
    let to = polled(&site, &browser, "mona").await;
    let Connected { repo, name, source_id, secret } = to;
    let to = Connected { repo: repo.clone(), name, source_id, secret };
    repo.delete();
    until_state(&site, &to, "gone").await;
    let page = browser.get(&format!("/{}", to.name)).await.is(200);
    page.says("Pushes are not noticed").says("/-/settings/webhook");
    browser.post(&format!("/{}/-/settings/webhook", to.name), &[]).await.is(303);
    until_state(&site, &to, "gone").await;
    browser.get(&format!("/{}/-/builds/1", to.name)).await.is(200);
}
