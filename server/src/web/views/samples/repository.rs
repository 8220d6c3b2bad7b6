//! Repository and tags.

use super::super::cut::Cut;
use super::super::facts::{Signature, Size, State};
use super::super::layout::Pages;
use super::super::pull::{Kind, PullBox, PushLines};
use super::super::repository::{
    Cause, Durations, Overview, Pushes, RepositoryHead, RepositoryTab, SourceGone, Storage, TurnedPrivate,
};
use super::super::tags::{BaseImage, LayerRow, PlatformRow, TagDelete, TagList, TagMove, TagPage};
use super::data::{
    DIGEST, HOSTILE, ago, build, cause, durations, head, images, mona, page, pull, push_lines, source, verified,
};
use super::lists::{sorts, two_pages};

type Pages_ = Vec<(String, String)>;

pub(super) fn pages() -> Pages_ {
    [overview(), tags()].concat()
}

pub(super) fn turned(url: Option<&str>) -> TurnedPrivate {
    TurnedPrivate { code: "acme/api".to_owned(), at: ago(7_200), settings_url: url.map(str::to_owned) }
}

fn show(head: RepositoryHead, pushes: Option<Pushes>) -> Overview {
    let manager = head.manager;
    Overview {
        layout: head.layout("Overview", if manager { mona() } else { None }, RepositoryTab::Overview),
        gone: None,
        turned_private: None,
        last_build: Some(build(148, State::Succeeded, "Use the distroless base image (#212)")),
        images: images(),
        pull: Some(pull(!head.public)),
        head,
        source: pushes.map(source),
        storage: Storage { own: 612_000_000, shared: 238_000_000 },
        durations: durations(),
        push_lines: push_lines(),
        build_ref: manager.then(|| "main".to_owned()),
    }
}

fn overview() -> Pages_ {
    let webhook = || Some(Pushes::Webhook { last: Some(ago(10_800)) });
    let polling = Pushes::Polling { secs: 30, because: "GitHub sends no webhooks to localhost".to_owned() };
    let bare = |pushes, last_build| Overview {
        last_build,
        images: vec![],
        pull: None,
        durations: Durations::default(),
        storage: Storage::default(),
        ..show(head(true), pushes)
    };
    let mut failed = build(149, State::Failed, "Add /healthz endpoint");
    failed.failure = Some("cargo build exited with code 101".to_owned());
    let gone = SourceGone {
        full_name: "acme/api".to_owned(),
        reason: "GitHub answers that it does not exist, or that mona may not see it any more".to_owned(),
        tried: ago(40),
        repair_url: Some("/acme/api/-/settings/webhook".to_owned()),
        visibility_url: Some("/acme/api/-/settings#visibility".to_owned()),
    };
    let broken = Pushes::Broken { because: "GitHub refused the webhook, and does not answer".to_owned() };
    let hostile = Overview {
        last_build: Some(build(150, State::Failed, HOSTILE)),
        ..show(head(true), Some(Pushes::Polling { secs: 90, because: HOSTILE.to_owned() }))
    };
    let private =
        RepositoryHead { public: false, name: "base/rust/with/many/parts-and-a-long-name".to_owned(), ..head(true) };
    vec![
        page("repository", &show(head(true), webhook())),
        page("repository-stranger", &show(head(false), webhook())),
        page("repository-private", &show(private.clone(), Some(polling))),
        page("repository-failed", &Overview { last_build: Some(failed), ..show(head(true), webhook()) }),
        page("repository-gone", &Overview { gone: Some(gone), ..show(head(true), Some(broken)) }),
        page(
            "repository-turned-private",
            &Overview {
                turned_private: Some(turned(Some("/acme/api/-/settings#visibility"))),
                ..show(private, webhook())
            },
        ),
        page("repository-not-connected", &bare(None, None)),
        page("repository-no-build", &bare(webhook(), None)),
        page("repository-first-build", &bare(webhook(), Some(build(1, State::Running, "Initial commit")))),
        page("repository-hostile", &hostile),
    ]
}

fn tag(signature: Signature, manager: bool) -> TagPage {
    let head = head(manager);
    let platform = |name: &str, provenance| PlatformRow {
        name: name.to_owned(),
        digest: DIGEST.to_owned(),
        size: 24_100_000,
        layers: 5,
        provenance,
    };
    let base = |name: &str, url: Option<&str>| BaseImage {
        name: name.to_owned(),
        platform: "linux/amd64".to_owned(),
        digest: DIGEST.to_owned(),
        url: url.map(str::to_owned),
    };
    let layer = |command: &str, size| LayerRow { command: command.to_owned(), size };
    TagPage {
        layout: head.layout("1.4.2", if manager { mona() } else { None }, RepositoryTab::Tags),
        head,
        tag: "1.4.2".to_owned(),
        aliases: vec!["latest".to_owned(), "1.4".to_owned(), "1".to_owned()].into(),
        digest: DIGEST.to_owned(),
        kind: Kind::Image,
        artifact_type: None,
        size: Size { least: 22_800_000, most: 24_100_000 },
        at: ago(10_800),
        cause: cause(148),
        signature,
        platforms: vec![platform("linux/amd64", true), platform("linux/arm64", true), platform("linux/arm/v7", false)]
            .into(),
        created: Some(ago(10_800)),
        platform: "linux/amd64".to_owned(),
        layers: vec![
            layer("FROM gcr.io/distroless/cc-debian12:nonroot", 10_400_000),
            layer("COPY --from=build /out/api /api", 9_800_000),
            layer("COPY assets/ /srv/assets/", 2_600_000),
            layer("WORKDIR /", 32),
        ]
        .into(),
        base_images: vec![
            base("debian:bookworm-slim", None),
            base("slipway.example.org/acme/base/rust:1.95", Some("/acme/base/rust/-/tags/1.95")),
        ]
        .into(),
        pull: pull(!manager),
        history: vec![
            TagMove { to: Some(DIGEST.to_owned()), at: ago(10_800), cause: cause(148) },
            TagMove {
                to: None,
                at: ago(90_000),
                cause: Cause { text: "deleted by mona".to_owned(), ..Cause::default() },
            },
            TagMove {
                to: Some(DIGEST.to_owned()),
                at: ago(900_000),
                cause: Cause { text: "pushed by hubot".to_owned(), ..Cause::default() },
            },
        ]
        .into(),
    }
}

fn tags() -> Pages_ {
    let list = |rows, query: &str, pages| TagList {
        layout: head(true).layout("Tags", mona(), RepositoryTab::Tags),
        head: head(true),
        rows,
        query: query.to_owned(),
        sorts: sorts(&["Newest first", "By name", "By version"]),
        pages,
    };
    let delete = |aliases: &[&str]| TagDelete {
        layout: head(true).layout("Delete 1.4.2", mona(), RepositoryTab::Tags),
        head: head(true),
        tag: "1.4.2".to_owned(),
        digest: DIGEST.to_owned(),
        aliases: Cut::first(aliases.iter().map(|tag| (*tag).to_owned()).collect(), 1),
    };
    let artifact = TagPage {
        platforms: vec![].into(),
        platform: String::new(),
        kind: Kind::Artifact,
        artifact_type: Some(HOSTILE.to_owned()),
        layers: vec![
            LayerRow { command: HOSTILE.to_owned(), size: u64::MAX },
            LayerRow { command: "x".repeat(500), size: u64::MAX },
        ]
        .into(),
        ..tag(Signature::CouldNotCheck { reason: HOSTILE.to_owned() }, true)
    };
    let chart = TagPage {
        kind: Kind::Chart,
        pull: PullBox {
            kind: Kind::Chart,
            login: Some("helm registry login slipway.example.org -u mona".to_owned()),
            ..pull(false)
        },
        platform: String::new(),
        layers: vec![LayerRow {
            command: "application/vnd.cncf.helm.chart.content.v1.tar+gzip".to_owned(),
            size: 3_911,
        }]
        .into(),
        size: Size { least: 4_100, most: 4_100 },
        base_images: vec![].into(),
        ..tag(Signature::NotSigned, true)
    };
    let whole = tag(verified(), true);
    let cut = TagPage {
        aliases: Cut { more: 2_990, ..whole.aliases.clone() },
        platforms: Cut { more: 9_950, ..whole.platforms.clone() },
        layers: Cut { more: 9_900, ..whole.layers.clone() },
        base_images: Cut { more: 980, ..whole.base_images.clone() },
        history: Cut { more: 12_345, ..whole.history.clone() },
        ..whole
    };
    vec![
        page("tag-cut", &cut),
        page("tags", &list(images(), "", two_pages())),
        page("tags-no-match", &list(vec![], "zzz", Pages::default())),
        page("tags-empty", &list(vec![], "", Pages::default())),
        page("tag", &tag(verified(), true)),
        page("tag-not-signed", &tag(Signature::NotSigned, false)),
        page("tag-signature-removed", &tag(Signature::Lost { checked: ago(60) }, true)),
        page("tag-untrusted", &tag(Signature::Untrusted { checked: ago(60) }, true)),
        page("tag-chart", &chart),
        page("tag-copied", &tag(Signature::Elsewhere { name: "evil/app".to_owned(), checked: ago(60) }, true)),
        page(
            "tag-revoked",
            &tag(Signature::Revoked { key: "a revoked key of acme".to_owned(), checked: ago(9) }, true),
        ),
        page("tag-hostile", &artifact),
        page("tag-delete", &delete(&[])),
        page("tag-delete-aliases", &delete(&["latest", "1.4"])),
    ]
}

#[test]
fn the_parts_of_the_bar_fill_it() {
    let page = tag(verified(), true);
    let parts = page.parts();
    assert_eq!((parts[0].from.as_str(), parts.len()), ("0.00%", page.layers.shown.len()));
    assert_eq!(PushLines::default().lines.len(), 0);
}
