//! What long lists are asked for, `?q=&sort=&page=` (builds: `branch=&state=` too), and the row of page links below them.

use super::page::ROWS;
use super::views::layout::{Pages, SortOption};
use serde::Deserialize;

/// What a list is asked for.
#[derive(Default, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    sort: String,
    /// Of builds.
    #[serde(default)]
    branch: String,
    #[serde(default)]
    state: String,
    /// From 1; 0 when it is not given.
    #[serde(default)]
    page: u64,
}

/// An order that a list can have: its word in `?sort=`, what people read, and what it means.
pub type Order<T> = (&'static str, &'static str, T);

impl ListQuery {
    /// What entries must hold; empty for all of them.
    pub fn text(&self) -> String {
        plain(&self.q, 200)
    }

    /// The branch or tag whose entries are meant; empty for all. A ref has 1,024 bytes at most.
    pub fn branch(&self) -> String {
        plain(&self.branch, 1_024)
    }

    /// From 1.
    pub fn number(&self) -> u64 {
        self.page.clamp(1, 1_000_000)
    }

    /// Entries before the page.
    pub fn offset(&self) -> u64 {
        (self.number() - 1) * ROWS
    }

    /// The asked order, and all of them to choose from. The first is the usual one, taken for unknown words too.
    pub fn order<T: Copy>(&self, orders: &[Order<T>]) -> (T, Vec<SortOption>) {
        choice(&self.sort, orders)
    }

    /// As `order`, for the states that entries can have.
    pub fn state<T: Copy>(&self, states: &[Order<T>]) -> (T, Vec<SortOption>) {
        choice(&self.state, states)
    }

    /// What to tell of a state that no entry can have: it picks nothing out.
    pub fn unknown_state<T>(&self, states: &[Order<T>]) -> Option<String> {
        let typed = plain(&self.state, 40).replace('`', "'");
        let is_known = states.iter().any(|(word, ..)| word.eq_ignore_ascii_case(&self.state));
        (!is_known).then(|| format!("`{typed}` is not a state of builds, so it was ignored."))
    }

    /// Links around this page of `total` entries at `path`, which keep filter and order.
    pub fn pages(&self, total: u64, path: &str) -> Pages {
        self.pages_around(self.number(), total, path)
    }

    /// Where the last page is, when this one lies behind it.
    pub fn beyond(&self, total: u64, path: &str) -> Option<String> {
        let last = total.div_ceil(ROWS).max(1);
        (self.number() > last).then(|| self.pages_around(last, total, path).url)
    }

    fn pages_around(&self, number: u64, total: u64, path: &str) -> Pages {
        let (text, branch) = (self.text(), self.branch());
        pages(number, total, path, &[("q", &text), ("branch", &branch), ("state", &self.state), ("sort", &self.sort)])
    }
}

fn plain(typed: &str, most: usize) -> String {
    // PostgreSQL takes no NUL.
    typed.trim().chars().filter(|c| !c.is_control()).take(most).collect()
}

fn choice<T: Copy>(asked: &str, options: &[Order<T>]) -> (T, Vec<SortOption>) {
    let at = options.iter().position(|(word, ..)| word.eq_ignore_ascii_case(asked)).unwrap_or(0);
    let option = |(n, (word, label, _)): (usize, &Order<T>)| SortOption { word, label, chosen: n == at };
    (options[at].2, options.iter().enumerate().map(option).collect())
}

/// Links around page `number` of `total` entries at `path`; of `keep` they hold what is not empty.
fn pages(number: u64, total: u64, path: &str, keep: &[(&str, &str)]) -> Pages {
    let last = total.div_ceil(ROWS).max(1);
    let url = |page: u64| {
        let page = if page == 1 { String::new() } else { page.to_string() };
        let number = [("page", page.as_str())];
        let asked: Vec<_> = keep.iter().chain(&number).filter(|(_, value)| !value.is_empty()).collect();
        let query = serde_urlencoded::to_string(asked).unwrap_or_default();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    };
    Pages {
        url: url(number),
        number,
        last,
        previous_url: (number > 1).then(|| url(number - 1)),
        next_url: (number < last).then(|| url(number + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_the_filter_and_end_at_the_ends() {
        let middle = pages(2, 65, "/a/b/-/tags", &[("q", "v1&x"), ("sort", "")]);
        assert_eq!(middle.last, 3);
        assert_eq!(middle.previous_url.as_deref(), Some("/a/b/-/tags?q=v1%26x"));
        assert_eq!(middle.next_url.as_deref(), Some("/a/b/-/tags?q=v1%26x&page=3"));
        let only = pages(1, 0, "/a", &[]);
        assert_eq!((only.last, only.previous_url, only.next_url), (1, None, None));
    }

    #[test]
    fn links_keep_branch_and_state() {
        let asked = ListQuery { branch: " feature/x ".to_owned(), state: "failed".to_owned(), ..ListQuery::default() };
        assert_eq!(asked.pages(31, "/a").next_url.as_deref(), Some("/a?branch=feature%2Fx&state=failed&page=2"));
    }

    #[test]
    fn behind_the_last_page_the_way_leads_back_to_it() {
        let asked = |page| ListQuery { q: "x".to_owned(), page, ..ListQuery::default() };
        assert_eq!(asked(3).beyond(65, "/a"), None);
        assert_eq!(asked(1).beyond(0, "/a"), None);
        assert_eq!(asked(99).beyond(65, "/a").as_deref(), Some("/a?q=x&page=3"));
    }

    #[test]
    fn an_unknown_order_is_the_usual_one() {
        let asked = |sort: &str| ListQuery { sort: sort.to_owned(), ..ListQuery::default() };
        let orders = [("new", "Newest", 1), ("name", "Name", 2)];
        assert_eq!(asked("name").order(&orders).0, 2);
        let (order, options) = asked("'; --").order(&orders);
        assert_eq!(order, 1);
        assert!(options[0].chosen && !options[1].chosen);
    }

    #[test]
    fn an_unknown_state_is_told() {
        let asked = |state: &str| ListQuery { state: state.to_owned(), ..ListQuery::default() };
        let states = [("", "Any", 0), ("failed", "Failed", 1)];
        assert_eq!(asked("Failed").unknown_state(&states), None);
        assert_eq!(asked("Failed").state(&states).0, 1);
        assert_eq!(asked("").unknown_state(&states), None);
        let told = "`broken'` is not a state of builds, so it was ignored.";
        assert_eq!(asked("broken`").unknown_state(&states).as_deref(), Some(told));
    }
}
