//! Every page with sample data: checked as text here, and looked at in Chromium by the scripts of `tests/browser/samples`.

mod account;
mod build;
mod data;
mod failures;
mod lists;
mod long;
mod repository;
mod search;
mod settings;
mod signing_key;
mod stream;

pub(super) use data::facts;

use super::super::assets;
use slipway_tests::{Run, tool};
use std::collections::BTreeSet;
use std::time::Duration;

/// File name and HTML of every sample.
fn all() -> Vec<(String, String)> {
    let mut pages = account::pages();
    pages.extend(repository::pages());
    pages.extend(settings::pages());
    pages.extend(lists::pages());
    pages.extend(build::pages());
    pages.extend(search::pages());
    pages
}

#[test]
fn every_page_holds_what_the_csp_allows_and_what_exists() {
    let sprite = String::from_utf8(assets::file("octicons.svg").unwrap().to_vec()).unwrap();
    for (name, html) in all() {
        assert!(!html.contains(" style="), "{name} has a style attribute");
        assert!(!html.contains("javascript:"), "{name} has a script address");
        for (at, _) in html.match_indices("<script") {
            assert!(html[at..].starts_with("<script src=\"/assets/"), "{name} has an inline script");
        }
        for icon in after(&html, "octicons.svg#") {
            assert!(
                sprite.contains(&format!("id=\"{icon}\"")),
                "{name} shows {icon}, which is not in the sprite: run script/assets"
            );
        }
        let ids = after(&html, " id=\"");
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "{name} has an id twice");
        for target in after(&html, "popovertarget=\"").iter().chain(&after(&html, " for=\"")) {
            assert!(ids.contains(target), "{name} points at #{target}");
        }
        assert!(!html.contains("{{") && !html.contains("{%"), "{name} shows template code");
    }
}

#[test]
fn hostile_names_stay_text() {
    for (name, html) in all().into_iter().filter(|(name, _)| name.contains("hostile")) {
        assert!(html.contains("&#60;") || html.contains("&lt;"), "{name} shows what was given");
        assert!(!html.contains("<img src=x") && !html.contains("<script>"), "{name} lets a tag through");
    }
}

#[test]
fn the_list_of_keys_has_the_search_where_there_is_one() {
    for (name, html) in all() {
        assert_eq!(html.contains("data-hotkey=\"/\""), html.contains("<kbd>/</kbd>"), "{name}");
        for key in after(&html, "data-hotkey=\"").iter().filter(|key| key.len() == 1) {
            assert!(html.contains(&format!("<kbd>{key}</kbd>")), "{name} does not list {key}");
        }
    }
}

#[test]
fn only_a_lack_of_builders_is_told_as_one() {
    for (name, html) in all().into_iter().filter(|(name, _)| name.starts_with("build-")) {
        assert_eq!(html.contains("No builder:"), name == "build-no-builder", "{name}");
        assert_eq!(html.contains("Third in line"), ["build-queued", "build-limit"].contains(&name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn every_page_is_accessible_and_fits_the_screen() {
    in_the_browser("pages.mjs").await;
}

#[tokio::test]
async fn the_browser_tells_moments_as_the_server_does() {
    in_the_browser("times.mjs").await;
}

#[tokio::test]
async fn an_open_build_page_follows_the_log_through_broken_connections() {
    in_the_browser("live.mjs").await;
}

#[tokio::test]
async fn lines_of_a_log_are_chosen_by_keys_and_hits_are_marked() {
    in_the_browser("lines.mjs").await;
}

/// Runs a script of `tests/browser/samples` on all samples; it says what is wrong, and fails then.
async fn in_the_browser(script: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (name, html) in all() {
        std::fs::write(folder.path().join(format!("{name}.html")), html).unwrap();
    }
    stream::write(folder.path());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/browser/samples/").to_owned() + script;
    let node = Run::new(tool("node")).args([script]).env("SLIPWAY_SAMPLES", folder.path());
    print!("{}", node.env("HOME", folder.path()).limit(Duration::from_mins(5)).output().await.ok().text());
}

/// What stands between each `start` and the next quote.
fn after<'a>(html: &'a str, start: &str) -> Vec<&'a str> {
    html.match_indices(start).filter_map(|(at, _)| html[at + start.len()..].split('"').next()).collect()
}
