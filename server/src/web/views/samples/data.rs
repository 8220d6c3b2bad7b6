//! The people, commits and images of the samples.

use super::super::builds::{BuildFacts, BuildRow};
use super::super::cut::Cut;
use super::super::facts::{Commit, Signature, Size, State, When};
use super::super::layout::Viewer;
use super::super::pull::{Kind, PullBox, PushLines};
use super::super::repository::{Cause, Durations, ImageRow, Pushes, RepositoryHead, SourceFacts};
use askama::Template;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-20 21:40 UTC);
pub(super) const DIGEST: &str = "sha256:9f2c61d0b7aa5cd2e1f6a9d5f0b4d7c8e3a1f2b6c9d0e7f8a5b4c3d2e1f0a9b8";
pub(super) const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert('x')</script> \u{202e}gnp.exe & a very long title that goes on and on so that it has to be cut somewhere";

pub(super) fn ago(secs: i64) -> When {
    When::new(NOW - Duration::seconds(secs), NOW)
}

#[expect(clippy::unnecessary_wraps, reason = "layouts take an option")]
pub(super) fn mona() -> Option<Viewer> {
    Some(Viewer { name: "mona".to_owned(), namespace: Some("mona".to_owned()), administers: true })
}

pub(super) fn page(name: &str, template: &impl Template) -> (String, String) {
    (name.to_owned(), template.render().unwrap())
}

pub(super) fn head(member: bool) -> RepositoryHead {
    RepositoryHead {
        namespace: "acme".to_owned(),
        name: "api".to_owned(),
        public: true,
        tags: 37,
        builds: 148,
        manager: member,
        admin: member,
    }
}

pub(super) fn commit() -> Commit {
    Commit {
        hash: "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678".to_owned(),
        url: Some("https://github.com/acme/api/commit/a1b2c3d4".to_owned()),
    }
}

pub(in crate::web::views) fn facts(number: u64, state: State, title: &str) -> BuildFacts {
    BuildFacts {
        number,
        state,
        status: state.word().to_owned(),
        title: title.to_owned(),
        commit: commit(),
        ref_name: "main".to_owned(),
        actor: Some("mona".to_owned()),
        trigger: "push".to_owned(),
        at: ago(10_800),
        secs: Some(64),
    }
}

pub(super) fn build(number: u64, state: State, title: &str) -> BuildRow {
    BuildRow { repository: "acme/api".to_owned(), facts: facts(number, state, title), failure: None, place: None }
}

pub(super) fn builds() -> Vec<BuildRow> {
    let mut queued = build(151, State::Queued, "Bump tokio to 1.52");
    queued.facts.secs = None;
    queued.place = Some("next in line".to_owned());
    let mut failed = build(149, State::Failed, "Add /healthz endpoint");
    failed.failure = Some("cargo build exited with code 101".to_owned());
    let mut cancelled = build(147, State::Cancelled, "Try jemalloc");
    cancelled.facts.status = "Cancelled by hubot after 58s".to_owned();
    let mut late = build(146, State::TimedOut, "Sleep for ever");
    late.facts.status = "Timed out after 30m 00s".to_owned();
    vec![
        queued,
        build(150, State::Running, "Write the changelog"),
        failed,
        build(148, State::Succeeded, "Use the distroless base image (#212)"),
        cancelled,
        late,
        build(145, State::PartlyFailed, "Build for arm/v7 too"),
        build(144, State::Skipped, "[skip ci] Fix a typo"),
    ]
}

pub(super) fn verified() -> Signature {
    Signature::Verified { key: "instance 2026-11 (SHA256:3f9a1c07)".to_owned(), checked: ago(300) }
}

pub(super) fn cause(number: u64) -> Cause {
    Cause {
        text: format!("Build #{number}"),
        url: Some(format!("/acme/api/-/builds/{number}")),
        commit: Some(commit()),
    }
}

pub(super) fn images() -> Vec<ImageRow> {
    let untrusted = Signature::Untrusted { checked: ago(60) };
    let elsewhere = Signature::Elsewhere { name: "evil/app".to_owned(), checked: ago(60) };
    let revoked = Signature::Revoked { key: "a revoked key of acme".to_owned(), checked: ago(60) };
    let unknown = Signature::CouldNotCheck { reason: "the signature's layer is missing".to_owned() };
    let row = |tags: &[&str], platforms: &[&str], signature, secs, cause| ImageRow {
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>().into(),
        digest: DIGEST.to_owned(),
        kind: Kind::Image,
        platforms: platforms.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().into(),
        signature,
        size: Size { least: 22_800_000, most: 24_100_000 },
        at: ago(secs),
        cause,
        moved: None,
    };
    let pushed = Cause { text: "pushed by mona".to_owned(), ..Cause::default() };
    let chart = ImageRow { kind: Kind::Chart, ..row(&["0.1.0"], &[], Signature::NotSigned, 9_000_000, pushed.clone()) };
    let many = ImageRow {
        tags: Cut { shown: vec!["nightly-1".to_owned(), "nightly-".repeat(16)], more: 2_988 },
        moved: Some("nightly-".repeat(16)),
        ..row(&[], &["amd64"], Signature::NotSigned, 8_000_000, pushed.clone())
    };
    vec![
        row(&["latest", "1.4.2", "1.4", "1"], &["amd64", "arm64", "arm/v7"], verified(), 10_800, cause(148)),
        row(&["main"], &["amd64", "arm64"], verified(), 1560, cause(147)),
        row(&["by-hand"], &["amd64"], Signature::NotSigned, 864_000, pushed.clone()),
        row(&["vendor"], &["amd64"], untrusted, 5_000_000, pushed.clone()),
        row(&["copied"], &["amd64"], elsewhere, 6_000_000, pushed.clone()),
        row(&["doubtful"], &["amd64"], revoked, 7_000_000, pushed.clone()),
        row(&["odd"], &[], unknown, 50_000_000, pushed),
        chart,
        many,
    ]
}

pub(super) fn pull(private: bool) -> PullBox {
    PullBox {
        kind: Kind::Image,
        note: private.then(|| "There is no image of `main`. `latest` is the tag that moved last.".to_owned()),
        by_tag: "slipway.example.org/acme/api:latest".to_owned(),
        by_digest: format!("slipway.example.org/acme/api@{DIGEST}"),
        plain_http: private,
        verify: Some("cosign verify --key https://slipway.example.org/acme/api/-/cosign.pub --private-infrastructure slipway.example.org/acme/api:latest".to_owned()),
        login: private.then(|| "docker login slipway.example.org -u mona".to_owned()),
    }
}

pub(super) fn push_lines() -> PushLines {
    PushLines::new("slipway.example.org", "mona", "acme/api")
}

pub(super) fn durations() -> Durations {
    let secs = [66, 62, 70, 71, 61, 58, 64, 67, 62, 61, 120, 60, 58, 64, 66, 62, 9, 65, 63, 61];
    Durations { builds: secs.iter().map(|&secs| (secs, secs != 120 && secs != 9)).collect() }
}

pub(super) fn source(pushes: Pushes) -> SourceFacts {
    SourceFacts {
        forge: "GitHub".to_owned(),
        full_name: "acme/api".to_owned(),
        url: Some("https://github.com/acme/api".to_owned()),
        default_branch: "main".to_owned(),
        pushes,
        no_builder: None,
    }
}
