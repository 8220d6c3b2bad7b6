//! Real builds: a site with a builder, and repositories where each test has a branch of its own.

use std::{fs, time::Duration};

use slipway_forge::Change;
use slipway_tests::images;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use super::{
    browser::{Browser, Page},
    site::{Connected, Site, until},
};

/// What a Dockerfile here begins with, so that it needs no base image: three lines.
pub(crate) const START: &str =
    "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

/// What a build may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(4);

/// A site with a builder, and people whose repositories are connected.
pub(crate) struct Workshop {
    pub(crate) site: Site,
    mona: Browser,
    pub(crate) bench: Connected,
    eve: Browser,
    pub(crate) eves_bench: Connected,
}

/// A build that is over.
pub(crate) struct Built {
    pub(crate) number: u64,
    pub(crate) state: String,
    pub(crate) page: Page,
    /// The whole log as text.
    pub(crate) raw: String,
}

impl Workshop {
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceCell<Workshop> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::new(&[])).await
    }

    pub(crate) async fn new(settings: &[(&str, &str)]) -> Self {
        let own = [
            ("SLIPWAY_BUILDER_EMBEDDED", "true"),
            ("SLIPWAY_BUILDER_SLOTS", "4"),
            ("SLIPWAY_BUILDS_PER_NAMESPACE", "4"),
        ];
        let site = Site::new(&[&own, settings].concat()).await;
        let (mona, eve) = (site.signed_in("mona").await, site.signed_in("eve").await);
        let bench = site.connected(&mona, "mona", "bench", false).await;
        let eves_bench = site.connected(&eve, "eve", "bench", false).await;
        Self { site, mona, bench, eve, eves_bench }
    }

    pub(crate) fn mona(&self) -> Browser {
        self.mona.again()
    }

    pub(crate) fn eve(&self) -> Browser {
        self.eve.again()
    }

    /// A build of mona's whose Dockerfile begins with [`START`].
    pub(crate) async fn build(&self, branch: &str, dockerfile: &str) -> Built {
        let change = with_busybox(self.bench.repo.change(branch), dockerfile);
        self.push(&self.bench, change).await
    }

    /// The same for eve, in her own namespace.
    pub(crate) async fn build_for_eve(&self, branch: &str, dockerfile: &str) -> Built {
        let change = with_busybox(self.eves_bench.repo.change(branch), dockerfile);
        self.push(&self.eves_bench, change).await
    }

    /// Pushes it and waits until its build is over.
    pub(crate) async fn push(&self, to: &Connected, change: Change) -> Built {
        let commit = change.commit("Try something");
        self.finished(to, &commit).await
    }

    pub(crate) async fn finished(&self, to: &Connected, commit: &str) -> Built {
        let state = self.until(to, commit, |state| !matches!(state, "" | "queued" | "running")).await;
        let number = self.number(to, commit).await;
        let browser = if to.name.starts_with("eve/") { self.eve() } else { self.mona() };
        let path = format!("/{}/-/builds/{number}", to.name);
        let page = browser.get(&path).await.is(200);
        let raw = browser.get(&format!("{path}/raw?plain=1")).await.text;
        Built { number, state, page, raw }
    }

    /// Waits until the commit's newest build is in such a state.
    pub(crate) async fn until(&self, to: &Connected, commit: &str, wanted: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let state = self.column(to, commit, "state").await;
            if wanted(&state) {
                return state;
            }
            assert!(Instant::now() < end, "the build of {commit} is `{state}` still:\n{}", self.site.server.log());
            sleep(Duration::from_millis(200)).await;
        }
    }

    pub(crate) async fn number(&self, to: &Connected, commit: &str) -> u64 {
        until("the push has a build", async || self.column(to, commit, "number").await.parse().ok()).await
    }

    async fn column(&self, to: &Connected, commit: &str, column: &str) -> String {
        let id = to.source_id.replace('-', "");
        let newest = format!("source_id = x'{id}' AND commit_hash = '{commit}' ORDER BY number DESC LIMIT 1");
        self.site.sql(&format!("SELECT {column} FROM build WHERE {newest}")).await
    }
}

impl Built {
    #[track_caller]
    pub(crate) fn is(&self, state: &str) -> &Self {
        assert_eq!(self.state, state, "build {}:\n{}\n{}", self.number, self.raw, self.page.text);
        self
    }
}

/// Busybox and a Dockerfile that begins with it.
pub(crate) fn with_busybox(change: Change, dockerfile: &str) -> Change {
    let busybox = fs::read(images::busybox()).expect("busybox-static is installed");
    change.executable("busybox", busybox).file("Dockerfile", format!("{START}{dockerfile}"))
}

/// Processes whose command line has this text, as pids.
pub(crate) fn processes(part: &str) -> Vec<i32> {
    let has = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(part)
    };
    let own = i32::try_from(std::process::id()).expect("a pid");
    let all = fs::read_dir("/proc").expect("/proc is there").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has).filter(|pid| *pid != own).collect()
}
