//! A repository that mona imported, with its builds as their pages show them.

use std::time::{Duration, Instant};

use slipway_forge::Repo;
use tokio::time::sleep;

use crate::{Page, Stage, visitor};

/// What a build here may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// A form without fields.
const NOTHING: [(&str, &str); 0] = [];

pub struct Project<'a> {
    stage: &'a Stage,
    /// `mona/hello`: of the images, and of the pages.
    pub name: String,
}

/// The page of a build.
#[derive(Clone, Debug)]
pub struct Build {
    pub number: u64,
    /// `queued`, `running`, `succeeded`, `failed`, …
    pub state: String,
    pub page: Page,
}

impl<'a> Project<'a> {
    pub(crate) async fn import(stage: &'a Stage, repo: &Repo) -> Self {
        let name = repo.full_name();
        // The list was fetched at the sign-in, maybe before the repository was there.
        let started = Instant::now();
        stage.mona.post("/new/import/refresh", &NOTHING).await;
        let (id, dockerfile) = loop {
            let page = stage.mona.get(&format!("/new/import?q={name}")).await.ok();
            match form_of(&page, &name) {
                Some(found) => break found,
                None if started.elapsed() < PATIENCE => sleep(Duration::from_millis(100)).await,
                None => panic!("no Dockerfile of {name} on {page}"),
            }
        };
        let form = [("repository", id.as_str()), ("dockerfile", dockerfile.as_str())];
        let answer = stage.mona.post("/new/import", &form).await;
        let build = answer.location();
        let name = build.trim_start_matches('/').strip_suffix("/-/builds/1");
        Self { stage, name: name.unwrap_or_else(|| panic!("{build}: {answer}")).to_owned() }
    }

    pub(crate) fn of(stage: &'a Stage, name: &str) -> Self {
        Self { stage, name: name.to_owned() }
    }

    /// The path of a page behind `/-/`.
    pub fn path(&self, rest: &str) -> String {
        format!("/{}/-/{rest}", self.name)
    }

    /// `localhost:PORT/mona/hello:main`; a digest is written with its `@` as `@sha256:…`.
    pub fn image(&self, reference: &str) -> String {
        let colon = if reference.starts_with('@') { "" } else { ":" };
        format!("{}/{}{colon}{reference}", self.stage.server.host(), self.name)
    }

    pub async fn build(&self, number: u64) -> Build {
        self.find(number).await.unwrap_or_else(|| panic!("{} has no build {number}", self.name))
    }

    pub async fn find(&self, number: u64) -> Option<Build> {
        let page = self.stage.mona.get(&self.path(&format!("builds/{number}"))).await;
        // Who is not signed in is sent to the sign-in where there is nothing to see.
        if [302, 303, 401, 404].contains(&page.status) {
            return None;
        }
        let page = page.ok();
        Some(Build { number, state: page.between("id=\"run-icon\" data-state=\"", "\"").to_owned(), page })
    }

    /// Waits until the build is there and what it should be.
    pub async fn wait_until(&self, number: u64, what: &str, is_so: impl Fn(&Build) -> bool) -> Build {
        let started = Instant::now();
        loop {
            let build = self.find(number).await;
            match build {
                Some(build) if is_so(&build) => return build,
                _ if started.elapsed() < PATIENCE => sleep(Duration::from_millis(100)).await,
                Some(build) => panic!("not {what} after {PATIENCE:?}: {}", build.page),
                None => panic!("no build {number} after {PATIENCE:?}"),
            }
        }
    }

    /// Waits until the build is over, however it ended.
    pub async fn wait_for_build(&self, number: u64) -> Build {
        self.wait_until(number, "over", |build| !build.is_open()).await
    }

    /// Waits for a build and panics unless it went well.
    pub async fn built(&self, number: u64) -> Build {
        let build = self.wait_for_build(number).await;
        assert_eq!(build.state, "succeeded", "{}", build.page);
        build
    }

    /// Waits until a line of the log has this text.
    pub async fn wait_for_line(&self, number: u64, text: &str) -> Build {
        self.wait_until(number, &format!("printing `{text}`"), |build| {
            build.lines().iter().any(|line| line.contains(text))
        })
        .await
    }

    /// Presses a button of the build's page: `cancel` or `rerun`.
    pub async fn press(&self, number: u64, button: &str) -> Page {
        self.stage.mona.post(&self.path(&format!("builds/{number}/{button}")), &NOTHING).await
    }

    /// The digest that a tag has now; `None` without such a tag.
    pub async fn digest(&self, tag: &str) -> Option<String> {
        let page = self.stage.mona.get(&self.path(&format!("tags/{tag}"))).await;
        (page.status == 200).then(|| page.between("id=\"digest\">", "</span>").to_owned())
    }

    /// The log as text.
    pub async fn raw_log(&self, number: u64) -> String {
        self.stage.mona.get(&self.path(&format!("builds/{number}/raw"))).await.ok().body
    }
}

/// The id of a listed repository and its first Dockerfile, once that was found.
fn form_of(page: &Page, name: &str) -> Option<(String, String)> {
    let rows = page.between_each("<div class=\"Box-row\">", "</form>");
    let row = rows.into_iter().find(|row| row.contains(&format!(">{name}</a>")))?;
    let value = |start: &str| row.split_once(start)?.1.split_once('"').map(|(value, _)| value.to_owned());
    Some((value("name=\"repository\" value=\"")?, value("<option value=\"")?))
}

impl Build {
    pub fn is_open(&self) -> bool {
        ["queued", "running"].contains(&self.state.as_str())
    }

    /// The tags that the page names.
    pub fn tags(&self) -> Vec<String> {
        let tags = self.page.between(">Tags</div><span class=\"mono f6\">", "</span>");
        tags.split(", ").map(str::to_owned).collect()
    }

    /// Cached steps, and all.
    pub fn steps(&self) -> (u32, u32) {
        let text = self.page.between(">Steps from cache</div><b class=\"num\">", "</b>");
        let (cached, all) = text.split_once(" of ").expect("`3 of 8`");
        (cached.parse().expect("a number"), all.parse().expect("a number"))
    }

    /// The lines of the log that are on the page, without number and time.
    pub fn lines(&self) -> Vec<String> {
        visitor::log_lines(&self.page.body)
    }
}
