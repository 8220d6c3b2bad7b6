//! Lists: of a namespace's repositories, and of builds.

use super::super::builds::BuildList;
use super::super::cut::Cut;
use super::super::facts::{Size, State};
use super::super::layout::{Layout, Pages, SortOption};
use super::super::namespace::{Account, CardImage, Namespace, RepositoryCard};
use super::super::repository::{Durations, RepositoryTab};
use super::data::{HOSTILE, ago, build, builds, durations, head, mona, page, push_lines};

type Pages_ = Vec<(String, String)>;

pub(super) fn pages() -> Pages_ {
    [namespace(), build_lists()].concat()
}

pub(super) fn cards() -> Vec<RepositoryCard> {
    let card = |name: &str, state: Option<State>, tag: Option<&str>| RepositoryCard {
        name: name.to_owned(),
        url: format!("/{name}"),
        public: tag != Some("main"),
        build: state.map(|state| (state, "main".to_owned())),
        image: tag.map(|tag| CardImage {
            tag: tag.to_owned(),
            holds: "3 platforms".to_owned(),
            size: Size { least: 598_000_000, most: 612_000_000 },
        }),
        updated: ago(10_800),
        durations: if tag.is_some() { durations() } else { Durations::default() },
    };
    vec![
        card("acme/api", Some(State::Succeeded), Some("1.4.2")),
        card("acme/web", Some(State::Running), Some("main")),
        card("acme/base/rust", Some(State::Failed), Some("1.95")),
        card("acme/new", None, None),
    ]
}

pub(super) fn two_pages() -> Pages {
    Pages {
        url: "?page=2".to_owned(),
        number: 2,
        last: 3,
        previous_url: Some("?page=1".to_owned()),
        next_url: Some("?page=3".to_owned()),
    }
}

pub(super) fn sorts(labels: &[&'static str]) -> Vec<SortOption> {
    labels.iter().map(|label| SortOption { word: label, label, chosen: *label == labels[0] }).collect()
}

fn namespace() -> Pages_ {
    let show = |cards: Vec<RepositoryCard>, manager: bool, query: &str| Namespace {
        layout: Layout::new("acme", manager.then(mona).flatten()).crumb("acme", "/acme"),
        name: "acme".to_owned(),
        account: Some(Account {
            forge: "GitHub".to_owned(),
            name: "acme".to_owned(),
            url: "https://github.com/acme".to_owned(),
        }),
        repositories: cards.len() as u64,
        pages: if cards.is_empty() { Pages::default() } else { two_pages() },
        held: if manager { 3 } else { 0 },
        cards,
        query: query.to_owned(),
        sorts: sorts(&["By name", "Changed last"]),
        building: Cut { shown: vec![build(88, State::Running, "x"), build(89, State::Queued, "y")], more: 2_990 },
        manager,
        push_lines: push_lines(),
        storage: 7_400_000_000,
    };
    vec![
        page("namespace", &show(cards(), true, "")),
        page("namespace-empty", &show(vec![], true, "")),
        page("namespace-stranger", &show(vec![], false, "")),
        page("namespace-no-match", &show(vec![], false, "zzz")),
    ]
}

fn states(chosen: usize) -> Vec<SortOption> {
    let states = [("", "Any state"), ("succeeded", "Succeeded"), ("failed", "Failed")].into_iter().enumerate();
    states.map(|(at, (word, label))| SortOption { word, label, chosen: at == chosen }).collect()
}

fn build_lists() -> Pages_ {
    let list = |rows, connected: bool, error: Option<&str>| BuildList {
        query: String::new(),
        branch: String::new(),
        states: states(0),
        total: 12,
        layout: Layout { live: true, ..head(true).layout("Builds", mona(), RepositoryTab::Builds) },
        head: head(true),
        rows,
        pages: Pages::default(),
        source: connected.then(|| "acme/api".to_owned()),
        build_ref: connected.then(|| error.map_or("main", |_| HOSTILE).to_owned()),
        build_error: error.map(str::to_owned),
        no_builder: error.map(|_| "this server has none".to_owned()),
        events_url: None,
    };
    vec![
        page("builds", &list(builds(), true, None)),
        page("builds-no-match-hostile", &BuildList { query: HOSTILE.to_owned(), ..list(vec![], true, None) }),
        page(
            "builds-of-branch-hostile",
            &BuildList { branch: HOSTILE.to_owned(), states: states(2), ..list(builds(), true, None) },
        ),
        page("builds-empty", &list(vec![], true, None)),
        page("builds-not-connected", &BuildList { build_ref: None, ..list(vec![], false, None) }),
        page("builds-wrong-ref-hostile", &list(builds(), true, Some("acme/api has no such branch, tag or commit."))),
        page("builds-hostile", &list(vec![build(150, State::Running, HOSTILE)], true, None)),
    ]
}
