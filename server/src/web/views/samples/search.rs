//! The build page with what a search found in its log.

use super::super::build::{BuildPage, BuildResult};
use super::super::facts::State;
use super::super::log::StepName;
use super::super::search::{FoundLine, FoundStep, Search, marked};
use super::build::{log, show, view};
use super::data::{HOSTILE, page};
use super::failures::failure;

/// `hits` of them; or a pattern that is none.
fn searched(hits: u64, problem: Option<&str>) -> BuildPage {
    let line = |number, text: &str, is_hit, is_apart| FoundLine {
        number,
        html: if is_hit { marked(text, std::iter::once(0..5)) } else { marked(text, std::iter::empty()) },
        is_hit,
        is_apart,
    };
    let lines = vec![
        line(4, "  --> src/main.rs:3:5", false, false),
        line(5, "error[E0308]: mismatched types", true, false),
        line(6, "   see https://doc.rust-lang.org/error_codes/E0308.html", false, false),
        line(99_998, "error: could not compile `api` <script>", true, true),
    ];
    let name = StepName::parse("[build 4/4] RUN cargo build --release --locked");
    let steps = vec![FoundStep { number: 9, name, lines }];
    let search = Search {
        query: HOSTILE.chars().take(200).collect(),
        problem: problem.map(str::to_owned),
        hits,
        shown: hits.min(500),
        stopped: (hits > 500).then_some((9, 41_001)),
        steps: if hits == 0 { vec![] } else { steps },
    };
    let build = view(146, State::Failed, BuildResult::Failed(Box::new(failure())));
    BuildPage { search: Some(search), ..show(build, log(vec![])) }
}

pub(super) fn pages() -> Vec<(String, String)> {
    vec![
        page("build-search-hostile", &searched(1_922, None)),
        page("build-search-nothing", &searched(0, None)),
        page("build-search-wrong", &searched(0, Some("This is no regular expression: unclosed group."))),
    ]
}
