//! The pages of a repository beside its builds: how it stands, what it offers, and what they say when something is absent.

use reqwest::Method;
use serde_json::json;

use crate::suite::hostile::browser::Browser;
use crate::suite::hostile::site::{Connected, ID, Site, uuid};

/// Who owns a connected repository, with a token that may push. No builder takes its builds.
struct Owner {
    site: Site,
    browser: Browser,
    to: Connected,
    token: String,
}

impl Owner {
    async fn new(private: bool) -> Self {
        let site = Site::new(&[]).await;
        let browser = site.signed_in("mona").await;
        let to = site.connected(&browser, "mona", "web", private).await;
        let token = site.server.token("mona", "read,write").await;
        Self { site, browser, to, token }
    }

    fn path(&self, rest: &str) -> String {
        format!("/{}{rest}", self.to.name)
    }

    async fn page(&self, rest: &str) -> crate::suite::hostile::browser::Page {
        self.browser.get(&self.path(rest)).await
    }

    /// Pushes an index without images to a tag; each text makes another one.
    async fn push(&self, tag: &str, text: &str) {
        let path = format!("/token?service=x&scope=repository:{}:pull,push", self.to.name);
        let asked = self.browser.request(Method::GET, &path).basic_auth("mona", Some(&self.token));
        let answer: serde_json::Value =
            serde_json::from_str(&self.browser.send(asked).await.is(200).text).expect("JSON");
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({
            "schemaVersion": 2, "mediaType": media_type, "manifests": [], "annotations": { "text": text },
        });
        let put = self.browser.request(Method::PUT, &format!("/v2/{}/manifests/{tag}", self.to.name));
        let put = put.bearer_auth(answer["token"].as_str().expect("a token")).header("content-type", media_type);
        self.browser.send(put.body(index.to_string())).await.is(201);
    }

    /// The first build of the repository again, with another number, ref and state.
    async fn build(&self, number: u32, ref_name: &str, state: &str) {
        let copy = format!(
            "CREATE TEMP TABLE copy AS SELECT * FROM build WHERE number = 1; \
             UPDATE copy SET id = randomblob(16), number = {number}, ref_name = '{ref_name}', state = '{state}', \
             started_at = created_at, finished_at = created_at + 5000; INSERT INTO build SELECT * FROM copy"
        );
        self.site.sql(&copy).await;
    }

    /// How the first build ended.
    async fn ended(&self, state: &str) {
        let set = format!("UPDATE build SET state = '{state}', finished_at = created_at WHERE number = 1");
        self.site.sql(&set).await;
    }
}

fn pulled(page: &str) -> &str {
    let command = page.split("<clipboard-copy value=\"docker pull ").nth(1).expect("a pull command");
    command.split('"').next().unwrap_or_default()
}

#[tokio::test]
async fn a_failed_branch_does_not_make_the_repository_look_broken() {
    let owner = Owner::new(false).await;
    owner.ended("succeeded").await;
    owner.build(2, "refs/heads/feature/login", "failed").await;
    owner.build(3, "refs/heads/main", "skipped").await;
    let page = owner.page("").await.is(200);
    let header = page.text.split("id=\"latest-build\"").nth(1).expect("a build in the header");
    let header = header.split("</div>").next().unwrap_or_default();
    assert!(header.contains("data-state=\"succeeded\"") && header.contains("<bdi>main</bdi>"), "{header}");
    page.lacks("aria-label=\"Failed\"").lacks("feature/login");
    for path in ["/mona", "/"] {
        let page = owner.browser.get(path).await.is(200);
        let card = page.text.split("<h3").nth(1).expect("a card");
        let card = card.split("</relative-time>").next().unwrap_or_default();
        assert!(card.contains("Succeeded") && card.contains("<bdi>main</bdi>"), "{path}: {card}");
        assert!(!card.contains("Failed"), "{path}: {card}");
    }
    // Where the default branch has no build, the ref is named all the same.
    owner.site.sql("DELETE FROM build WHERE ref_name = 'refs/heads/main'").await;
    owner.page("").await.is(200).says("data-state=\"failed\"").says("<bdi>feature/login</bdi>");
}

#[tokio::test]
async fn pages_follow_whichever_build_is_open() {
    let owner = Owner::new(false).await;
    owner.ended("succeeded").await;
    let follows = |page: &str| page.contains("data-follows=");
    for path in ["", "/-/tags"] {
        assert!(!follows(&owner.page(path).await.is(200).text), "{path}: nothing is open");
    }
    owner.build(2, "refs/heads/feature/login", "queued").await;
    owner.build(3, "refs/heads/main", "succeeded").await;
    for path in ["", "/-/tags"] {
        assert!(follows(&owner.page(path).await.is(200).text), "{path}: one that is not the newest is open");
    }
    owner.build(4, "refs/heads/main", "running").await;
    let page = owner.page("").await.is(200);
    let header = page.text.split("id=\"latest-build\"").nth(1).expect("a build in the header");
    assert!(header.split("</div>").next().unwrap_or_default().contains("<span data-runs>"), "{header}");
}

#[tokio::test]
async fn pull_and_cards_offer_latest_else_the_default_branch() {
    let owner = Owner::new(false).await;
    let offered = async || {
        let page = owner.page("").await.is(200);
        let card = owner.browser.get("/mona").await.is(200);
        let (_, tag) = pulled(&page.text).rsplit_once(':').expect("a tag");
        card.says(&format!("#tag-16\"/></svg> {tag}</span>"));
        let first = page.text.split("<a class=\"text-bold mono mr-2\"").nth(1).expect("a row of the table");
        assert!(first.contains(&format!("/-/tags/{tag}\">")), "the first row is of another image than `{tag}`");
        tag.to_owned()
    };
    owner.push("feature-login", "feature").await;
    assert_eq!(offered().await, "feature-login", "there is nothing else");
    let stands_in = "There is no image of <code>main</code>. <code>feature-login</code> is the tag that moved last.";
    owner.page("").await.says(stands_in);
    owner.push("main", "main").await;
    owner.push("feature-login", "feature again").await;
    assert_eq!(offered().await, "main");
    owner.page("").await.lacks("There is no image of");
    owner.push("latest", "latest").await;
    for n in 0..40 {
        owner.push(&format!("by-hand-{n}"), &n.to_string()).await;
    }
    assert_eq!(offered().await, "latest");
    let tags = owner.page("/-/tags").await.is(200);
    tags.says("/-/tags/latest\">latest</a>").says("Page 1 of 2").lacks("/-/tags/main\"");
    owner.page("/-/tags?page=2").await.is(200).says("/-/tags/main\"").lacks("/-/tags/latest\"");
}

#[tokio::test]
async fn a_row_of_several_tags_names_the_one_that_moved_last() {
    let owner = Owner::new(false).await;
    owner.push("latest", "same").await;
    owner.push("by-hand", "same").await;
    let origin = "<span class=\"mono\">by-hand</span>: <span class=\"nowrap\">Pushed by mona";
    for rest in ["", "/-/tags"] {
        owner.page(rest).await.is(200).says("/-/tags/latest\">latest</a>").says(origin);
    }
    // Of one that moved with the title, or is it, nothing is to be told.
    owner.push("latest", "other").await;
    owner.page("/-/tags?q=latest").await.is(200).says("Pushed by mona").lacks("</span>: <span");
}

#[tokio::test]
async fn what_is_absent_in_a_repository_keeps_its_tabs() {
    let owner = Owner::new(false).await;
    owner.push("main", "x").await;
    owner.browser.post(&owner.path("/-/tags/main/delete"), &[]).await.is(303);
    let tabs = "aria-label=\"Repository\"";
    for (rest, status, selected) in [
        ("/-/tags/never", 404, "/-/tags"),
        ("/-/tags/main", 410, "/-/tags"),
        ("/-/tags/bad:name", 404, "/-/tags"),
        ("/-/builds/999", 404, "/-/builds"),
        ("/-/builds/999/raw", 404, "/-/builds"),
        ("/-/builds/99999999999999999999", 404, "/-/builds"),
        ("/-/settings/nothing", 404, "/-/settings"),
        ("/-/nothing/at/all", 404, ""),
        ("/-/", 404, ""),
    ] {
        let page = owner.page(rest).await.is(status);
        page.says(tabs).says(&format!(">{status}</p>"));
        page.says(&format!("UnderlineNav-item selected\" href=\"{}\"", owner.path(selected)));
    }
    owner.page("/-/tags/main").await.is(410).says("<code>main</code> was deleted by mona");
    // A stranger reads the public one alike, without the tab of settings; a page for admins is none to them.
    let stranger = owner.site.browser();
    for rest in ["/-/tags/never", "/-/nothing", "/-/settings"] {
        let page = stranger.get(&owner.path(rest)).await;
        assert!([401, 404].contains(&page.status.as_u16()), "{rest}: {}", page.status);
        page.says(tabs).lacks("/-/settings\"");
    }
    owner.browser.post(&owner.path("/-/settings/visibility"), &[("visibility", "private")]).await.is(303);
    let look = async |path: String| {
        let page = stranger.get(&path).await.is(404);
        page.lacks(tabs).lacks("mona/web</");
        let id = page.header("x-request-id").to_owned();
        page.text.replace(&id, "ID")
    };
    for rest in ["/-/tags/never", "/-/nothing", "/-/builds/1"] {
        let (there, absent) = (look(owner.path(rest)).await, look(format!("/mona/web2{rest}")).await);
        assert_eq!(there.replace("web2", "web"), absent.replace("web2", "web"), "{rest}");
    }
}

#[tokio::test]
async fn builds_are_searched_by_state_and_branch() {
    let owner = Owner::new(false).await;
    owner.ended("succeeded").await;
    for (number, ref_name, state) in [
        (2, "refs/heads/feature/login", "failed"),
        (3, "refs/heads/main", "failed"),
        (4, "refs/heads/feature/login", "succeeded"),
    ] {
        owner.build(number, ref_name, state).await;
    }
    let listed = async |query: &str| {
        let page = owner.page(&format!("/-/builds{query}")).await.is(200);
        let ids = page.text.split("id=\"build-").skip(1).filter_map(|rest| rest.split('"').next());
        ids.filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
    };
    assert_eq!(listed("").await, [4, 3, 2, 1]);
    assert_eq!(listed("?state=failed").await, [3, 2]);
    assert_eq!(listed("?branch=feature%2Flogin").await, [4, 2]);
    assert_eq!(listed("?state=failed&branch=main").await, [3]);
    assert_eq!(listed("?q=%233&state=failed").await, [3]);
    assert_eq!(listed("?state=nonsense").await, [4, 3, 2, 1]);
    let told = "<code>nonsense</code> is not a state of builds, so it was ignored.";
    owner.page("/-/builds?state=nonsense").await.says(told);
    let wrong = owner.page("/-/builds?page=two").await.is(400);
    wrong.says(">All builds of mona/web</").says("aria-label=\"Repository\"");
    let page = owner.page("/-/builds?state=failed&branch=main").await.is(200);
    page.says("<option value=\"failed\" selected>").says("name=\"branch\" value=\"main\"");
    page.lacks("id=\"live\"");
    // From each row to the builds of its branch, on a phone too.
    page.says("only-sm mr-1\" href=\"/mona/web/-/builds?branch=main\"");
    owner.page("/-/builds?state=cancelled").await.is(200).says("No build matches").says("Clear the search");
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_asked_once() {
    let owner = Owner::new(true).await;
    let settings = owner.path("/-/settings");
    let publish = format!("{settings}/visibility");
    owner.browser.get(&settings).await.is(200).says(&format!("href=\"{publish}\"")).lacks("value=\"public\"");
    let asked = owner.browser.get(&publish).await.is(200);
    asked
        .says("Make mona/web public?")
        .says("The code behind it is private")
        .says("name=\"visibility\" value=\"public\"");
    assert_eq!(owner.site.count("repository WHERE visibility = 'public'").await, 0, "the question did it");
    owner.browser.post(&publish, &[("visibility", "public")]).await.is(303);
    assert_eq!(owner.site.count("repository WHERE visibility = 'public'").await, 1);
    owner.browser.get(&publish).await.is(409).says("is public already");
    owner.browser.get(&settings).await.is(200).says("name=\"visibility\" value=\"private\"").lacks("value=\"public\"");

    let id = uuid(&owner.site.sql(&format!("SELECT {ID} FROM token")).await);
    let revoke = format!("/settings/tokens/{id}/revoke");
    let list = owner.browser.get("/settings/tokens").await.is(200);
    list.says(&format!("href=\"{revoke}\"")).lacks(&format!("action=\"{revoke}\""));
    owner.browser.get(&revoke).await.is(200).says("Revoke this token");
    assert_eq!(owner.site.count("token WHERE revoked_at IS NULL").await, 1, "the question did it");
    owner.browser.post(&revoke, &[]).await.is(303);
    assert_eq!(owner.site.count("token WHERE revoked_at IS NULL").await, 0);
    owner.browser.get(&revoke).await.is(404);
}
