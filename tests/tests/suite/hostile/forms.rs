//! Forms that are sent again, hold several mistakes, or name what is not there; and a site that has no builder.

use super::site::Site;

#[tokio::test]
async fn a_token_page_that_is_loaded_again_makes_no_second_token() {
    let site = Site::shared().await;
    let mona = site.signed_in("forms-token").await;
    let page = mona.get("/settings/tokens/new").await.is(200);
    let form = page.text.split("name=\"form\" value=\"").nth(1).expect("the form has a number");
    let form = form.split('"').next().unwrap_or_default().to_owned();
    let fields = |name: &'static str| [("form", form.as_str()), ("name", name), ("expires", "90"), ("scope", "read")];
    let first = mona.post("/settings/tokens", &fields("laptop")).await.is(200);
    first.says("it is not shown again").says("slp_");
    let count = async || {
        let list = mona.get("/settings/tokens").await.is(200);
        list.text.matches("/revoke\"").count()
    };
    assert_eq!(count().await, 1);
    for _ in 0..2 {
        let again = mona.post("/settings/tokens", &fields("laptop")).await.is(200);
        again.says("no second one was made").says("/revoke\"").lacks("docker login");
        assert_eq!(count().await, 1);
    }
    // Who goes back and asks for another one gets it.
    mona.post("/settings/tokens", &fields("desktop")).await.is(200).says("it is not shown again");
    assert_eq!(count().await, 2);
    // The number of somebody else's form is no key to theirs.
    let eve = site.signed_in("forms-eve").await;
    let other = eve.post("/settings/tokens", &fields("laptop")).await.is(200);
    other.says("it is not shown again").lacks("no second one");
}

#[tokio::test]
async fn each_wrong_build_argument_is_told_and_nothing_is_saved() {
    let site = Site::shared().await;
    let browser = site.signed_in("forms-args").await;
    let to = site.connected(&browser, "forms-args", "web", false).await;
    let settings = format!("/{}/-/settings", to.name);
    let args = "GOOD=1\nno value\n1A=x\nBUILDKIT_X=1\nGOOD=2";
    let fields = [("dockerfile", "Dockerfile"), ("context", ""), ("build_args", args)];
    let page = browser.post(&format!("{settings}/rule"), &fields).await.is(422);
    for part in [
        "Line 2: <code>no value</code>",
        "Line 3: <code>1A</code>",
        "Line 4: <code>BUILDKIT_X</code>",
        "Line 5: <code>GOOD</code> is already set on line 1",
        "Nothing was saved",
        "GOOD=1\nno value",
    ] {
        page.says(part);
    }
    browser.get(&settings).await.is(200).lacks("GOOD=1");
}

#[tokio::test]
async fn a_dockerfile_that_is_not_there_is_saved_with_a_word() {
    let site = Site::shared().await;
    let browser = site.signed_in("forms-file").await;
    let to = site.connected(&browser, "forms-file", "web", false).await;
    to.repo.change("main").file("odd/name", "FROM scratch\n").quietly().commit("A Dockerfile of another name");
    let settings = format!("/{}/-/settings", to.name);
    let saved = async |dockerfile: &'static str| {
        let fields = [("dockerfile", dockerfile), ("context", ""), ("build_args", "")];
        let done = browser.post(&format!("{settings}/rule"), &fields).await.is(303);
        assert_eq!(done.location(), settings);
        browser.get(&settings).await.is(200)
    };
    saved("Dockerfile").await.says("Saved. The next build uses it.");
    saved("odd/name").await.says("Saved. The next build uses it.");
    let missing = saved("docker/Dockerfile").await;
    missing
        .says("Saved, but main has no docker/Dockerfile")
        .says("Found there: Dockerfile.")
        .lacks("The next build uses it");
    missing.says("flash-warn").says("value=\"docker/Dockerfile\"");
    to.repo.change("main").file("web/x", "x").quietly().commit("A folder");
    for (context, told) in [
        ("web", "Saved. The next build uses it."),
        ("nofolder", "Saved, but main has no folder nofolder: builds fail until that is pushed."),
        ("we", "Saved, but main has no folder we: builds"),
    ] {
        let fields = [("dockerfile", "Dockerfile"), ("context", context), ("build_args", "")];
        browser.post(&format!("{settings}/rule"), &fields).await.is(303);
        browser.get(&settings).await.is(200).says(told);
    }
    // A forge that says nothing keeps nobody from saving.
    site.forge.fail_next_at(&format!("/repositories/{}/git/trees", to.repo.id()), 1, 500);
    saved("other/Dockerfile").await.says("Saved. The next build uses it.");
}

#[tokio::test]
async fn check_and_repair_leads_back_to_where_it_was_pressed() {
    let site = Site::shared().await;
    let browser = site.signed_in("forms-repair").await;
    let to = site.connected(&browser, "forms-repair", "web", false).await;
    let settings = format!("/{}/-/settings", to.name);
    let done = browser.post(&format!("{settings}/webhook"), &[]).await.is(303);
    assert_eq!(done.location(), settings);
    browser.get(&settings).await.is(200).says("are being tried again");
    let done = browser.post(&format!("{settings}/webhook?from=overview"), &[]).await.is(303);
    assert_eq!(done.location(), format!("/{}", to.name));
}

#[tokio::test]
async fn a_site_without_a_builder_starts_and_says_that_builds_need_one() {
    let site = Site::new(&[("SLIPWAY_BUILDER_TOKENS", "")]).await;
    let mona = site.signed_in("mona").await;
    let to = site.connected(&mona, "mona", "web", false).await;
    let words = "this server has none; its operator sets";
    let build = mona.get(&format!("/{}/-/builds/1", to.name)).await.is(200);
    build.says("data-state=\"queued\"").says("No builder:").says(words).says("<code>builder.embedded</code>");
    for page in ["/new/import", "/", "/mona/web", "/mona/web/-/builds", "/mona/web/-/settings"] {
        mona.get(page).await.is(200).says("id=\"no-builder\"").says(words).lacks("next in line");
    }
    for list in ["/", "/mona/web/-/builds"] {
        mona.get(list).await.says("Queued, waits for a builder");
    }
    site.browser().get("/").await.is(200).says("This server has no builder");
    // One that waits for a builder elsewhere is another matter.
    Site::shared().await.signed_in("forms-builder").await.get("/new/import").await.is(200).lacks("No builder:");
}
