//! Settings of a repository.

use super::super::repository::{Pushes, RepositoryHead, RepositoryTab};
use super::super::settings::{Bases, Mapping, RepositoryDelete, RepositoryPublish, RuleForm, Settings};
use super::super::signing_key::{KeyRevoke, KeyRotate};
use super::data::{HOSTILE, head, mona, page, source};
use super::repository::turned;
use super::signing_key::{key, key_row};

type Pages_ = Vec<(String, String)>;

pub(super) fn pages() -> Pages_ {
    let mapping = |rule: &str, from: &str, tags: &[&str], note: &str| Mapping {
        rule: rule.to_owned(),
        example_ref: from.to_owned(),
        example_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        note: note.to_owned(),
    };
    let rule = |wrong: bool| RuleForm {
        dockerfile: if wrong { HOSTILE } else { "Dockerfile" }.to_owned(),
        dockerfile_error: wrong
            .then(|| "There is no such file at main. Found: Dockerfile, docker/ci.Dockerfile.".to_owned()),
        context: String::new(),
        context_error: wrong.then(|| "The folder must lie inside the repository.".to_owned()),
        build_args: "VERSION=1\nFEATURES=full".to_owned(),
        build_args_error: wrong.then(|| "BUILDKIT_SYNTAX belongs to BuildKit.".to_owned()),
        found: vec!["Dockerfile".to_owned(), "docker/ci.Dockerfile".to_owned()],
        mapping: vec![
            mapping("Default branch", "main", &["main", "latest"], ""),
            mapping("Each other branch", "feature/login", &["feature-login"], "a slash is no legal part of a tag"),
            mapping("Version tags", "v1.2.3", &["1.2.3", "1.2", "1"], "1.2 and 1 move forward only"),
            mapping("Pre-releases", "v2.0.0-rc.1", &["2.0.0-rc.1"], ""),
        ],
    };
    let bases = |wrong: bool| Bases {
        listed: vec![("acme/base".to_owned(), false), ("acme/toolchain/rust".to_owned(), true)],
        typed: if wrong { "acme/bsae" } else { "" }.to_owned(),
        error: wrong.then(|| "there is no image `acme/bsae` in `acme`".to_owned()),
    };
    let show = |pushes: Option<Pushes>, wrong| Settings {
        turned_private: Some(turned(None)),
        layout: head(true).layout("Settings", mona(), RepositoryTab::Settings),
        head: head(true),
        rule: pushes.is_some().then(|| rule(wrong)),
        source: pushes.map(source),
        bases: bases(wrong),
        key: key(),
    };
    let rotate = || KeyRotate {
        layout: head(true).layout("Rotate the key", mona(), RepositoryTab::Settings),
        head: head(true),
        key: key_row(false),
    };
    let revoke = |error: Option<&str>| KeyRevoke {
        layout: head(true).layout("Revoke a key", mona(), RepositoryTab::Settings),
        head: head(true),
        key: key_row(false),
        typed: error.map_or("", |_| "acmi").to_owned(),
        error: error.map(str::to_owned),
    };
    let private = RepositoryHead { public: false, ..head(true) };
    let publish = |bases: &[&str]| RepositoryPublish {
        layout: private.layout("Make it public", mona(), RepositoryTab::Settings),
        head: private.clone(),
        code_is_private: !bases.is_empty(),
        bases: bases.iter().map(|base| (*base).to_owned()).collect(),
    };
    let delete = |error: Option<&str>| RepositoryDelete {
        layout: head(true).layout("Delete", mona(), RepositoryTab::Settings),
        head: head(true),
        typed: error.map_or("", |_| "acme/apj").to_owned(),
        error: error.map(str::to_owned),
        size: 612_000_000,
        has_source: true,
    };
    vec![
        page("settings", &show(Some(Pushes::Webhook { last: None }), false)),
        page(
            "settings-wrong-hostile",
            &show(Some(Pushes::Polling { secs: 30, because: "the webhook was removed at GitHub".to_owned() }), true),
        ),
        page("settings-not-connected", &show(None, false)),
        page("settings-private", &Settings { head: private.clone(), ..show(None, false) }),
        page("settings-publish", &publish(&[])),
        page("settings-publish-bases", &publish(&["acme/base", "acme/toolchain/rust"])),
        page("settings-key-rotate", &rotate()),
        page("settings-key-revoke", &revoke(None)),
        page("settings-key-revoke-wrong", &revoke(Some("Type acme to revoke it."))),
        page("settings-delete", &delete(None)),
        page("settings-delete-wrong", &delete(Some("That is not the name of this repository."))),
    ]
}
