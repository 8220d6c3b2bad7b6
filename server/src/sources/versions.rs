//! Versions in git tags, `v1.2.3-rc.1`, and their order: semver.org 2.0.0, sections 2, 9 and 11.

use std::cmp::Ordering;
use std::fmt;

/// Two that differ in their build metadata only are equal (section 10).
#[derive(Clone, Debug)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
    /// `rc.1`; empty for a release.
    pub pre_release: String,
    /// `fork.1` of `1.2.3+fork.1`; mostly empty.
    pub build: String,
}

impl Version {
    /// Of `v1.2.3`, `1.2.3`, `v1.2.3-rc.1` and `v1.2.3+fork.1`; anything else is no version.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let (core, pre_release) = text.split_once('-').map_or((text, None), |(core, rest)| (core, Some(rest)));
        let is_build = |text: &str| text.split('.').all(is_identifier);
        let is_legal = pre_release.is_none_or(is_pre_release) && build.is_none_or(is_build);
        if !is_legal {
            return None;
        }
        let mut numbers = core.split('.').map(number);
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let (pre_release, build) = (text(pre_release), text(build));
        numbers.next().is_none().then_some(Self { major, minor, patch, pre_release, build })
    }

    pub fn is_release(&self) -> bool {
        self.pre_release.is_empty()
    }
}

// No sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

fn is_pre_release(text: &str) -> bool {
    text.split('.').all(|part| {
        let numeric = part.bytes().all(|b| b.is_ascii_digit());
        is_identifier(part) && (!numeric || part == "0" || !part.starts_with('0'))
    })
}

fn is_identifier(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// As an image tag has it, in which a `+` is no legal character: `1.2.3-rc.1-fork.1`.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        [&self.pre_release, &self.build]
            .into_iter()
            .filter(|part| !part.is_empty())
            .try_for_each(|part| write!(f, "-{part}"))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let core = |v: &Self| (v.major, v.minor, v.patch);
        core(self).cmp(&core(other)).then_with(|| match (self.is_release(), other.is_release()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => by_parts(&self.pre_release, &other.pre_release),
        })
    }
}

fn by_parts(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => by_part(x, y),
        };
        if order.is_ne() {
            return order;
        }
    }
}

// Numbers are below words. They have no leading zeros, so the longer one is the larger one, however long they are.
fn by_part(a: &str, b: &str) -> Ordering {
    let numeric = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match (numeric(a), numeric(b)) {
        (true, true) => a.len().cmp(&b.len()).then_with(|| a.cmp(b)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_versions_are_versions() {
        for good in [
            "1.2.3",
            "v1.2.3",
            "v0.0.0",
            "v1.2.3-rc.1",
            "1.2.3-0",
            "1.2.3-a-b",
            "v1.2.3+5",
            "1.2.3-rc.1+a.01-b",
            "1.2.3+a-b",
        ] {
            assert!(Version::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "v",
            "1",
            "1.2",
            "1.2.3.4",
            "v01.2.3",
            "1.02.3",
            "1.2.3-",
            "1.2.3-01",
            "1.2.3-a..b",
            "1.2.3+",
            "1.2.3-+5",
            "1.2.3+a..b",
            "1.2.3+a+b",
            "1.2.3+a_b",
            "V1.2.3",
            "vv1.2.3",
            "1.2.x",
            "-1.2.3",
            "1.2.+3",
            "99999999999999999999.0.0",
            "1.2.3-ü",
        ] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn build_metadata_is_in_the_text_and_not_in_the_order() {
        let version = |text| Version::parse(text).unwrap();
        for (text, shown, is_release) in [
            ("v2.3.8+fork.1", "2.3.8-fork.1", true),
            ("1.28.2+k3s1", "1.28.2-k3s1", true),
            ("v1.0.0-rc.1+build.5", "1.0.0-rc.1-build.5", false),
        ] {
            assert_eq!((version(text).to_string().as_str(), version(text).is_release()), (shown, is_release));
        }
        assert_eq!(version("1.2.3+a"), version("1.2.3+b"));
        assert_eq!(version("1.2.3+a"), version("1.2.3"));
        assert!(version("1.2.3+z") < version("1.2.4"));
        assert!(version("1.2.3-rc.1+z") < version("1.2.3"));
    }

    #[test]
    fn versions_sort_as_semver_says() {
        let sorted = [
            "0.9.9",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.1.0",
            "1.10.0",
            "2.0.0",
        ]
        .map(|v| Version::parse(v).unwrap());
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
