//! Tags in the order of the versions that they name: `1.10` before `1.9`, `1.2.3` before `1.2.3-rc.1` (semver.org 2.0.0,
//! section 11), and names that are no version behind them.

use std::cmp::Reverse;

/// The newest version first; what is none comes last, by name.
pub fn newest_first<T: AsRef<str>>(names: &[T]) -> Vec<&str> {
    let mut keyed: Vec<_> = names.iter().map(T::as_ref).map(|name| (Reverse(Version::of(name)), name)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, name)| name).collect()
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Version<'a> {
    numbers: Vec<Number<'a>>,
    rest: Rest<'a>,
}

/// Digits without leading zeros: the longer are the greater, and none is too great.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Number<'a> {
    length: usize,
    digits: &'a str,
}

/// What follows the numbers; a release has nothing there, and is newer.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rest<'a> {
    PreRelease(Vec<Run<'a>>),
    Nothing,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Run<'a> {
    Number(Number<'a>),
    Word(&'a str),
}

impl<'a> Version<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let mut rest = name.strip_prefix(['v', 'V']).unwrap_or(name);
        let mut numbers = Vec::new();
        loop {
            let (digits, after) = rest.split_at(digits(rest));
            if digits.is_empty() {
                return None;
            }
            numbers.push(Number::of(digits));
            rest = after;
            match after.strip_prefix('.') {
                Some(next) if digits_begin(next) => rest = next,
                _ => break,
            }
        }
        let rest = if rest.is_empty() { Rest::Nothing } else { Rest::PreRelease(runs(rest)) };
        Some(Self { numbers, rest })
    }
}

impl<'a> Number<'a> {
    fn of(digits: &'a str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self { length: digits.len(), digits }
    }
}

fn runs(mut rest: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    while !rest.is_empty() {
        let is_number = digits_begin(rest);
        let end = if is_number { digits(rest) } else { rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()) };
        let (run, after) = rest.split_at(end);
        runs.push(if is_number { Run::Number(Number::of(run)) } else { Run::Word(run) });
        rest = after;
    }
    runs
}

fn digits_begin(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::newest_first;

    fn sorted(names: &str) -> String {
        let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        newest_first(&names).join(" ")
    }

    #[test]
    fn numbers_count_as_numbers() {
        assert_eq!(sorted("1.9 1.10 v1.11 1.9.3"), "v1.11 1.10 1.9.3 1.9");
    }

    #[test]
    fn a_release_is_newer_than_what_led_to_it() {
        assert_eq!(sorted("1.2.3-rc.2 1.2.3 1.2.3-rc.10 1.2.3-beta"), "1.2.3 1.2.3-rc.10 1.2.3-rc.2 1.2.3-beta");
    }

    #[test]
    fn names_that_are_no_version_come_last() {
        assert_eq!(sorted("main 1 latest v vim 2"), "2 1 latest main v vim");
    }

    #[test]
    fn no_number_is_too_long() {
        assert_eq!(
            sorted("99999999999999999999999 100000000000000000000000 007 8"),
            "100000000000000000000000 99999999999999999999999 8 007"
        );
    }
}
