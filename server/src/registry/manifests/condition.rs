//! Preconditions of a request (RFC 9110, section 13): what has to be stored, or not, so that it is done.

use crate::error::{Error, Result};

/// `If-Match` and `If-None-Match` of a request. The entity tag of a manifest or blob is its digest.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    is: Option<Tags>,
    is_not: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`: whatever is stored.
    Any,
    Of(Vec<Tag>),
}

/// `"sha256:…"`, or `W/"sha256:…"`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    text: String,
    is_weak: bool,
}

impl Condition {
    /// From the values of `If-Match` and `If-None-Match`.
    pub fn of(matches: Option<&str>, none_matches: Option<&str>) -> Self {
        Self { is: matches.map(Tags::read), is_not: none_matches.map(Tags::read) }
    }

    pub fn is_any(&self) -> bool {
        self.is.is_some() || self.is_not.is_some()
    }

    /// Refuses a change unless `current`, the digest that is stored, is as the request wants it.
    pub fn check(&self, current: Option<&str>) -> Result<()> {
        self.check_match(current)?;
        match &self.is_not {
            Some(tags) if tags.hold(current, false) => Err(Error::Precondition(
                "something is stored here that the request does not want: If-None-Match".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Whether a reader has `current` already.
    pub fn is_known(&self, current: &str) -> Result<bool> {
        self.check_match(Some(current))?;
        Ok(self.is_not.as_ref().is_some_and(|tags| tags.hold(Some(current), false)))
    }

    fn check_match(&self, current: Option<&str>) -> Result<()> {
        match &self.is {
            Some(tags) if !tags.hold(current, true) => {
                Err(Error::Precondition("what is stored here is not what the request wants: If-Match".into()))
            }
            _ => Ok(()),
        }
    }
}

impl Tags {
    fn read(value: &str) -> Self {
        let mut tags = Vec::new();
        let mut left = value;
        while let Some((one, rest)) = first_of(left) {
            if one == "*" {
                return Self::Any;
            }
            tags.push(Tag::read(one));
            left = rest;
        }
        Self::Of(tags)
    }

    /// Weak tags are none in a strong comparison.
    fn hold(&self, current: Option<&str>, strong: bool) -> bool {
        let Some(current) = current else { return false };
        match self {
            Self::Any => true,
            Self::Of(tags) => tags.iter().any(|tag| tag.text == current && !(strong && tag.is_weak)),
        }
    }
}

/// The first element of a list and what follows its comma. In quotes a comma is a letter as any other (section 8.8.3).
fn first_of(list: &str) -> Option<(&str, &str)> {
    let list = list.trim_start_matches([' ', '\t', ',']);
    let mut is_quoted = false;
    let is_end = |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    };
    let (one, rest) = list.split_once(is_end).unwrap_or((list, ""));
    (!list.is_empty()).then_some((one.trim(), rest))
}

impl Tag {
    // Clients send a digest without quotes, too: distribution takes both.
    fn read(text: &str) -> Self {
        let (is_weak, text) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        Self { text: bare.to_owned(), is_weak }
    }
}

/// Whether `If-Range` allows a part of what is stored: only by the same strong tag. There are no dates here.
pub fn allows_part(if_range: &str, current: &str) -> bool {
    Tag::read(if_range.trim()) == Tag { text: current.to_owned(), is_weak: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "sha256:aa";

    #[test]
    fn a_change_is_done_when_what_is_stored_is_as_the_request_wants_it() {
        for (is, is_not, current, done) in [
            (None, None, None, true),
            (None, None, Some(HERE), true),
            (Some("*"), None, Some(HERE), true),
            (Some("*"), None, None, false),
            (Some("\"sha256:aa\""), None, Some(HERE), true),
            (Some("sha256:aa"), None, Some(HERE), true),
            (Some("\"x\" , \"sha256:aa\""), None, Some(HERE), true),
            (Some("W/\"sha256:aa\""), None, Some(HERE), false),
            (Some("\"sha256:ab\""), None, Some(HERE), false),
            (Some("\"sha256:aa\""), None, None, false),
            (Some(""), None, Some(HERE), false),
            (None, Some("*"), None, true),
            (None, Some("*"), Some(HERE), false),
            (None, Some("\"sha256:aa\""), Some(HERE), false),
            (None, Some("W/\"sha256:aa\""), Some(HERE), false),
            (None, Some("\"x\",*"), Some(HERE), false),
            (None, Some("\"sha256:ab\""), Some(HERE), true),
            (None, Some(""), Some(HERE), true),
            (Some("\"sha256:aa\""), Some("\"sha256:ab\""), Some(HERE), true),
            (Some("\"sha256:aa\""), Some("*"), Some(HERE), false),
            // One tag with commas in it.
            (Some("\"x,*,y\""), None, Some(HERE), false),
            (Some("\"x,sha256:aa,y\""), None, Some(HERE), false),
            (Some("\"x,y\",\t,\"sha256:aa\""), None, Some(HERE), true),
            (None, Some("\"x,*,y\""), Some(HERE), true),
        ] {
            let condition = Condition::of(is, is_not);
            assert_eq!(condition.check(current).is_ok(), done, "{is:?} {is_not:?} {current:?}");
        }
    }

    #[test]
    fn a_reader_has_what_its_tag_names() {
        let known = |is, is_not| Condition::of(is, is_not).is_known(HERE).ok();
        assert_eq!(known(None, None), Some(false));
        for tag in ["\"sha256:aa\"", "sha256:aa", "W/\"sha256:aa\"", "*", "\"x\", \"sha256:aa\""] {
            assert_eq!(known(None, Some(tag)), Some(true), "{tag}");
        }
        for tag in ["\"sha256:ab\"", "", "\"sha256:aa", "\"\"", "w/\"sha256:aa\""] {
            assert_eq!(known(None, Some(tag)), Some(false), "{tag}");
        }
        assert_eq!(known(Some("\"x\""), Some("*")), None);
        assert_eq!(known(Some("*"), Some("*")), Some(true));
    }

    #[test]
    fn a_part_is_given_by_the_same_strong_tag_only() {
        assert!(allows_part("\"sha256:aa\"", HERE) && allows_part(" sha256:aa ", HERE));
        for other in ["\"sha256:ab\"", "W/\"sha256:aa\"", "*", "", "Mon, 30 Nov 2026 00:00:00 GMT"] {
            assert!(!allows_part(other, HERE), "{other}");
        }
    }
}
