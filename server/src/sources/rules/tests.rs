//! The rules as tables.

use super::*;
use uuid::Uuid;

fn git_ref(name: &str) -> RefName {
    name.parse().unwrap()
}

fn tags(name: &str) -> String {
    let mapped = tags_of(&git_ref(name), "main");
    let tags: Vec<String> = mapped
        .tags
        .iter()
        .map(|t| format!("{}{}", t.name, if t.moves == Moves::ByRefNumber { "" } else { "^" }))
        .collect();
    format!("{}{}", tags.join(" "), if mapped.mapped { " (mapped)" } else { "" })
}

#[test]
fn a_ref_moves_these_tags() {
    for (name, expected) in [
        ("refs/heads/main", "main latest"),
        ("refs/heads/develop", "develop"),
        ("refs/heads/latest", "latest"),
        ("refs/heads/feature/login", "feature-login (mapped)"),
        ("refs/heads/v1.2.3", "v1.2.3"),
        ("refs/heads/a,b=c", "a-b-c (mapped)"),
        ("refs/tags/v1.2.3", "1.2.3 1.2^ 1^"),
        ("refs/tags/1.2.3", "1.2.3 1.2^ 1^"),
        ("refs/tags/v0.3.1", "0.3.1 0.3^ 0^"),
        ("refs/tags/v1.2.3-rc.1", "1.2.3-rc.1"),
        ("refs/tags/v1.2", "v1.2"),
        ("refs/tags/nightly", "nightly"),
        ("refs/tags/v1.2.3+5", "1.2.3-5 1.2^ 1^"),
        ("refs/tags/v2.3.8+fork.1", "2.3.8-fork.1 2.3^ 2^"),
        ("refs/tags/v2.3.8-rc.1+fork.1", "2.3.8-rc.1-fork.1"),
        ("refs/tags/v2.3+fork.1", "v2.3-fork.1 (mapped)"),
        ("refs/heads/v2.3.8+fork.1", "v2.3.8-fork.1 (mapped)"),
        ("refs/tags/api/v1.2.3", "api-v1.2.3 (mapped)"),
        ("refs/tags/main", "main"),
        ("refs/heads/sha256-abc.sig", "sha256-abc.sig"),
    ] {
        assert_eq!(tags(name), expected, "{name}");
    }
    let long = format!("refs/tags/v1.2.3-{}", "a".repeat(200));
    assert_eq!(tags_of(&git_ref(&long), "main").tags[0].name.as_str().len(), 128);
}

#[test]
fn a_default_branch_named_latest_moves_it_once() {
    assert_eq!(tags_of(&git_ref("refs/heads/latest"), "latest").tags.len(), 1);
}

#[test]
fn short_version_tags_move_forward_in_version_order_only() {
    let version = |v: &str| Moves::ByVersion(Version::parse(v).unwrap());
    for (moves, number, holder, holder_number, expected) in [
        (Moves::ByRefNumber, 5, "refs/heads/main", 4, true),
        (Moves::ByRefNumber, 5, "refs/heads/main", 5, true),
        (Moves::ByRefNumber, 5, "refs/heads/main", 6, false),
        // A backport that is pushed later does not take `1` from a higher version.
        (version("1.1.9"), 9, "refs/tags/v1.2.0", 3, false),
        (version("1.2.0"), 3, "refs/tags/v1.1.9", 9, true),
        (version("1.10.0"), 3, "refs/tags/v1.9.0", 9, true),
        // Build metadata orders nothing: by number.
        (version("1.2.0+fork.2"), 4, "refs/tags/v1.2.0+fork.1", 3, true),
        (version("1.2.0+fork.2"), 2, "refs/tags/v1.2.0+fork.1", 3, false),
        (version("1.2.0+fork.1"), 4, "refs/tags/v1.2.0", 3, true),
        (version("1.2.0+fork.1"), 9, "refs/tags/v1.2.1", 3, false),
        // The same tag again: by number.
        (version("1.2.0"), 3, "refs/tags/v1.2.0", 3, true),
        (version("1.2.0"), 2, "refs/tags/v1.2.0", 3, false),
        // Held by something that is no version, and moved later.
        (version("1.2.0"), 4, "refs/heads/1", 3, true),
        (version("1.2.0"), 4, "refs/heads/1", 9, true),
        (version("1.2.0"), 4, "refs/tags/1", 9, true),
    ] {
        assert_eq!(goes_forward(&moves, number, holder, holder_number), expected, "{moves:?} {holder}");
    }
}

#[test]
fn two_refs_with_one_tag_collide() {
    for (name, other, expected) in [
        ("refs/heads/feature/a", "refs/heads/feature-a", Some("feature-a")),
        ("refs/tags/latest", "refs/heads/latest", Some("latest")),
        ("refs/tags/v1.2.3", "refs/tags/1.2.3", Some("1.2.3")),
        ("refs/tags/v1.2.3+a", "refs/tags/v1.2.3-a", Some("1.2.3-a")),
        ("refs/tags/v1.2.3+a", "refs/tags/v1.2.3+b", None),
        // Versions win, so they do not collide.
        ("refs/heads/1.2", "refs/tags/v1.2.3", None),
        ("refs/tags/1", "refs/tags/v1.2.3", None),
        ("refs/tags/v1.2.4", "refs/tags/v1.2.3", None),
        // So does the default branch.
        ("refs/heads/latest", "refs/heads/main", None),
        ("refs/tags/main", "refs/heads/main", None),
        ("refs/heads/a", "refs/heads/b", None),
        ("refs/heads/main", "refs/heads/main", None),
    ] {
        let (name, other) = (git_ref(name), git_ref(other));
        let found = collision(&name, [&other], "main").map(|(tag, _)| tag.to_string());
        assert_eq!(found.as_deref(), expected, "{name} {other}");
        let back = collision(&other, [&name], "main").map(|(tag, _)| tag.to_string());
        assert_eq!(back.as_deref(), expected, "{other} {name}");
    }
}

#[test]
fn long_refs_that_end_differently_have_tags_of_their_own() {
    let long = "refs/heads/feature/".to_owned() + &"a".repeat(140);
    for (one, other) in [("1", "2"), ("", "-")] {
        let (one, other) = (git_ref(&format!("{long}{one}")), git_ref(&format!("{long}{other}")));
        assert_eq!(collision(&one, [&other], "main"), None);
        assert!(tags_of(&one, "main").mapped, "the page shows the tag");
    }
    let version = format!("refs/tags/v1.2.3+{}", "a".repeat(140));
    assert_eq!(collision(&git_ref(&format!("{version}1")), [&git_ref(&format!("{version}2"))], "main"), None);
}

#[test]
fn versions_win_over_branches_and_leave_them_their_other_tags() {
    for (name, others, expected) in [
        ("refs/heads/2", vec!["refs/tags/v2.0.0"], Some("2")),
        ("refs/heads/2.0", vec!["refs/tags/v1.0.0", "refs/tags/v2.0.0"], Some("2.0")),
        ("refs/heads/2.0.0", vec!["refs/tags/v2.0.0"], Some("2.0.0")),
        ("refs/heads/2.0.0-rc.1", vec!["refs/tags/v2.0.0-rc.1"], Some("2.0.0-rc.1")),
        ("refs/tags/2", vec!["refs/tags/v2.0.0"], Some("2")),
        // A pre-release has no short tags.
        ("refs/heads/2", vec!["refs/tags/v2.0.0-rc.1"], None),
        ("refs/heads/2", vec!["refs/tags/v1.9.9", "refs/heads/2", "refs/heads/main"], None),
        ("refs/tags/v2.0.0", vec!["refs/heads/2", "refs/tags/2.0.0"], None),
        // `latest` is left to it.
        ("refs/heads/main", vec!["refs/tags/v2.0.0"], None),
    ] {
        let (name, others) = (git_ref(name), others.into_iter().map(git_ref).collect::<Vec<_>>());
        let found = overruled(&name, &others, "main").map(|(tag, _)| tag.to_string());
        assert_eq!(found.as_deref(), expected, "{name} {others:?}");
    }
    let others = [git_ref("refs/tags/v2.0.0")];
    assert!(overruled(&git_ref("refs/heads/2"), &others, "2").is_none(), "the default branch moves `latest`");
}

#[test]
fn the_default_branch_wins_over_all_but_versions() {
    for (name, other, default, expected) in [
        ("refs/heads/latest", "refs/heads/develop", "develop", Some("latest")),
        ("refs/tags/latest", "refs/heads/develop", "develop", Some("latest")),
        ("refs/heads/release-1.0", "refs/heads/release/1.0", "release/1.0", Some("release-1.0")),
        ("refs/tags/release-1.0", "refs/heads/release/1.0", "release/1.0", Some("release-1.0")),
        ("refs/heads/develop", "refs/heads/latest", "develop", None),
        ("refs/heads/release/1.0", "refs/heads/release-1.0", "release/1.0", None),
        // It has `latest`, whatever version it is called like.
        ("refs/heads/1.0", "refs/tags/v1.0.0", "1.0", None),
        ("refs/tags/v1.0.0", "refs/heads/1.0", "1.0", None),
    ] {
        let (name, other) = (git_ref(name), git_ref(other));
        let found = overruled(&name, [&other], default).map(|(tag, _)| tag.to_string());
        assert_eq!(found.as_deref(), expected, "{name} {other}");
        assert_eq!(collision(&name, [&other], default), None, "{name} {other}");
    }
}

#[test]
fn no_ref_moves_a_tag_where_signatures_are_looked_for() {
    let hex = "ab".repeat(32);
    for name in [
        format!("refs/heads/sha256-{hex}"),
        format!("refs/heads/sha256-{hex}.sig"),
        format!("refs/tags/sha256-{hex}.att"),
        format!("refs/heads/sha256/{hex}.sbom"),
    ] {
        for default in ["main", name.rsplit_once("heads/").map_or("main", |(_, branch)| branch)] {
            let mapped = tags_of(&git_ref(&name), default);
            assert!(mapped.mapped, "{name}: the page shows that the tag is another one");
            assert!(mapped.tags.iter().all(|tag| !tag.name.is_accessory()), "{name}: {mapped:?}");
        }
    }
}

#[test]
fn a_rule_builds_the_refs_that_it_names() {
    let rule = |pattern: Option<&str>, is_enabled: bool| rows::Rule {
        id: Uuid::nil(),
        source_id: Uuid::nil(),
        repository_id: Uuid::nil(),
        dockerfile: "Dockerfile".into(),
        context: String::new(),
        stage: None,
        platforms: "[]".into(),
        build_args: "{}".into(),
        ref_pattern: pattern.map(str::to_owned),
        is_enabled,
        created_at: 0,
        updated_at: 0,
    };
    for (pattern, name, expected) in [
        (None, "refs/heads/x", true),
        (Some(""), "refs/heads/x", true),
        (Some("main"), "refs/heads/main", true),
        (Some("main"), "refs/heads/main2", false),
        (Some("release/*"), "refs/heads/release/1", true),
        (Some("*"), "refs/tags/v1", true),
        (Some("refs/tags/*"), "refs/heads/main", false),
        (Some("refs/tags/v*.0"), "refs/tags/v1.2.0", true),
        (Some("a*a"), "refs/heads/a", false),
        (Some("a*b*c"), "refs/heads/a-b-c", true),
        (Some("a*b*c"), "refs/heads/a-c-b", false),
    ] {
        assert_eq!(builds(&rule(pattern, true), &git_ref(name)), expected, "{pattern:?} {name}");
        assert!(!builds(&rule(pattern, false), &git_ref(name)));
    }
}

#[test]
fn a_commit_message_can_ask_for_no_build() {
    for (message, expected) in [
        ("Fix typo [skip ci]", true),
        ("Fix typo\n\n[CI SKIP]", true),
        ("docs [no ci]", true),
        ("docs [skip actions]", true),
        ("[Actions Skip] docs", true),
        ("docs\n\n\nskip-checks: true", true),
        ("docs\n\n\nSigned-off-by: x\nSkip-Checks:true\n", true),
        ("skip-checks: true", false),
        ("docs\n\nskip-checks: false", false),
        ("skip ci", false),
        ("", false),
    ] {
        assert_eq!(asks_to_skip(message).is_some(), expected, "{message}");
    }
}
